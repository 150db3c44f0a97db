"""`art sync`: versions, runs and lineage from one store to another, one way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import transfer_options
from artstore.cli.output import count, format_bytes, format_seconds, printable
from artstore.cli.runlist import close_dead_runs
from artstore.cli.session import Session
from artstore.errors import StateError

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.syncing.report import SyncedVersion, SyncReport

__all__ = ["sync_command"]

_DEFAULT_STORE = "."


@click.command(
    "sync",
    cls=Command,
    examples=(
        "art sync . s3://bucket/store",
        "art sync /data/store . digits digits-cnn:best run:a1b2c3d4",
        "art sync . s3://bucket/store --project digits --dry-run",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-a",
    "--all",
    "everything",
    is_flag=True,
    help="Also views of the page, and what runs keep for themselves without a run.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing, and tell what would go over.")
@transfer_options
@shared_options
@click.pass_obj
def sync_command(
    session: Session,
    *,
    source: str,
    target: str,
    names: tuple[str, ...],
    everything: bool,
    dry_run: bool,
) -> None:
    """
    Bring what the store TO lacks from the store FROM: versions, runs and lineage.

    FROM and TO are URLs or directories; a dot is the store that other commands use. A NAME is
    an artifact, a version, or a run as run:ID; without one, everything goes over, or all of
    the project that --project names. Versions keep their numbers where those are free. Nothing
    is deleted in TO, and a second sync writes nothing.
    """
    from artstore.syncing.storesync import sync

    if source == _DEFAULT_STORE and not dry_run:
        close_dead_runs(session)
    with session.progress() as bar:
        report = sync(
            _opened(session, source),
            _opened(session, target),
            names,
            project=session.project,
            with_plumbing=everything,
            dry_run=dry_run,
            on_progress=bar.on_progress,
        )
    for warning in report.warnings:
        session.output.warn(warning)
    session.output.result(
        report.to_json(), _lines(report), names=[_name(version) for version in report.new_versions]
    )
    if report.problems:
        raise StateError(
            f"{count(len(report.problems), 'thing')} could not be brought: "
            + ", ".join(problem.name for problem in report.problems[:3]),
            code="sync-incomplete",
            hint="everything else was; run the same command again when it is mended",
        )


def _opened(session: Session, url: str) -> Store:
    from artstore.api import open_store

    return open_store(
        session.settings.url if url == _DEFAULT_STORE else url,
        project=session.project or session.settings.project,
        jobs=session.jobs,
        limit_rate=session.limit_rate,
    )


def _name(version: SyncedVersion) -> str:
    return f"{version.project}/{version.name}:v{version.version}"


def _lines(report: SyncReport) -> Iterator[str]:
    would = "would go" if report.is_dry_run else "went"
    by_name: dict[str, list[SyncedVersion]] = {}
    for version in report.new_versions:
        by_name.setdefault(f"{version.project}/{version.name}", []).append(version)
    for name, versions in by_name.items():
        size = sum(version.size_bytes for version in versions)
        numbers = _numbers([version.version for version in versions])
        yield f"{printable(name)}: {numbers} {would} over, {format_bytes(size)}"
    for run in report.new_runs:
        yield f"run {run.project}/{run.run_id} {would} over"
    for version in report.renumbered:
        yield f"{_name(version)} is v{version.target_version} in {printable(report.target)}"
    for run in report.runs:
        if (run.project, run.run_id) != (run.target_project, run.target_id):
            there = f"{run.target_project}/{run.target_id}"
            yield f"run {run.project}/{run.run_id} is {there} in {printable(report.target)}"
    for problem in report.problems:
        yield f"{printable(problem.name)}: {printable(problem.message)}"
    yield (
        f"{count(len(report.new_versions), 'version')} and {count(len(report.new_runs), 'run')} "
        f"{would} over, {len(report.versions) - len(report.new_versions):,} and "
        f"{len(report.runs) - len(report.new_runs):,} were there; "
        f"{count(report.label_count, 'change')} of labels; {format_bytes(report.read_bytes)} read, "
        f"{format_bytes(report.stored_bytes)} written in {format_seconds(report.seconds)}"
    )


def _numbers(numbers: list[int]) -> str:
    """`v0-v3, v7`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(
        f"v{part[0]}" if len(part) == 1 else f"v{part[0]}-v{part[-1]}" for part in parts
    )

"""`art verify`, `art check`, `art du`: whether bytes are right, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name, read_percentage
from artstore.cli.output import count, format_bytes, format_seconds, printable
from artstore.cli.session import Session
from artstore.errors import DamagedDataError

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.upkeep.check import CheckReport, Problem
    from artstore.upkeep.repair import Repaired
    from artstore.upkeep.usage import UsageReport
    from artstore.upkeep.usage_runs import RunUsage
    from artstore.upkeep.verify import VerifyReport

__all__ = ["check_command", "du_command", "verify_command"]

_RUN = "run:"
_RUN_PARTS = ("log", "history", "system", "console", "media", "other")


@click.command(
    "verify",
    cls=Command,
    examples=("art verify mnist:v3", "art verify mnist:v3 data", "art verify run:a1b2c3d4"),
)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@shared_options
@click.pass_obj
def verify_command(session: Session, name: str, directory: Path | None) -> None:
    """
    Read every byte of a version in the store, or of a checkout of it in DIR, and check it.

    Of a run, named as run:ID, its log is read, and all that it and its history name. Nothing is
    changed. Exit status 8 if anything is missing or not what was pushed.
    """
    if not name.startswith(_RUN):
        session.name(name)
    store = session.open_store()
    name = _known_name(session, store, name)
    with session.progress() as bar:
        report = store.verify(name, directory, on_progress=bar.on_progress)
    session.output.result(
        _verify_record(report), _verify_lines(report), names=[p.path for p in report.problems]
    )
    if report.problems:
        wrong = count(len(report.problems), "entry", "entries")
        told = "not as written" if name.startswith(_RUN) else "not as pushed"
        raise DamagedDataError(f"{name}: {wrong} {told}", code="damage-found")


def _known_name(session: Session, store: Store, name: str) -> str:
    """What a person calls a run, behind `run:`, as the store takes it; other names as they are."""
    if not name.startswith(_RUN):
        return name
    from artstore.cli.runnames import find_run

    run = find_run(session, store, name.removeprefix(_RUN))
    return f"{_RUN}{run.project}/{run.id}"


def _verify_record(report: VerifyReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "directory": str(report.directory) if report.directory is not None else None,
        "ok": not report.problems,
        "checked_files": report.checked_files,
        "checked_bytes": report.checked_bytes,
        "problems": [{"path": p.path, "message": p.message} for p in report.problems],
        "seconds": report.seconds,
    }


def _verify_lines(report: VerifyReport) -> Iterator[str]:
    for problem in report.problems:
        yield f"{printable(problem.path)}: {printable(problem.message)}"
    noun = "value" if report.name.startswith(_RUN) else "file"
    yield (
        f"{count(report.checked_files, noun)}, {format_bytes(report.checked_bytes)} read "
        f"in {format_seconds(report.seconds)}: {_verdict(len(report.problems))}"
    )


def _verdict(problem_count: int) -> str:
    return count(problem_count, "problem") if problem_count else "all right"


@click.command(
    "check",
    cls=Command,
    examples=(
        "art check",
        "art check --read-data=5%",
        "art check --repair --read-data --from /backup/store",
    ),
)
@click.option(
    "--read-data",
    metavar="[=PERCENT]",
    is_flag=False,
    flag_value="100%",
    callback=read_percentage,
    help="Read packs, and what runs wrote, too: all, or a random part of so many percent.",
)
@click.option("--repair", "is_repair", is_flag=True, help="Put back what is damaged or lost.")
@click.option(
    "--from",
    "sources",
    metavar="URL",
    multiple=True,
    help="With --repair: a copy of this store, or another with the same content (many).",
)
@click.option("--dry-run", is_flag=True, help="With --repair: say what would be done; do nothing.")
@shared_options
@click.pass_obj
def check_command(
    session: Session,
    *,
    read_data: float | None,
    is_repair: bool,
    sources: tuple[str, ...],
    dry_run: bool,
) -> None:
    """
    Check the whole store: every log, manifest, pack and run, what is damaged and whom it hits.

    Nothing is changed without --repair. With it, what is damaged or lost is put back from what
    this machine has (the replica of the logs, the local cache, checkouts, journals of runs) and
    from the stores named with --from; damage inside of packs, and of what runs wrote, is found
    with --read-data only. Exit status 8 if anything is, or is left, damaged or missing.
    """
    if (sources or dry_run) and not is_repair:
        option = "--from" if sources else "--dry-run"
        raise click.UsageError(f"{option} needs --repair", click.get_current_context())
    store = session.open_store()
    with session.progress() as bar:
        if is_repair:
            report = store.repair(
                sources, read_data=read_data, dry_run=dry_run, on_progress=bar.on_progress
            )
            found, problems, repaired = report.found, report.problems, report.repaired
        else:
            found = store.check(read_data=read_data, on_progress=bar.on_progress)
            problems, repaired = found.problems, ()
    record = {
        **_check_record(found, problems),
        "repair": is_repair,
        "dry_run": dry_run,
        "repaired": [
            {"key": r.key, "action": r.action, "sources": list(r.sources)} for r in repaired
        ],
    }
    if repaired and dry_run:
        record["ok"] = False
    lines = _check_lines(found, problems, repaired, dry_run=dry_run)
    session.output.result(record, lines, names=[p.key for p in problems])
    if not record["ok"]:
        left = len(problems) + (len(repaired) if dry_run else 0)
        raise DamagedDataError(f"the store has {count(left, 'problem')}", code="damage-found")


def _check_record(report: CheckReport, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "ok": not problems,
        "checked_collections": report.checked_collections,
        "checked_versions": report.checked_versions,
        "checked_packs": report.checked_packs,
        "checked_runs": report.checked_runs,
        "read_bytes": report.read_bytes,
        "problems": [
            {
                "key": p.key,
                "code": p.code,
                "message": p.message,
                "versions": list(p.versions),
                "runs": list(p.runs),
            }
            for p in problems
        ],
        "seconds": report.seconds,
    }


def _check_lines(
    report: CheckReport,
    problems: Sequence[Problem],
    repaired: Sequence[Repaired],
    *,
    dry_run: bool,
) -> Iterator[str]:
    would = "would be " if dry_run else ""
    for item in repaired:
        sources = f" from {', '.join(item.sources)}" if item.sources else ": nothing needs it"
        yield f"{printable(item.key)}: {would}{item.action}{printable(sources)}"
    for problem in problems:
        yield f"{printable(problem.key)}: {printable(problem.message)}"
        hit = [*problem.versions, *(f"{_RUN}{run}" for run in problem.runs)]
        if hit:
            yield f"  hits {printable(', '.join(hit))}"
    done = f"{len(repaired)} {would}repaired, " if repaired else ""
    runs = f"{count(report.checked_runs, 'run')}, " if report.checked_runs else ""
    yield (
        f"{count(report.checked_collections, 'artifact')}, "
        f"{count(report.checked_versions, 'version')}, {count(report.checked_packs, 'pack')}, "
        f"{runs}{format_bytes(report.read_bytes)} read in {format_seconds(report.seconds)}: "
        f"{done}{_verdict(len(problems))}"
    )


@click.command(
    "du",
    cls=Command,
    examples=(
        "art du",
        "art du mnist",
        "art du mnist:v3",
        "art du run:a1b2c3d4",
        "art du --reclaimable",
    ),
)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_name)
@click.option("--reclaimable", is_flag=True, help="Show what 'art gc' could free, and why.")
@shared_options
@click.pass_obj
def du_command(session: Session, name: str | None, *, reclaimable: bool) -> None:
    """
    Show what an artifact takes, a run (named as run:ID), or the whole store.

    Logical: all versions as if each were a full copy. Stored: what they take in the store.
    Unique: the part of it that nothing else uses; shared: the part that something else uses. Of
    the whole store: what one version alone uses, and what several do; and what the runs of each
    project take, with the part that is of deleted runs, and what no log of a run names (abandoned).
    """
    if reclaimable:
        _print_reclaimable(session, name)
        return
    if name is not None and not name.startswith(_RUN):
        session.name(name)
    store = session.open_store()
    if name is not None:
        name = _known_name(session, store, name)
    report = store.usage(name)
    session.output.result(_usage_record(name, report), _usage_lines(name, report))


def _print_reclaimable(session: Session, name: str | None) -> None:
    from artstore.cli.collecting import plan_lines, run_lines

    store = session.open_store()
    wanted = None if name is None else session.name(name)
    report = store.collect_garbage(dry_run=True)
    assert report.plan is not None
    if wanted is not None:
        project = wanted.project or store.project
        mine = [
            one
            for one in report.plan.collections
            if (one.project, one.name) == (project, wanted.name)
        ]
        size_bytes = sum(one.size_bytes for one in mine)
        value = {"name": f"{project}/{wanted.name}", "reclaimable_bytes": size_bytes}
        line = f"{project}/{wanted.name}  {format_bytes(size_bytes)} of deleted versions"
        session.output.result(value, [line])
        return
    lines = [*plan_lines(report.plan)]
    if report.runs is not None:
        lines += run_lines(report.runs, is_done=False)
    session.output.result(report.to_json(), lines)


def _usage_record(name: str | None, report: UsageReport) -> dict[str, Any]:
    return {
        "name": name,
        "logical_bytes": report.logical_bytes,
        "stored_bytes": report.stored_bytes,
        "unique_bytes": report.unique_bytes,
        "shared_bytes": report.shared_bytes,
        "runs": [_run_usage_record(one) for one in report.runs],
    }


def _run_usage_record(usage: RunUsage) -> dict[str, Any]:
    parts = {f"{kind}_bytes": getattr(usage, f"{kind}_bytes") for kind in _RUN_PARTS}
    return {
        "project": usage.project,
        "run_count": usage.run_count,
        "deleted_run_count": usage.deleted_count,
        "stored_bytes": usage.stored_bytes,
        **parts,
        "deleted_bytes": usage.deleted_bytes,
        "abandoned_bytes": usage.abandoned_bytes,
    }


def _usage_lines(name: str | None, report: UsageReport) -> Iterator[str]:
    for label, size_bytes in (
        ("logical", report.logical_bytes),
        ("stored", report.stored_bytes),
        ("unique", report.unique_bytes),
        ("shared", report.shared_bytes),
    ):
        yield _usage_line(label, size_bytes)
    if report.runs:
        yield from _run_usage_lines(report.runs, are_all=name is None)


def _usage_line(label: str, size_bytes: int) -> str:
    return f"{label:<8} {format_bytes(size_bytes):>10}  ({size_bytes:,} bytes)"


def _run_usage_lines(runs: Sequence[RunUsage], *, are_all: bool) -> Iterator[str]:
    total = sum(one.stored_bytes for one in runs)
    yield f"{_usage_line('runs', total)}  {count(sum(one.run_count for one in runs), 'run')}"
    for part in _RUN_PARTS:
        size_bytes = sum(getattr(one, f"{part}_bytes") for one in runs)
        if size_bytes:
            yield _usage_line(f"  {part}", size_bytes)
    for one in runs if are_all else ():
        told = f"{format_bytes(one.stored_bytes)} in {count(one.run_count, 'run')}"
        yield f"  {printable(one.project)}: {told}"
    deleted = sum(one.deleted_bytes for one in runs)
    if deleted:
        gone = count(sum(one.deleted_count for one in runs), "deleted run")
        yield f"  of that {format_bytes(deleted)} of {gone}"
    abandoned = sum(one.abandoned_bytes for one in runs)
    if abandoned:
        yield f"  of that {format_bytes(abandoned)} abandoned: no log of a run names it"

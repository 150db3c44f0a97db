"""`art pull`: a version becomes a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name, transfer_options
from artstore.cli.output import count, format_bytes, format_seconds, printable
from artstore.cli.runabove import tell_used
from artstore.cli.session import Session
from artstore.errors import ArtstoreError

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, PullResult

__all__ = ["pull_command"]

LINKS = {
    "copy": "nothing is kept",
    "reflink": "the checkout shares their disk blocks until it is written to",
    "hard": "the checkout's files are the same files, read-only: replace them, never write to them",
    "sym": "the checkout's links lead there, read-only: replace them, never write to them",
}
"""How files get into a checkout, and what that costs."""


@click.command(
    "pull",
    cls=Command,
    examples=(
        "art pull mnist",
        "art pull mnist:best data --delete",
        "art pull vision/mnist:v3 --path 'train/*.png'",
    ),
)
@click.argument("name", metavar="NAME[:vN|:ALIAS|@DIGEST]", shell_complete=complete_name)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--path", "paths", metavar="GLOB", multiple=True, help="Only entries like this (many)."
)
@click.option(
    "--link",
    type=click.Choice(list(LINKS)),
    default="copy",
    show_default=True,
    help="How files get there; all but copy keep one read-only file per digest in the cache.",
)
@click.option("--delete", is_flag=True, help="Remove files in DIR that the version does not have.")
@click.option("--dry-run", is_flag=True, help="Say what would be written and removed; do nothing.")
@click.option("--into", is_flag=True, help="Write into DIR although other files are in it.")
@transfer_options
@shared_options
@click.pass_obj
def pull_command(
    session: Session,
    *,
    name: str,
    directory: Path | None,
    paths: tuple[str, ...],
    link: str,
    delete: bool,
    dry_run: bool,
    into: bool,
) -> None:
    """
    Write a version into DIR, which is ./NAME if left out.

    Files that are right already are left alone, so that pulling a newer version onto an older
    checkout moves only what changed. Each file is checked against its digest before it appears
    under its name.
    """
    parsed = session.name(name)
    target = directory if directory is not None else Path(parsed.name)
    store = session.open_store()
    artifact = store.artifact(name)
    try:
        with session.progress() as bar:
            result = artifact.download(
                target,
                paths=paths,
                link=link,
                delete=delete,
                dry_run=dry_run,
                into=into,
                on_progress=bar.on_progress,
            )
    except ArtstoreError as error:
        if error.code == "target-not-empty":
            # The api names the rule; here stands the line that gets round it.
            error.context["correction"] = session.corrected("--into")
            error.hint = f"write: {error.context['correction']}"
        raise
    if not dry_run:
        tell_used(store, artifact, name)
    _report(session, artifact, result, link=link, dry_run=dry_run)


def _report(
    session: Session, artifact: LoggedArtifact, result: PullResult, *, link: str, dry_run: bool
) -> None:
    output = session.output
    for warning in result.warnings:
        output.warn(warning)
    short = session.short_name(artifact.project, artifact.collection.name, artifact.version)
    value: dict[str, Any] = {
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "digest": artifact.digest,
        "directory": str(result.root),
        "link": link,
        "dry_run": dry_run,
        "file_count": result.files,
        "written_files": result.written_files,
        "written_bytes": result.written_bytes,
        "skipped_files": result.skipped_files,
        "deleted_files": result.deleted,
        "linked_files": result.linked,
        # Of a real pull these may be millions, and the checkout shows them.
        "written_paths": list(result.written_paths) if dry_run else [],
        "deleted_paths": list(result.deleted_paths) if dry_run else [],
        "seconds": result.seconds,
        "warnings": list(result.warnings),
    }
    output.result(value, _lines(short, result, dry_run=dry_run), names=[str(result.root)])
    if link != "copy" and result.linked and not dry_run:
        settings = session.settings
        output.note(
            f"{count(result.linked, 'file')}, {format_bytes(result.written_bytes)}, kept in the "
            f"cache {settings.cache_dir} (at most {format_bytes(settings.cache_max_bytes)}): "
            f"{LINKS[link]}"
        )


def _lines(short: str, result: PullResult, *, dry_run: bool) -> Iterator[str]:
    would = "would be " if dry_run else ""
    yield f"{short} -> {printable(str(result.root))}"
    if dry_run:
        yield from (f"  + {printable(path)}" for path in result.written_paths)
        yield from (f"  - {printable(path)}" for path in result.deleted_paths)
    parts = [
        f"{count(result.written_files, 'file')} {would}written",
        format_bytes(result.written_bytes),
        f"{result.skipped_files:,} already right",
    ]
    if result.linked:
        parts.append(f"{result.linked:,} {would}linked")
    if result.deleted:
        parts.append(f"{result.deleted:,} {would}deleted")
    yield f"  {', '.join(parts)}, {format_seconds(result.seconds)}"

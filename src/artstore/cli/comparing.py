"""`art diff`: what differs between two versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import Output, format_known_bytes, printable
from artstore.cli.session import Session

if TYPE_CHECKING:
    from artstore.manifests.diff import Change, Diff

__all__ = ["diff_command"]


@click.command("diff", cls=Command)
@click.argument("a", metavar="A", shell_complete=complete_name)
@click.argument("b", metavar="B", shell_complete=complete_name)
@shared_options
@click.pass_obj
def diff_command(session: Session, a: str, b: str) -> None:
    """
    Show what was added (+), removed (-), changed (~) and renamed (>) from A to B, with sizes.

    A and B are versions such as mnist:v3. A file is renamed if one of the same digest is gone.
    """
    for text in (a, b):
        session.name(text)
    diff = session.open_store().diff(a, b)
    value: dict[str, Any] = {"a": a, "b": b} | _diff_record(diff)
    session.output.result(value, _lines(diff, session.output), names=_paths(diff))


def _diff_record(diff: Diff) -> dict[str, Any]:
    return {
        "added": [_change_record(change) for change in diff.added],
        "removed": [_change_record(change) for change in diff.removed],
        "changed": [_change_record(change) for change in diff.changed],
        "renamed": [_change_record(change) for change in diff.renamed],
    }


def _change_record(change: Change) -> dict[str, Any]:
    return {
        "path": None if change.after is None else change.path,
        "old_path": change.old_path,
        "size_bytes": change.size_bytes,
        "old_size_bytes": change.old_size_bytes,
    }


def _lines(diff: Diff, output: Output) -> Iterator[str]:
    groups = (
        ("-", "red", diff.removed),
        ("+", "green", diff.added),
        ("~", "yellow", diff.changed),
        (">", "yellow", diff.renamed),
    )
    for sign, colour, changes in groups:
        for change in changes:
            yield output.paint(f"{sign} {_sizes(change):>21}  {_path(change)}", colour)
    yield ", ".join(
        f"{len(changes):,} {word}"
        for word, changes in (
            ("added", diff.added),
            ("removed", diff.removed),
            ("changed", diff.changed),
            ("renamed", diff.renamed),
        )
    )


def _sizes(change: Change) -> str:
    old, new = map(format_known_bytes, (change.old_size_bytes, change.size_bytes))
    if change.before is None or old == new:
        return new
    return old if change.after is None else f"{old} > {new}"


def _path(change: Change) -> str:
    path = printable(change.path)
    is_renamed = change.old_path is not None and change.old_path != change.path
    return f"{printable(change.old_path or '')} > {path}" if is_renamed else path


def _paths(diff: Diff) -> list[str]:
    changes = [*diff.removed, *diff.added, *diff.changed, *diff.renamed]
    return [printable(change.path) for change in changes]

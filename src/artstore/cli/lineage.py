"""`art lineage`, `art why`, `art stale`: what came from what, who made it, what is out of date."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count, printable
from artstore.cli.runlist import close_dead_runs
from artstore.cli.session import Session
from artstore.cli.tablegate import GateError
from artstore.errors import NotFoundError

if TYPE_CHECKING:
    from artstore.lineage.graph import Graph

__all__ = ["lineage_command", "stale_command", "why_command"]

_FORMATS = ("text", "json", "dot", "mermaid", "openlineage")


@click.command(
    "lineage",
    cls=Command,
    examples=(
        "art lineage digits-cnn:best",
        "art lineage digits:v3 --down --depth 2",
        "art lineage run:a1b2c3d4 --mermaid > lineage.mmd",
    ),
)
@click.argument(
    "names", metavar="NAME[:V]...", nargs=-1, required=True, shell_complete=complete_name
)
@click.option("--up", is_flag=True, help="Only what they were made from.")
@click.option("--down", is_flag=True, help="Only what was made from them.")
@click.option("--depth", metavar="N", type=click.IntRange(min=0), help="At most N edges away.")
@click.option("--dot", "as_dot", is_flag=True, help="Print a graph for Graphviz.")
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print a graph for Mermaid.")
@click.option("--openlineage", "as_openlineage", is_flag=True, help="Print events, a line each.")
@shared_options
@click.pass_obj
def lineage_command(
    session: Session,
    *,
    names: tuple[str, ...],
    up: bool,
    down: bool,
    depth: int | None,
    as_dot: bool,
    as_mermaid: bool,
    as_openlineage: bool,
) -> None:
    """
    Show which runs and versions others were made from, and what was made from them.

    A run is named as run:ID.
    """
    if session.as_json + as_dot + as_mermaid + as_openlineage > 1:
        raise click.UsageError("one format at a time", click.get_current_context())
    for name in names:
        if not name.startswith("run:"):
            session.name(name)
    close_dead_runs(session)
    store = session.open_store()
    direction: Literal["up", "down", "both"] = "both" if up == down else "up" if up else "down"
    graph = store.lineage(*names, direction=direction, depth=depth)
    chosen = [as_dot, as_mermaid, as_openlineage]
    kind = next((name for name, on in zip(_FORMATS[2:], chosen, strict=True) if on), "text")
    session.output.result(graph.to_json(), _lines(graph, kind, store.url))


def _lines(graph: Graph, kind: str, namespace: str) -> Iterator[str]:
    if kind == "dot":
        yield from graph.to_dot().splitlines()
    elif kind == "mermaid":
        yield from graph.to_mermaid().splitlines()
    elif kind == "openlineage":
        for event in graph.to_openlineage(namespace):
            yield json.dumps(event, ensure_ascii=False)
    else:
        yield from map(printable, graph.to_text())


@click.command(
    "why",
    cls=Command,
    examples=("art why digits-cnn:best", "art why digits:latest labels/eight.csv"),
)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.argument("path", metavar="[PATH]", required=False)
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(min=0),
    default=8,
    help="At most N levels of inputs.",
)
@shared_options
@click.pass_obj
def why_command(session: Session, *, name: str, path: str | None, depth: int) -> None:
    """
    Show which run made a version, or brought the file PATH of it: when, with which command, from
    which commit and inputs, and each of those likewise.

    PATH is that of an entry, of a table its name, or a file that was pulled.
    """
    session.name(name)
    close_dead_runs(session)
    store = session.open_store()
    try:
        report = store.why(name, path, depth=depth)
    except NotFoundError as error:
        pulled = None if path is None else _path_in_checkout(session, name, path)
        if error.code != "entry-not-found" or pulled is None:
            raise
        report = store.why(name, pulled, depth=depth)
    session.output.result(report.to_json(), map(printable, report.to_text()))


def _path_in_checkout(session: Session, name: str, path: str) -> str | None:
    """Of a file on disk that lies in a checkout of the artifact: its path there."""
    from pathlib import Path

    from artstore.names import parse_artifact_name
    from artstore.transfer.checkouts import Checkouts

    file = Path(os.path.abspath(path))
    if not file.exists():
        return None
    checkouts = Checkouts(session.settings.state_dir)
    meant = parse_artifact_name(name)
    for root in file.parents:
        found = checkouts.find(root)
        if found is not None and found.name == meant.name:
            return file.relative_to(root).as_posix()
    return None


@click.command(
    "stale",
    cls=Command,
    examples=("art stale", "art stale digits-cnn:best digits-pred", "art stale --fail"),
)
@click.argument("names", metavar="[NAME[:V]]...", nargs=-1, shell_complete=complete_name)
@click.option("-a", "--all", "everywhere", is_flag=True, help="Look at every project.")
@click.option("--fail", is_flag=True, help="Exit with status 3 if anything is stale.")
@shared_options
@click.pass_obj
def stale_command(
    session: Session, *, names: tuple[str, ...], everywhere: bool, fail: bool
) -> None:
    """
    List versions whose inputs have a newer version, or were marked bad or deleted.

    A version is marked bad by the tag or the alias `bad`.
    """
    for name in names:
        session.name(name)
    close_dead_runs(session)
    store = session.open_store()
    report = store.stale("*" if everywhere else None, names=list(names) or None)
    lines = report.to_text() or [f"none of {count(report.checked_count, 'version')} is stale"]
    session.output.result(report.to_json(), map(printable, lines))
    if fail and report.versions:
        raise GateError(
            f"{len(report.versions)} of {report.checked_count} versions are stale",
            code="gate-failed",
        )

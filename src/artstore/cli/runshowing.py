"""`art run show`, `art run log` and `art run compare`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import format_seconds, printable, table
from artstore.cli.runlist import close_dead_runs
from artstore.cli.runnames import RUN_METAVAR, complete_run, find_run, short_run
from artstore.cli.session import Session

if TYPE_CHECKING:
    from artstore.runs.storedrun import StoredRun

__all__ = ["compare_command", "log_command", "show_command"]

_FOLLOW_SECONDS: Final = 2.0


@click.command("show", cls=Command)
@click.argument("name", metavar=RUN_METAVAR, shell_complete=complete_run)
@shared_options
@click.pass_obj
def show_command(session: Session, name: str) -> None:
    """Show one run: state, command, commit, config, summary, inputs, outputs, alerts."""
    from artstore.records import run_details

    close_dead_runs(session)
    run = find_run(session, session.open_store(), name)
    record = run_details(run.whole)
    value = {**record, "deleted": run.whole["deleted"]}
    short = short_run(session, run.project, run.id)
    session.output.result(value, _run_lines(record), names=[short])


def _run_lines(record: Mapping[str, Any]) -> Iterator[str]:
    title = record["name"] or ""
    yield f"{record['project']}/{record['id']}  {printable(title)}".rstrip()
    for label, text in _facts(record):
        if text:
            yield f"  {label:<10} {printable(text)}"
    for label in ("config", "summary"):
        yield from _values(label, record[label])
    for label, edges in (("used", "inputs"), ("made", "outputs"), ("linked", "links")):
        for edge in record[edges]:
            yield f"  {label:<10} {printable(_edge(edge))}"
    for alert in record["alerts"]:
        told = f"{alert.get('time')} {alert.get('level')} {alert.get('title')}: {alert.get('text')}"
        yield f"  {'alert':<10} {printable(told)}"
    if len(record["sessions"]) > 1:
        for one in record["sessions"]:
            ended = one.get("ended") or "..."
            told = f"{one['id']}  {one.get('started')} to {ended}  {one.get('state') or ''}"
            yield f"  {'session':<10} {printable(told).rstrip()}"


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    environment = record["environment"]
    code = record["exit_code"]
    yield "state", f"{record['state']}{f' (exit code {code})' if code is not None else ''}"
    yield "created", record["created_at"] or ""
    seconds = record["duration_seconds"]
    yield "duration", "" if seconds is None else format_seconds(seconds)
    people = [record["user"], record["host"]]
    yield "by", "@".join(one for one in people if one)
    for label in ("group", "job_type", "notes"):
        yield label.replace("_", " "), record[label] or ""
    yield "tags", ", ".join(record["tags"])
    arguments = environment.get("argv")
    if isinstance(arguments, list):
        yield "command", shlex.join(map(str, arguments))
    yield "directory", str(environment.get("cwd") or "")
    yield "python", str(environment.get("python") or "")
    git = environment.get("git")
    if isinstance(git, dict) and git.get("commit"):
        words = [str(git["commit"])]
        words += [f"({git['branch']})"] if git.get("branch") else []
        words += ["with changes that were not committed"] if git.get("dirty") else []
        yield "commit", " ".join(words)


def _values(label: str, values: Mapping[str, Any]) -> Iterator[str]:
    from artstore.runs.columns import flattened

    for key, value in sorted(flattened(values).items()):
        yield f"  {label:<10} {printable(key)} = {printable(_shown(value))}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _edge(edge: Mapping[str, Any]) -> str:
    text = f"{edge.get('artifact')}:{edge.get('version')}"
    if edge.get("target"):
        return f"{text} -> {edge['target']}:{edge.get('target_version')}"
    if edge.get("as"):
        text += f" (as {edge['as']})"
    return text


@click.command("log", cls=Command)
@click.argument("name", metavar=RUN_METAVAR, shell_complete=complete_run)
@click.option("-f", "--follow", is_flag=True, help="Go on with what it prints until it ends.")
@shared_options
@click.pass_obj
def log_command(session: Session, *, name: str, follow: bool) -> None:
    """Print what a run printed, both streams in the order of printing."""
    if follow and session.as_json:
        raise click.UsageError("--json and --follow do not go together")
    close_dead_runs(session)
    run = find_run(session, session.open_store(), name)
    if session.as_json:
        value = {"project": run.project, "id": run.id, "text": run.console()}
        session.output.result(value, ())
        return
    printed = _write(run, "")
    while follow and run.state == "running":
        from artstore import clock

        clock.sleep(_FOLLOW_SECONDS)
        printed = _write(run.refresh(), printed)


def _write(run: StoredRun, printed: str) -> str:
    """Write what came since; a session that ended may have put its parts together anew."""
    text = run.console()
    new = text.removeprefix(printed)
    if sys.stdout.isatty():
        # What a program printed must not be able to command the terminal of somebody else.
        new = "\n".join(printable(line.replace("\t", "    ")) for line in new.split("\n"))
    sys.stdout.write(new)
    sys.stdout.flush()
    return text


@click.command("compare", cls=Command)
@click.argument("names", metavar="RUN RUN...", nargs=-1, required=True, shell_complete=complete_run)
@click.option("-a", "--all", "with_all", is_flag=True, help="Show what is the same in all too.")
@shared_options
@click.pass_obj
def compare_command(session: Session, *, names: tuple[str, ...], with_all: bool) -> None:
    """Show in which values of config and summary runs differ, side by side."""
    if len(names) < 2:
        raise click.UsageError("compare takes two or more runs", click.get_current_context())
    from artstore.runs.columns import differences

    store = session.open_store()
    runs = [find_run(session, store, name) for name in names]
    found = [one for one in differences([run.whole for run in runs]) if with_all or not one.is_same]
    value: dict[str, Any] = {
        "runs": [
            {"project": run.project, "id": run.id, "name": run.whole["name"], "state": run.state}
            for run in runs
        ],
        **{
            section: [
                {"key": one.key, "values": list(one.values), "same": one.is_same}
                for one in found
                if one.section == section
            ]
            for section in ("config", "summary")
        },
    }
    lines = _compared_lines(session, runs, found)
    session.output.result(value, lines, names=[f"{one.section}.{one.key}" for one in found])


def _compared_lines(
    session: Session, runs: Sequence[StoredRun], found: Sequence[Any]
) -> Iterator[str]:
    if not found:
        yield "config and summary are the same"
        return
    heads = ["KEY", *(short_run(session, run.project, run.id) for run in runs)]
    rows: list[list[str]] = []
    if any(run.whole["name"] for run in runs):
        rows.append(["name", *(run.whole["name"] or "" for run in runs)])
    rows += [
        [
            f"{one.section}.{one.key}",
            *("-" if value is None else _shown(value) for value in one.values),
        ]
        for one in found
    ]
    yield from table(heads, rows)

"""`art run tag`, `rm`, `restore` and `repair`: what can change about a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import count, printable
from artstore.cli.runlist import close_dead_runs
from artstore.cli.runnames import RUN_METAVAR, complete_run, find_run, short_run
from artstore.cli.session import Session
from artstore.errors import ArtstoreError, StateError

__all__ = ["repair_command", "restore_command", "rm_command", "tag_command"]

_RUNS_METAVAR = "RUN..."


@click.command("tag", cls=Command)
@click.argument("name", metavar=RUN_METAVAR, shell_complete=complete_run)
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags away instead.")
@shared_options
@click.pass_obj
def tag_command(session: Session, *, name: str, tags: tuple[str, ...], remove: bool) -> None:
    """Give a run TAGs, or take them away."""
    run = find_run(session, session.open_store(), name)
    before = set(run.whole["tags"])
    now = sorted(before - set(tags) if remove else before | set(tags))
    if set(now) != before:
        run.edit(tags=now)
    short = short_run(session, run.project, run.id)
    value = {"project": run.project, "id": run.id, "tags": now}
    listed = ", ".join(now) if now else "none"
    session.output.result(value, [f"{short}  tags: {printable(listed)}"], names=[short])


@click.command("rm", cls=Command)
@click.argument(
    "names", metavar=_RUNS_METAVAR, nargs=-1, required=True, shell_complete=complete_run
)
@click.option("--force", is_flag=True, help="Delete it although it is going on.")
@shared_options
@click.pass_obj
def rm_command(session: Session, *, names: tuple[str, ...], force: bool) -> None:
    """
    Delete runs: they are hidden. 'art run restore' brings them back, until 'art gc' a week later.

    What they logged stays. A run that is going on is refused without --force.
    """
    close_dead_runs(session)
    store = session.open_store()
    runs = [find_run(session, store, name) for name in dict.fromkeys(names)]
    going_on = [run for run in runs if run.state == "running"]
    if going_on and not force:
        correction = session.corrected("--force")
        raise StateError(
            f"run {going_on[0].project}/{going_on[0].id} is going on",
            code="run-active",
            hint=f"to delete it all the same: {correction}",
            correction=correction,
        )
    for run in runs:
        if not run.whole["deleted"]:
            run.delete()
    _report(session, [(run.project, run.id) for run in runs], "deleted")


@click.command("restore", cls=Command)
@click.argument("names", metavar=_RUNS_METAVAR, nargs=-1, required=True)
@shared_options
@click.pass_obj
def restore_command(session: Session, names: tuple[str, ...]) -> None:
    """Bring deleted runs back."""
    store = session.open_store()
    runs = [find_run(session, store, name) for name in dict.fromkeys(names)]
    for run in runs:
        if run.whole["deleted"]:
            run.restore()
    _report(session, [(run.project, run.id) for run in runs], "restored")


def _report(session: Session, runs: Sequence[tuple[str, str]], done: str) -> None:
    value = {"runs": [{"project": project, "id": run_id} for project, run_id in runs]}
    shorts = [short_run(session, project, run_id) for project, run_id in runs]
    session.output.result(value, (f"{short} {done}" for short in shorts), names=shorts)


@click.command("repair", cls=Command)
@click.option(
    "--all-hosts",
    is_flag=True,
    help="Also journals of other machines that share the directory; their runs must be over.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be closed.")
@shared_options
@click.pass_obj
def repair_command(session: Session, *, all_hosts: bool, dry_run: bool) -> None:
    """
    Close the runs of this machine whose processes are gone, and store what they left.

    Of every store: a journal knows where it belongs. 'art runs' does so for its store.
    """
    from artstore.tracking.repair import dead_sessions, repair_all
    from artstore.tracking.statehome import state_home

    state_dir = state_home(session.settings.state_dir)
    errors: list[ArtstoreError] = []
    records: list[dict[str, Any]] = []
    if dry_run:
        for directory, meta in dead_sessions(state_dir, any_host=all_hosts):
            records.append(_record(f"{meta.project}/{meta.run_id}", None, None, str(directory)))
    else:
        for repaired in repair_all(state_dir, any_host=all_hosts):
            error = repaired.error
            told = None if error is None else error.message
            records.append(_record(repaired.path, repaired.state, told, str(repaired.directory)))
            errors += [] if error is None else [error]
    value = {"dry_run": dry_run, "runs": records}
    lines = _repaired_lines(records, dry_run=dry_run)
    session.output.result(value, lines, names=[f"{r['project']}/{r['id']}" for r in records])
    if errors:
        raise errors[0]


def _record(path: str, state: str | None, error: str | None, directory: str) -> dict[str, Any]:
    project, _, run_id = path.rpartition("/")
    return {
        "project": project,
        "id": run_id,
        "state": state,
        "error": error,
        "journal": directory,
    }


def _repaired_lines(records: Sequence[dict[str, Any]], *, dry_run: bool) -> Iterator[str]:
    for record in records:
        told = f"is {record['state']}" if record["state"] else "would be closed"
        if record["error"]:
            told = f"could not be closed: {record['error']}"
        yield f"{record['project']}/{record['id']} {printable(told)}"
    closed = sum(record["error"] is None for record in records)
    yield f"{count(closed, 'run')} {'to close' if dry_run else 'closed'}"

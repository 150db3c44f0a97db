"""`art runs`: the runs of a project, chosen by conditions, in any order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import count, format_seconds, table
from artstore.cli.runnames import short_run
from artstore.cli.session import Session
from artstore.cli.tablenames import pointed_out
from artstore.errors import ArtstoreError, NotFoundError
from artstore.settings import DEFAULT_ORIGIN

if TYPE_CHECKING:
    from artstore.runs.storedrun import StoredRun

__all__ = ["close_dead_runs", "runs_command"]

_COLUMNS: Final = ("id", "name", "state", "created", "duration", "tags", "user")
_CELL_CHARS: Final = 40


@click.command(
    "runs",
    cls=Command,
    examples=(
        "art runs",
        "art runs --where \"state = 'finished' AND summary.acc > 0.9\" --sort -summary.acc",
        "art runs digits --where \"{tags: 'cnn'}\" --columns id,config.lr,summary.acc --limit 10",
    ),
)
@click.argument("within", metavar="[PROJECT]", required=False)
@click.option(
    "--where",
    "conditions",
    metavar="TEXT",
    multiple=True,
    help="Only runs for which this is true, in SQL or Mongo (many: all must be).",
)
@click.option(
    "--sort",
    "sorts",
    metavar="NAME",
    multiple=True,
    help="Sort by this, -NAME from the largest down (many). The newest first if left out.",
)
@click.option(
    "--columns",
    metavar="NAME,...",
    help="What to show: id, state, config.lr, ...; config and summary are all keys.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="The first N of them only.")
@click.option("-a", "--all", "with_all", is_flag=True, help="List deleted runs too.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@shared_options
@click.pass_obj
def runs_command(
    session: Session,
    *,
    within: str | None,
    conditions: tuple[str, ...],
    sorts: tuple[str, ...],
    columns: str | None,
    limit: int | None,
    with_all: bool,
    as_csv: bool,
) -> None:
    """
    List the runs of a project, the newest first.

    Names in conditions, orders and columns are facts such as state, created, duration and tags,
    or config.KEY and summary.KEY. A run of this machine whose process is gone is closed first.
    """
    if as_csv and session.as_json:
        raise click.UsageError("--json and --csv are two formats", click.get_current_context())
    wanted = (within or session.settings.project).rstrip("/")
    from artstore.names import check_project_name

    check_project_name(wanted)
    close_dead_runs(session)
    # For programs a message stays whole.
    pointing = nullcontext if session.as_json else pointed_out
    try:
        with pointing():
            runs = session.open_store().runs(
                wanted, where=conditions, sort=sorts or "-created", deleted=with_all, limit=limit
            )
    except NotFoundError as error:
        # As of artifacts: before the first write there is no default store.
        if error.code != "store-not-found" or session.settings.url_origin != DEFAULT_ORIGIN:
            raise
        runs = []
    with pointing():
        _print(session, wanted, runs, columns, as_csv=as_csv)


def close_dead_runs(session: Session) -> None:
    """Bring to this store what dead processes of this machine left; a failure is a warning."""
    from artstore.tracking.statehome import JOURNALS, state_home

    state_dir = state_home(session.settings.state_dir)
    try:
        is_empty = not any((state_dir / JOURNALS).iterdir())
    except OSError:
        return
    if is_empty:
        return
    from artstore.tracking.repair import repair_all

    try:
        for repaired in repair_all(state_dir, url=session.settings.url):
            if repaired.error is not None:
                session.output.warn(
                    f"run {repaired.path} ended and could not be closed: {repaired.error.message}"
                )
    except (ArtstoreError, OSError) as error:
        session.output.warn(f"runs that ended could not be closed: {error}")


def _print(
    session: Session,
    project: str,
    runs: Sequence[StoredRun],
    columns: str | None,
    *,
    as_csv: bool,
) -> None:
    from artstore.runs.columns import columns_of
    from artstore.runs.ordering import split_names

    wholes = [run.facts for run in runs]
    names = split_names(columns) if columns is not None else list(_COLUMNS)
    values = columns_of(wholes, names) if runs else {name: [] for name in names}
    rows = list(zip(*values.values(), strict=True)) if values else []
    if as_csv:
        _print_csv(session, list(values), rows)
        return
    session.output.result(
        _value(project, runs, values if columns is not None else {}) if session.as_json else None,
        _lines(project, list(values), rows),
        names=[short_run(session, run.project, run.id) for run in runs],
    )
    if runs:
        session.output.note(count(len(runs), "run"))


def _value(project: str, runs: Sequence[StoredRun], values: dict[str, list[Any]]) -> dict[str, Any]:
    from artstore.records import run_record

    return {
        "project": project,
        "runs": [
            {
                **run_record(run.facts),
                "deleted": run.facts["deleted"],
                "columns": {name: column[number] for name, column in values.items()},
            }
            for number, run in enumerate(runs)
        ],
    }


def _lines(project: str, names: list[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    if not rows:
        yield f"project {project} has no such runs"
        return
    heads = [name.upper() if name.isidentifier() else name for name in names]
    right = {
        head
        for at, head in enumerate(heads)
        if all(_is_number(row[at]) or row[at] is None for row in rows)
    }
    texts = [[_cell(name, value) for name, value in zip(names, row, strict=True)] for row in rows]
    yield from table(heads, texts, right=" ".join(right))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(name: str, value: Any) -> str:
    if value is not None and name == "duration":
        return format_seconds(value)
    text = _text(value)
    return text if len(text) <= _CELL_CHARS else f"{text[: _CELL_CHARS - 3]}..."


def _text(value: Any) -> str:
    """Texts as they are, numbers with six digits, lists of texts with commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    import json

    return json.dumps(value, ensure_ascii=False)


def _print_csv(session: Session, heads: list[str], rows: Sequence[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([value if _is_number(value) else _text(value) for value in row])
    lines = buffer.getvalue().splitlines()
    session.output.result(None, lines, names=lines)

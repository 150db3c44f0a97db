"""`art table diff`: what changed from one version of a table to another, and whether it may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import Output, format_bytes, printable, table
from artstore.cli.session import Session
from artstore.cli.tablegate import GATE_NAMES, Gate, parse_gate, refuse_true
from artstore.cli.tablenames import TABLE_METAVAR, find_table, named_columns
from artstore.cli.tableprinting import SHOWN_ROWS
from artstore.errors import InvalidInputError

if TYPE_CHECKING:
    from artstore.tables.diffs import TableDiff
    from artstore.tables.reading import RowReader

__all__ = ["diff_command"]

_CELL_CHARS = 40


@click.command(
    "diff",
    cls=Command,
    examples=(
        "art table diff digits-pred:v3/pred digits-pred:v4/pred --key id",
        "art table diff pred:v3/joined pred:v4/joined --key id --fail-if 'regressed > 20'",
        "art table diff pred:v3/rows pred:v4/rows --truth label --guess guess --markdown diff.md",
    ),
)
@click.argument("a", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.argument("b", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.option(
    "--key",
    metavar="A,B",
    multiple=True,
    help="The columns that tell rows apart (many); the primary key if left out.",
)
@click.option("--truth", metavar="COLUMN", help="What is right; with --guess, rows are judged.")
@click.option("--guess", metavar="COLUMN", help="What was predicted.")
@click.option(
    "--fail-if",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help="Exit with status 3 if this is true: 'regressed > 20' (many).",
)
@click.option(
    "--markdown",
    "report",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report in Markdown.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=SHOWN_ROWS,
    help="How many rows of each sort are shown; 20 if left out.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(("table", "json", "markdown")),
    help="How it is printed; json is the same as --json.",
)
@shared_options
@click.pass_obj
def diff_command(
    session: Session,
    *,
    a: str,
    b: str,
    key: tuple[str, ...],
    truth: str | None,
    guess: str | None,
    conditions: tuple[str, ...],
    report: Path | None,
    limit: int,
    format_name: str | None,
) -> None:
    """
    Show which rows were added, removed and changed from table A to table B, found by a key.

    With --truth and --guess it says which rows were right and are wrong now (regressed), and the
    other way round (fixed). A condition of --fail-if compares added, removed, changed, unchanged,
    regressed, fixed, rows_old and rows_new with numbers by < <= > >= == !=, with 'and', 'or' and
    brackets; if it is true, the exit status is 3, after all has been printed.
    """
    from artstore.tables.diffs import diff_tables

    _check_formats(session, format_name)
    gates = [parse_gate(text) for text in conditions]
    store = session.open_store()
    old, new = (find_table(session, store, text) for text in (a, b))
    if truth is None and guess is None:
        _check_judged(gates, old, new)
    columns = named_columns(key, new.columns) if key else _primary_key(old, new)
    diff = diff_tables(old, new, columns, truth=truth, guess=guess)
    if diff.regressed is None:
        _refuse_unjudged(gates)
    if report is not None:
        report.write_text(diff.to_markdown(limit), "utf-8")
    values = {name: getattr(diff, name) for name in GATE_NAMES}
    failed = [gate.text for gate in gates if gate.is_true(values)]
    _print(session, diff, {"a": a, "b": b}, failed, limit, is_markdown=format_name == "markdown")
    refuse_true(gates, values)


def _check_formats(session: Session, format_name: str | None) -> None:
    if session.as_json and format_name not in (None, "json"):
        raise click.UsageError(
            f"--json and --format {format_name} are two formats", click.get_current_context()
        )
    session.as_json = session.as_json or format_name == "json"


def _check_judged(gates: Sequence[Gate], old: RowReader, new: RowReader) -> None:
    """Refuse, before anything is read, what only predictions have."""
    from artstore.tables.joined import JoinedTable

    if not (isinstance(old, JoinedTable) and isinstance(new, JoinedTable)):
        _refuse_unjudged(gates)


def _refuse_unjudged(gates: Sequence[Gate]) -> None:
    for gate in gates:
        if gate.names & {"regressed", "fixed"}:
            raise InvalidInputError(
                f"--fail-if {gate.text!r} needs to know what is right and what was predicted",
                code="usage-invalid",
                hint="name the columns: --truth label --guess guess",
            )


def _primary_key(old: RowReader, new: RowReader) -> list[str]:
    found = [list(getattr(side, "keys", {}).get("primary_key", ())) for side in (new, old)]
    key = found[0] or found[1]
    if not key:
        raise InvalidInputError(
            "it is not known by which column rows are found: the tables have no primary key",
            code="usage-invalid",
            hint=f"give --key with one or more of: {', '.join(new.columns)[:200]}",
        )
    return key


# printing -----------------------------------------------------------------------------------


def _print(
    session: Session,
    diff: TableDiff,
    names: dict[str, str],
    failed: list[str],
    limit: int,
    *,
    is_markdown: bool,
) -> None:
    output = session.output
    if is_markdown and not output.quiet:
        output.result({}, diff.to_markdown(limit).splitlines())
        return
    value: dict[str, Any] = {}
    if session.as_json:
        value = {**names, **diff.to_dict(limit), "failed": failed}
    output.result(value, _lines(diff, output, limit))
    for note in _notes(diff):
        output.note(note)


def _lines(diff: TableDiff, output: Output, limit: int) -> Iterator[str]:
    from artstore.tables.diffs.reports import report_of

    for number, part in enumerate(report_of(diff, limit)):
        if number:
            yield ""
            yield output.paint(part.heading, "bold")
        rows = [[_cut(cell) for cell in row] for row in part.rows]
        if rows:
            heads = [_cut(head) for head in part.heads]
            lines = table(heads, rows, right="rows cells" if part.total is None else "")
            yield from lines if any(part.heads[:1]) else list(lines)[1:]


def _cut(text: str) -> str:
    text = text if len(text) <= _CELL_CHARS else f"{text[: _CELL_CHARS - 1]}…"
    return printable(text)


def _notes(diff: TableDiff) -> Iterator[str]:
    for side in ("old", "new"):
        shared = getattr(diff, f"duplicate_rows_{side}")
        if shared:
            yield (
                f"{shared:,} rows of the {side} table share their key with another one: "
                "equal rows are the same row, of others one that is left on either side changed"
            )
    if diff.total_bytes:
        yield (
            f"read {format_bytes(diff.read_bytes)} of {format_bytes(diff.total_bytes)} "
            f"in {diff.read_fragments:,} fragments"
        )

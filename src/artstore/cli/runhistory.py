"""`art run history`: the rows that a run logged."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import count, table
from artstore.cli.runlist import close_dead_runs
from artstore.cli.runnames import RUN_METAVAR, complete_run, find_run
from artstore.cli.session import Session

if TYPE_CHECKING:
    from artstore.runs.storedrun import StoredRun

__all__ = ["history_command"]

_FORMATS: Final = ("table", "csv", "json", "parquet")
_ENDINGS: Final = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}
_SHOWN_ROWS: Final = 20


@click.command(
    "history",
    cls=Command,
    examples=(
        "art run history a1b2c3d4 --keys loss,val/acc",
        "art run history a1b2c3d4 --from 1000 -o history.parquet",
    ),
)
@click.argument("name", metavar=RUN_METAVAR, shell_complete=complete_run)
@click.option("--keys", metavar="KEY,...", help="These columns only.")
@click.option("--from", "first", metavar="STEP", type=int, help="The first step that is wanted.")
@click.option("--to", "last", metavar="STEP", type=int, help="The last step that is wanted.")
@click.option("--format", "format_name", type=click.Choice(_FORMATS), help="How rows are printed.")
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to FILE, whose ending says the format if --format does not.",
)
@shared_options
@click.pass_obj
def history_command(
    session: Session,
    *,
    name: str,
    keys: str | None,
    first: int | None,
    last: int | None,
    format_name: str | None,
    file: Path | None,
) -> None:
    """
    Print the rows that a run logged, one a step; as a table the last 20 of them.

    All of them with another format, or in a file.
    """
    chosen = _format(session, format_name, file)
    close_dead_runs(session)
    run = find_run(session, session.open_store(), name)
    from artstore.runs.ordering import split_names

    wanted = None if keys is None else [_unquoted(key) for key in split_names(keys)]
    rows = run.history_table(wanted, min_step=first, max_step=None if last is None else last + 1)
    if file is not None:
        _write_file(session, run, rows, chosen, file)
    elif chosen == "json":
        _print_json(session, run, rows)
    else:
        _print(session, rows, chosen)


def _unquoted(key: str) -> str:
    is_quoted = len(key) > 1 and key.startswith('"') and key.endswith('"')
    return key[1:-1].replace('""', '"') if is_quoted else key


def _format(session: Session, format_name: str | None, file: Path | None) -> str:
    if file is not None:
        found = format_name or _ENDINGS.get(file.suffix.lower())
        if found is None:
            raise click.UsageError(f"{file.name!r} does not say in which format: --format")
        return found
    if session.as_json and format_name not in (None, "json"):
        raise click.UsageError(f"--json and --format {format_name} are two formats")
    session.as_json = session.as_json or format_name == "json"
    found = "json" if session.as_json else format_name or "table"
    if found == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: give -o FILE")
    return found


def _head(run: StoredRun, rows: Any, file: Path | None) -> dict[str, Any]:
    return {
        "project": run.project,
        "id": run.id,
        "columns": list(rows.column_names),
        "row_count": rows.num_rows,
        "file": None if file is None else str(file),
    }


def _print_json(session: Session, run: StoredRun, rows: Any) -> None:
    from artstore.runs.historytexts import json_rows

    # Quiet has no meaning here: the rows are what was asked for.
    items = ((row, "", "") for row in json_rows(rows))
    session.output.as_json = True
    session.output.result_stream(_head(run, rows, None), "rows", items)


def _print(session: Session, rows: Any, chosen: str) -> None:
    if chosen == "parquet":
        from artstore.runs.historytexts import parquet_bytes

        sys.stdout.buffer.write(parquet_bytes(rows))
        sys.stdout.buffer.flush()
    elif chosen == "csv":
        sys.stdout.writelines(_csv(rows))
    else:
        shown = rows.slice(max(0, rows.num_rows - _SHOWN_ROWS))
        session.output.result(None, _table_lines(shown), names=_table_lines(shown))
        tally = count(rows.num_rows, "row")
        if shown.num_rows < rows.num_rows:
            tally = f"the last {shown.num_rows} of {tally}"
        session.output.note(tally)


def _table_lines(rows: Any) -> list[str]:
    from artstore.runs.historytexts import text_rows

    heads = list(rows.column_names)
    return list(table(heads, text_rows(rows))) if heads else []


def _csv(rows: Any) -> Iterable[str]:
    from artstore.runs.historytexts import csv_lines

    return csv_lines(rows)


def _write_file(session: Session, run: StoredRun, rows: Any, chosen: str, file: Path) -> None:
    from artstore.runs.historytexts import parquet_bytes

    if chosen == "parquet":
        file.write_bytes(parquet_bytes(rows))
    else:
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(_texts(run, rows, chosen))
    value = {**_head(run, rows, file), "rows": []}
    lines = [f"{count(rows.num_rows, 'row')} written to {file}"]
    session.output.result(value, lines, names=[str(file)])


def _texts(run: StoredRun, rows: Any, chosen: str) -> Iterator[str]:
    if chosen == "csv":
        yield from _csv(rows)
    elif chosen == "table":
        yield from (f"{line}\n" for line in _table_lines(rows))
    else:
        import json

        from artstore.runs.historytexts import json_rows

        yield json.dumps(_head(run, rows, None), ensure_ascii=False)[:-1] + ', "rows": ['
        texts = (json.dumps(row, ensure_ascii=False) for row in json_rows(rows))
        yield from islice(texts, 1)
        yield from (f",\n{text}" for text in texts)
        yield "]}\n"

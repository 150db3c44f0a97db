"""
Rows on their way out: aligned, as JSON, CSV, Markdown or Parquet, to stdout or a file.

What a limit left out is always told, beside the rows or in them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.output import count, printable, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from artstore.cli.session import Session
    from artstore.tables.reading import RowReader
    from artstore.tables.rows import Rows

__all__ = ["FORMATS", "SHOWN_ROWS", "RowOutput", "RowSheet", "output_options", "row_output"]

FORMATS: Final = ("table", "json", "jsonl", "csv", "markdown", "parquet")
SHOWN_ROWS: Final = 20
"""Of results that people read, if no limit is given."""

_ENDINGS: Final = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
    ".parquet": "parquet",
    ".txt": "table",
}
_WINDOW_ROWS: Final = 8192
_CELL_CHARS: Final = 60
_NUMBER: Final = re.compile(r"u?int\d*|float\d+")


@dataclass(frozen=True, slots=True)
class RowSheet:
    """
    Rows that are shown.

    Attributes:
        columns: which, in order.
        row_count: the first so many rows of `reader`.
        total_count: rows that there are; more than `row_count` if a limit left some out.
        facts: what JSON tells beside.
    """

    reader: RowReader
    columns: Sequence[str]
    row_count: int
    total_count: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    def windows(self) -> Iterator[Rows]:
        """The rows in portions."""
        for start in range(0, self.row_count, _WINDOW_ROWS):
            stop = min(start + _WINDOW_ROWS, self.row_count)
            yield self.reader.read_rows(start, stop, self.columns)

    @property
    def tally(self) -> str:
        """`20 of 1,797 rows`."""
        if self.row_count == self.total_count:
            return count(self.total_count, "row")
        return f"{self.row_count:,} of {count(self.total_count, 'row')}"

    def head(self) -> dict[str, Any]:
        """All of the JSON value but the rows."""
        schema = self.reader.schema.only(self.columns)
        pairs = zip(schema.names, schema.types, strict=True)
        return {
            **self.facts,
            "columns": [{"name": name, "type": str(kind)} for name, kind in pairs],
            "row_count": self.row_count,
            "total_row_count": self.total_count,
        }


@dataclass(frozen=True, slots=True)
class RowOutput:
    """
    Where rows go.

    Attributes:
        format: one of `FORMATS`.
        file: None for stdout.
    """

    format: str
    file: Path | None

    @property
    def default_limit(self) -> int | None:
        """How many rows are shown if nobody says: people are not shown a million."""
        return SHOWN_ROWS if self.format in ("table", "markdown") else None

    def write(self, session: Session, sheet: RowSheet) -> None:
        """
        Print the rows, or write them to the file and say so.

        Args:
            sheet: its facts tell JSON what was asked for.
        """
        if self.file is None:
            head = {**sheet.head(), "file": None}
            _print(_chunks(sheet, self.format, head))
            return
        _write_file(self.file, _chunks(sheet, self.format, {**sheet.head(), "file": None}))
        value = {**sheet.head(), "file": str(self.file)}
        lines = [f"{sheet.tally} written to {self.file}"]
        session.output.result(value, lines, names=[str(self.file)])


def output_options(command: Any) -> Any:
    """Add `--format` and `-o`."""
    for option in (
        click.option(
            "-o",
            "--output",
            "file",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write to FILE, whose ending says the format if --format does not.",
        ),
        click.option(
            "--format",
            "format_name",
            type=click.Choice(FORMATS),
            help="How rows are printed; json is the same as --json.",
        ),
    ):
        command = option(command)
    return command


def row_output(session: Session, format_name: str | None, file: Path | None) -> RowOutput:
    """
    Where rows go, as the options say.

    Raises:
        click.UsageError: options that do not go together.
    """
    context = click.get_current_context()
    if file is None:
        if session.as_json and format_name not in (None, "json"):
            raise click.UsageError(f"--json and --format {format_name} are two formats", context)
        session.as_json = session.as_json or format_name == "json"
        found = "json" if session.as_json else format_name or "table"
        if found == "parquet" and sys.stdout.isatty():
            raise click.UsageError("Parquet is not for a terminal: give -o FILE", context)
        return RowOutput(found, None)
    known = format_name or _ENDINGS.get(file.suffix.lower())
    if known is None:
        raise click.UsageError(f"{file.name!r} does not say in which format: --format", context)
    return RowOutput(known, file)


# formats ----------------------------------------------------------------------------------


def _chunks(sheet: RowSheet, format_name: str, head: Mapping[str, Any]) -> Iterator[str | bytes]:
    makers: Mapping[str, Callable[[RowSheet], Iterator[str | bytes]]] = {
        "table": _aligned,
        "jsonl": _json_lines,
        "csv": _csv,
        "markdown": _markdown,
        "parquet": _parquet,
    }
    return _json(sheet, head) if format_name == "json" else makers[format_name](sheet)


def _print(chunks: Iterator[str | bytes]) -> None:
    sys.stdout.flush()
    for chunk in chunks:
        if isinstance(chunk, str):
            sys.stdout.write(chunk)
        else:
            sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


def _write_file(file: Path, chunks: Iterator[str | bytes]) -> None:
    """Write a file beside and rename it: nobody sees half of one."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk.encode("utf-8") if isinstance(chunk, str) else chunk)
        beside.replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise


def _texts(sheet: RowSheet, most_chars: int | None) -> Iterator[tuple[str, ...]]:
    """Rows for people: media and large arrays in a few words."""
    from artstore.tables.diffs.plaincells import cell_text, plain_cells

    for rows in sheet.windows():
        columns = [
            [cell_text(cell, most_chars) for cell in plain_cells(kind, array, labelled=True)]
            for kind, array in zip(rows.schema.types, rows.arrays, strict=True)
        ]
        yield from zip(*columns, strict=True)


def _aligned(sheet: RowSheet) -> Iterator[str | bytes]:
    heads = [printable(name) for name in sheet.columns]
    kinds = map(str, sheet.reader.schema.only(sheet.columns).types)
    # Numbers are compared digit by digit.
    right = [
        head for head, kind in zip(heads, kinds, strict=True) if _NUMBER.fullmatch(kind) is not None
    ]
    if heads:
        lines = table(heads, _texts(sheet, _CELL_CHARS), right=" ".join(right))
        yield from (f"{line}\n" for line in lines)
    yield f"{sheet.tally}\n"


def _json(sheet: RowSheet, head: Mapping[str, Any]) -> Iterator[str | bytes]:
    from artstore.tables.rowtexts import json_pieces

    yield from json_pieces(head, sheet.columns, sheet.windows())


def _json_lines(sheet: RowSheet) -> Iterator[str | bytes]:
    from artstore.tables.rowtexts import json_line_pieces

    yield from json_line_pieces(sheet.columns, sheet.windows())


def _csv(sheet: RowSheet) -> Iterator[str | bytes]:
    from artstore.tables.rowtexts import csv_pieces

    yield from csv_pieces(sheet.columns, sheet.windows())


def _markdown(sheet: RowSheet) -> Iterator[str | bytes]:
    from artstore.tables.diffs.reports import markdown_table

    yield markdown_table(list(sheet.columns), list(_texts(sheet, None)))
    yield f"\n{sheet.tally}\n"


def _parquet(sheet: RowSheet) -> Iterator[str | bytes]:
    from artstore.tables.fragments import parquet_buffers

    yield from parquet_buffers(sheet.reader.schema.only(sheet.columns), sheet.windows())

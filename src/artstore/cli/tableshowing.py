"""`art table show` and `art table head`: what a table is, and its first rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count, format_bytes, printable, table
from artstore.cli.session import Session
from artstore.cli.tablenames import TABLE_METAVAR, find_table, named_columns
from artstore.cli.tableprinting import RowSheet, output_options, row_output

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table

__all__ = ["head_command", "show_command"]


@click.command("show", cls=Command, examples=("art table show digits:v3/examples",))
@click.argument("name", metavar=TABLE_METAVAR, shell_complete=complete_name)
@shared_options
@click.pass_obj
def show_command(session: Session, name: str) -> None:
    """Show what a table is: columns and their types, rows, size, keys, what it was made from."""
    reader = find_table(session, session.open_store(), name)
    value = {"name": name} | _record(reader)
    session.output.result(
        value, _lines(value), names=[column["name"] for column in value["columns"]]
    )


def _record(reader: RowReader) -> dict[str, Any]:
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable

    tables: list[Table] = []
    joined = None
    kind = "table"
    if isinstance(reader, JoinedTable):
        kind, tables = "joined", [reader.left, reader.right]
        joined = {
            "left": _name(reader.left),
            "right": _name(reader.right),
            "on": [{"left": left, "right": right} for left, right in reader.on],
            "how": reader.how,
        }
    elif isinstance(reader, PartitionedTable):
        kind, tables = "partitioned", list(reader.parts)
    else:
        tables = [reader]  # type: ignore[list-item]  # there are three sorts
    keys = tables[0].keys if kind == "table" else {}
    return {
        "kind": kind,
        "digest": tables[0].stored.digest().hex() if kind == "table" and tables[0].stored else None,
        "row_count": reader.row_count,
        "columns": [{"name": n, "type": str(t)} for n, t in reader.column_types.items()],
        **_sizes(tables),
        "primary_key": list(keys.get("primary_key", ())),
        "foreign_keys": [
            {"column": column, "table": told["table"], "table_column": told["column"]}
            for column, told in sorted(keys.get("foreign_keys", {}).items())
        ],
        "sources": list(dict.fromkeys(name for one in tables for name in _sources(one))),
        "joined": joined,
        "parts": [_name(part) for part in tables] if kind == "partitioned" else [],
    }


def _name(one: Table) -> str:
    return one.home.name if one.home is not None else ""


def _sizes(tables: list[Table]) -> dict[str, int]:
    fragments = {
        fragment.key: fragment.size_bytes
        for one in tables
        if one.stored is not None
        for fragment in one.stored.fragments
    }
    return {"size_bytes": sum(fragments.values()), "fragment_count": len(fragments)}


def _sources(one: Table) -> list[str]:
    entry = getattr(one.home, "entry", None)
    found: list[str] = list(entry.extra.get("sources", ())) if entry is not None else []
    return found


def _lines(value: Mapping[str, Any]) -> Iterator[str]:
    yield printable(value["name"])
    joined = value["joined"]
    if joined is not None:
        on = ", ".join(
            key["left"] if key["left"] == key["right"] else f"{key['left']} = {key['right']}"
            for key in joined["on"]
        )
        yield f"  {joined['how']} join by {printable(on)}"
        yield f"    of  {joined['left']}"
        yield f"    and {joined['right']}"
    size = f"{format_bytes(value['size_bytes'])} in {count(value['fragment_count'], 'fragment')}"
    yield f"  {count(value['row_count'], 'row')}, {size}"
    if value["primary_key"]:
        yield f"  primary key  {printable(', '.join(value['primary_key']))}"
    for key in value["foreign_keys"]:
        leads = f"{key['column']} > {key['table'] or '?'} {key['table_column']}"
        yield f"  foreign key  {printable(leads)}"
    for source in value["sources"]:
        yield f"  made from    {source}"
    for part in value["parts"]:
        yield f"  part         {part}"
    rows = [(column["name"], column["type"]) for column in value["columns"]]
    yield from (f"  {line}" for line in table(("COLUMN", "TYPE"), rows))


@click.command(
    "head",
    cls=Command,
    examples=("art table head digits/examples", "art table head digits/examples -n 3 --columns id"),
)
@click.argument("name", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.option(
    "-n", "row_count", metavar="ROWS", type=click.IntRange(min=0), default=10, help="How many rows."
)
@click.option(
    "--columns", metavar="A,B", multiple=True, help="Which columns (many); all if left out."
)
@output_options
@shared_options
@click.pass_obj
def head_command(
    session: Session,
    *,
    name: str,
    row_count: int,
    columns: tuple[str, ...],
    format_name: str | None,
    file: Path | None,
) -> None:
    """Show the first rows of a table, 10 if -n is left out, in its order."""
    target = row_output(session, format_name, file)
    reader = find_table(session, session.open_store(), name)
    chosen = named_columns(columns, reader.columns) if columns else reader.columns
    total = reader.row_count
    facts = {"sources": [name], "counts": None, "saved_as": None}
    target.write(session, RowSheet(reader, chosen, min(row_count, total), total, facts))

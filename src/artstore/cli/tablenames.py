"""Tables and their columns as the command line names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from artstore.errors import ArtstoreError, InvalidInputError

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.cli.session import Session
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table

__all__ = [
    "TABLE_METAVAR",
    "check_known",
    "find_table",
    "named_columns",
    "pointed_out",
    "save_table",
    "saved_name",
]

TABLE_METAVAR: Final = "NAME[:V]/TABLE"


def find_table(session: Session, store: Store, text: str) -> RowReader:
    """
    The table, joined or partitioned table of a name; what was asked for is remembered.

    Raises:
        NotFoundError: `table-not-found`, naming the tables of the version, and as `Store.artifact`.
        InvalidInputError: `table-name-invalid`.
    """
    from artstore.storetables import split_table_name

    session.name(split_table_name(text)[0])
    return store.table(text)


def named_columns(values: Sequence[str], known: Sequence[str]) -> list[str]:
    """
    Columns as they are given: several options, in each one column or several with commas.

    Raises:
        InvalidInputError: `column-unknown`.
    """
    found: list[str] = []
    for value in values:
        # A column may have a comma in its name.
        parts = [value] if value in known else [part.strip() for part in value.split(",")]
        found += [part for part in parts if part]
    check_known(found, known)
    return list(dict.fromkeys(found))


def check_known(names: Sequence[str], known: Sequence[str]) -> None:
    """Raises InvalidInputError `column-unknown` for the first that is not known."""
    from artstore.cli.suggestions import close_texts

    for name in names:
        if name not in known:
            near = close_texts(name, list(known)) or list(known)[:20]
            raise InvalidInputError(
                f"there is no column {name!r}",
                code="column-unknown",
                hint=f"did you mean: {', '.join(near)}",
                column=name,
            )


@contextmanager
def pointed_out() -> Iterator[None]:
    """Errors whose message shows where in a text they are: those lines stand below, as they are."""
    try:
        yield
    except ArtstoreError as error:
        error.message, _, lines = error.message.partition("\n")
        if lines:
            error.hint = f"{lines}\n{error.hint}" if error.hint else lines
        raise


def saved_name(text: str) -> tuple[str, str]:
    """
    `digits-errors/wrong`: the artifact and the table in it that a result is to be.

    Raises:
        click.UsageError: it names a version, or no table.
    """
    name, _, table = text.partition("/")
    if not name or not table or set(name) & set(":@"):
        raise click.UsageError(
            f"--save-as takes NAME/TABLE, the artifact and the table in it, not {text!r}",
            click.get_current_context(),
        )
    return name, table


def save_table(store: Store, text: str, table: Table | RowReader) -> str:
    """
    Log a result as a table on top of what the newest version of its artifact holds.

    Returns:
        `name:v3/table`.
    """
    from artstore.artifact import Artifact

    name, path = saved_name(text)
    artifact = Artifact(name, incremental=True)
    artifact.add(table, path, overwrite=True)
    logged = store.log_artifact(artifact)
    return f"{logged.collection.name}:{logged.version}/{path}"

"""
Tables of a store by name: what `Store` offers to find and query them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.tables.query import Query
    from artstore.tables.reading import RowReader

__all__ = ["StoreTables", "split_table_name", "table_names"]


class StoreTables:
    """The part of `Store` that reads tables."""

    def artifact(self, name: str) -> Artifact:
        """As `Store.artifact`."""
        raise NotImplementedError

    def table(self, name: str) -> RowReader:
        """
        The table, joined or partitioned table `[project/]name[:version]/table`.

        Raises:
            NotFoundError: as `artifact`; `table-not-found`, naming the tables there are.
            InvalidInputError: `table-name-invalid`.
            DamagedDataError: `table-damaged`, `joined-table-damaged`.
        Cost: the description of the table; no row is read.
        """
        version, path = split_table_name(name)
        artifact = self.artifact(version)
        found: Any = artifact.get(path)
        if found is None or not hasattr(found, "read_rows"):
            there = table_names(artifact)
            told = ", ".join(there) if there else "none"
            raise NotFoundError(
                f"{artifact.qualified_name} has no table {path!r}, its tables are: {told}",
                code="table-not-found",
                tables=there,
            )
        reader: RowReader = found
        return reader

    def sql(self, text: str) -> Query:
        """
        A SELECT over tables of the store as an Ibis expression.

        Tables stand in quotes: `select * from 'digits:latest/examples' where label = 3`.

        Raises:
            InvalidInputError: `sql-invalid`, `table-name-invalid`.
            NotFoundError: as `table`.
        Cost: nothing is read before the expression is run, by DuckDB in this process.
        """
        from artstore.tables.sql import run_sql

        return run_sql(text, self.table)


def split_table_name(name: str) -> tuple[str, str]:
    """
    `project/name:v3/a/b` -> the version and the name of the table in it.

    Without `:` or `@` the first part is the name of the artifact.

    Raises:
        InvalidInputError: `table-name-invalid`.
    """
    parts = name.removeprefix("art://").split("/")
    marked = next((at for at, part in enumerate(parts[:2]) if ":" in part or "@" in part), 0)
    version, path = "/".join(parts[: marked + 1]), "/".join(parts[marked + 1 :])
    if not version or not path:
        raise InvalidInputError(
            f"{name!r} names no table of a version",
            code="table-name-invalid",
            hint="write name:version/table, for instance digits:latest/examples",
        )
    return version, path


def table_names(artifact: Artifact) -> list[str]:
    """The tables of a version that are not parts of joined ones. Cost: its list of files."""
    from artstore.manifests.entry import TABLE
    from artstore.versions.values import JOINED_SUFFIX, PARTITIONED_SUFFIX, TABLE_SUFFIX

    found = []
    for entry in artifact.entries():
        if entry.kind == TABLE and ".joined/" not in entry.path:
            found.append(entry.path.removesuffix(TABLE_SUFFIX))
        suffixes = (JOINED_SUFFIX, PARTITIONED_SUFFIX)
        found += [entry.path.removesuffix(s) for s in suffixes if entry.path.endswith(s)]
    return found

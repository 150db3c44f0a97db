"""
Tables as a version has them: from the entry to the description, and whether the rows are right.
"""

from __future__ import annotations

from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.manifests.entry import Entry
from artstore.manifests.tree import expand
from artstore.packs.reader import PackReader
from artstore.tables.content import FragmentPaths, TableContent
from artstore.tables.fragments import parquet_rows
from artstore.tables.leaves import leaves_of
from artstore.tables.tablefile import TableFile, decode_table

__all__ = ["read_table", "stored_difference", "written_difference"]


def read_table(packs: PackReader, entry: Entry) -> TableFile:
    """
    The description of the table that `entry` is.

    Raises:
        DamagedDataError: `table-damaged`, and those of chunks.
    Cost: reads the description: 36 bytes for about 8 KiB of cells.
    """
    refs = expand(entry.chunks, entry.level, packs.chunks)
    where = f"the table {entry.path!r}"
    data = bytearray()
    for chunk in packs.chunks(refs):
        data += chunk
        if len(data) > entry.size_bytes:
            break
    if len(data) != entry.size_bytes:
        raise DamagedDataError(
            f"{where} is damaged: its chunks do not make up its {entry.size_bytes} bytes",
            code="table-damaged",
        )
    return decode_table(bytes(data), where=where)


def stored_difference(paths: FragmentPaths, packs: PackReader, entry: Entry) -> str | None:
    """
    What is wrong with a table in a store; None if its rows are those that were pushed.

    Raises:
        StorageError: the storage fails.
    Cost: reads its fragments and hashes its cells.
    """
    try:
        table = read_table(packs, entry)
        found = leaves_of(table.schema, TableContent.stored(table, paths).rows())
        if table.digest() != entry.digest:
            return "its description has another digest than its entry"
    except StorageError:
        raise
    except ArtstoreError as error:
        return error.message
    return None if found == table.leaves else "its rows are not those that were pushed"


def written_difference(packs: PackReader, entry: Entry, location: str) -> str | None:
    """
    What is wrong with a Parquet file that should hold a table; None if its rows are the same.

    Cost: reads the file and hashes its cells.
    """
    table = read_table(packs, entry)
    try:
        found = leaves_of(table.schema, parquet_rows(location, table.schema))
    except ArtstoreError as error:
        return error.message
    return None if found == table.leaves else "has other rows"

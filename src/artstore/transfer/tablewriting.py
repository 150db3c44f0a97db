"""
Tables as files of a checkout: one Parquet file each, with the rows in order.

Another release of Parquet's writer makes other bytes of the same rows, so what was
written is noted on this machine: a push of the checkout finds the table again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from artstore.digest import Buffer, Hasher
from artstore.errors import ArtstoreError
from artstore.transfer.fragmentfiles import FragmentFiles
from artstore.transfer.place import StorePlace

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.transfer.target import TargetDirectory

__all__ = ["table_buffers", "write_table"]


def write_table(entry: Entry, *, place: StorePlace, target: TargetDirectory) -> int:
    """
    Write a table as a Parquet file at its path; bytes that were read from packs, none.

    Raises:
        DamagedDataError: with `path`.
        StateError, DeniedError: from the target.
    Cost: memory for a few fragments.
    """
    hasher = Hasher()

    def told() -> Iterator[Buffer]:
        for buffer in table_buffers(entry, place):
            hasher.update(buffer)
            yield buffer

    status = target.write_file(entry.path, told(), executable=False)
    digest = hasher.digest()
    place.fetched.record(entry.digest, digest)
    place.statcache.record_written(f"{target.root}/{entry.path}", status, digest)
    return 0


def table_buffers(entry: Entry, place: StorePlace) -> Iterator[Buffer]:
    """
    The bytes of a Parquet file with all rows of a table, piece by piece.

    Raises:
        DamagedDataError: `table-damaged`, `fragment-missing`, `fragment-digest-mismatch`,
            with `path`.
    """
    from artstore.tables.content import TableContent
    from artstore.tables.fragments import parquet_buffers
    from artstore.tables.stored import read_table

    try:
        table = read_table(place.packs, entry)
        content = TableContent.stored(table, FragmentFiles(place).paths)
        yield from parquet_buffers(content.schema, content.rows())
    except ArtstoreError as error:
        error.context.setdefault("path", entry.path)
        raise

"""
Tables, joined tables and media values as what a draft is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artstore import canonical, names
from artstore.digest import digest_of
from artstore.drafts.added import AddedFile, ValueAddition
from artstore.errors import InvalidInputError
from artstore.manifests.entry import reference_entry
from artstore.media.content import (
    BytesContent,
    FileContent,
    MediaContent,
    MediaFile,
    ReferenceContent,
)
from artstore.media.kinds import encode_descriptor, kind_of
from artstore.transfer.ingest import WHOLE_READ_BYTES
from artstore.transfer.noted import Noted
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.walk import look
from artstore.versions.contents import VersionContent, VersionHome
from artstore.versions.values import JOINED_SUFFIX, PARTITIONED_SUFFIX, TABLE_SUFFIX, plain_name

if TYPE_CHECKING:
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

__all__ = ["TABLE_SUFFIX", "expand"]

FindTable = Callable[["Table"], str | None]
"""The path under which a table was added to the draft; None if it was not."""


def expand(value: Any, name: str, find: FindTable) -> Iterator[ValueAddition]:
    """
    What adding `value` as `name` adds to a draft; what it is called comes first.

    A table is taken as it is now: rows that are added to it later are not in the draft.

    Args:
        find: for the tables that are joined: those of the draft are named, others
            are added as links.
    Raises:
        InvalidInputError: `value-unknown`, `path-invalid`.
    """
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

    if isinstance(value, Table):
        yield from _table(value, plain_name(name) + TABLE_SUFFIX, find)
    elif isinstance(value, JoinedTable):
        yield from _joined(value, name.removesuffix(JOINED_SUFFIX), find)
    elif isinstance(value, PartitionedTable):
        yield from _partitioned(value, name.removesuffix(PARTITIONED_SUFFIX))
    elif (kind := kind_of(value)) is not None:
        prepared = value.prepare()
        path = names.check_entry_path(name.removesuffix(kind.suffix) + kind.suffix)
        yield _bytes(path, encode_descriptor(value, prepared.cell))
        yield from map(_file, prepared.files)
    else:
        raise InvalidInputError(
            f"an artifact holds no {type(value).__name__}",
            code="value-unknown",
            hint="add a Table, a JoinedTable or a media value, or a file with add_file",
            name=name,
        )


def _table(table: Table, path: str, find: FindTable) -> Iterator[ValueAddition]:
    path = names.check_entry_path(path)
    if not table.columns:
        raise InvalidInputError(
            f"the table {path.removesuffix(TABLE_SUFFIX)!r} has no columns",
            code="columns-invalid",
        )
    home = table.home
    if table.stored is not None and isinstance(home, VersionHome) and not table.is_changed:
        yield home.linked(path)
        return

    def name_of(other: Table) -> str | None:
        found = find(other)
        return None if found is None else found.removesuffix(TABLE_SUFFIX)

    keys = table.keys_beside(name_of)
    yield TableItem(path, table.built(), keys, table.source_names)
    yield from map(_file, table.media_files())


def _joined(joined: JoinedTable, name: str, find: FindTable) -> Iterator[ValueAddition]:
    sides: dict[str, Any] = {}
    added: list[Iterable[ValueAddition]] = []
    for side, table in (("left", joined.left), ("right", joined.right)):
        path = find(table)
        if path is None:
            path = f"{name}.joined/{side}{TABLE_SUFFIX}"
            added.append(_table(table, path, find))
        sides[side] = {"path": path}
    value = {
        "_type": "joined-table",
        "how": joined.how,
        "on": [list(pair) for pair in joined.on],
        **sides,
    }
    path = names.check_entry_path(name + JOINED_SUFFIX)
    yield _bytes(path, canonical.encode(value, what=path))
    for additions in added:
        yield from additions


def _partitioned(table: PartitionedTable, name: str) -> Iterator[ValueAddition]:
    path = names.check_entry_path(name + PARTITIONED_SUFFIX)
    value = {"_type": "partitioned-table", "parts_path": table.parts_path}
    yield _bytes(path, canonical.encode(value, what=path))


def _bytes(path: str, data: bytes) -> BytesItem:
    return BytesItem(path, len(data), digest_of(data), lambda: data)


def _file(file: MediaFile) -> ValueAddition:
    content: MediaContent = file.content
    if isinstance(content, VersionContent):
        return content.linked(file.path)
    if isinstance(content, ReferenceContent):
        return reference_entry(file.path, content.url)
    if isinstance(content, FileContent):
        if content.size_bytes > WHOLE_READ_BYTES:
            noted = Noted(look(content.path, file.path), content.digest)
            return AddedFile(Path(content.path), file.path, noted)
        # Reading checks that it is still what it was.
        return BytesItem(file.path, content.size_bytes, content.digest, content.read)
    if isinstance(content, BytesContent):
        return BytesItem(file.path, len(content.data), content.digest, content.read)
    data = content.read()
    return BytesItem(file.path, len(data), content.digest, lambda: data)

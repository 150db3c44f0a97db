"""
Storing tables within a push: their new fragments, and what they rely on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from artstore.digest import Buffer, digest_of
from artstore.errors import DamagedDataError, NotFoundError
from artstore.manifests.entry import TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader
from artstore.transfer.prepared import TableItem

if TYPE_CHECKING:
    from artstore.storage.protocol import Storage
    from artstore.tables.fragments import Fragment
    from artstore.tables.tablefile import TableFile
    from artstore.transfer.copying import CopiedItem

__all__ = ["TableSending"]

_FRAGMENTS: Final = "fragments/"
_PARQUET: Final = ".parquet"
_AT_ONCE: Final = 4
"""Fragments that are read from another store at once: some MiB each."""


class TableSending:
    """
    The tables of one push.

    Args:
        put: stores a value; durable before the version is published.
        parent: the version before, of which rows are used again.
        storage: in which fragments that are there already are looked for.
        condemned: keys that gc is about to delete.
    Attributes:
        parent_keys: fragments of the version before that are used again.
        other_keys: fragments of versions of other names that are used.
        kept_keys: fragments of tables that stay as they are.
    """

    def __init__(
        self,
        packs: PackReader,
        push: bytes,
        put: Callable[[str, list[Buffer]], None],
        parent: Manifest | None,
        *,
        storage: Storage,
        condemned: frozenset[str],
    ) -> None:
        self._packs = packs
        self._push = push
        self._put = put
        self._parent = parent
        self._storage = storage
        self._condemned = condemned
        self._copied: set[bytes] = set()
        self._has_any: bool | None = None
        self.parent_keys: set[str] = set()
        self.other_keys: set[str] = set()
        self.kept_keys: set[str] = set()

    def store(self, item: TableItem) -> TableFile:
        """Store the fragments of a table that are new."""
        from artstore.tables.storing import store_table

        before = self._before(item.path)
        table = store_table(
            item.built, item.keys, before, self._push, lambda key, data: self._put(key, [data])
        )
        of_parent = frozenset(_keys(before)) if before is not None else frozenset()
        for fragment in table.fragments:
            if fragment.push != self._push:
                found = self.parent_keys if fragment.key in of_parent else self.other_keys
                found.add(fragment.key)
        return table

    def copy(self, item: CopiedItem) -> tuple[TableFile, int]:
        """
        A table of another store as it is stored here, and the bytes read for it.

        Fragments are Parquet files of their own: those that are not here are copied whole.

        Raises:
            DamagedDataError: `table-damaged`, `fragment-missing`, `fragment-digest-mismatch`.
        Cost: one look, and at most one read and one write, for each fragment.
        """
        from artstore.tables.stored import read_table

        entry = item.entry
        table = read_table(item.source.packs, entry)
        if table.digest() != entry.digest:
            raise DamagedDataError(
                f"the table {entry.path!r} is damaged: its description has another digest",
                code="table-damaged",
                path=entry.path,
            )
        before = self._before(entry.path)
        parent = {} if before is None else {one.digest: one for one in before.fragments}
        fragments: list[Fragment] = []
        missing: list[Fragment] = []
        for fragment in table.fragments:
            of_parent = parent.get(fragment.digest)
            if of_parent is not None:
                self.parent_keys.add(of_parent.key)
                fragments.append(replace(fragment, push=of_parent.push))
                continue
            found = self._found(fragment)
            if found is None:
                missing.append(fragment)
                self._copied.add(fragment.digest)
                found = replace(fragment, push=self._push)
            fragments.append(found)
        read_bytes = 0
        for fragment, data in _read_fragments(item, missing):
            read_bytes += len(data)
            self._put(replace(fragment, push=self._push).key, [data])
        return replace(table, fragments=tuple(fragments)), read_bytes

    def _found(self, fragment: Fragment) -> Fragment | None:
        """A fragment of this store with the same bytes."""
        if fragment.digest in self._copied:
            return replace(fragment, push=self._push)
        if self._has_any is None:
            # Into a new store, nothing is asked for one by one.
            self._has_any = any(True for _ in self._storage.scan(_FRAGMENTS))
        if not self._has_any:
            return None
        stem = fragment.key.rpartition("-")[0]
        for info in self._storage.scan(f"{stem}-"):
            push = info.key[len(stem) + 1 :].removesuffix(_PARQUET)
            if info.size_bytes != fragment.size_bytes or info.key in self._condemned:
                continue
            with suppress(ValueError):
                found = replace(fragment, push=bytes.fromhex(push))
                if found.key == info.key:
                    self.other_keys.add(info.key)
                    return found
        return None

    def rely_on(self, entry: Entry) -> None:
        """Note the fragments of a table that is taken over as it is."""
        from artstore.tables.stored import read_table

        keys = _keys(read_table(self._packs, entry))
        (self.other_keys if "source" in entry.extra else self.kept_keys).update(keys)

    def _before(self, path: str) -> TableFile | None:
        if self._parent is None:
            return None
        try:
            entry = self._parent.entry(path)
        except NotFoundError:
            return None
        if entry.kind != TABLE:
            return None
        from artstore.tables.stored import read_table

        return read_table(self._packs, entry)


def _keys(table: TableFile) -> Iterator[str]:
    return (fragment.key for fragment in table.fragments)


def _read_fragments(
    item: CopiedItem, fragments: Sequence[Fragment]
) -> Iterator[tuple[Fragment, bytes]]:
    """Fragments of another store, a few at a time."""
    pending: deque[tuple[Fragment, Future[bytes]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, "artstore-fragment") as pool:
        for fragment in fragments:
            pending.append((fragment, pool.submit(_read_fragment, item, fragment)))
            if len(pending) > _AT_ONCE:
                first, read = pending.popleft()
                yield first, read.result()
        for first, read in pending:
            yield first, read.result()


def _read_fragment(item: CopiedItem, fragment: Fragment) -> bytes:
    try:
        data = item.source.storage.read(fragment.key)
    except NotFoundError as error:
        raise DamagedDataError(
            f"{fragment.key}, rows of the table {item.path!r}, is missing from "
            f"{item.source.storage.url}",
            code="fragment-missing",
            key=fragment.key,
        ) from error
    if len(data) != fragment.size_bytes or digest_of(data) != fragment.digest:
        raise DamagedDataError(
            f"{fragment.key}, rows of the table {item.path!r}, is damaged: its bytes are not "
            "those of its name",
            code="fragment-digest-mismatch",
            key=fragment.key,
        )
    return data

"""
Where good bytes may be found: second stores, and files on this machine. None of them is believed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from artstore import limits
from artstore.catalog.format import RawEntry
from artstore.catalog.identity import read_identity
from artstore.catalog.log import read_all
from artstore.catalog.rollups import read_rolled
from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.forks import LazyValue
from artstore.packs.locator import ChunkRef, pack_id_of_key
from artstore.packs.reader import PackReader, decode_ref
from artstore.storage.bounded import read_at_most
from artstore.storage.protocol import Storage

__all__ = [
    "FilePart",
    "FindFiles",
    "SecondStore",
    "StoredChunks",
    "read_part",
    "read_value",
    "values_of_digest",
]


class FilePart(NamedTuple):
    """Where the plain bytes of a chunk stand: a file of a version, and the place in it."""

    project: str
    name: str
    path: str
    digest: bytes
    offset_bytes: int


class FindFiles(Protocol):
    """Files of this machine that may hold a file of a version, each with what to call it."""

    def __call__(
        self, project: str, name: str, path: str, digest: bytes
    ) -> Iterable[tuple[str, Path]]: ...


def read_part(file: Path, offset_bytes: int, length_bytes: int) -> bytes | None:
    """Some bytes of a file; None if it is not there, shorter, or no file."""
    try:
        # A planted pipe must not block.
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = os.pread(descriptor, length_bytes, offset_bytes)
        return data if len(data) == length_bytes else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_value(storage: Storage, key: str, *, max_bytes: int) -> bytes | None:
    """A value if it is there and not too large to be one. Raises StorageError."""
    try:
        return read_at_most(storage, key, max_bytes)
    except StorageError:
        raise
    except ArtstoreError:
        return None


def values_of_digest(storage: Storage, key: str, *, max_bytes: int) -> Iterator[bytes]:
    """Under a key, then what other pushes made of the same digest; not verified."""
    data = read_value(storage, key, max_bytes=max_bytes)
    if data is not None:
        yield data
    start = key.rpartition("-")[0]
    for info in storage.scan(f"{start}-"):
        if info.key != key and info.size_bytes <= max_bytes:
            found = read_value(storage, info.key, max_bytes=max_bytes)
            if found is not None:
                yield found


class StoredChunks:
    """
    Finds chunks of any pack of a store by digest.

    Cost: at the first question one scan, and one small read a pack.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._reader = PackReader(storage)
        self._packs: list[bytes] | None = None
        self._places: dict[bytes, list[ChunkRef]] = {}
        self._known: set[bytes] = set()

    def plain(self, digest: bytes, wanted: frozenset[bytes]) -> bytes | None:
        """
        The plain bytes of a chunk, verified; None if no pack has it whole.

        Args:
            wanted: everything that will be asked for: packs are looked through once for all.
        """
        if digest not in self._known:
            self._look_for(wanted | {digest})
        for ref in self._places.get(digest, ()):
            try:
                return bytes(decode_ref(ref, self._reader.stored([ref])[0]))
            except StorageError:
                raise
            except ArtstoreError:
                continue
        return None

    def places(self, wanted: frozenset[bytes]) -> Mapping[bytes, Sequence[ChunkRef]]:
        """By digest where packs have chunks, by what their footers say. Cost: as the class."""
        if not wanted <= self._known:
            self._look_for(wanted - self._known)
        return {digest: self._places.get(digest, ()) for digest in wanted}

    def sound(self, refs: Sequence[ChunkRef]) -> set[ChunkRef]:
        """Those of n chunks whose bytes are what their digests say. Cost: reads them."""
        try:
            for _ in self._reader.chunks(refs):
                pass
        except StorageError:
            raise
        except ArtstoreError:
            return {ref for ref in refs if self._is_sound(ref)}
        return set(refs)

    def _is_sound(self, ref: ChunkRef) -> bool:
        try:
            decode_ref(ref, self._reader.stored([ref])[0])
        except StorageError:
            raise
        except ArtstoreError:
            return False
        return True

    def _look_for(self, wanted: frozenset[bytes]) -> None:
        self._known |= wanted
        if self._packs is None:
            self._packs = []
            for info in self._storage.scan("packs/"):
                with suppress(DamagedDataError):
                    self._packs.append(pack_id_of_key(info.key))
        for pack in self._packs:
            try:
                footer = self._reader.footer(pack)
            except StorageError:
                raise
            except ArtstoreError:
                continue
            if wanted.isdisjoint(footer.digests):
                continue
            for ordinal, (digest, offset, stored, plain, codec) in enumerate(footer.rows()):
                if digest in wanted:
                    ref = ChunkRef(digest, pack, ordinal, offset, stored, plain, codec, plain)
                    self._places.setdefault(digest, []).append(ref)


class SecondStore:
    """
    Another store: a copy of the damaged one, or any that holds the same content.

    Args:
        storage: only read.
    Raises:
        NotFoundError: `store-not-found`, there is no store.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.label = storage.url
        try:
            self.store_id: str | None = read_identity(storage).store_id
        except DamagedDataError:
            # Of no use for what is not named by its digest.
            self.store_id = None
        self.chunks = StoredChunks(storage)
        self._logs: dict[str, list[RawEntry]] = {}

    def value(self, key: str, *, max_bytes: int) -> bytes | None:
        """What lies under the same key there, not verified."""
        return read_value(self.storage, key, max_bytes=max_bytes)

    def values_of_digest(self, key: str, *, max_bytes: int) -> Iterator[bytes]:
        """Under the same key, then what other pushes made of the same digest; not verified."""
        return values_of_digest(self.storage, key, max_bytes=max_bytes)

    def log(self, prefix: str) -> list[RawEntry]:
        """Entries of a log there, those in rollups too, not verified."""
        if prefix not in self._logs:
            self._logs[prefix] = entries_and_rolled(self.storage, prefix)
        return self._logs[prefix]

    @LazyValue
    def packs(self) -> PackReader:
        """Reads its packs."""
        return PackReader(self.storage)


def entries_and_rolled(storage: Storage, prefix: str) -> list[RawEntry]:
    """All that a store holds of a log, the same number perhaps twice."""
    entries, _, _ = read_all(storage, prefix, with_rollups=False)
    small = [raw for raw in entries if raw.size_bytes <= limits.ENTRY_MAX_BYTES]
    return [*small, *read_rolled(storage, prefix)]

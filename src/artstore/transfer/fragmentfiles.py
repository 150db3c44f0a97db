"""
Fragments of tables as files that an engine can open: verified, and fetched where needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from artstore import clock
from artstore.digest import digest_of
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError
from artstore.storage.local import LocalStorage
from artstore.transfer.place import StorePlace
from artstore.transfer.walk import Found, look

__all__ = ["FragmentFiles"]


class StoredFragment(Protocol):
    """What is asked of a fragment; `artstore.tables.fragments.Fragment` is one."""

    @property
    def digest(self) -> bytes: ...
    @property
    def key(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


class FragmentFiles:
    """
    Safe for several threads. A local store's own files are handed out as they lie
    there, hashed once as long as their stamp stays; others are kept in the cache, which
    hashes them each time.
    """

    def __init__(self, place: StorePlace) -> None:
        self._place = place
        # The stat cache takes only files that have not just been written.
        self._verified: dict[bytes, tuple[int, int, int, int]] = {}

    def paths(self, fragments: Sequence[StoredFragment]) -> list[Path]:
        """
        A file for each of n fragments, in order.

        Raises:
            DamagedDataError: `fragment-missing`, `fragment-digest-mismatch`.
            StorageError, DeniedError: of storage and cache.
        Cost: of a local store a stat each, if they were verified before on this machine;
            else they are read and hashed, several at a time.
        """
        if len(fragments) < 2:
            return [self.path(fragment) for fragment in fragments]
        with ThreadPoolExecutor(self._place.concurrency.readers, "artstore-fragment") as pool:
            return list(pool.map(self.path, fragments))

    def path(self, fragment: StoredFragment) -> Path:
        """The file of one fragment; as `paths`."""
        storage = self._place.storage
        if isinstance(storage, LocalStorage):
            file = Path(storage.path) / fragment.key
            try:
                if not self._is_known(file, fragment.digest):
                    self._verify(file, fragment)
            except FileNotFoundError as error:
                raise self._place.packs.explained(_missing(fragment)) from error
            return file
        cache = self._place.content_cache
        found = cache.find(fragment.digest)
        if found is None:
            try:
                data = storage.read(fragment.key)
            except NotFoundError as error:
                raise self._place.packs.explained(_missing(fragment)) from error
            _check(fragment, data)
            found = cache.add(fragment.digest, [data])
        return found

    def _is_known(self, file: Path, digest: bytes) -> bool:
        try:
            found = look(os.fspath(file), file.name)
        except ArtstoreError:
            return False
        if self._verified.get(digest) == _stamp(found):
            return True
        return self._place.statcache.lookup(found) == digest

    def _verify(self, file: Path, fragment: StoredFragment) -> None:
        began_ns = clock.now_nanoseconds()
        before = look(os.fspath(file), file.name) if file.exists() else None
        _check(fragment, file.read_bytes())
        found = look(os.fspath(file), file.name)
        if found == before:
            self._verified[fragment.digest] = _stamp(found)
            self._place.statcache.record(found, fragment.digest, began_ns=began_ns)


def _stamp(found: Found) -> tuple[int, int, int, int]:
    return found.size_bytes, found.mtime_ns, found.ctime_ns, found.inode


def _check(fragment: StoredFragment, data: bytes) -> None:
    if len(data) != fragment.size_bytes or digest_of(data) != fragment.digest:
        raise DamagedDataError(
            f"{fragment.key} is damaged: its bytes are not those of its name",
            code="fragment-digest-mismatch",
            hint="run `art check --read-data` to see which versions it hits",
            key=fragment.key,
        )


def _missing(fragment: StoredFragment) -> DamagedDataError:
    return DamagedDataError(
        f"{fragment.key} is missing from the store",
        code="fragment-missing",
        hint="run `art check` to see which versions it hits",
        key=fragment.key,
    )

"""
What lies in a store under keys that gc may delete: by kind, with size and age.

    packs/ fragments/ manifests/   content, named by digest and push id: columns, 60 bytes a value
    moved/ index/ upkeep/...       few: by key

Keys that are none of ours are counted and never touched. Nothing else is listed: logs, runs
and what names the store are not content.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from artstore.catalog.guard import is_guarded_here
from artstore.catalog.upkeeplog import CONDEMNED_PREFIX
from artstore.garbage.storetime import CLOCK_PREFIX
from artstore.packs.index import INDEX_PREFIX
from artstore.packs.locator import PACK_ID_BYTES
from artstore.packs.moved import MOVED_PREFIX
from artstore.storage.protocol import KeyInfo, Storage

__all__ = ["ContentTable", "Listing", "is_deletable", "list_content"]

_KINDS: Final = {"packs": "", "fragments": ".parquet", "manifests": ""}
_DELETABLE: Final = re.compile(
    r"(?:packs|manifests)/([0-9a-f]{2})/\1[0-9a-f]{62}-[0-9a-f]{16}"
    r"|fragments/([0-9a-f]{2})/\2[0-9a-f]{62}-[0-9a-f]{16}\.parquet"
    r"|moved/([0-9a-f]{2})/\3[0-9a-f]{62}-[0-9a-f]{16}/[0-9]{12}-[0-9a-f]{16}"
    r"|index/[^/]+"
    r"|upkeep/(?:condemned|clock)/[0-9a-f]{16}"
)
_DIGITS: Final = "0123456789abcdef"
_PARALLEL: Final = 16


def is_deletable(key: str) -> bool:
    """
    Whether gc may delete a value under this key, whatever an entry of its log says.

    Logs, runs and what names the store are never among it.
    """
    return _DELETABLE.fullmatch(key) is not None


class ContentTable:
    """
    Values of one kind, numbered in the order of their keys.

    Args:
        kind: `packs`, `fragments` or `manifests`.
    Attributes:
        ids: 40 bytes each, digest and push id, ascending.
        size_bytes, modified_seconds: by the storage.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ids = bytearray()
        self.size_bytes = array("Q")
        self.modified_seconds = array("d")
        self.unknown_count = 0
        self._starts: npt.NDArray[np.uint64] | None = None
        hex_parts = rf"{kind}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})-([0-9a-f]{{16}})"
        self._pattern = re.compile(hex_parts + re.escape(_KINDS[kind]))

    def __len__(self) -> int:
        return len(self.size_bytes)

    @property
    def memory_bytes(self) -> int:
        """What all of it takes, once something was looked for."""
        columns = (self.size_bytes, self.modified_seconds)
        starts = 0 if self._starts is None else self._starts.nbytes
        return len(self.ids) + starts + sum(len(one) * one.itemsize for one in columns)

    def add(self, info: KeyInfo) -> None:
        """The next value, by its key."""
        match = self._pattern.fullmatch(info.key)
        if match is None:
            self.unknown_count += 1
            return
        self.ids += bytes.fromhex(match[2] + match[3])
        self.size_bytes.append(info.size_bytes)
        self.modified_seconds.append(info.modified_seconds)

    def extend(self, other: ContentTable) -> None:
        """The values of another table, which all come behind these."""
        self.ids += other.ids
        self.size_bytes.extend(other.size_bytes)
        self.modified_seconds.extend(other.modified_seconds)
        self.unknown_count += other.unknown_count

    def id_of(self, number: int) -> bytes:
        """The 40 bytes of a value."""
        return bytes(self.ids[number * PACK_ID_BYTES : (number + 1) * PACK_ID_BYTES])

    def key_of(self, number: int) -> str:
        """The key of a value."""
        text = self.id_of(number).hex()
        return f"{self.kind}/{text[:2]}/{text[:64]}-{text[64:]}{_KINDS[self.kind]}"

    def find_key(self, key: str) -> int | None:
        """The number of a key, None if nothing lies there."""
        match = self._pattern.fullmatch(key)
        return None if match is None else self.find(bytes.fromhex(match[2] + match[3]))

    def find(self, wanted: bytes) -> int | None:
        """The number of an id, None if nothing lies there."""
        number = self.find_many([wanted])[0]
        return None if number < 0 else int(number)

    def find_many(self, wanted: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """The numbers of n ids, -1 where nothing lies. Cost: n binary searches."""
        return self.find_ids(b"".join(wanted))

    def find_ids(self, wanted: bytes) -> npt.NDArray[np.int64]:
        """As `find_many`, of n ids of 40 bytes behind each other. Cost: a search for each once."""
        asked = np.frombuffer(wanted, np.uint8).reshape(-1, PACK_ID_BYTES)
        if not len(asked) or not len(self):
            return np.full(len(asked), -1, np.int64)
        ids = np.frombuffer(self.ids, np.uint8).reshape(-1, PACK_ID_BYTES)
        if self._starts is None:
            self._starts = _starts_of(ids)
        # Lists of many segments name the same packs over and over.
        starts, which = np.unique(_starts_of(asked), return_inverse=True)
        first = np.searchsorted(self._starts, starts).astype(np.int64)
        first[self._starts.take(first, mode="clip") != starts] = -1
        numbers = first[which]
        found = ids[numbers]
        if found.tobytes() != wanted:
            for at in np.flatnonzero((numbers >= 0) & (found != asked).any(axis=1)).tolist():
                numbers[at] = self._find_beside(int(numbers[at]), asked[at].tobytes())
        return numbers

    def _find_beside(self, number: int, wanted: bytes) -> int:
        """Two pushes may have made packs of one footer: these begin alike."""
        while number < len(self) and self.ids.startswith(wanted[:8], number * PACK_ID_BYTES):
            if self.ids.startswith(wanted, number * PACK_ID_BYTES):
                return number
            number += 1
        return -1


def _starts_of(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    return ids[:, :8].copy().view(">u8").reshape(-1).astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that gc may delete."""

    packs: ContentTable
    fragments: ContentTable
    manifests: ContentTable
    moved: tuple[KeyInfo, ...]
    index: tuple[KeyInfo, ...]
    lists: tuple[KeyInfo, ...]
    clocks: tuple[KeyInfo, ...]

    @property
    def tables(self) -> tuple[ContentTable, ...]:
        """Those of content, roots first: what is deleted first names the rest."""
        return self.manifests, self.packs, self.fragments

    @property
    def others(self) -> tuple[KeyInfo, ...]:
        """What is no content."""
        return (*self.moved, *self.index, *self.lists, *self.clocks)

    @property
    def total_bytes(self) -> int:
        """Of all that is listed."""
        return sum(sum(table.size_bytes) for table in self.tables) + sum(
            info.size_bytes for info in self.others
        )

    @property
    def unknown_count(self) -> int:
        """Keys where content lies that no release of this format writes; they stay."""
        return sum(table.unknown_count for table in self.tables)


def list_content(storage: Storage) -> Listing:
    """
    List a store's content.

    Cost: a scan of each kind; on a bucket in 16 parts side by side, a request for 1,000 keys.
    """
    is_near = is_guarded_here(storage.url)
    with ThreadPoolExecutor(1 if is_near else _PARALLEL) as pool:

        def table(kind: str) -> Iterator[ContentTable]:
            starts = [""] if is_near else _DIGITS
            return pool.map(lambda start: _scanned(storage, kind, start), starts)

        def keys(prefix: str) -> tuple[KeyInfo, ...]:
            return tuple(storage.scan(prefix))

        prefixes = (MOVED_PREFIX, INDEX_PREFIX, CONDEMNED_PREFIX, CLOCK_PREFIX)
        parts = {kind: table(kind) for kind in _KINDS}
        moved, index, lists, clocks = pool.map(keys, prefixes)
        tables = {kind: _joined(kind, found) for kind, found in parts.items()}
    return Listing(**tables, moved=moved, index=index, lists=lists, clocks=clocks)


def _scanned(storage: Storage, kind: str, start: str) -> ContentTable:
    table = ContentTable(kind)
    for info in storage.scan(f"{kind}/{start}"):
        table.add(info)
    return table


def _joined(kind: str, parts: Iterator[ContentTable]) -> ContentTable:
    whole = ContentTable(kind)
    for part in parts:
        whole.extend(part)
    return whole

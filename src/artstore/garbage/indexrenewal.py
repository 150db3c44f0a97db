"""
The index after packs have gone: without what was in them, and with what they were packed into.

The index is advisory: a push proves each pack that it learns from it. What is left in it of
packs that are gone costs such a push a request and a chunk that is stored twice, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from artstore import clock, limits
from artstore.errors import ArtstoreError, StorageError
from artstore.packs.format import KIND_FILE
from artstore.packs.index import (
    INDEX_PREFIX,
    MERGE_MAX_CHUNKS,
    IndexSegment,
    decode_index,
    encode_index,
    index_key,
)
from artstore.packs.locator import PUSH_ID_BYTES
from artstore.packs.openindex import HELD_MAX_BYTES
from artstore.packs.reader import PackReader
from artstore.storage.protocol import KeyInfo, Span, Storage

__all__ = ["RenewedIndex", "renew_index"]

_GROUP_CHUNKS: Final = 1_000_000
"""Segments of so many chunks together become one: 40 MB, and four times that while it is made."""
_AT_ONCE_BYTES: Final = 64 * limits.MIB

Chunk = tuple[bytes, bytes, int]


@dataclass(frozen=True, slots=True)
class RenewedIndex:
    """
    What was written, and what that stands for from now on.

    Attributes:
        replaced: keys of segments that nobody needs any more: garbage at once.
    """

    written: tuple[str, ...]
    replaced: tuple[str, ...]


def renew_index(
    storage: Storage,
    reader: PackReader,
    is_gone: Callable[[bytes], bool],
    new_packs: Mapping[str | None, Sequence[bytes]],
) -> RenewedIndex:
    """
    Write the index of each project anew as far as it names packs that go.

    Segments that cannot be read stay as they are: they count as absent anyway.

    Args:
        is_gone: whether a pack goes: it is condemned, was repacked, or is not there.
        new_packs: by project, what was packed; those of None are left out.
    Raises:
        StorageError: the storage fails.
        DamagedDataError: a new pack cannot be read.
    Cost: reads the index and the footers of new packs; writes what changes. Nothing is
        written if nothing does. Memory: 160 MB, more for a single segment that is larger.
    """
    renewal = _Renewal(storage, reader, is_gone)
    renewal.read()
    packs = {project: some for project, some in new_packs.items() if project is not None and some}
    renewal.write(packs)
    return RenewedIndex(tuple(renewal.written), tuple(renewal.replaced))


@dataclass(frozen=True, slots=True)
class _Touched:
    """A segment that names a pack that goes."""

    info: KeyInfo
    chunk_count: int


class _Renewal:
    def __init__(
        self, storage: Storage, reader: PackReader, is_gone: Callable[[bytes], bool]
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._is_gone = is_gone
        self._touched: dict[str, list[_Touched]] = {}
        self._keys: frozenset[str] = frozenset()
        self.written: list[str] = []
        self.replaced: list[str] = []

    def read(self) -> None:
        """Find what has to be written anew, the newest first."""
        infos = [i for i in self._storage.scan(INDEX_PREFIX) if i.size_bytes <= HELD_MAX_BYTES]
        self._keys = frozenset(info.key for info in infos)
        superseded: set[str] = set()
        for info, segment in self._segments(infos[::-1]):
            superseded.update(segment.replaces)
            if info.key in superseded or not any(map(self._is_gone, segment.packs)):
                continue
            touched = _Touched(info, len(segment))
            self._touched.setdefault(segment.project, []).append(touched)

    def write(self, new_packs: Mapping[str, Sequence[bytes]]) -> None:
        """Replace segments, and tell of the new packs."""
        for project in sorted({*self._touched, *new_packs}):
            groups = list(_groups(self._touched.get(project, ())))
            packs: Sequence[bytes] = new_packs.get(project, ())
            for group in groups:
                segments = [segment for _, segment in self._segments(group)]
                self._write(project, packs, segments)
                # They are told of once.
                packs = ()
            if packs:
                self._write(project, packs, ())

    def _write(
        self, project: str, packs: Sequence[bytes], segments: Sequence[IndexSegment]
    ) -> None:
        kept = self._kept(packs, segments)
        first = next(kept, None)
        keys = list(dict.fromkeys(key for segment in segments for key in self._replaced(segment)))
        self.replaced += keys
        if first is None:
            return
        key = index_key(clock.random_bytes(PUSH_ID_BYTES))
        level = max((segment.level for segment in segments), default=0)
        chunks = chain((first,), kept)
        data = encode_index(chunks, project=project, level=level, replaces=keys)
        self._storage.create(key, data)
        self.written.append(key)

    def _replaced(self, segment: IndexSegment) -> Iterator[str]:
        yield segment.key
        # What it stands for itself would count again once it is deleted.
        for key in segment.replaces:
            if key in self._keys:
                yield key

    def _kept(self, packs: Sequence[bytes], segments: Sequence[IndexSegment]) -> Iterator[Chunk]:
        for pack in packs:
            footer = self._reader.footer(pack)
            for ordinal, (digest, kind) in enumerate(
                zip(footer.digests, footer.kinds, strict=True)
            ):
                # As a push tells it: what lists files is found through manifests.
                if kind == KIND_FILE:
                    yield digest, pack, ordinal
        for segment in segments:
            going = {pack for pack in segment.packs if self._is_gone(pack)}
            for chunk in segment.chunks():
                if chunk[1] not in going:
                    yield chunk

    def _segments(self, infos: Sequence[KeyInfo]) -> Iterator[tuple[KeyInfo, IndexSegment]]:
        """Those that can be read, in the order asked; some at once."""
        batch: list[KeyInfo] = []
        held_bytes = 0
        for info in infos:
            if batch and held_bytes + info.size_bytes > _AT_ONCE_BYTES:
                yield from self._read_batch(batch)
                batch, held_bytes = [], 0
            batch.append(info)
            held_bytes += info.size_bytes
        yield from self._read_batch(batch)

    def _read_batch(self, infos: list[KeyInfo]) -> Iterator[tuple[KeyInfo, IndexSegment]]:
        while infos:
            replies = self._storage.read_many(
                [(info.key, Span(0, info.size_bytes)) for info in infos]
            )
            done = 0
            try:
                for info, data in zip(infos, replies, strict=False):
                    done += 1
                    segment = _decoded(info.key, bytes(data))
                    if segment is not None:
                        yield info, segment
            except StorageError:
                raise
            except ArtstoreError:
                # Gone or shorter meanwhile; on with those behind it.
                done += 1
            infos = infos[done:]


def _decoded(key: str, data: bytes) -> IndexSegment | None:
    try:
        return decode_index(data, key=key)
    except ArtstoreError:
        return None


def _groups(touched: Iterable[_Touched]) -> Iterator[list[KeyInfo]]:
    """Neighbours that become one segment."""
    group: list[KeyInfo] = []
    count = 0
    for one in touched:
        if group and count + one.chunk_count > min(_GROUP_CHUNKS, MERGE_MAX_CHUNKS):
            yield group
            group, count = [], 0
        group.append(one.info)
        count += one.chunk_count
    if group:
        yield group

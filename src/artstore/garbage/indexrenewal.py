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

__all__ = ["IndexSurvey", "RenewedIndex", "renew_index"]

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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a segment without its chunks."""

    info: KeyInfo
    project: str
    packs: tuple[bytes, ...]
    replaces: tuple[str, ...]
    chunk_count: int


class IndexSurvey:
    """
    What the index says of packs; each segment is read once. Not for several threads.

    Those that cannot be read are left out: they count as absent anyway.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: dict[str, _Seen | None] = {}
        self._held: dict[str, IndexSegment] = {}
        self._held_bytes = 0
        self.keys: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """
        Look what is there now.

        Raises:
            StorageError: the storage fails.
        Cost: one scan, and a read of each segment that is new here. Memory: 80 bytes for each
            pack and segment, and 64 MB of segments.
        """
        infos = [i for i in self._storage.scan(INDEX_PREFIX) if i.size_bytes <= HELD_MAX_BYTES]
        self.keys = frozenset(info.key for info in infos)
        fresh = [info for info in infos if info.key not in self._seen]
        self._seen |= dict.fromkeys(info.key for info in fresh)
        for info, segment in self._read(fresh):
            self._seen[info.key] = _Seen(
                info, segment.project, tuple(segment.packs), tuple(segment.replaces), len(segment)
            )
            if self._held_bytes + info.size_bytes <= _AT_ONCE_BYTES:
                self._held[info.key] = segment
                self._held_bytes += info.size_bytes

    def newest_first(self) -> Iterator[_Seen]:
        """What is there and is not replaced by what came later."""
        superseded: set[str] = set()
        for key in sorted(self.keys, reverse=True):
            seen = self._seen[key]
            if seen is None:
                continue
            superseded.update(seen.replaces)
            if key not in superseded:
                yield seen

    def projects(self) -> dict[bytes, str]:
        """Whose packs there are, as far as the index tells."""
        found: dict[bytes, str] = {}
        for seen in self.newest_first():
            found |= dict.fromkeys(seen.packs, seen.project)
        return found

    def segments(self, infos: Sequence[KeyInfo]) -> Iterator[IndexSegment]:
        """These segments, as far as they are there still; held ones are not read again."""
        missing = [info for info in infos if info.key not in self._held]
        found = {info.key: segment for info, segment in self._read(missing)}
        for info in infos:
            if info.key in self._held:
                yield self._held[info.key]
            elif info.key in found:
                yield found[info.key]

    def _read(self, infos: Sequence[KeyInfo]) -> Iterator[tuple[KeyInfo, IndexSegment]]:
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


def renew_index(
    storage: Storage,
    reader: PackReader,
    is_gone: Callable[[bytes], bool],
    new_packs: Mapping[str | None, Sequence[bytes]],
    look: IndexSurvey | None = None,
) -> RenewedIndex:
    """
    Write the index of each project anew as far as it names packs that go.

    Segments that cannot be read stay as they are: they count as absent anyway.

    Args:
        is_gone: whether a pack goes: it is condemned, was repacked, or is not there.
        new_packs: by project, what was packed; those of None are left out.
        look: what is known of the index of this storage; it is brought up to date.
    Raises:
        StorageError: the storage fails.
        DamagedDataError: a new pack cannot be read.
    Cost: reads what of the index `look` has not, and the footers of new packs; writes what
        changes. Nothing is written if nothing does. Memory: 160 MB, more for a single
        segment that is larger.
    """
    look = look or IndexSurvey(storage)
    look.refresh()
    renewal = _Renewal(look, storage, reader, is_gone)
    packs = {project: some for project, some in new_packs.items() if project is not None and some}
    renewal.write(packs)
    return RenewedIndex(tuple(renewal.written), tuple(renewal.replaced))


class _Renewal:
    def __init__(
        self,
        look: IndexSurvey,
        storage: Storage,
        reader: PackReader,
        is_gone: Callable[[bytes], bool],
    ) -> None:
        self._look = look
        self._storage = storage
        self._reader = reader
        self._is_gone = is_gone
        self._touched: dict[str, list[_Seen]] = {}
        for seen in look.newest_first():
            if any(map(is_gone, seen.packs)):
                self._touched.setdefault(seen.project, []).append(seen)
        self.written: list[str] = []
        self.replaced: list[str] = []

    def write(self, new_packs: Mapping[str, Sequence[bytes]]) -> None:
        """Replace segments, and tell of the new packs."""
        for project in sorted({*self._touched, *new_packs}):
            groups = list(_groups(self._touched.get(project, ())))
            packs: Sequence[bytes] = new_packs.get(project, ())
            for group in groups:
                segments = list(self._look.segments(group))
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
            if key in self._look.keys:
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


def _decoded(key: str, data: bytes) -> IndexSegment | None:
    try:
        return decode_index(data, key=key)
    except ArtstoreError:
        return None


def _groups(touched: Iterable[_Seen]) -> Iterator[list[KeyInfo]]:
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

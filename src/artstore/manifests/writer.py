"""
Writing the manifest of a version: entries in, a root out, equal segments shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from artstore import limits
from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.errors import LimitExceededError
from artstore.manifests.entry import Entry
from artstore.manifests.root import SEGMENTS_MAX, Root, SegmentRef, encode_root, encode_segment_list
from artstore.manifests.segment import SegmentSplitter, encode_segment, starts_segment
from artstore.manifests.tree import RefFolder
from artstore.packs.builder import PackStream
from artstore.packs.format import KIND_CHUNK_LIST, KIND_SEGMENT, KIND_SEGMENT_LIST
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef
from artstore.packs.reflist import encoded_size

__all__ = ["ManifestWriter"]

_ROOT_SEGMENTS: Final = 8_192
"""Segments listed in the root itself: 4 M entries, a root of about 0.4 MB."""

_LIST_MAX_BYTES: Final = limits.CHUNK_MAX_BYTES // 2
"""A list of segments is a chunk: very long paths must not make it too large to read."""


class ManifestWriter:
    """
    Collects the entries of one version and writes what no earlier version has.

    A segment can be written only when the packs that it names are closed; until
    then its entries wait in memory, at most as many as one pack has chunks.

    Args:
        data: the stream that file chunks go to; the writer only closes its packs.
        open_stream: makes a stream for chunk lists, and one for segments: a
            value never lies in a pack that it names.
        known: chunks of earlier versions that may be shared, by digest: chunk
            lists, segments and segment lists.
        inline_bytes: segments up to this many bytes in all stay in the root.
        root_segments: more segments than this are listed in lists of their own.
    """

    def __init__(
        self,
        data: PackStream,
        open_stream: Callable[[], PackStream],
        known: Mapping[bytes, ChunkRef],
        *,
        inline_bytes: int = limits.INLINE_SEGMENTS_BYTES,
        root_segments: int = _ROOT_SEGMENTS,
    ) -> None:
        self._data = data
        self._lists = open_stream()
        self._segments = open_stream()
        self._known = known
        self._inline_max_bytes = inline_bytes
        self._root_segments = root_segments
        self._splitter = SegmentSplitter()
        self._waiting: deque[tuple[Entry, RefFolder | None]] = deque()
        self._unwritten: deque[tuple[int, list[Entry]]] = deque()
        self._inline: list[bytes] = []
        self._inline_bytes = 0
        self._done: dict[int, SegmentRef] = {}
        self._order: list[tuple[str, int]] = []
        self._seen_resolved = 0
        self.entry_count = 0
        self.relied: list[ChunkRef] = []

    # NodeStore, for the folders of large files ---------------------------------

    @property
    def resolved(self) -> Mapping[bytes, bytes]:
        """Placeholders of closed packs -> their ids."""
        return self._data.resolved

    def store_node(self, data: bytes, span_bytes: int) -> ChunkRef:
        """Keep a chunk list, shared with an earlier version when it has the same."""
        return self._store(self._lists, data, KIND_CHUNK_LIST, span_bytes)

    def close_packs(self) -> None:
        """Close the packs that chunk lists name."""
        self._data.close_pack()
        self._lists.close_pack()

    # entries -------------------------------------------------------------------

    def add(self, entry: Entry, folder: RefFolder | None = None) -> None:
        """The next entry in manifest order; `folder` holds the chunks of a large file."""
        self.entry_count += 1
        self._waiting.append((entry, folder))
        # Looking at everything that waits is worth it only after a pack closed.
        if len(self.resolved) != self._seen_resolved or not self._data.has_open_pack():
            self._advance()

    def finish(self, header: Mapping[str, Any]) -> bytes:
        """Write what is left; the bytes of the root. All packs are handed over."""
        self.close_packs()
        self._advance()
        self._lists.close_pack()
        if rest := self._splitter.rest():
            self._queue_segment(rest)
        self._write_segments()
        assert not self._waiting
        assert not self._unwritten
        if not self._done:
            inline = tuple(self._inline)
            return encode_root(Root(header, inline=inline), resolved=self.resolved)
        self._segments.close_pack()
        segments = [self._done[index] for index in range(len(self._order))]
        level = 0
        while len(segments) > self._root_segments:
            level += 1
            assert level <= limits.TREE_MAX_LEVELS, "more segments than the format allows"
            parts = _cut_list(segments, self._root_segments)
            segments = [self._store_list(part, level) for part in parts]
            self._segments.close_pack()
        return encode_root(Root(header, level, tuple(segments)), resolved=self.resolved)

    def _advance(self) -> None:
        if len(self.resolved) != self._seen_resolved:
            self._seen_resolved = len(self.resolved)
            self._write_segments()
        waiting = self._waiting
        while waiting:
            entry, folder = waiting[0]
            if folder is not None:
                if not folder.is_ready():
                    break
                refs, level = folder.finish()
                entry = replace(entry, chunks=refs, level=level)
            waiting.popleft()
            if done := self._splitter.add(entry):
                self._queue_segment(done)

    def _queue_segment(self, entries: list[Entry]) -> None:
        index = len(self._order)
        if index == SEGMENTS_MAX:
            raise LimitExceededError(
                f"{self.entry_count} entries take more than {SEGMENTS_MAX} segments, "
                "which is more than a version may have",
                code="limit-exceeded",
                hint="pack small files into archives or tables, or push several artifacts",
            )
        self._order.append((entries[0].path, len(entries)))
        if self._is_ready(entries):
            self._write_segment(index, encode_segment(entries, resolved=self.resolved))
        else:
            self._unwritten.append((index, entries))

    def _write_segments(self) -> None:
        for _ in range(len(self._unwritten)):
            index, entries = self._unwritten.popleft()
            if not self._is_ready(entries):
                self._unwritten.append((index, entries))
                continue
            self._write_segment(index, encode_segment(entries, resolved=self.resolved))

    def _is_ready(self, entries: Sequence[Entry]) -> bool:
        resolved = self.resolved
        return all(
            len(ref.pack) == PACK_ID_BYTES or ref.pack in resolved
            for entry in entries
            for ref in entry.chunks
        )

    def _write_segment(self, index: int, data: bytes) -> None:
        # Small versions keep their segments in the root; which it will be is
        # known only when the limit is passed.
        if not self._done and index == len(self._inline):
            self._inline.append(data)
            self._inline_bytes += len(data)
            if self._inline_bytes <= self._inline_max_bytes:
                return
            for at, earlier in enumerate(self._inline):
                self._store_segment(at, earlier)
            self._inline.clear()
            return
        if not self._done:
            for at, earlier in enumerate(self._inline):
                self._store_segment(at, earlier)
            self._inline.clear()
        self._store_segment(index, data)

    def _store_segment(self, index: int, data: bytes) -> None:
        first_path, count = self._order[index]
        ref = self._store(self._segments, data, KIND_SEGMENT, len(data))
        self._done[index] = SegmentRef(ref, first_path, count)

    def _store_list(self, segments: list[SegmentRef], level: int) -> SegmentRef:
        data = encode_segment_list(segments, level - 1, resolved=self.resolved)
        ref = self._store(self._segments, data, KIND_SEGMENT_LIST, len(data))
        count = sum(segment.entry_count for segment in segments)
        return SegmentRef(ref, segments[0].first_path, count)

    def _store(self, stream: PackStream, data: bytes, kind: int, span_bytes: int) -> ChunkRef:
        digest = digest_of(data)
        if (known := self._known.get(digest)) is not None:
            self.relied.append(known)
            return known._replace(span_bytes=span_bytes)
        # A file that repeats itself has equal chunk lists. Were they stored twice,
        # two packs of this push could get the same footer, and so the same key (I2).
        if (own := stream.find(digest)) is not None:
            return own._replace(span_bytes=span_bytes)
        coding, stored = codec.encode(data, sampled=False)
        return stream.add(digest, coding, stored, len(data), kind=kind, span_bytes=span_bytes)


def _cut_list(segments: list[SegmentRef], max_count: int) -> Iterator[list[SegmentRef]]:
    part: list[SegmentRef] = []
    size_bytes = 0
    for segment in segments:
        weight = 4 * len(segment.first_path) + 8 + encoded_size(1, 1)
        # Again by path alone; each first path has passed the segment rule, so
        # another view of the same hash is taken.
        if part and (
            _starts_list(segment.first_path)
            or len(part) == max_count
            or size_bytes + weight > _LIST_MAX_BYTES
        ):
            yield part
            part, size_bytes = [], 0
        part.append(segment)
        size_bytes += weight
    if part:
        yield part


def _starts_list(path: str) -> bool:
    return starts_segment(path + "\0")

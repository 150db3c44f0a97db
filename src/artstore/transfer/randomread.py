"""
Ranges of files, straight from the packs: the needed chunks, each verified, and no others.

What is read often is kept for the whole process, bounded: chunks, and the parts
of chunk lists that say which chunk holds which byte.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Final, Generic, NamedTuple, TypeVar

from artstore import forks, limits
from artstore.digest import Buffer
from artstore.errors import ArtstoreError, DamagedDataError
from artstore.manifests.entry import Entry
from artstore.manifests.tree import decode_node
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader, batches, decode_ref

__all__ = ["BoundedCache", "Piece", "RangeReader", "RangeRequest", "join_pieces"]

_CHUNKS_HELD_BYTES: Final = 64 * limits.MIB
_LARGE_READ_BYTES: Final = 16 * limits.MIB
"""Larger reads pass the cache by: they would empty it, and are seldom repeated."""
_LISTED_REFS_HELD: Final = 65_536
"""References of chunk lists kept decoded, 25 MB: those of 8 GiB of a usual file."""
_WORKERS: Final = 4

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


class Piece(NamedTuple):
    """Bytes of a file, from an offset on."""

    offset_bytes: int
    data: Buffer


class RangeRequest(NamedTuple):
    """Bytes `start` to `stop`, which is not part of it, of a file: 0 <= start <= stop <= size."""

    entry: Entry
    start: int
    stop: int


class _List(NamedTuple):
    """References with the offset at which each ends, from the beginning of the list."""

    refs: tuple[ChunkRef, ...]
    ends: tuple[int, ...]


class BoundedCache(Generic[_Key, _Kept]):
    """
    What was used last, up to a total weight. Safe for several threads, and after forks.
    """

    def __init__(self, max_weight: int, weigh: Callable[[_Kept], int]) -> None:
        self._max_weight = max_weight
        self._weigh = weigh
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._weight = 0
        self._lock = forks.new_lock()

    def get(self, key: _Key) -> _Kept | None:
        """What is kept under a key."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: _Key, value: _Kept) -> None:
        """Keep something; what was not used for longest gives way."""
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._max_weight and len(self._kept) > 1:
                self._weight -= self._weigh(self._kept.popitem(last=False)[1])


_chunks: BoundedCache[tuple[bytes, int], bytes] = BoundedCache(_CHUNKS_HELD_BYTES, len)
_lists: BoundedCache[bytes, _List] = BoundedCache(_LISTED_REFS_HELD, lambda kept: len(kept.refs))


class RangeReader:
    """Reads ranges of files. Safe for several threads."""

    def __init__(self, packs: PackReader) -> None:
        self._packs = packs

    def pieces(self, request: RangeRequest) -> list[Piece]:
        """Whole chunks that cover a range, in order. Raises as `pieces_of_many`."""
        return self.pieces_of_many([request])[0]

    def pieces_of_many(self, requests: Sequence[RangeRequest]) -> list[list[Piece]]:
        """
        Whole chunks that cover n ranges of files, in the order asked, each verified.

        Raises:
            DamagedDataError: with the `path` of a file that cannot be read.
        Cost: one read per coalesced range of a pack for all that is not kept, and
            one for the chunk lists above it. Memory: what is asked for, and up to
            two chunks more for each range.
        """
        located = [self._located(request) for request in requests]
        wanted = {_key(ref): ref for found in located for _, ref in found}
        plain: dict[tuple[bytes, int], Buffer] = {}
        missing = []
        for key, ref in wanted.items():
            kept = _chunks.get(key)
            if kept is None:
                missing.append(ref)
            else:
                plain[key] = kept
        try:
            self._read(missing, plain)
        except ArtstoreError as error:
            raise self._naming(error, requests, located) from error
        return [[Piece(offset, plain[_key(ref)]) for offset, ref in found] for found in located]

    def end_of_chunk(self, entry: Entry, at: int) -> int:
        """Where the chunk ends that holds byte `at`: what is read at once should end there."""
        ((begin, ref),) = self._located(RangeRequest(entry, at, at + 1))
        return begin + ref.plain_bytes

    # chunks ----------------------------------------------------------------------------

    def _read(self, refs: list[ChunkRef], plain: dict[tuple[bytes, int], Buffer]) -> None:
        is_large = sum(ref.plain_bytes for ref in refs) > _LARGE_READ_BYTES
        for ref, data in self._decoded(list(batches(refs))):
            if not is_large:
                # A copy: a view would keep the whole range that it came in.
                data = bytes(data)  # noqa: PLW2901
                _chunks.put(_key(ref), data)
            plain[_key(ref)] = data

    def _decoded(self, windows: list[list[ChunkRef]]) -> Iterator[tuple[ChunkRef, Buffer]]:
        if len(windows) <= 1:
            for window in windows:
                yield from self._decode(window)
            return
        with ThreadPoolExecutor(_WORKERS, "artstore-read") as workers:
            try:
                for found in workers.map(self._decode, windows):
                    yield from found
            finally:
                workers.shutdown(cancel_futures=True)

    def _decode(self, window: list[ChunkRef]) -> list[tuple[ChunkRef, Buffer]]:
        stored = self._packs.stored(window)
        return [(ref, decode_ref(ref, data)) for ref, data in zip(window, stored, strict=True)]

    # where they are --------------------------------------------------------------------

    def _located(self, request: RangeRequest) -> list[tuple[int, ChunkRef]]:
        """(offset in the file, chunk) of every chunk that a range touches."""
        entry, start, stop = request
        top = _List(entry.chunks, _ends(entry.chunks, entry))
        size = top.ends[-1] if top.ends else 0
        if size != entry.size_bytes:
            raise _damaged(entry, f"its chunks have {size} bytes, not {entry.size_bytes}")
        found = _overlapping(top, 0, start, stop)
        for _ in range(entry.level):
            lists = self._lists_of([ref for _, ref in found], entry)
            found = [
                child
                for (offset, _), below in zip(found, lists, strict=True)
                for child in _overlapping(below, offset, start, stop)
            ]
        for _, ref in found:
            if ref.span_bytes != ref.plain_bytes:
                raise _damaged(entry, "the span of a chunk is not its length")
        return found

    def _lists_of(self, refs: list[ChunkRef], entry: Entry) -> list[_List]:
        known = {ref.digest: _lists.get(ref.digest) for ref in refs}
        missing = [ref for ref in refs if known[ref.digest] is None]
        for ref, data in zip(missing, self._packs.chunks(missing), strict=True):
            below = tuple(decode_node(bytes(data), where=f"a chunk list of {entry.path}"))
            listed = _List(below, _ends(below, entry))
            known[ref.digest] = listed
            _lists.put(ref.digest, listed)
        found = []
        for ref in refs:
            held = known[ref.digest]
            assert held is not None
            if not held.ends or held.ends[-1] != ref.span_bytes:
                raise _damaged(entry, "the spans of a chunk list do not add up")
            found.append(held)
        return found

    def _naming(
        self,
        error: ArtstoreError,
        requests: Sequence[RangeRequest],
        located: list[list[tuple[int, ChunkRef]]],
    ) -> ArtstoreError:
        """The error again, with the first file that it is about."""
        path = requests[0].entry.path
        if len(requests) > 1 and isinstance(error, DamagedDataError):
            for request, found in zip(requests, located, strict=True):
                try:
                    self._read([ref for _, ref in found], {})
                except ArtstoreError:
                    path = request.entry.path
                    break
        message = f"{path} cannot be read: {error.message}"
        context = {**error.context, "path": path}
        return type(error)(message, code=error.code, hint=error.hint, **context)


def join_pieces(pieces: list[Piece], start: int, stop: int) -> bytes:
    """The bytes from `start` to `stop` out of pieces that cover them."""
    if len(pieces) == 1:
        begin, data = pieces[0]
        return bytes(data[start - begin : stop - begin])
    parts: list[Buffer] = []
    for begin, data in pieces:
        inner = begin >= start and begin + len(data) <= stop
        parts.append(data if inner else memoryview(data)[max(0, start - begin) : stop - begin])
    return b"".join(parts)


def _key(ref: ChunkRef) -> tuple[bytes, int]:
    # With the length: a hostile list may state another one for the same digest.
    return ref.digest, ref.plain_bytes


def _ends(refs: Sequence[ChunkRef], entry: Entry) -> tuple[int, ...]:
    # Else five lists could stand for 10**20 chunks of nothing.
    if any(ref.span_bytes == 0 for ref in refs):
        raise _damaged(entry, "a chunk list names a chunk of no bytes")
    return tuple(accumulate(ref.span_bytes for ref in refs))


def _overlapping(listed: _List, offset: int, start: int, stop: int) -> list[tuple[int, ChunkRef]]:
    found: list[tuple[int, ChunkRef]] = []
    if start >= stop:
        return found
    for at in range(bisect_right(listed.ends, start - offset), len(listed.refs)):
        begin = offset + (listed.ends[at - 1] if at else 0)
        if begin >= stop:
            break
        found.append((begin, listed.refs[at]))
    return found


def _damaged(entry: Entry, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{entry.path} cannot be read: {found}", code="manifest-damaged", path=entry.path
    )

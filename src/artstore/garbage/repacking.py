"""
Repacking: what live versions need of packs that are mostly garbage, copied into new packs.

The order is what keeps it safe (docs/format/moved.md section 5): new packs are durable, then
the moved records that lead to them, then whoever calls this condemns the old packs. A crash
in between leaves values that nothing names, which are garbage. Nothing is deleted here.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice, pairwise
from typing import Final, NamedTuple

from artstore import limits
from artstore.digest import Buffer
from artstore.errors import ArtstoreError, StorageError
from artstore.packs.builder import PackBuilder
from artstore.packs.format import TRAILER_BYTES, Footer
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import ChunkPlace, MovedRecord, encode_moved, moved_key
from artstore.packs.reader import PackReader, decode_ref
from artstore.storage.pace import PacedStorage
from artstore.storage.protocol import Span, Storage

__all__ = ["LeftPack", "Repacked", "plan_reads", "repack"]

_SPARE_PERCENT: Final = 5
"""Of the live bytes: how much garbage is read because the gaps that it makes are small."""
_BATCH_COUNT: Final = 16
_PARALLEL: Final = 8
_FOOTER_RECORD_BYTES: Final = 42

OnRepacked = Callable[[int, int], None]
"""Told (old packs, bytes written) as they are done."""


@dataclass(frozen=True, slots=True)
class LeftPack:
    """A pack that stays as it is, and why."""

    pack: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Repacked:
    """
    What a repack has done.

    Attributes:
        packs: the old ones of which all that is live was moved: these may be condemned.
        moved: keys of the records that were written.
        new_packs: by project, None where that is not known.
        live_bytes: of chunks that were moved, as stored.
        read_bytes, written_bytes: in all, footers and records included.
    """

    packs: tuple[bytes, ...]
    moved: tuple[str, ...]
    new_packs: Mapping[str | None, tuple[bytes, ...]]
    left: tuple[LeftPack, ...]
    live_bytes: int
    read_bytes: int
    written_bytes: int


def repack(
    storage: Storage,
    reader: PackReader,
    packs: Sequence[bytes],
    live_ordinals: Callable[[bytes], Iterable[int]],
    *,
    repack_id: bytes,
    moved_name: str,
    project_of: Callable[[bytes], str | None],
    earlier: Callable[[bytes], Iterable[MovedRecord]],
    bytes_per_second: int | None = None,
    on_progress: OnRepacked | None = None,
) -> Repacked:
    """
    Copy what is live of n packs into new packs, and write down where it went.

    Chunks are copied as they are stored, each compared with its digest before. Packs of
    several projects, and chunks of several kinds, are not mixed. A pack with anything
    damaged is left alone.

    Args:
        reader: of the same storage; footers that it has are not read again.
        live_ordinals: the chunks of a pack that something live needs.
        repack_id: 8 random bytes, the push id of the new packs.
        moved_name: of `moved.moved_name` with that id.
        project_of: whose pack it is.
        earlier: the records that lead to a pack, newest first: what they told of
            packs that are gone is told anew, with the new places.
        bytes_per_second: at most so much is read and written.
    Raises:
        StorageError: the storage fails; what was written until then is garbage.
    Cost: at most 1.1 times the live bytes are read where chunks have some KiB on average, and 1.05
        times written. Memory: one window of live chunks, a pack that is being stored, and
        an open pack for each kind of chunk, of which there is nearly always one;
        16 bytes for each chunk that an earlier record names.
    """
    place = storage
    if bytes_per_second is not None:
        place = PacedStorage(storage, bytes_per_second=bytes_per_second)
    by_project = sorted(dict.fromkeys(packs), key=lambda pack: (project_of(pack) or "", pack))
    with ThreadPoolExecutor(1, "artstore-repack") as writer:
        run = _Repack(
            place,
            reader,
            by_project,
            writer,
            repack_id=repack_id,
            moved_name=moved_name,
            earlier=earlier,
        )
        for project, some in groupby(by_project, key=project_of):
            run.begin(project)
            pending = iter(some)
            while batch := list(islice(pending, _BATCH_COUNT)):
                written_bytes = run.written_bytes
                run.take([(pack, sorted({int(i) for i in live_ordinals(pack)})) for pack in batch])
                if on_progress is not None:
                    on_progress(len(batch), run.written_bytes - written_bytes)
            run.end()
        return run.finish()


# --- Reading -----------------------------------------------------------------------


class _Wanted(NamedTuple):
    """A pack with what is live of it."""

    pack: bytes
    refs: list[ChunkRef]
    kinds: bytes

    @property
    def live_bytes(self) -> int:
        return sum(ref.stored_bytes for ref in self.refs)


def plan_reads(
    refs: Sequence[ChunkRef],
    *,
    spare_bytes: int,
    gap_bytes: int = limits.READ_GAP_BYTES,
    window_bytes: int = limits.READ_WINDOW_BYTES,
) -> list[list[ChunkRef]]:
    """
    Group chunks, ordered by pack and offset, into ranges to be read; pure.

    Chunks that touch share a range. Of the gaps between others the smallest are read too, as long
    as all of them together do not pass `spare_bytes`.

    Args:
        gap_bytes: a larger gap is never read.
        window_bytes: a longer range is cut, but not within a chunk.
    """
    gaps = [
        after.offset_bytes - before.offset_bytes - before.stored_bytes
        if after.pack == before.pack
        else gap_bytes + 1
        for before, after in pairwise(refs)
    ]
    closed: set[int] = set()
    for at in sorted(range(len(gaps)), key=gaps.__getitem__):
        if not 0 <= gaps[at] <= min(gap_bytes, spare_bytes):
            continue
        spare_bytes -= gaps[at]
        closed.add(at)
    groups: list[list[ChunkRef]] = []
    for at, ref in enumerate(refs):
        is_near = at - 1 in closed and _length(groups[-1], ref) <= window_bytes
        if is_near:
            groups[-1].append(ref)
        else:
            groups.append([ref])
    return groups


def _length(group: Sequence[ChunkRef], last: ChunkRef) -> int:
    return last.offset_bytes + last.stored_bytes - group[0].offset_bytes


# --- Writing -----------------------------------------------------------------------


@dataclass(slots=True)
class _Moves:
    """Where the chunks of one pack went, while the new packs are filled: 16 bytes a chunk."""

    ordinals: array[int] = field(default_factory=lambda: array("I"))
    packs: array[int] = field(default_factory=lambda: array("I"))
    new_ordinals: array[int] = field(default_factory=lambda: array("I"))
    offsets_bytes: array[int] = field(default_factory=lambda: array("I"))

    def add(self, ordinal: int, pack: int, new_ordinal: int, offset_bytes: int) -> None:
        self.ordinals.append(ordinal)
        self.packs.append(pack)
        self.new_ordinals.append(new_ordinal)
        self.offsets_bytes.append(offset_bytes)

    def rows(self, ids: Mapping[int, bytes]) -> Iterator[tuple[int, ChunkPlace]]:
        """(old ordinal, new place), ascending, of several the first; `ids`: packs by number."""
        last = -1
        for at in sorted(range(len(self.ordinals)), key=self.ordinals.__getitem__):
            if self.ordinals[at] == last:
                continue
            last = self.ordinals[at]
            yield (
                last,
                ChunkPlace(ids[self.packs[at]], self.new_ordinals[at], self.offsets_bytes[at]),
            )


class _Repack:
    def __init__(
        self,
        storage: Storage,
        reader: PackReader,
        packs: Iterable[bytes],
        writer: Executor,
        *,
        repack_id: bytes,
        moved_name: str,
        earlier: Callable[[bytes], Iterable[MovedRecord]],
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._footers_before_bytes = reader.footer_read_bytes
        self._repack_id = repack_id
        self._moved_name = moved_name
        self._earlier = earlier
        self._all = frozenset(packs)
        self._writer = writer
        # The new pack that is being stored, its number and id.
        self._storing: tuple[Future[int], int, bytes] | None = None
        self._project: str | None = None
        # Open packs by kind, each with its number; all that is closed by number.
        self._open: dict[int, tuple[int, PackBuilder]] = {}
        self._ids: dict[int, bytes] = {}
        self._made: set[bytes] = set()
        self._opened_count = 0
        # Old packs with chunks in a pack that is open.
        self._waiting: dict[bytes, _Moves] = {}
        self._of_earlier: dict[bytes, _Moves] = {}
        self._done: list[bytes] = []
        self._records: list[str] = []
        self._new_packs: dict[str | None, list[bytes]] = {}
        self._left: list[LeftPack] = []
        self._live_bytes = self._read_bytes = 0
        self.written_bytes = 0

    def begin(self, project: str | None) -> None:
        """What follows is of this project."""
        self._project = project

    def take(self, batch: Sequence[tuple[bytes, Sequence[int]]]) -> None:
        """Copy what is live of these packs, window by window."""
        with ThreadPoolExecutor(_PARALLEL, "artstore-footer") as workers:
            looked = list(workers.map(self._look, batch))
        window: list[_Wanted] = []
        for wanted in looked:
            if isinstance(wanted, LeftPack):
                self._left.append(wanted)
                continue
            if window and sum(one.live_bytes for one in (*window, wanted)) > (
                limits.READ_WINDOW_BYTES
            ):
                self._copy(window)
                window = []
            window.append(wanted)
        if window:
            self._copy(window)

    def end(self) -> None:
        """Close all packs of the project."""
        for kind in list(self._open):
            self._close(kind)
        self._settle()

    def finish(self) -> Repacked:
        """Write what is left to be written."""
        for pack, moves in sorted(self._of_earlier.items()):
            self._write_record(pack, moves)
        read_bytes = self._reader.footer_read_bytes - self._footers_before_bytes
        return Repacked(
            packs=tuple(self._done),
            moved=tuple(self._records),
            new_packs={project: tuple(packs) for project, packs in self._new_packs.items()},
            left=tuple(self._left),
            live_bytes=self._live_bytes,
            read_bytes=self._read_bytes + read_bytes,
            written_bytes=self.written_bytes,
        )

    # reading -------------------------------------------------------------------------

    def _look(self, item: tuple[bytes, Sequence[int]]) -> _Wanted | LeftPack:
        pack, ordinals = item
        if not ordinals:
            return LeftPack(pack, "nothing in it is live")
        try:
            # What is behind the last live chunk is not known, but seldom much.
            guess = (ordinals[-1] + 1) * _FOOTER_RECORD_BYTES * 5 // 4 + TRAILER_BYTES
            footer = self._reader.footer(pack, tail_bytes=guess)
        except StorageError:
            raise
        except ArtstoreError as error:
            return LeftPack(pack, error.message)
        if ordinals[-1] >= len(footer.digests):
            return LeftPack(pack, f"it has no chunk {ordinals[-1]}, which a live version names")
        return _Wanted(
            pack, _refs(pack, footer, ordinals), bytes(footer.kinds[i] for i in ordinals)
        )

    def _copy(self, window: Sequence[_Wanted]) -> None:
        refs = [ref for wanted in window for ref in wanted.refs]
        spare_bytes = sum(ref.stored_bytes for ref in refs) * _SPARE_PERCENT // 100
        groups = plan_reads(refs, spare_bytes=spare_bytes)
        found = self._read(groups)
        for wanted in window:
            stored = [found.pop((ref.pack, ref.ordinal), None) for ref in wanted.refs]
            self._copy_pack(wanted, stored)

    def _read(self, groups: Sequence[Sequence[ChunkRef]]) -> dict[tuple[bytes, int], Buffer]:
        """The stored chunks by pack and ordinal, without those of packs that cannot be read."""
        found: dict[tuple[bytes, int], Buffer] = {}
        while groups:
            requests = [
                (pack_key(group[0].pack), Span(group[0].offset_bytes, _length(group, group[-1])))
                for group in groups
            ]
            replies = self._storage.read_many(requests)
            done = 0
            try:
                for group, reply in zip(groups, replies, strict=False):
                    self._read_bytes += len(reply)
                    view = memoryview(reply)
                    for ref in group:
                        begin = ref.offset_bytes - group[0].offset_bytes
                        # A copy: what is kept of a range may be a small part of it.
                        piece = bytes(view[begin : begin + ref.stored_bytes])
                        found[ref.pack, ref.ordinal] = piece
                    done += 1
            except StorageError:
                raise
            except ArtstoreError:
                bad = groups[done][0].pack
                groups = [group for group in groups[done:] if group[0].pack != bad]
            else:
                break
        return found

    # writing -------------------------------------------------------------------------

    def _copy_pack(self, wanted: _Wanted, stored: Sequence[Buffer | None]) -> None:
        whole: list[Buffer] = []
        for ref, data in zip(wanted.refs, stored, strict=True):
            if data is None:
                self._left.append(LeftPack(wanted.pack, "it cannot be read, or is gone"))
                return
            try:
                decode_ref(ref, data)
            except ArtstoreError as error:
                self._left.append(LeftPack(wanted.pack, error.message))
                return
            whole.append(data)
        moves = _Moves()
        for ref, data, kind in zip(wanted.refs, whole, wanted.kinds, strict=True):
            number, builder = self._builder(kind, len(data))
            ordinal, offset = builder.add(ref.digest, ref.codec, data, ref.plain_bytes, kind)
            moves.add(ref.ordinal, number, ordinal, offset)
        # Not before it is complete: a new pack may have been closed meanwhile, and a record
        # of a part of the live chunks would lose the others.
        self._waiting[wanted.pack] = moves
        self._live_bytes += wanted.live_bytes

    def _builder(self, kind: int, size_bytes: int) -> tuple[int, PackBuilder]:
        if kind in self._open:
            _, builder = self._open[kind]
            if (
                builder.size_bytes + size_bytes > limits.PACK_TARGET_BYTES
                or len(builder) == limits.PACK_CHUNK_COUNT
            ):
                self._close(kind)
        if kind not in self._open:
            self._opened_count += 1
            self._open[kind] = (self._opened_count, PackBuilder())
        return self._open[kind]

    def _close(self, kind: int) -> None:
        # One at a time: while it is stored, the next one is filled.
        self._settle()
        number, builder = self._open.pop(kind)
        pack, parts = builder.finish(self._repack_id)
        # Two pushes, maybe into two projects, may have stored the same chunks.
        if pack in self._made:
            parts = []
        self._made.add(pack)
        self._storing = (self._writer.submit(self._store, pack, parts), number, pack)

    def _store(self, pack: bytes, parts: Sequence[Buffer]) -> int:
        if parts:
            self._storage.create(pack_key(pack), parts)
        return sum(map(len, parts))

    def _settle(self) -> None:
        """Wait until the last new pack is durable."""
        if self._storing is None:
            return
        future, number, pack = self._storing
        self._storing = None
        self.written_bytes += future.result()
        self._ids[number] = pack
        self._new_packs.setdefault(self._project, []).append(pack)
        self._write_records()

    def _write_records(self) -> None:
        """Of each old pack whose chunks all lie in packs that are durable now."""
        ready = [
            pack for pack, moves in self._waiting.items() if self._ids.keys() >= set(moves.packs)
        ]
        for pack in ready:
            moves = self._waiting.pop(pack)
            self._write_record(pack, moves)
            self._note_earlier(pack, moves)
            self._done.append(pack)

    def _note_earlier(self, pack: bytes, moves: _Moves) -> None:
        # A pack that is gone may lead to several that are repacked now, and has one record
        # of this repack: it is written when all is known.
        rows = {ordinal: at for at, ordinal in enumerate(moves.ordinals)}
        for record in self._earlier(pack):
            if record.pack in self._all:
                # It is there still, and tells of its chunks by itself.
                continue
            told = self._of_earlier.setdefault(record.pack, _Moves())
            for ordinal, place in record.moves():
                at = rows.get(place.ordinal) if place.pack == pack else None
                if at is not None:
                    told.add(
                        ordinal, moves.packs[at], moves.new_ordinals[at], moves.offsets_bytes[at]
                    )

    def _write_record(self, pack: bytes, moves: _Moves) -> None:
        if not moves.ordinals:
            return
        key = moved_key(pack, self._moved_name)
        data = encode_moved(pack, moves.rows(self._ids))
        self._storage.create(key, data)
        self.written_bytes += len(data)
        self._records.append(key)


def _refs(pack: bytes, footer: Footer, ordinals: Sequence[int]) -> list[ChunkRef]:
    offsets = footer.offsets_bytes()
    return [
        ChunkRef(
            footer.digests[i],
            pack,
            i,
            offsets[i],
            footer.stored_bytes[i],
            footer.plain_bytes[i],
            footer.codecs[i],
            footer.plain_bytes[i],
        )
        for i in ordinals
    ]

"""
Reading chunks out of packs in few, large requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from artstore import limits
from artstore.chunks import codec
from artstore.digest import DIGEST_BYTES, Buffer, digest_of
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError
from artstore.packs.format import TRAILER_BYTES, Footer, decode_footer, decode_trailer
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.movedpacks import MOVED_HOPS_COUNT, MovedPacks, pack_missing
from artstore.storage.protocol import Span, Storage

__all__ = ["PackReader", "RangePlan", "plan_ranges"]

_FIRST_TAIL_BYTES = 64 * limits.KIB
_BATCH_COUNT = 65_536
"""References read at once: chunks of one byte must not make 8 million of them."""
_FOOTERS_CHUNK_COUNT = 1 << 20
"""Chunks of footers kept in memory, 100 MB at most; older footers are read again."""
_ROUNDS_COUNT = MOVED_HOPS_COUNT + 2
_ASKED_IN_TURN_COUNT = 3
"""Packs that may turn out to be gone one after the other; of more, all are looked for at once."""


OnMissing = Callable[[ArtstoreError], ArtstoreError]


@dataclass(frozen=True, slots=True)
class RangePlan:
    """One request: a range of one pack and which of the asked chunks lie in it."""

    pack: bytes
    offset_bytes: int
    length_bytes: int
    indexes: tuple[int, ...]


def plan_ranges(
    refs: Sequence[ChunkRef],
    *,
    gap_bytes: int = limits.READ_GAP_BYTES,
    window_bytes: int = limits.READ_WINDOW_BYTES,
) -> list[RangePlan]:
    """
    Group n chunk references into requests; pure.

    Chunks of one pack that are at most `gap_bytes` apart share a request, as
    long as it stays within `window_bytes`.
    """
    order = sorted(range(len(refs)), key=lambda i: (refs[i].pack, refs[i].offset_bytes))
    plans: list[RangePlan] = []
    group: list[int] = []
    start = end = 0
    pack = b""
    for i in order:
        ref = refs[i]
        stop = ref.offset_bytes + ref.stored_bytes
        if group and (
            ref.pack != pack
            or ref.offset_bytes > end + gap_bytes
            or max(stop, end) - start > window_bytes
        ):
            plans.append(RangePlan(pack, start, end - start, tuple(group)))
            group = []
        if not group:
            pack, start, end = ref.pack, ref.offset_bytes, stop
        group.append(i)
        end = max(end, stop)
    if group:
        plans.append(RangePlan(pack, start, end - start, tuple(group)))
    return plans


class PackReader:
    """
    Reads chunks. Safe for several threads.

    Args:
        on_missing: given the error for something that is not there, the error to raise
            instead: it may know what became of it.
    Attributes:
        moved: what is known of packs that are gone.
        footer_read_bytes: of all footers read so far.
    """

    def __init__(self, storage: Storage, *, on_missing: OnMissing | None = None) -> None:
        self._storage = storage
        self._on_missing = on_missing
        self._footers: dict[bytes, Footer] = {}
        self._footers_count = 0
        self._lock = threading.Lock()
        self.moved = MovedPacks(storage)
        self.footer_read_bytes = 0

    def stored(self, refs: Sequence[ChunkRef]) -> list[Buffer]:
        """
        The stored form of n chunks in the order asked, not yet verified.

        Chunks of packs that are gone are read from where repacking has moved them.

        Raises:
            DamagedDataError: `pack-missing` or `range-missing`, naming the pack;
                `moved-damaged`, naming the record.
            NotFoundError: `content-swept`, gc has deleted it, as a reader of a store knows.
        Cost: one read per coalesced range; for packs that turn out to be gone what
            `MovedPacks` asks, once. Memory: all that is asked, at once, and
            as much again at most; one range more while it is taken apart.
        """
        try:
            return self._stored(refs)
        except DamagedDataError as error:
            if error.code != "pack-missing":
                raise
            raise self.explained(error) from error

    def explained(self, error: ArtstoreError) -> ArtstoreError:
        """The error to raise for something of a version that is not there."""
        return error if self._on_missing is None else self._on_missing(error)

    def _stored(self, refs: Sequence[ChunkRef]) -> list[Buffer]:
        answers: list[Buffer] = [b""] * len(refs)
        missing: Sequence[int] = range(len(refs))
        for _ in range(_ROUNDS_COUNT):
            places = self.moved.places([refs[i] for i in missing])
            left = self._read_into(answers, places, missing)
            if not left:
                return answers
            missing = left
        # Each round has found another pack gone: records lead to nothing but such.
        raise pack_missing(self._storage, [refs[missing[0]].pack])

    def _read_into(
        self, answers: list[Buffer], refs: Sequence[ChunkRef], places: Sequence[int]
    ) -> list[int]:
        """Read chunk k of `refs` into place k of `places`; the places whose pack is gone."""
        plans = plan_ranges(refs)
        gone: list[int] = []
        while plans:
            requests = [
                (pack_key(plan.pack), Span(plan.offset_bytes, plan.length_bytes)) for plan in plans
            ]
            done = 0
            replies = self._storage.read_many(requests)
            try:
                for plan, reply in zip(plans, replies, strict=False):
                    _take_apart(plan, reply, refs, answers, places)
                    done += 1
            except NotFoundError:
                missed = plans[done].pack
                self._note_gone(missed, plans[done + 1 :])
                rest, plans = plans[done:], []
                for plan in rest:
                    # Asked once: another thread may come to know it between.
                    if plan.pack == missed or self._is_gone(plan):
                        gone += [places[i] for i in plan.indexes]
                    else:
                        plans.append(plan)
            else:
                break
        return gone

    def _note_gone(self, pack: bytes, others: Sequence[RangePlan]) -> None:
        self.moved.note_gone([pack])
        left = {plan.pack for plan in others if not self._is_gone(plan)}
        if len(left) > _ASKED_IN_TURN_COUNT:
            # Each one that is found gone costs another round of requests.
            self.moved.look_among(left)

    def _is_gone(self, plan: RangePlan) -> bool:
        return self.moved.is_gone(plan.pack)

    def chunk(self, ref: ChunkRef) -> Buffer:
        """The plain bytes of one chunk, verified. Errors as `chunks`."""
        return decode_ref(ref, self.stored([ref])[0])

    def chunks(self, refs: Iterable[ChunkRef]) -> Iterator[Buffer]:
        """
        The plain bytes of each chunk in the order asked, each verified.

        Raises:
            DamagedDataError: `pack-missing`, `range-missing`, `chunk-damaged`;
                what was yielded before stays valid.
        Cost: one read per coalesced range; memory bounded by two read windows.
        Source: docs/format/pack.md.
        """
        for batch in batches(refs):
            for ref, stored in zip(batch, self.stored(batch), strict=True):
                yield decode_ref(ref, stored)

    def footer(self, pack: bytes, *, tail_bytes: int = _FIRST_TAIL_BYTES) -> Footer:
        """
        The list of chunks of a pack; also proof that the pack exists now.

        Args:
            tail_bytes: how much is read at first; more if the footer is longer.
        Raises:
            NotFoundError: `key-not-found`.
            DamagedDataError: `pack-damaged`.
        """
        known = self._footers.get(pack)
        if known is None:
            known = self._read_footer(pack, tail_bytes)
            self._keep_footer(pack, known)
        return known

    def _keep_footer(self, pack: bytes, footer: Footer) -> None:
        with self._lock:
            if pack in self._footers:
                return
            self._footers[pack] = footer
            self._footers_count += len(footer.digests)
            while self._footers_count > _FOOTERS_CHUNK_COUNT and len(self._footers) > 1:
                oldest = self._footers.pop(next(iter(self._footers)))
                self._footers_count -= len(oldest.digests)

    def _read_footer(self, pack: bytes, first_bytes: int) -> Footer:
        key = pack_key(pack)
        size = self._storage.stat(key).size_bytes
        tail_bytes = min(size, max(first_bytes, TRAILER_BYTES))
        tail = self._storage.read(key, Span(size - tail_bytes, tail_bytes))
        footer_bytes, count, checksum = decode_trailer(
            tail[-TRAILER_BYTES:], key=key, pack_bytes=size
        )
        if footer_bytes + TRAILER_BYTES > tail_bytes:
            whole = footer_bytes + TRAILER_BYTES
            tail = self._storage.read(key, Span(size - whole, whole - tail_bytes)) + tail
        with self._lock:
            self.footer_read_bytes += len(tail)
        body = tail[-TRAILER_BYTES - footer_bytes : -TRAILER_BYTES]
        found = digest_of(body)
        if found != pack[:DIGEST_BYTES]:
            raise DamagedDataError(
                f"the footer of {key} is damaged: its digest is {found.hex()}",
                code="pack-damaged",
                key=key,
                expected=pack[:DIGEST_BYTES].hex(),
                found=found.hex(),
            )
        return decode_footer(body, count, checksum, key=key, pack_bytes=size)


def _take_apart(
    plan: RangePlan,
    reply: Buffer,
    refs: Sequence[ChunkRef],
    answers: list[Buffer],
    places: Sequence[int],
) -> None:
    view = memoryview(reply)
    # A view keeps its whole range in memory. Of small labels between large
    # images that would be the images: there the labels are copied out.
    wanted = sum(refs[i].stored_bytes for i in plan.indexes)
    is_sparse = 2 * wanted < plan.length_bytes
    for i in plan.indexes:
        begin = refs[i].offset_bytes - plan.offset_bytes
        piece = view[begin : begin + refs[i].stored_bytes]
        answers[places[i]] = bytes(piece) if is_sparse else piece


def decode_ref(ref: ChunkRef, stored: Buffer, *, verify: bool = True) -> Buffer:
    """The plain bytes of a chunk; `verify=False` only where a digest over more bytes follows."""
    where = f"chunk {ref.ordinal} at byte {ref.offset_bytes} of {pack_key(ref.pack)}"
    if not verify:
        return codec.decode(ref.codec, stored, plain_bytes=ref.plain_bytes, where=where)
    try:
        return codec.decode_verified(
            ref.codec, stored, plain_bytes=ref.plain_bytes, digest=ref.digest, where=where
        )
    except DamagedDataError as error:
        error.context["key"] = pack_key(ref.pack)
        raise


def batches(
    refs: Iterable[ChunkRef], *, window_bytes: int = limits.READ_WINDOW_BYTES
) -> Iterator[list[ChunkRef]]:
    """Runs of references, whose plain or stored bytes stay within one read window."""
    batch: list[ChunkRef] = []
    total = 0
    for ref in refs:
        size = max(ref.stored_bytes, ref.plain_bytes)
        if batch and (total + size > window_bytes or len(batch) == _BATCH_COUNT):
            yield batch
            batch, total = [], 0
        batch.append(ref)
        total += size
    if batch:
        yield batch

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import limits
from artstore.chunks import codec
from artstore.digest import Buffer, digest_of
from artstore.errors import DamagedDataError
from artstore.packs.builder import PackStream
from artstore.packs.format import (
    HEADER,
    TRAILER_BYTES,
    Footer,
    decode_footer,
    decode_trailer,
    encode_footer,
)
from artstore.packs.locator import ChunkRef, pack_id_of_key, pack_key
from artstore.packs.reader import PackReader, batches, plan_ranges
from artstore.storage.memory import MemoryStorage
from tests.property.formats import DIGESTS, PACKS, REF_LISTS, U8, damaged, returns_or_refuses
from tests.unit.packs.making import PUSH, Push


@st.composite
def footers(draw: st.DrawFn) -> Footer:
    digests = draw(st.lists(DIGESTS, max_size=8))
    count = len(digests)
    sizes = st.integers(0, limits.CHUNK_MAX_BYTES)
    several = st.lists(sizes, min_size=count, max_size=count)
    kinds = st.lists(U8, min_size=count, max_size=count).map(bytes)
    stored, plain = array("I", draw(several)), array("I", draw(several))
    return Footer(tuple(digests), stored, plain, draw(kinds), draw(kinds))


def read_chunk(reader: PackReader, ref: ChunkRef, _: bytes) -> bytes:
    return bytes(reader.chunk(ref))


def read_footer(data: bytes, pack_bytes: int) -> Footer:
    tail = data[-TRAILER_BYTES:]
    size, count, checksum = decode_trailer(tail, key="it", pack_bytes=pack_bytes)
    body = data[-TRAILER_BYTES - size : -TRAILER_BYTES]
    return decode_footer(body, count, checksum, key="it", pack_bytes=pack_bytes)


@given(footers())
def test_a_footer_is_read_back(footer: Footer) -> None:
    body, trailer = encode_footer(footer)
    size = len(HEADER) + sum(footer.stored_bytes) + len(body) + len(trailer)
    assert read_footer(body + trailer, size) == footer
    offsets = footer.offsets_bytes()
    assert offsets[:1] == [len(HEADER)] * bool(offsets)
    ends = [at + n for at, n in zip(offsets, footer.stored_bytes, strict=True)]
    assert offsets[1:] + [size - len(body) - len(trailer)] * bool(ends) == ends


@given(footers(), st.integers(-50, 50).filter(bool))
def test_a_footer_of_a_pack_of_another_length_is_refused(footer: Footer, difference: int) -> None:
    body, trailer = encode_footer(footer)
    size = len(HEADER) + sum(footer.stored_bytes) + len(body) + len(trailer) + difference
    with pytest.raises(DamagedDataError):
        read_footer(body + trailer, size)


@given(footers(), st.data())
def test_a_damaged_footer_is_refused(footer: Footer, data: st.DataObject) -> None:
    body, trailer = encode_footer(footer)
    size = len(HEADER) + sum(footer.stored_bytes) + len(body) + len(trailer)
    broken = data.draw(damaged(body + trailer))
    found = returns_or_refuses(lambda data: read_footer(data, size), broken)
    assert found is None or found == footer


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_any_bytes_are_no_footer(data: bytes, pack_bytes: int) -> None:
    assert returns_or_refuses(lambda data: read_footer(data, pack_bytes), data) is None


@given(PACKS, st.text(max_size=10))
def test_a_pack_is_named_by_its_key_and_by_no_other(pack: bytes, other: str) -> None:
    key = pack_key(pack)
    assert pack_id_of_key(key) == pack
    for wrong in (other, key + other, other + key, key.upper(), key.replace("-", other)):
        if wrong != key:
            with pytest.raises(DamagedDataError):
                pack_id_of_key(wrong)


@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([b"a", b"b" * 50]), max_size=25),
    st.integers(1, 300),
    st.sets(st.integers(0, 24)),
)
def test_whatever_goes_into_a_stream_comes_out_of_its_packs(
    plains: list[bytes], target_bytes: int, close_at: set[int]
) -> None:
    storage = MemoryStorage()
    push = Push(storage, target_bytes=target_bytes)
    refs = []
    for i, plain in enumerate(plains):
        refs.append(push.chunk(plain))
        assert push.data.find(digest_of(plain)) == refs[-1]
        if i in close_at:
            push.data.close_pack()
    push.data.close_pack()
    placed = [ref._replace(pack=push.resolved[ref.pack]) for ref in refs]
    packs = PackReader(storage)
    assert [bytes(plain) for plain in packs.chunks(placed)] == plains
    assert len(push.data) == len(set(plains))
    listed = {digest: (pack, ordinal) for digest, pack, ordinal in push.data.chunks()}
    assert listed == {ref.digest: (ref.pack, ref.ordinal) for ref in placed}
    for key in push.keys:
        footer = packs.footer(pack_id_of_key(key))
        assert len(footer.digests) == 1 or storage.stat(key).size_bytes <= target_bytes + 24 + (
            42 * len(footer.digests)
        )
    for ref in placed:
        footer = packs.footer(ref.pack)
        assert footer.digests[ref.ordinal] == ref.digest
        assert footer.offsets_bytes()[ref.ordinal] == ref.offset_bytes
        assert footer.stored_bytes[ref.ordinal] == ref.stored_bytes


@given(REF_LISTS, st.integers(0, 2000), st.integers(1, 5000))
def test_every_chunk_lies_in_exactly_one_planned_range(
    refs: list[ChunkRef], gap_bytes: int, window_bytes: int
) -> None:
    plans = plan_ranges(refs, gap_bytes=gap_bytes, window_bytes=window_bytes)
    assert sorted(i for plan in plans for i in plan.indexes) == list(range(len(refs)))
    for plan in plans:
        inside = sorted((refs[i] for i in plan.indexes), key=lambda ref: ref.offset_bytes)
        assert {ref.pack for ref in inside} == {plan.pack}
        assert plan.offset_bytes == inside[0].offset_bytes
        end = plan.offset_bytes + plan.length_bytes
        assert end == max(ref.offset_bytes + ref.stored_bytes for ref in inside)
        # Only a chunk that is larger than the window alone passes the window.
        largest = max(ref.stored_bytes for ref in inside)
        assert plan.length_bytes <= max(window_bytes, largest)
        reached = plan.offset_bytes
        for ref in inside:
            assert ref.offset_bytes <= reached + gap_bytes
            reached = max(reached, ref.offset_bytes + ref.stored_bytes)


@given(REF_LISTS, st.randoms(use_true_random=False))
def test_ranges_do_not_depend_on_the_order_asked(refs: list[ChunkRef], random: object) -> None:
    shuffled = list(refs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def ranges(of: list[ChunkRef]) -> Iterator[tuple[bytes, int, int]]:
        for plan in plan_ranges(of, gap_bytes=10, window_bytes=3000):
            yield plan.pack, plan.offset_bytes, plan.length_bytes

    unique = [(ref.pack, ref.offset_bytes) for ref in refs]
    if len(set(unique)) == len(unique):
        assert list(ranges(shuffled)) == list(ranges(refs))


@given(REF_LISTS, st.integers(1, 3000))
def test_batches_keep_the_order_and_stay_within_the_window(
    refs: list[ChunkRef], window_bytes: int
) -> None:
    found = list(batches(refs, window_bytes=window_bytes))
    assert [ref for batch in found for ref in batch] == refs
    for batch in found:
        total = sum(max(ref.stored_bytes, ref.plain_bytes) for ref in batch)
        assert len(batch) == 1 or total <= window_bytes


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=6, unique=True), st.data())
def test_a_flipped_bit_of_a_pack_never_gives_other_bytes(
    plains: list[bytes], data: st.DataObject
) -> None:
    parts: list[Buffer] = []
    resolved: dict[bytes, bytes] = {}
    stream = PackStream(lambda _, given: parts.extend(given), PUSH, resolved)
    refs = []
    for plain in plains:
        coding, stored = codec.encode(plain)
        refs.append(stream.add(digest_of(plain), coding, stored, len(plain)))
    stream.close_pack()
    value = bytearray(b"".join(bytes(part) for part in parts))
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    value[bit // 8] ^= 1 << bit % 8
    pack = resolved[refs[0].pack]
    storage = MemoryStorage()
    storage.create(pack_key(pack), value)
    reader = PackReader(storage)
    end_of_chunks = refs[-1].offset_bytes + refs[-1].stored_bytes
    if bit // 8 >= end_of_chunks:
        assert returns_or_refuses(lambda _: reader.footer(pack), b"") is None
    for ref, plain in zip(refs, plains, strict=True):
        found = returns_or_refuses(partial(read_chunk, reader, ref._replace(pack=pack)), b"")
        assert found is None or bytes(found) == plain

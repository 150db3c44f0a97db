from __future__ import annotations

import itertools
import struct
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import limits
from artstore.errors import DamagedDataError
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import decode_refs, encode_refs, encoded_size
from tests.property.formats import REF_LISTS, U32, damaged, returns_or_refuses


@given(REF_LISTS, st.binary(max_size=20))
def test_a_list_is_read_back_with_what_follows_it(refs: list[ChunkRef], rest: bytes) -> None:
    assert decode_refs(encode_refs(refs) + rest, where="it") == (refs, rest)


@given(REF_LISTS)
def test_the_size_of_a_list_is_known_before_it_is_written(refs: list[ChunkRef]) -> None:
    packs = len({ref.pack for ref in refs})
    assert len(encode_refs(refs)) == encoded_size(len(refs), packs)


@given(REF_LISTS, st.data())
def test_digests_that_the_reader_has_may_be_left_out(
    refs: list[ChunkRef], data: st.DataObject
) -> None:
    known = [ref.digest if data.draw(st.booleans()) else None for ref in refs]
    own = b"".join(ref.digest for ref, has in zip(refs, known, strict=True) if has is None)
    found, rest = decode_refs(encode_refs(refs, digests=own), where="it", digests=known)
    assert (found, rest) == (refs, b"")


@given(REF_LISTS)
def test_placeholders_of_open_packs_leave_no_trace(refs: list[ChunkRef]) -> None:
    numbers = {pack: i for i, pack in enumerate({ref.pack for ref in refs})}
    waiting = [ref._replace(pack=b"open %d" % numbers[ref.pack]) for ref in refs]
    resolved = {b"open %d" % number: pack for pack, number in numbers.items()}
    assert encode_refs(waiting, resolved=resolved) == encode_refs(refs)


@given(st.binary())
def test_any_bytes_are_damage_or_a_list_that_can_be_written_again(data: bytes) -> None:
    found = returns_or_refuses(lambda data: decode_refs(data, where="it"), data)
    if found is not None:
        refs, rest = found
        assert decode_refs(encode_refs(refs) + rest, where="it") == (refs, rest)


@given(REF_LISTS, st.data())
def test_damaged_bytes_are_damage_or_references_within_the_limits(
    refs: list[ChunkRef], data: st.DataObject
) -> None:
    known = [data.draw(st.none() | st.just(ref.digest)) for ref in refs]
    broken = data.draw(damaged(encode_refs(refs)))
    for digests in (None, known):
        found = returns_or_refuses(partial(decode_refs, where="it", digests=digests), broken)
        for ref in found[0] if found is not None else ():
            assert ref.offset_bytes + ref.stored_bytes <= limits.PACK_MAX_BYTES
            assert ref.plain_bytes <= limits.CHUNK_MAX_BYTES
            assert 0 <= ref.span_bytes < 2**64


@given(U32, U32.filter(bool), st.binary(max_size=200))
def test_counts_are_checked_against_the_bytes_before_anything_is_built(
    packs: int, count: int, rest: bytes
) -> None:
    data = struct.pack("<II", packs, count) + rest
    if len(rest) < 40 * packs + 61 * count:
        with pytest.raises(DamagedDataError, match="cut short"):
            decode_refs(data, where="it")


@given(REF_LISTS.filter(bool))
def test_a_list_cut_short_anywhere_is_damage(refs: list[ChunkRef]) -> None:
    data = encode_refs(refs)
    for size in itertools.chain(range(min(48, len(data))), range(48, len(data), 7)):
        with pytest.raises(DamagedDataError):
            decode_refs(data[:size], where="it")

"""Which chunks are needed, by pack."""

from __future__ import annotations

from artstore.packs.needed import NeededChunks
from tests.unit.packs.making import PACK, make_ref

OTHER = bytes(40)


def test_ordinals_are_kept_by_pack_in_their_order() -> None:
    needed = NeededChunks([make_ref(3), make_ref(1), make_ref(0, pack=OTHER)])
    needed.add(make_ref(3))
    assert {pack: list(some) for pack, some in needed.items()} == {PACK: [3, 1, 3], OTHER: [0]}
    assert (len(needed), PACK in needed, b"" in needed) == (2, True, False)


def test_packs_that_are_not_closed_are_left_out() -> None:
    assert not NeededChunks([make_ref(pack=b"12345678")])


def test_what_another_needs_is_added() -> None:
    needed, other = NeededChunks([make_ref(1)]), NeededChunks([make_ref(2)])
    needed.merge(other)
    needed.merge({OTHER: [7]})
    assert {pack: list(some) for pack, some in needed.items()} == {PACK: [1, 2], OTHER: [7]}
    assert list(other[PACK]) == [2]


def test_a_chunk_takes_four_bytes() -> None:
    needed = NeededChunks(make_ref(i % 1000) for i in range(5000))
    assert needed[PACK].itemsize == 4

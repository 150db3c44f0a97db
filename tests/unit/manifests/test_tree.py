from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import pytest

from artstore.digest import digest_of
from artstore.errors import DamagedDataError
from artstore.manifests.tree import (
    COMPACT_REFS,
    INLINE_REFS,
    RefFolder,
    decode_node,
    encode_node,
    expand,
)
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import encode_refs
from tests.unit.packs.making import PACK, make_ref

OPEN = b"waiting!"


class Nodes:
    """A store of nodes in memory; the pack `OPEN` is closed when it is asked for."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.resolved: dict[bytes, bytes] = {}
        self.stored = self.closed = self.read_calls = 0

    def store_node(self, data: bytes, span_bytes: int) -> ChunkRef:
        self.stored += 1
        name = digest_of(data)
        self.data[name] = data
        return ChunkRef(name, PACK, 0, 8, len(data), len(data), 0, span_bytes)

    def close_packs(self) -> None:
        self.closed += 1
        self.resolved[OPEN] = PACK

    def read(self, refs: Sequence[ChunkRef]) -> Iterator[bytes]:
        self.read_calls += 1
        return (self.data[ref.digest] for ref in refs)

    def put(self, refs: Sequence[ChunkRef], span_bytes: int) -> ChunkRef:
        """A node by hand, as a hostile writer makes it."""
        return self.store_node(encode_node(refs), span_bytes)


def refs_of(count: int, *, first: int = 0, pack: bytes = PACK) -> list[ChunkRef]:
    return [make_ref(first + i, pack=pack) for i in range(count)]


def fold(
    refs: Sequence[ChunkRef],
    nodes: Nodes,
    *,
    inline: int = INLINE_REFS,
    compact: int = COMPACT_REFS,
) -> tuple[tuple[ChunkRef, ...], int]:
    folder = RefFolder(nodes, inline=inline, compact=compact)
    for ref in refs:
        folder.add(ref)
    return folder.finish()


def test_a_short_list_stays_as_it_is() -> None:
    nodes = Nodes()
    refs = refs_of(INLINE_REFS)
    assert fold(refs, nodes) == (tuple(refs), 0)
    assert (nodes.stored, nodes.closed) == (0, 0)
    assert list(expand(refs, 0, nodes.read)) == refs


def test_one_more_makes_a_list_of_its_own() -> None:
    nodes = Nodes()
    refs = refs_of(INLINE_REFS + 1)
    top, level = fold(refs, nodes)
    assert level == 1
    assert sum(ref.span_bytes for ref in top) == 100 * len(refs)
    assert list(expand(top, level, nodes.read)) == refs


@pytest.mark.parametrize(("inline", "level"), [(64, 1), (4, 2), (1, 2)])
def test_lists_of_lists_are_as_deep_as_needed(inline: int, level: int) -> None:
    nodes = Nodes()
    refs = refs_of(6000)
    top, found = fold(refs, nodes, inline=inline)
    assert found == level
    assert len(top) <= inline
    assert list(expand(top, level, nodes.read)) == refs


def test_memory_is_bounded_while_a_list_grows() -> None:
    nodes = Nodes()
    folder = RefFolder(nodes, compact=5000)
    refs = refs_of(12_000)
    for ref in refs:
        folder.add(ref)
        assert len(folder._open) < 5000
    assert nodes.stored > 0
    top, level = folder.finish()
    assert (top, level) == fold(refs, Nodes())
    assert list(expand(top, level, nodes.read)) == refs


def test_lists_are_cut_by_digest_so_that_a_change_rewrites_few() -> None:
    refs = refs_of(20_000)
    before, after = Nodes(), Nodes()
    fold(refs, before)
    fold([*refs[:9000], *refs_of(3, first=50_000), *refs[9005:]], after)
    assert len(before.data) > 40
    # The list that holds the change, and the one above it if there is one.
    assert len(after.data.keys() - before.data.keys()) <= 2


def test_a_list_names_only_packs_that_are_closed() -> None:
    nodes = Nodes()
    folder = RefFolder(nodes, inline=4)
    for ref in refs_of(10, pack=OPEN):
        folder.add(ref)
    assert not folder.is_ready()
    top, level = folder.finish()
    assert nodes.closed == 1
    assert folder.is_ready()
    assert [ref.pack for ref in expand(top, level, nodes.read)] == [PACK] * 10


def test_a_short_list_waits_for_no_pack() -> None:
    nodes = Nodes()
    refs = refs_of(3, pack=OPEN)
    assert fold(refs, nodes) == (tuple(refs), 0)
    assert nodes.closed == 0


def test_a_long_list_closes_packs_as_it_grows() -> None:
    nodes = Nodes()
    folder = RefFolder(nodes, compact=50)
    for ref in refs_of(49, pack=OPEN):
        folder.add(ref)
    assert nodes.closed == 0
    folder.add(make_ref(49, pack=OPEN))
    assert nodes.closed == 1


def test_a_last_list_of_a_few_bytes_is_folded_like_any_other() -> None:
    refs = refs_of(100)
    # It ends a list, so the five bytes behind it have one of their own.
    refs[-2] = refs[-2]._replace(digest=bytes(32))
    refs[-1] = make_ref(99, stored=5, plain=5)
    for inline in (64, 1):
        nodes = Nodes()
        top, level = fold(refs, nodes, inline=inline)
        assert list(expand(top, level, nodes.read)) == refs


def test_chunks_that_are_all_the_same_still_fold() -> None:
    nodes = Nodes()
    refs = [make_ref(1)] * 10_000
    top, level = fold(refs, nodes)
    assert list(expand(top, level, nodes.read)) == refs
    assert len(nodes.data) <= 2


def test_digests_that_end_a_list_at_every_chunk_still_fold() -> None:
    # A hostile file can be cut after each chunk, but not its lists of lists.
    refs = [make_ref(i)._replace(digest=b"\0" + digest_of(b"%d" % i)[1:]) for i in range(3000)]
    nodes = Nodes()
    top, level = fold(refs, nodes)
    assert level == 2
    assert list(expand(top, level, nodes.read)) == refs


def test_the_lists_of_one_level_are_read_together() -> None:
    nodes = Nodes()
    top, level = fold(refs_of(10_000), nodes)
    assert len(top) > 20
    list(expand(top, level, nodes.read))
    assert nodes.read_calls == 1


def test_only_the_lists_that_are_needed_are_read() -> None:
    nodes = Nodes()
    top, level = fold(refs_of(6000), nodes, inline=1)
    assert level == 2
    next(expand(top, level, nodes.read))
    assert nodes.read_calls == level


# bytes, and what a hostile writer makes of them -------------------------------------


def test_the_bytes_of_a_list_are_those_of_the_format() -> None:
    refs = refs_of(3)
    assert encode_node(refs) == b"ANO1" + struct.pack("<I", 3) + encode_refs(refs)
    assert decode_node(encode_node(refs), where="it") == refs


@pytest.mark.parametrize("data", [b"", b"ANO1", b"ANO2" + bytes(12), b"ASG1" + bytes(12)])
def test_what_is_no_list_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedDataError, match="no chunk list"):
        decode_node(data, where="it")


def test_counts_that_disagree_are_damage() -> None:
    sound = encode_node(refs_of(3))
    for data in (sound + b"x", sound[:4] + struct.pack("<I", 2) + sound[8:]):
        with pytest.raises(DamagedDataError, match="counts disagree"):
            decode_node(data, where="it")


@pytest.mark.parametrize("span_bytes", [0, 299, 301, 2**63])
def test_a_list_that_does_not_add_up_is_damage(span_bytes: int) -> None:
    nodes = Nodes()
    node = nodes.put(refs_of(3), span_bytes)
    with pytest.raises(DamagedDataError, match="add up"):
        list(expand([node], 1, nodes.read))


def test_lists_of_nothing_are_damage_however_many_stand_for_it() -> None:
    # Without this rule five small nodes stand for 1000**5 chunks without a byte.
    nodes = Nodes()
    node = make_ref(stored=0, plain=0)
    for _ in range(4):
        node = nodes.put([node] * 1000, 0)
    with pytest.raises(DamagedDataError, match="add up"):
        list(expand([node], 4, nodes.read))
    empty = nodes.put([], 0)
    with pytest.raises(DamagedDataError, match="add up"):
        list(expand([empty], 1, nodes.read))


@pytest.mark.parametrize("ref", [make_ref(stored=0, plain=0), make_ref(plain=100, span=101)])
def test_a_chunk_that_stands_for_other_than_its_bytes_is_damage(ref: ChunkRef) -> None:
    with pytest.raises(DamagedDataError, match="add up"):
        list(expand([ref], 0, Nodes().read))


def test_a_list_that_says_it_is_deeper_than_it_is_is_damage() -> None:
    nodes = Nodes()
    nodes.data[make_ref(0).digest] = b"the bytes of a file"
    node = nodes.put(refs_of(1), 100)
    with pytest.raises(DamagedDataError, match="no chunk list"):
        list(expand([node], 2, nodes.read))

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from artstore.digest import digest_of
from artstore.errors import DamagedDataError
from artstore.manifests.tree import RefFolder, decode_node, encode_node, expand
from artstore.packs.locator import ChunkRef
from tests.property.formats import REF_LISTS, U32, damaged, returns_or_refuses
from tests.unit.packs.making import PACK, make_ref


class Nodes:
    """A `NodeStore` in memory, whose packs are closed at once."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.resolved: dict[bytes, bytes] = {}

    def store_node(self, data: bytes, span_bytes: int) -> ChunkRef:
        self.data[digest_of(data)] = data
        return ChunkRef(digest_of(data), PACK, 0, 8, len(data), len(data), 0, span_bytes)

    def close_packs(self) -> None:
        """Lists of lists ask for it, whether any pack is open or not."""

    def read(self, refs: Sequence[ChunkRef]) -> Iterator[bytes]:
        for ref in refs:
            if ref.digest not in self.data:
                raise DamagedDataError("no such node", code="pack-missing")
            yield self.data[ref.digest]


NUMBERS = st.lists(st.integers(0, 3000), max_size=60) | st.integers(0, 1500).map(
    lambda count: list(range(count))
)
# Small enough to run over, large enough that four levels always suffice: a node
# of this many references has a digest that ends it only once in 256 times.
INLINES = st.integers(2, 64)


def fold(
    refs: list[ChunkRef], nodes: Nodes, *, inline: int, compact: int
) -> tuple[tuple[ChunkRef, ...], int]:
    folder = RefFolder(nodes, inline=inline, compact=compact)
    for ref in refs:
        folder.add(ref)
    assert folder.is_ready()
    return folder.finish()


@given(NUMBERS, INLINES, st.integers(1, 400))
def test_a_folded_list_unfolds_to_itself(numbers: list[int], inline: int, compact: int) -> None:
    refs = [make_ref(number) for number in numbers]
    nodes = Nodes()
    top, level = fold(refs, nodes, inline=inline, compact=compact)
    assert len(top) <= inline
    assert sum(ref.span_bytes for ref in top) == sum(ref.span_bytes for ref in refs)
    assert list(expand(top, level, nodes.read)) == refs


@given(NUMBERS, INLINES, st.integers(64, 400), st.integers(64, 400))
def test_when_memory_was_freed_leaves_no_trace(
    numbers: list[int], inline: int, one: int, other: int
) -> None:
    refs = [make_ref(number) for number in numbers]
    if min(one, other) > len(refs) or len(refs) <= inline:
        return
    found = {limit: fold(refs, Nodes(), inline=inline, compact=limit) for limit in (one, other)}
    if found[one][1] and found[other][1]:
        assert found[one] == found[other]


@given(REF_LISTS)
def test_a_node_is_read_back(refs: list[ChunkRef]) -> None:
    assert decode_node(encode_node(refs), where="it") == refs


@given(st.binary() | st.binary().map(lambda rest: b"ANO1" + rest))
def test_any_bytes_are_damage_or_a_node(data: bytes) -> None:
    found = returns_or_refuses(lambda data: decode_node(data, where="it"), data)
    if found is not None:
        assert decode_node(encode_node(found), where="it") == found


@given(U32, U32, U32, st.binary(max_size=100))
def test_counts_of_a_node_are_checked_before_anything_is_built(
    count: int, packs: int, listed: int, rest: bytes
) -> None:
    data = struct.pack("<4sIII", b"ANO1", count, packs, listed) + rest
    found = returns_or_refuses(lambda data: decode_node(data, where="it"), data)
    assert found is None or 61 * len(found) <= len(rest)


@given(st.integers(65, 700), st.integers(2, 8), st.data())
def test_a_forged_list_never_stands_for_more_than_it_says(
    count: int, inline: int, data: st.DataObject
) -> None:
    nodes = Nodes()
    top, level = fold(
        [make_ref(number) for number in range(count)], nodes, inline=inline, compact=10_000
    )
    name = data.draw(st.sampled_from(sorted(nodes.data)))
    nodes.data[name] = data.draw(damaged(nodes.data[name]))
    found = returns_or_refuses(lambda _: list(expand(top, level, nodes.read)), b"")
    if found is not None:
        assert sum(ref.plain_bytes for ref in found) == sum(ref.span_bytes for ref in top)
        assert all(ref.plain_bytes for ref in found)

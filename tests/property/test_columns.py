from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from artstore.columns import (
    shuffled_column,
    shuffled_values,
    u32_column,
    u32_values,
    u64_column,
    u64_values,
)
from tests.property.formats import U32, U64


@given(st.lists(U32))
def test_four_byte_columns_are_read_back(values: list[int]) -> None:
    data = u32_column(values)
    assert data == b"".join(value.to_bytes(4, "little") for value in values)
    assert list(u32_values(data)) == values


@given(st.lists(U64))
def test_eight_byte_columns_are_read_back(values: list[int]) -> None:
    data = u64_column(values)
    assert data == b"".join(value.to_bytes(8, "little") for value in values)
    assert list(u64_values(data)) == values


@given(st.data(), st.integers(1, 9), st.integers(0, 20))
def test_shuffling_moves_bytes_and_is_undone(data: st.DataObject, width: int, count: int) -> None:
    plain = data.draw(st.binary(min_size=width * count, max_size=width * count))
    shuffled = shuffled_column(plain, width)
    for i in range(count):
        for k in range(width):
            assert shuffled[k * count + i] == plain[i * width + k]
    assert shuffled_values(shuffled, width) == plain

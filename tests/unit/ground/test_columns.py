from __future__ import annotations

import pytest

from artstore import columns


def test_columns_are_little_endian_on_every_machine(monkeypatch) -> None:
    assert columns.u32_column([1, 2**32 - 1]) == b"\1\0\0\0\xff\xff\xff\xff"
    assert columns.u64_column([258]) == b"\2\1\0\0\0\0\0\0"
    assert list(columns.u64_values(b"\2\1\0\0\0\0\0\0")) == [258]


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_value_that_does_not_fit_its_column_is_an_error(value) -> None:
    with pytest.raises(OverflowError):
        columns.u32_column([value])


def test_shuffling_keeps_bytes_of_equal_weight_together_and_is_undone() -> None:
    plain = columns.u32_column([0x04030201, 0x14131211])
    shuffled = columns.shuffled_column(plain, 4)
    assert shuffled == bytes([1, 0x11, 2, 0x12, 3, 0x13, 4, 0x14])
    assert columns.shuffled_values(shuffled, 4) == plain


def test_no_values_are_no_bytes() -> None:
    assert columns.u64_column([]) == b""
    assert list(columns.u32_values(b"")) == []
    assert columns.shuffled_values(columns.shuffled_column(b"", 8), 8) == b""

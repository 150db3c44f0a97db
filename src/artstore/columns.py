"""
Columns of unsigned integers as little-endian bytes, on machines of either byte order.

`shuffled_*` keep the bytes of equal weight together (all lowest bytes, then all
second bytes, ...), which lets zstd shrink a column of small numbers to little
more than its lowest bytes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

__all__ = [
    "shuffled_column",
    "shuffled_values",
    "u32_column",
    "u32_values",
    "u64_column",
    "u64_values",
]

# array("I") is four bytes on every platform CPython runs on; "L" is not eight.
_U32, _U64 = "I", "Q"
assert array(_U32).itemsize == 4
assert array(_U64).itemsize == 8


def u32_column(values: Iterable[int]) -> bytes:
    """Values in 0..2**32-1, four bytes each. Raises OverflowError outside."""
    return _to_bytes(array(_U32, values))


def u32_values(data: bytes) -> array[int]:
    """Inverse of `u32_column`."""
    return _from_bytes(_U32, data)


def u64_column(values: Iterable[int]) -> bytes:
    """Values in 0..2**64-1, eight bytes each."""
    return _to_bytes(array(_U64, values))


def u64_values(data: bytes) -> array[int]:
    """Inverse of `u64_column`."""
    return _from_bytes(_U64, data)


def shuffled_column(plain: bytes, width: int) -> bytes:
    """Bytes 0 of every value, then bytes 1, ...: `width` planes."""
    return b"".join(plain[k::width] for k in range(width))


def shuffled_values(data: bytes, width: int) -> bytes:
    """Inverse of `shuffled_column`."""
    count = len(data) // width
    plain = bytearray(len(data))
    for k in range(width):
        plain[k::width] = data[k * count : (k + 1) * count]
    return bytes(plain)


def _to_bytes(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _from_bytes(code: str, data: bytes) -> array[int]:
    values: array[int] = array(code)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values

"""
Sets of row numbers: which rows of a table a condition is true for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

__all__ = ["RowSet"]

_BLOCK: Final = 1 << 12
"""Bytes of a bitmap that are counted together."""

_SPARSE: Final = 32
"""A set with less than one row of so many is kept as a list of numbers of 32 bits."""

_ONES: Final = np.array([byte.bit_count() for byte in range(256)], np.uint8)


class RowSet:
    """
    Some of `row_count` rows; `first` is the number of the first of these.

    A bitmap of one bit a row, or a list of numbers where few are in it.

    Args:
        parts: together, in any order, each number once: int64 [n], all in [first, first +
            row_count). One part after the other is read, and not kept.
    """

    __slots__ = ("_bits", "_counts", "_numbers", "count", "first", "nbytes", "row_count")

    def __init__(self, parts: Iterable[Any], first: int, row_count: int) -> None:
        self.first, self.row_count = first, row_count
        self.count = 0
        self._bits: Any = None
        self._numbers: Any = None
        self._counts: Any = None
        few: list[Any] = []
        is_in: Any = None
        for part in parts:
            self.count += len(part)
            places = part - first
            if is_in is None and self._is_sparse():
                few.append(places.astype(np.uint32))
                continue
            if is_in is None:
                is_in = np.zeros(row_count, np.bool_)
            for earlier in (*few, places):
                is_in[earlier] = True
            few.clear()
        if is_in is None:
            self._numbers = np.sort(np.concatenate([np.zeros(0, np.uint32), *few]))
            self.nbytes = self._numbers.nbytes
            return
        self._bits = np.packbits(is_in, bitorder="little")
        ones = np.add.reduceat(_ones(self._bits), np.arange(0, len(self._bits), _BLOCK))
        self._counts = np.concatenate(([0], np.cumsum(ones)))
        self.nbytes = self._bits.nbytes + self._counts.nbytes

    def _is_sparse(self) -> bool:
        return self.count * _SPARSE < self.row_count < 1 << 32

    def numbers(self, start: int, stop: int) -> Any:
        """The row numbers at the places [start, stop) of the set, ascending: int64 [n]."""
        start, stop = max(start, 0), min(stop, self.count)
        if start >= stop:
            return np.zeros(0, np.int64)
        if self._numbers is not None:
            return self._numbers[start:stop].astype(np.int64) + self.first
        low = int(np.searchsorted(self._counts, start, "right")) - 1
        high = int(np.searchsorted(self._counts, stop, "left"))
        bits = np.unpackbits(self._bits[low * _BLOCK : high * _BLOCK], bitorder="little")
        found = np.flatnonzero(bits) + (low * _BLOCK * 8 + self.first)
        before = int(self._counts[low])
        return found[start - before : stop - before].astype(np.int64)

    def rank(self, number: int) -> int | None:
        """How many numbers of the set are smaller; None if this one is not in it."""
        place = number - self.first
        if not 0 <= place < self.row_count:
            return None
        if self._numbers is not None:
            at = int(np.searchsorted(self._numbers, place))
            return at if at < self.count and self._numbers[at] == place else None
        byte, bit = divmod(place, 8)
        if not self._bits[byte] >> bit & 1:
            return None
        block = byte // _BLOCK
        before = int(self._counts[block]) + int(_ones(self._bits[block * _BLOCK : byte]).sum())
        return before + (int(self._bits[byte]) & ((1 << bit) - 1)).bit_count()


def _ones(data: Any) -> Any:
    """How many bits of each byte are set, as numbers that can be added up."""
    return _ONES[data].astype(np.int64)

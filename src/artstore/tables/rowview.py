"""
Rows of a table as a sequence, read as they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, overload

__all__ = ["RowView"]

_WINDOW_ROWS: Final = 256


class RowView(Sequence[Any]):
    """
    All rows, each as `make` has it; a window of 256 around the last one is kept.

    Args:
        read: gives the cells of the rows [start, stop).
        make: a row from its cells.
    """

    def __init__(
        self,
        row_count: int,
        read: Callable[[int, int], list[list[Any]]],
        make: Callable[[list[Any]], Any],
    ) -> None:
        self._row_count = row_count
        self._read = read
        self._make = make
        self._start = 0
        self._window: list[list[Any]] = []

    def __len__(self) -> int:
        return self._row_count

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        at = index + self._row_count if index < 0 else index
        if not 0 <= at < self._row_count:
            raise IndexError(f"row {index} of {self._row_count}")
        if not self._start <= at < self._start + len(self._window):
            self._start = at - at % _WINDOW_ROWS
            stop = min(self._start + _WINDOW_ROWS, self._row_count)
            self._window = self._read(self._start, stop)
        return self._make(self._window[at - self._start])

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, self._row_count, 8 * _WINDOW_ROWS):
            stop = min(start + 8 * _WINDOW_ROWS, self._row_count)
            for cells in self._read(start, stop):
                yield self._make(cells)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (RowView, list, tuple)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._row_count} rows>"

    def _slice(self, index: slice) -> list[Any]:
        start, stop, step = index.indices(self._row_count)
        if step == 1:
            return [self._make(cells) for cells in self._read(start, stop)]
        return [self[at] for at in range(start, stop, step)]

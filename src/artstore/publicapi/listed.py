"""
What a listing gives: a sequence that is asked for when it is first looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

__all__ = ["Listed"]

T = TypeVar("T")


class Listed(Sequence[T], Generic[T]):
    """
    Things that are found at the first look, each opened when it is reached.

    Args:
        find: what there is, in order; called once.
        open_one: makes one of it; None leaves it out.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Any]],
        open_one: Callable[[Any], T | None] = lambda one: one,
    ) -> None:
        self._find = find
        self._open_one = open_one
        self._found: list[Any] | None = None
        self._opened: dict[int, T] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self)}>"

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            # What is gone meanwhile is left out.
            numbers = range(*index.indices(len(self)))
            return [one for number in numbers if (one := self._one(number)) is not None]
        found = self._one(range(len(self))[index])
        if found is None:
            raise IndexError(index)
        return found

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self)):
            found = self._one(number)
            if found is not None:
                yield found

    @property
    def length(self) -> int:
        """How many there are."""
        return len(self)

    def _all(self) -> list[Any]:
        if self._found is None:
            self._found = list(self._find())
        return self._found

    def _one(self, number: int) -> T | None:
        if number not in self._opened:
            found = self._open_one(self._all()[number])
            if found is None:
                return None
            self._opened[number] = found
        return self._opened[number]

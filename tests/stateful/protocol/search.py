"""
Visiting every state that a set of processes can reach, and the shortest way to a bad one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

__all__ = ["Found", "explore"]

T = TypeVar("T", bound=Hashable)


class Found(NamedTuple):
    """How many states were visited, and the way to the first bad one; empty if there is none."""

    count: int
    trace: tuple[Any, ...] = ()
    complaint: str = ""


def explore(
    start: T,
    successors: Callable[[T], Iterable[T]],
    complaint: Callable[[T], str],
) -> Found:
    """
    Breadth first from `start`; a process that does nothing in a state has stalled or crashed.

    Args:
        complaint: what is wrong with a state, "" if nothing is.
    """
    parents: dict[T, T | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for after in successors(state):
            if after in parents:
                continue
            parents[after] = state
            if wrong := complaint(after):
                return Found(len(parents), tuple(reversed(list(_way(parents, after)))), wrong)
            waiting.append(after)
    return Found(len(parents))


def _way(parents: dict[T, T | None], state: T | None) -> Iterator[T]:
    while state is not None:
        yield state
        state = parents[state]

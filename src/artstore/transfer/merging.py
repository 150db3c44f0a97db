"""
Several sorted streams of items as one, in which each path stands once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

from artstore.errors import InvalidInputError
from artstore.manifests.entry import DIRECTORY, Entry
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.walk import Found

__all__ = ["Item", "Ranked", "Settle", "merge"]

Item = Found | BytesItem | TableItem | Entry
"""A file or link on disk, something in memory, or an entry without bytes of its own here."""

Ranked = tuple[Item, int]
"""An item, and the number of the stream that it comes from."""

Settle = Callable[[Ranked, Ranked], Ranked | None]
"""Which of two items at one path stays; the earlier stream's is given first. None: neither."""

_AFTER_SLASH: Final = "0"
"""The character after `/`: what sorts behind everything in a directory."""


def merge(streams: Sequence[Iterator[Item]], settle: Settle) -> Iterator[Item]:
    """
    The items of all streams by ascending path.

    A directory that is empty in one stream and holds something in another is not
    empty, and is left out.

    Raises:
        InvalidInputError: `path-twice`, neither of two items may stay, or a path is
            a file in one stream and a directory in another.
    Cost: memory for items beside an empty directory whose names begin like its own.
    """
    ranked = heapq.merge(
        *(zip(stream, repeat(rank)) for rank, stream in enumerate(streams)),
        key=lambda pair: pair[0].path,
    )
    yield from _checked(_without_filled(_one_a_path(ranked, settle)))


def _one_a_path(ranked: Iterable[Ranked], settle: Settle) -> Iterator[Item]:
    held: Ranked | None = None
    for pair in ranked:
        if held is not None and held[0].path == pair[0].path:
            held = settle(held, pair)
            if held is None:
                path = pair[0].path
                raise InvalidInputError(f"{path!r} is added twice", code="path-twice", path=path)
            continue
        if held is not None:
            yield held[0]
        held = pair
    if held is not None:
        yield held[0]


def _without_filled(items: Iterable[Item]) -> Iterator[Item]:
    waiting: list[Item] = []
    empty: list[str] = []
    filled: set[str] = set()
    for item in items:
        path = item.path
        while empty and path >= empty[-1] + "/":
            directory = empty.pop()
            if path < directory + _AFTER_SLASH:
                filled.add(directory)
        if waiting and not empty:
            yield from (one for one in waiting if one.path not in filled)
            waiting.clear()
            filled.clear()
        if item.kind == DIRECTORY:
            empty.append(path)
        if empty:
            waiting.append(item)
        else:
            yield item
    yield from (one for one in waiting if one.path not in filled)


def _checked(items: Iterable[Item]) -> Iterator[Item]:
    # What lies below a path comes before everything that sorts behind its slash, so
    # that few paths have to be remembered: `a`, and of `a-b` and `a/b` the first.
    above: list[str] = []
    for item in items:
        path = item.path
        while above and path >= above[-1] + _AFTER_SLASH:
            above.pop()
        for parent in above:
            if path.startswith(parent + "/"):
                raise InvalidInputError(
                    f"{parent!r} is added as a file and, with {path!r}, as a directory",
                    code="path-twice",
                    path=parent,
                )
        above.append(path)
        yield item

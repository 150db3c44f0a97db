"""
How causes of being out of date get from what was used to all that was built on it.

They spread along edges, nearest first, so that each node keeps the nearest ones and the
way by which each came. Nodes and causes are numbers here, in the order that decides
between equals: a store has tens of thousands of nodes, and each takes several causes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from artstore.lineage.records import (
    CollectionName,
    Edge,
    NodeName,
    RunName,
    VersionName,
    sort_key,
)

__all__ = ["Cause", "CauseKind", "Seed", "Spread"]

CauseKind: TypeAlias = Literal["bad", "deleted", "missing", "newer"]
"""In the order in which they weigh: of an input that is several, the first is told."""
KINDS: Final[tuple[CauseKind, ...]] = ("bad", "deleted", "missing", "newer")


@dataclass(frozen=True, slots=True)
class Cause:
    """
    Why a version is out of date.

    Args:
        kind: what is with `input`: marked bad, deleted, not in the store, or there is a newer one.
        newer: the version one would take today; None if there is none.
        asked: the alias by which it was asked for, if it was.
        path: from the version that is out of date, through runs and versions, to `input`.
    """

    kind: CauseKind
    input: VersionName
    newer: VersionName | None
    asked: str | None
    path: tuple[NodeName, ...]

    @property
    def is_direct(self) -> bool:
        """Whether no other version lies between."""
        return not any(isinstance(name, VersionName) for name in self.path[1:-1])


@dataclass(frozen=True, slots=True)
class Seed:
    """A cause where it begins, before it reached anything."""

    kind: CauseKind
    input: VersionName
    newer: VersionName | None
    asked: str | None

    @property
    def key(self) -> tuple[str, VersionName | CollectionName]:
        """Two of one key are told once, the nearer one: nine old versions are one reason."""
        return self.kind, self.input.collection if self.kind == "newer" else self.input

    @property
    def rank(self) -> tuple[Any, ...]:
        """What seeds are ordered by: how much they weigh, then their names."""
        return KINDS.index(self.kind), self.input, self.newer or (), self.asked or ""


class Spread:
    """
    Causes at the nodes that they reach.

    Args:
        seeds: nodes, each with what is wrong with something that went into it.
        limit: causes of one node and kind that are told.
        is_thorough: keep all of them on the way, however many.
    """

    def __init__(
        self,
        edges: Iterable[Edge],
        seeds: list[tuple[NodeName, Seed]],
        limit: int | None,
        *,
        is_thorough: bool,
    ) -> None:
        self._limit = limit
        # One more than is told: one may concern only the node it is passed on by.
        self._room = None if limit is None or is_thorough else limit + 1
        pairs = {(edge.before, edge.after) for edge in edges}
        self._nodes = sorted({end for pair in pairs for end in pair}, key=sort_key)
        self._number = {name: number for number, name in enumerate(self._nodes)}
        self._after: list[list[int]] = [[] for _ in self._nodes]
        for before, after in pairs:
            self._after[self._number[before]].append(self._number[after])
        self._seeds = sorted({seed for _, seed in seeds}, key=lambda one: one.rank)
        self._keys = _numbered(one.key for one in self._seeds)
        self._taken: list[dict[int, tuple[int, int]]] = [{} for _ in self._nodes]
        self._short: set[int] = set()
        self._run(seeds)

    def is_short_of_causes(self, name: VersionName) -> bool:
        """Whether there may be causes beside those that are told."""
        return self._number.get(name, -1) in self._short

    def is_unsure_of(self, name: VersionName) -> bool:
        """Whether it has no cause, and would perhaps with more room on the way."""
        number = self._number.get(name, -1)
        return number in self._short and not self._taken[number]

    def causes_of(self, name: VersionName) -> tuple[Cause, ...]:
        """The nearest first; of equal ones, what weighs more."""
        number = self._number.get(name)
        if number is None:
            return ()
        causes = []
        counts: dict[CauseKind, int] = defaultdict(int)
        # In the order in which they came: the nearest ones of each kind first.
        for key, (at, _) in self._taken[number].items():
            seed = self._seeds[at]
            counts[seed.kind] += 1
            if self._limit is not None and counts[seed.kind] > self._limit:
                self._short.add(number)
                continue
            path = self._path(number, key, seed)
            causes.append((len(path), at, path))
        return tuple(
            # To what came after a bad version it is no news that it came.
            Cause(one.kind, one.input, None if one.newer == name else one.newer, one.asked, path)
            for _, at, path in sorted(causes)
            for one in (self._seeds[at],)
        )

    def _path(self, number: int, key: int, seed: Seed) -> tuple[NodeName, ...]:
        path = [self._nodes[number]]
        while path[-1] != seed.input:
            number = self._taken[number][key][1]
            path.append(self._nodes[number])
        return tuple(path)

    def _run(self, seeds: list[tuple[NodeName, Seed]]) -> None:
        """Level by level, until nothing new is reached anywhere."""
        kinds = [KINDS.index(one.kind) for one in self._seeds]
        passes = self._barriers()
        numbers = {seed: at for at, seed in enumerate(self._seeds)}
        level = [
            (numbers[seed], self._number[node], self._number[seed.input]) for node, seed in seeds
        ]
        counts = [0] * (len(self._nodes) * len(KINDS))
        dropped: list[int] = []
        while level:
            level.sort()
            beyond: list[tuple[int, int, int]] = []
            for at, node, before in level:
                taken, key = self._taken[node], self._keys[at]
                if key in taken or not passes(at, node):
                    continue
                slot = node * len(KINDS) + kinds[at]
                if self._room is not None and counts[slot] >= self._room:
                    dropped.append(node)
                    continue
                counts[slot] += 1
                taken[key] = at, before
                beyond += [(at, after, node) for after in self._after[node]]
            level = beyond
        self._spread_doubt(dropped)

    def _barriers(self) -> Callable[[int, int], bool]:
        """
        Whether a seed concerns a node.

        No version is out of date because of itself, or of a newer one of its collection.
        """
        own: list[object] = [
            None if isinstance(name, RunName) or name.store else name.collection
            for name in self._nodes
        ]
        areas = [one.input.collection if one.kind == "newer" else None for one in self._seeds]
        inputs = [self._number[one.input] for one in self._seeds]

        def passes(at: int, node: int) -> bool:
            area = areas[at]
            return node != inputs[at] and (area is None or own[node] != area)

        return passes

    def _spread_doubt(self, dropped: list[int]) -> None:
        stack = list(dropped)
        while stack:
            node = stack.pop()
            if node not in self._short:
                self._short.add(node)
                stack += self._after[node]


def _numbered(keys: Iterable[Any]) -> list[int]:
    """Each key as a number, equal ones as the same."""
    known: dict[Any, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]

"""
What a lineage page is asked for, as it stands in its address, and back.

    node=PROJECT/NAME:VERSION  node=run:PROJECT/ID  direction=up|down|both  depth=N|all
    explode=1  open=TILE  fold=TILE  wide=N  extract=TILE  project=NAME  search=TEXT
    path=FILE  row=N  column=NAME
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from artstore.errors import InvalidInputError
from artstore.lineage.collapsing import WIDEST, CollapseOption
from artstore.lineage.graph import Direction
from artstore.lineage.records import NodeName, RunName

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

__all__ = ["DEPTH", "LineageAsked", "lineage_asked", "node_text"]

DEPTH: Final = 10
"""Edges from the nodes asked for, if nobody says: five runs and what lies between them."""

_RUN: Final = "run:"
_NODES_MAX: Final = 20
_KEYS_MAX: Final = 200
_NUMBER_MAX: Final = 100_000
_ROW_MAX: Final = 2**53
_TEXT_MAX: Final = 4_096
_ALL: Final = "all"

_PARTS: Final = (
    *("node", "direction", "depth", "explode", "open", "fold", "wide", "extract"),
    *("project", "search", "path", "row", "column"),
)


@dataclass(frozen=True, slots=True)
class LineageAsked:
    """
    A view of a graph.

    Args:
        nodes: names as they stand in an address, where the walk begins.
        extract: the key of a tile: only what it came from and what came of it is wanted.
        projects: of what is wanted; all if empty.
        path: of a file in the one version of `nodes`, whose origin is asked for.
        row, column: of the table that this file is.
    """

    nodes: tuple[str, ...]
    direction: Direction = "both"
    depth: int | None = DEPTH
    is_exploded: bool = False
    opened: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    widest: int = WIDEST
    extract: str | None = None
    projects: tuple[str, ...] = ()
    search: str = ""
    path: str | None = None
    row: int | None = None
    column: str | None = None

    @property
    def option(self) -> CollapseOption:
        """How the graph is collapsed."""
        return CollapseOption(
            self.is_exploded, frozenset(self.opened), frozenset(self.folded), self.widest
        )

    def unfolded(self, key: str) -> LineageAsked:
        """With one tile unfolded."""
        if key in self.folded:
            return replace(self, folded=tuple(one for one in self.folded if one != key))
        return replace(self, opened=(*self.opened, key))

    def refolded(self, key: str) -> LineageAsked:
        """With one tile folded again."""
        if key in self.opened:
            return replace(self, opened=tuple(one for one in self.opened if one != key))
        return replace(self, folded=(*self.folded, key)) if self.is_exploded else self

    def exploded(self, *, is_exploded: bool) -> LineageAsked:
        """With all tiles unfolded, or folded."""
        return replace(self, is_exploded=is_exploded, opened=(), folded=())

    def query(self) -> dict[str, Any]:
        """The parts of the address, without those that say what holds anyway."""
        depth = _ALL if self.depth is None else self.depth
        parts: Mapping[str, tuple[Any, Any]] = {
            "node": (list(self.nodes), None),
            "direction": (self.direction, "both"),
            "depth": (depth, DEPTH),
            "explode": (1 if self.is_exploded else None, None),
            "open": (list(self.opened), []),
            "fold": (list(self.folded), []),
            "wide": (self.widest, WIDEST),
            "extract": (self.extract, None),
            "project": (list(self.projects), []),
            "search": (self.search, ""),
            "path": (self.path, None),
            "row": (self.row, None),
            "column": (self.column, None),
        }
        return {name: value for name, (value, usual) in parts.items() if value != usual}


def node_text(name: NodeName) -> str:
    """How a node stands in an address."""
    return f"{_RUN}{name}" if isinstance(name, RunName) else str(name)


def lineage_asked(query: QueryParams) -> LineageAsked:
    """
    What an address asks for; parts that are empty say nothing.

    Raises:
        InvalidInputError: `request-invalid`.
    """
    given: dict[str, list[str]] = {name: [] for name in _PARTS}
    for name, text in query.multi_items():
        if len(text) > _TEXT_MAX:
            raise _refused(f"{name[:20]!r} has more than {_TEXT_MAX:,} characters")
        if name in given and text and text not in given[name]:
            given[name].append(text)
    last = {name: texts[-1] for name, texts in given.items() if texts}
    if not given["node"] or len(given["node"]) > _NODES_MAX:
        raise _refused(
            "lineage is asked for with node=PROJECT/NAME:VERSION or node=run:PROJECT/ID, "
            f"{_NODES_MAX} of them at most"
        )
    if any(len(given[name]) > _KEYS_MAX for name in ("open", "fold", "project")):
        raise _refused(f"open, fold and project are given at most {_KEYS_MAX} times")
    depth = last.get("depth")
    path = last.get("path")
    if path is not None and len(given["node"]) > 1:
        raise _refused("where a file comes from is asked of one version: give one node")
    return LineageAsked(
        tuple(given["node"]),
        _direction(last.get("direction", "both")),
        DEPTH if depth is None else None if depth == _ALL else _number("depth", depth, _NUMBER_MAX),
        last.get("explode") == "1",
        tuple(given["open"]),
        tuple(given["fold"]),
        _number("wide", last["wide"], _NUMBER_MAX) if "wide" in last else WIDEST,
        last.get("extract"),
        tuple(given["project"]),
        last.get("search", "").strip(),
        path,
        _number("row", last["row"], _ROW_MAX) if "row" in last else None,
        last.get("column"),
    )


def _direction(text: str) -> Direction:
    # Typed as the choices are, so that a new one is met here too.
    choices: tuple[Literal["up", "down", "both"], ...] = get_args(Direction)
    for choice in choices:
        if text == choice:
            return choice
    raise _refused(f"direction is one of {', '.join(choices)}, not {text[:20]!r}")


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > most:
        raise _refused(f"{name} is a whole number up to {most:,}, not {text[:20]!r}")
    return int(text)


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="request-invalid")

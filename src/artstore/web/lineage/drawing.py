"""
The picture of a graph: where each tile is drawn, what stands in it, how edges run.

Inputs are on the left, what came of them on the right. What is wrong with a version is told in
words and by a pattern, never by colour alone.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.lineage.captions import marks, visible
from artstore.lineage.records import NodeFacts, RunFacts, VersionFacts
from artstore.web.lineage.found import LineageFound, laid_out

if TYPE_CHECKING:
    from artstore.lineage.collapsing import Strand, Tile
    from artstore.lineage.layout import Layout, Routed
    from artstore.web.site import Site

__all__ = ["TILE_WIDTH", "DrawnGraph", "DrawnStrand", "DrawnTile", "draw", "fitted", "node_marks"]

TILE_WIDTH: Final = 216
_HEIGHT: Final = 46
_MARKED_HEIGHT: Final = 64
"""With a line for what is wrong."""
_BETWEEN: Final = 72
_GAP: Final = 20
_PADDING: Final = 24
_BACK_SHIFT: Final = 9
"""Edges that go back do not lie upon one that goes the other way."""
_COLUMNS: Final = 29
_TITLE_CHARS: Final = 300
_FAILED: Final = frozenset(("failed", "crashed", "killed"))

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DrawnTile:
    """
    A tile in the picture; lengths are pixels.

    Args:
        title, detail: one line each, short enough for the tile.
        name: all of it, for a screen reader and beside the pointer.
        marks: what is to be seen at a glance, `stale`, `2 bad`, with the pattern of each.
        before, after: keys of the tiles that lead to it and that it leads to, top down.
        more: on which sides it goes on beyond the graph: `up`, `down`.
    """

    tile: Tile
    x: int
    y: int
    height: int
    layer: int
    title: str
    detail: str
    name: str
    marks: tuple[tuple[str, str], ...]
    match_count: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    more: tuple[str, ...]

    @property
    def is_gone(self) -> bool:
        """Whether none of its nodes is there any more."""
        return all(facts.state in {"deleted", "missing"} for facts in self.tile.nodes)


@dataclass(frozen=True, slots=True)
class DrawnStrand:
    """
    An edge in the picture.

    Args:
        points: from the one tile to the other.
        path: the same as SVG draws it.
        told: what it is of, in words.
        middle: where its count stands.
    """

    strand: Strand
    points: tuple[Point, ...]
    path: str
    told: str
    middle: Point
    is_back: bool


@dataclass(frozen=True, slots=True)
class DrawnGraph:
    """A whole picture."""

    width: int
    height: int
    tiles: tuple[DrawnTile, ...]
    strands: tuple[DrawnStrand, ...]
    layer_count: int


def draw(site: Site, found: LineageFound) -> DrawnGraph:
    """
    Lay out a graph and write its tiles.

    Cost: as `layered`, the first time; then time by tiles and edges.
    """
    collapsed = found.collapsed
    numbers = {tile.key: at for at, tile in enumerate(collapsed.tiles)}
    told_marks = [tuple(_tile_marks(tile, found)) for tile in collapsed.tiles]
    heights = tuple(_MARKED_HEIGHT if told else _HEIGHT for told in told_marks)
    edges = tuple((numbers[one.before], numbers[one.after]) for one in collapsed.strands)
    layout = laid_out(site, heights, edges)
    before, after = _sides(found, layout, numbers)
    more = defaultdict(set)
    for one in found.graph.truncated:
        more[collapsed.tile_of.get(one.name)].add(one.direction)
    matched = Counter(collapsed.tile_of.get(name) for name in found.matches)
    root_projects = {name.project for name in found.graph.roots}
    tiles = []
    for at, tile in enumerate(collapsed.tiles):
        place = layout.places[at]
        title, detail = _lines(tile, root_projects, found)
        tiles.append(
            DrawnTile(
                tile,
                _left(place.layer),
                _PADDING + place.middle - heights[at] // 2,
                heights[at],
                place.layer,
                fitted(title, _COLUMNS),
                fitted(detail, _COLUMNS + 3),
                _name(tile, title, detail, told_marks[at], matched[tile.key]),
                told_marks[at],
                matched[tile.key],
                before[tile.key],
                after[tile.key],
                tuple(sorted(more[tile.key])),
            )
        )
    strands = tuple(
        _strand(strand, route, layout)
        for strand, route in zip(collapsed.strands, layout.routes, strict=True)
    )
    width = 2 * _PADDING + max(layout.layer_count, 1) * (TILE_WIDTH + _BETWEEN) - _BETWEEN
    return DrawnGraph(
        width, 2 * _PADDING + layout.extent, tuple(tiles), strands, layout.layer_count
    )


def node_marks(facts: NodeFacts, stale: Mapping[Any, Any] | None) -> list[str]:
    """What is wrong with a node: `deleted`, `missing`, `bad`, `stale`, `failed`, ..."""
    found = marks(facts)
    if isinstance(facts, RunFacts):
        return [*found, facts.state] if facts.state in _FAILED else found
    return [*found, "stale"] if stale and facts.name in stale else found


def fitted(text: str, columns: int) -> str:
    """The text in so many columns; of a longer one the beginning and the end."""
    text = visible(text, longest_chars=_TITLE_CHARS)
    widths = [_columns(char) for char in text]
    if sum(widths) <= columns:
        return text
    head = tail = 0
    left, right = 0, len(text)
    # The end tells versions apart: it gets the smaller half.
    while head + widths[left] <= (columns - 1) * 3 // 5:
        head += widths[left]
        left += 1
    while right > left and tail + widths[right - 1] <= columns - 1 - head:
        right -= 1
        tail += widths[right]
    return f"{text[:left]}\u2026{text[right:]}"


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _left(layer: int) -> int:
    return _PADDING + layer * (TILE_WIDTH + _BETWEEN)


def _tile_marks(tile: Tile, found: LineageFound) -> Iterator[tuple[str, str]]:
    """Pattern and words of each mark."""
    counts: Counter[str] = Counter()
    for facts in tile.nodes:
        counts.update(node_marks(facts, found.stale))
    is_one = len(tile.nodes) == 1
    for word, count in counts.items():
        yield word, word if is_one else f"{count:,} {word}"


def _lines(tile: Tile, root_projects: set[str], found: LineageFound) -> tuple[str, str]:
    facts = tile.nodes[0]
    is_far = {tile.project} != root_projects
    where = f"{tile.project}/" if is_far else ""
    if len(tile.nodes) > 1:
        return f"{where}{tile.label}", _group_detail(tile)
    if isinstance(facts, RunFacts):
        is_here = facts.name in found.unstored
        parts = [facts.job_type or "run", facts.state, *(["only here"] if is_here else [])]
        return f"{where}{facts.title or facts.name.run_id}", ", ".join(parts)
    name = facts.name
    store = f"{name.store[:8]}//" if name.store else ""
    tags = [f"#{tag}" for tag in facts.tags]
    detail = ", ".join([*([facts.type] if facts.type else []), *facts.aliases, *tags])
    return f"{store}{where}{name.name}:v{name.version}", detail or "version"


def _group_detail(tile: Tile) -> str:
    count = len(tile.nodes)
    others = "more " if tile.is_cluster else ""
    if tile.kind == "runs":
        states = Counter(facts.state for facts in tile.nodes)
        state = next(iter(states)) if len(states) == 1 else ""
        return f"{count:,} {others}runs{f', {state}' if state else ''}"
    names = {facts.name.name for facts in tile.nodes if isinstance(facts, VersionFacts)}
    told = f"{count:,} {others}versions"
    if len(names) > 1:
        return f"{told} of {len(names):,} artifacts"
    numbers = [facts.name.version for facts in tile.nodes if isinstance(facts, VersionFacts)]
    return f"{told}, v{min(numbers)} to v{max(numbers)}"


def _name(
    tile: Tile, title: str, detail: str, told: Sequence[tuple[str, str]], matched: int
) -> str:
    what = {"version": "Version", "run": "Run", "versions": "Versions", "runs": "Runs"}[tile.kind]
    parts = [f"{what} {title}", detail, *(words for _, words in told)]
    if tile.is_root:
        parts.append("asked for")
    if matched:
        parts.append("found" if len(tile.nodes) == 1 else f"{matched:,} found")
    return visible(", ".join(parts), longest_chars=_TITLE_CHARS)


def _sides(
    found: LineageFound, layout: Layout, numbers: Mapping[str, int]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """For each tile those before and behind it, from the top of the picture down."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for strand in found.collapsed.strands:
        after[strand.before].append(strand.after)
        before[strand.after].append(strand.before)

    def place(key: str) -> tuple[int, int]:
        at = layout.places[numbers[key]]
        return at.middle, at.layer

    return tuple(  # type: ignore[return-value]
        {key: tuple(sorted(side.get(key, ()), key=place)) for key in numbers}
        for side in (before, after)
    )


def _strand(strand: Strand, route: Routed, layout: Layout) -> DrawnStrand:
    ends = (layout.places[route.before], layout.places[route.after])
    low, high = ends[::-1] if route.is_back else ends
    shift = _BACK_SHIFT if route.is_back else 0
    points: list[Point] = [(_left(low.layer) + TILE_WIDTH, _PADDING + low.middle + shift)]
    for inner in route.inner:
        y = _PADDING + inner.middle
        points += [(_left(inner.layer), y), (_left(inner.layer) + TILE_WIDTH, y)]
    points.append((_left(high.layer), _PADDING + high.middle + shift))
    if route.is_back:
        points.reverse()
    at = len(points) // 2
    (x0, y0), (x1, y1) = points[at - 1], points[at]
    kinds = ", ".join(f"{kind} {count:,}" if count > 1 else kind for kind, count in strand.kinds)
    spoiled = f"; {strand.spoiled_count:,} from what is bad or gone" if strand.spoiled_count else ""
    return DrawnStrand(
        strand,
        tuple(points),
        _path(points),
        kinds + spoiled,
        ((x0 + x1) // 2, (y0 + y1) // 2 + (_BACK_SHIFT if route.is_back else 0)),
        route.is_back,
    )


def _path(points: Sequence[Point]) -> str:
    """Lines through layers, soft bends between them."""
    parts: list[str] = []
    for (x0, y0), (x1, y1) in zip(points[::2], points[1::2], strict=True):
        middle = (x0 + x1) // 2
        parts.append(f"{'L' if parts else 'M'}{x0} {y0}")
        parts.append(f"H{x1}" if y0 == y1 else f"C{middle} {y0} {middle} {y1} {x1} {y1}")
    return "".join(parts)

"""
The view of a table as a query string, and back: the address holds all of it.

Every part is optional. What is not understood is left out and told, so that an
address of another release, or one that was edited by hand, still opens a table.

    where=TEXT  sort=asc:NAME  compute=NAME=TEXT  group=NAME  start=N  row=N
    columns=JSON  pin=NAME  width=NAME:PX  render=NAME:RENDERER  mode=rows  size=PX
    among=0,4-9  chosen=0,4-9
    with=TABLE  key=NAME  how=merged  quick=both  judge=0,1  truth=NAME  guess=NAME
    matrix=TRUTH,GUESS  view=ID
    hide-layer=NAME  hide-class=NAME  score=NAME:LEAST  opacity=PERCENT

In `compute`, a `=` and a backslash within the name have a backslash in front.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from artstore.web.tables.rowranges import RowRanges, read_ranges, write_ranges

if TYPE_CHECKING:
    from artstore.tables.exploring import Selection

__all__ = ["ADDRESS_MAX_CHARS", "CAPTIONS_MAX", "SortPart", "TableState", "parse_state", "query_of"]

ADDRESS_MAX_CHARS: Final = 6_000
"""A longer state is kept by the server: proxies refuse lines of more than 8 KiB."""

CAPTIONS_MAX: Final = 3
"""Lines below a picture."""

_PARTS_MAX: Final = 4_000
_NUMBER_MAX: Final = 2**53
_GROUPS_MAX: Final = 2
_RENDERER: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_QUICK: Final = re.compile(r"both|only:[0-9]{1,2}|changed|disagree|regressed|fixed")
_JUDGED: Final = re.compile(r"([0-9]{1,2}),(?!\1$)([0-9]{1,2})")
_ALWAYS: Final = "TRUE"
_VIEW: Final = re.compile(r"[0-9a-f]{16,64}")
_NAME_END: Final = re.compile(r"((?:[^\\=]|\\.)*)=(.*)", re.DOTALL)


class SortPart(NamedTuple):
    """A column to sort by."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class TableState:
    """
    A view of a table.

    Attributes:
        where: conditions, SQL or Mongo; all have to hold.
        compute: names and expressions of columns that are computed.
        start: the first row that is seen, counted in the selection.
        row: the number in the table of the row that is open.
        columns: those shown, in order; None for all as they are.
        renderers: columns and how their cells are drawn, where a user chose.
        image: the column whose pictures the grid of images shows; None for the first.
        captions: columns told below each picture, "" for the picture's own words.
        smooth: whether pictures that are larger than they were are smoothed; None: as it fits.
        compared: `project/collection:version/table` of tables beside this one.
        among: numbers of the only rows that are looked at; None for all.
        chosen: numbers of rows that are ticked; they decide nothing.
        judge: numbers of the two compared tables that are judged, with a comma between.
        truth, guess: columns of what is right and of what was guessed, by their own names.
        matrix: the two columns whose matrix is shown, with a comma between.
        least_scores: names of scores of boxes and what they have to be at least.
        opacity_percent: of masks.
        view: the id of a state that the server keeps.
    """

    where: tuple[str, ...] = ()
    sort: tuple[SortPart, ...] = ()
    compute: tuple[tuple[str, str], ...] = ()
    among: RowRanges | None = None
    group: tuple[str, ...] = ()
    start: int = 0
    row: int | None = None
    columns: tuple[str, ...] | None = None
    pins: tuple[str, ...] = ()
    widths: tuple[tuple[str, int], ...] = ()
    renderers: tuple[tuple[str, str], ...] = ()
    mode: str = "rows"
    size_pixels: int | None = None
    image: str | None = None
    captions: tuple[str, ...] | None = None
    smooth: str | None = None
    compared: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    how: str | None = None
    quick: str | None = None
    judge: str | None = None
    truth: str | None = None
    guess: str | None = None
    matrix: str | None = None
    hidden_layers: tuple[str, ...] = ()
    hidden_classes: tuple[str, ...] = ()
    least_scores: tuple[tuple[str, float], ...] = ()
    opacity_percent: int | None = None
    chosen: RowRanges = ()
    view: str | None = None

    def selection(self) -> Selection:
        """What of it decides which rows there are, and in which order."""
        from artstore.tables.exploring import Selection, SortKey

        return Selection(
            # A selection without a condition has all rows.
            where=self.where if self.among is None else (*self.where, _ALWAYS),
            sort=tuple(SortKey(part.column, part.descending) for part in self.sort_parts()),
            computed=self.compute,
        )

    def judged(self) -> tuple[int, int]:
        """The two compared tables that are judged: the first two if nobody has chosen."""
        one, two = (self.judge or "0,1").split(",")
        return int(one), int(two)

    def sort_parts(self) -> tuple[SortPart, ...]:
        """What rows are sorted by: pictures of a group stand together."""
        if self.mode != "images":
            return self.sort
        rest = (part for part in self.sort if part.column not in self.group)
        return (*(SortPart(name, descending=False) for name in self.group), *rest)

    def pairs(self) -> list[tuple[str, str]]:
        """The parts in the order in which addresses have them; `parse_state` is the inverse."""
        found: list[tuple[str, str]] = []
        for part in _PARTS:
            value = getattr(self, part.field)
            if value != _DEFAULTS[part.field]:
                values = value if part.is_many else (value,)
                found += [(part.name, part.write(one)) for one in values]
        return found


def query_of(state: TableState) -> str:
    """The state as a query string, without `?`; empty for a table as it is."""
    return urlencode(state.pairs(), quote_via=quote, safe=":")


def parse_state(query: str | Iterable[tuple[str, str]]) -> tuple[TableState, tuple[str, ...]]:
    """
    The state that a query string, or its parts, tell.

    Returns:
        The state, and a sentence for each part that was left out.
    """
    if isinstance(query, str):
        query = parse_qsl(query, keep_blank_values=True, errors="replace")
    values: dict[str, Any] = {}
    told: list[str] = []
    for count, (name, text) in enumerate(query):
        if count >= _PARTS_MAX:
            told.append(f"an address has at most {_PARTS_MAX:,} parts; the others were left out")
            break
        _take(values, name, _plain(text), told)
    return TableState(**values), tuple(told)


def _take(values: dict[str, Any], name: str, text: str, told: list[str]) -> None:
    part = _BY_NAME.get(name)
    if part is None:
        told.append(f"this page knows no {_shown(name)} in an address")
        return
    try:
        value = part.read(text)
    except (ValueError, RecursionError) as error:
        told.append(f"{name}={_shown(text)} was left out: {error}")
        return
    if not part.is_many:
        values[part.field] = value
        return
    before = values.get(part.field, ())
    if len(before) >= part.most:
        told.append(f"{name}={_shown(text)} was left out: there are at most {part.most}")
    elif value not in before:
        values[part.field] = (*before, value)


def _shown(text: str) -> str:
    return repr(_plain(text) if len(text) <= 80 else f"{_plain(text[:80])}...")


def _plain(text: str) -> str:
    # Half surrogates come out of no browser, and fit into no answer.
    return text.encode("utf-8", "replace").decode("utf-8")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > _NUMBER_MAX:
        raise ValueError("it is no whole number from 0 on")
    return int(text)


def _within(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = _whole(text)
        if not least <= number <= most:
            raise ValueError(f"it is not from {least} to {most}")
        return number

    return read


def _one_of(*known: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"it is one of {', '.join(known)}")
        return text

    return read


def _matching(pattern: re.Pattern[str], said: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(f"it is no {said}")
        return text

    return read


def _condition(text: str) -> str:
    if not text.strip():
        raise ValueError("the condition is empty")
    return text


def _sort(text: str) -> SortPart:
    direction, colon, column = text.partition(":")
    if not colon or direction not in ("asc", "desc"):
        raise ValueError("it is asc:NAME or desc:NAME")
    return SortPart(column, direction == "desc")


def _write_sort(part: SortPart) -> str:
    return f"{'desc' if part.descending else 'asc'}:{part.column}"


def _computed(text: str) -> tuple[str, str]:
    found = _NAME_END.fullmatch(text)
    if found is None or not found[1] or not found[2].strip():
        raise ValueError("it is NAME=EXPRESSION")
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), found[2]


def _write_computed(pair: tuple[str, str]) -> str:
    name = pair[0].replace("\\", "\\\\").replace("=", "\\=")
    return f"{name}={pair[1]}"


def _names(text: str) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it is a list of names as JSON")
    return tuple(dict.fromkeys(map(_plain, names)))


def _few_names(text: str) -> tuple[str, ...]:
    names = _names(text)
    if len(names) > CAPTIONS_MAX:
        raise ValueError(f"there are at most {CAPTIONS_MAX}")
    return names


def _write_names(names: tuple[str, ...]) -> str:
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def _named(read: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
    def read_both(text: str) -> tuple[str, Any]:
        name, colon, value = text.rpartition(":")
        if not colon:
            raise ValueError("it is NAME:VALUE")
        return name, read(value)

    return read_both


def _write_named(pair: tuple[str, Any]) -> str:
    return f"{pair[0]}:{pair[1]}"


def _score(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it is no number")
    return number


class _Part(NamedTuple):
    name: str
    field: str
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    is_many: bool = False
    most: int = 2_000


_PARTS: Final = (
    _Part("where", "where", _condition, is_many=True, most=100),
    _Part("sort", "sort", _sort, _write_sort, is_many=True, most=20),
    _Part("compute", "compute", _computed, _write_computed, is_many=True, most=100),
    _Part("among", "among", read_ranges, write_ranges),
    _Part("group", "group", is_many=True, most=_GROUPS_MAX),
    _Part("start", "start", _whole),
    _Part("row", "row", _whole),
    _Part("columns", "columns", _names, _write_names),
    _Part("pin", "pins", is_many=True),
    _Part("width", "widths", _named(_within(20, 2000)), _write_named, is_many=True),
    _Part(
        "render",
        "renderers",
        _named(_matching(_RENDERER, "name of a renderer")),
        _write_named,
        is_many=True,
    ),
    _Part("mode", "mode", _one_of("rows", "images")),
    _Part("size", "size_pixels", _within(16, 1024)),
    _Part("image", "image"),
    _Part("captions", "captions", _few_names, _write_names),
    _Part("smooth", "smooth", _one_of("on", "off")),
    _Part("with", "compared", is_many=True, most=15),
    _Part("key", "keys", is_many=True, most=16),
    _Part("how", "how", _one_of("merged", "side", "concat")),
    _Part("quick", "quick", _matching(_QUICK, "quick filter")),
    _Part("judge", "judge", _matching(_JUDGED, "pair of compared tables such as 0,2")),
    _Part("truth", "truth"),
    _Part("guess", "guess"),
    _Part("matrix", "matrix"),
    _Part("hide-layer", "hidden_layers", is_many=True),
    _Part("hide-class", "hidden_classes", is_many=True),
    _Part("score", "least_scores", _named(_score), _write_named, is_many=True, most=100),
    _Part("opacity", "opacity_percent", _within(0, 100)),
    _Part("chosen", "chosen", read_ranges, write_ranges),
    _Part("view", "view", _matching(_VIEW, "id of a view")),
)
_BY_NAME: Final = {part.name: part for part in _PARTS}
_DEFAULTS: Final = {field.name: field.default for field in fields(TableState)}

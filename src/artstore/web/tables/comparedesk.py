"""
Tables that stand beside the one of a page: opened once, side by side or one after the other.

The sides come in the order in which they were logged, whichever of them the page is of:
so `$0` is the oldest one, and what got better is what got better with time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.tables.usualnames import GUESS_NAMES, TRUTH_NAMES
from artstore.web.site import RecentValues
from artstore.web.tables.desk import OpenedTable, open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artstore.api import LoggedArtifact
    from artstore.tables.exploring import CompareKey, Selection
    from artstore.tables.reading import RowReader
    from artstore.web.routing import Visit
    from artstore.web.tables.state import TableState

__all__ = [
    "ComparedSide",
    "Comparison",
    "base_names",
    "guess_of",
    "key_parts",
    "key_text",
    "only_among",
    "open_comparison",
    "quick_where",
    "selection_of",
    "shared_names",
    "truth_of",
]

_NAME: Final = re.compile(r"([^/:@]+)/([^/:@]+):([^/:@]+)/(.+)", re.DOTALL)
_COUNTS_KEPT: Final = 64
_AMONG_BYTES: Final = 16 * limits.MIB
"""Kept of answers about some rows of a table."""

_DIGEST: Final = "digest"
_KEY_ROLES: Final = ("number", "text", "bool", "time")
_POSITION: Final = "position"


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """
    One of the tables.

    Attributes:
        name: `project/collection:version/table`, as `with=` has it.
        label: as short as it can be among the others: `v3`.
        is_own: whether it is the one that the page is of.
    """

    name: str
    label: str
    version: LoggedArtifact
    path: str
    table: OpenedTable
    is_own: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    How tables are seen together.

    Attributes:
        how: `merged`, `side` or `concat`.
        key: how rows find each other, if they are merged.
        keys: all keys they could be merged by.
        counts: what was counted of a selection.
    """

    how: str
    sides: tuple[ComparedSide, ...]
    key: CompareKey | None
    keys: tuple[CompareKey, ...]
    counts: RecentValues[Any, Any] = field(default_factory=lambda: RecentValues(_COUNTS_KEPT))


def open_comparison(
    visit: Visit, version: LoggedArtifact, path: str, own: OpenedTable, state: TableState
) -> OpenedTable:
    """
    The table of a page together with those of `state.compared`.

    Raises:
        NotFoundError: a version or a table that is not there.
        InvalidInputError: `value-invalid`: no name of a table; `join-key-unknown`,
            `join-key-type`.
    Cost: that of opening the tables; rows are paired when they are asked for.
    """
    sides = _sides(visit, version, path, own, state.compared)
    if len(sides) < 2:
        raise InvalidInputError(
            f"{version.qualified_name}/{path} is compared with no other table",
            code="value-invalid",
        )
    how = state.how or "merged"
    from artstore.tables.exploring import possible_keys

    readers = [side.table.reader for side in sides]
    names = tuple((side.version.id, side.path) for side in sides)
    keys = tuple(possible_keys(readers))
    if how == "side":
        return replace(own, comparison=Comparison(how, sides, None, keys))
    key = None
    if how == "merged":
        # To find the default one reads a column: kept with what it is for.
        key = visit.site.kept(("key", names, state.keys), lambda: _key(readers, keys, state.keys))

    def make() -> OpenedTable:
        from artstore.tables.exploring import ComparedTables, Concatenated, ExploredTable

        labels = [side.label for side in sides]
        reader = Concatenated(readers, labels) if key is None else ComparedTables(readers, key)
        return OpenedTable(
            reader, ExploredTable(reader), comparison=Comparison(how, sides, key, keys)
        )

    found = visit.site.kept(("compared", names, key), make)
    comparison = found.comparison
    assert comparison is not None, "made above"
    return replace(found, comparison=replace(comparison, sides=sides))


def only_among(
    visit: Visit, version: LoggedArtifact, table: OpenedTable, state: TableState
) -> OpenedTable:
    """The table of a view, in which only the rows `state.among` are looked at."""
    ranges = state.among or ()
    key = ("among", version.id, visit.params["path"], state.compared, state.keys, state.how, ranges)

    def make() -> Any:
        from artstore.tables.exploring import ExploredTable
        from artstore.tables.exploring.chosenrows import chosen_numbers

        numbers = chosen_numbers(ranges, table.reader.row_count)
        return ExploredTable(table.reader, cache_bytes=_AMONG_BYTES, rows=numbers)

    return replace(table, explored=visit.site.kept(key, make))


def truth_of(table: OpenedTable, state: TableState) -> str | None:
    """The column of what is right: as the view names it, or by its usual name."""
    return state.truth or _usual(TRUTH_NAMES, table)


def guess_of(table: OpenedTable, state: TableState) -> str | None:
    """The column of what was guessed: as the view names it, or by its usual name."""
    return state.guess or _usual(GUESS_NAMES, table)


def key_text(key: CompareKey) -> str:
    """A key as it is told to people."""
    if key.kind == "columns":
        return ", ".join(key.columns)
    return _POSITION if key.kind == _POSITION else f"digest of {key.columns[0]}"


def key_parts(key: CompareKey) -> list[str]:
    """A key as `key=` has it, once for each."""
    if key.kind == "columns":
        return list(key.columns)
    return [":position"] if key.kind == _POSITION else [f":digest:{key.columns[0]}"]


def shared_names(comparison: Comparison) -> list[str]:
    """Columns that all tables have and that a key may be made of."""
    from artstore.tables.exploring.plans import role_of

    schemas = [side.table.reader.schema for side in comparison.sides]
    return [
        name
        for name in schemas[0].names
        if all(name in one.names and role_of(one.type_of(name)) in _KEY_ROLES for one in schemas)
    ]


def selection_of(table: OpenedTable, state: TableState) -> Selection:
    """The rows of a view: those of its conditions, and of its quick filter."""
    selection = state.selection()
    condition = quick_where(table, state, state.quick) if state.quick else None
    return replace(selection, where=(*selection.where, condition)) if condition else selection


def quick_where(table: OpenedTable, state: TableState, name: str) -> str | None:
    """The condition of a quick filter; None if tables are not merged. Raises InvalidInputError."""
    from artstore.tables.exploring import ComparedTables, quick_condition

    if not isinstance(table.reader, ComparedTables):
        return None
    truth, guess = truth_of(table, state), guess_of(table, state)
    return quick_condition(name, table.reader, truth, guess, state.judged())


# ----------------------------------------------------------------------------------------


def _sides(
    visit: Visit, version: LoggedArtifact, path: str, own: OpenedTable, compared: Sequence[str]
) -> tuple[ComparedSide, ...]:
    found = [(version, path, own, True)]
    for name in compared:
        parts = _NAME.fullmatch(name)
        if parts is None:
            raise InvalidInputError(
                f"{name[:200]!r} is no table to compare with",
                code="value-invalid",
                hint="name it as project/artifact:v3/table",
            )
        other = visit.site.opened(*parts.groups()[:3])
        if all((other.id, parts[4]) != (one.id, where) for one, where, _, _ in found):
            found.append((other, parts[4], open_table(visit, other, parts[4]), False))
    found.sort(key=lambda one: (one[0].created_at, one[0].collection.name, _number(one[0])))
    labels = _labels([(one, where) for one, where, _, _ in found])
    return tuple(
        ComparedSide(f"{one.qualified_name}/{where}", label, one, where, table, is_own)
        for (one, where, table, is_own), label in zip(found, labels, strict=True)
    )


def _number(version: LoggedArtifact) -> int:
    return int(version.version.removeprefix("v"))


def _labels(tables: Sequence[tuple[LoggedArtifact, str]]) -> list[str]:
    """As short as tells them apart."""
    whole = [f"{one.qualified_name}/{path}" for one, path in tables]
    candidates: Iterable[list[str]] = (
        [one.version for one, _ in tables],
        [path for _, path in tables],
        [f"{one.version}/{path}" for one, path in tables],
        [f"{one.collection.name}:{one.version}" for one, _ in tables],
    )
    short = next((one for one in candidates if len(set(one)) == len(one)), whole)
    return short if all(label.isprintable() for label in short) else whole


def _key(readers: Sequence[RowReader], keys: Sequence[CompareKey], asked: tuple[str, ...]) -> Any:
    from artstore.tables.exploring import CompareKey, default_key

    if not asked:
        return default_key(readers)
    shared = set(readers[0].schema.names).intersection(*(one.schema.names for one in readers))
    if len(asked) == 1 and asked[0] not in shared:
        kind, _, column = asked[0].removeprefix(":").partition(":")
        for key in keys:
            if key.kind == kind != "columns" and column in ("", *key.columns):
                return key
    return CompareKey("columns", asked)


def _usual(names: Sequence[str], table: OpenedTable) -> str | None:
    known = set(base_names(table))
    return next((name for name in names if name in known), None)


def base_names(table: OpenedTable) -> list[str]:
    """Columns as the tables themselves call them."""
    from artstore.tables.exploring import ComparedTables

    reader = table.reader
    if not isinstance(reader, ComparedTables):
        return list(reader.columns)
    return list(dict.fromkeys(name for one in reader.readers for name in one.columns))

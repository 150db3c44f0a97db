"""
Selections as SQL: what users write is parsed and compiled, and never put into a query as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.arrowtypes import type_of_arrow
from artstore.tables.engine import ROW, engine, quoted
from artstore.tables.exploring.answers import ColumnInfo
from artstore.tables.exploring.running import Relation, fetched, fetching
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.sources import Block, Source
from artstore.tables.types import ColumnType, Decimal, Duration, Media, Plain, Timestamp

__all__ = ["Plan", "Planner", "role_of"]

COMPUTED_MAX: Final = 50
_WEIGHT_MAX: Final = 500_000
"""Characters of a computed column when the ones that it is made of are written out in it."""

_ROLES: Final = {"bool": "bool", "text": "text", "date": "time", "time": "time"}


def role_of(kind: ColumnType) -> str:
    """What a column is to a page; see `ColumnInfo`."""
    if isinstance(kind, Plain):
        is_number = kind.name[-1].isdigit() or kind.name == "int"
        return "number" if is_number else _ROLES.get(kind.name, "other")
    if isinstance(kind, Timestamp):
        return "time"
    if isinstance(kind, (Decimal, Duration)):
        return "number"
    return "media" if isinstance(kind, Media) else "nested"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Rows of a source with some columns, as the query `s`.

    Attributes:
        inner: SQL: `ROW`, the columns as c0, c1, ..., and as `w` whether a row is selected.
        needs: columns of the source that it is made of.
    """

    source: Source
    inner: str
    needs: tuple[str, ...]

    def run(self, body: str, rows: Block | Relation | None = None, *, more: Any = None) -> Any:
        """
        The result of a query over `s`.

        Args:
            rows: which to read; all if left out.
            more: another relation that `body` names itself.
        """
        return fetched(*self._query(body, rows, more))

    def run_each(self, body: str, relations: Sequence[Relation]) -> Any:
        """The results of the same query over several relations, which run at the same time."""
        *others, last = relations
        if not others:
            return self.run(body, last)
        with ThreadPoolExecutor(len(others), "artstore-rows") as pool:
            running = [
                pool.submit(copy_context().run, self.run, body, relation) for relation in others
            ]
            found = self.run(body, last)
            return pa.concat_tables([*(one.result() for one in running), found])

    def running(
        self, body: str, rows: Block | Relation | None = None
    ) -> AbstractContextManager[Any]:
        """The same as a `pyarrow.RecordBatchReader`, for what needs no more than a part of it."""
        return fetching(*self._query(body, rows, None))

    def _query(
        self, body: str, rows: Block | Relation | None, more: Any
    ) -> tuple[str, tuple[Relation, ...]]:
        if not isinstance(rows, Relation):
            rows = self.source.scan(self.needs, rows)
        sql = (
            f"WITH {self.source.view} AS NOT MATERIALIZED ({rows.sql}), "
            f"s AS NOT MATERIALIZED ({self.inner}) {body}"
        )
        return sql, (rows,) if more is None else (rows, more)


class Planner:
    """
    Compiles selections of one source.

    Args:
        source: where rows come from.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._computed: dict[tuple[tuple[str, str], ...], _Columns] = {}
        self._plans: dict[Any, Plan] = {}

    def columns(self, selection: Selection) -> tuple[ColumnInfo, ...]:
        """All columns, the computed ones last."""
        return tuple(self._columns_of(selection).infos.values())

    def chosen(self, selection: Selection, names: Sequence[str]) -> list[ColumnInfo]:
        """
        These columns.

        Raises:
            InvalidInputError: `column-unknown`.
        """
        infos = self._columns_of(selection).infos
        for name in names:
            if name not in infos:
                raise _unknown(name, infos)
        return [infos[name] for name in names]

    def plan(self, selection: Selection, names: Sequence[str], *, is_filtered: bool = True) -> Plan:
        """
        The rows of a selection with these columns.

        Args:
            is_filtered: whether `w` is of use; true for every row if not.
        """
        where = selection.where if is_filtered else ()
        key = (where, selection.computed, tuple(names))
        found = self._plans.get(key)
        if found is None:
            found = self._made(selection, tuple(names), where)
            if len(self._plans) > _PLANS_MAX:
                self._plans.clear()
            self._plans[key] = found
        return found

    def _made(self, selection: Selection, names: Sequence[str], where: Sequence[str]) -> Plan:
        self.chosen(selection, names)
        columns = self._columns_of(selection)
        if not where and columns.own.issuperset(names):
            return self._plain(names)
        from artstore.tables.expressions import Scope, parse_condition

        scope = _Noted(columns)
        values = {f"c{at}": scope[name] for at, name in enumerate(names)}
        known = Scope(self.source.tables(scope))
        texts = [one for text in where for one in self.source.expanded(text)]
        conditions = [parse_condition(text, known) for text in texts]
        if conditions:
            together = conditions[0]
            for condition in conditions[1:]:
                together = together & condition
            values["w"] = together
        table = self.source.table
        with engine().lock:
            inner = engine().ibis.compile(table.select(**{ROW: table[ROW]}, **values))
        if not conditions:
            inner = f"SELECT *, true AS w FROM ({inner})"
        return Plan(self.source, inner, tuple(sorted(scope.used)))

    def _plain(self, names: Sequence[str]) -> Plan:
        """Columns as they are: what Ibis would make of it, half a second before it is imported."""
        parts = [ROW, *(f"{quoted(name)} AS c{at}" for at, name in enumerate(names)), "true AS w"]
        inner = f"SELECT {', '.join(parts)} FROM {self.source.view}"
        return Plan(self.source, inner, tuple(sorted(set(names))))

    def _columns_of(self, selection: Selection) -> _Columns:
        found = self._computed.get(selection.computed)
        if found is None:
            found = self._with_computed(selection.computed)
            if len(self._computed) > _PLANS_MAX:
                self._computed.clear()
            self._computed[selection.computed] = found
        return found

    def _with_computed(self, computed: Sequence[tuple[str, str]]) -> _Columns:
        from artstore.tables.expressions import Scope, parse_value

        columns = _Columns(self.source)
        if not computed:
            return columns
        _check_computed(computed, self.source.schema.names)
        for name, text in computed:
            if len(self.source.expanded(text)) > 1:
                raise InvalidInputError(
                    f"the computed column {name!r:.80} has a * for every table, and a cell has "
                    "one value",
                    code="expression-invalid",
                    hint="name one table, t0.score or $0.score; conditions may have a *",
                    column=name,
                )
            scope = _Noted(columns)
            value = parse_value(text, Scope(self.source.tables(scope)))
            columns.values[name] = (value, frozenset(scope.used))
        for (name, _), kind in zip(computed, self._types(columns), strict=True):
            columns.infos[name] = ColumnInfo(name, kind, role_of(kind), is_computed=True)
        return columns

    def _types(self, columns: _Columns) -> list[ColumnType]:
        """What the engine makes of computed columns."""
        table = self.source.table
        values = {f"c{at}": value for at, (value, _) in enumerate(columns.values.values())}
        with engine().lock:
            inner = engine().ibis.compile(table.select(**values))
        needs = frozenset().union(*(needs for _, needs in columns.values.values()))
        plan = Plan(self.source, inner, tuple(sorted(needs)))
        found = plan.run("SELECT * FROM s LIMIT 0")
        pairs = zip(columns.values, found.schema.types, strict=True)
        return [type_of_arrow(kind, column=name) for name, kind in pairs]


_PLANS_MAX: Final = 200


class _Columns:
    """The columns that expressions may name: those of the source, and computed ones."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.values: dict[str, tuple[Any, frozenset[str]]] = {}
        pairs = zip(source.schema.names, source.schema.types, strict=True)
        self.infos = {name: ColumnInfo(name, kind, role_of(kind)) for name, kind in pairs}
        self.own = frozenset(source.schema.names)


class _Noted(Mapping[str, Any]):
    """Columns by name; which of the source were asked for is noted in `used`."""

    def __init__(self, columns: _Columns) -> None:
        self._columns = columns
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        if name in self._columns.own:
            self.used.add(name)
            return self._columns.source.table[name]
        value, needs = self._columns.values[name]
        self.used |= needs
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._columns.own or name in self._columns.values

    def __iter__(self) -> Iterator[str]:
        yield from self._columns.source.schema.names
        yield from self._columns.values

    def __len__(self) -> int:
        return len(self._columns.own) + len(self._columns.values)


def _check_computed(computed: Sequence[tuple[str, str]], names: Sequence[str]) -> None:
    if len(computed) > COMPUTED_MAX:
        raise LimitExceededError(
            f"a view has at most {COMPUTED_MAX} computed columns, not {len(computed)}",
            code="limit-exceeded",
        )
    taken = {name.lower() for name in names} | {ROW}
    weights: dict[str, int] = {}
    for name, text in computed:
        if not name or not name.isprintable() or name.lower() in taken:
            raise InvalidInputError(
                f"a computed column cannot be called {name!r:.80}: there is a column of that name, "
                "or it is none",
                code="columns-invalid",
                column=name,
            )
        taken.add(name.lower())
        weight = len(text) + sum(_mentions(text, other) * known for other, known in weights.items())
        if weight > _WEIGHT_MAX:
            raise LimitExceededError(
                f"the computed column {name!r:.80} is too long when those that it is made of are "
                "written out",
                code="limit-exceeded",
                column=name,
            )
        weights[name] = weight


def _mentions(text: str, name: str) -> int:
    """How often a text may name a column, at most: a name may be written with escapes."""
    return text.count(name) + text.count(quoted(name)) + text.count("\\")


def _unknown(name: str, known: Mapping[str, Any]) -> InvalidInputError:
    from difflib import get_close_matches

    near = get_close_matches(str(name), list(known), 3)
    return InvalidInputError(
        f"there is no column {name!r}",
        code="column-unknown",
        hint=f"did you mean {', '.join(near)}?" if near else None,
        column=name,
    )

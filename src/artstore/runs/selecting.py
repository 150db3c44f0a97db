"""
Which runs of a project are meant, and in which order: conditions and orders over the index.

Only what a condition and an order name is loaded of every run; the rest only of those
that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from artstore import forks
from artstore.runs import shortsql
from artstore.runs.conditions import compiled_condition
from artstore.runs.names import FIRST_NAMES, Need, RunNames, needs_of, paths_of
from artstore.runs.ordering import SortKey, ordered, sort_keys
from artstore.tables.expressions import mongo, sql
from artstore.tables.expressions.reading import LATE_MODULES
from artstore.tables.expressions.refusal import checked, told
from artstore.tables.expressions.relaxed import rendered
from artstore.tables.expressions.tree import Node

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex

__all__ = ["Conditions", "RunFacts", "selected_ids", "selected_runs"]

Conditions = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
"""SQL; or Mongo, as text or as a dict; or several, which must all hold."""


class RunFacts(Protocol):
    """Where the facts of runs come from, as `RunIndex` gives them."""

    def members(self, project: str, wanted: Sequence[tuple[str, ...]]) -> list[list[Any]]:
        """As `RunIndex.members`."""
        ...

    def keys(self, project: str) -> Mapping[str, Iterable[str]]:
        """As `RunIndex.keys`."""
        ...


_ALWAYS: Final[tuple[Need, ...]] = (("run",), ("deleted",), ("created",))
"""Of every run, in this order."""


def selected_runs(
    index: RunIndex,
    project: str,
    *,
    where: Conditions = None,
    sort: str | Sequence[str] | None = None,
    deleted: bool = False,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """
    The facts of runs that meet a condition, as `RunIndex.runs` gives them.

    Args:
        where: docs/reference/runs.md, conditions.
        sort: names, `-` in front for the largest first; the oldest first if left out.
        deleted: whether deleted ones are given too.
        limit: the first so many.
    Raises:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, with the position in the text.
        LimitExceededError: `limit-exceeded`.
    Cost: no request; 3 us a run and 12 us for each that is kept.
    """
    if not _given(where) and not sort and limit is None:
        return [whole for whole in index.runs(project) if deleted or not whole["deleted"]]
    ids = selected_ids(index, project, where=where, sort=sort, deleted=deleted)
    ids = ids if limit is None else ids[:limit]
    by_id = {whole["run"]: whole for whole in index.runs(project, only=ids)}
    return [by_id[run_id] for run_id in ids if run_id in by_id]


def selected_ids(
    index: RunFacts,
    project: str,
    *,
    where: Conditions = None,
    sort: str | Sequence[str] | None = None,
    deleted: bool = False,
) -> list[str]:
    """
    The ids of these runs, in order.

    Raises:
        As `selected_runs`.
    """
    conditions = [(text, _tree(text)) for text in map(_text, _given(where))]
    keys = sort_keys(sort)
    paths = [path for _, tree in conditions for path in paths_of(tree)]
    paths += [key.path for key in keys]
    needs = list(dict.fromkeys([*_ALWAYS, *(need for path in paths for need in needs_of(path))]))
    rows = [row for row in index.members(project, needs) if deleted or not row[1]]
    rows.sort(key=lambda row: (row[2] or "", row[0]))
    names = RunNames(needs, rows, lambda: index.keys(project))
    for text, tree in conditions:
        with told(text):
            keeps = compiled_condition(tree, names.resolve)
        rows = [row for row in rows if keeps(row)]
    return [rows[number][0] for number in ordered(rows, list(_values(keys, names, rows)))]


def _values(
    keys: Sequence[SortKey], names: RunNames, rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], bool]]:
    for key in keys:
        with told(key.text):
            get: Callable[[Sequence[Any]], Any] = names.resolve(key.path).get
        yield [get(row) for row in rows], key.is_down


def _given(where: Conditions) -> list[str | Mapping[str, Any]]:
    """The conditions one by one; an empty dict is none, as W&B has it."""
    if where is None:
        return []
    if isinstance(where, (str, Mapping)):
        where = [where]
    return [one for one in where if one or not isinstance(one, Mapping)]


def _text(condition: str | Mapping[str, Any]) -> str:
    return checked(rendered(condition) if isinstance(condition, Mapping) else condition)


def _tree(text: str) -> Node:
    with told(text):
        if text.lstrip().startswith("{"):
            return mongo.read(text)
        found = shortsql.read(text, FIRST_NAMES)
        if found is not None:
            return found
        forks.import_late([name for name in LATE_MODULES if name.startswith("sqlglot")])
        return sql.read(text)

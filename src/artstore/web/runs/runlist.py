"""
A list of runs as its address asks for it: which runs, in which order, which columns, which groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.runs.columns import flattened, values_of
from artstore.runs.names import fact_of, read_path
from artstore.runs.ordering import ordered, sort_keys
from artstore.runs.selecting import selected_ids
from artstore.tables.expressions.refusal import told
from artstore.web.runs.cells import cell_json
from artstore.web.runs.groups import RunGroup, group_runs, measured
from artstore.web.runs.liststate import COLUMNS_MAX, FIRST_ORDER, RunListState
from artstore.web.runs.source import ProjectRuns, Whole, can_be_named
from artstore.web.visible import cut

__all__ = [
    "PAGE_SIZE",
    "AxisValues",
    "Column",
    "ListProblem",
    "RunList",
    "column_values",
    "group_record",
    "list_runs",
    "measured_groups",
    "points_of",
    "run_row",
    "sorted_groups",
]

PAGE_SIZE: Final = 100
_POINTS_MAX: Final = 50_000
_SECTIONS: Final = ("config", "summary")
_COUNT: Final = "count"
_CHARS_MAX: Final = 1_000
_LABEL_CHARS: Final = 200
_TAGS_MAX: Final = 200


class Column(NamedTuple):
    """
    One column of a list.

    Attributes:
        name: as conditions have it: `config.lr`.
        section: `run`, `config` or `summary`.
    """

    name: str
    section: str

    @property
    def label(self) -> str:
        """The name without its section."""
        parts = _parts(self.name)
        return ".".join(parts[1:]) if self.section in _SECTIONS else self.name


class ListProblem(NamedTuple):
    """What cannot be used of an address: one of its conditions, or an order, columns, groups."""

    error: ArtstoreError
    part: str
    text: str | None


class RunList(NamedTuple):
    """
    What an address asks for.

    Attributes:
        ids: of all runs that match, in order.
        total: how many runs there are, deleted ones only if they are asked for.
        wrong: why something of the address was left out; only where that is allowed.
    """

    source: ProjectRuns
    state: RunListState
    ids: list[str]
    total: int
    columns: list[Column]
    group: tuple[str, ...]
    wrong: ListProblem | None = None

    def matching(self) -> list[Whole]:
        """All of the runs that match."""
        return self.source.some(self.ids)


def list_runs(source: ProjectRuns, state: RunListState, *, is_lenient: bool = False) -> RunList:
    """
    The runs that an address asks for.

    Args:
        is_lenient: leave out what cannot be used, and tell of it: for people, who have a page
            to mend it on.
    Raises:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, with the position in its text.
        LimitExceededError: `limit-exceeded`.
    Cost: as `selected_ids` over values in memory.
    """
    wrong: list[ListProblem] = []

    def tried(part: str, find: Any, otherwise: Any) -> Any:
        try:
            return find()
        except (InvalidInputError, LimitExceededError) as error:
            if not is_lenient:
                raise
            wrong.append(ListProblem(error, part, None))
            return otherwise

    sort = tried("sort", lambda: _full_sort(source, state), ())
    columns = tried("columns", lambda: _columns(source, state.columns), None)
    if columns is None:
        columns = _columns(source, None)
    group = tried("group", lambda: tuple(map(source.full_name, state.group)), ())
    state = replace(state, sort=sort)
    try:
        ids = _ids(source, state, _sort(sort))
    except (InvalidInputError, LimitExceededError) as error:
        if not is_lenient:
            raise
        wrong.insert(0, ListProblem(error, "where", _wrong_condition(source, state)))
        ids = _ids(source, RunListState(deleted=state.deleted), _sort(sort))
    total = source.count(deleted=state.deleted)
    return RunList(source, state, ids, total, columns, group, wrong[0] if wrong else None)


def _ids(source: ProjectRuns, state: RunListState, sort: str) -> list[str]:
    return selected_ids(
        source, source.project, where=state.conditions, sort=sort, deleted=state.deleted
    )


def _full_sort(source: ProjectRuns, state: RunListState) -> tuple[str, ...]:
    """What the address sorts by, with names in full."""
    texts = []
    for text in state.sort:
        sign = text[:1] if text[:1] in ("-", "+") else ""
        name = text.removeprefix(sign)
        # An order of groups by how many they are says nothing of runs.
        is_count = name == _COUNT and state.group
        texts.append(sign.replace("+", "") + (name if is_count else source.full_name(name)))
    _check_sort(source.project, _sort(texts))
    return tuple(texts)


def _check_sort(project: str, sort: str) -> None:
    """A name alone may be none of a value: `config`."""
    selected_ids(ProjectRuns(project, (), 0), project, sort=sort)


def _sort(texts: Sequence[str]) -> str:
    """The order of runs."""
    named = [text for text in texts if text.removeprefix("-") != _COUNT]
    return ",".join(named) or FIRST_ORDER


def _columns(source: ProjectRuns, names: Sequence[str] | None) -> list[Column]:
    full: list[str] = []
    for name in source.first_columns() if names is None else names:
        if name in _SECTIONS:
            keys = [key for whole in source.wholes[:PAGE_SIZE] for key in flattened(whole[name])]
            full += [f"{name}.{key}" for key in dict.fromkeys(keys) if can_be_named(key)]
        else:
            full.append(source.full_name(name))
    found = list(dict.fromkeys(full))
    if len(found) > COLUMNS_MAX:
        raise LimitExceededError(
            f"a list shows {COLUMNS_MAX} columns at the most, not {len(found):,}",
            code="limit-exceeded",
            hint="name those that are wanted",
            limit=COLUMNS_MAX,
        )
    return [Column(name, _section(name)) for name in found]


def _section(name: str) -> str:
    head = name.partition(".")[0]
    return head if head in _SECTIONS else "run"


def _wrong_condition(source: ProjectRuns, state: RunListState) -> str | None:
    """Which of the conditions it was."""
    for text in state.where:
        try:
            selected_ids(source, source.project, where=text)
        except (InvalidInputError, LimitExceededError):
            return text
    return None


# rows ---------------------------------------------------------------------------------------


def column_values(wholes: Sequence[Whole], columns: Sequence[Column]) -> list[list[Any]]:
    """Of each run the values of the columns, as they are."""
    by_column = [values_of(wholes, column.name) for column in columns]
    return [[values[place] for values in by_column] for place in range(len(wholes))]


def run_row(whole: Whole, columns: Sequence[Column], values: Sequence[Any]) -> dict[str, Any]:
    """One run of a list in JSON."""
    return {
        "project": whole["project"],
        "id": whole["run"],
        "name": _short(whole["name"]),
        "state": current_state(whole, clock.now_seconds()),
        "deleted": whole["deleted"],
        "created_at": whole["created"],
        "updated_at": whole["updated"],
        "duration_seconds": fact_of(whole, "duration"),
        "user": cell_json(fact_of(whole, "user")),
        "group": _short(whole["group"]),
        "job_type": _short(whole["job_type"]),
        "tags": [str(tag)[:_CHARS_MAX] for tag in whole["tags"][:_TAGS_MAX]],
        "values": {
            column.name: cell_json(value) for column, value in zip(columns, values, strict=True)
        },
    }


def _short(text: str | None, most: int = _CHARS_MAX) -> str | None:
    """Of a text of any length its beginning."""
    return None if text is None else cut(text, most)


def group_record(group: RunGroup, names: Sequence[str]) -> dict[str, Any]:
    """One group in JSON."""
    return {
        "key": group.key,
        "values": [cell_json(value) for value in group.values],
        "count": len(group.ids),
        "states": dict(group.states),
        "where": group.conditions(names),
        "measures": {
            name: {"count": one.count, "mean": one.mean, "low": one.low, "high": one.high}
            for name, one in group.measures.items()
        },
    }


def sorted_groups(listed: RunList) -> list[RunGroup]:
    """The groups of a list: by what the address sorts by, else the largest first."""
    wholes = listed.matching()
    groups = group_runs(wholes, listed.group)
    keys = sort_keys(",".join(listed.state.sort)) if listed.state.sort else []
    parts = {key.path.parts for key in keys}
    named = [name for name in _measured_names(listed) if _parts(name) in parts]
    if named:
        groups = measured(groups, wholes, named)
    orders: list[tuple[Sequence[Any], bool]] = []
    for key in keys:
        values: list[Any]
        if key.path.parts == (_COUNT,):
            values = [len(group.ids) for group in groups]
        else:
            values = [_sorted_by(group, listed.group, key.path.parts) for group in groups]
        orders.append((values, key.is_down))
    return [groups[place] for place in ordered(groups, orders)]


def measured_groups(listed: RunList, groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Some groups of a list with the numbers of all its columns."""
    wholes = listed.source.some(run_id for group in groups for run_id in group.ids)
    return measured(groups, wholes, _measured_names(listed))


def _measured_names(listed: RunList) -> list[str]:
    return [column.name for column in listed.columns if column.name not in listed.group]


def _parts(name: str) -> tuple[str, ...]:
    return read_path(name, 0, len(name)).parts


def _sorted_by(group: RunGroup, names: Sequence[str], parts: tuple[str, ...]) -> Any:
    for name, value in zip(names, group.values, strict=True):
        if _parts(name) == parts:
            return value
    for name, measure in group.measures.items():
        if _parts(name) == parts:
            return measure.mean
    return None


# points -------------------------------------------------------------------------------------


class AxisValues(NamedTuple):
    """Values of runs side by side, for charts."""

    ids: list[str]
    names: list[str | None]
    states: list[str]
    axes: list[tuple[str, list[Any]]]
    is_cut: bool


def points_of(listed: RunList, names: Sequence[str]) -> AxisValues:
    """
    The values of some names of all runs that match, at most 50,000 runs.

    Raises:
        InvalidInputError: `column-unknown`, `column-ambiguous`, `expression-invalid`.
    """
    wholes = listed.source.some(listed.ids[:_POINTS_MAX])
    full = [listed.source.full_name(name) for name in names]
    for name in full:
        if name in _SECTIONS:
            with told(name):
                raise InvalidInputError(f"{name} is no value", code="column-unknown")
    now = clock.now_seconds()
    return AxisValues(
        [whole["run"] for whole in wholes],
        [_short(whole["name"], _LABEL_CHARS) for whole in wholes],
        [current_state(whole, now) for whole in wholes],
        [(name, [cell_json(value) for value in values_of(wholes, name)]) for name in full],
        len(listed.ids) > len(wholes),
    )

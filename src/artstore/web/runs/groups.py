"""
Runs grouped by one or two of their values, and the conditions that say the same in words.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.runs.columns import as_json, values_of
from artstore.runs.names import read_path

__all__ = ["GroupValues", "RunGroup", "equals", "group_runs", "measured", "sql_name"]

_LITERAL_CHARS: Final = 900
"""Of a text in a condition: the languages of conditions take 1,000."""
_LARGEST: Final = "1.7976931348623157e308"
_LONG: Final = 10**18
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_RESERVED: Final = re.compile(
    r"ALL|AND|ANY|AS|ASC|BETWEEN|BY|CASE|CAST|CROSS|DATE|DESC|DISTINCT|ELSE|END|"
    r"EXISTS|FALSE|FILTER|FOR|FROM|FULL|GROUP|HAVING|IF|ILIKE|IN|INNER|INTERVAL|"
    r"INTO|IS|JOIN|LEFT|LIKE|LIMIT|NATURAL|NOT|NULL|OFFSET|ON|OR|ORDER|OUTER|OVER|"
    r"RIGHT|SELECT|SOME|TABLE|THEN|TIME|TIMESTAMP|TO|TRUE|UNION|USING|VALUES|WHEN|"
    r"WHERE|WINDOW|WITH|T0|T1",
    re.IGNORECASE,
)
"""As in static/conditions.js: names that SQL takes for words of its own."""


@dataclass(frozen=True, slots=True)
class GroupValues:
    """The numbers of one column in a group; none that JSON has not are among them."""

    count: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunGroup:
    """
    Runs that have the same values.

    Attributes:
        values: of the names that it is grouped by.
        key: those as text, the same in every process.
        ids: in the order of the list.
        states: how many are in each.
        measures: by name; a column without numbers has none.
    """

    values: tuple[Any, ...]
    key: str
    ids: tuple[str, ...]
    states: Mapping[str, int]
    measures: Mapping[str, GroupValues] = field(default_factory=dict)

    def conditions(self, names: Sequence[str]) -> list[str] | None:
        """What is true of its runs and of no others; None if that cannot be written."""
        told = [equals(name, value) for name, value in zip(names, self.values, strict=True)]
        return None if None in told else [text for text in told if text is not None]


def group_runs(wholes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[RunGroup]:
    """
    The groups of runs, the largest first; without measures.

    Args:
        names: what they are grouped by.
    Raises:
        InvalidInputError: `column-unknown`, ...
    Cost: about 3 us a run.
    """
    columns = [values_of(wholes, name) for name in names]
    members: dict[str, list[int]] = {}
    first: dict[str, tuple[Any, ...]] = {}
    for place, values in enumerate(zip(*columns, strict=True)):
        key = _key(values)
        members.setdefault(key, []).append(place)
        first.setdefault(key, values)
    now = clock.now_seconds()
    states = [current_state(whole, now) for whole in wholes]
    groups = [
        RunGroup(
            first[key],
            key,
            tuple(wholes[place]["run"] for place in places),
            dict(Counter(states[place] for place in places)),
        )
        for key, places in members.items()
    ]
    # Python's sort is stable: of one size, those that come first in the list stay first.
    return sorted(groups, key=lambda group: -len(group.ids))


def measured(
    groups: Sequence[RunGroup], wholes: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[RunGroup]:
    """
    The groups with their numbers.

    Args:
        wholes: those of all runs in them; more may be there.
        names: columns whose numbers are told.
    Cost: about 1 us a run and name.
    """
    numbers: dict[str, dict[str, float]] = {}
    for name in names:
        found = zip(wholes, map(_number, values_of(wholes, name)), strict=True)
        numbers[name] = {whole["run"]: value for whole, value in found if value is not None}
    return [replace(group, measures=_measures(numbers, group.ids)) for group in groups]


def _measures(
    numbers: Mapping[str, Mapping[str, float]], ids: Sequence[str]
) -> dict[str, GroupValues]:
    found: dict[str, GroupValues] = {}
    for name, values in numbers.items():
        told = [values[run_id] for run_id in ids if run_id in values] if values else []
        if told:
            found[name] = GroupValues(len(told), _mean(told), min(told), max(told))
    return found


def _number(value: Any) -> float | None:
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return value if type(value) is float and math.isfinite(value) else None


def _key(values: Sequence[Any]) -> str:
    return json.dumps([_plain(value) for value in values], sort_keys=True)


def _plain(value: Any) -> Any:
    """A value so that those that a condition calls equal are one: 1 and 1.0."""
    if type(value) is float:
        if not math.isfinite(value):
            return {"$": as_json(value)}
        return int(value) if value.is_integer() else value
    if isinstance(value, dt.date):
        return {"$": as_json(value)}
    if type(value) in (list, dict):
        return {"$": json.dumps(as_json(value), sort_keys=True)}
    return value


def equals(name: str, value: Any) -> str | None:
    """The condition that a run has this value; None if none can be written."""
    subject = sql_name(name)
    if value is None:
        return f"{subject} IS NULL"
    if type(value) is bool:
        return f"{subject} = {'TRUE' if value else 'FALSE'}"
    if type(value) is float and not math.isfinite(value):
        if math.isnan(value):
            return f"isnan({subject})"
        return f"{subject} > {_LARGEST}" if value > 0 else f"{subject} < -{_LARGEST}"
    if type(value) is float or (type(value) is int and abs(value) < _LONG):
        return f"{subject} = {value!r}"
    if isinstance(value, dt.date):
        return f"{subject} = '{value.isoformat()}'"
    if type(value) is str and len(value) <= _LITERAL_CHARS and "\0" not in value:
        literal = value.replace("'", "''")
        return f"{subject} = '{literal}'"
    return None


def sql_name(name: str) -> str:
    """A name of a column as SQL takes it: `config."order"`, whatever the key is."""
    parts = read_path(name, 0, len(name)).parts
    return ".".join(
        part
        if place == 0 or (_PLAIN.fullmatch(part) is not None and _RESERVED.fullmatch(part) is None)
        else '"' + part.replace('"', '""') + '"'
        for place, part in enumerate(parts)
    )


def _mean(values: Sequence[float]) -> float:
    try:
        mean = math.fsum(value / len(values) for value in values)
    except OverflowError:
        # Of the largest numbers there are it may be rounded up to infinity on the way.
        mean = sum(value / len(values) for value in values)
    return min(max(mean, min(values)), max(values))

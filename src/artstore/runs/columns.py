"""
Values of runs by name, side by side: what lists print, and what differs between some runs.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from artstore.runs.names import RunNames, needs_of, read_path, shown_name
from artstore.runs.nonfinite import restored
from artstore.tables.expressions.refusal import told
from artstore.tables.expressions.tree import Path

__all__ = ["Difference", "as_json", "columns_of", "differences", "flattened", "values_of"]

_SECTIONS: Final = ("config", "summary")
_MISSING: Final = object()


class Difference(NamedTuple):
    """One key of a config or summary, and what each run has there; None where it is not."""

    section: str
    key: str
    values: tuple[Any, ...]
    is_same: bool


def columns_of(wholes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """
    The values of runs by names as conditions have them, each a value that JSON can hold.

    Args:
        names: `config` and `summary` by themselves are all keys that one of the runs has.
    Raises:
        InvalidInputError: `column-unknown`, `column-ambiguous`, `expression-invalid`.
    """
    found: dict[str, list[Any]] = {}
    for name in names:
        if name in _SECTIONS:
            flat = [flattened(whole[name]) for whole in wholes]
            for key in dict.fromkeys(key for values in flat for key in values):
                found[f"{name}.{key}"] = [as_json(values.get(key)) for values in flat]
            continue
        found[name] = [as_json(value) for value in values_of(wholes, name)]
    return found


def values_of(wholes: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """
    The values of runs by one name as they are: times, NaN, lists; None where a run has none.

    Raises:
        InvalidInputError: `column-unknown`, `column-ambiguous`, `expression-invalid`.
    """
    with told(name):
        return _column(wholes, read_path(name, 0, len(name)))


def _column(wholes: Sequence[Mapping[str, Any]], path: Path) -> list[Any]:
    needs = list(dict.fromkeys(needs_of(path)))
    # Need by need: of ten thousand runs twice as fast as run by run.
    rows = list(zip(*(_members(wholes, need) for need in needs), strict=True))

    def known_keys() -> dict[str, list[str]]:
        return {name: [key for whole in wholes for key in whole[name]] for name in _SECTIONS}

    get = RunNames(needs, rows, known_keys).resolve(path).get
    return [get(row) for row in rows]


def _members(wholes: Sequence[Mapping[str, Any]], need: Sequence[str]) -> list[Any]:
    name = need[0]
    if len(need) == 1:
        return [whole[name] for whole in wholes]
    key = need[1]
    return [whole[name].get(key) for whole in wholes]


def as_json(value: Any) -> Any:
    """A value as JSON prints it: times as ISO 8601, `"NaN"` and the like as texts."""
    if type(value) is dict:
        value = restored(value)
        if type(value) is dict:
            return {key: as_json(one) for key, one in value.items()}
    if type(value) is list:
        return [as_json(one) for one in value]
    if isinstance(value, dt.date):
        return f"{value.isoformat()}Z"
    if type(value) is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def flattened(values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    """Objects in objects as one: keys with dots between, quoted where they have some."""
    found: dict[str, Any] = {}
    for key, stored in values.items():
        value = restored(stored) if type(stored) is dict else stored
        path = (*prefix, key)
        if type(value) is dict and value:
            found |= flattened(value, path)
        else:
            found[shown_name(path)] = value
    return found


def differences(wholes: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Every key of config and summary that one of the runs has, config first."""
    for section in _SECTIONS:
        flat = [flattened(whole[section]) for whole in wholes]
        for key in sorted({key for values in flat for key in values}, key=_unquoted):
            values = [as_json(one.get(key, _MISSING)) for one in flat]
            first = values[0]
            is_same = all(type(value) is type(first) and value == first for value in values)
            told_values = tuple(None if value is _MISSING else value for value in values)
            yield Difference(section, key, told_values, is_same)


def _unquoted(key: str) -> str:
    return key.replace('"', "")

"""
Runs side by side: every value of some runs, and whether it is the same in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from artstore.records import version_name
from artstore.runs.columns import as_json, differences, flattened
from artstore.runs.names import fact_of

__all__ = ["SECTIONS", "ComparedValue", "compared_values"]

SECTIONS: Final = ("run", "config", "summary", "environment", "inputs", "outputs")
_FACTS: Final = (
    *("name", "state", "created", "duration", "user", "host", "group", "job_type", "tags"),
    *("exit_code", "notes"),
)
_EDGES: Final = {"inputs": "used", "outputs": "logged"}
_CODE: Final = "git"
"""Comes first of the environment: the commit tells more than all else."""
_MISSING: Final = object()


class ComparedValue(NamedTuple):
    """
    One line: a key, and what each of the runs has there.

    Attributes:
        section: one of `SECTIONS`.
        values: None where a run has none; of inputs and outputs lists of versions: `v3`.
    """

    section: str
    key: str
    values: list[Any]
    is_same: bool


def compared_values(wholes: Sequence[Mapping[str, Any]]) -> Iterator[ComparedValue]:
    """
    All that runs say of themselves, section by section.

    Args:
        wholes: as `StoredRun.whole`.
    """
    for name in _FACTS:
        yield _compared("run", name, [fact_of(whole, name) for whole in wholes])
    for one in differences(wholes):
        yield ComparedValue(one.section, one.key, list(one.values), one.is_same)
    yield from _environment(wholes)
    for section, member in _EDGES.items():
        yield from _edges(section, [whole[member] for whole in wholes])


def _compared(section: str, key: str, values: Sequence[Any]) -> ComparedValue:
    told = [None if value is _MISSING else as_json(value) for value in values]
    first = told[0] if told else None
    is_same = all(type(value) is type(first) and value == first for value in told)
    # What one run has as null and another not at all is told apart.
    is_same = is_same and len({value is _MISSING for value in values}) < 2
    return ComparedValue(section, key, told, is_same)


def _environment(wholes: Sequence[Mapping[str, Any]]) -> Iterator[ComparedValue]:
    flat = [flattened(whole["environment"]) for whole in wholes]
    keys = sorted(
        {key for values in flat for key in values},
        key=lambda key: (not (key == _CODE or key.startswith(f"{_CODE}.")), key),
    )
    for key in keys:
        yield _compared("environment", key, [values.get(key, _MISSING) for values in flat])


def _edges(section: str, lists: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[ComparedValue]:
    """Artifacts that one of the runs used or logged, with the versions of each."""
    by_run: list[dict[str, list[str]]] = []
    for edges in lists:
        found: dict[str, list[str]] = {}
        for edge in edges:
            artifact, version = edge.get("artifact"), version_name(edge.get("version"))
            if not isinstance(artifact, str) or not isinstance(version, str):
                continue
            role = edge.get("as")
            key = f"{artifact} as {role}" if isinstance(role, str) and role else artifact
            versions = found.setdefault(key, [])
            if version not in versions:
                versions.append(version)
        by_run.append(found)
    for key in sorted({key for found in by_run for key in found}):
        values = [sorted(found[key]) if key in found else None for found in by_run]
        yield ComparedValue(section, key, values, all(value == values[0] for value in values))

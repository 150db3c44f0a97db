"""
The run that an address names, as its page reads it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.runs.nonfinite import restored
from artstore.tracking.metrics import MetricRules
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.live.run import ConsolePiece, LiveRun
    from artstore.web.routing import Visit

__all__ = ["LoggedValues", "ShownRun", "shown_run"]

_RUNNING: Final = "running"
_TITLE_CHARS: Final = 200


class LoggedValues(NamedTuple):
    """What was logged under one key that is no number: its steps, and the JSON of each."""

    steps: list[int]
    texts: list[str]

    def at(self, place: int) -> Any:
        """The value; None for what is no JSON."""
        try:
            return restored(json.loads(self.texts[place]))
        except (ValueError, RecursionError):
            return None


class ShownRun:
    """
    A run at one moment.

    Attributes:
        live: what reads it.
        whole: all that is said of it, as docs/format/run.md names it.
        revision: another one whenever something is different.
    """

    def __init__(self, live: LiveRun) -> None:
        self.live = live
        self.project = live.project
        self.id = live.id
        self.whole = live.whole
        self.revision = live.revision

    @property
    def state(self) -> str:
        """`running`, `finished`, ..., `deleted`."""
        return self.live.state

    @property
    def is_live(self) -> bool:
        """Whether it goes on."""
        return self.state == _RUNNING

    @property
    def title(self) -> str:
        """What people call it, in one line that is harmless to show."""
        return visible(str(self.whole["name"] or self.id), _TITLE_CHARS, lines=False)

    def logged_keys(self) -> list[dict[str, Any]]:
        """
        What it logged: `key`, `type`, and what `define_metric` said: `x` (the metric that it is
        drawn over, or null) and `is_hidden`.
        """
        rules = MetricRules(known=_rules(self.whole["metrics"]))
        found = self.live.keys()
        return [_told_key(key.name, key.kind, rules) for key in found]

    def system_keys(self) -> list[dict[str, Any]]:
        """Samples of the machine, likewise."""
        return [
            {"key": name, "type": "number", "x": None, "is_hidden": False}
            for name in self.live.system_keys()
        ]

    def values(self, key: str) -> LoggedValues:
        """What was logged under a key of JSON."""
        table = self.live.history_table([key])
        if key not in table.column_names:
            return LoggedValues([], [])
        return _present(table.column("_step"), table.column(key))

    def points(
        self, keys: Sequence[str], *, is_system: bool
    ) -> Iterator[tuple[str, list[float], list[float]]]:
        """Finite numbers of some keys over steps, or over time: key, x, y."""
        table = self.live.system_table() if is_system else self.live.history_table(keys)
        xs = table.column("_timestamp" if is_system else "_step").to_pylist()
        for key in keys:
            if key not in table.column_names:
                continue
            pairs = [
                (float(x), float(y))
                for x, y in zip(xs, table.column(key).to_pylist(), strict=True)
                if isinstance(y, (int, float)) and math.isfinite(y)
            ]
            yield key, [x for x, _ in pairs], [y for _, y in pairs]

    def console(self) -> list[ConsolePiece]:
        """What it printed, in pieces."""
        return self.live.console_pieces()


def shown_run(visit: Visit) -> ShownRun:
    """
    The run of the parts `project` and `run` of a path, as it is now.

    Raises:
        NotFoundError: `run-not-found`.
        InvalidInputError: `name-invalid`.
    """
    return ShownRun(visit.site.live.run(visit.params["project"], visit.params["run"]))


def _told_key(key: str, kind: str, rules: MetricRules) -> dict[str, Any]:
    rule = rules.of(key)
    return {
        "key": key,
        "type": kind,
        "x": None if rule is None else rule.step_metric,
        "is_hidden": rule is not None and rule.hidden is True,
    }


def _rules(stated: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is said of metrics, less what only a stranger can have written."""
    return {
        name: {key: value for key, value in rule.items() if _is_rule(key, value)}
        for name, rule in stated.items()
        if isinstance(rule, dict)
    }


def _is_rule(key: str, value: Any) -> bool:
    return (key == "step_metric" and isinstance(value, str)) or (
        key == "hidden" and isinstance(value, bool)
    )


def _present(steps: Any, column: Any) -> LoggedValues:
    kept = column.is_valid()
    return LoggedValues(steps.filter(kept).to_pylist(), column.filter(kept).to_pylist())

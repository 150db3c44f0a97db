r"""
What `define_metric` says of metrics: which step they go by, and what a summary keeps of them.

Rules are for a name, or for all names that begin alike (`val/*`). For one name at
most one rule counts, whole: the one for exactly this name; else, of the globs that
match, the one with the longest beginning. Globs do not match names that begin with
`_`, which are the run's own. (W&B takes any of several globs.)

Names in inner dicts are written with dots; `val\.acc` and `val.acc` are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from artstore import forks
from artstore.errors import InvalidInputError

__all__ = ["SUMMARIES", "Metric", "MetricRules"]

SUMMARIES: Final = ("min", "max", "mean", "last", "first", "best", "copy", "none")
_GOALS: Final = ("minimize", "maximize")
_KNOWN_KEYS_COUNT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Metric:
    """
    What is defined for a name or a glob.

    Attributes:
        name: of the metric, or a glob such as `val/*`.
        step_metric: the metric to draw it over.
        step_sync: whether a row without the step metric gets its last value.
        hidden: whether pages leave it out unless asked.
        summary: which of `SUMMARIES` its summary has; None or `copy`: the last value
            itself.
        goal: `minimize` or `maximize`; what `best` is. None: minimize.
    """

    name: str
    step_metric: str | None = None
    step_sync: bool | None = None
    hidden: bool | None = None
    summary: tuple[str, ...] | None = None
    goal: str | None = None

    @property
    def statistics(self) -> tuple[str, ...]:
        """What the summary is a dict of; empty if it is the last value, or nothing."""
        if not self.has_summary:
            return ()
        return tuple(name for name in self.summary or () if name != "copy")

    @property
    def has_summary(self) -> bool:
        """Whether logging it changes the summary."""
        return "none" not in (self.summary or ())

    def to_json(self) -> dict[str, Any]:
        """The members that were given, without the name."""
        found = {
            "step_metric": self.step_metric,
            "step_sync": self.step_sync,
            "hidden": self.hidden,
            "summary": None if self.summary is None else list(self.summary),
            "goal": self.goal,
        }
        return {name: member for name, member in found.items() if member is not None}


class MetricRules:
    """
    The rules of one run. Threads may share it.

    Args:
        on_change: gets `{"metrics": {name: ...}}` for every call of `define`.
        known: rules of an earlier session, by name, as `to_json` gave them.
    """

    def __init__(
        self,
        on_change: Callable[[dict[str, Any]], None] | None = None,
        known: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._on_change = on_change
        self._changing: threading.Lock = forks.new_lock()
        self._lock: threading.Lock = forks.new_lock()
        self._exact: dict[str, Metric] = {}
        # By the beginning of the names, the longest first.
        self._globs: dict[str, Metric] = {}
        self._found: dict[str, Metric | None] = {}
        self._latest: dict[str, Any] = {}
        self.restore(known or {})

    def define(  # noqa: PLR0917 - the order that scripts know
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,  # noqa: FBT001 - likewise
        hidden: bool | None = None,  # noqa: FBT001 - likewise
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: FBT001 - likewise
    ) -> Metric:
        """
        Define a metric, or add to what was defined for the same name.

        It counts for what is logged from now on.

        Args:
            name: of the metric, or the beginning of names and a `*`.
            step_metric: the metric to draw it over.
            step_sync: insert the last value of `step_metric` into rows that lack it;
                true unless said otherwise, if there is a `step_metric`.
            summary: names out of `SUMMARIES` with commas between. Several calls add up,
                `none` takes all back.
            goal: `minimize` or `maximize`, for `best`.
            overwrite: forget what earlier calls said of this name.
        Returns:
            All that is now defined for the name.
        Raises:
            InvalidInputError: `metric-invalid`.
        """
        if isinstance(step_metric, Metric):
            step_metric = step_metric.name
        _check_types(locals())
        _check_name(name)
        given = Metric(
            name,
            None if step_metric is None else _unescaped(step_metric),
            step_sync,
            hidden,
            _summaries(summary),
            _goal(goal),
        )
        # Changes are told in the order they were made in. Not under the lock of `complete`,
        # which may be called by who holds what `on_change` waits for.
        with self._changing:
            with self._lock:
                before = None if overwrite else self._defined(name)
                metric = given if before is None else _merged(before, given)
                if metric.step_sync is None and metric.step_metric is not None:
                    metric = replace(metric, step_sync=True)
                self._put(metric)
            if self._on_change is not None:
                self._on_change({"metrics": {metric.name: metric.to_json()}})
        return metric

    def restore(self, metrics: Mapping[str, Mapping[str, Any]]) -> None:
        """Take rules as they are in a journal or a store; later ones replace earlier ones."""
        with self._lock:
            for name, found in metrics.items():
                summary = found.get("summary")
                self._put(
                    Metric(
                        name,
                        found.get("step_metric"),
                        found.get("step_sync"),
                        found.get("hidden"),
                        None if summary is None else tuple(summary),
                        found.get("goal"),
                    )
                )

    def of(self, key: str) -> Metric | None:
        """The rule that counts for a key of history; None if there is none. Cheap."""
        try:
            return self._found[key]
        except KeyError:
            with self._lock:
                return self._look(key)

    @property
    def is_completing(self) -> bool:
        """Whether rows have to go through `complete`: false costs nothing when logging."""
        return bool(self._latest)

    def complete(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        A row of history with the step metrics that it lacks, at their last values.

        A step metric that was never logged is 0, as in W&B. Call it for every row, in the
        order of `log`, while `is_completing`.

        Args:
            row: flattened.
        """
        with self._lock:
            latest = self._latest
            for step in latest:
                value = row.get(step)
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    latest[step] = value
            missing: dict[str, Any] = {}
            for key in row:
                metric = self._found[key] if key in self._found else self._look(key)
                if metric is not None and metric.step_sync and metric.step_metric is not None:
                    step = metric.step_metric
                    if step not in row:
                        missing[step] = latest[step]
        return {**row, **missing} if missing else row

    def to_json(self) -> dict[str, dict[str, Any]]:
        """All rules by name."""
        with self._lock:
            metrics = [*self._exact.values(), *self._globs.values()]
        return {metric.name: metric.to_json() for metric in metrics}

    def _put(self, metric: Metric) -> None:
        if metric.name.endswith("*"):
            self._globs[_unescaped(metric.name[:-1])] = metric
            ordered = sorted(self._globs.items(), key=lambda item: -len(item[0]))
            self._globs = dict(ordered)
        else:
            self._exact[_unescaped(metric.name)] = metric
        # Another one for `of`, which reads without the lock.
        self._found = {}
        if metric.step_sync and metric.step_metric is not None:
            self._latest.setdefault(metric.step_metric, 0)

    def _defined(self, name: str) -> Metric | None:
        if name.endswith("*"):
            return self._globs.get(_unescaped(name[:-1]))
        return self._exact.get(_unescaped(name))

    def _look(self, key: str) -> Metric | None:
        found = self._exact.get(key)
        if found is None and not key.startswith("_"):
            matching = (rule for begin, rule in self._globs.items() if key.startswith(begin))
            found = next(matching, None)
        if len(self._found) >= _KNOWN_KEYS_COUNT:
            self._found = {}
        self._found[key] = found
        return found


def _merged(before: Metric, given: Metric) -> Metric:
    summary = given.summary
    if summary is None:
        summary = before.summary
    elif "none" not in summary and before.summary is not None:
        both = {*before.statistics, *summary}
        summary = tuple(name for name in SUMMARIES if name in both)
    return Metric(
        before.name,
        before.step_metric if given.step_metric is None else given.step_metric,
        before.step_sync if given.step_sync is None else given.step_sync,
        before.hidden if given.hidden is None else given.hidden,
        summary,
        before.goal if given.goal is None else given.goal,
    )


def _check_types(given: Mapping[str, Any]) -> None:
    texts, truths = ("name", "step_metric", "summary", "goal"), ("step_sync", "hidden", "overwrite")
    for name, kind in [*((name, str) for name in texts), *((name, bool) for name in truths)]:
        value = given[name]
        if (value is not None or name == "name") and not isinstance(value, kind):
            wanted = "text" if kind is str else "True or False"
            raise _invalid(f"{name} is {type(value).__name__}", f"give {wanted}")


def _check_name(name: str) -> None:
    if not name:
        raise _invalid("its name is empty", "give the key that run.log has")
    if "*" in name[:-1]:
        raise _invalid(f"{name!r} has a * that is not its end", "give a name such as 'val/*'")


def _summaries(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    wanted = [name.strip().lower() for name in text.split(",")]
    for name in wanted:
        if name not in SUMMARIES:
            raise _invalid(f"there is no summary {name!r}", f"choose from {', '.join(SUMMARIES)}")
    return tuple(name for name in SUMMARIES if name in wanted)


def _goal(text: str | None) -> str | None:
    if not text:
        return None
    if text.lower() not in _GOALS:
        raise _invalid(f"there is no goal {text!r}", f"choose from {', '.join(_GOALS)}")
    return text.lower()


def _unescaped(name: str) -> str:
    return name.replace("\\.", ".")


def _invalid(why: str, hint: str) -> InvalidInputError:
    return InvalidInputError(f"a metric cannot be defined: {why}", code="metric-invalid", hint=hint)

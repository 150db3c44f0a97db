"""
The values of a summary: the last ones of history, statistics, and what was set by hand.

Plain state without threads and callbacks. A run keeps it as it logs; whoever reads a
journal after a crash makes the same of it from the same rows and changes.

Keys are those of history: `val.acc`. Outside they are dicts in dicts, as in W&B:
`{"val": {"acc": 0.9}}`. Where `val` is a value too, `val.acc` stays as it is, beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from artstore.runs.nonfinite import encoded, restored
from artstore.runs.rowblocks import JSON
from artstore.tracking.metrics import Metric, MetricRules
from artstore.tracking.statistics import MetricStats

__all__ = ["SummaryValues"]


class SummaryValues:
    """
    What a summary holds.

    Args:
        rules: of the run; asked for each key of each group of rows.
        earlier: the summary of earlier sessions, as JSON.
    """

    def __init__(self, rules: MetricRules, earlier: Mapping[str, Any] | None = None) -> None:
        self._rules = rules
        self._values: dict[str, Any] = {}
        # Keys with dots by their first name.
        self._families: dict[str, dict[str, None]] = {}
        self._stats: dict[str, MetricStats] = {}
        # The newest call of log that each key was in.
        self._newest: dict[str, int] = {}
        # First names of what may have changed since `take_changes`, and what that told.
        self._dirty: dict[str, None] = {}
        self._told: dict[str, dict[str, str]] = {}
        self.apply({"summary": earlier or {}})
        self.take_changes()

    def feed(
        self,
        keys: Sequence[str],
        columns: Sequence[Sequence[Any]],
        calls: Sequence[int],
        types: Sequence[str] | None = None,
    ) -> None:
        """
        Take rows of history that have the same keys.

        Args:
            keys: k names, flat.
            columns: k columns of n >= 1 values each, oldest first: any sequences.
            calls: the numbers of the n calls of log, ascending; groups may come in any
                order: of two values of a key, that of the later call is the last one.
            types: those of `artstore.runs.rowblocks`: columns of type `json` hold JSON texts.
        Cost: O(k); O(n) at the speed of `sum` for a key that has statistics.
        """
        first, last = calls[0], calls[-1]
        for at, key in enumerate(keys):
            column = columns[at]
            if types is not None and types[at] == JSON:
                # What is in between is no number, and does not count.
                column = [json.loads(column[0]), json.loads(column[-1])]
            if column[-1] is None:
                # What is not there this time does not take away what was there last time.
                column = [value for value in column if value is not None]
                if not column:
                    continue
            metric = self._rules.of(key)
            is_newest = last > self._newest.get(key, -1)
            if is_newest:
                self._newest[key] = last
            if metric is not None and metric.statistics:
                self._count(key, metric, column, first, is_newest=is_newest)
            elif is_newest and (metric is None or metric.has_summary):
                self._set(key, column[-1])

    def put(self, key: str, value: Any) -> None:
        """
        Set a value by hand. It stays until the key is logged again.

        Args:
            key: flat; a member of a dict that is there as a whole is set in it.
            value: plain Python; a dict replaces all below `key`.
        """
        self._open_above(key)
        self.remove(key)
        self._spread(key, value)

    def remove(self, key: str) -> bool:
        """Remove a key and all below it; whether there was any."""
        self._open_above(key)
        gone = list(self._below(key))
        if key in self._values:
            gone.append(key)
        self._drop(gone)
        return bool(gone)

    def apply(self, changes: Mapping[str, Any]) -> None:
        """
        Take changes as `take_changes` told them, of the same rows and calls up to there.

        Unlike `put`, which a user calls, this leaves alone what stands at the top with dots
        in its key.
        """
        new: Mapping[str, Any] = changes.get("summary") or {}
        replaced = {*new, *(changes.get("summary_removed") or ())}
        # All at once: what stands at the top is another thing when the first is gone.
        self._drop([name for key in replaced for name in self._shown_at(key)])
        for key, value in new.items():
            self._spread(key, restored(value))

    def find(self, key: str) -> Any:
        """
        What stands at a key: a value, or a dict of what is below it; a copy.

        Raises:
            KeyError: nothing stands there.
        Cost: O(1), or O(all keys with the same first name) for a dict.
        """
        if key in self._values:
            return restored(self._values[key])
        value: Any = self._part(key.partition(".")[0])
        for name in key.split("."):
            if not isinstance(value, dict):
                raise KeyError(key)
            value = value[name]
        return restored(value)

    def top_keys(self) -> list[str]:
        """The keys of `to_dict`."""
        names = dict.fromkeys(key.partition(".")[0] for key in self._values)
        return [key for name in names for key in self._part(name)]

    def to_dict(self) -> dict[str, Any]:
        """Everything, dicts in dicts; a copy."""
        names = dict.fromkeys(key.partition(".")[0] for key in self._values)
        return {key: restored(value) for name in names for key, value in self._part(name).items()}

    def take_changes(self, key: str | None = None) -> dict[str, Any]:
        """
        What is new since the last call: `{"summary": {...}, "summary_removed": [...]}`.

        Args:
            key: only what has the same first name as this.
        Returns:
            JSON of whole top-level keys; members without content are left out.
        """
        names = list(self._dirty) if key is None else [key.partition(".")[0]]
        new: dict[str, Any] = {}
        removed: list[str] = []
        for name in names:
            self._dirty.pop(name, None)
            before = self._told.get(name, {})
            part = {top: encoded(value) for top, value in self._part(name).items()}
            texts = {top: json.dumps(value) for top, value in part.items()}
            new |= {top: part[top] for top, text in texts.items() if before.get(top) != text}
            removed += [top for top in before if top not in part]
            self._told[name] = texts
        changes = {"summary": new, "summary_removed": removed}
        return {member: content for member, content in changes.items() if content}

    def _count(
        self, key: str, metric: Metric, column: Sequence[Any], first: int, *, is_newest: bool
    ) -> None:
        stats = self._stats.get(key)
        if key not in self._values:
            # From another session, or from a change, they come as keys of their own.
            below = list(self._below(key))
            earlier = {name[len(key) + 1 :]: self._values[name] for name in below}
            self._drop(below)
            if stats is None:
                stats = MetricStats(earlier, metric.goal)
        elif stats is None:
            stats = MetricStats(goal=metric.goal)
        self._stats[key] = stats
        stats.add(column, first, is_newest=is_newest)
        told = stats.told(metric.statistics, metric.goal)
        if told:
            self._set(key, told)

    def _spread(self, key: str, value: Any) -> None:
        """Set a value; what is in a dict under keys of its own."""
        if isinstance(value, dict) and value and "_type" not in value:
            for name, member in value.items():
                self._spread(f"{key}.{name}", member)
        else:
            self._set(key, value)

    def _drop(self, keys: Iterable[str]) -> None:
        for name in keys:
            del self._values[name]
            family = name.partition(".")[0]
            if family != name:
                self._families[family].pop(name, None)
            self._mark(name)

    def _shown_at(self, top: str) -> list[str]:
        """The flat keys that stand at the top under `top`."""
        family = top.partition(".")[0]
        names = [family, *self._families.get(family, ())]
        held = [name for name in names if name in self._values]
        return [name for name in held if _top_of(name, self._values) == top]

    def _set(self, key: str, value: Any) -> None:
        if key not in self._values:
            family = key.partition(".")[0]
            if family != key:
                self._families.setdefault(family, {})[key] = None
        self._values[key] = value
        self._mark(key)

    def _mark(self, key: str) -> None:
        self._dirty[key.partition(".")[0]] = None

    def _below(self, key: str) -> Iterator[str]:
        begin = f"{key}."
        family = self._families.get(key.partition(".")[0], ())
        return iter([name for name in family if name.startswith(begin)])

    def _open_above(self, key: str) -> None:
        """Give the members of a dict above `key` that came whole keys of their own."""
        parts = key.split(".")
        for count in range(1, len(parts)):
            name = ".".join(parts[:count])
            value = self._values.get(name)
            if isinstance(value, dict):
                self._drop([name])
                for member, inner in value.items():
                    self._set(f"{name}.{member}", inner)

    def _part(self, family: str) -> dict[str, Any]:
        """All that stands at the top because of keys that begin with one name."""
        names = list(self._families.get(family, ()))
        if family in self._values:
            names.insert(0, family)
        return _tree({name: self._values[name] for name in names})


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dicts in dicts of flat keys."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        if _top_of(key, values) == key:
            tree[key] = value
            continue
        parts = key.split(".")
        inner = tree
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
        inner[parts[-1]] = value
    return tree


def _top_of(key: str, values: Collection[str]) -> str:
    """Under which key at the top the flat `key` stands: its first name, or itself."""
    parts = key.split(".")
    heads = (".".join(parts[:count]) for count in range(1, len(parts)))
    # A name without letters, or a value where a dict would have to be.
    if not all(parts) or any(head in values for head in heads):
        return key
    return parts[0]

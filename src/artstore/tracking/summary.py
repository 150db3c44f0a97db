"""
The summary of a run, as a program sees it: `run.summary["acc"]`, `run.summary.val.acc`.
"""

from __future__ import annotations

import reprlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

from artstore import forks
from artstore.errors import InvalidInputError, NotFoundError
from artstore.media.kinds import kind_of
from artstore.runs.nonfinite import encoded
from artstore.tracking.metrics import MetricRules
from artstore.tracking.plainvalues import Tell, key_text, plain
from artstore.tracking.rowgroups import LoggedRows
from artstore.tracking.summaryvalues import SummaryValues
from artstore.tracking.values import Converter, Deferred, StoreDeferred

__all__ = ["Summary", "SummaryPart"]

_SHOWN_CHARS: Final = 400
_OF_EACH_ROW: Final = ("_step", "_timestamp")

Changed = Callable[[dict[str, Any]], None]


class _NoValueError(NotFoundError, KeyError, AttributeError):
    # What dicts raise, and what `hasattr` and `copy` ask for.
    pass


class _SharedValues:
    """The values of a summary behind locks, and those who are told of them."""

    __slots__ = ("_changing", "_lock", "_on_change", "_pull", "_store", "_values", "converter")

    def __init__(
        self,
        values: SummaryValues,
        pull: Callable[[], None] | None,
        on_change: Changed | None,
        store: StoreDeferred | None,
        tell: Tell | None,
    ) -> None:
        self._values = values
        self._pull = pull
        self._on_change = on_change
        self._store = store
        self.converter = Converter(tell)
        # Two locks: whoever feeds rows may hold what `pull` and `on_change` wait for.
        self._changing: threading.Lock = forks.new_lock()
        self._lock: threading.Lock = forks.new_lock()

    def feed(self, rows: LoggedRows) -> None:
        with self._lock:
            self._values.feed(rows.keys, rows.columns, rows.seqs, rows.types)
            self._values.feed(_OF_EACH_ROW, (rows.steps, rows.times), rows.seqs)

    def take_changes(self) -> dict[str, Any]:
        with self._lock:
            return self._values.take_changes()

    def read(self, ask: Callable[[SummaryValues], Any]) -> Any:
        if self._pull is not None:
            self._pull()
        with self._lock:
            return ask(self._values)

    def put(self, members: Iterable[tuple[str, Any]]) -> None:
        """Values under flat keys."""
        # Before anything is changed: one value that is refused must not leave half of them.
        ready = [(key, self._plain(key, value)) for key, value in members]
        with self._changing:
            # What was logged before comes before.
            if self._pull is not None:
                self._pull()
            with self._lock:
                for key, value in ready:
                    self._values.put(key, value)
                changes = self._changes_of([key for key, _ in ready])
            self._say(changes)

    def remove(self, key: str) -> None:
        with self._changing:
            if self._pull is not None:
                self._pull()
            with self._lock:
                if not self._values.remove(key):
                    raise _missing(key)
                changes = self._changes_of([key])
            self._say(changes)

    def _changes_of(self, keys: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        removed: list[str] = []
        for name in dict.fromkeys(key.partition(".")[0] for key in keys):
            changes = self._values.take_changes(name)
            found |= changes.get("summary", {})
            removed += changes.get("summary_removed", [])
        members = {"summary": found, "summary_removed": removed}
        return {member: content for member, content in members.items() if content}

    def _say(self, changes: dict[str, Any]) -> None:
        if changes and self._on_change is not None:
            self._on_change(changes)

    def _plain(self, key: str, value: Any) -> Any:
        if isinstance(value, SummaryPart):
            value = value.as_dict()
        if isinstance(value, Mapping):
            return {
                key_text(name): self._plain(f"{key}.{name}", member)
                for name, member in list(value.items())
            }
        if isinstance(value, (list, tuple)) and not any(map(kind_of, value)):
            # Unlike in history, where it comes with every step, a list stays as long as it is.
            return encoded(plain(value))
        found = self.converter.convert(key, value)
        if not isinstance(found, Deferred):
            return found
        if self._store is None:
            raise InvalidInputError(
                f"a {type(value).__name__} cannot be set in the summary, as {key!r}",
                code="value-unknown",
                hint="log it with run.log, or add it to an artifact",
            )
        return self._store(key, found)


class SummaryPart(MutableMapping[str, Any]):
    """
    A dict in a summary. It reads what is there now, and what is set in it is set in the run.

    Values are read as `part["acc"]`, `part.acc` or `part.get("acc")`. Keys with dots lead
    into inner dicts: `summary["val.acc"]` is `summary["val"]["acc"]`.
    """

    __slots__ = ("_path", "_shared")

    _path: str
    _shared: _SharedValues

    def __init__(self, shared: _SharedValues, path: str) -> None:
        object.__setattr__(self, "_shared", shared)
        object.__setattr__(self, "_path", path)

    def as_dict(self) -> dict[str, Any]:
        """A copy, in plain dicts."""
        found: Any = self._shared.read(
            lambda values: values.find(self._path) if self._path else values.to_dict()
        )
        return found if isinstance(found, dict) else {}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values at once, as `dict.update`; one change for the run."""
        members = dict(*args, **kwargs)
        self._shared.put([(self._flat(key), value) for key, value in members.items()])

    def __getitem__(self, key: str) -> Any:
        path = self._flat(key)
        try:
            found = self._shared.read(lambda values: values.find(path))
        except KeyError:
            raise _missing(path) from None
        # What has a `_type` is the record of an image or the like.
        if isinstance(found, dict) and "_type" not in found:
            return SummaryPart(self._shared, path)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self._shared.put([(self._flat(key), value)])

    def __delitem__(self, key: str) -> None:
        self._shared.remove(self._flat(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # `copy`, `pickle` and notebooks ask for such; no lookup, no flush.
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SummaryPart):
            other = other.as_dict()
        return self.as_dict() == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        text = repr(self.as_dict())
        return text if len(text) <= _SHOWN_CHARS else reprlib.repr(self.as_dict())

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy is what it was, and no run hears of it.
        return (dict, (self.as_dict(),))

    def _flat(self, key: Any) -> str:
        text = key_text(key)
        return f"{self._path}.{text}" if self._path else text


class Summary(SummaryPart):
    """
    One value for each metric of a run: the last one, unless `define_metric` says otherwise.

    What is set by hand stays until the same key is logged again. Images and the like can
    be set too. Reading flushes what was logged. Threads may share it; copies, and what is
    pickled, are plain dicts.

    Args:
        rules: what was defined for metrics.
        pull: called before values are read or set; hands rows that were logged to `feed`.
        on_change: gets `{"summary": {...}}` or `{"summary_removed": [...]}` of whole
            top-level keys, as JSON, for what is set or removed by hand.
        store: gets a key and a `Deferred`, and gives the JSON that stands for it.
        tell: gets sentences for the user.
        earlier: the summary of earlier sessions, as JSON.
    """

    __slots__ = ()

    def __init__(
        self,
        rules: MetricRules,
        *,
        pull: Callable[[], None] | None = None,
        on_change: Changed | None = None,
        store: StoreDeferred | None = None,
        tell: Tell | None = None,
        earlier: Mapping[str, Any] | None = None,
    ) -> None:
        values = SummaryValues(rules, earlier)
        super().__init__(_SharedValues(values, pull, on_change, store, tell), "")

    def feed_rows(self, rows: LoggedRows) -> None:
        """As `SummaryValues.feed`, and `_step` and `_timestamp` as W&B has them; any thread."""
        self._shared.feed(rows)

    def take_changes(self) -> dict[str, Any]:
        """As `SummaryValues.take_changes`, of all: what rows have changed since the last call."""
        return self._shared.take_changes()


def _missing(key: str) -> NotFoundError:
    return _NoValueError(
        f"the summary has no {key!r}",
        code="summary-key-unknown",
        hint="it has what was logged or set; list(run.summary) tells the names",
        key=key,
    )

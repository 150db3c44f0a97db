"""
The config of a run: what it was started with, by name.
"""

from __future__ import annotations

import json
import reprlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from artstore import forks
from artstore.errors import InvalidInputError, NotFoundError, StateError
from artstore.media.kinds import kind_of
from artstore.runs.nonfinite import encoded, restored
from artstore.tracking.configsource import parsed_config
from artstore.tracking.plainvalues import Tell, is_kind, key_text, plain

__all__ = ["ARTIFACT_SCHEMES", "Config"]

ARTIFACT_SCHEMES: Final = ("wandb-artifact://", "art://")
"""What a text begins with that names an artifact. `bert:v2` alone may be anything."""
_SHOWN_CHARS: Final = 400

Changed = Callable[[dict[str, Any]], None]
Use = Callable[[Any], tuple[Any, Any] | None]


class _NoKeyError(NotFoundError, KeyError, AttributeError):
    # What dicts raise, and what `hasattr` and `copy` ask for.
    pass


class Config(Mapping[str, Any]):
    """
    Names and values. They are read and set as items or attributes: `config["lr"]`, `config.lr`.

    Values become plain Python (`plainvalues.plain`); inner dicts and lists are plain ones.
    What is there is not set to another value, unless `allow_val_change` says so. Whatever is
    updated replaces all that stood under its top-level name. Threads may share a config. A
    copy, also a pickled one, is a config of its own that no run hears of.

    Args:
        values: what earlier sessions left, as JSON; nobody is told.
        on_change: gets `{"config": {...}}` or `{"config_removed": [...]}`, as JSON.
        use: asked about an artifact, a text with one of `ARTIFACT_SCHEMES`, or a dict with
            `_type` `artifactVersion`, under a top-level name; gives the JSON that stands for
            it, and what reading gives. None: it is no artifact, and stays what it is.
        tell: gets sentences for the user.
        may_change: what counts where `allow_val_change` is left out: true in notebooks.
    """

    __slots__ = ("_json", "_lock", "_may_change", "_on_change", "_tell", "_told", "_use", "_values")

    _values: dict[str, Any]
    _json: dict[str, Any]
    _told: dict[str, str]
    _lock: threading.Lock
    _on_change: Changed | None
    _use: Use | None
    _tell: Tell | None
    _may_change: bool

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        on_change: Changed | None = None,
        use: Use | None = None,
        tell: Tell | None = None,
        may_change: bool = False,
    ) -> None:
        own: dict[str, Any] = {
            "_values": {},
            # What is told of artifacts, which read as something else.
            "_json": {},
            # What was told of each name, to find what was changed inside of dicts and lists.
            "_told": {},
            "_lock": forks.new_lock(),
            "_on_change": on_change,
            "_use": use,
            "_tell": tell,
            "_may_change": may_change,
        }
        for name, value in own.items():
            object.__setattr__(self, name, value)
        for key, value in (values or {}).items():
            self._values[key] = restored(value)
            self._told[key] = self._text(key)

    def update(self, d: Any, allow_val_change: bool | None = None) -> None:  # noqa: FBT001 - as W&B
        """
        Set several values: all of them, or none if one is refused.

        Args:
            d: what `parsed_config` takes: a dict, a namespace, flags, a YAML file, ...
            allow_val_change: set what is there to other values too.
        Raises:
            StateError: `config-value-changed`.
            InvalidInputError: `config-invalid`, `library-missing`.
        """
        self._put(self._ready(parsed_config(d)), allow_val_change=allow_val_change)

    def setdefaults(self, d: Any) -> None:
        """Set what is not there yet; takes and raises what `update` does."""
        known = set(self._values)
        members = {
            key: value
            for key, value in parsed_config(d).items()
            if key_text(key).strip("-") not in known
        }
        ready = self._ready(members)
        self._put(ready, allow_val_change=False, keep=True)

    def persist(self) -> None:
        """
        Tell the run of what was changed inside of dicts and lists: `config["net"]["lr"] = 1`.

        Nobody hears of such a change when it is made; a run calls this when it ends.
        """
        with self._lock:
            changed = [
                key
                for key, value in self._values.items()
                if isinstance(value, (dict, list)) and self._text(key) != self._told[key]
            ]
            self._say(changed)

    def as_dict(self) -> dict[str, Any]:
        """A copy, with all that is in it."""
        with self._lock:
            return {
                key: value if key in self._json else plain(value)
                for key, value in self._values.items()
            }

    def to_json(self) -> dict[str, Any]:
        """All values as they are stored."""
        with self._lock:
            return {key: self._json_of(key) for key in self._values}

    def __getitem__(self, key: str) -> Any:
        try:
            return self._values[key]
        except KeyError:
            raise _missing(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        self._put(self._ready({key: value}))

    def __delitem__(self, key: str) -> None:
        with self._lock:
            if key not in self._values:
                raise _missing(key)
            del self._values[key], self._told[key]
            self._json.pop(key, None)
            if self._on_change is not None:
                self._on_change({"config_removed": [key]})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # What `copy`, `pickle` and notebooks ask for.
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        # Another thread may set a value meanwhile.
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        values = self.as_dict()
        text = repr(values)
        return text if len(text) <= _SHOWN_CHARS else reprlib.repr(values)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Config, (self.to_json(),))

    def _ready(self, members: Mapping[Any, Any]) -> dict[str, tuple[Any, Any]]:
        """By name: what is told, None for a value that is told as it is, and what is read."""
        ready = {}
        for key, value in members.items():
            # As W&B: flags may come with their dashes.
            name = key_text(key).strip("-")
            used = self._use(value) if self._use is not None and _is_artifact(value) else None
            if used is None:
                _refuse(name, value)
                ready[name] = (None, plain(value, self._tell))
            else:
                ready[name] = (encoded(used[0]), used[1])
        return ready

    def _put(
        self,
        ready: Mapping[str, tuple[Any, Any]],
        *,
        allow_val_change: bool | None = None,
        keep: bool = False,
    ) -> None:
        may_change = self._may_change if allow_val_change is None else allow_val_change
        with self._lock:
            if keep:
                ready = {key: pair for key, pair in ready.items() if key not in self._values}
            if not may_change:
                self._check(ready)
            for key, (told, value) in ready.items():
                self._values[key] = value
                self._json.pop(key, None)
                if told is not None:
                    self._json[key] = told
            # Under the lock: the journal has the changes in the order they were made in.
            self._say([key for key in ready if self._text(key) != self._told.get(key)])

    def _check(self, ready: Mapping[str, tuple[Any, Any]]) -> None:
        for key, (told, value) in ready.items():
            if key not in self._values:
                continue
            new = encoded(value) if told is None else told
            if new != self._json_of(key):
                raise StateError(
                    f"the config has {key!r} already, as {self._values[key]!r:.200}, "
                    f"and was to have {value!r:.200}",
                    code="config-value-changed",
                    hint="call run.config.update({...}, allow_val_change=True) if it is meant",
                    key=key,
                )

    def _say(self, keys: list[str]) -> None:
        if not keys:
            return
        self._told.update({key: self._text(key) for key in keys})
        if self._on_change is not None:
            self._on_change({"config": {key: self._json_of(key) for key in keys}})

    def _json_of(self, key: str) -> Any:
        if key in self._json:
            return self._json[key]
        value = self._values[key]
        # Inner dicts are plain ones, and anything may have been put into them since.
        return encoded(plain(value) if isinstance(value, (dict, list)) else value)

    def _text(self, key: str) -> str:
        return json.dumps(self._json_of(key))


def _is_artifact(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith(ARTIFACT_SCHEMES)
    if isinstance(value, Mapping):
        return value.get("_type") == "artifactVersion"
    return is_kind(type(value), "artstore.artifact", "Artifact")


def _refuse(name: str, value: Any) -> None:
    """What is no setting of a program, but what it works on."""
    if kind_of(value) is not None:
        raise _invalid(name, f"{type(value).__name__} is media", "log it with run.log")
    if isinstance(value, Mapping):
        for key, member in list(value.items()):
            if is_kind(type(member), "artstore.artifact", "Artifact"):
                why = f"the artifact under {key!r} is inside of a dict"
                raise _invalid(name, why, "put it under a top-level name, or use it by itself")
            _refuse(f"{name}.{key}", member)


def _invalid(name: str, why: str, hint: str) -> InvalidInputError:
    return InvalidInputError(
        f"the config cannot have {name!r}: {why}", code="config-invalid", hint=hint, key=name
    )


def _missing(key: str) -> NotFoundError:
    return _NoKeyError(
        f"the config has no {key!r}",
        code="config-key-unknown",
        hint="list(run.config) tells the names that it has",
        key=key,
    )

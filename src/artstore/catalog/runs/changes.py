"""
Changes of a run: several in one, or one in several that an entry each can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from artstore import canonical, limits
from artstore.errors import LimitExceededError

__all__ = ["CHANGES_MAX_BYTES", "cut_large", "merged", "split_changes"]

CHANGES_MAX_BYTES: Final = limits.ENTRY_MAX_BYTES // 2
"""Of the changes of one entry: the rest of it needs room too."""
_KEPT_CHARS: Final = 2**16
"""Of a text that is too large: as JSON at most six times as many bytes."""

_LISTS: Final = frozenset(["used", "logged", "linked", "alerts"])
_OBJECTS: Final = frozenset(["config", "summary", "metrics", "environment"])


def merged(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`before`, then `after`, as one object of changes; neither is changed."""
    both = dict(before)
    for name in ("config", "summary"):
        gone = after.get(f"{name}_removed") or []
        if gone:
            both[name] = {k: v for k, v in both.get(name, {}).items() if k not in set(gone)}
            both[f"{name}_removed"] = sorted({*both.get(f"{name}_removed", ()), *gone})
    for name, value in after.items():
        if name.endswith("_removed"):
            continue
        if name in _OBJECTS:
            both[name] = {**both.get(name, {}), **value}
        elif name in _LISTS:
            both[name] = [*both.get(name, ()), *value]
        elif name == "segments":
            both[name] = {
                **both.get(name, {}),
                **{
                    kind: {**both.get(name, {}).get(kind, {}), **one} for kind, one in value.items()
                },
            }
        else:
            both[name] = value
    return both


def split_changes(changes: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Changes in parts that one entry each can hold, in an order that comes to the same.

    Raises:
        LimitExceededError: `limit-exceeded`, naming the one value that is too large.
    Cost: encodes them once to measure.
    """
    if _size_of(changes) <= CHANGES_MAX_BYTES:
        return [changes]
    parts: list[dict[str, Any]] = [{}]
    room = CHANGES_MAX_BYTES
    for name, value in changes.items():
        for piece in _pieces(name, value):
            size = _size_of(piece)
            if size > CHANGES_MAX_BYTES:
                key = next(iter(piece[name]), "") if type(value) is dict else ""
                raise LimitExceededError(
                    f"{name} {key!r} of a run has {size} bytes, more than {CHANGES_MAX_BYTES}",
                    code="limit-exceeded",
                    hint="log it as an artifact and name that",
                )
            if size > room:
                parts.append({})
                room = CHANGES_MAX_BYTES
            _merge(parts[-1], name, piece[name])
            room -= size
    return parts


def _pieces(name: str, value: Any) -> list[dict[str, Any]]:
    if type(value) is dict and name != "segments":
        return [{name: {key: one}} for key, one in value.items()]
    if type(value) is list and name != "tags":
        return [{name: [one]} for one in value]
    return [{name: value}]


def _merge(part: dict[str, Any], name: str, value: Any) -> None:
    if name not in part:
        part[name] = value
    elif type(value) is dict:
        part[name] = {**part[name], **value}
    else:
        part[name] = [*part[name], *value]


def _size_of(value: Any) -> int:
    return len(canonical.encode(value, what="changes of a run"))


def cut_large(changes: Mapping[str, Any], tell: Callable[[str, int], None]) -> dict[str, Any]:
    """
    Changes of which an entry can hold each value: of what is larger the beginning is kept.

    Args:
        tell: called with the name of each such value, `config.prompt`, and its size in bytes.
    Cost: encodes them once to measure.
    """
    if _size_of(changes) <= CHANGES_MAX_BYTES:
        return dict(changes)
    after = dict(changes)
    for name, value in changes.items():
        for piece in _pieces(name, value):
            size = _size_of(piece)
            if size <= CHANGES_MAX_BYTES or name == "segments":
                continue
            if type(value) is dict:
                (key,) = piece[name]
                after[name] = {**after[name], key: _cut(piece[name][key])}
                tell(f"{name}.{key}", size)
            else:
                after[name] = [*map(_cut, value)] if type(value) is list else _cut(value)
                tell(name, size)
    return after


def _cut(value: Any, most_bytes: int = CHANGES_MAX_BYTES - 1024) -> Any:
    size = _size_of(value)
    if size <= most_bytes:
        return value
    if type(value) is str:
        return f"{value[:_KEPT_CHARS]}\n... cut here, of {size:,} bytes"
    if type(value) is dict:
        after = {key: _cut(one, most_bytes // 2) for key, one in value.items()}
        if _size_of(after) <= most_bytes:
            return after
    return f"... left out, of {size:,} bytes"

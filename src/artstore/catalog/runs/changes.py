"""
Changes of a run, several in one: what they come to is what they come to one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["merged"]

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

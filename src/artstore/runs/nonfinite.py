"""
Numbers that JSON has not: `{"$": "number", "v": "nan"}`, at any depth.
"""

from __future__ import annotations

import math
from typing import Any, Final

__all__ = ["encoded", "restored"]

_SPECIAL: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_MARK: Final = "$"


def encoded(value: Any) -> Any:
    """Plain Python as JSON can hold it; what is encoded already stays so."""
    if isinstance(value, float):
        return value if math.isfinite(value) else {_MARK: "number", "v": str(float(value))}
    if isinstance(value, dict):
        return {key: encoded(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [encoded(element) for element in value]
    return value


def restored(value: Any) -> Any:
    """What `encoded` was given."""
    if isinstance(value, dict):
        if len(value) == 2 and value.get(_MARK) == "number" and value.get("v") in _SPECIAL:
            return _SPECIAL[value["v"]]
        return {key: restored(member) for key, member in value.items()}
    if isinstance(value, list):
        return [restored(element) for element in value]
    return value

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
    """A plain value as JSON can hold it; what needs no change is given as it is."""
    if type(value) is float:
        if math.isfinite(value):
            return value
        text = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        return {_MARK: "number", "v": text}
    if type(value) is dict:
        return {key: encoded(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return [encoded(one) for one in value]
    return value


def restored(value: Any) -> Any:
    """Inverse of `encoded`."""
    if type(value) is dict:
        if value.get(_MARK) == "number" and len(value) == 2 and value.get("v") in _SPECIAL:
            return _SPECIAL[value["v"]]
        return {key: restored(one) for key, one in value.items()}
    if type(value) is list:
        return [restored(one) for one in value]
    return value

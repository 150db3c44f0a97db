"""
One value, one sequence of bytes: canonical JSON.

Sorted keys, no white space, UTF-8 without escapes that are not needed, no NaN
and no infinities, at most `limits.JSON_MAX_LEVELS` levels. Equal values of equal
types give equal bytes in every process on every machine, so entries can be
chained and digested (1 and 1.0 are two values, as they are in JSON).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from artstore import limits
from artstore.errors import DamagedDataError, InvalidInputError

__all__ = ["decode", "encode"]

# A JSON string, or all that is left where it is not closed; never backtracks.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def encode(value: Any, *, what: str = "value") -> bytes:
    """
    Write `value` (dict with str keys, list, tuple, str, int, float, bool, None).

    Raises:
        InvalidInputError: `value-invalid`, naming `what`, for NaN, infinities,
            keys that are not text, text that is not Unicode, other types, too
            deep nesting.
    """
    try:
        _check_shape(value, limits.JSON_MAX_LEVELS)
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{what} cannot be written as JSON: {error}", code="value-invalid"
        ) from error


def decode(data: bytes, *, what: str) -> Any:
    """
    Read JSON as `encode` writes it; white space and another order are let pass.

    What is refused depends on the bytes alone, never on the machine or on the
    depth of the call, so that every reader of a log skips the same entries.

    Raises:
        DamagedDataError: `value-invalid`, naming `what`, for bytes that are not
            UTF-8 JSON, repeated keys, half surrogates, NaN, infinities or
            numbers that overflow to one, too deep nesting.
    """
    try:
        _check_levels(data)
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if _SURROGATE.search(data):
            # `\ud800` alone would decode to text that cannot be written again.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise DamagedDataError(
            f"{what} is not valid JSON: {error}", code="value-invalid"
        ) from error
    return value


def _check_shape(value: Any, levels: int) -> None:
    if not isinstance(value, (dict, list, tuple)):
        return
    if levels == 0:
        raise ValueError(f"it is nested more than {limits.JSON_MAX_LEVELS} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            # json.dumps turns 1, True and None into text keys: two keys could become one.
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not text")
            _check_shape(item, levels - 1)
    else:
        for item in value:
            _check_shape(item, levels - 1)


def _check_levels(data: bytes) -> None:
    # The parser's own limit is what is left of the call stack, which differs from
    # reader to reader. Few brackets, as nearly always, cannot be nested deeply.
    if data.count(b"[") + data.count(b"{") <= limits.JSON_MAX_LEVELS:
        return
    rest = _STRING.sub(b"", data).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(limits.JSON_MAX_LEVELS):
        # Takes one level away: every innermost pair.
        rest = rest.replace(b"[]", b"")
    if rest:
        raise ValueError(f"nested more than {limits.JSON_MAX_LEVELS} levels deep, or unbalanced")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond the numbers there are")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")

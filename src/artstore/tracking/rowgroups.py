"""
Rows on their way from `log` to the journal: kept together by their keys and types.

A row is put into the flat list of its group by one `extend`, which no interrupt and no other
thread can divide; the list is always a number of whole rows.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError
from artstore.runs import rowblocks
from artstore.runs.rowblocks import encode_rows, encode_schema, sound_text

__all__ = [
    "ConvertRow",
    "JsonEncoded",
    "LoggedRows",
    "RowGroup",
    "RowStored",
    "json_text",
    "stored_row",
]

LEADING: Final = 3
"""Numbers before the values of a row: seq, step, time."""
_MAX_LEVELS: Final = 100
_JSON_TEXT_CHARS: Final = 1_000

ConvertRow = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes a row of scalars and JSON out of what a user logs."""


class JsonEncoded:
    """The type of a value that is kept as JSON text."""


_STORED_AS: Final[dict[type, str]] = {
    float: rowblocks.FLOAT,
    int: rowblocks.INT,
    bool: rowblocks.BOOL,
    str: rowblocks.TEXT,
    type(None): rowblocks.NONE,
    JsonEncoded: rowblocks.JSON,
}


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """
    Rows with the same keys and types, in the order of the calls.

    Attributes:
        types: of `artstore.runs.rowblocks`; values of type JSON are JSON texts here.
        seqs: numbers of the calls; of two rows with one key the greater one came later.
        columns: for each key its values.
    """

    keys: tuple[str, ...]
    types: tuple[str, ...]
    seqs: Sequence[int]
    steps: Sequence[int]
    times: Sequence[float]
    columns: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class RowStored:
    """
    A row as a group takes it.

    Attributes:
        time: seconds since the epoch, if the row states it.
    """

    keys: tuple[str, ...]
    types: tuple[type, ...]
    values: tuple[Any, ...]
    time: float | None


class RowGroup:
    """
    Rows of one schema that are not in the journal yet.

    Attributes:
        flat: seq, step, time and the values of each row, one after the other.
        weight: of a row of numbers, see `weigh`.
        has_texts: whether rows weigh more.
    """

    __slots__ = ("_schema", "_stored", "_texts", "flat", "has_texts", "keys", "weight")

    def __init__(self, keys: Sequence[str], types: Sequence[type]) -> None:
        self.keys = tuple(_sound_key(key) for key in keys)
        self._stored = tuple(_STORED_AS[kind] for kind in types)
        self._schema: bytes | None = None
        self._texts = [at for at, kind in enumerate(types) if kind in (str, JsonEncoded)]
        self.flat: list[Any] = []
        self.weight = LEADING + len(types)
        self.has_texts = bool(self._texts)

    def weigh(self, values: Sequence[Any]) -> int:
        """What a row takes in memory, in numbers of about 30 bytes."""
        return self.weight + sum(len(values[at]) for at in self._texts) // 16

    def take(self, before: int) -> list[Any]:
        """Take out the rows of calls before `before`, flat. One thread takes, any may add."""
        taken, _ = self.split(self.flat, before)
        del self.flat[: len(taken)]
        return taken

    def split(self, flat: list[Any], seq: int) -> tuple[list[Any], list[Any]]:
        """The rows of calls before `seq`, and the others."""
        width = LEADING + len(self.keys)
        at = bisect.bisect_left(flat[::width], seq) * width
        return flat[:at], flat[at:]

    def logged(self, flat: list[Any]) -> LoggedRows:
        """Flat rows as columns."""
        width = LEADING + len(self.keys)
        columns = [flat[at::width] for at in range(width)]
        seqs, steps, times, *values = columns
        return LoggedRows(self.keys, self._stored, seqs, steps, times, values)

    def encode(self, rows: LoggedRows) -> bytes:
        """Rows of this group as the payload of a block."""
        if self._schema is None:
            self._schema = encode_schema(self.keys, self._stored)
        columns = [rows.seqs, rows.steps, rows.times, *rows.columns]
        return encode_rows(self.keys, self._stored, self._schema, columns)


def stored_row(data: Any, convert_row: ConvertRow | None) -> RowStored:
    """
    A row of any values as it is kept.

    `_step` in it is left out, `_timestamp` is its time.

    Raises:
        InvalidInputError: `value-invalid`: no mapping, or a key that is no text; what
            `convert_row` raises.
    """
    if not isinstance(data, Mapping):
        raise InvalidInputError(
            f"a row to be logged is a dict of names and values, not {type(data).__name__}",
            code="value-invalid",
            hint="log({'loss': loss})",
        )
    row = dict(data)
    if convert_row is not None and not all(type(value) in _STORED_AS for value in row.values()):
        row = dict(convert_row(row))
    for key in row:
        if not isinstance(key, str):
            raise InvalidInputError(
                f"the keys of a row to be logged are text, not {key!r}",
                code="value-invalid",
                hint=f"use str({key!r})",
            )
    row.pop("_step", None)
    time = row.pop("_timestamp", None)
    pairs = [_stored(value) for value in row.values()]
    return RowStored(
        tuple(row),
        tuple(kind for kind, _ in pairs),
        tuple(value for _, value in pairs),
        float(time) if isinstance(time, (int, float)) and math.isfinite(time) else None,
    )


def _stored(value: Any) -> tuple[type, Any]:
    kind = type(value)
    if kind in _STORED_AS:
        return kind, value
    # Of a class derived from a scalar, as numpy's float64, what it is at bottom.
    for scalar in (float, int, str):
        if isinstance(value, scalar):
            return scalar, getattr(scalar, f"__{scalar.__name__}__")(value)
    return JsonEncoded, json_text(value)


def json_text(value: Any) -> str:
    """
    Any value as JSON.

    Numbers that JSON has not become `{"$": "number", "v": "nan"}`, what it cannot hold text.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_json(value, _MAX_LEVELS), ensure_ascii=False, separators=(",", ":"))


def _json(value: Any, levels: int) -> Any:
    """What `json_text` writes, made of what JSON holds."""
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return {"$": "number", "v": str(float(value))}
    if isinstance(value, int) and abs(value) < 2**8192:
        return value
    if value is None or isinstance(value, str):
        return value
    if levels and isinstance(value, Mapping):
        return {str(key): _json(member, levels - 1) for key, member in value.items()}
    if levels and isinstance(value, (list, tuple)):
        return [_json(member, levels - 1) for member in value]
    try:
        return repr(value)[:_JSON_TEXT_CHARS]
    except Exception:  # noqa: BLE001 - whatever its author forgot must not end a run
        return f"<{type(value).__qualname__}>"


def _sound_key(key: str) -> str:
    return key if key.isascii() else sound_text(key)

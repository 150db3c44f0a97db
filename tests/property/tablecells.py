"""
Cells of tables of every sort, and what each is, told apart from how a column keeps it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import struct
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

__all__ = ["CELLS", "COLUMNS", "FAMILIES", "plain"]

_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
HALF_PAST_FIVE = dt.timezone(dt.timedelta(hours=5, minutes=30))

# strategies -----------------------------------------------------------------------------

_EDGES = [0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**60, 2**63 - 1, -(2**63)]
SMALL_INTS = st.integers(-5, 5) | st.sampled_from(_EDGES) | st.integers(-(2**63), 2**63 - 1)
INTS = SMALL_INTS | st.sampled_from(
    [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 2**70, -(2**70), 10**76 - 1, 10**76, 10**80]
)
FLOATS = st.sampled_from([0.0, -0.0, 1.0, 2.0**53, 2.0**53 + 2, -(2.0**60), 0.1]) | st.floats(
    allow_subnormal=False
)
TEXTS = st.text(max_size=12) | st.sampled_from(["", "a" * 7, "a" * 8, "a" * 20, "\0", "é"])
BYTES = st.binary(max_size=12)
DATES = st.dates()
TIMES = st.times()
LOCAL = st.datetimes()
_INNER = {"min_value": dt.datetime(2, 1, 1), "max_value": dt.datetime(9998, 12, 31)}
ZONED = st.datetimes(**_INNER, timezones=st.sampled_from([dt.UTC, BERLIN, HALF_PAST_FIVE]))
FINE = st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2262, 1, 1)).flatmap(
    lambda moment: st.integers(0, 999).map(
        lambda nanos: np.datetime64(moment, "ns") + np.timedelta64(nanos, "ns")
    )
)
DURATIONS = st.timedeltas(dt.timedelta(days=-106_000), dt.timedelta(days=106_000))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.sampled_from(
    [decimal.Decimal(text) for text in ("1.50", "1.5", "1E+5", "1E-10", "0", "-0.0", "9" * 60)]
)
NUMPY = st.one_of(
    st.integers(-128, 127).map(np.int8),
    st.integers(0, 255).map(np.uint8),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.floats(width=16).map(np.float16),
    st.floats(width=32).map(np.float32),
)
ARRAYS = st.builds(
    lambda dtype, shape, seed: np.random.default_rng(seed).integers(0, 2, shape).astype(dtype),
    st.sampled_from(["bool", "int8", "uint16", "int64", "float16", "float32", "float64"]),
    st.sampled_from([(2,), (3,), (2, 2), (0,), (0, 3), (1, 1, 1)]),
    st.integers(0, 3),
)
_NAMES = st.sampled_from(["a", "b", "c", "é", ""])
LISTS = st.lists(st.none() | SMALL_INTS, max_size=4)
STRUCTS = st.dictionaries(_NAMES, st.none() | SMALL_INTS | TEXTS, max_size=3)

FAMILIES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": INTS,
    "float": FLOATS,
    "number": INTS | FLOATS,
    "numpy": NUMPY,
    "text": TEXTS,
    "bytes": BYTES,
    "date": DATES,
    "time": TIMES,
    "local": LOCAL,
    "zoned": ZONED,
    "fine": FINE | LOCAL,
    "duration": DURATIONS,
    "decimal": DECIMALS,
    "array": ARRAYS,
    "list": LISTS,
    "struct": STRUCTS,
}
_LEAVES = st.one_of(st.none(), *FAMILIES.values())
CELLS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)
"""Cells of any sort, one within the other."""

COLUMNS = st.one_of(
    *(st.lists(st.none() | family, max_size=12) for family in FAMILIES.values()),
    st.lists(CELLS, max_size=12),
)
"""The cells of a column: of one sort, as nearly all are, or of any."""

# what a cell is -------------------------------------------------------------------------


def plain(cell: Any) -> Any:  # noqa: PLR0911 - one line a sort
    """A cell as `leafreference` tells it; see docs/format/table.md section 3."""
    if isinstance(cell, (bool, np.bool_)):
        return ("bool", bool(cell))
    if isinstance(cell, (int, np.integer)):
        return _whole(int(cell))
    if isinstance(cell, (float, np.floating)):
        return _number(float(cell))
    if isinstance(cell, str):
        return ("text", cell)
    if isinstance(cell, bytes):
        return ("bytes", cell)
    if isinstance(cell, decimal.Decimal):
        return _decimal(cell)
    if isinstance(cell, np.datetime64):
        return ("local", int(cell.astype("M8[ns]").astype(np.int64)))
    if isinstance(cell, dt.datetime):
        return _moment(cell)
    if isinstance(cell, dt.date):
        return ("date", (cell - dt.date(1970, 1, 1)).days)
    if isinstance(cell, dt.time):
        since = dt.datetime.combine(dt.date(1970, 1, 1), cell) - _EPOCH
        return ("time", 1000 * (since // _MICROSECOND))
    if isinstance(cell, dt.timedelta):
        return ("duration", 1000 * (cell // _MICROSECOND) + getattr(cell, "nanoseconds", 0))
    if isinstance(cell, np.ndarray):
        if cell.dtype.kind == "f":
            cell = np.where(np.isnan(cell), np.asarray(np.nan, cell.dtype), cell)
        little = cell.astype(cell.dtype.newbyteorder("<"))
        return ("array", (cell.dtype.name, cell.shape, little.tobytes()))
    if isinstance(cell, list):
        return ("list", [plain(element) for element in cell])
    if isinstance(cell, dict):
        members = {name: plain(member) for name, member in cell.items()}
        return ("struct", {name: told for name, told in members.items() if told is not None})
    assert cell is None, type(cell)
    return None


def _whole(number: int) -> Any:
    if -(2**63) <= number < 2**64:
        return ("int", number)
    return ("decimal" if abs(number) < 10**76 else "text", str(number))


def _number(value: float) -> Any:
    if math.isnan(value):
        return ("float", 0x7FF8000000000000)
    is_minus_zero = value == 0 and math.copysign(1, value) < 0
    if math.isfinite(value) and value == int(value) and abs(value) <= 2**53 and not is_minus_zero:
        return ("int", int(value))
    return ("float", struct.unpack("<Q", struct.pack("<d", value))[0])


def _decimal(cell: decimal.Decimal) -> Any:
    if not cell.is_finite():
        return _number(float(cell))
    sign, digits, exponent = cell.as_tuple()
    number = int("".join(map(str, digits)))
    while number and number % 10 == 0:
        number, exponent = number // 10, exponent + 1
    if not number:
        return ("decimal", "0")
    text = str(number).rjust(1 - exponent, "0") if exponent < 0 else str(number) + "0" * exponent
    if exponent < 0:
        text = f"{text[:exponent]}.{text[exponent:]}"
    return ("decimal", "-" * sign + text)


def _moment(cell: dt.datetime) -> Any:
    nanos = getattr(cell, "nanosecond", 0)
    if cell.tzinfo is None:
        return ("local", 1000 * ((cell - _EPOCH) // _MICROSECOND) + nanos)
    zone = getattr(cell.tzinfo, "key", None)
    if zone is None:
        offset = cell.utcoffset()
        minutes = offset // dt.timedelta(minutes=1)
        zone = f"{minutes // 60:+03}:{minutes % 60:02}" if offset else "UTC"
    since = cell.astimezone(dt.UTC).replace(tzinfo=None) - _EPOCH
    return ("zoned", (zone, 1000 * (since // _MICROSECOND) + nanos))

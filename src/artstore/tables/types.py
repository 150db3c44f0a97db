"""
The types of columns: what a cell may be, apart from how Arrow and Parquet keep it.

A type is written as JSON: the name of a plain type (`"int64"`, `"text"`), or an
object with the member `type` (docs/format/table.md section 2). Types do not count
in the digests of rows, so a column may widen without one row being stored again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import DamagedDataError

__all__ = [
    "BOOL",
    "BYTES",
    "DATE",
    "DECIMAL_DIGITS",
    "FLOAT64",
    "INT",
    "INT64",
    "NESTED_MAX",
    "NULL",
    "TEXT",
    "TIME",
    "UINT64",
    "Array",
    "ColumnType",
    "Decimal",
    "Duration",
    "List",
    "Media",
    "Plain",
    "Struct",
    "Timestamp",
    "Union",
    "decode_type",
    "encode_type",
]

_DEPTH_MAX: Final = 64
"""FORMAT: types within types; deeper ones are refused, when written and when read."""


@dataclass(frozen=True, slots=True)
class Plain:
    """
    A type without parameters, by its name in `PLAIN`.

    `int` is whole numbers up to 2^53 either way, which a float holds as well: a column
    of them becomes one of floats when a fraction comes; one of `int64` a union.
    """

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment (with a zone) or a local date and time (without); unit `us` or `ns`."""

    unit: str = "us"
    zone: str | None = None

    def __str__(self) -> str:
        return f"timestamp[{self.unit}{', ' + self.zone if self.zone else ''}]"


@dataclass(frozen=True, slots=True)
class Duration:
    """A difference of times, of at most 292 years; unit `us` or `ns`."""

    unit: str = "us"

    def __str__(self) -> str:
        return f"duration[{self.unit}]"


@dataclass(frozen=True, slots=True)
class Decimal:
    """
    Decimal numbers of `precision` digits, `scale` of them behind the point.

    At most 76 digits on either side, so that two such types always have a common one.
    """

    precision: int
    scale: int

    @property
    def is_wide(self) -> bool:
        """Whether it has more digits than engines have; then it is kept as text."""
        return self.precision > 38

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})"


@dataclass(frozen=True, slots=True)
class List:
    """Lists of any length."""

    element: ColumnType

    def __str__(self) -> str:
        return f"list<{self.element}>"


@dataclass(frozen=True, slots=True)
class Struct:
    """Dictionaries with these members; one that is not there is None."""

    fields: tuple[tuple[str, ColumnType], ...]

    def __str__(self) -> str:
        return f"struct<{', '.join(f'{name}: {kind}' for name, kind in self.fields)}>"


@dataclass(frozen=True, slots=True)
class Array:
    """Arrays of numbers of one dtype; `shape` if all have the same."""

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        shape = "?" if self.shape is None else "x".join(map(str, self.shape))
        return f"array<{self.dtype}, {shape}>"


@dataclass(frozen=True, slots=True)
class Media:
    """Images or another kind of media, by its name in files: `image-file`."""

    kind: str
    cell: Struct

    def __str__(self) -> str:
        return self.kind.removesuffix("-file")


@dataclass(frozen=True, slots=True)
class Union:
    """Cells of several types: by tag, in the order of the tags."""

    members: tuple[tuple[str, ColumnType], ...]

    def __str__(self) -> str:
        return " | ".join(str(kind) for _, kind in self.members)


ColumnType = Plain | Timestamp | Duration | Decimal | List | Struct | Array | Media | Union

PLAIN: Final = frozenset(
    (
        *("null", "bool", "text", "bytes", "date", "time", "int"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *("float16", "float32", "float64"),
    )
)
ARRAY_DTYPES: Final = frozenset(name for name in PLAIN if name[-1].isdigit()) | {"bool"}

NULL: Final = Plain("null")
BOOL: Final = Plain("bool")
DECIMAL_DIGITS: Final = 76
"""FORMAT: of a decimal number before the point, and as many behind it."""

NESTED_MAX: Final = 12
"""Lists within lists in one cell: if each level is a union, their type as JSON still has
fewer levels than a header may have."""

INT: Final = Plain("int")
INT64: Final = Plain("int64")
UINT64: Final = Plain("uint64")
FLOAT64: Final = Plain("float64")
TEXT: Final = Plain("text")
BYTES: Final = Plain("bytes")
DATE: Final = Plain("date")
TIME: Final = Plain("time")


def encode_type(kind: ColumnType) -> Any:
    """Type -> JSON value."""
    if isinstance(kind, Plain):
        return kind.name
    if isinstance(kind, Timestamp):
        return {"type": "timestamp", "unit": kind.unit, "zone": kind.zone}
    if isinstance(kind, Duration):
        return {"type": "duration", "unit": kind.unit}
    if isinstance(kind, Decimal):
        return {"type": "decimal", "precision": kind.precision, "scale": kind.scale}
    if isinstance(kind, List):
        return {"type": "list", "element": encode_type(kind.element)}
    if isinstance(kind, Array):
        shape = None if kind.shape is None else list(kind.shape)
        return {"type": "array", "dtype": kind.dtype, "shape": shape}
    if isinstance(kind, Media):
        return {"type": "media", "kind": kind.kind, "cell": encode_type(kind.cell)}
    name, members = ("struct", kind.fields) if isinstance(kind, Struct) else ("union", kind.members)
    return {"type": name, "members": [[tag, encode_type(member)] for tag, member in members]}


def decode_type(value: Any, *, where: str) -> ColumnType:
    """
    JSON value -> type.

    Raises:
        DamagedDataError: `table-damaged`.
    """
    try:
        return _decode(value, 0)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedDataError(
            f"{where} is damaged: {value!r:.200} is no type of a column",
            code="table-damaged",
            where=where,
        ) from error


def _decode(value: Any, depth: int) -> ColumnType:
    if depth > _DEPTH_MAX:
        raise ValueError("types too deep within types")
    if isinstance(value, str):
        return Plain(_one_of(value, PLAIN))
    kind = value["type"]
    if kind == "list":
        return List(_decode(value["element"], depth + 1))
    if kind == "media":
        cell = _decode(value["cell"], depth + 1)
        if not isinstance(cell, Struct):
            raise TypeError("the cell of a medium is a struct")
        return Media(_text(value["kind"]), cell)
    if kind in ("struct", "union"):
        members = tuple(
            (_text(tag), _decode(member, depth + 1)) for tag, member in value["members"]
        )
        if len({tag for tag, _ in members}) != len(members):
            raise ValueError("a member twice")
        return Struct(members) if kind == "struct" else Union(members)
    return _decode_parametric(kind, value)


def _decode_parametric(kind: str, value: Mapping[str, Any]) -> ColumnType:
    units = ("us", "ns")
    if kind == "timestamp":
        zone = value["zone"]
        if zone == "":
            raise ValueError("a zone without a name")
        return Timestamp(_one_of(value["unit"], units), None if zone is None else _text(zone))
    if kind == "duration":
        return Duration(_one_of(value["unit"], units))
    if kind == "decimal":
        scale = _count(value["scale"], DECIMAL_DIGITS)
        whole = _count(value["precision"] - scale, DECIMAL_DIGITS)
        if not scale + whole:
            raise ValueError("a number without digits")
        return Decimal(scale + whole, scale)
    if kind == "array":
        shape = value["shape"]
        dtype = _one_of(value["dtype"], ARRAY_DTYPES)
        return Array(dtype, None if shape is None else tuple(_count(n, 2**31 - 1) for n in shape))
    raise ValueError(kind)


def _one_of(value: str, known: Any) -> str:
    if value not in known:
        raise ValueError(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _count(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is not a number from 0 to {most}")
    return value

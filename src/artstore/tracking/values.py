"""
What a user logs, as what a history row holds.

    int, float, bool, str, None             as they are, NaN and infinities too
    numbers of numpy, torch, jax, ...       numbers; arrays with one element too
    arrays with up to 32 elements           lists; larger ones histograms, as W&B has it
    lists, tuples, sets                     lists up to 1,000 elements; more numbers: histograms
    Decimal, Fraction / times / Enum / Path floats / ISO text / their values / text
    Histogram                               its JSON
    images and other media, figures of matplotlib and plotly, pictures of Pillow,
    tables, DataFrames                      a `Deferred`: they have files that a run stores
    all else                                `str`, cut off, which is told once

An array is never taken for an image: nobody can tell a picture from a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.media.kinds import kind_of
from artstore.media.values import as_array
from artstore.runs.nonfinite import encoded
from artstore.tracking.plainvalues import (
    LIST_MAX_COUNT,
    SCALARS,
    Tell,
    element_count,
    is_array,
    is_kind,
    key_text,
    plain,
    told,
)

__all__ = [
    "ARRAY_MAX_COUNT",
    "Converter",
    "Deferred",
    "DeferredKind",
    "StoreDeferred",
    "convert",
    "flatten",
]

ARRAY_MAX_COUNT: Final = 32
"""Where W&B begins to keep a histogram of an array."""

DeferredKind = Literal["media", "media-list", "table", "joined-table", "partitioned-table"]

_FLATTENED_LEVELS: Final = 32
_BYTES_AND_TEXT: Final = (str, bytes, bytearray, memoryview)
_KNOWN_TYPES_COUNT: Final = 1_000
"""A program that makes classes as it runs must not fill the memory with them."""

_TABLES: Final[tuple[tuple[str, str, DeferredKind], ...]] = (
    ("artstore.tables.table", "Table", "table"),
    ("artstore.tables.joined", "JoinedTable", "joined-table"),
    ("artstore.tables.partitioned", "PartitionedTable", "partitioned-table"),
)
_FRAMES: Final = frozenset(
    (
        ("pandas", "DataFrame"),
        ("polars", "DataFrame"),
        ("pyarrow", "RecordBatch"),
        ("pyarrow", "Table"),
    )
)


@dataclass(frozen=True, slots=True)
class Deferred:
    """
    A value with files of its own, which a history row cannot hold.

    Whoever logs the row stores it and puts JSON in its place: `artstore.tracking.mediajson`
    for media, the name of an artifact for tables.

    Attributes:
        kind: what `value` is:
            `media`: a media value (`artstore.media.kinds`);
            `media-list`: a tuple of one or more of them, of any kinds;
            `table`: a `Table`; of a user's it is not a copy, store it before `log` returns;
            `joined-table`: a `JoinedTable`;
            `partitioned-table`: a `PartitionedTable`.
    """

    kind: DeferredKind
    value: Any


StoreDeferred = Callable[[str, Deferred], Any]
"""Stores a value that is logged or set under a key, and gives its JSON."""
_Way = Callable[[str, Any], Any]


class Converter:
    """
    Values to what a history row holds, as the module tells.

    Args:
        tell: gets a sentence when a value becomes mere text; once for each key.
        store: stores what `row` finds deferred, and gives the JSON that stands for it.
    """

    __slots__ = ("_store", "_tell", "_told", "_ways")

    def __init__(self, tell: Tell | None = None, store: StoreDeferred | None = None) -> None:
        self._tell = tell
        self._store = store
        self._told: set[str] = set()
        # What is to be done with values of a type: found out once.
        self._ways: dict[type, _Way] = {}

    def convert(self, key: str, value: Any) -> Any:
        """
        What a history row holds of `value`: a scalar, JSON, or a `Deferred`.

        Lists and dicts come without NaN and infinities in them (`artstore.runs.nonfinite`);
        a float by itself may be one.

        Args:
            key: names the value in what is told.
        Raises:
            ArtstoreError: as `Image`, `Plotly` and `Table` do, for figures and frames.
        Cost: a tensor without dimensions is one call of `item`. Figures are drawn, frames
            become tables.
        """
        kind = type(value)
        if kind in SCALARS:
            return value
        way = self._ways.get(kind)
        if way is None:
            way = self._learned(value)
        try:
            return way(key, value)
        except ArtstoreError:
            raise
        except Exception:  # noqa: BLE001 - whatever a library raises, a run goes on
            return self._as_text(key, value, "cannot be read")

    def row(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        """
        A whole row: dicts in it flattened, every value converted, what is deferred stored.

        Raises:
            InvalidInputError: `value-invalid` for a key that is no text.
        """
        row = {key: self.convert(key, value) for key, value in flatten(data).items()}
        if self._store is not None:
            for key, value in row.items():
                if type(value) is Deferred:
                    row[key] = self._store(key, value)
        return row

    def _learned(self, value: Any) -> _Way:
        if len(self._ways) >= _KNOWN_TYPES_COUNT:
            self._ways.clear()
        way = self._ways[type(value)] = self._way(value)
        return way

    def _way(self, value: Any) -> _Way:
        kind = type(value)
        if isinstance(value, ModuleType):
            return _module
        if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, _BYTES_AND_TEXT):
            return self._list
        media = kind_of(value)
        if media is not None:
            return _histogram if media.type_name == "histogram" else _media
        table = _table_kind(kind)
        if table is not None:
            return lambda _key, given: Deferred(table, given)
        roots = {(base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__}
        if roots & _FRAMES:
            return _frame
        if ("plotly" in {root for root, _ in roots}) and hasattr(kind, "to_json"):
            return _plotly
        if ("PIL", "Image") in roots or _is_of_figure(value, roots):
            return _image
        is_number = is_array(value) and kind.__name__ != "datetime64"
        return self._array if is_number else self._plain

    def _plain(self, key: str, value: Any) -> Any:
        return encoded_list(plain(value, self._teller(key)))

    def _array(self, key: str, value: Any) -> Any:
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            number = value.item()
            return number if type(number) in SCALARS else self._plain(key, value)
        array = as_array(value)
        if array is None or array.size <= ARRAY_MAX_COUNT or array.dtype.kind not in "biuf":
            return self._plain(key, value)
        flat = array.astype("float64").reshape(-1)
        # False for NaN too.
        return self._counted(key, value, flat[abs(flat) < math.inf])

    def _list(self, key: str, value: Any) -> Any:
        elements = value if isinstance(value, (list, tuple)) else plain(value)
        if elements and all(kind_of(element) is not None for element in elements):
            return Deferred("media-list", tuple(elements))
        if element_count(elements, LIST_MAX_COUNT + 1) <= LIST_MAX_COUNT:
            return self._plain(key, elements)
        numbers: list[float] = []
        if _collect(plain(elements), numbers):
            return self._counted(key, value, numbers)
        return self._as_text(key, value, f"has more than {LIST_MAX_COUNT:,} elements")

    def _counted(self, key: str, value: Any, numbers: Any) -> Any:
        from artstore.media.histogram import Histogram

        if not len(numbers):
            return self._as_text(key, value, "has no finite number")
        return _histogram(key, Histogram(numbers))

    def _as_text(self, key: str, value: Any, why: str) -> str:
        self._say(key, f"a value of type {type(value).__qualname__} {why}: it is kept as text")
        return told(value)

    def _teller(self, key: str) -> Tell:
        return lambda sentence: self._say(key, sentence)

    def _say(self, key: str, sentence: str) -> None:
        if self._tell is not None and key not in self._told:
            self._told.add(key)
            self._tell(f"{key!r}: {sentence}")


_quiet = Converter()


def convert(key: str, value: Any) -> Any:
    """`Converter.convert`, telling nobody."""
    return _quiet.convert(key, value)


def flatten(data: Mapping[Any, Any]) -> dict[str, Any]:
    """
    A row without dicts in dicts: `{"val": {"acc": 1}}` becomes `{"val.acc": 1}`.

    The values stay what they are. A dict stays whole if it is empty, or has a member
    `_type` and so is the JSON of something.

    Raises:
        InvalidInputError: `value-invalid` for what is no dict, and for a key that is no
            text; in inner dicts every key becomes one.
    """
    if not isinstance(data, Mapping):
        raise InvalidInputError(
            f"a row to be logged is a dict of names and values, not {type(data).__name__}",
            code="value-invalid",
            hint="log({'loss': loss})",
        )
    row: dict[str, Any] = {}
    for key, value in list(data.items()):
        if not isinstance(key, str):
            raise InvalidInputError(
                f"a row of history was to be logged with the key {key!r}, which is no text",
                code="value-invalid",
                hint="use names as keys, such as 'loss' or 'val/acc'",
            )
        _flatten_into(row, str(key), value, _FLATTENED_LEVELS)
    return row


def encoded_list(value: Any) -> Any:
    """`encoded`, for lists and dicts: a number by itself goes into a column of numbers."""
    return encoded(value) if isinstance(value, (dict, list)) else value


def _flatten_into(row: dict[str, Any], path: str, value: Any, levels: int) -> None:
    if not isinstance(value, Mapping) or not value or levels == 0 or "_type" in value:
        row[path] = value
        return
    for key, member in list(value.items()):
        _flatten_into(row, f"{path}.{key_text(key)}", member, levels - 1)


def _table_kind(kind: type) -> DeferredKind | None:
    return next((found for module, name, found in _TABLES if is_kind(kind, module, name)), None)


def _is_of_figure(value: Any, roots: set[tuple[str, str]]) -> bool:
    """A figure or axes of matplotlib."""
    return any(root == "matplotlib" for root, _ in roots) and (
        hasattr(value, "savefig") or hasattr(getattr(value, "figure", None), "savefig")
    )


def _collect(value: Any, numbers: list[float]) -> bool:
    """Put all finite numbers of a list into `numbers`; whether all of it was numbers."""
    for element in value:
        if isinstance(element, list):
            if not _collect(element, numbers):
                return False
        elif not isinstance(element, (int, float)):
            return False
        elif math.isfinite(element):
            numbers.append(element)
    return True


def _module(key: str, value: Any) -> Any:
    # Scripts log `plt`, which stands for the newest figure.
    return _image(key, value) if value.__name__ == "matplotlib.pyplot" else value.__name__


def _media(_key: str, value: Any) -> Any:
    return Deferred("media", value)


def _histogram(_key: str, value: Any) -> Any:
    return {"_type": "histogram", **value.prepare().cell}


def _image(_key: str, value: Any) -> Any:
    from artstore.media.image import Image

    return Deferred("media", Image(value))


def _plotly(_key: str, value: Any) -> Any:
    from artstore.media.plotly import Plotly

    return Deferred("media", Plotly(value))


def _frame(_key: str, value: Any) -> Any:
    from artstore.tables.table import Table

    return Deferred("table", Table(dataframe=value))

"""
How the values of each column are laid out in a Parquet file: which is smaller and read faster.

Parquet's writers try a dictionary first and give it up after a megabyte, which costs more than
all else where nearly every value is another one. So a sample decides beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PageCodecs", "page_codecs"]

_SAMPLE: Final = 8192
"""Values of a column that are looked at: 0.2 ms."""

_DELTA: Final = "DELTA_BINARY_PACKED"


@dataclass(frozen=True, slots=True)
class PageCodecs:
    """
    What `pyarrow.parquet.ParquetWriter` is told, by the paths of leaf columns.

    Attributes:
        dictionaries: columns with few different values.
        encodings: other columns, where it is not the plain one.
    """

    dictionaries: Sequence[str]
    encodings: Mapping[str, str]


def page_codecs(table: Any) -> PageCodecs:
    """
    How the columns of an Arrow table, or of one that begins like this one, are laid out.

    Measured on 1 M rows of an id, measurements and counts: a third of the time that dictionaries
    for all columns take, a quarter fewer bytes, and DuckDB scans them twice as fast.
    """
    dictionaries: list[str] = []
    encodings: dict[str, str] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        for path, leaves in _leaves(field.name, field.type, chunks):
            sample = _sample(leaves)
            if sample is None or _wants_dictionary(sample):
                dictionaries.append(path)
            elif _is_whole_number(sample.type):
                encodings[path] = _DELTA
    return PageCodecs(dictionaries, encodings)


def _leaves(path: str, kind: Any, arrays: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The columns without columns in them, by their paths in Parquet, with their values."""
    if pa.types.is_struct(kind):
        for at, field in enumerate(kind):
            members = [array.field(at) for array in arrays]
            yield from _leaves(f"{path}.{field.name}", field.type, members)
    elif pa.types.is_list(kind):
        elements = [array.flatten() for array in arrays]
        yield from _leaves(f"{path}.list.element", kind.value_type, elements)
    else:
        yield path, arrays


def _sample(arrays: list[Any]) -> Any:
    """Values from all over `arrays`; None if there are none, or they cannot be compared."""
    total = sum(len(array) for array in arrays)
    if not total or not _is_comparable(arrays[0].type):
        return None
    step = -(-total // _SAMPLE)
    picked = [array.take(pa.array(_every(len(array), step))) for array in arrays]
    return pa.concat_arrays(picked).drop_null() if len(picked) > 1 else picked[0].drop_null()


def _every(count: int, step: int) -> NDArray[np.int64]:
    return np.arange(0, count, step, dtype=np.int64)


def _is_comparable(kind: Any) -> bool:
    return (
        _is_whole_number(kind)
        or kind in (pa.float32(), pa.float64())
        or pa.types.is_string(kind)
        or pa.types.is_binary(kind)
    )


def _is_whole_number(kind: Any) -> bool:
    """Whether Parquet has it as integers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_temporal(kind))


def _wants_dictionary(sample: Any) -> bool:
    """
    Whether values come back often enough that their numbers in a list are shorter.

    Of 8,192 values from among 13,000, three quarters differ. Whole numbers that lie close to
    each other are as short without a list, unless they are very few.
    """
    different = pc.count_distinct(sample).as_py()
    if different * 4 > 3 * len(sample):
        return False
    if not _is_whole_number(sample.type) or different * 32 <= len(sample):
        return True
    numbers = sample.cast(pa.int32()) if pa.types.is_time32(sample.type) else sample
    if pa.types.is_temporal(numbers.type):
        wide = pa.types.is_date32(numbers.type) or pa.types.is_time32(numbers.type)
        numbers = numbers.view(pa.int32() if wide else pa.int64())
    ends = pc.min_max(numbers).as_py()
    return bool(ends["max"] - ends["min"] > 16 * different)

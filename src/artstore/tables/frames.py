"""
Frames of other libraries, arrays and lists as columns of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.intake import RowIntake
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema

__all__ = ["columns_of", "fill"]

_BATCH_ROWS: Final = 65_536


def columns_of(data: Any) -> list[str] | None:
    """The names that `data` has for its columns; None for rows without names."""
    if isinstance(data, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        return list(data.schema.names)
    if isinstance(data, Mapping):
        return list(data)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return list(data.columns)
    if isinstance(data, Sequence) and data and isinstance(data[0], Mapping):
        return list(dict.fromkeys(name for row in data for name in row))
    return None


def fill(intake: RowIntake, data: Any, names: Sequence[Any]) -> None:
    """
    Add all rows of `data`.

    Args:
        data: a DataFrame of pandas or polars, an Arrow table, batch or reader, a dict
            of arrays, a 2-d array, or rows: lists, tuples or dicts.
        names: what `data` calls the columns of the table, in their order.
    Raises:
        InvalidInputError: `rows-unknown`, `row-ragged`, `cell-unsupported`,
            `column-type-unsupported`.
    """
    if isinstance(data, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        _fill_arrow(intake, data, names)
    elif isinstance(data, Mapping) or _is_pandas(data):
        _fill_columns(intake, {name: data[name] for name in names})
    elif hasattr(data, "to_arrow") and hasattr(data, "columns"):
        _fill_arrow(intake, data.to_arrow(), names)
    elif isinstance(data, np.ndarray):
        if data.ndim != 2:
            raise _unknown(data, f"an array of {data.ndim} dimensions")
        if data.shape[1] != len(names):
            raise InvalidInputError(
                f"an array with {data.shape[1]} columns for {len(names)} names", code="row-ragged"
            )
        _fill_columns(intake, {name: data[:, at] for at, name in enumerate(names)})
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        _fill_rows(intake, data, names)
    else:
        raise _unknown(data, type(data).__name__)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc")


def _fill_rows(intake: RowIntake, rows: Iterable[Any], names: Sequence[Any]) -> None:
    for row in rows:
        if isinstance(row, Mapping):
            strange = next((name for name in row if name not in names), None)
            if strange is not None:
                raise InvalidInputError(
                    f"a row names a column {strange!r}, which the table has not",
                    code="row-ragged",
                )
            intake.add([row.get(name) for name in names])
        elif isinstance(row, Iterable) and not isinstance(row, (str, bytes)):
            intake.add(tuple(row))
        else:
            raise _unknown(row, f"a row that is a {type(row).__name__}")


def _fill_arrow(intake: RowIntake, data: Any, names: Sequence[Any]) -> None:
    if isinstance(data, pa.RecordBatch):
        batches: Iterator[Any] = iter([data])
    elif isinstance(data, pa.Table):
        # Chunks of columns need not begin at the same rows.
        batches = iter(data.select(list(names)).to_batches(max_chunksize=_BATCH_ROWS))
    else:
        batches = iter(data)
    for batch in batches:
        found = Rows.of_batch(batch.select(list(names)))
        schema = Schema(intake.names, found.schema.types)
        intake.add_rows(Rows(schema, found.arrays, found.row_count))


def _fill_columns(intake: RowIntake, columns: Mapping[Any, Any]) -> None:
    """Columns of any sort; those that Arrow does not take as they are go cell by cell."""
    for name, cells in columns.items():
        if not hasattr(cells, "__len__") or isinstance(cells, (str, bytes)):
            raise _unknown(cells, f"the column {name!r} that is a {type(cells).__name__}")
    lengths = {str(name): len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInputError(f"columns of different lengths: {lengths}", code="row-ragged")
    total = next(iter(lengths.values()), 0)
    held = [_texts(cells) for cells in columns.values()]
    for start in range(0, total, _BATCH_ROWS):
        _fill_batch(intake, [_part(cells, start, start + _BATCH_ROWS) for cells in held])


def _texts(cells: Any) -> Any:
    """A column; of pandas, where missing texts are NaN, with None for them."""
    if _is_pandas(cells) and str(cells.dtype) == "object":
        found = list(cells)
        if all(isinstance(cell, str) or _is_missing(cell) for cell in found):
            return [None if _is_missing(cell) else cell for cell in found]
    return cells


def _part(cells: Any, start: int, stop: int) -> Any:
    return cells.iloc[start:stop] if hasattr(cells, "iloc") else cells[start:stop]


def _fill_batch(intake: RowIntake, columns: Sequence[Any]) -> None:
    arrays = [_arrow_array(cells) for cells in columns]
    built = intake.arrays_of(
        {
            name: _cells(cells)
            for name, cells, array in zip(intake.names, columns, arrays, strict=True)
            if array is None
        }
    )
    held: list[Any] = []
    kinds: list[Any] = []
    for name, array in zip(intake.names, arrays, strict=True):
        if array is None:
            kinds.append(built[name].kind)
            held.append(built[name].array)
        else:
            rows = Rows.of_batch(pa.record_batch([array], [name]))
            kinds += rows.schema.types
            held += rows.arrays
    count = len(held[0]) if held else 0
    intake.add_rows(Rows(Schema(intake.names, tuple(kinds)), tuple(held), count))


def _arrow_array(cells: Any) -> Any:
    """What a column of numbers, times or texts is to Arrow; None: look at each cell."""
    if isinstance(cells, (pa.Array, pa.ChunkedArray)):
        return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    dtype = getattr(cells, "dtype", None)
    kind = str(getattr(dtype, "kind", None))
    if isinstance(dtype, np.dtype):
        values = np.asarray(cells)
        values = values.astype(dtype.newbyteorder("="), copy=False)
        # NaN stays NaN, and is no missing value.
        if kind in "fiub" and values.ndim == 1 and dtype.itemsize <= 8:
            return pa.array(values, from_pandas=False)
        if kind in "mM" and np.datetime_data(dtype)[0] in ("s", "ms", "us", "ns"):
            return pa.array(values, mask=np.isnat(values))
        return None
    if _is_pandas(cells):
        return _extension_array(cells)
    if hasattr(cells, "to_arrow"):
        return cells.to_arrow()
    return None


def _extension_array(cells: Any) -> Any:
    try:
        found = pa.array(cells)
    except (pa.ArrowException, TypeError, ValueError):
        return None
    if getattr(found.type, "extension_name", None) == "pandas.period":
        # Arrow has but the numbers of the periods.
        return None
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _cells(cells: Any) -> Sequence[Any]:
    if hasattr(cells, "detach"):
        cells = cells.detach().cpu().numpy()
    return list(cells)


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124 - NaN


def _unknown(data: Any, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"a table cannot be made from {what}",
        code="rows-unknown",
        hint="give a DataFrame, an Arrow table, a dict of columns, or rows as lists or dicts",
        found=type(data).__name__,
    )

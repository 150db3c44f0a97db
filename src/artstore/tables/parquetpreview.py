"""
The first rows of any Parquet file, for a person to look at: bounded, and never a table of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from artstore import limits
from artstore.errors import DamagedDataError, LimitExceededError

__all__ = ["ParquetPreview", "preview_parquet"]

_ROWS_MAX: Final = 50
_COLUMNS_MAX: Final = 50
_CELL_CHARS: Final = 300
_FOOTER_BYTES: Final = 8 * limits.MIB
_PLAIN_BYTES: Final = 64 * limits.MIB
"""Of the first row group, as its footer tells them: what may be unpacked for fifty rows."""
_TAIL_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class ParquetPreview:
    """
    What a Parquet file holds.

    Attributes:
        columns: (name, type) of the first ones.
        rows: the first ones, each cell as text.
        note: why no rows are given; empty if they are.
    """

    row_count: int
    column_count: int
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    created_by: str
    note: str = ""


def preview_parquet(file: BinaryIO, what: str) -> ParquetPreview:
    """
    Schema and first rows of a Parquet file.

    Args:
        file: a stream that can seek.
        what: names the file in errors.
    Raises:
        DamagedDataError: `preview-damaged`.
        LimitExceededError: `preview-too-large`: the footer has more than 8 MiB.
    Cost: the footer, and of the first row group the first pages of up to 50 columns;
        no rows if they would unpack to more than 64 MiB.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_footer(file, what)
    try:
        opened = pq.ParquetFile(
            file,
            buffer_size=64 * limits.KIB,
            pre_buffer=False,
            thrift_string_size_limit=_FOOTER_BYTES,
            thrift_container_size_limit=_FOOTER_BYTES,
        )
        found = opened.metadata
        schema = opened.schema_arrow
        names = list(dict.fromkeys(schema.names))[:_COLUMNS_MAX]
        note = _reason_for_no_rows(found, len(names), len(schema.names))
        batch = None if note else _first_rows(opened, names)
        # Of names that are there twice, the batch has both columns.
        fields = list(schema if batch is None else batch.schema)[:_COLUMNS_MAX]
        return ParquetPreview(
            found.num_rows,
            len(schema.names),
            tuple((field.name, str(field.type)) for field in fields),
            () if batch is None else tuple(row[:_COLUMNS_MAX] for row in _cells(batch)),
            str(found.created_by or "unknown")[:_CELL_CHARS],
            note,
        )
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise DamagedDataError(
            f"{what!r} is not a Parquet file that can be read: {str(error)[:_CELL_CHARS]}",
            code="preview-damaged",
            path=what,
        ) from error


def _check_footer(file: BinaryIO, what: str) -> None:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL_BYTES))
    length = int.from_bytes(file.read(_TAIL_BYTES)[:4], "little")
    if length > _FOOTER_BYTES:
        raise LimitExceededError(
            f"the footer of {what!r} has {length:,} bytes, a preview reads {_FOOTER_BYTES:,}",
            code="preview-too-large",
        )
    file.seek(0)


def _reason_for_no_rows(found: Any, shown: int, count: int) -> str:
    if not found.num_row_groups:
        return ""
    group = found.row_group(0)
    plain = sum(group.column(at).total_uncompressed_size for at in range(group.num_columns))
    if shown == count and plain > _PLAIN_BYTES and group.num_rows <= _ROWS_MAX:
        return "Its rows are too large to be shown."
    # A page is what is unpacked at once; pages of a hostile file may be whole columns.
    if plain > 16 * _PLAIN_BYTES:
        return "Its first row group is too large for a preview; its columns are shown."
    return ""


def _first_rows(opened: Any, names: list[str]) -> Any:
    """The first rows as one batch; None if there are none."""
    batches = opened.iter_batches(batch_size=_ROWS_MAX, columns=names, use_threads=False)
    return next(batches, None) if names else None


def _cells(batch: Any) -> tuple[tuple[str, ...], ...]:
    columns = [[_told(value) for value in column] for column in batch.columns]
    return tuple(zip(*columns, strict=True))


def _told(value: Any) -> str:
    import pyarrow as pa

    if not value.is_valid:
        return ""
    if isinstance(value, pa.BinaryScalar):
        # Text is of these too. The whole of a cell may be megabytes.
        data = value.as_buffer()
        part = bytes(data[: 4 * _CELL_CHARS])
        is_text = "string" in str(value.type)
        return (
            part.decode("utf-8", "replace")[:_CELL_CHARS] if is_text else _binary(part, data.size)
        )
    if isinstance(value, pa.ListScalar) and len(value) > _ROWS_MAX:
        return f"{len(value):,} values"
    return str(value.as_py())[:_CELL_CHARS]


def _binary(part: bytes, size: int) -> str:
    return f"{size:,} bytes: {part[:16].hex(' ')}"

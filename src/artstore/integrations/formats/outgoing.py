"""
Rows on their way out of a table: in windows, so that memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from artstore.integrations.formats.failures import unsupported
from artstore.tables.mediacells import has_media
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.types import Media

__all__ = ["WINDOW_ROWS", "Exported", "image_columns", "numbered", "windows"]

WINDOW_ROWS: Final = 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """
    What was written.

    Attributes:
        place: the file or directory.
        format: `csv`, ...
    """

    place: str
    format: str
    row_count: int


def windows(
    reader: RowReader, columns: Sequence[str] | None = None, *, rows_at_once: int | None = None
) -> Iterator[tuple[int, Rows]]:
    """Yield the number of the first row of each window, and its rows."""
    count, step = reader.row_count, rows_at_once or WINDOW_ROWS
    for start in range(0, count, step):
        yield start, reader.read_rows(start, min(start + step, count), columns)


def image_columns(reader: RowReader, format_name: str) -> list[str]:
    """
    The columns that hold images.

    Raises:
        InvalidInputError: `exchange-column-unsupported` for other columns with media, such
            as lists of images.
    """
    found = []
    for name, kind in reader.column_types.items():
        if isinstance(kind, Media) and kind.kind == "image-file":
            found.append(name)
        elif has_media(kind):
            raise unsupported(
                f"{format_name} does not hold the column {name!r}, which is of {kind}",
                "export it as jsonl, which holds media of all kinds",
                column=name,
            )
    return found


def numbered(row: int, count: int) -> str:
    """The number of a row as a name: as many digits as the last one needs, six at least."""
    return f"{row:0{max(6, len(str(count)))}d}"

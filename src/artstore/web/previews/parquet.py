"""
Parquet files: columns with their types, and the first rows.
"""

from __future__ import annotations

from typing import BinaryIO, Final, cast

from artstore import forks, limits
from artstore.web.previews.bounded import BudgetFile
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource
from artstore.web.visible import visible

__all__ = ["PREVIEW"]

_READ_BYTES: Final = 32 * limits.MIB
_CELL_CHARS: Final = 200
_NAME_CHARS: Final = 100


def _parquet(source: PreviewSource) -> Preview:
    forks.import_late(("pyarrow", "pyarrow.parquet", "artstore.tables.parquetpreview"))
    from artstore.tables.parquetpreview import preview_parquet

    file = cast("BinaryIO", BudgetFile(source, _READ_BYTES))
    found = preview_parquet(file, source.path)
    columns = tuple(
        f"{visible(name, _NAME_CHARS, lines=False)} ({visible(kind, _NAME_CHARS, lines=False)})"
        for name, kind in found.columns
    )
    rows = tuple(
        tuple(visible(cell, _CELL_CHARS, lines=False) for cell in row) for row in found.rows
    )
    facts = (
        ("rows", f"{found.row_count:,}"),
        ("columns", f"{found.column_count:,}"),
        ("written by", visible(found.created_by, _CELL_CHARS, lines=False)),
    )
    is_cut = found.row_count > len(rows) or found.column_count > len(columns)
    note = found.note or (f"The first {len(rows)} rows are shown." if is_cut else "")
    grid = Grid(columns, rows, found.row_count)
    return Preview("parquet", facts, grid=grid, note=note, is_cut=is_cut)


PREVIEW = PreviewKind("parquet", _parquet, (".parquet", ".pq"), (b"PAR1",))

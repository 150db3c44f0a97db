"""
Rows as HTML, for notebooks: the first ones, with small images, all text escaped.

What comes out is under 1 MB whatever cells hold: texts and lists are cut, and images
are left out once there are too many bytes of them.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.errors import ArtstoreError
from artstore.media.content import ReferenceContent
from artstore.media.image import Image

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader

__all__ = ["COLUMNS_MAX", "ROWS_MAX", "html_of_reader", "html_of_rows"]

ROWS_MAX: Final = 20
COLUMNS_MAX: Final = 20

_PAGE_BYTES: Final = 900_000
"""Images go in as long as all of it stays below."""

_SIDES_PIXELS: Final = (96, 48)
"""A thumbnail; a smaller one where there is no room for it."""

_NAME_CHARS: Final = 60
_CELL_CHARS: Final = 160
_CAPTION_CHARS: Final = 80
_MEMBERS: Final = 8
_DEPTH_MAX: Final = 3
_NESTED_CHARS: Final = 40
_CELL_STYLE: Final = "text-align:{};vertical-align:top;max-width:24em;overflow-wrap:anywhere"


def html_of_reader(reader: RowReader) -> str:
    """
    The first rows of a table, a joined or a partitioned one.

    Cost: reads 20 rows of 20 columns, and the images in them.
    """
    try:
        names = reader.columns[:COLUMNS_MAX]
        rows = reader.read_rows(0, ROWS_MAX, names)
        kinds = [str(reader.column_types[name]) for name in names]
        columns = [cells_of(reader, rows, name) for name in names]
        cells = list(zip(*columns, strict=True)) if columns else [()] * rows.row_count
        return html_of_rows(
            names,
            cells,
            row_count=reader.row_count,
            column_count=len(reader.columns),
            kinds=kinds,
            title=repr(reader),
        )
    except ArtstoreError as error:
        # Of parts of a draft, or of a store that cannot be reached, this much can be told.
        return f"<p>{_shown(repr(reader), _CELL_CHARS)}<br>{_shown(error.message, 500)}</p>"


def cells_of(reader: RowReader, rows: Any, name: str) -> list[Any]:
    """The cells of a column of `rows` as Python values."""
    from artstore.tables.pythoncells import python_cells

    at = rows.schema.names.index(name)
    return python_cells(rows.schema.types[at], rows.arrays[at], reader.opener_of(name))


def html_of_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    row_count: int | None = None,
    column_count: int | None = None,
    kinds: Sequence[str] | None = None,
    title: str | None = None,
) -> str:
    """
    Rows of any sort as an HTML table: of a table, of a query, of a difference.

    Args:
        columns: their names; 20 are shown.
        rows: each as many cells as columns; media are shown as small pictures. 20 are
            shown, and no more are taken.
        row_count: how many there are in all; if left out, what `rows` gives.
        column_count: how many columns there are in all.
        kinds: what stands below the name of each column, such as its type.
        title: a line above.
    Returns:
        HTML of less than 1 MB, without scripts, all text escaped. An image that cannot
        be read says so in its cell.
    """
    taken = list(islice(rows, ROWS_MAX + 1))
    shown = [list(row)[:COLUMNS_MAX] for row in taken[:ROWS_MAX]]
    names = list(columns)[:COLUMNS_MAX]
    total = len(taken) if row_count is None else row_count
    is_open = row_count is None and len(taken) > ROWS_MAX
    texts = [[_cell_html(cell) for cell in row] for row in shown]
    head = _head_html(names, kinds)
    foot = _foot(len(shown), total, len(names), column_count or len(columns), is_open=is_open)
    size = len(head) + len(foot) + sum(len(text.encode()) for row in texts for text in row)
    room = _PAGE_BYTES - size - 120 * (len(shown) + 1) * (len(names) + 1)
    pictures = _pictures(shown, room)
    lines = [f"<p><small>{_shown(title, _CELL_CHARS)}</small></p>" if title else ""]
    lines += ['<table style="border-collapse:collapse">', f"<thead><tr>{head}</tr></thead>"]
    lines.append("<tbody>")
    for at, (row, cells) in enumerate(zip(texts, shown, strict=True)):
        inner = "".join(
            f'<td style="{_style(cell)}">{pictures.get((at, number), "")}{text}</td>'
            for number, (text, cell) in enumerate(zip(row, cells, strict=True))
        )
        lines.append(f"<tr>{inner}</tr>")
    lines += ["</tbody>", "</table>", f"<p><small>{foot}</small></p>"]
    return "\n".join(line for line in lines if line)


def _head_html(names: Sequence[str], kinds: Sequence[str] | None) -> str:
    told = list(kinds or ())[: len(names)]
    told += [""] * (len(names) - len(told))
    return "".join(
        f'<th style="{_CELL_STYLE.format("left")}">{_shown(str(name), _NAME_CHARS)}'
        + (f"<br><small>{_shown(kind, _NAME_CHARS)}</small>" if kind else "")
        + "</th>"
        for name, kind in zip(names, told, strict=True)
    )


def _foot(rows: int, total: int, columns: int, all_columns: int, *, is_open: bool) -> str:
    told = f"{rows:,} of {total - 1 if is_open else total:,}{' or more' if is_open else ''} rows"
    if rows == total and not is_open:
        told = f"{total:,} row{'' if total == 1 else 's'}"
    if columns < all_columns:
        told += f", {columns} of {all_columns:,} columns"
    return told


def _style(cell: Any) -> str:
    is_number = isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool)
    return _CELL_STYLE.format("right" if is_number else "left")


def _cell_html(cell: Any) -> str:
    """A cell as text; of an image what is said of it."""
    if isinstance(cell, Image):
        if _is_elsewhere(cell):
            url = cell.content.url if isinstance(cell.content, ReferenceContent) else "at a URL"
            return f"<small>{_shown(url, _CELL_CHARS)}</small>"
        size = "" if cell.width is None else f"{cell.width} x {cell.height}"
        said = [_shown(cell.caption, _CAPTION_CHARS)] if cell.caption else []
        return f"<br>{'<br>'.join([*said, f'<small>{size}</small>'])}"
    if cell is None:
        return "<small>None</small>"
    return _shown(_text(cell), _CELL_CHARS)


def _text(cell: Any, depth: int = 0) -> str:
    """A cell as a text that is not much longer than what is shown of it."""
    if isinstance(cell, str):
        return cell[: _CELL_CHARS + 1] if depth == 0 else repr(cell[:_NESTED_CHARS])
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, (bytes, bytearray)):
        return f"{len(cell):,} bytes {bytes(cell[:16]).hex(' ')}"
    if isinstance(cell, np.ndarray):
        numbers = np.array2string(cell.ravel()[:_MEMBERS], precision=4, separator=", ")
        return f"{cell.dtype} {'x'.join(map(str, cell.shape))} {numbers}"
    if isinstance(cell, (dt.datetime, dt.date, dt.time)):
        return cell.isoformat()
    if depth >= _DEPTH_MAX and isinstance(cell, (Mapping, list, tuple)):
        return "..."
    if isinstance(cell, Mapping):
        members = (
            f"{_text(name, depth + 1)}: {_text(value, depth + 1)}"
            for name, value in islice(cell.items(), _MEMBERS)
        )
        return f"{{{', '.join(members)}{_more(cell)}}}"
    if isinstance(cell, (list, tuple)):
        members = (_text(value, depth + 1) for value in cell[:_MEMBERS])
        return f"[{', '.join(members)}{_more(cell)}]"
    try:
        return str(cell)[: 10 * _CELL_CHARS]
    except ValueError:
        # Python writes no whole number of more than 4,300 digits.
        return f"a {type(cell).__name__} too long to be written"


def _more(cell: Any) -> str:
    return f", ... {len(cell):,} in all" if len(cell) > _MEMBERS else ""


def _shown(text: str, chars: int) -> str:
    # Half surrogates, which a name may hold, are in no page.
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return escape(plain if len(plain) <= chars else f"{plain[:chars]}...", quote=True)


def _pictures(rows: Sequence[Sequence[Any]], room: int) -> dict[tuple[int, int], str]:
    """HTML of the images that there is room for, by row and column."""
    found: dict[tuple[int, int], str] = {}
    images = [
        ((at, number), cell)
        for at, row in enumerate(rows)
        for number, cell in enumerate(row)
        if isinstance(cell, Image) and not _is_elsewhere(cell)
    ]
    for place, image in images:
        for side in _SIDES_PIXELS:
            html = _picture(image, side)
            if len(html.encode()) <= room:
                room -= len(html.encode())
                found[place] = html
                break
        else:
            # Every further one would be fetched only to see that it does not fit.
            break
    return found


def _is_elsewhere(image: Image) -> bool:
    """Whether it is a URL, which is not fetched for being looked at."""
    return image.format is None


def _picture(image: Image, side: int) -> str:
    try:
        png = image.thumbnail(side, overlays=True)
    except ArtstoreError as error:
        return f"<small>not shown: {_shown(error.message, _CELL_CHARS)}</small>"
    # The header of a PNG file: width and height stand behind its name.
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    scale = max(1, min(_SIDES_PIXELS) // max(width, height))
    style = ' style="image-rendering:pixelated"' if scale > 1 else ""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" width="{width * scale}"'
        f' height="{height * scale}"{style}>'
    )

"""
Media values in columns: the cell that a row holds, and the files that belong to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.tables.types import FLOAT64, INT, TEXT, ColumnType, List, Media, Struct, Union
from artstore.tables.widening import widened

if TYPE_CHECKING:
    from artstore.tables.content import TableContent

__all__ = ["MediaCell", "has_media", "media_paths", "media_type"]


@dataclass(frozen=True, slots=True)
class MediaCell:
    """
    A media value ready for a column.

    Attributes:
        kind: `image-file`, ...
        cell: plain Python, what `prepare` gave.
    """

    kind: str
    cell: dict[str, Any]


def media_type(kind: str, found: Struct) -> Media:
    """
    The type of a column of media: `found`, in the order and with the members of its kind.

    Images have all their members from the first on, so that queries for boxes and
    masks mean something in a table that has none yet.
    """
    known = _KNOWN.get(kind)
    cell = found if known is None else widened(known, found)
    assert isinstance(cell, Struct)
    return Media(kind, cell)


def _texts(*names: str) -> tuple[tuple[str, Any], ...]:
    return tuple((name, TEXT) for name in names)


_CLASSES: Final = Struct(_texts("path", "digest"))
_CORNERS: Final = tuple((name, FLOAT64) for name in ("min_x", "max_x", "min_y", "max_y"))
_BOX: Final = Struct(
    (
        *_CORNERS,
        ("domain", TEXT),
        ("pixels", Struct(_CORNERS)),
        ("class_id", INT),
        ("class_label", TEXT),
        ("caption", TEXT),
        ("scores", List(Struct((("name", TEXT), ("value", FLOAT64))))),
    )
)
_KNOWN: Final = {
    "image-file": Struct(
        (
            *_texts("path", "digest", "encoded_digest", "format", "mode"),
            ("width", INT),
            ("height", INT),
            *_texts("caption", "grouping", "scaling"),
            ("classes", _CLASSES),
            (
                "boxes",
                List(Struct((("layer", TEXT), ("classes", _CLASSES), ("boxes", List(_BOX))))),
            ),
            (
                "masks",
                List(
                    Struct(
                        (
                            *_texts("layer", "path", "digest", "encoded_digest"),
                            ("classes", _CLASSES),
                        )
                    )
                ),
            ),
        )
    ),
}


def media_paths(content: TableContent) -> set[str]:
    """The paths of all files that the cells of a table name. Cost: reads columns of media."""
    paths: set[str] = set()
    for name, kind in zip(content.schema.names, content.schema.types, strict=True):
        if has_media(kind):
            for rows in content.rows(columns=[name]):
                _collect(kind, rows.arrays[0], paths)
    return paths


def has_media(kind: ColumnType) -> bool:
    """Whether cells of this type may name files."""
    if isinstance(kind, Media):
        return True
    if isinstance(kind, List):
        return has_media(kind.element)
    if isinstance(kind, Struct):
        return any(has_media(member) for _, member in kind.fields)
    return isinstance(kind, Union) and any(has_media(member) for _, member in kind.members)


def _collect(kind: ColumnType, array: Any, paths: set[str], *, is_media: bool = False) -> None:
    if isinstance(kind, Media):
        _collect(kind.cell, array, paths, is_media=True)
    elif isinstance(kind, List):
        _collect(kind.element, array.flatten(), paths, is_media=is_media)
    elif isinstance(kind, (Struct, Union)):
        members = kind.fields if isinstance(kind, Struct) else kind.members
        for (name, member), part in zip(members, array.flatten(), strict=False):
            if is_media and name == "path":
                paths.update(path for path in part.unique().to_pylist() if path is not None)
            else:
                _collect(member, part, paths, is_media=is_media)

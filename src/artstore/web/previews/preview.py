"""
What a preview is made of: parts that the page and its JSON know how to show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from artstore import limits

__all__ = [
    "HEAD_BYTES",
    "TEXT_BYTES",
    "TINY_PIXELS",
    "Grid",
    "Preview",
    "PreviewKind",
    "PreviewSource",
    "TreeNode",
    "first_bytes",
]

HEAD_BYTES: Final = 4 * limits.KIB
"""What is looked at to find out what a file is."""
TINY_PIXELS: Final = 96
"""A picture with no longer side is enlarged."""
TEXT_BYTES: Final = 64 * limits.KIB
"""What a person reads of a text before they download it."""


class PreviewSource(Protocol):
    """The file that is shown; read in ranges, never as a whole."""

    @property
    def path(self) -> str:
        """Its path in the version."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """The bytes of a range, fewer at the end. Raises DamagedDataError."""
        ...

    def open(self) -> BinaryIO:
        """A binary file with random access, closed by who opened it."""
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Rows of text under column names.

    Attributes:
        total: how many rows there are in all; None: not known.
        swatch: the column whose cell is a number of the palette, shown as a colour.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int | None = None
    swatch: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain Python."""
        return {
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "total": self.total,
        }


@dataclass(frozen=True, slots=True)
class TreeNode:
    """
    One value of a JSON text, as it is written there.

    Attributes:
        key: the member or the place it stands under; empty at the top.
        kind: `object`, `array`, `string`, `number` or `word`.
        text: of what has no children: the value, cut if it is long.
        children: the first ones.
        is_cut: whether there is more than is told.
    """

    key: str
    kind: str
    text: str = ""
    children: tuple[TreeNode, ...] = ()
    is_cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain Python."""
        told: dict[str, Any] = {"key": self.key, "kind": self.kind}
        if self.kind in ("object", "array"):
            told["children"] = [child.to_json() for child in self.children]
        else:
            told["text"] = self.text
        if self.is_cut:
            told["is_cut"] = True
        return told


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What is shown of one file. Parts that are None are not shown.

    Attributes:
        kind: names the preview: `text`, `csv`, `torch`.
        facts: (name, text), told above the rest.
        text: shown as it is, in a type of one width.
        html: safe HTML, made by us out of what was escaped.
        media: `image`, `drawing`, `audio`, `video` or `frame`: the page shows the content itself.
        media_path: where that content lies in the version, if not in this file.
        is_tiny: whether the picture is of so few pixels that each is shown as a square.
        note: a sentence on what is missing and why.
        is_cut: whether the file holds more than is shown.
    """

    kind: str
    facts: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    grid: Grid | None = None
    tree: TreeNode | None = None
    html: str | None = None
    media: str | None = None
    media_path: str | None = None
    is_tiny: bool = False
    note: str = ""
    is_cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain Python; `html` is left out, it says nothing that `text` does not."""
        return {
            "kind": self.kind,
            "facts": [{"name": name, "value": value} for name, value in self.facts],
            "text": self.text,
            "table": self.grid and self.grid.to_json(),
            "tree": self.tree and self.tree.to_json(),
            "media": self.media,
            "media_path": self.media_path,
            "note": self.note,
            "is_cut": self.is_cut,
        }


@dataclass(frozen=True, slots=True)
class PreviewKind:
    """
    One kind of preview.

    Attributes:
        name: as in `Preview.kind`.
        make: the preview; None if the file is not of this kind after all.
        endings: of paths, in lower case.
        begins: first bytes of files of this kind, for those with another ending.
        priority: of several that fit the lowest is tried first.
    """

    name: str
    make: Callable[[PreviewSource], Preview | None]
    endings: tuple[str, ...] = ()
    begins: tuple[bytes, ...] = ()
    priority: int = 50


def first_bytes(source: PreviewSource, count: int) -> bytes:
    """The first bytes of a file, all of it if it has no more."""
    return source.read(0, min(count, source.size_bytes))

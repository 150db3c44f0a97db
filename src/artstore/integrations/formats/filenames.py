"""
Names of the files of images in an export: the key of a row where it is a good one, else its number.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError
from artstore.integrations.formats.failures import unsupported
from artstore.integrations.formats.mediafolder import write_file
from artstore.integrations.formats.mediarecords import file_of_image
from artstore.integrations.formats.outgoing import numbered
from artstore.media.content import MediaContent, ReferenceContent
from artstore.media.image import Image
from artstore.media.raster import ENDINGS
from artstore.names import check_entry_path
from artstore.tables.reading import RowReader
from artstore.tables.types import Media

__all__ = [
    "IMAGE_ENDINGS",
    "FileNames",
    "ending_of_path",
    "fetched_file",
    "folder_name",
    "main_image",
    "plain_key",
]

IMAGE_ENDINGS: Final = frozenset((*ENDINGS.values(), "jpeg", "tif"))
_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,120}")
_NAME_MAX_BYTES: Final = 200
_ALSO: Final = {"jpg": "jpeg", "tiff": "tif"}


@dataclass(frozen=True, slots=True)
class FileNames:
    """
    Gives files their names as they are written.

    Attributes:
        root: what paths are relative to.
        refused: what no path may begin with.
    """

    root: str
    row_count: int
    refused: tuple[str, ...] = ()

    def write(self, row: int, data: bytes, ending: str, wanted: Any, folder: str = "") -> str:
        """
        Write the file of a row; gives its path.

        Args:
            wanted: the path that it has if it may, or else its name without an ending.
            folder: the directory that it must lie in.
        """
        path = self._path(row, ending, wanted, folder)
        try:
            write_file(os.path.join(self.root, path), data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            # Two rows with one key, or a disk for which `a.png` and `A.png` are one.
            name = f"{numbered(row, self.row_count)}-{os.path.basename(path)[-100:]}"
            path = f"{folder}/{name}" if folder else name
            write_file(os.path.join(self.root, path), data)
        return path

    def _path(self, row: int, ending: str, wanted: Any, folder: str) -> str:
        if isinstance(wanted, str) and self._is_path(wanted, ending, folder):
            return wanted
        name = plain_key(wanted) or numbered(row, self.row_count)
        return f"{folder}/{name}.{ending}" if folder else f"{name}.{ending}"

    def _is_path(self, path: str, ending: str, folder: str) -> bool:
        """Whether an image may lie there: as in the directory that it once came from."""
        try:
            check_entry_path(path)
        except InvalidInputError:
            return False
        parts = path.split("/")
        return (
            ending_of_path(path) in (ending, _ALSO.get(ending))
            and path.isprintable()
            and "\\" not in path
            and not any(part.startswith(".") or len(part.encode()) > 255 for part in parts)
            and not path.startswith(self.refused)
            and (not folder or folder in parts[:-1])
        )


def ending_of_path(path: str) -> str:
    """`png` of `a/b.PNG`; empty if there is none."""
    return os.path.splitext(path)[1].removeprefix(".").lower()


def plain_key(value: Any) -> str | None:
    """A key as a name without an ending; None if it is no good one."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return text if _KEY.fullmatch(text) else None


def folder_name(label: str) -> str:
    """
    A label as the name of a directory; what no name may have is written as `%2F`.

    Raises:
        InvalidInputError: `exchange-column-unsupported`: it is too long.
    """
    name = "".join(
        sign if sign.isprintable() and sign not in "/\\%" else f"%{ord(sign):02X}" for sign in label
    )
    name = f"%2E{name[1:]}" if name.startswith(".") else name or "%00"
    if len(name.encode()) > _NAME_MAX_BYTES:
        raise unsupported(
            f"the label {label[:60]!r}... is too long for the name of a directory",
            "rename the column 'label', or export it as jsonl",
        )
    return name


def main_image(reader: RowReader, what: str) -> str:
    """
    The column of images that is meant: `image`, or the first one.

    Args:
        what: needs it, for errors.
    Raises:
        InvalidInputError: `exchange-column-unsupported`.
    """
    found = [
        name
        for name, kind in reader.column_types.items()
        if isinstance(kind, Media) and kind.kind == Image.type_name
    ]
    if not found:
        raise unsupported(
            f"{what} needs a column of images, and the table has none",
            "export it as csv, jsonl or parquet",
        )
    return "image" if "image" in found else found[0]


def fetched_file(image: Image, row: int) -> tuple[MediaContent, str]:
    """
    The bytes of an image, and what its file ends in.

    Raises:
        InvalidInputError: `exchange-column-unsupported`: it is a URL that was not fetched.
    """
    if isinstance(image.content, ReferenceContent):
        raise unsupported(
            f"row {row} has an image at {image.content.url}, which was not fetched",
            "export it as jsonl, which tells the URL",
            row=row,
        )
    return file_of_image(image)

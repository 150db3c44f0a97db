"""
The kinds of media: class, name in files, ending of the file that describes one value.

A value that is an entry of an artifact by itself is described by a file
`<name>.<ending>`: canonical JSON of its cell and the member `_type`. W&B's files
have the same endings and names, and other members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from artstore import canonical
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.content import MediaContent
from artstore.media.values import MediaValue

__all__ = [
    "KINDS",
    "MediaKind",
    "decode_descriptor",
    "encode_descriptor",
    "kind_named",
    "kind_of",
    "kind_of_path",
]


@dataclass(frozen=True, slots=True)
class MediaKind:
    """
    One kind.

    Attributes:
        type_name: the member `_type`: `image-file`.
        module: where the class is; imported when the kind is used.
        class_name: the class, which makes a value from a cell with `from_cell`.
    """

    type_name: str
    module: str
    class_name: str

    @property
    def suffix(self) -> str:
        """What the path of a descriptor ends in: `.image-file.json`."""
        return f".{self.type_name}.json"

    def load(self) -> Any:
        """The class."""
        return _loaded(self.module, self.class_name)

    def from_cell(
        self, cell: Mapping[str, Any], open_content: Callable[[str], MediaContent]
    ) -> MediaValue:
        """
        The value that `prepare` gave as `cell`.

        Args:
            open_content: gives the content of a path that the cell names.
        Raises:
            DamagedDataError: `media-cell-damaged`.
        """
        value: MediaValue = self.load().from_cell(cell, open_content)
        return value


@cache
def _loaded(module: str, class_name: str) -> Any:
    return getattr(import_module(f"artstore.media.{module}"), class_name)


KINDS: Final = (
    MediaKind("audio-file", "audio", "Audio"),
    MediaKind("bokeh-file", "bokeh", "Bokeh"),
    MediaKind("classes", "classes", "Classes"),
    MediaKind("histogram", "histogram", "Histogram"),
    MediaKind("html-file", "html", "Html"),
    MediaKind("image-file", "image", "Image"),
    MediaKind("molecule-file", "molecule", "Molecule"),
    MediaKind("object3D-file", "scene", "Scene"),
    MediaKind("plotly-file", "plotly", "Plotly"),
    MediaKind("video-file", "video", "Video"),
)
_BY_NAME: Final = {kind.type_name: kind for kind in KINDS}


def kind_named(type_name: str) -> MediaKind:
    """
    The kind of that name.

    Raises:
        InvalidInputError: `media-kind-unknown`.
    """
    kind = _BY_NAME.get(type_name)
    if kind is None:
        raise InvalidInputError(
            f"there is no kind of media called {type_name!r}",
            code="media-kind-unknown",
            hint=f"known are {', '.join(_BY_NAME)}",
            type_name=type_name,
        )
    return kind


def kind_of(value: object) -> MediaKind | None:
    """The kind of a value; None for what is no media."""
    kind = _BY_NAME.get(getattr(type(value), "type_name", ""))
    return kind if kind is not None and isinstance(value, kind.load()) else None


def kind_of_path(path: str) -> MediaKind | None:
    """The kind that a file of this path describes; None if it is not one."""
    return next((kind for kind in KINDS if path.endswith(kind.suffix)), None)


def encode_descriptor(value: MediaValue, cell: Mapping[str, Any]) -> bytes:
    """The file that describes `value`, of which `prepare` gave `cell`."""
    return canonical.encode({**cell, "_type": value.type_name}, what=f"a {value.type_name}")


def decode_descriptor(
    data: bytes, open_content: Callable[[str], MediaContent], *, what: str
) -> MediaValue:
    """
    The value that a file describes.

    Args:
        what: names the file in errors.
    Raises:
        DamagedDataError: `value-invalid`, `media-cell-damaged`.
        InvalidInputError: `media-kind-unknown`.
    """
    cell = canonical.decode(data, what=what)
    if not isinstance(cell, dict) or not isinstance(cell.get("_type"), str):
        raise DamagedDataError(f"{what} does not say of what type it is", code="media-cell-damaged")
    return kind_named(cell["_type"]).from_cell(cell, open_content)

"""
Things in space: files of meshes, and point clouds as `.pts.json`.

`Object3D` is the name that scripts know; in our words an object is nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from artstore import canonical
from artstore.errors import InvalidInputError
from artstore.media.filemedia import (
    FileMedia,
    MediaSource,
    ending_in,
    source_of_bytes,
    source_of_path,
)
from artstore.media.values import as_array, text_or_none, unknown_input

__all__ = ["Object3D", "Scene"]

_POINTS: Final = "pts.json"
_ENDINGS: Final = ("babylon", "glb", "gltf", "obj", _POINTS, "stl")
_COLUMNS: Final = (3, 4, 6)
_KIND: Final = "lidar/beta"
_FIELDS: Final = frozenset(("type", "points", "boxes", "vectors"))


class Scene(FileMedia):
    """
    A mesh or a point cloud.

    A point is x, y, z; or these and a category; or these and red, green, blue.
    A cloud is written as canonical JSON, so equal points have equal bytes.

    Args:
        data_or_path: a file, a URL (kept as a reference), an open file, points
            [point, 3, 4 or 6], or a dict with `type`, `points`, `boxes`, `vectors`.
        caption: text shown with it.
        file_type: the format, if no name says it.
    Raises:
        InvalidInputError: `points-invalid`, `media-format-unknown`,
            `media-input-unknown`, `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "object3D-file"
    folder: ClassVar[str] = "scenes"
    fact_names: ClassVar[tuple[str, ...]] = ("points", "columns")

    def __init__(
        self, data_or_path: Any, caption: object = None, file_type: str | None = None
    ) -> None:
        kind = text_or_none(file_type, "a file type")
        shape: tuple[int | None, int | None] = (None, None)
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _ENDINGS, "a scene", kind)
        elif isinstance(data_or_path, dict):
            source, shape = _cloud(data_or_path)
        elif hasattr(data_or_path, "read"):
            name = kind or str(getattr(data_or_path, "name", ""))
            data = data_or_path.read()
            data = data.encode("utf-8") if isinstance(data, str) else data
            source = source_of_bytes(data, ending_in(name, _ENDINGS, "a scene"))
        elif as_array(data_or_path) is not None:
            source, shape = _cloud({"points": data_or_path})
        else:
            raise unknown_input("a scene", data_or_path, "a path, a URL, an open file or points")
        self._take(source, caption, points=shape[0], columns=shape[1])

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Scene:
        """A scene of a file or an open file."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Scene:
        """A point cloud of an array [point, 3, 4 or 6]."""
        if as_array(data) is None:
            raise unknown_input("a point cloud", data, "an array")
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,
        boxes: Sequence[Any] = (),
        vectors: Sequence[Any] = (),
        point_cloud_type: str = _KIND,
    ) -> Scene:
        """A point cloud with boxes and vectors drawn into it, each plain JSON."""
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors})


Object3D = Scene


def _cloud(given: dict[Any, Any]) -> tuple[MediaSource, tuple[int, int]]:
    unknown = sorted(str(name) for name in given if name not in _FIELDS)
    if unknown or "points" not in given:
        raise _invalid(
            f"it has {', '.join(sorted(_FIELDS))}, and points always; "
            f"found {', '.join(map(str, given))}"
        )
    points = _points(given["points"])
    value = {
        "type": given.get("type") or _KIND,
        "points": points.tolist(),
        "boxes": _plain(given.get("boxes")),
        "vectors": _plain(given.get("vectors")),
    }
    try:
        data = canonical.encode(value, what="a point cloud")
    except InvalidInputError as error:
        raise _invalid(str(error)) from error
    return source_of_bytes(data, _POINTS), (points.shape[0], points.shape[1])


def _points(given: Any) -> Any:
    import numpy as np

    array = as_array(given)
    if array is None:
        try:
            array = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise _invalid(f"points are not rows of numbers of one length: {error}") from error
    if array.ndim != 2 or array.shape[1] not in _COLUMNS:
        raise _invalid(f"points are [point, 3, 4 or 6], not {array.shape}")
    if array.dtype.kind not in "iuf":
        raise _invalid(f"points hold {array.dtype}")
    if not np.isfinite(array).all():
        raise _invalid("NaN or infinity is among the points")
    # Floats always, and no -0.0: 1, 1.0 and float32(1) are one place.
    return array.astype(np.float64) + 0.0


def _plain(value: Any) -> Any:
    """Lists and numbers for what numpy holds in boxes and vectors."""
    if value is None:
        return []
    array = as_array(value)
    if array is not None:
        return array.tolist()
    if isinstance(value, dict):
        return {str(name): _plain_or_none(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_or_none(item) for item in value]
    return value


def _plain_or_none(value: Any) -> Any:
    return None if value is None else _plain(value)


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a point cloud cannot be made: {why}", code="points-invalid")

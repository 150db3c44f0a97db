"""
Masks: for each pixel of an image the class it belongs to, one layer each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, ClassVar, Final

from artstore.errors import InvalidInputError
from artstore.media.classes import Classes, labels_for
from artstore.media.content import BytesContent, MediaContent, MediaFile, file_content, member_path
from artstore.media.pixels import Pixels, check_size
from artstore.media.raster import decode_raster, encode_pixels, ending_of
from artstore.media.values import as_array, require_mapping

__all__ = ["ImageMask", "Mask"]

_FIELDS: Final = frozenset(("mask_data", "path", "class_labels"))
_UNNAMED: Final = frozenset((0, 255))
"""Background and "ignore": most label sets do not name them."""


class Mask:
    """
    One layer of class ids.

    Identity: of `mask_data` the digest of an image of mode L with these pixels
    (see `artstore.media.pixels`); of a file, of its bytes.

    Args:
        value: `{"mask_data": array or "path": file, "class_labels": {id: name}}`.
            `mask_data` is whole numbers from 0 to 255, [height, width]; the file
            is an image of one channel (or with a palette), of which the numbers
            are the ids.
        layer: the name of the layer, for errors.
        size: width and height of the image, if known.
        classes: names for ids where there are no `class_labels`.
    Raises:
        InvalidInputError: `mask-invalid`, `mask-shape`, `class-unlabelled` (ids 0
            and 255 need no name), `classes-invalid`, and those of a file that
            cannot be read.
        DamagedDataError: `image-damaged`.
    """

    __slots__ = ("_content", "_pixels", "classes", "digest", "height", "path", "width")

    type_name: ClassVar[str] = "mask"

    classes: Classes | None
    digest: bytes
    height: int | None
    path: str
    width: int | None
    _content: MediaContent | None
    _pixels: Pixels | None

    def __init__(
        self,
        value: Mapping[str, Any],
        layer: str = "mask",
        *,
        size: tuple[int, int] | None = None,
        classes: Classes | None = None,
    ) -> None:
        what = f"layer {layer!r}"
        known = require_mapping(value, what, "mask-invalid")
        extra = sorted(str(name) for name in known if name not in _FIELDS)
        if extra:
            raise _invalid(what, f"it has no {', '.join(extra)}")
        given = [name for name in ("mask_data", "path") if known.get(name) is not None]
        if len(given) != 1:
            raise _invalid(what, "it has either mask_data or path")
        if given == ["path"]:
            used = self._take_file(known["path"], what)
        else:
            used = self._take_array(known["mask_data"], what)
        self.fitted(size, layer)
        self.classes = labels_for(
            known.get("class_labels"), classes, [i for i in used if i not in _UNNAMED], what
        )

    @classmethod
    def of(
        cls,
        *,
        digest: bytes,
        path: str,
        content: MediaContent,
        size: tuple[int, int] | None,
        classes: Classes | None,
    ) -> Mask:
        """A mask that is stored already; nothing is read before its pixels are asked for."""
        mask = cls.__new__(cls)
        mask.digest, mask.path, mask.classes = digest, path, classes
        mask.width, mask.height = size or (None, None)
        mask._take(content=content)  # noqa: SLF001 - made by this class
        return mask

    def fitted(self, size: tuple[int, int] | None, layer: str) -> Mask:
        """
        The mask itself, for an image of that size.

        Raises:
            InvalidInputError: `mask-shape`.
        """
        if None not in (size, self.width) and (self.width, self.height) != size:
            assert size is not None
            raise InvalidInputError(
                f"layer {layer!r} is {self.width} x {self.height} pixels, "
                f"its image {size[0]} x {size[1]}",
                code="mask-shape",
                hint="width comes first here; the shape of an array is height, width",
            )
        return self

    def to_numpy(self) -> Any:
        """Class ids, `uint8` [height, width]."""
        import numpy as np

        if self._pixels is not None:
            return self._pixels.array()
        assert self._content is not None
        with self._content.open() as file:
            return np.asarray(_ids_of(file, self.path))

    def file(self) -> MediaFile:
        """The file of the mask; pixels are encoded as PNG, each time."""
        if self._pixels is not None:
            return MediaFile(self.path, BytesContent.of(encode_pixels(self._pixels, "png")))
        assert self._content is not None
        return MediaFile(self.path, self._content)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mask)
            and self.digest == other.digest
            and self.classes == other.classes
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Mask {self.width} x {self.height} {self.digest.hex()[:12]}>"

    def _take(self, *, content: MediaContent | None = None, pixels: Pixels | None = None) -> None:
        self._content, self._pixels = content, pixels

    def _take_array(self, data: Any, what: str) -> Iterable[int]:
        import numpy as np

        array = as_array(data)
        if array is None:
            raise _invalid(what, f"mask_data is {type(data).__name__}, and has to be an array")
        while array.ndim > 2 and array.shape[0] == 1:
            array = array[0]
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim != 2:
            raise _invalid(what, f"mask_data has {array.ndim} axes of {array.shape}, not two")
        self.height, self.width = array.shape
        check_size(array.shape[1], array.shape[0], what)
        if array.dtype.kind not in "biuf":
            raise _invalid(what, f"mask_data holds {array.dtype}")
        # Comparisons that are false for NaN as well.
        if not (array.min() >= 0 and array.max() <= 255):
            raise _invalid(what, "mask_data holds numbers that are not from 0 to 255")
        ids = np.ascontiguousarray(array.astype(np.uint8))
        if array.dtype.kind == "f" and not (ids == array).all():
            raise _invalid(what, "mask_data holds numbers that are not whole")
        pixels = Pixels("L", array.shape[1], array.shape[0], ids.tobytes())
        self._take(pixels=pixels)
        self.digest = pixels.digest()
        self.path = member_path("masks", self.digest, "mask.png")
        # Not Pillow's: what a mask in memory is must not depend on its release.
        return [class_id for class_id in range(256) if class_id in pixels.data]

    def _take_file(self, path: Any, what: str) -> Iterable[int]:
        content = file_content(path)
        with content.open() as file:
            picture = _ids_of(file, content.path, what)
        self._take(content=content)
        self.digest = content.digest
        self.width, self.height = picture.size
        self.path = member_path("masks", self.digest, f"mask.{ending_of(picture)}")
        return _used(picture)


ImageMask = Mask
"""The name that W&B gives it."""


def _ids_of(file: BinaryIO, name: str, what: str = "a mask") -> Any:
    picture = decode_raster(file, name)
    if picture.mode == "1":
        # Pillow shows set bits as 255; what is meant is class 1.
        ids = picture.convert("L").point(lambda value: value // 255)
        ids.format = picture.format
        return ids
    if picture.mode not in ("L", "P"):
        raise _invalid(what, f"{name} has mode {picture.mode}, and a mask has one channel of bytes")
    return picture


def _used(picture: Any) -> list[int]:
    return [class_id for class_id, count in enumerate(picture.histogram()) if count]


def _invalid(what: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"{what} cannot be used: {why}", code="mask-invalid")

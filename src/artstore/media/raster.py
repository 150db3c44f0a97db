"""
Image files: what is read, within which limits, and how pixels are written.

Pillow is called nowhere else. Its own limit against decompression bombs is one
number for the whole process, and it warns where we refuse: sizes are compared
with ours as soon as the header is read, before anything is decoded. Of its many
formats only those are opened that cameras, browsers and scanners write; some of
the others start programs.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from artstore import forks
from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError
from artstore.media.pixels import CHANNELS, Pixels, check_size, pixels_of_array

__all__ = [
    "ENDINGS",
    "RasterInfo",
    "check_writable",
    "decode_raster",
    "decode_small",
    "encode_pixels",
    "ending_of",
    "format_of_file_type",
    "has_alpha",
    "inspect_raster",
    "is_picture",
    "peek_raster",
    "picture_of",
    "pixels_of_picture",
]

_READ: Final = {
    "PNG": "png",
    "JPEG": "jpeg",
    "BMP": "bmp",
    "GIF": "gif",
    "PPM": "ppm",
    "WEBP": "webp",
    "TIFF": "tiff",
    "JPEG2000": "jpeg2000",
    "AVIF": "avif",
}
_MORE: Final = {"MPO": "jpeg"}
"""Several pictures in one JPEG file, as phones write them; the first is meant."""
ENDINGS: Final = {
    "png": "png",
    "jpeg": "jpg",
    "bmp": "bmp",
    "gif": "gif",
    "ppm": "ppm",
    "webp": "webp",
    "tiff": "tiff",
    "jpeg2000": "jp2",
    "avif": "avif",
}
"""Format -> what its files end in."""

_LATE_MODULES: Final = (
    "numpy",
    "PIL.Image",
    *(f"PIL.{name}ImagePlugin" for name in ("Bmp", "Gif", "Jpeg", "Png", "Ppm")),
)
"""What is imported when the first image comes; see `forks.import_late`."""

_WRITTEN: Final = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "bmp": "bmp", "webp": "webp"}
_MODES_WRITTEN: Final = {
    "png": frozenset(("L", "RGB", "RGBA", "I;16")),
    "jpeg": frozenset(("L", "RGB")),
    # Readers disagree on the fourth byte of a BMP pixel.
    "bmp": frozenset(("L", "RGB")),
    "webp": frozenset(("L", "RGB", "RGBA")),
}
_TO_RGB: Final = frozenset(("CMYK", "YCbCr", "HSV", "LAB", "RGBX"))
_TO_RGBA: Final = frozenset(("LA", "La", "PA", "RGBa"))


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What an image file is: its format by content, Pillow's mode, its size in pixels."""

    format: str
    mode: str
    width: int
    height: int


def peek_raster(file: BinaryIO, what: str) -> RasterInfo:
    """
    What the header of the image in `file` says; nothing is decoded. Raises as `inspect_raster`.

    A file that is cut behind its header is not found out.
    """
    picture = _open(file, what)
    return RasterInfo(
        {**_READ, **_MORE}[picture.format], picture.mode, picture.width, picture.height
    )


def inspect_raster(file: BinaryIO, what: str) -> RasterInfo:
    """
    What the image in `file` is, after all of it was decoded once.

    Args:
        file: a stream that can seek.
        what: names the image in errors.
    Raises:
        DamagedDataError: `image-damaged`.
        InvalidInputError: `media-format-unknown`.
        LimitExceededError: `image-too-large`.
    Cost: decoding, of a JPEG at an eighth of its size; the pixels are dropped.
    """
    picture = _open(file, what)
    info = RasterInfo(
        {**_READ, **_MORE}[picture.format], picture.mode, picture.width, picture.height
    )
    if picture.format == "JPEG":
        # All of the file is read, which is what finds out that it is whole.
        picture.draft(picture.mode, (1, 1))
    _load(picture, what)
    return info


def decode_raster(file: BinaryIO, what: str) -> Any:
    """The image in `file` as a `PIL.Image.Image`. Raises as `inspect_raster`."""
    picture = _open(file, what)
    _load(picture, what)
    return picture


def decode_small(file: BinaryIO, what: str, side: int) -> Any:
    """
    The image in `file`, to be shown with `side` pixels; raises as `inspect_raster`.

    Cost: of a JPEG an eighth of its size at best, else decoding.
    """
    picture = _open(file, what)
    if picture.format == "JPEG":
        picture.draft(picture.mode, (side, side))
    _load(picture, what)
    return picture


def ending_of(picture: Any) -> str:
    """What files of the format end in that a decoded picture came from."""
    return ENDINGS[{**_READ, **_MORE}[picture.format]]


def format_of_file_type(file_type: str | None) -> str:
    """
    The format that an image is to be written in; PNG if nothing is said.

    Raises:
        InvalidInputError: `media-format-unknown`, also if this Pillow cannot write it.
    """
    format_name = _WRITTEN.get(str(file_type or "png").lower().removeprefix("."))
    if format_name is None:
        raise InvalidInputError(
            f"file_type {file_type!r} is not one that images are written in",
            code="media-format-unknown",
            hint=f"one of {', '.join(_WRITTEN)}",
            file_type=file_type,
        )
    if format_name == "webp":
        from PIL import features

        if not features.check("webp"):
            raise InvalidInputError(
                "the Pillow that is installed cannot write WebP",
                code="media-format-unknown",
                hint="use png",
                file_type=file_type,
            )
    return format_name


def has_alpha(format_name: str) -> bool:
    """Whether transparency can be kept in that format."""
    return "RGBA" in _MODES_WRITTEN[format_name]


def check_writable(pixels: Pixels, format_name: str) -> None:
    """
    Refuse pixels that a format cannot hold.

    Raises:
        InvalidInputError: `image-mode-invalid`.
    """
    if pixels.mode not in _MODES_WRITTEN[format_name]:
        raise InvalidInputError(
            f"an image of mode {pixels.mode!r} cannot be written as {format_name}",
            code="image-mode-invalid",
            hint="use file_type='png'",
            mode=pixels.mode,
        )


def encode_pixels(pixels: Pixels, format_name: str) -> bytes:
    """
    The file of an image: the same bytes each time, with one release of Pillow.

    PNG, BMP and WebP keep every pixel; JPEG is written at Pillow's own quality.
    """
    forks.import_late(_LATE_MODULES)
    from PIL import Image

    buffer = io.BytesIO()
    options: dict[str, Any] = {"lossless": True, "exact": True} if format_name == "webp" else {}
    size = (pixels.width, pixels.height)
    # Not copied, where Pillow can do without.
    picture = Image.frombuffer(pixels.mode, size, pixels.data, "raw", pixels.mode, 0, 1)
    picture.save(buffer, format=format_name, **options)
    return buffer.getvalue()


def picture_of(pixels: Pixels) -> Any:
    """A new `PIL.Image.Image` with these pixels."""
    forks.import_late(_LATE_MODULES)
    from PIL import Image

    return Image.frombytes(pixels.mode, (pixels.width, pixels.height), pixels.data)


def is_picture(value: object) -> bool:
    """Whether this is a `PIL.Image.Image`; without Pillow loaded nothing is."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def pixels_of_picture(
    picture: Any, *, mode: str | None = None, normalize: bool = True, alpha: bool = True
) -> Pixels:
    """
    The pixels of a `PIL.Image.Image`.

    L, RGB, RGBA and 16 bits of grey are kept; palettes and other colour spaces
    become RGB, or RGBA where something is transparent; 1-bit images become L;
    32-bit numbers (modes I and F) follow the rule for arrays. Colour profiles
    and other metadata are left behind.

    Args:
        mode: convert to this one.
    Raises:
        DamagedDataError: `image-damaged` if the picture was not read yet and its file is cut.
        InvalidInputError: `image-mode-invalid`, and those of `pixels_of_array`.
    """
    check_size(picture.width, picture.height, "the picture")
    _load(picture, "the picture")
    if picture.mode.startswith(("I", "F")) and mode in (None, "I;16"):
        import numpy as np

        deep = picture.mode.startswith("I;16")
        return pixels_of_array(
            np.asarray(picture), mode="I;16" if deep else mode, normalize=normalize
        )
    wanted = mode or _kept_mode(picture)
    if wanted == "RGBA" and not alpha:
        wanted = "RGB"
    if wanted not in CHANNELS:
        raise InvalidInputError(
            f"mode {mode!r} is not one that an image is kept in",
            code="image-mode-invalid",
            hint=f"one of {', '.join(CHANNELS)}",
            mode=mode,
        )
    try:
        converted = picture if picture.mode == wanted else picture.convert(wanted)
    except ValueError as error:
        raise InvalidInputError(
            f"a picture of mode {picture.mode!r} cannot be made one of {wanted!r}: {error}",
            code="image-mode-invalid",
            hint="convert it with Pillow first",
            mode=wanted,
        ) from error
    return Pixels(wanted, converted.width, converted.height, converted.tobytes())


def _kept_mode(picture: Any) -> str:
    if picture.mode == "1":
        return "L"
    if picture.mode in _TO_RGBA or "transparency" in picture.info:
        return "RGBA"
    if picture.mode == "P":
        return "RGBA" if picture.palette and picture.palette.mode == "RGBA" else "RGB"
    return "RGB" if picture.mode in _TO_RGB else str(picture.mode)


def _open(file: BinaryIO, what: str) -> Any:
    """
    The picture with its header read and its size allowed.

    Image.open would do, but for its process-wide limit, which it applies first.
    """
    forks.import_late(_LATE_MODULES)
    from PIL import Image

    Image.preinit()
    file.seek(0)
    # The shortest file that is an image has more; a check of Pillow's may look at any byte of it.
    prefix = file.read(16)
    if len(prefix) < 16:
        raise DamagedDataError(
            f"{what} has only {len(prefix)} bytes", code="image-damaged", hint="was it written?"
        )
    for name in _READ:
        if name not in Image.OPEN:
            # It imports; see `forks.import_late`.
            with forks.held_off():
                Image.init()
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or accept is None or accept(prefix) is not True:
            continue
        file.seek(0)
        try:
            picture: Any = factory(file, "")
        except Exception as error:
            raise _translated(error, what) from error
        check_size(picture.width, picture.height, what)
        return picture
    raise InvalidInputError(
        f"{what} is not an image of a format that is read",
        code="media-format-unknown",
        hint=f"known are {', '.join(ENDINGS)}; add other files with add_file",
    )


def _load(picture: Any, what: str) -> None:
    try:
        picture.load()
    except Exception as error:
        raise _translated(error, what) from error


def _translated(error: Exception, what: str) -> DamagedDataError | InvalidInputError:
    """Pillow's plugins raise nearly anything on bytes that nobody meant: OSError to IndexError."""
    from PIL import Image

    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return LimitExceededError(
            f"{what} is too large: {error}", code="image-too-large", hint="cut it into tiles"
        )
    return DamagedDataError(
        f"{what} is damaged: {error}",
        code="image-damaged",
        hint="look at it with another program; it was perhaps not copied in full",
    )

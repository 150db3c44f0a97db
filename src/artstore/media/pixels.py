"""
Pixels in the one form that has an identity, and how arrays become pixels.

The digest of an image made in memory is of what it shows, never of a PNG:
encoders change their bytes between releases and machines. It is BLAKE3-256 over

    25 bytes   `artstore image digest v1` and a zero byte
    1          u8, length of the mode
    n          the mode, ASCII: `L`, `RGB`, `RGBA` or `I;16`
    1          u8, length of the type of a number
    n          the type, ASCII: `uint16` for `I;16`, else `uint8`
    4, 4, 4    u32 each, little-endian: height, width, channels (1, 3 or 4)
    rest       the numbers: rows from the top, pixels from the left, channels of a
               pixel side by side; uint16 little-endian

Which axis of an array is which:

- Two axes are rows and columns.
- Three axes: if the last one has 1, 3 or 4, it is the channels (HWC). Otherwise,
  if the first one has, it is (CHW). `(3, 224, 3)` is three rows of colour pixels.
- Of torch, where channels always come first, three axes are CHW.
- More axes: those in front that have length one are left out, until three remain.

Numbers become bytes by the rule of W&B 0.28; `scaling` records which part of it:

    numbers                          scaling       byte
    uint8                            None          as it is
    floats, all in [0, 1]; bool      "unit"        255 x
    floats, all in [-1, 1]           "symmetric"   127.5 (x + 1)
    other floats, other integers     "clip"        x, from 0 to 255

Floats are rounded to the nearest integer, ties to even, in double precision; so
`k / 255` comes back as k, in float32 as in float64 (W&B cuts off). Without
`normalize`, floats are only clipped, and so are integers always.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from artstore import limits
from artstore.digest import Hasher
from artstore.errors import InvalidInputError, LimitExceededError

__all__ = [
    "CHANNELS",
    "CLIP",
    "SYMMETRIC",
    "UNIT",
    "Pixels",
    "check_size",
    "pixels_of_array",
    "scaled",
]

UNIT: Final = "unit"
SYMMETRIC: Final = "symmetric"
CLIP: Final = "clip"

CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 1}
_MODE_BY_CHANNELS: Final = {1: "L", 3: "RGB", 4: "RGBA"}
_DOMAIN: Final = b"artstore image digest v1\0"
_SHAPE: Final = struct.Struct("<III")
_BLOCK_COUNT: Final = 1 << 20
"""Numbers scaled at a time: doubles of a large image would take eight times its memory."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """
    An image in memory.

    Attributes:
        mode: `L`, `RGB`, `RGBA` or `I;16`.
        data: the numbers, as the digest takes them.
        scaling: how they were made, `unit`, `symmetric`, `clip` or None.
    """

    mode: str
    width: int
    height: int
    data: bytes
    scaling: str | None = None

    def digest(self) -> bytes:
        """What identifies the image; the module tells the bytes."""
        hasher = Hasher(_digest_head(self.mode, self.height, self.width))
        hasher.update(self.data)
        return hasher.digest()

    def array(self) -> Any:
        """`uint8` or `uint16`, [height, width] or [height, width, channel]; read-only."""
        import numpy as np

        numbers = np.frombuffer(self.data, dtype="<u2" if self.mode == "I;16" else "u1")
        channels = CHANNELS[self.mode]
        shape = (self.height, self.width) if channels == 1 else (self.height, self.width, channels)
        return numbers.reshape(shape)


@lru_cache(64)
def _digest_head(mode: str, height: int, width: int) -> bytes:
    name = mode.encode("ascii")
    number = b"uint16" if mode == "I;16" else b"uint8"
    shape = _SHAPE.pack(height, width, CHANNELS[mode])
    return b"".join(
        (_DOMAIN, bytes((len(name),)), name, bytes((len(number),)), number, shape),
    )


def check_size(width: int, height: int, what: str) -> None:
    """
    Refuse an image that is too large, before anything is allocated.

    Raises:
        LimitExceededError: `image-too-large`.
        InvalidInputError: `image-empty`.
    """
    if width < 1 or height < 1:
        raise InvalidInputError(
            f"{what} is {width} x {height}: there are no pixels", code="image-empty"
        )
    longest = max(width, height)
    if longest > limits.IMAGE_MAX_SIDE_PIXELS:
        rule = f"a side has at most {limits.IMAGE_MAX_SIDE_PIXELS:,}"
    elif width * height > limits.IMAGE_MAX_PIXELS:
        rule = f"an image has at most {limits.IMAGE_MAX_PIXELS:,} in all"
    else:
        return
    raise LimitExceededError(
        f"{what} is {width:,} x {height:,} pixels, and {rule}",
        code="image-too-large",
        hint="cut it into tiles, or add the file with add_file, which reads no pixels",
        width=width,
        height=height,
    )


def pixels_of_array(
    array: Any,
    *,
    mode: str | None = None,
    normalize: bool = True,
    channels_first: bool = False,
    alpha: bool = True,
) -> Pixels:
    """
    The image that a numpy array holds, by the rules above.

    Args:
        array: numbers of any kind and byte order, in any memory layout.
        mode: what the channels are, if not L, RGB or RGBA by their number;
            `I;16` keeps 16 bits of an unsigned integer.
        channels_first: three axes are CHW, whatever their lengths.
        alpha: whether a fourth channel is kept.
    Raises:
        InvalidInputError: `image-shape-invalid`, `image-empty`,
            `image-pixels-invalid`, `image-mode-invalid`.
        LimitExceededError: `image-too-large`.
    Cost: one or two passes over the array and one copy as bytes.
    """
    import numpy as np

    array = _rows_first(array, channels_first=channels_first)
    height, width, channels = array.shape
    check_size(width, height, "the array")
    guessed = _MODE_BY_CHANNELS[channels]
    chosen = mode or guessed
    if CHANNELS.get(chosen) != channels:
        raise InvalidInputError(
            f"mode {mode!r} does not fit an array with {channels} channels",
            code="image-mode-invalid",
            hint=f"leave it out for {guessed!r}; known are {', '.join(CHANNELS)}",
            mode=mode,
        )
    if chosen == "I;16":
        return _deep(array)
    numbers, scaling = scaled(array, normalize=normalize)
    if channels == 4 and not alpha:
        numbers, chosen = numbers[:, :, :3], "RGB"
    return Pixels(chosen, width, height, np.ascontiguousarray(numbers).tobytes(), scaling)


def scaled(array: Any, *, normalize: bool = True) -> tuple[Any, str | None]:
    """
    Numbers as `uint8`, by the rule above, and which part of it applied.

    Raises:
        InvalidInputError: `image-pixels-invalid` for NaN, infinities and what is
            no number.
    """
    import numpy as np

    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255), UNIT
    if kind in "iu":
        if array.dtype == np.uint8:
            return array, None
        return array.clip(0, 255).astype(np.uint8), CLIP
    if kind != "f":
        raise _bad_pixels(f"they are of type {array.dtype}, which is no number of an image")
    least, most = float(array.min()), float(array.max())
    # NaN anywhere makes both NaN.
    if not (np.isfinite(least) and np.isfinite(most)):
        found = "NaN" if np.isnan(least) else "infinity"
        raise _bad_pixels(f"{found} is among them")
    if normalize and least >= 0 and most <= 1:
        return _bytes_of(array, 255.0, 0.0), UNIT
    if normalize and least >= -1 and most <= 1:
        return _bytes_of(array, 127.5, 1.0), SYMMETRIC
    return _bytes_of(array, 1.0, 0.0), CLIP


def _bytes_of(array: Any, factor: float, shift: float) -> Any:
    import numpy as np

    result = np.empty(array.shape, np.uint8)
    step = max(1, _BLOCK_COUNT * array.shape[0] // array.size)
    for start in range(0, array.shape[0], step):
        rows = array[start : start + step].astype(np.float64)
        if shift:
            rows += shift
        rows *= factor
        np.rint(rows, out=rows)
        result[start : start + step] = rows.clip(0, 255, out=rows)
    return result


def _deep(array: Any) -> Pixels:
    """16 bits a pixel, as depth cameras and scanners give; nothing is scaled."""
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise InvalidInputError(
            f"mode 'I;16' takes uint16, not {array.dtype}",
            code="image-mode-invalid",
            hint="convert it with array.astype('uint16')",
            mode="I;16",
        )
    height, width, _ = array.shape
    return Pixels("I;16", width, height, array.astype("<u2").tobytes())


def _rows_first(array: Any, *, channels_first: bool) -> Any:
    """The array as HWC, a view."""
    shape = tuple(array.shape)
    if array.size == 0:
        raise InvalidInputError(
            f"an array of shape {shape} has no pixels", code="image-empty", shape=shape
        )
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3:
        hint = "log each image of a batch on its own" if array.ndim == 4 else None
        raise _bad_shape(shape, f"it has {len(shape)} axes", hint)
    if not channels_first and array.shape[2] in _MODE_BY_CHANNELS:
        return array
    if array.shape[0] in _MODE_BY_CHANNELS:
        return array.transpose(1, 2, 0)
    where = "the first axis" if channels_first else "neither the last axis nor the first"
    verb = "has not" if channels_first else "has"
    raise _bad_shape(shape, f"{where} {verb} 1, 3 or 4 channels", None)


def _bad_shape(shape: tuple[int, ...], why: str, hint: str | None) -> InvalidInputError:
    return InvalidInputError(
        f"an array of shape {shape} is no image: {why}",
        code="image-shape-invalid",
        hint=hint or "give rows x columns, rows x columns x channels, or channels first",
        shape=shape,
    )


def _bad_pixels(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"the pixels of an image cannot be used: {why}",
        code="image-pixels-invalid",
        hint="replace them first, with numpy.nan_to_num for instance",
    )

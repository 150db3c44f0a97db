"""
Videos: files as they are, frames as an animated GIF.

The identity of frames is of what they show: BLAKE3-256 over

    25 bytes     `artstore video digest v1` and a zero byte
    8            f64, little-endian: frames a second
    4, 4, 4, 4   u32 each, little-endian: frames, height, width, channels
    rest         uint8: frame by frame, rows from the top, channels side by side
"""

from __future__ import annotations

import io
import math
import os
import struct
from typing import Any, ClassVar, Final

from artstore import limits
from artstore.digest import Hasher
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.media.filemedia import (
    FileMedia,
    MediaSource,
    ending_in,
    source_of_bytes,
    source_of_path,
)
from artstore.media.pixels import check_size, scaled
from artstore.media.values import as_array, text_or_none, unknown_input

__all__ = ["Video"]

_ENDINGS: Final = ("gif", "mp4", "ogg", "webm")
_FPS: Final = 4
_DOMAIN: Final = b"artstore video digest v1\0"
_SHAPE: Final = struct.Struct("<dIIII")


class Video(FileMedia):
    """
    A video.

    Frames are [time, channel, height, width] with 1, 3 or 4 channels, or a batch
    of them with one more axis in front, shown side by side. Numbers become bytes
    as those of images do. They are written as GIF, which has 256 colours; encode
    them and pass the file where that is not enough.

    Args:
        data_or_path: a file, a URL (kept as a reference), bytes or a stream of
            them with a `format`, or frames.
        caption: text shown with it.
        fps: frames a second, for frames; 4 if left out.
        format: `gif`, `mp4`, `webm` or `ogg`; frames are written as `gif` only.
    Raises:
        InvalidInputError: `video-invalid`, `image-pixels-invalid`, `image-empty`,
            `media-input-unknown`, `media-format-unknown`, `media-file-missing`,
            `media-file-unreadable`.
        LimitExceededError: `image-too-large`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "video-file"
    folder: ClassVar[str] = "videos"
    fact_names: ClassVar[tuple[str, ...]] = ("width", "height", "frames", "fps")

    def __init__(
        self,
        data_or_path: Any,
        caption: object = None,
        fps: float | None = None,
        format: str | None = None,  # noqa: A002 - the name that scripts know
    ) -> None:
        kind = text_or_none(format, "a format")
        rate = None if fps is None else float(fps)
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise _invalid(f"{fps!r} frames a second")
        width = height = frames = None
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _ENDINGS, "a video", kind)
        elif isinstance(data_or_path, bytes) or hasattr(data_or_path, "read"):
            data = data_or_path if isinstance(data_or_path, bytes) else data_or_path.read()
            if kind is None:
                raise _invalid("bytes need a format")
            source = source_of_bytes(data, ending_in(kind, _ENDINGS, "a video"))
        else:
            array = as_array(data_or_path)
            if array is None:
                raise unknown_input("a video", data_or_path, "a path, a URL, bytes or frames")
            if kind not in (None, "gif"):
                ending_in(kind or "", _ENDINGS, "a video")
                raise _invalid(f"frames are written as gif, not as {kind}")
            rate = rate or float(_FPS)
            shown = _frames(array)
            frames, height, width = shown.shape[:3]
            source = _encoded(shown, rate)
        self._take(source, caption, width=width, height=height, frames=frames, fps=rate)


def _frames(array: Any) -> Any:
    """`uint8` [time, height, width, channel]."""
    import numpy as np

    if array.ndim == 5:
        # One video beside the other.
        array = np.concatenate(list(array), axis=3) if array.shape[0] else array[:, 0]
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4):
        raise _invalid(
            f"frames are [time, channel, height, width] with 1, 3 or 4 channels, not {array.shape}"
        )
    if array.shape[0] == 0:
        raise _invalid("there are no frames")
    check_size(array.shape[3], array.shape[2], "a frame")
    if array.shape[0] * array.shape[2] * array.shape[3] > limits.IMAGE_MAX_PIXELS:
        raise LimitExceededError(
            f"the frames have more than {limits.IMAGE_MAX_PIXELS:,} pixels in all",
            code="image-too-large",
            hint="encode them with a video encoder and pass the file",
        )
    numbers, _ = scaled(array)
    return np.ascontiguousarray(numbers.transpose(0, 2, 3, 1))


def _encoded(frames: Any, rate: float) -> MediaSource:
    from PIL import Image

    count, height, width, channels = frames.shape
    hasher = Hasher(_DOMAIN + _SHAPE.pack(rate, count, height, width, channels))
    data = frames.tobytes()
    hasher.update(data)
    size_bytes = height * width * channels
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    pictures = [
        Image.frombytes(mode, (width, height), data[start : start + size_bytes])
        for start in range(0, count * size_bytes, size_bytes)
    ]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="gif",
        save_all=True,
        append_images=pictures[1:],
        duration=max(1, round(1000 / rate)),
        loop=0,
    )
    return source_of_bytes(buffer.getvalue(), "gif", hasher.digest())


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a video cannot be made: {why}", code="video-invalid")

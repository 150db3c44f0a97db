"""Sounds: files as they are, samples as 16-bit PCM in a WAV file."""

from __future__ import annotations

import io
import os
import wave
from typing import Any, BinaryIO, ClassVar, Final

from artstore.errors import InvalidInputError
from artstore.media.filemedia import FileMedia, source_of_bytes, source_of_path
from artstore.media.values import as_array, is_channels_first, unknown_input, whole

__all__ = ["Audio"]

_ENDINGS: Final = ("aac", "aif", "aiff", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav", "webm")
_CHANNELS_MAX: Final = 64
_RATE_MAX: Final = 2**31


class Audio(FileMedia):
    """
    A sound.

    Samples are floats from -1 to 1 (what passes them is cut off) or int16, as
    [frame] or [frame, channel]; a tensor of torch as [channel, frame]. They are
    kept as 16-bit PCM: the WAV file is ours, so its bytes are the identity.

    Args:
        data_or_path: a file, a URL (kept as a reference), or samples.
        sample_rate: frames a second; needed for samples, read from a WAV file.
        caption: text shown with it.
    Raises:
        InvalidInputError: `audio-invalid`, `media-input-unknown`,
            `media-format-unknown`, `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "audio-file"
    folder: ClassVar[str] = "audio"
    fact_names: ClassVar[tuple[str, ...]] = ("sample_rate", "channels", "duration_seconds")

    def __init__(
        self, data_or_path: Any, sample_rate: int | None = None, caption: object = None
    ) -> None:
        rate = None if sample_rate is None else whole(sample_rate)
        if sample_rate is not None and (rate is None or not 0 < rate < _RATE_MAX):
            raise _invalid(f"the sample rate {sample_rate!r} is not a number of frames a second")
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _ENDINGS, "a sound")
            facts: tuple[int | None, int | None, float | None] = (rate, None, None)
            if source.ending == "wav" and source.size_bytes is not None:
                with source.content.open() as file:
                    facts = _wav_facts(file) or facts
        else:
            array = as_array(data_or_path)
            if array is None:
                raise unknown_input("a sound", data_or_path, "a path, a URL or an array of samples")
            if rate is None:
                raise _invalid("samples need a sample_rate")
            samples = _samples(array, channels_first=is_channels_first(data_or_path))
            source = source_of_bytes(_wav_bytes(samples, rate), "wav")
            facts = (rate, samples.shape[1], samples.shape[0] / rate)
        sample_rate, channels, seconds = facts
        self._take(
            source, caption, sample_rate=sample_rate, channels=channels, duration_seconds=seconds
        )


def _samples(array: Any, *, channels_first: bool) -> Any:
    """`int16` little-endian, [frame, channel]."""
    import numpy as np

    if array.ndim == 1:
        array = array[:, None]
    elif channels_first and array.ndim == 2:
        array = array.T
    if array.ndim != 2 or array.size == 0:
        raise _invalid(f"samples are [frame] or [frame, channel], not of shape {array.shape}")
    if array.shape[1] > _CHANNELS_MAX:
        raise _invalid(f"{array.shape[1]} channels; frames come first: give samples.T")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise _invalid("NaN or infinity is among the samples")
        scaled = np.rint(array.astype(np.float64).clip(-1, 1) * 32767)
        return scaled.astype("<i2")
    if array.dtype.kind == "i" and array.dtype.itemsize == 2:
        return array.astype("<i2")
    raise _invalid(f"samples are floats from -1 to 1 or int16, not {array.dtype}")


def _wav_bytes(samples: Any, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def _wav_facts(file: BinaryIO) -> tuple[int, int, float] | None:
    """None for a WAV file that the standard library does not read, such as one of floats."""
    try:
        with wave.open(file, "rb") as sound:
            rate = sound.getframerate()
            return rate, sound.getnchannels(), sound.getnframes() / rate
    except (EOFError, wave.Error, ZeroDivisionError):
        return None


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a sound cannot be made: {why}", code="audio-invalid")

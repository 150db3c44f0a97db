"""Files that are cut, lie about themselves, or are no images."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError
from artstore.media.image import Image
from artstore.media.raster import decode_raster, inspect_raster
from tests.unit.media.making import photograph, saved, written

FORMATS = {
    "png": {},
    "jpeg": {},
    "jpeg progressive": {"progressive": True},
    "bmp": {},
    "gif": {},
    "webp": {"lossless": True},
    "tiff": {"compression": "tiff_lzw"},
    "ppm": {},
}


def png_of(width: int, height: int, body: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_anywhere_is_told_or_has_all_its_pixels(tmp_path, name) -> None:
    data = saved(photograph(48, 64), name.split()[0], **FORMATS[name])
    path = written(tmp_path / "whole", data)
    whole = Image(path).to_numpy()
    refused = 0
    lengths = range(0, len(data), max(100, len(data) // 100))
    for length in lengths:
        cut = written(tmp_path / "cut", data[:length])
        try:
            image = Image(cut)
        except DamagedDataError as error:
            assert error.code == "image-damaged"
            assert error.hint
            refused += 1
        except InvalidInputError as error:
            assert error.code in ("media-format-unknown", "image-empty", "image-too-large")
            refused += 1
        else:
            assert np.array_equal(image.to_numpy(), whole)
    assert refused >= len(lengths) - 2


@pytest.mark.parametrize(
    ("width", "height"), [(100_000, 100_000), (65_501, 1), (1, 2**31 - 1), (60_000, 60_000)]
)
def test_a_header_that_claims_too_much_is_refused_unread(tmp_path, width, height) -> None:
    path = written(tmp_path / "bomb.png", png_of(width, height))
    with pytest.raises(LimitExceededError) as caught:
        Image(path)
    assert caught.value.code == "image-too-large"
    assert f"{width:,}" in str(caught.value)


def test_the_limit_is_ours_and_not_the_one_of_the_process(tmp_path, monkeypatch) -> None:
    path = written(tmp_path / "a.png", saved(photograph(), "png"))
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 10)
    assert Image(path).width == 128
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(LimitExceededError):
        Image(written(tmp_path / "bomb.png", png_of(50_000, 50_000)))


@pytest.mark.parametrize(
    "data", [b"%!PS-Adobe-3.0 EPSF-3.0\n" + b" " * 50, b"GARBAGE" * 20, b"<svg></svg>" * 9]
)
def test_files_of_other_formats_are_told_with_those_that_are_read(tmp_path, data) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Image(written(tmp_path / "a.png", data))
    assert caught.value.code == "media-format-unknown"
    assert "png" in caught.value.hint


@pytest.mark.parametrize("length", [0, 1, 8, 15])
def test_a_file_of_a_few_bytes_is_damaged(tmp_path, length) -> None:
    with pytest.raises(DamagedDataError) as caught:
        Image(written(tmp_path / "a.png", saved(photograph(), "png")[:length]))
    assert caught.value.code == "image-damaged"


def test_a_picture_that_was_not_read_yet_and_is_cut_is_damaged() -> None:
    data = saved(photograph(), "png")
    picture = Pillow.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(DamagedDataError) as caught:
        Image(picture)
    assert caught.value.code == "image-damaged"


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=200))
def test_any_bytes_are_an_image_or_one_of_our_errors(name, tail) -> None:
    head = saved(Pillow.new("RGB", (3, 2)), name.split()[0], **FORMATS[name])[:30]
    for data in (tail, head + tail):
        with contextlib.suppress(DamagedDataError, InvalidInputError):
            inspect_raster(io.BytesIO(data), "a file")


@given(st.data())
def test_a_flipped_byte_is_an_image_or_one_of_our_errors(data) -> None:
    name = data.draw(st.sampled_from(sorted(FORMATS)))
    bytes_ = bytearray(saved(photograph(8, 8), name.split()[0], **FORMATS[name]))
    bytes_[data.draw(st.integers(0, len(bytes_) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DamagedDataError, InvalidInputError):
        decode_raster(io.BytesIO(bytes(bytes_)), "a file")

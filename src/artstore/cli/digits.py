"""
The data set of `art demo`: small images as PNG files, labels in a CSV file, an edit of both.

Pixels are written without an image library: the demo must run after a plain install, and a grey
PNG of 8 by 8 pixels is 70 bytes around a zlib stream.
"""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Digit", "Edit", "edit_digits", "encode_png", "write_digits"]

Pixels = Sequence[bytes]
"""Rows of grey values, 0 black to 255 white, all of one length."""

LABELS_NAME: Final = "labels.csv"
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY_8_BITS: Final = (8, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Digit:
    """One image and what it shows."""

    number: int
    label: int
    pixels: Pixels

    @property
    def path(self) -> str:
        return f"{self.label}/{self.number:04d}.png"


@dataclass(frozen=True, slots=True)
class Edit:
    """What `edit_digits` did, as numbers of images."""

    relabelled: int = 1
    redrawn: int = 10
    added: int = 5
    removed: int = 3


def encode_png(pixels: Pixels) -> bytes:
    """
    Encode grey pixels as a PNG file; the same pixels give the same bytes with one zlib.

    Args:
        pixels: at least one row, all of one length above 0.
    """
    header = struct.pack(">II5B", len(pixels[0]), len(pixels), *_GREY_8_BITS)
    # Each row is preceded by the number of its filter; 0 leaves it as it is.
    rows = b"".join(b"\0" + row for row in pixels)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _PNG_SIGNATURE + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_digits(directory: Path, digits: Iterable[Digit]) -> list[Digit]:
    """
    Write `<label>/<number>.png` for each digit, and labels.csv, into the new `directory`.

    Returns: the digits, in the order of labels.csv.
    """
    written = list(digits)
    for label in sorted({digit.label for digit in written}):
        (directory / str(label)).mkdir(parents=True)
    for digit in written:
        (directory / digit.path).write_bytes(encode_png(digit.pixels))
    _write_labels(directory, written)
    return written


def edit_digits(directory: Path, digits: Sequence[Digit], edit: Edit) -> list[Digit]:
    """
    Change the written data set as somebody who cleans it would.

    The first images are given another label (the file moves, its bytes stay), the next are
    redrawn with black and white exchanged, the next removed, and mirror images of the last
    are added under new numbers.

    Returns: the digits that are there now.
    """
    cut = (edit.relabelled, edit.relabelled + edit.redrawn)
    cut_end = cut[1] + edit.removed
    moved = [Digit(old.number, (old.label + 1) % 10, old.pixels) for old in digits[: cut[0]]]
    redrawn = [
        Digit(old.number, old.label, [bytes(255 - value for value in row) for row in old.pixels])
        for old in digits[cut[0] : cut[1]]
    ]
    first_new = len(digits)
    mirrored = [
        Digit(first_new + index, old.label, [row[::-1] for row in old.pixels])
        for index, old in enumerate(digits[len(digits) - edit.added :])
    ]
    for old, new in zip(digits, moved, strict=False):
        (directory / old.path).rename(directory / new.path)
    for digit in (*redrawn, *mirrored):
        (directory / digit.path).write_bytes(encode_png(digit.pixels))
    for digit in digits[cut[1] : cut_end]:
        (directory / digit.path).unlink()
    now = [*moved, *redrawn, *digits[cut_end:], *mirrored]
    _write_labels(directory, now)
    return now


def _write_labels(directory: Path, digits: Iterable[Digit]) -> None:
    with (directory / LABELS_NAME).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "label"))
        rows.writerows((digit.path, digit.label) for digit in digits)

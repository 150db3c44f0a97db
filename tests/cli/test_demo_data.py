"""The demo's data set: PNG files that are valid, and an edit of each kind that a diff tells."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from artstore.cli.digits import Digit, Edit, edit_digits, encode_png, write_digits

PIXELS = [bytes([0, 128, 255]), bytes([1, 2, 3])]


def decode_png(data: bytes) -> list[bytes]:
    """The rows of a grey PNG without filters; checks each chunk's checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 0)
    rows = zlib.decompress(chunks[b"IDAT"])
    step = width + 1
    assert len(rows) == height * step
    assert all(rows[start] == 0 for start in range(0, len(rows), step))
    return [rows[start + 1 : start + step] for start in range(0, len(rows), step)]


def digits(count: int) -> list[Digit]:
    return [Digit(n, n % 10, [bytes([n, 200]), bytes([3, 4])]) for n in range(count)]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_png_holds_exactly_the_pixels_given() -> None:
    assert decode_png(encode_png(PIXELS)) == PIXELS


def test_every_image_is_a_file_and_a_line_of_the_labels(tmp_path: Path) -> None:
    write_digits(tmp_path / "data", digits(30))
    found = contents(tmp_path / "data")
    lines = found.pop("labels.csv").decode().splitlines()
    assert len(found) == 30
    assert lines[0] == "file,label"
    assert sorted(line.split(",")[0] for line in lines[1:]) == sorted(found)
    assert all(path.split("/")[0] == line.split(",")[1] for path, line in _pairs(lines[1:]))


def test_the_edit_moves_changes_adds_and_removes_what_it_says(tmp_path: Path) -> None:
    root = tmp_path / "data"
    written = write_digits(root, digits(40))
    before = contents(root)
    edit = Edit(relabelled=2, redrawn=4, added=5, removed=3)
    edit_digits(root, written, edit)
    after = contents(root)
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    moved = {path for path in new if after[path] in {before[old] for old in gone}}
    changed = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    assert len(moved) == edit.relabelled
    assert len(new - moved) == edit.added
    assert len(gone) == edit.relabelled + edit.removed
    assert "labels.csv" in changed
    assert len(changed) == edit.redrawn + 1
    listed = [line.split(",")[0] for line in after["labels.csv"].decode().splitlines()[1:]]
    assert sorted(listed) == sorted(after.keys() - {"labels.csv"})


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    return [(line.split(",")[0], line) for line in lines]

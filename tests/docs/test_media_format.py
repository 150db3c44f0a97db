"""
The worked examples of docs/format/media.md are what the code makes of the values they tell.

They are golden vectors: a change that breaks one of these tests changes format 1.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from blake3 import blake3

from artstore.digest import digest_of
from artstore.media.boxes import Box
from artstore.media.cells import ImageCell
from artstore.media.classes import Classes
from artstore.media.histogram import Histogram
from artstore.media.image import Image
from artstore.media.kinds import KINDS, decode_descriptor, encode_descriptor
from artstore.media.scene import Scene
from artstore.media.video import Video
from tests.docs.pages import DOCS, block_named

PAGE = DOCS / "format" / "media.md"
TEXT = PAGE.read_text("utf-8")
STREET = b"P6 2 1 255\n\xff\0\0\0\0\0"


def hashed(name: str) -> tuple[bytes, bytes]:
    """What is hashed in a block of named hex lines, and the digest that its last line tells."""
    lines = block_named(PAGE, f"text {name}").splitlines()
    *parts, digest = [bytes.fromhex(line[8:]) for line in lines]
    return b"".join(parts), digest


def test_the_digest_of_pixels_is_as_shown() -> None:
    told, digest = hashed("pixels")
    assert blake3(told).digest() == digest
    assert Image(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)).digest == digest


def test_the_digest_of_frames_is_as_shown() -> None:
    told, digest = hashed("frames")
    assert blake3(told).digest() == digest
    assert Video(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)).digest == digest


def test_the_digest_of_a_url_is_as_told() -> None:
    assert Image("s3://b/a.png").digest == digest_of(b'{"url":"s3://b/a.png"}')


def test_a_class_set_is_as_shown() -> None:
    shown = block_named(PAGE, "json classes").rstrip("\n").encode()
    classes = Classes(
        [
            {"id": "x", "name": "other"},
            {"id": 1, "name": "car"},
            {"id": 0, "name": "road"},
        ]
    )
    assert classes.canonical() == shown
    assert classes.digest.hex() == block_named(PAGE, "text classes-digest").strip()


def test_points_are_as_shown() -> None:
    shown = block_named(PAGE, "json points").rstrip("\n").encode()
    scene = Scene(np.array([[-0.0, 1, 2]]))
    assert (scene.read(), scene.digest) == (shown, digest_of(shown))


def test_the_descriptor_of_an_image_is_as_shown(tmp_path: Path) -> None:
    assert len(STREET) == 17
    (tmp_path / "street.ppm").write_bytes(STREET)
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "domain": "pixel"}
    box |= {"class_id": 1, "scores": {"p": 0.5}}
    image = Image(tmp_path / "street.ppm", caption="a street", boxes={"truth": {"box_data": [box]}})
    prepared = image.prepare()
    shown = block_named(PAGE, "json image-file").rstrip("\n").encode()
    assert encode_descriptor(image, prepared.cell) == shown
    contents = {file.path: file.content for file in prepared.files}
    assert decode_descriptor(shown, contents.__getitem__, what="the example") == image


def told(heading: str) -> list[str]:
    """The names in the first column of the tables of a section."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_fields_of_an_image_and_of_a_box_are_those_that_are_told() -> None:
    box = Box("pixel", None, None, None, None, None, ())
    names = list(ImageCell.__dataclass_fields__)
    assert told("3. The cell of an image") == [*names, *box.to_dict()]


def test_the_kinds_are_those_that_are_told() -> None:
    section = TEXT.partition("\n## 6. Descriptor files\n")[2]
    kinds = section.partition("The kinds: ")[2].partition(".\n")[0]
    assert re.findall(r"`([\w-]+)`", kinds) == [kind.type_name for kind in KINDS]


def test_a_histogram_has_the_cell_that_is_told() -> None:
    assert Histogram([1, 2]).prepare().cell.keys() == {"values", "bins"}


def test_fields_of_media_of_one_file_are_those_that_are_told() -> None:
    section = TEXT.partition("\n## 5. Media of one file\n")[2].partition("Files that are")[0]
    for kind in KINDS:
        own = getattr(kind.load(), "fact_names", None)
        row = re.search(rf"^\| [^|]*`{kind.type_name}`[^|]* \| (.*) \|$", section, re.MULTILINE)
        assert (row is None) == (own is None), kind.type_name
        if row is not None:
            assert tuple(re.findall(r"`(\w+)`", row[1])) == own

"""What an image in memory is does not depend on Pillow: neither on its release nor on its bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from artstore.media.cells import identity_of
from artstore.media.video import Video
from tests.unit.media.arrays import digests, gradient, images

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = json.loads((Path(__file__).parent / "golden-images.json").read_text("utf-8"))


def test_digests_and_cells_of_images_never_change() -> None:
    assert digests() == GOLDEN


def test_they_are_the_same_where_there_is_no_pillow_at_all() -> None:
    program = (
        "import json, sys; sys.modules['PIL'] = None;"
        "from tests.unit.media.arrays import digests; print(json.dumps(digests()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(result.stdout) == GOLDEN


@pytest.fixture
def other_encoders(monkeypatch) -> None:
    """As a release of Pillow that writes other bytes for the same pixels."""
    save = Pillow.Image.save

    def saved(self, file, format=None, **options):  # noqa: A002 - Pillow's name
        if format == "png":
            options["compress_level"] = 0
        if format == "gif":
            options["comment"] = b"another release"
        save(self, file, format=format, **options)

    monkeypatch.setattr(Pillow.Image, "save", saved)


@pytest.mark.parametrize("name", ["L", "RGB", "RGBA", "I;16", "annotated"])
def test_other_bytes_of_a_png_change_only_their_own_digest(request, name) -> None:
    before = images()[name].prepare()
    request.getfixturevalue("other_encoders")
    image = images()[name]
    after = image.prepare()
    assert after.cell != before.cell
    assert identity_of(after.cell) == identity_of(before.cell) == image.identity()
    assert paths(after.cell) == paths(before.cell)
    assert [file.path for file in after.files] == [file.path for file in before.files]
    assert [file.content.digest for file in after.files] != [
        file.content.digest for file in before.files
    ]


def paths(value: object) -> list[str]:
    if isinstance(value, dict):
        found = [value["path"]] if "path" in value else []
        return found + [path for item in value.values() for path in paths(item)]
    return [path for item in value for path in paths(item)] if isinstance(value, list) else []


def test_other_bytes_of_a_gif_change_only_their_own_digest(request) -> None:
    frames = gradient(4, 6, 3).transpose(2, 0, 1)[None] + np.zeros((3, 1, 1, 1), np.uint8)
    before = Video(frames)
    request.getfixturevalue("other_encoders")
    after = Video(frames)
    assert after.read() != before.read()
    assert (after.digest, after.path, after.identity()) == (
        before.digest,
        before.path,
        before.identity(),
    )

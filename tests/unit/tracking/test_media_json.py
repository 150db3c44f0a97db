"""Media of a run as JSON, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from artstore import Audio, Histogram, Html, Image
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.content import BytesContent
from artstore.runs.nonfinite import restored
from artstore.tracking.mediajson import media_json, media_list_json, media_value


class Files:
    """Keeps what it is given, as a run does."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.paths: list[Path] = []

    def __call__(self, content: bytes | Path, extension: str, digest: bytes) -> str:
        if isinstance(content, Path):
            self.paths.append(content)
            content = content.read_bytes()
        assert digest_of(content) == digest
        key = f"media/{digest.hex()}.{extension}"
        self.kept[key] = content
        return key

    def open(self, key: str) -> BytesContent:
        return BytesContent.of(self.kept[key])


@pytest.fixture
def files() -> Files:
    return Files()


def pixels(value: int = 0) -> np.ndarray:
    return np.full((3, 4, 3), value, np.uint8)


def test_an_image_names_its_files_by_their_keys(files):
    image = Image(
        pixels(),
        caption="a cat",
        masks={"truth": {"mask_data": np.zeros((3, 4), np.uint8), "class_labels": {0: "cat"}}},
        boxes={
            "guess": {
                "box_data": [
                    {
                        "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.1, "maxY": 0.5},
                        "class_id": 0,
                        "scores": {"sure": 0.5},
                    }
                ],
                "class_labels": {0: "cat"},
            }
        },
    )
    found = media_json(image, files)
    json.dumps(found, allow_nan=False)
    assert found["_type"] == "image-file"
    assert found["path"] in files.kept
    assert found["path"].endswith(".png")
    assert (found["width"], found["height"], found["caption"]) == (4, 3, "a cat")
    assert found["masks"][0]["path"] in files.kept
    assert found["masks"][0]["classes"]["path"] in files.kept
    assert media_value(found, files.open) == image
    assert media_value(json.loads(json.dumps(found)), files.open).path == image.path


def test_the_same_file_is_kept_once(files):
    for caption in "ab":
        media_json(Image(pixels(), caption=caption), files)
    assert len(files.kept) == 1


@pytest.mark.parametrize(
    "value",
    [Html("<b>x</b>"), Audio(np.zeros(100, np.float32), sample_rate=8_000), Histogram([1, 2, 3])],
)
def test_other_media_come_back(files, value):
    found = media_json(value, files)
    back = media_value(json.loads(json.dumps(found)), files.open)
    assert back == value


def test_a_url_stays_a_url_and_is_not_fetched(files):
    image = Image("https://example.com/cat.png")
    found = media_json(image, files)
    assert found["path"] == "https://example.com/cat.png"
    assert not files.kept
    assert media_value(found, files.open) == image


def test_a_large_file_is_handed_on_by_its_path(files, tmp_path):
    path = tmp_path / "large.html"
    path.write_bytes(b"x" * (9 << 20))
    found = media_json(Html(path), files)
    assert files.paths == [path]
    assert found["path"] in files.kept


def test_a_file_that_was_changed_is_refused(files, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(Image(pixels()).encoded().data)
    image = Image(path)
    path.write_bytes(Image(pixels(9)).encoded().data)
    with pytest.raises(InvalidInputError) as caught:
        media_json(image, files)
    assert caught.value.code == "media-file-changed"


def test_lists_of_one_kind_have_the_names_that_wandb_has(files):
    images = [Image(pixels(1)), Image(pixels(2))]
    found = media_list_json(images, files)
    assert (found["_type"], found["count"]) == ("images/separated", 2)
    assert [media_value(item, files.open) for item in found["items"]] == images


def test_a_list_of_several_kinds_is_a_list(files):
    found = media_list_json([Image(pixels()), Html("x")], files)
    assert [item["_type"] for item in found] == ["image-file", "html-file"]


@pytest.mark.parametrize(
    "change", [{"entry": "media/images/other.png"}, {"path": 3}, {"digest": "x"}]
)
def test_a_damaged_record_is_refused(files, change):
    found = {**media_json(Html("x"), files), **change}
    with pytest.raises(DamagedDataError) as caught:
        media_value(restored(found), files.open).read()
    assert caught.value.code == "media-cell-damaged"


def test_an_unknown_kind_is_refused(files):
    with pytest.raises(InvalidInputError) as caught:
        media_value({"_type": "hologram"}, files.open)
    assert caught.value.code == "media-kind-unknown"

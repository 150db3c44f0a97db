"""Media that are one file: sound, video, HTML, molecules, scenes, figures."""

from __future__ import annotations

import io
import json
import struct
import wave

import numpy as np
import pytest
from PIL import Image as Pillow

from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError, StateError
from artstore.media.audio import Audio
from artstore.media.html import Html
from artstore.media.molecule import Molecule
from artstore.media.plotly import Plotly
from artstore.media.scene import Object3D, Scene
from artstore.media.video import Video
from tests.unit.media.making import Tensor, never, stored, written

TONE = np.sin(np.linspace(0, 20, 800)).astype(np.float32)


class Drawn:
    def __init__(self, text: str) -> None:
        self.text = text

    def to_json(self) -> str:
        return self.text


def refused(code: str, make, *arguments, **options) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        make(*arguments, **options)
    assert caught.value.code == code
    return caught.value


def values(tmp_path) -> list:
    return [
        Audio(TONE, 8000, "a tone"),
        Audio(written(tmp_path / "a.mp3", b"sound"), caption="b"),
        Video(np.zeros((2, 3, 4, 6), np.uint8), fps=10),
        Video(written(tmp_path / "a.mp4", b"video"), "moving"),
        Html("<p>hi</p>", inject=False),
        Molecule(written(tmp_path / "a.pdb", b"ATOM"), "protein"),
        Scene(np.zeros((5, 6))),
        Scene(written(tmp_path / "a.glb", b"mesh")),
        Plotly(Drawn('{"data": [], "layout": {}}')),
    ]


def test_every_value_comes_back_from_its_cell(tmp_path) -> None:
    for value in values(tmp_path):
        prepared = value.prepare()
        cell = json.loads(json.dumps(prepared.cell))
        read = type(value).from_cell(cell, stored(prepared.files))
        assert read == value
        assert read.read() == value.read()
        assert read.prepare().cell == prepared.cell
        assert type(value).from_cell(cell, never) == value


def test_values_of_one_kind_have_the_same_fields(tmp_path) -> None:
    fields: dict[str, set] = {}
    for value in values(tmp_path):
        fields.setdefault(value.type_name, set()).add(tuple(value.prepare().cell))
    assert all(len(found) == 1 for found in fields.values())


@pytest.mark.parametrize(
    "change", [{"path": "../x"}, {"digest": "00"}, {"digest": None}, {"format": "exe/../"}]
)
def test_a_damaged_cell_is_told(change) -> None:
    cell = Html("<p>hi</p>").prepare().cell | change
    with pytest.raises(DamagedDataError) as caught:
        Html.from_cell(cell, never)
    assert caught.value.code == "media-cell-damaged"
    with pytest.raises(DamagedDataError):
        Html.from_cell({}, never)


@pytest.mark.parametrize(
    ("make", "url", "ending"),
    [
        (Audio, "https://h/a.MP3?sig=x.y", "mp3"),
        (Video, "s3://b/a.webm", "webm"),
        (Molecule, "gs://b/m.sdf", "sdf"),
        (Scene, "s3://b/cloud.pts.json", "pts.json"),
        (Html, "https://h/index.html", "html"),
    ],
)
def test_a_url_is_a_reference(make, url, ending) -> None:
    value = make(url)
    cell = value.prepare().cell
    assert (cell["format"], cell["size_bytes"], cell["encoded_digest"]) == (ending, None, None)
    with pytest.raises(StateError):
        value.read()


@pytest.mark.parametrize("make", [Audio, Video, Molecule, Scene, Plotly])
def test_other_files_and_values_are_refused(tmp_path, make) -> None:
    refused("media-format-unknown", make, written(tmp_path / "a.exe", b"x"))
    refused("media-input-unknown", make, 5)


@pytest.mark.parametrize(
    ("make", "name"),
    [(Audio, "a.wav"), (Video, "a.gif"), (Molecule, "a.pdb"), (Scene, "a.obj"), (Plotly, "a.json")],
)
def test_a_missing_file_is_told(tmp_path, make, name) -> None:
    refused("media-file-missing", make, tmp_path / name)


def test_samples_become_sixteen_bits() -> None:
    sound = Audio(np.array([0, 0.5, 1, -1, 3.0]), 100)
    with wave.open(io.BytesIO(sound.read())) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (100, 1, 2)
        frames = struct.unpack("<5h", file.readframes(5))
    assert frames == (0, 16384, 32767, -32767, 32767)
    assert sound.facts == {"sample_rate": 100, "channels": 1, "duration_seconds": 0.05}
    assert sound.digest == digest_of(sound.read())
    assert sound.digest.hex() == "0097587de7c21d95ea8a4249a35442662b4f178d882ad97ff9d986f86029a833"


def test_frames_come_first_and_in_tensors_channels() -> None:
    stereo = np.stack([TONE, -TONE], axis=1)
    assert Audio(stereo, 8000) == Audio(Tensor(stereo.T), 8000)
    assert Audio(stereo, 8000).facts["channels"] == 2
    assert "samples.T" in str(refused("audio-invalid", Audio, stereo.T, 8000))


def test_int16_is_kept() -> None:
    samples = np.array([1, -32768, 32767], ">i2")
    assert Audio(samples, 10).read()[-6:] == struct.pack("<3h", 1, -32768, 32767)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (TONE, None),
        (TONE, 0),
        (TONE, 1.5),
        (TONE * np.nan, 100),
        (np.zeros((2, 2, 2)), 100),
        (np.zeros(0), 100),
        (np.zeros(4, np.int32), 100),
        (np.zeros(4, np.uint8), 100),
    ],
)
def test_what_is_no_sound_is_refused(samples, rate) -> None:
    refused("audio-invalid", Audio, samples, rate)


def test_a_wav_file_says_its_rate(tmp_path) -> None:
    data = Audio(TONE, 8000).read()
    assert Audio(written(tmp_path / "a.wav", data)).facts["sample_rate"] == 8000
    assert Audio(written(tmp_path / "b.wav", b"RIFF")).facts["sample_rate"] is None


def test_frames_become_a_gif_and_are_told_by_what_they_show() -> None:
    frames = np.arange(3 * 3 * 4 * 6, dtype=np.uint8).reshape(3, 3, 4, 6)
    video = Video(frames)
    picture = Pillow.open(io.BytesIO(video.read()))
    assert (picture.format, picture.n_frames, picture.size) == ("GIF", 3, (6, 4))
    assert video.facts == {"width": 6, "height": 4, "frames": 3, "fps": 4.0}
    told = b"artstore video digest v1\0" + struct.pack("<dIIII", 4.0, 3, 4, 6, 3)
    assert video.digest == digest_of(told + frames.transpose(0, 2, 3, 1).tobytes())
    assert video.prepare().cell["encoded_digest"] == digest_of(video.read()).hex()
    assert Video(frames, fps=8).digest != video.digest
    assert Video(np.asfortranarray(frames)).digest == video.digest


def test_a_batch_of_videos_is_shown_side_by_side() -> None:
    batch = np.zeros((2, 3, 1, 4, 6), np.uint8)
    batch[1] = 9
    video = Video(batch)
    assert (video.facts["width"], video.facts["height"], video.facts["frames"]) == (12, 4, 3)


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        (np.zeros((3, 4, 6)), {}),
        (np.zeros((3, 2, 4, 6)), {}),
        (np.zeros((0, 3, 4, 6)), {}),
        (np.zeros((0, 2, 3, 4, 6)), {}),
        (np.zeros((1, 3, 4, 6)), {"fps": 0}),
        (np.zeros((1, 3, 4, 6)), {"format": "mp4"}),
        (b"bytes", {}),
    ],
)
def test_what_is_no_video_is_refused(frames, options) -> None:
    refused("video-invalid", Video, frames, **options)


def test_frames_have_as_many_pixels_as_an_image_at_most() -> None:
    with pytest.raises(LimitExceededError):
        Video(np.broadcast_to(np.uint8(0), (300, 1, 1000, 1000)))


def test_bytes_of_a_video_need_a_format() -> None:
    assert Video(b"data", format="mp4").read() == b"data"
    assert Video(io.BytesIO(b"data"), format="webm").format == "webm"
    refused("media-format-unknown", Video, b"data", format="avi")


def test_html_is_kept_as_it_is(tmp_path) -> None:
    page = written(tmp_path / "page.html", "<b>\u00e9</b>".encode())
    text = Html("<b>\u00e9</b>")
    assert text == Html(page) == Html(str(page))
    for mode in ("r", "rb"):
        with page.open(mode) as file:
            assert Html(file) == text
    assert text.facts == {"inject": True}
    assert Html("a.html", data_is_not_path=True).read() == b"a.html"
    refused("media-file-missing", Html, "a.html")
    refused("media-input-unknown", Html, 5)
    refused("value-invalid", Html, "<\ud800>")


def test_a_molecule_of_a_stream_has_a_name_or_a_type(tmp_path) -> None:
    path = written(tmp_path / "a.pdb", b"ATOM")
    with path.open() as file:
        assert Molecule(file) == Molecule(path)
    assert Molecule(io.StringIO("ATOM"), file_type="pdb") == Molecule(path)
    refused("media-format-unknown", Molecule, io.StringIO("ATOM"))


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_points_are_canonical_json(columns) -> None:
    points = np.arange(2 * columns, dtype=np.float32).reshape(2, columns)
    scene = Object3D(points)
    value = json.loads(scene.read())
    assert value == {
        "type": "lidar/beta",
        "points": points.tolist(),
        "boxes": [],
        "vectors": [],
    }
    assert scene.facts == {"points": 2, "columns": columns}
    assert scene == Scene.from_numpy(points.astype(np.int64)) == Scene.from_point_cloud(points)
    assert scene.path.endswith(".pts.json")


def test_boxes_of_a_point_cloud_are_kept() -> None:
    box = {"corners": np.eye(3).tolist(), "label": "car", "color": np.array([1, 2, 3])}
    scene = Scene.from_point_cloud([[0, 0, 0]], [box])
    assert json.loads(scene.read())["boxes"] == [box | {"color": [1, 2, 3]}]


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((3, 5)),
        np.zeros(3),
        np.full((1, 3), np.nan),
        {"points": [[1, 2]]},
        {"points": [[1, 2, 3], [1, 2]]},
        {"points": [["a", "b", "c"]]},
        {"type": "lidar/beta"},
        {"points": [[1, 2, 3]], "lines": []},
        {"points": [[1, 2, 3]], "boxes": [{"a": object()}]},
    ],
)
def test_what_are_no_points_is_refused(points) -> None:
    refused("points-invalid", Scene, points)


def test_a_figure_is_canonical_json_and_its_file_is_kept(tmp_path) -> None:
    figure = Plotly(Drawn('{"layout": {"b": 1, "a": 2},\n "data": [1.5]}'))
    assert figure.read() == b'{"data":[1.5],"layout":{"a":2,"b":1}}'
    path = written(tmp_path / "a.json", b'{ "data": [] }')
    assert Plotly(path).read() == b'{ "data": [] }'


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": NaN}', "{"])
def test_what_is_no_figure_is_refused(tmp_path, text) -> None:
    refused("figure-invalid", Plotly, Drawn(text))
    refused("figure-invalid", Plotly, written(tmp_path / "a.plotly.json", text.encode()))


def test_a_caption_is_part_of_what_a_value_is() -> None:
    assert Audio(TONE, 8000, "a") != Audio(TONE, 8000, "b")
    assert Audio(TONE, 8000, "a").digest == Audio(TONE, 8000, "b").digest

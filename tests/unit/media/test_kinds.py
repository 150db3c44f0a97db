"""The kinds of media and the files that describe one value."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.audio import Audio
from artstore.media.bokeh import Bokeh
from artstore.media.classes import Classes
from artstore.media.histogram import Histogram
from artstore.media.html import Html
from artstore.media.image import Image
from artstore.media.kinds import (
    KINDS,
    decode_descriptor,
    encode_descriptor,
    kind_named,
    kind_of,
    kind_of_path,
)
from artstore.media.molecule import Molecule
from artstore.media.plotly import Plotly
from artstore.media.scene import Scene
from artstore.media.values import MediaValue
from artstore.media.video import Video
from tests.unit.media.making import gradient, never, stored, written


def values(tmp_path) -> list[MediaValue]:
    return [
        Audio(np.zeros(4), 10),
        Bokeh(written(tmp_path / "a.bokeh.json", b'{"roots":[]}')),
        Classes([{"id": 1, "name": "a"}]),
        Histogram([1, 2]),
        Html("<p>"),
        Image(gradient(), caption="\u00e9", masks={"m": {"mask_data": np.zeros((6, 8))}}),
        Molecule(written(tmp_path / "a.pdb", b"ATOM")),
        Scene(np.zeros((1, 3))),
        Plotly(written(tmp_path / "a.json", b'{"data":[]}')),
        Video(np.zeros((1, 1, 2, 2))),
    ]


def test_every_kind_is_read_back_from_the_file_that_describes_it(tmp_path) -> None:
    made = values(tmp_path)
    assert [value.type_name for value in made] == [kind.type_name for kind in KINDS]
    for value in made:
        prepared = value.prepare()
        data = encode_descriptor(value, prepared.cell)
        assert decode_descriptor(data, stored(prepared.files), what="a file") == value


def test_every_kind_has_what_the_protocol_asks_for(tmp_path) -> None:
    for value in values(tmp_path):
        assert len(value.digest) == 32
        assert value.identity() == value.identity()
        kind = kind_of(value)
        assert kind is kind_named(value.type_name)
        assert isinstance(value, kind.load())
        assert kind_of_path(f"some/name{kind.suffix}") is kind


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.image-file.json", "image-file"),
        ("a/b.classes.json", "classes"),
        ("a.json", None),
        ("a.table.json", None),
        ("image-file.json", None),
    ],
)
def test_a_path_says_what_it_describes(path, name) -> None:
    kind = kind_of_path(path)
    assert (kind and kind.type_name) == name


@pytest.mark.parametrize("value", [None, 5, "text", Pillow.new("L", (1, 1)), Image])
def test_what_is_no_media_has_no_kind(value) -> None:
    assert kind_of(value) is None


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInputError) as caught:
        kind_named("hologram")
    assert caught.value.code == "media-kind-unknown"
    assert "image-file" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"_type":5}', b'{"_type":"image-file"}'])
def test_a_file_that_describes_nothing_is_damage(data) -> None:
    with pytest.raises(DamagedDataError):
        decode_descriptor(data, never, what="x.image-file.json")

"""Bounding boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.media.boxes import BoundingBoxes, BoundingBoxes2D, Box
from artstore.media.classes import Classes

CORNERS = {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}


def layer(*boxes, size=(100, 50), **options) -> BoundingBoxes:
    classes = options.pop("classes", None)
    return BoundingBoxes({"box_data": list(boxes), **options}, size=size, classes=classes)


def only(*boxes, **options) -> Box:
    (box,) = layer(*boxes, **options).boxes
    return box


def refused(code: str, box: object, **options) -> str:
    with pytest.raises(InvalidInputError) as caught:
        layer(box, **options)
    assert caught.value.code == code
    return str(caught.value)


def test_a_box_in_fractions_is_kept_by_its_corners() -> None:
    box = only({"position": CORNERS, "class_id": 3})
    assert box.fractions == (0.1, 0.5, 0.2, 0.6)
    assert (box.domain, box.pixels, box.class_label) == ("fraction", None, "class_3")


def test_it_is_made_by_the_name_and_in_the_order_that_scripts_know() -> None:
    assert BoundingBoxes2D({"box_data": []}, "guess") == BoundingBoxes({"box_data": []})
    with pytest.raises(InvalidInputError, match="layer 'guess'"):
        BoundingBoxes2D({}, "guess")


def test_a_box_by_middle_and_size_is_the_one_by_its_corners() -> None:
    middle = {"middle": [0.25, 0.5], "width": 0.5, "height": 0.25}
    corners = {"minX": 0.0, "maxX": 0.5, "minY": 0.375, "maxY": 0.625}
    assert only({"position": middle}) == only({"position": corners})


def test_a_box_in_pixels_keeps_them_beside_the_fractions() -> None:
    position = {"minX": 10, "maxX": 35, "minY": 5, "maxY": np.int64(50)}
    box = only({"position": position, "domain": "pixel"})
    assert box.fractions == (0.1, 0.35, 0.1, 1.0)
    assert box.pixels == (10, 35, 5, 50)
    assert box.to_box_data()["position"] == position


def test_pixels_of_an_image_elsewhere_have_no_fractions() -> None:
    box = only(
        {"position": {"middle": (500, 20), "width": 10, "height": 10}, "domain": "pixel"}, size=None
    )
    assert (box.fractions, box.pixels) == (None, (495.0, 505.0, 15.0, 25.0))
    assert Box.from_dict(box.to_dict()) == box


@pytest.mark.parametrize("step", [{"minX": -0.01}, {"maxX": 1.01}, {"maxY": 200}, {"minY": -1}])
def test_a_box_outside_of_the_fractions_is_refused(step) -> None:
    message = refused("box-outside", {"position": CORNERS | step})
    assert "box 0 of layer 'boxes'" in message


@pytest.mark.parametrize("step", [{"minX": -1}, {"maxX": 101}, {"maxY": 51}])
def test_a_box_outside_of_the_image_is_refused(step) -> None:
    inside = {"minX": 0, "maxX": 100, "minY": 0, "maxY": 50}
    assert only({"position": inside, "domain": "pixel"}).fractions == (0, 1, 0, 1)
    refused("box-outside", {"position": inside | step, "domain": "pixel"})


def test_what_float32_rounds_over_the_edge_is_cut_off_there() -> None:
    position = {
        "minX": -1e-8,
        "maxX": float(np.float32(1) + np.float32(1e-7)),
        "minY": 0,
        "maxY": 1,
    }
    assert only({"position": position}).fractions == (0.0, 1.0, 0.0, 1.0)


def test_minus_zero_is_zero() -> None:
    box = only({"position": CORNERS | {"minX": -0.0}})
    assert math.copysign(1, box.fractions[0]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"position": None},
        {"position": {}},
        {"position": [0, 1, 0, 1]},
        {"position": {"minX": 0, "maxX": 1, "minY": 0}},
        {"position": CORNERS | {"width": 1}},
        {"position": CORNERS | {"minX": "0"}},
        {"position": CORNERS | {"minX": None}},
        {"position": CORNERS | {"minX": math.nan}},
        {"position": CORNERS | {"minX": 0.9}},
        {"position": {"middle": 0.5, "width": 0.1, "height": 0.1}},
        {"position": {"middle": [0.5], "width": 0.1, "height": 0.1}},
        {"position": {"middle": [0.5, 0.5], "width": -0.1, "height": 0.1}},
        {"domain": "percent"},
        {"class_id": 1.5},
        {"class_id": "1"},
        {"class_id": True},
        {"scores": {"a": math.inf}},
        {"scores": {"a": math.nan}},
        {"scores": {"a": "high"}},
        {"scores": {1: 0.5}},
        {"scores": [0.5]},
        {"clas_id": 1},
    ],
)
def test_a_box_that_is_none_is_refused(change) -> None:
    refused("box-invalid", {"position": CORNERS, **change})


@pytest.mark.parametrize(
    "value", [None, [], {"box_data": None}, {"box_data": "x"}, {}, {"boxes": []}]
)
def test_a_layer_that_is_none_is_refused(value) -> None:
    with pytest.raises(InvalidInputError) as caught:
        BoundingBoxes(value)
    assert caught.value.code == "box-invalid"


def test_scores_are_sorted_by_name() -> None:
    box = only({"position": CORNERS, "scores": {"b": 1, "a": np.float32(0.5), "c": 2}})
    assert box.scores == (("a", 0.5), ("b", 1.0), ("c", 2.0))


def test_labels_are_those_of_the_layer_then_of_the_image_then_made_up() -> None:
    box = {"position": CORNERS, "class_id": np.int64(1)}
    classes = Classes([{"id": 1, "name": "car"}])
    assert only(box, classes=classes, class_labels={1: "bus"}).class_label == "bus"
    assert only(box, classes=classes).class_label == "car"
    assert only(box).class_label == "class_1"
    assert only({"position": CORNERS}, class_labels={1: "bus"}).class_label is None
    refused("class-unlabelled", box, class_labels={2: "bus"})


def test_a_layer_goes_back_into_the_form_it_was_given_in() -> None:
    value = {
        "box_data": [
            {"position": {"minX": 1, "maxX": 2, "minY": 3, "maxY": 4.5}, "domain": "pixel"},
            {"position": CORNERS, "class_id": 1, "box_caption": "it", "scores": {"a": 0.5}},
        ],
        "class_labels": {1: "bus"},
    }
    boxes = BoundingBoxes(value, size=(100, 50))
    assert boxes.to_wandb() == value
    assert BoundingBoxes(boxes.to_wandb(), size=(100, 50)) == boxes


CORNER_PAIRS = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(
    x=CORNER_PAIRS,
    y=CORNER_PAIRS,
    class_id=st.none() | st.integers(-(2**63), 2**63 - 1),
    caption=st.none() | st.text(st.characters(codec="utf-8")),
    scores=st.dictionaries(
        st.text(st.characters(codec="utf-8")), st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_every_box_comes_back_from_its_dict(x, y, class_id, caption, scores) -> None:
    position = {"minX": x[0], "maxX": x[1], "minY": y[0], "maxY": y[1]}
    given_as = {
        "position": position,
        "class_id": class_id,
        "box_caption": caption,
        "scores": scores,
    }
    boxes = layer(given_as)
    assert Box.from_dict(boxes.boxes[0].to_dict()) == boxes.boxes[0]
    assert boxes.digest == layer(given_as | {"scores": dict(reversed(scores.items()))}).digest

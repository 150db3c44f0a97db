"""Boxes and masks of a layer, by its name, in both languages."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from tests.unit.tables.expressions.evaluating import kept, values

MONGO_13 = (
    "{$gte: [{$size: {$filter: {input: '$image.boxes.ground_truth', as: 'box', "
    "cond: {$eq: ['$$box.class_id', 13]}}}}, 1]}"
)


@pytest.mark.parametrize(
    "text",
    [
        MONGO_13,
        MONGO_13.replace("$image", "$0.image"),
        "{$in: [13, '$image.boxes.ground_truth.class_id']}",
        "{'image.boxes.ground_truth': {$elemMatch: {class_id: 13}}}",
        "{image.boxes.ground_truth.class_id: 13}",
        "len(list_filter(image.boxes.ground_truth, box -> box.class_id = 13)) >= 1",
        "len(list_filter(t0.image.boxes.ground_truth, b -> b.class_id = 13)) >= 1",
        "list_contains(image.boxes.ground_truth.class_id, 13)",
        "13 IN image.boxes.ground_truth.class_id",
    ],
)
def test_at_least_one_box_of_class_13_in_layer_ground_truth(text: str) -> None:
    assert kept(text) == [1]


def test_a_layer_that_is_not_there_has_no_boxes() -> None:
    assert values("len(image.boxes.ground_truth)") == [2, 0, 0, 0]
    assert values("{$size: '$image.boxes.nothing'}") == [0, 0, 0, 0]


def test_boxes_have_their_fields() -> None:
    assert values("image.boxes.predictions[1].min_x") == [0.0, 0.25, None, None]
    assert values("{$arrayElemAt: ['$image.boxes.predictions.class_id', 0]}") == [2, 13, None, None]


def test_a_layer_of_masks_is_its_mask() -> None:
    assert values("image.masks.road.path") == ["road.png", None, None, None]
    assert kept("{$exists: '$image.masks.road'}") == [1]


def test_names_of_layers_may_be_quoted() -> None:
    assert values('len(image.boxes."ground_truth")')[0] == 2
    assert values("len(image['boxes']['ground_truth'])")[0] == 2
    assert values("""{$size: '$image.boxes.two words'}""")[0] == 0


def test_all_layers_are_a_list() -> None:
    assert values("len(image.boxes)") == [2, 1, 0, None]
    assert values("list_transform(image.boxes, layer -> layer.layer)")[0] == [
        "ground_truth",
        "predictions",
    ]
    assert values("list_transform(image.boxes, one -> len(one.boxes))")[0] == [2, 1]


def test_scores_of_boxes_are_reached_in_loops() -> None:
    text = (
        "len(list_filter(image.boxes.ground_truth, b -> "
        "len(list_filter(b.scores, s -> s.name = 'score' AND s.value > 0.5)) > 0))"
    )
    assert values(text) == [1, 0, 0, 0]


def test_a_list_of_structs_without_layers_gives_the_field_of_each() -> None:
    text = "list_transform(image.boxes.ground_truth, b -> b.scores.value)"
    assert values(text)[0] == [[0.9], []]


def test_an_image_that_is_null_has_no_fields() -> None:
    assert values("image.width > 20") == [True, True, True, None]
    assert values("image.boxes.ground_truth.class_id") == [[13, 2], [], [], []]


@pytest.mark.parametrize(
    ("text", "position"),
    [("image.widht > 1", 6), ("{$gt: ['$image.widht', 1]}", 15), ("image.masks.road.paht", 17)],
)
def test_a_field_that_is_not_there_is_told_with_its_neighbour(text: str, position: int) -> None:
    with pytest.raises(InvalidInputError) as caught:
        values(text)
    assert caught.value.code == "column-unknown"
    assert caught.value.context["position"] == position
    assert caught.value.hint is not None

"""Class sets."""

from __future__ import annotations

import numpy as np
import pytest

from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.classes import Classes, labels_for

PAIR = [{"id": 2, "name": "cat"}, {"name": "dog", "id": 0}]


def test_a_class_set_is_canonical_json_sorted_by_id() -> None:
    told = b'{"_type":"classes","class_set":[{"id":0,"name":"dog"},{"id":2,"name":"cat"}]}'
    classes = Classes(PAIR)
    assert classes.canonical() == told
    assert classes.digest == digest_of(told)
    assert classes.path == f"media/classes/{classes.digest.hex()[:40]}.classes.json"
    assert classes.file().content.read() == told
    assert classes.file().content.digest == classes.digest


def test_the_order_in_which_classes_are_given_does_not_count() -> None:
    assert Classes(PAIR) == Classes(PAIR[::-1])
    assert len({Classes(PAIR), Classes(PAIR[::-1])}) == 1
    assert Classes(PAIR) != Classes(PAIR[:1])


def test_classes_are_found_by_id_and_by_name() -> None:
    classes = Classes([*PAIR, {"id": "x", "name": "dog"}])
    assert (classes.name_of(2), classes.name_of("x"), classes.name_of(7)) == ("cat", "dog", None)
    assert (classes.id_of("dog"), classes.id_of("bird")) == (0, None)
    assert 2 in classes
    assert len(classes) == 3
    assert list(classes.names) == [0, 2, "x"]


def test_numbers_of_other_libraries_are_ids() -> None:
    assert Classes([{"id": np.int32(2), "name": "cat"}]).class_set == [{"id": 2, "name": "cat"}]


@pytest.mark.parametrize(
    "class_set",
    [
        [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}],
        [{"id": 1, "name": "a"}, {"id": 1, "name": "a"}],
        [{"id": 1}],
        [{"name": "a"}],
        [{"id": 1, "name": None}],
        [{"id": 1.5, "name": "a"}],
        [{"id": True, "name": "a"}],
        [{"id": None, "name": "a"}],
        [{"id": 2**63, "name": "a"}],
        [{"id": 1, "name": "a", "colour": "red"}],
        ["a"],
        [1],
        "abc",
        {"id": 1, "name": "a"},
        5,
        None,
    ],
)
def test_a_class_set_that_is_none_is_refused(class_set) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Classes(class_set)
    assert caught.value.code == "classes-invalid"


def test_what_was_prepared_is_read_back() -> None:
    classes = Classes(PAIR)
    assert Classes.from_cell(classes.prepare().cell) == classes
    with pytest.raises(DamagedDataError):
        Classes.from_cell({"class_set": [{"id": 1}]})


def test_a_stored_class_set_is_read_when_a_name_is_asked_for_and_once() -> None:
    whole = Classes(PAIR)
    reads = []

    def load() -> bytes:
        reads.append(1)
        return whole.canonical()

    classes = Classes.stored(whole.digest, load)
    assert (classes.path, classes == whole, reads) == (whole.path, True, [])
    assert classes.name_of(0) == "dog"
    assert classes.name_of(2) == "cat"
    assert reads == [1]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"class_set":[{"id":1}]}', b"\xff"])
def test_a_stored_file_that_is_no_class_set_is_damage(data) -> None:
    with pytest.raises(DamagedDataError):
        Classes.stored(bytes(32), lambda: data).name_of(0)


def test_labels_of_a_layer_come_before_those_of_the_image() -> None:
    classes = Classes(PAIR)
    assert labels_for({1: "bus"}, classes, [1], "x").names == {1: "bus"}
    assert labels_for(None, classes, [0, 2], "x") is classes
    assert labels_for(None, None, [5], "x") is None


def test_ids_that_json_made_text_are_numbers_again() -> None:
    assert labels_for({"1": "bus", "-2": "car"}, None, [], "x").names == {-2: "car", 1: "bus"}


@pytest.mark.parametrize(("labels", "classes"), [({0: "a"}, None), (None, Classes(PAIR))])
def test_an_id_without_a_label_is_refused_by_number(labels, classes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        labels_for(labels, classes, [0, 7, 9, 7], "layer 'x'")
    assert caught.value.code == "class-unlabelled"
    assert "7, 9" in str(caught.value)
    assert caught.value.context["class_ids"] == [7, 9]


def test_labels_that_are_no_dict_are_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        labels_for(["a"], None, [], "x")
    assert caught.value.code == "classes-invalid"

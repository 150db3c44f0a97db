"""Documents of queries: implicit $and, values that mean themselves, lists by an element."""

from __future__ import annotations

import datetime as dt

import pytest

from artstore.errors import InvalidInputError
from artstore.tables.expressions.mongoquery import QUERY_OPERATORS
from tests.unit.tables.expressions.evaluating import kept

KEPT = [
    ("{guess: {$ne: 3}, score: {$lt: 0.5}}", [2]),
    ("{guess: 3}", [1]),
    ("{guess: {$eq: 3}}", [1]),
    ("{guess: null}", [3]),
    ("{guess: {$ne: null}}", [1, 2, 4]),
    ("{guess: {$gt: 0, $lte: 3}}", [1]),
    ("{guess: {$gte: 3}, truth: {$lt: 4}}", [1]),
    ("{guess: {$in: [3, null]}}", [1, 3]),
    ("{guess: {$nin: [3, null]}}", [2, 4]),
    ("{guess: {$not: {$gt: 1}}}", [3, 4]),
    ("{guess: {$exists: true}}", [1, 2, 4]),
    ("{guess: {$exists: false}}", [3]),
    ("{name: {$regex: '^c'}}", [1]),
    ("{name: {$regex: '^C', $options: 'i'}}", [1]),
    ("{name: {$options: 'i', $regex: '^D', $ne: 'x'}}", [2]),
    ("{name: {$not: {$regex: '^c'}}}", [2, 3, 4]),
    ("{tags: 'b'}", [1, 3]),
    ("{tags: {$ne: 'b'}}", [2, 4]),
    ("{tags: null}", [4]),
    ("{tags: {$size: 2}}", [1, 3]),
    ("{tags: {$elemMatch: {$eq: 'a'}}}", [1]),
    ("{numbers: {$elemMatch: {$gt: 1, $lt: 3}}}", [1]),
    ("{'image.boxes.predictions': {$elemMatch: {class_id: 13, min_x: {$gt: 0.1}}}}", [2]),
    ("{'image.boxes.predictions': {$elemMatch: {$or: [{class_id: 2}, {min_x: 0.25}]}}}", [1, 2]),
    ("{image.width: {$gt: 30}}", [2, 3]),
    ("{day: {$gte: '2024-01-31'}}", [1, 4]),
    ("{day: {$gte: {$date: '2024-02-01'}}}", [4]),
    ("{day: {$date: '2024-02-01'}}", [4]),
    ("{$or: [{guess: 3}, {guess: 5}]}", [1, 2]),
    ("{$or: [{guess: 3}, {$eq: ['$guess', 5]}]}", [1, 2]),
    ("{$and: [{guess: {$gt: 1}}, {seen: true}]}", [1]),
    ("{$nor: [{guess: 3}, {seen: true}]}", [2, 3]),
    ("{seen: true, $or: [{guess: 3}, {guess: 0}]}", [1, 4]),
    ("{$or: [{guess: 3}, {guess: 5}], $nor: [{seen: false}]}", [1]),
    ("{seen: true, $expr: {$eq: ['$guess', '$truth']}}", [1]),
    ("{$expr: {$eq: ['$guess', '$truth']}}", [1]),
    ("{0.guess: 3}", [1]),
    ("{'a b': 10}", [1]),
    ("{'dotted.name': 2}", [2]),
    ("{name: '$guess'}", []),
]


@pytest.mark.parametrize(("text", "expected"), KEPT, ids=str)
def test_a_document_keeps(text: str, expected: list[int]) -> None:
    assert kept(text) == expected


def test_every_operator_is_tried_here() -> None:
    texts = " ".join(text for text, _ in KEPT)
    assert not {name for name in QUERY_OPERATORS if f"{name}:" not in texts}


def test_python_values_are_documents_too() -> None:
    assert kept({"guess": {"$in": (3, None)}}) == [1, 3]
    assert kept({"day": {"$gte": dt.date(2024, 2, 1)}}) == [4]
    assert kept({"$gt": ["$score", float("-inf")]}) == [1, 2, 3]
    assert kept({"name": "Dog's"}) == [2]
    assert kept({"name": 'He said "\\no"'}) == []
    assert kept({"$and": [{"guess": 3}, {"seen": True}]}) == [1]


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("{guess: {$foo: 1}}", 9, "no operator $foo in queries"),
        ("{guess: {width: 1}}", 9, "a struct is not compared as a whole"),
        ("{guess: {}}", 8, "says nothing"),
        ("{guess: [1]}", 8, "a list is not compared as a whole"),
        ("{guess: {$options: 'i'}}", 9, "no operator $options in queries"),
        ("{guess: 1, $gt: [1, 2]}", 11, "does not stand beside fields"),
        ("{guess: 1, $or: {}}", 16, "takes a list of conditions"),
        ("{tags: {$elemMatch: 1}}", 20, "takes an object"),
        ("{guess: {$in: 3}}", 14, "takes a list"),
        ("{guess: {$exists: 1}}", 18, "true or false"),
        ("{guess: {$not: 3}}", 15, "takes an object of operators"),
        ("{'a..b': 1}", 1, "empty"),
        ("{tags: {$elemMatch: {$and: [{$gt: [1, 0]}]}}}", 28, "only conditions on fields"),
    ],
)
def test_what_is_no_document_is_told_with_its_place(text: str, position: int, why: str) -> None:
    with pytest.raises(InvalidInputError, match="expression") as caught:
        kept(text)
    assert (caught.value.context["position"], caught.value.code) == (position, "expression-invalid")
    assert why in caught.value.message

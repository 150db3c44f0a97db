"""Boards: what an address says of panels, checked, whoever wrote it."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from artstore.errors import InvalidInputError
from artstore.web.runs.boards import BOARD_PARTS, Board, board_of, section_of, sections_of


def board(*pairs: tuple[str, str]) -> Board:
    return board_of(QueryParams(urlencode(pairs)))


def test_an_address_without_parts_is_the_board_that_every_run_has() -> None:
    assert board() == board_of(QueryParams("show=charts&run=a")) == Board()
    assert board().to_json() == {
        "x": "_step",
        "smoothing": 0.0,
        "logX": False,
        "logY": False,
        "group": "",
        "panels": [],
        "changed": [],
        "hidden": [],
        "moves": [],
        "open": [],
        "folded": [],
    }


def test_every_part_is_read() -> None:
    panel = {"kind": "line", "keys": ["a", "b"], "smoothing": 0.5, "logY": True, "title": "both"}
    found = board(
        ("x", "epoch"),
        ("smooth", "0.9"),
        ("log", "xy"),
        ("band", "config.lr"),
        ("panel", json.dumps(panel)),
        ("set", json.dumps({"key": "loss", "x": "_relative"})),
        ("hide", "acc"),
        ("move", "3:train/loss:sum"),
        ("open", "val"),
        ("fold", ""),
    )
    assert found == Board(
        "epoch",
        0.9,
        log_x=True,
        log_y=True,
        band="config.lr",
        panels=(panel,),
        changed=({"key": "loss", "x": "_relative"},),
        hidden=("acc",),
        moves=(("train/loss:sum", 3),),
        opened=("val",),
        folded=("",),
    )


def test_members_that_no_panel_has_are_dropped() -> None:
    given_panel = {"kind": "text", "keys": [], "text": "why", "onclick": "alert(1)", "logX": 1}
    found = board(("panel", json.dumps(given_panel)))
    assert found.panels == ({"kind": "text", "keys": [], "text": "why", "logX": False},)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("smooth", "1"),
        ("smooth", "nan"),
        ("smooth", "fast"),
        ("log", "z"),
        ("panel", "{"),
        ("panel", "[]"),
        ("panel", '{"kind": "pie"}'),
        ("panel", '{"keys": "loss"}'),
        ("panel", '{"keys": [1]}'),
        ("panel", json.dumps({"keys": ["k"] * 21})),
        ("panel", '{"keys": [], "title": 1}'),
        ("panel", "[" * 20_000),
        ("panel", "x" * 20_001),
        ("set", "{}"),
        ("set", '{"key": "a", "smoothing": -1}'),
        ("move", "loss"),
        ("move", "-1:loss"),
        ("move", "9999999:loss"),
        ("x", "k" * 2_001),
    ],
)
def test_what_is_no_board_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        board((name, text))
    assert caught.value.code == "request-invalid"


def test_an_address_of_too_many_parts_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        board(*(("hide", str(number)) for number in range(2_001)))


@given(st.lists(st.tuples(st.sampled_from(BOARD_PARTS), st.text(max_size=40)), max_size=6))
def test_any_address_is_a_board_or_refused(pairs: list[tuple[str, str]]) -> None:
    try:
        found = board(*pairs)
    except InvalidInputError as error:
        assert error.code == "request-invalid"
        return
    json.dumps(found.to_json(), allow_nan=False)


def test_sections_are_prefixes_and_the_rest_is_last() -> None:
    keys = ["val/acc", "loss", "train/loss", "/odd", "train/a/b"]
    assert sections_of(keys) == [
        ("train", ["train/loss", "train/a/b"]),
        ("val", ["val/acc"]),
        ("", ["loss", "/odd"]),
    ]
    assert section_of("train/a/b") == "train"


def test_hidden_and_moved_panels_count() -> None:
    keys = ["t/a", "t/b", "t/c", "t/d"]
    moved = Board(hidden=("t/b",), moves=(("t/d", 0), ("t/a", 99), ("gone", 0), ("t/b", 0)))
    assert sections_of(keys, moved) == [("t", ["t/d", "t/c", "t/a"])]

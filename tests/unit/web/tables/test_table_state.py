from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.web.tables.state import SortPart, TableState, parse_state, query_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CONDITIONS = TEXTS.filter(lambda text: bool(text.strip()))
NAMES = TEXTS.filter(bool)


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3, unique=True).map(tuple)


STATES = st.builds(
    TableState,
    where=several(CONDITIONS),
    sort=several(st.builds(SortPart, TEXTS, st.booleans())),
    compute=several(st.tuples(NAMES, CONDITIONS)),
    group=st.lists(TEXTS, max_size=2, unique=True).map(tuple),
    start=st.integers(0, 2**53),
    row=st.none() | st.integers(0, 2**53),
    columns=st.none() | several(TEXTS),
    pins=several(TEXTS),
    widths=several(st.tuples(TEXTS, st.integers(20, 2000))),
    renderers=several(st.tuples(TEXTS, st.sampled_from(["bar", "heat-map", "r2"]))),
    mode=st.sampled_from(["rows", "images"]),
    size_pixels=st.none() | st.integers(16, 1024),
    image=st.none() | TEXTS,
    captions=st.none() | several(TEXTS),
    smooth=st.none() | st.sampled_from(["on", "off"]),
    compared=several(TEXTS),
    keys=several(TEXTS),
    how=st.none() | st.sampled_from(["merged", "side", "concat"]),
    quick=st.none() | st.sampled_from(["both", "only:1", "disagree"]),
    hidden_layers=several(TEXTS),
    hidden_classes=several(TEXTS),
    least_scores=several(st.tuples(TEXTS, st.floats(-1e9, 1e9))),
    opacity_percent=st.none() | st.integers(0, 100),
    view=st.none() | st.just("0123456789abcdef"),
)


@given(STATES)
def test_a_state_comes_back_from_its_query_string(state: TableState) -> None:
    assert parse_state(query_of(state)) == (state, ())


@given(st.text(max_size=200))
def test_any_query_string_is_read_and_what_is_read_stays(query: str) -> None:
    state, _ = parse_state(query)
    assert parse_state(query_of(state)) == (state, ())


@pytest.mark.parametrize(
    "part",
    [
        "start=-1",
        "start=1e3",
        "start=99999999999999999999",
        "sort=up:a",
        "compute=a",
        "columns={}",
        "columns=[1]",
        "columns=" + "[" * 20_000,
        "width=a:9",
        "render=a:../x",
        "mode=cube",
        "where=%20",
        "score=p:nan",
        "view=../x",
        "strange=1",
    ],
)
def test_a_part_that_is_not_understood_is_left_out_and_told(part: str) -> None:
    state, told = parse_state(part)
    assert state == TableState()
    assert len(told) == 1
    assert len(told[0]) < 300


def test_a_third_column_to_group_by_is_told() -> None:
    state, told = parse_state("group=a&group=b&group=c")
    assert state.group == ("a", "b")
    assert "at most 2" in told[0]


def test_the_name_of_a_computed_column_may_have_an_equals_sign() -> None:
    state = TableState(compute=(("a=b\\", "x = 1"),))
    assert parse_state(query_of(state)) == (state, ())

"""Rows of a table as points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import Table
from artstore.errors import InvalidInputError
from artstore.tables.exploring import ExploredTable, Selection, points, scattering

COUNT = 200


def explored() -> ExploredTable:
    """Rows of which some have no place."""
    at = np.arange(COUNT)
    x = (at % 20).astype(float)
    x[[3, 4, 5]] = [np.nan, np.inf, -np.inf]
    places = [np.array([one % 20, one // 20], np.float32) for one in at]
    kinds = [None if one == 7 else f"kind {one % 3} " + "x" * 200 for one in at]
    data = {"id": at, "x": x, "y y": at // 20, "place": places, "kind": kinds}
    return ExploredTable(Table(data=data))


@pytest.fixture(scope="module")
def table() -> ExploredTable:
    return explored()


def test_rows_are_placed_by_two_columns_and_those_without_numbers_left_out(
    table: ExploredTable,
) -> None:
    found = points(table, Selection(), "x", "y y", "kind")
    assert found.column_names == ["x", "y", "colour", "row"]
    assert found["row"].to_pylist() == [at for at in range(COUNT) if at not in (3, 4, 5)]
    assert (found["x"][10].as_py(), found["y"][30].as_py()) == (13.0, 1.0)
    assert found["colour"][4].as_py() is None
    assert all(one is None or len(one) == 100 for one in found["colour"].to_pylist())


def test_rows_are_placed_by_the_elements_of_one_column(table: ExploredTable) -> None:
    found = points(table, Selection(where=("id >= 50",)), "place", None, "y y")
    assert found["row"].to_pylist() == list(range(50, COUNT))
    assert found["x"].to_pylist() == [float(at % 20) for at in range(50, COUNT)]
    assert found["colour"].to_pylist() == found["y"].to_pylist()


def test_of_many_rows_there_is_a_sample_that_is_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scattering, "POINTS_MAX", 60)
    first, second = (points(explored(), Selection(), "y y", "id") for _ in range(2))
    assert first.equals(second)
    assert 20 <= len(first) <= 60
    # From all over the table.
    assert first["row"].to_pylist()[-1] > COUNT * 0.8


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("nothing", "x"), "column-unknown"),
        (("kind", "x"), "expression-type-invalid"),
        (("x", "place"), "expression-type-invalid"),
        (("x", None), "expression-type-invalid"),
        (("kind", None), "expression-type-invalid"),
        (("x", "id", "place"), "expression-type-invalid"),
    ],
)
def test_what_is_no_number_places_nothing(
    table: ExploredTable, names: tuple[Any, ...], code: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        points(table, Selection(), *names)
    assert refused.value.code == code


def inside(outline: list[tuple[float, float]], x: float, y: float) -> bool:
    is_in = False
    for (x1, y1), (x2, y2) in zip(outline, outline[1:] + outline[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            is_in = not is_in
    return is_in


def condition(outline: list[tuple[float, float]]) -> str:
    """As the page writes it."""
    parts = []
    for (x1, y1), (x2, y2) in zip(outline, outline[1:] + outline[:1], strict=True):
        if y1 != y2:
            low, high = sorted((y1, y2))
            slope = (x2 - x1) / (y2 - y1)
            side = f'x < {x1!r} + ("y y" - {y1!r}) * {slope!r}'.replace("- -", "+ ")
            parts.append(f'("y y" >= {low!r} AND "y y" < {high!r} AND {side})')
    xs, ys = zip(*outline, strict=True)
    box = f'x BETWEEN {min(xs)!r} AND {max(xs)!r} AND "y y" BETWEEN {min(ys)!r} AND {max(ys)!r}'
    return f"{box} AND ({' != '.join(parts)})"


PLACES = st.tuples(st.floats(-2, 22, width=16), st.floats(-2, 12, width=16))


@given(st.lists(PLACES, min_size=3, max_size=16))
def test_the_condition_of_a_lasso_finds_the_rows_within(
    table: ExploredTable, outline: list[tuple[float, float]]
) -> None:
    # A hand meets no place exactly.
    outline = [(x + 0.0137, y + 0.0171) for x, y in outline]
    if len({y for _, y in outline}) == 1:
        return
    found = table.numbers(Selection(where=(condition(outline),))).tolist()
    x = [math.nan if at in (3, 4, 5) else at % 20 for at in range(COUNT)]
    assert found == [at for at in range(COUNT) if inside(outline, x[at], at // 20)]

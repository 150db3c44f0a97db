"""
The matrix of two columns: its numbers, its labels, and the rows that a cell leads to.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.tables.exploring import ExploredTable, Selection
from artstore.tables.exploring.compared import ComparedTables
from artstore.tables.exploring.comparekeys import CompareKey
from artstore.tables.exploring.confusing import Confusion, confusion
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER

NAN, INF = float("nan"), float("inf")
LABELS: dict[str, list[Any]] = {
    "int": [0, 1, -2, 2**40, None],
    "float": [0.0, -0.0, 0.5, 1e-7, 1e22, NAN, INF, -INF, None],
    "text": ["", "a", "it's", 'x"y', "ü", "$x", None],
    "bool": [True, False, None],
    "date": [dt.date(2024, 1, 31), dt.date(1999, 12, 31), None],
    "time": [dt.datetime(2024, 1, 31, 5, 6, 7, 8), dt.datetime(2024, 1, 1), None],
    "moment": [dt.datetime(2024, 1, 31, 5, tzinfo=dt.UTC), None],
    "decimal": [decimal.Decimal("1.25"), decimal.Decimal(-3), None],
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    rows = draw(st.integers(1, 12))
    one, two = (
        draw(
            st.lists(
                st.sampled_from(LABELS[draw(st.sampled_from(sorted(LABELS)))]),
                min_size=rows,
                max_size=rows,
            ).filter(lambda cells: any(cell is not None for cell in cells))
        )
        for _ in range(2)
    )
    return one, two


def total(matrix: Confusion) -> int:
    return (
        sum(map(sum, matrix.counts))
        + sum(matrix.other_guesses)
        + sum(matrix.other_truths)
        + matrix.other_both
    )


@FEWER
@given(columns())
def test_a_cell_counts_the_rows_that_its_condition_finds(
    cells: tuple[list[Any], list[Any]],
) -> None:
    explored = ExploredTable(Table(data={"a": cells[0], "g uess": cells[1]}))
    matrix = confusion(explored, Selection(), "a", "g uess")
    assert total(matrix) == matrix.total == len(cells[0])
    for row, counts in enumerate(matrix.counts):
        for column, count in enumerate(counts):
            condition = matrix.condition(row, column)
            assert condition is not None
            assert explored.count(Selection((condition,))).matching == count, condition


def test_columns_of_one_kind_have_the_same_labels_in_order() -> None:
    table = Table(data={"t": [3, 1, 2, None, 1], "g": [1.0, 2.0, 2.0, 3.0, 7.5]})
    matrix = confusion(ExploredTable(table), Selection(), "t", "g")
    assert matrix.truth_labels == matrix.guess_labels == (1, 2, 3, 7.5, None)
    assert matrix.counts[0] == (0, 1, 0, 1, 0)
    assert matrix.condition(4, 2) == '"t" IS NULL AND "g" = 3.0'


def test_rare_labels_are_summed_up() -> None:
    truths = [at % 90 for at in range(900)] + [1000 + at for at in range(50)]
    guesses = [at % 90 for at in range(900)] + [2000 + at for at in range(40)] + [0] * 10
    explored = ExploredTable(Table(data={"t": truths, "g": guesses}))
    matrix = confusion(explored, Selection(), "t", "g")
    assert len(matrix.truth_labels) == len(matrix.guess_labels) == 100
    assert total(matrix) == 950
    known = Counter(zip(truths, guesses, strict=True))
    for row, label in enumerate(matrix.truth_labels):
        assert matrix.counts[row] == tuple(known[label, guess] for guess in matrix.guess_labels)
    rest = [
        pair for pair in zip(truths, guesses, strict=True) if pair[0] not in matrix.truth_labels
    ]
    assert sum(matrix.other_truths) + matrix.other_both == len(rest)


def test_only_selected_rows_count_and_compared_and_computed_columns_are_named() -> None:
    tables = [Table(data={"k": [1, 2, 3], "g": list(guesses)}) for guesses in ("aab", "aba")]
    explored = ExploredTable(ComparedTables(tables, CompareKey("columns", ("k",))))
    matrix = confusion(explored, Selection(("k > 1",)), "0.g", "1.g")
    assert matrix.counts == ((0, 1), (1, 0))
    condition = matrix.condition(0, 1)
    assert condition is not None
    assert explored.window(Selection(("k > 1", condition))).numbers == [1]
    computed = Selection(computed=(("half", "k / 2"),))
    assert confusion(explored, computed, "half", "0.g").guess_labels == ("a", "b")


def test_a_long_label_is_told_in_part_and_leads_nowhere() -> None:
    explored = ExploredTable(Table(data={"t": ["x" * 5000, "y"], "g": ["y", "y"]}))
    matrix = confusion(explored, Selection(), "t", "g")
    assert [len(label) for label in matrix.truth_labels] == [1000, 1]
    assert matrix.condition(0, 1) is None
    assert matrix.condition(1, 1) is not None


def test_nested_columns_have_no_matrix() -> None:
    explored = ExploredTable(Table(data={"t": [[1]], "g": [1]}))
    for truth, guess, code in (("t", "g", "expression-type-invalid"), ("x", "g", "column-unknown")):
        with pytest.raises(InvalidInputError) as caught:
            confusion(explored, Selection(), truth, guess)
        assert caught.value.code == code

"""Diffs as JSON, Markdown and HTML, and cells as values of JSON and as words."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from artstore.media.image import Image
from artstore.tables.diffs import diff_tables
from artstore.tables.diffs.plaincells import cell_text, plain_cells
from artstore.tables.table import Table

MOMENT = dt.datetime(2024, 5, 1, 12, 30, tzinfo=ZoneInfo("Europe/Berlin"))
CELLS: list[tuple[Any, Any, str]] = [
    (None, None, "null"),
    (True, True, "true"),
    (3, 3, "3"),
    (0.1, 0.1, "0.1"),
    (np.float32(0.1), 0.1, "0.1"),
    (float("nan"), "NaN", "NaN"),
    (float("-inf"), "-Infinity", "-Infinity"),
    ("two\nlines", "two\nlines", "two\nlines"),
    (b"\x00\xff", "AP8=", "AP8="),
    (decimal.Decimal("1.50"), "1.50", "1.50"),
    (dt.date(2024, 5, 1), "2024-05-01", "2024-05-01"),
    (dt.time(12, 30), "12:30:00", "12:30:00"),
    (MOMENT.replace(tzinfo=None), "2024-05-01T12:30:00.000000", "2024-05-01T12:30:00.000000"),
    (MOMENT, "2024-05-01T10:30:00.000000Z", "2024-05-01T10:30:00.000000Z"),
    (np.datetime64("2024-05-01T00:00:00.000000007"), "2024-05-01T00:00:00.000000007", ""),
    (dt.timedelta(days=-1, microseconds=500_000), "-PT86399.5S", "-PT86399.5S"),
    (dt.timedelta(seconds=90), "PT90S", "PT90S"),
    ([1, None], [1, None], "[1, null]"),
    (["a", ["b"]], ["a", ["b"]], '["a", ["b"]]'),
    ({"k": 1, "m": None}, {"k": 1, "m": None}, "{k: 1}"),
    (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]], "[[0, 1], [2, 3]]"),
    (np.zeros((2, 0), np.int8), [[], []], ""),
    (np.arange(8, dtype=np.int8).reshape(2, 4), [[0, 1, 2, 3], [4, 5, 6, 7]], "int8 2x4"),
]


@pytest.mark.parametrize(("cell", "value", "text"), CELLS)
def test_cells_as_values_of_json_and_as_words(cell: Any, value: Any, text: str) -> None:
    rows = Table(["x"], data=[[cell]]).read_rows()
    kind, array = rows.schema.types[0], rows.arrays[0]
    (found,) = plain_cells(kind, array)
    assert found == value
    json.dumps(found, allow_nan=False)
    if text:
        assert cell_text(plain_cells(kind, array, labelled=True)[0]) == text


def test_mixed_columns_have_each_cell_as_it_is() -> None:
    rows = Table(["x"], data=[[1], ["a"], [None], [[2.5]]]).read_rows()
    assert plain_cells(rows.schema.types[0], rows.arrays[0]) == [1, "a", None, [2.5]]


def test_media_are_told_in_a_few_words() -> None:
    rows = Table(["x"], data=[[Image(np.zeros((20, 10), np.uint8))], [None]]).read_rows()
    kind, array = rows.schema.types[0], rows.arrays[0]
    assert plain_cells(kind, array, labelled=True) == ["image 10x20 png", None]
    (cell, nothing) = plain_cells(kind, array)
    assert (cell["width"], cell["height"], nothing) == (10, 20, None)


def test_long_texts_are_cut_where_they_are_shown() -> None:
    assert cell_text("x" * 9, 8) == "x" * 7 + "…"
    assert cell_text("x" * 8, 8) == "x" * 8


EVIL = "<script>alert(1)</script> | `x` \x1b[31m"


def evil_diff() -> Any:
    old = Table(["id", "a|b"], data=[[EVIL, 1], [2, EVIL]])
    new = Table(["id", "a|b"], data=[[EVIL, 2], [3, EVIL]])
    return diff_tables(old, new, "id")


def test_nothing_in_a_cell_is_markup_in_html() -> None:
    page = evil_diff()._repr_html_()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert "Changed: 1 row" in page


def test_nothing_in_a_cell_is_markup_in_markdown() -> None:
    text = evil_diff().to_markdown()
    assert "<script" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in {3, 5}


def test_a_notebook_shows_twenty_rows_and_says_of_how_many() -> None:
    old = Table(["id", "a", "b"], data=[[at, 0, 0] for at in range(500)])
    new = Table(["id", "a", "b"], data=[[at, 1, 1] for at in range(100, 600)])
    page = diff_tables(old, new, "id")._repr_html_()
    assert page.count("<td>") < 150
    assert "Changed: 400 rows, 20 lines of them shown" in page
    assert "Added: 100 rows, 0 lines of them shown" in page


def test_lists_say_how_many_of_how_many_they_show() -> None:
    old = Table(["id", "a"], data=[[at, 0] for at in range(2000)])
    new = Table(["id", "a"], data=[[at, 1] for at in range(1797)])
    diff = diff_tables(old, new, "id")
    text = diff.to_markdown(limit=5)
    assert "## Changed: 5 of 1,797 rows" in text
    assert "## Removed: 5 of 203 rows" in text
    assert "## Changed: 0 of 1,797 rows" in diff.to_markdown(limit=0)


def test_the_record_is_json_with_as_many_rows_as_asked_for() -> None:
    old = Table(["id", "x", "y"], data=[[1, float("nan"), "a"], [2, 0.5, "b"], [3, 1.0, "c"]])
    new = Table(["id", "x", "y"], data=[[1, 2.5, "a"], [2, 0.5, "B"], [4, 1.0, "c"]])
    diff = diff_tables(old, new, "id")
    value = diff.to_dict(limit=1)
    json.dumps(value, allow_nan=False)
    assert value["changed_rows"] == [
        {
            "key": {"id": 1},
            "old_row": 0,
            "new_row": 0,
            "old": {"x": "NaN"},
            "new": {"x": 2.5},
            "verdict": None,
        }
    ]
    assert value["added_rows"] == [{"id": 4, "x": 1.0, "y": "c"}]
    assert (value["changed"], value["limit"], value["regressed"]) == (2, 1, None)
    assert diff.to_dict()["changed_rows"] == []
    assert diff.to_dict()["cells"] == {"x": 1, "y": 1}


def test_regressions_are_told_with_truth_and_both_guesses() -> None:
    names = ["id", "guess", "label"]
    old = Table(names, data=[[1, "a", "a"], [2, "b", "c"]])
    new = Table(names, data=[[1, "b", "a"], [2, "c", "c"]])
    diff = diff_tables(old, new, "id", truth="label", guess="guess")
    assert "| id | label | guess before | guess now |" in diff.to_markdown()
    assert "| 1 | a | a | b |" in diff.to_markdown()
    assert diff.to_dict(5)["regressed_rows"][0]["truth"] == "a"

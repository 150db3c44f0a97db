from __future__ import annotations

import datetime as dt
import decimal
import json
import math
from typing import Any

import numpy as np
import pytest

import artstore as art
from artstore.web.cells.celljson import SHOWN, CellLimits, cells_json
from artstore.web.cells.celltext import cell_text


def told(*cells: Any, limits: CellLimits = SHOWN) -> list[Any]:
    """The cells of a column as JSON, through a table as a user makes it."""
    table = art.Table(["a"], data=[[cell] for cell in cells])
    rows = table.read_rows()
    found = cells_json(rows.schema.types[0], rows.arrays[0], limits=limits)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_plain_cells_are_as_they_are() -> None:
    assert told(1, None, 2**53) == [1, None, 2**53]
    assert told(0.5, 1e300) == [0.5, 1e300]
    assert told("a", "<b>", "") == ["a", "<b>", ""]
    assert told(True, False, None) == [True, False, None]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (-0.0, "-0"),
        (2**53 + 1, "9007199254740993"),
        (decimal.Decimal("1.20"), "1.2"),
    ],
)
def test_numbers_that_json_readers_change_are_told_as_text(cell: Any, text: str) -> None:
    found = told(cell)[0]
    assert found["$"] == "number"
    assert found["v"].rstrip("0") == text.rstrip("0")


def test_a_long_text_is_cut_and_its_length_told() -> None:
    assert told("x" * 5000) == [{"$": "text", "v": "x" * 1000, "length": 5000}]


def test_times_are_iso_8601() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    assert told(dt.datetime(2024, 1, 31, 12, 30)) == [{"$": "time", "v": "2024-01-31T12:30:00"}]
    assert told(dt.datetime(2024, 1, 31, 12, tzinfo=zone))[0]["v"].endswith("Z")
    assert told(dt.date(2024, 1, 31)) == [{"$": "time", "v": "2024-01-31"}]
    assert told(dt.timedelta(seconds=90)) == [{"$": "time", "v": 90.0, "unit": "s"}]


def test_lists_and_dicts_nest_and_are_cut() -> None:
    assert told([1, None]) == [{"$": "list", "v": [1, None], "length": 2}]
    cut = told(list(range(200)))[0]
    assert (len(cut["v"]), cut["length"]) == (50, 200)
    assert told({"a": "<x>", "b": {"c": 1}}) == [
        {
            "$": "dict",
            "v": [["a", "<x>"], ["b", {"$": "dict", "v": [["c", 1]], "length": 1}]],
            "length": 2,
        }
    ]


def test_what_is_too_deep_is_told_by_its_length() -> None:
    found = told([[[1, 2]]], limits=CellLimits(depth=2))[0]
    assert found["v"][0]["v"][0] == {"$": "list", "v": [], "length": 2}


def test_a_mixed_column_tells_each_cell_by_its_own_kind() -> None:
    assert told("a", 1, True, None) == ["a", 1, True, None]


def test_an_array_is_thinned_out_and_keeps_its_shape() -> None:
    found = told(np.arange(6, dtype=np.float32).reshape(2, 3))[0]
    assert found == {
        "$": "array",
        "dtype": "float32",
        "shape": [2, 3],
        "shown": [2, 3],
        "v": [0, 1, 2, 3, 4, 5],
    }
    large = told(np.zeros((500, 300), np.float32))[0]
    assert large["shape"] == [500, 300]
    assert math.prod(large["shown"]) == len(large["v"]) <= SHOWN.numbers
    assert told(np.zeros((2, 3, 4)))[0]["shown"] == [3, 4]
    assert told(np.zeros((0, 3)))[0]["v"] == []


def test_an_image_of_a_draft_has_facts_and_no_address() -> None:
    box = {"position": {"minX": 2, "maxX": 4, "minY": 0, "maxY": 8}, "domain": "pixel"}
    image = art.Image(np.zeros((8, 8), np.uint8), boxes={"b": {"box_data": [box]}}, caption="<i>")
    found = told(image)[0]
    assert (found["src"], found["thumb"], found["width"], found["caption"]) == (
        None,
        None,
        8,
        "<i>",
    )
    assert [found["boxes"]["b"][0][name] for name in ("x0", "y0", "x1", "y1")] == [0.25, 0, 0.5, 1]


def test_every_cell_has_a_line_of_text() -> None:
    cells = [
        *told(None, 1),
        *told(True),
        *told(0.1 + 0.2, math.nan),
        *told("x" * 5000),
        *told(b"abc"),
        *told({"a": [1] * 99}),
        *told(np.zeros((2, 3))),
        *told(dt.date(2024, 1, 1)),
        *told(art.Image(np.zeros((2, 2), np.uint8))),
    ]
    texts = [cell_text(cell) for cell in cells]
    assert all(len(text) <= 130 for text in texts)
    assert texts[:3] == ["", "1", "true"]
    assert "[1, 1" in " ".join(texts)

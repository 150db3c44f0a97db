"""What a user logs, as what a history row holds."""

from __future__ import annotations

import json
import math
import sys
import types

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image as PilImage

from artstore import Histogram, Html, Image, JoinedTable, Table
from artstore.errors import InvalidInputError
from artstore.tracking.values import ARRAY_MAX_COUNT, Converter, Deferred, convert, flatten


@pytest.mark.parametrize("value", [1, 0.5, True, None, "text", math.inf, 10**30])
def test_scalars_are_given_back_as_they_are(value):
    assert convert("a", value) is value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (torch.tensor([2.0]), 2.0),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int32(2), 2),
        (np.array(7), 7),
        (np.bool_(False), False),
        ([1, 0.5, "a", None], [1, 0.5, "a", None]),
        ((1, [2, 3]), [1, [2, 3]]),
        ([torch.tensor(1), np.float32(0.5)], [1, 0.5]),
        (np.datetime64("2026-01-31T12:00:00", "ns"), "2026-01-31T12:00:00"),
        ([], []),
        ({3, 1, 2}, [1, 2, 3]),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (b"abc", "abc"),
        (math, "math"),
    ],
)
def test_numbers_and_small_arrays_become_numbers_and_lists(value, expected):
    found = convert("a", value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_tensor_of_another_library_is_known_by_its_methods():
    class Eager:
        """As tensors of tensorflow: no `item`."""

        ndim = 0

        def __array__(self, dtype=None, copy=None):
            return np.array(0.25)

    assert convert("a", Eager()) == 0.25


def test_nan_by_itself_stays_a_float_and_in_a_list_is_json():
    assert math.isnan(convert("a", torch.tensor(math.nan)))
    assert convert("a", [1.0, -math.inf]) == [1.0, {"$": "number", "v": "-inf"}]


def test_an_array_becomes_a_histogram_where_it_does_in_wandb():
    assert convert("a", np.arange(ARRAY_MAX_COUNT)) == list(range(ARRAY_MAX_COUNT))
    found = convert("a", torch.arange(ARRAY_MAX_COUNT + 1))
    assert found["_type"] == "histogram"
    assert sum(found["values"]) == ARRAY_MAX_COUNT + 1
    json.dumps(found, allow_nan=False)


def test_a_histogram_leaves_out_what_is_not_finite():
    found = convert("a", np.array([math.nan, math.inf, *range(100)]))
    assert sum(found["values"]) == 100
    assert isinstance(convert("a", np.full(100, math.nan)), str)


def test_a_list_stays_a_list_up_to_a_thousand_elements():
    assert convert("a", list(range(1_000))) == list(range(1_000))
    assert convert("a", list(range(1_001)))["_type"] == "histogram"
    assert convert("a", [[0.5] * 600, [1.5] * 600])["_type"] == "histogram"
    assert isinstance(convert("a", ["word"] * 1_001), str)


def test_a_histogram_is_json_at_once():
    assert convert("a", Histogram(np_histogram=([1, 2], [0, 1, 2]))) == {
        "_type": "histogram",
        "values": [1.0, 2.0],
        "bins": [0.0, 1.0, 2.0],
    }


def test_media_tables_and_lists_of_media_are_deferred():
    image, page = Image(np.zeros((2, 2), np.uint8)), Html("<b>")
    table = Table(columns=["a"], data=[[1]])
    joined = JoinedTable(table, table, "a")
    assert convert("a", image) == Deferred("media", image)
    assert convert("a", [image, page]) == Deferred("media-list", (image, page))
    assert convert("a", table) == Deferred("table", table)
    assert convert("a", joined) == Deferred("joined-table", joined)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2]}),
        pl.DataFrame({"a": [1, 2]}),
        pa.table({"a": [1, 2]}),
    ],
    ids=["pandas", "polars", "arrow"],
)
def test_frames_become_tables(frame):
    found = convert("a", frame)
    assert found.kind == "table"
    assert [row[0] for _, row in found.value.iterrows()] == [1, 2]


def test_figures_and_pictures_become_images_and_arrays_do_not(monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    convert("other", types.ModuleType("other"))
    figure, axes = plt.subplots()
    try:
        for value in (figure, axes, plt, PilImage.new("RGB", (4, 4))):
            found = convert("a", value)
            assert (found.kind, type(found.value)) == ("media", Image)
    finally:
        plt.close(figure)
    assert convert("a", np.zeros((28, 28), np.uint8))["_type"] == "histogram"


def test_figures_of_plotly_become_plotly():
    class Figure:
        def to_json(self) -> str:
            return '{"data": []}'

    Figure.__module__ = "plotly.graph_objs._figure"
    found = convert("a", Figure())
    assert (found.kind, found.value.type_name) == ("media", "plotly-file")


def test_what_becomes_text_is_told_once_for_each_key():
    said: list[str] = []
    converter = Converter(said.append)
    for key in ("a", "a", "b"):
        assert converter.convert(key, object()).startswith("<object")
    assert [sentence.partition(":")[0] for sentence in said] == ["'a'", "'b'"]


def test_a_value_that_raises_does_not_end_a_run():
    class Lost:
        ndim = 0

        def __array__(self):
            raise RuntimeError

        def item(self):
            raise RuntimeError

    said: list[str] = []
    assert "Lost" in Converter(said.append).convert("a", Lost())
    assert len(said) == 1


def test_many_types_do_not_fill_the_memory():
    converter = Converter()
    for number in range(2_500):
        converter.convert("a", type(f"Kind{number}", (), {})())
    assert len(converter._ways) <= 1_000


def test_dicts_in_a_row_are_flattened_with_dots():
    row = {"a": {"b": 1, "c": {"d": 2}}, "e": 3, "f": {}, "g": {1: 4}}
    assert flatten(row) == {"a.b": 1, "a.c.d": 2, "e": 3, "f": {}, "g.1": 4}


def test_the_json_of_media_stays_whole():
    kept = {"_type": "histogram", "values": [1], "bins": [0, 1]}
    assert flatten({"a": kept}) == {"a": kept}


def test_a_dict_that_contains_itself_is_flattened_so_far():
    endless: dict[str, object] = {}
    endless["a"] = endless
    (key,) = flatten(endless)
    assert key.count("a") < 100
    json.dumps(Converter().row(endless))


@pytest.mark.parametrize("row", [{1: 2}, [1], None], ids=["key", "list", "nothing"])
def test_what_is_no_row_with_names_is_refused(row):
    with pytest.raises(InvalidInputError) as caught:
        flatten(row)
    assert caught.value.code == "value-invalid"


def test_a_row_is_flattened_and_converted():
    found = Converter().row({"loss": torch.tensor(0.5), "val": {"acc": np.float32(0.25)}})
    assert found == {"loss": 0.5, "val.acc": 0.25}


def test_what_is_deferred_in_a_row_is_stored():
    page = Html("<b>")
    converter = Converter(store=lambda key, found: {"_type": found.kind, "key": key})
    found = converter.row({"val": {"page": page, "pages": [page]}, "loss": 0.5})
    assert found == {
        "val.page": {"_type": "media", "key": "val.page"},
        "val.pages": {"_type": "media-list", "key": "val.pages"},
        "loss": 0.5,
    }
    assert Converter().row({"a": page}) == {"a": Deferred("media", page)}


def test_a_frame_of_an_unloaded_library_is_not_looked_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "artstore.tables.joined")
    assert Converter().convert("a", {1, 2}) == [1, 2]

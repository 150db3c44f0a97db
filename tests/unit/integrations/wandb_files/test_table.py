"""Tables of W&B: what their cells become, and what is told of them."""

from __future__ import annotations

import json
import math
import tracemalloc
from datetime import UTC, datetime

import numpy as np
import pytest

from artstore.errors import ArtstoreError, DamagedDataError, LimitExceededError
from artstore.integrations.wandb_files import jsonstream
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.integrations.wandb_files.types import ForeignKey
from artstore.media.histogram import Histogram
from tests.unit.integrations.wandb_files.writing import (
    ANY,
    BOOLEAN,
    NUMBER,
    STRING,
    TIMESTAMP,
    Written,
    list_of,
    optional,
    record_of,
    union,
)


def read(written: Written, path: str = "t.table.json") -> list[list]:
    return list(WandbDirectory(written.root).table(path).rows())


def refused(written: Written, path: str = "t.table.json", code: str = "wandb-cell-damaged") -> str:
    with pytest.raises(ArtstoreError) as caught:
        read(written, path)
    assert caught.value.code == code
    assert path in str(caught.value)
    return str(caught.value)


def test_a_table_says_what_it_is_and_gives_its_rows(written) -> None:
    types = {
        "id": NUMBER,
        "name": optional(STRING),
        "is_new": BOOLEAN,
        "scores": list_of(NUMBER),
        "info": record_of(a=NUMBER, b=list_of(STRING)),
    }
    rows = [
        [0, "n\u00e9", True, [1, 2.5, 3], {"a": 1, "b": ["x"]}],
        [1.5, None, False, [], {"a": 2, "b": [], "c": "more"}],
    ]
    written.table("sub/t.table.json", types, rows)
    table = WandbDirectory(written.root).table("sub/t.table.json")
    assert (table.path, table.name, table.parts) == ("sub/t.table.json", "sub/t", (table.path,))
    assert table.columns == ("id", "name", "is_new", "scores", "info")
    assert (len(table), table.row_count, table.log_mode) == (2, 2, "IMMUTABLE")
    assert list(table.rows()) == rows
    assert list(table.rows()) == rows
    assert [type(row[0]) for row in table.rows()] == [int, float]
    told = {name: str(kind) for name, kind in table.column_types.items()}
    assert told == {
        "id": "number",
        "name": "none | string",
        "is_new": "boolean",
        "scores": "list of number",
        "info": "typedDict",
    }
    assert table.column_types["name"].is_optional
    assert table.column_types["name"].plain.name == "string"
    assert not table.column_types["id"].is_optional


def test_times_are_in_utc(written) -> None:
    written.table(
        "t.table.json",
        {"t": TIMESTAMP, "u": optional(TIMESTAMP)},
        [[1577881800123, None], [-1500.5, 0]],
    )
    assert read(written) == [
        [datetime(2020, 1, 1, 12, 30, 0, 123_000, UTC), None],
        [datetime(1969, 12, 31, 23, 59, 58, 499_500, UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    ]


def test_an_empty_cell_is_none_and_nan_where_a_number_has_to_be(written) -> None:
    types = {
        "may": optional(NUMBER),
        "must": NUMBER,
        "text": STRING,
        "either": union(NUMBER, STRING),
    }
    written.table("t.table.json", types, [[None, None, None, None]])
    (row,) = read(written)
    assert row[0] is None
    assert math.isnan(row[1])
    assert row[2] is None
    assert math.isnan(row[3])


def test_infinities_are_read_as_python_writes_them(written) -> None:
    rows = [[math.inf, -math.inf], [1, 2]]
    written.table("t.table.json", {"a": NUMBER, "b": optional(NUMBER)}, rows)
    assert read(written) == rows
    written.table("t.table.json", {"a": NUMBER}, [["Infinity"], ["-Infinity"]])
    assert read(written) == [[math.inf], [-math.inf]]


def test_a_column_of_several_types_gives_each_as_it_is(written) -> None:
    kind = union({"wb_type": "none"}, NUMBER, STRING, list_of(NUMBER), list_of(STRING), TIMESTAMP)
    rows = [[1], ["a"], [[1, 2]], [["a", "b"]], [None]]
    written.table("t.table.json", {"x": kind}, rows)
    assert read(written) == rows


@pytest.mark.parametrize(
    "kind",
    [
        ANY,
        {"wb_type": "unknown"},
        {"wb_type": "invalid"},
        {"wb_type": "pythonObject", "params": {"class_name": "Tensor"}},
        {"wb_type": "object", "params": {"class_name": "Tensor"}},
        {"wb_type": "of-a-later-release", "params": {"anything": [1]}},
        {"wb_type": "artifactVersion"},
        "any",
    ],
)
def test_where_a_type_says_nothing_json_is_taken_as_it_is(written, kind) -> None:
    rows = [[1], ["a"], [None], [True], [{"a": [1, {"b": None}], "_type": "mine", "path": "x"}]]
    written.table("t.table.json", {"x": kind}, rows)
    assert read(written) == rows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dictionary", "typedDict"),
        ("object", "pythonObject"),
        ("wandb.Image", "image-file"),
        ("wandb.Table", "table"),
    ],
)
def test_old_names_of_types_are_those_of_today(written, old, new) -> None:
    written.table("t.table.json", {"x": {"wb_type": old}}, [[None]])
    table = WandbDirectory(written.root).table("t.table.json")
    assert table.column_types["x"].name == new
    assert list(table.rows()) == [[None]]


def test_columns_that_are_numbers_become_text(written) -> None:
    written.table("t.table.json", {"0": NUMBER, "1": STRING}, [[1, "a"]], columns=[0, 1])
    table = WandbDirectory(written.root).table("t.table.json")
    assert table.columns == ("0", "1")
    assert table.column_types["1"].name == "string"


def test_a_table_without_types_is_read_as_json(written) -> None:
    # What a run shows of a table: images are the word "Image".
    written.json("media/table/t_0_ab.table.json", {"columns": ["a", "b"], "data": [[1, "Image"]]})
    directory = WandbDirectory(written.root)
    assert directory.tables() == ("media/table/t_0_ab.table.json",)
    table = directory.table("media/table/t_0_ab.table.json")
    assert list(table.rows()) == [[1, "Image"]]
    assert table.log_mode is None


def test_members_may_stand_in_any_order_and_with_any_white_space(written) -> None:
    text = ' {\n"nrows": 2, "data" : [ [1] ,\t[2]\r\n], "columns":["a"], "later": {"x": [1]}, '
    text += '"_type":"table", "column_types": {"wb_type":"typedDict","params":{"type_map":'
    text += '{"a":{"wb_type":"number"}}}} }\n '
    written.file("t.table.json", text.encode())
    assert read(written) == [[1], [2]]


def test_a_table_may_be_empty(written) -> None:
    written.table("t.table.json", {"a": NUMBER}, [])
    written.table("u.table.json", {}, [])
    assert read(written) == []
    assert read(written, "u.table.json") == []


def test_keys_are_told_with_the_tables_that_they_lead_to(written) -> None:
    foreign = {"wb_type": "foreignKey", "params": {"table": "k.table.json", "col_name": "id"}}
    index = {"wb_type": "foreignIndex", "params": {"table": "k.table.json"}}
    written.table("k.table.json", {"id": {"wb_type": "primaryKey"}, "v": NUMBER}, [["x", 1]])
    written.table("t.table.json", {"ref": foreign, "row": index, "w": NUMBER}, [["x", 0, 5]])
    directory = WandbDirectory(written.root)
    keys, table = directory.table("k.table.json"), directory.table("t.table.json")
    assert (keys.primary_key, dict(keys.foreign_keys)) == ("id", {})
    assert table.primary_key is None
    assert table.foreign_keys == {
        "ref": ForeignKey("k.table.json", "id"),
        "row": ForeignKey("k.table.json", None),
    }
    assert list(table.rows()) == [["x", 0, 5]]


def test_a_column_of_class_ids_comes_with_its_classes(written) -> None:
    place = written.classes("road", "car", path="classes.classes.json")
    kind = {"wb_type": "classesId", "params": {"classes_obj": place, "valid_ids": union()}}
    written.table("t.table.json", {"c": kind}, [[0], [1]])
    table = WandbDirectory(written.root).table("t.table.json")
    assert table.classes["c"].names == {0: "road", 1: "car"}
    assert list(table.rows()) == [[0], [1]]


def test_a_histogram_lies_in_the_cell(written) -> None:
    record = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    written.table("t.table.json", {"h": ANY}, [[record]])
    assert read(written) == [[Histogram(np_histogram=([1, 2], [0, 1, 2]))]]
    written.table("t.table.json", {"h": ANY}, [[record], [record | {"bins": [0]}]])
    assert "row 1, column 'h'" in refused(written, code="histogram-invalid")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (NUMBER, "1"),
        (NUMBER, True),
        (NUMBER, [1]),
        (STRING, 1),
        (BOOLEAN, 0),
        (TIMESTAMP, "2020"),
        (TIMESTAMP, 1e300),
        (TIMESTAMP, math.nan),
        (list_of(NUMBER), 5),
        (list_of(NUMBER), [1, "a"]),
        (list_of(list_of(STRING)), [["a"], [1]]),
        (record_of(a=NUMBER), []),
        (record_of(a=NUMBER), {"a": "x"}),
        (optional(STRING), 5),
        (union(NUMBER, STRING), {}),
        ({"wb_type": "none"}, 1),
        ({"wb_type": "image-file"}, "Image"),
        ({"wb_type": "image-file"}, {"_type": "audio-file", "path": "x"}),
        ({"wb_type": "ndarray", "params": {"shape": [2]}}, [1, 2, 3]),
        ({"wb_type": "ndarray", "params": {"shape": [2]}}, [1, [2]]),
        ({"wb_type": "ndarray", "params": {"shape": [2]}}, 5),
    ],
)
def test_a_cell_of_another_type_is_told_with_its_row_and_column(written, kind, value) -> None:
    written.table("t.table.json", {"a": ANY, "the column": kind}, [[0, None], [0, value]])
    table = WandbDirectory(written.root).table("t.table.json")
    rows = table.rows()
    if kind != {"wb_type": "none"}:
        next(rows)
    with pytest.raises(DamagedDataError) as caught:
        list(rows)
    assert caught.value.code == "wandb-cell-damaged"
    assert "row 1, column 'the column' of t.table.json" in str(caught.value)
    assert caught.value.context == {"table": "t.table.json", "row": 1, "column": "the column"}


@pytest.mark.parametrize("row", [[1], [1, 2, 3], [], {"a": 1}, None, 5])
def test_a_row_with_another_number_of_cells_is_told_before_any_row_is_given(written, row) -> None:
    written.table("t.table.json", {"a": NUMBER, "b": NUMBER}, [[1, 2]])
    value = json.loads((written.root / "t.table.json").read_text())
    value["data"].append(row)
    written.json("t.table.json", value | {"nrows": 2})
    with pytest.raises(DamagedDataError, match=r"row 1 of t\.table\.json") as caught:
        WandbDirectory(written.root).table("t.table.json")
    assert caught.value.code == "wandb-cell-damaged"


@pytest.mark.parametrize(
    "members",
    [
        {"_type": "joined-table"},
        {"_type": 5},
        {"columns": None},
        {"columns": "ab"},
        {"columns": [["a"], "b"]},
        {"columns": ["a", "a"]},
        {"columns": [1, "1"]},
        {"nrows": 7},
        {"nrows": "two"},
        {"ncols": 1},
        {"data": None},
        {"data": {}},
        {"column_types": 5},
        {"column_types": {"wb_type": "number"}},
        {"column_types": {"wb_type": "typedDict", "params": []}},
        {"column_types": {"wb_type": "typedDict", "params": {"type_map": []}}},
        {"column_types": {"wb_type": "typedDict", "params": {"type_map": {"a": {}}}}},
        {"column_types": record_of(a={"wb_type": "union"})},
        {"column_types": record_of(a={"wb_type": "ndarray", "params": {"shape": [-1]}})},
        {"column_types": record_of(a={"wb_type": "foreignKey", "params": {}})},
        {"column_types": record_of(a={"wb_type": "classesId", "params": {"classes_obj": 5}})},
        {"previous_increments_paths": [5]},
    ],
)
def test_what_is_no_table_is_told_with_its_file(written, members) -> None:
    written.table("t.table.json", {"a": ANY, "b": ANY}, [[1, 2]], **members)
    refused(written, code="wandb-file-damaged")


@pytest.mark.parametrize("end", [0, 1, 40, -1, -2, -20, -60])
def test_a_table_that_is_cut_short_is_told_before_any_row_is_given(written, end) -> None:
    written.table("t.table.json", {"a": NUMBER}, [[number] for number in range(40)])
    place = written.root / "t.table.json"
    place.write_bytes(place.read_bytes()[:end])
    with pytest.raises(DamagedDataError, match=r"t\.table\.json") as caught:
        WandbDirectory(written.root).table("t.table.json")
    assert caught.value.code == "wandb-file-damaged"


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        b"[]",
        b'"table"',
        b'{"data": [[1] [2]]}',
        b'{"data": [[1],]}',
        b'{"data": [[1]}',
        b'{"data" [[1]]}',
        b"{5: 1}",
        b'{"data": [[1]], "data": [[2]]}',
        b'{"columns": ["a"], "data": [["\xe9"]]}',
        b'{"columns": ["a"], "data": [["\\ud800"]]}',
        b'{"columns": ["a"], "data": [[' + b"9" * 5000 + b"]]}",
        b'{"columns": ["a"], "data": [[' + b"[" * 100_000 + b"]]}",
        b'{"columns": ["a"], "data": [[1]]} {}',
    ],
)
def test_what_is_not_json_is_told_with_its_file(written, text) -> None:
    written.file("t.table.json", text)
    refused(written, code="wandb-file-damaged")


def test_values_nested_too_deeply_are_told(written) -> None:
    value: object = 1
    for _ in range(150):
        value = [value]
    written.table("t.table.json", {"a": ANY}, [[value]])
    assert "100 levels" in refused(written)
    kind: dict = NUMBER
    for _ in range(150):
        kind = list_of(kind)
    written.table("t.table.json", {"a": kind}, [[None]])
    refused(written, code="wandb-file-damaged")


def test_rows_longer_than_what_is_read_at_once_are_read(written) -> None:
    long = ["x" * 700_000, "\u00e9" * 300_000, '"\\' * 100_000]
    written.table("t.table.json", {"a": STRING}, [[text] for text in long * 2])
    assert read(written) == [[text] for text in long * 2]


def test_a_row_longer_than_the_limit_is_refused(written, monkeypatch) -> None:
    monkeypatch.setattr(jsonstream, "VALUE_MAX_CHARS", 300_000)
    written.table("t.table.json", {"a": STRING}, [["x" * 1_000_000]])
    with pytest.raises(LimitExceededError) as caught:
        WandbDirectory(written.root).table("t.table.json")
    assert caught.value.code == "limit-exceeded"


def test_rows_are_never_all_in_memory(written) -> None:
    row = [1, "some text " * 20, [0.123456789] * 40]
    types = {"id": NUMBER, "text": STRING, "scores": list_of(NUMBER)}
    written.table("t.table.json", types, [row] * 10_000)
    size_bytes = (written.root / "t.table.json").stat().st_size
    assert size_bytes > 7_000_000
    tracemalloc.start()
    try:
        table = WandbDirectory(written.root).table("t.table.json")
        assert sum(len(row) for row in table.rows()) == 30_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_iterating_may_stop_anywhere(written) -> None:
    written.table("t.table.json", {"a": NUMBER}, [[number] for number in range(100_000)])
    rows = WandbDirectory(written.root).table("t.table.json").rows()
    assert next(rows) == [0]
    rows.close()


def test_a_table_that_is_changed_while_it_is_read_is_told(written) -> None:
    written.table("t.table.json", {"a": NUMBER}, [[1], [2]])
    table = WandbDirectory(written.root).table("t.table.json")
    for rows in ([[1]], [[1], [2], [3]], [[1, 2], [3, 4]]):
        written.json("t.table.json", {"data": rows})
        with pytest.raises(DamagedDataError, match="changed while it was read"):
            list(table.rows())


def test_arrays_of_numpy_that_lie_in_the_cell_are_arrays(written) -> None:
    kind = {"wb_type": "ndarray", "params": {"shape": [2, 2]}}
    written.table("t.table.json", {"a": record_of(m=kind)}, [[{"m": [[1, 2], [3, 4]]}]])
    ((cell,),) = read(written)
    assert np.array_equal(cell["m"], [[1, 2], [3, 4]])

"""Saving rows from the page: what becomes of them, what is noted, and what is refused."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.cli.run import run
from artstore.tables.exploring import ExploredTable, Selection, copies
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.unit.web.shelves import HOSTILE_COLUMNS, SCRIPT, picture

SAVE = "/p/demo/c/digits/v0/table-save/examples"
MIXED = "/p/demo/c/mixed/v0/table-save/rows"
MOMENT = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


@pytest.fixture
def mixed_client(write_client: TestClient, web_store: Store) -> TestClient:
    """A client of a store with a table that has a column of nearly every type."""
    table = art.Table(
        ["id", "image", "mix", "nest", "when", "day", "took", "price", "vector", "flag", "text"]
    )
    for number in range(6):
        table.add_data(
            number,
            picture(number),
            "a" if number % 2 else number,
            {"a": [number], "b": "x"},
            MOMENT,
            MOMENT.date(),
            dt.timedelta(seconds=number),
            decimal.Decimal("1.25"),
            np.array([number, 0.5, 1.0]),
            number % 2 == 0,
            f"row {number}",
        )
    table.add_column("small", np.arange(6, dtype=np.int8))
    table.add_column("near", np.arange(6, dtype=np.float32))
    draft = art.Artifact("mixed", "dataset")
    draft.add(table, "rows")
    web_store.log_artifact(draft)
    return write_client


def save(client: TestClient, path: str = SAVE, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1{path}", json={"name": "hard/wrong", **body})
    assert answer.status_code == 200, answer.text
    value: dict[str, Any] = answer.json()
    return value


def refused(client: TestClient, path: str = SAVE, **body: Any) -> str:
    answer = client.post(f"/api/v1{path}", json={"name": "hard/wrong", **body})
    assert answer.status_code >= 400
    code: str = answer.json()["error"]["code"]
    return code


def rows_of(store: Store, name: str = "demo/hard:latest", table: str = "wrong") -> list[Any]:
    return list(store.artifact(name).get(table).rows)


# what is saved ----------------------------------------------------------------------------


def test_filtered_rows_become_a_table_in_their_order_with_their_images(
    write_client: TestClient, web_store: Store
) -> None:
    told = save(write_client, where=["label in (3, 4)"], sort=["desc:id"])
    assert told["qualified_name"] == "demo/hard:v0"
    assert (told["rows"], told["edits"], told["is_new"]) == (4, 0, True)
    assert told["address"] == "/p/demo/c/hard/v0/tables/wrong"
    assert write_client.get(told["address"]).status_code == 200
    found = web_store.artifact("demo/hard:v0")
    rows = found.get("wrong").rows
    assert [row["id"] for row in rows] == [14, 13, 4, 3]
    source = web_store.artifact("demo/digits:v0").get("examples")
    assert rows[0]["image"].digest == source.rows[14]["image"].digest
    assert found.get("wrong").schema == source.schema
    kinds = {entry.kind for entry in found.entries() if "media/" in entry.path}
    # Not one byte of an image is stored again.
    assert kinds == {"link"}


def test_entry_and_metadata_tell_where_rows_came_from(
    write_client: TestClient, web_store: Store
) -> None:
    save(
        write_client,
        where=["label = 3"],
        edits=[{"row": 3, "column": "label", "value": 8}],
        message="checked by hand",
        aliases=["checked"],
    )
    found = web_store.artifact("demo/hard:checked")
    entry = found.get_entry("wrong.parquet")
    assert entry.extra["sources"] == ["demo/digits:v0/examples"]
    by = web_store.history("demo/hard")[-1]["by"]
    assert found.metadata["made_from"] == {
        "table": "demo/digits:v0/examples",
        "where": ["label = 3"],
        "rows": 2,
        "edits": 1,
        "author": by,
    }
    assert found.message == "checked by hand"
    assert found.type == "dataset"


def test_an_edited_label_is_in_the_new_version_and_in_no_other(
    write_client: TestClient, web_store: Store
) -> None:
    told = save(
        write_client,
        name="digits/examples",
        edits=[{"row": 2, "column": "label", "value": 9}],
        path="/p/demo/c/digits/v1/table-save/examples",
    )
    assert told["version"] == "v2"
    labels = [row["label"] for row in rows_of(web_store, "demo/digits:v2", "examples")]
    before = [row["label"] for row in rows_of(web_store, "demo/digits:v1", "examples")]
    assert labels == [*before[:2], 9, *before[3:]]
    assert web_store.artifact("demo/digits:v2").get("examples").keys == {"primary_key": ["id"]}


def test_what_else_the_newest_version_holds_stays_in_it(
    write_client: TestClient, web_store: Store
) -> None:
    save(write_client, name="guesses/more", where=["label = 1"])
    found = web_store.artifact("demo/guesses:latest")
    assert found.version == "v1"
    assert found.get("joined") is not None
    assert found.type == "predictions"
    assert len(found.get("more")) == 2


def test_metadata_of_the_version_before_is_kept(write_client: TestClient, web_store: Store) -> None:
    save(write_client, name="files/rows", where=["label = 1"])
    found = web_store.artifact("demo/files:latest")
    assert found.metadata["made_from"]["rows"] == 2
    assert "nested" in found.metadata


def test_chosen_rows_come_in_the_order_in_which_they_were_chosen(
    write_client: TestClient, web_store: Store
) -> None:
    told = save(write_client, rows=[7, 2, 11], columns=["label", "id"])
    assert told["made_from"]["chosen"] is True
    assert rows_of(web_store) == [{"label": n % 10, "id": n} for n in (7, 2, 11)]


def test_computed_columns_are_saved_whole(write_client: TestClient, web_store: Store) -> None:
    save(
        write_client,
        compute=["twice=id * 2"],
        columns=["twice", "id"],
        where=["twice >= 36"],
        sort=["desc:twice"],
    )
    assert rows_of(web_store) == [{"twice": 38, "id": 19}, {"twice": 36, "id": 18}]
    path = "/p/demo/c/hostile/v0/table-save/rows"
    save(write_client, path, name="hard/loud", compute=[f'loud=upper("{HOSTILE_COLUMNS[0]}")'])
    # A page shows a thousand characters of it.
    assert rows_of(web_store, table="loud")[1]["loud"] == "X" * 10_000


def test_no_rows_keep_their_columns(write_client: TestClient, web_store: Store) -> None:
    told = save(write_client, where=["label = 77"])
    assert told["rows"] == 0
    found = web_store.artifact("demo/hard:v0").get("wrong")
    assert found.schema == web_store.artifact("demo/digits:v0").get("examples").schema
    assert write_client.get(told["address"]).status_code == 200
    assert save(write_client, name="hard/none", rows=[])["rows"] == 0


def test_the_same_rows_again_make_no_new_version(
    write_client: TestClient, web_store: Store
) -> None:
    first = save(write_client, where=["label = 3"])
    again = save(write_client, where=["label = 3"])
    assert (again["version"], again["is_new"]) == (first["version"], False)
    assert len(web_store.versions("demo/hard")) == 1


def test_a_joined_table_is_saved_as_it_is_seen(write_client: TestClient, web_store: Store) -> None:
    path = "/p/demo/c/guesses/v0/table-save/joined"
    told = save(
        write_client,
        path,
        where=["guess != label"],
        sort=["asc:score"],
        edits=[{"row": 0, "column": "label", "value": 5}],
    )
    joined = web_store.artifact("demo/guesses:v0").get("joined")
    wrong = [row for row in joined.rows if row["guess"] != row["label"]]
    rows = rows_of(web_store)
    assert [row["id"] for row in rows] == [row["id"] for row in wrong]
    assert rows[0]["label"] == 5
    assert rows[1]["image"].digest == wrong[1]["image"].digest
    assert told["made_from"]["table"] == "demo/guesses:v0/joined"
    sources = web_store.artifact("demo/hard:v0").get_entry("wrong.parquet").extra["sources"]
    assert sorted(sources) == ["demo/digits:v0/examples", "demo/guesses:v0/pred"]


def test_a_partitioned_table_is_saved_by_the_numbers_of_its_rows(
    write_client: TestClient, web_store: Store
) -> None:
    draft = art.Artifact("parts", "dataset")
    for part in range(3):
        table = art.Table(["n"])
        for number in range(5):
            table.add_data(part * 5 + number)
        draft.add(table, f"all/{part}")
    draft.add(art.PartitionedTable("all"), "whole")
    web_store.log_artifact(draft)
    path = "/p/demo/c/parts/v0/table-save/whole"
    edits = [{"row": 13, "column": "n", "value": -1}]
    save(write_client, path, rows=[13, 1, 6, 14, 0], edits=edits)
    assert [row["n"] for row in rows_of(web_store)] == [-1, 1, 6, 14, 0]


def test_many_rows_and_edits_are_put_together_part_by_part(
    write_client: TestClient, web_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_AT_ONCE", 3)
    edits = [
        {"row": number, "column": "label", "value": 100 + number} for number in range(0, 20, 3)
    ]
    edits.append({"row": 0, "column": "label", "value": -1})
    save(write_client, sort=["desc:id"], edits=edits, compute=["twice=id * 2"])
    rows = rows_of(web_store)
    assert [row["id"] for row in rows] == list(range(19, -1, -1))
    assert all(row["twice"] == row["id"] * 2 for row in rows)
    wanted = {edit["row"]: edit["value"] for edit in edits}
    assert [row["label"] for row in rows] == [wanted.get(row["id"], row["id"] % 10) for row in rows]


def test_hostile_columns_and_cells_are_saved_as_they_are(
    write_client: TestClient, web_store: Store
) -> None:
    path = "/p/demo/c/hostile/v0/table-save/rows"
    edits = [{"row": 1, "column": HOSTILE_COLUMNS[0], "value": SCRIPT * 3}]
    told = save(write_client, path, edits=edits, name="hard/rows")
    found = web_store.artifact("demo/hard:v0").get("rows")
    assert found.columns == list(HOSTILE_COLUMNS)
    assert found.rows[1][HOSTILE_COLUMNS[0]] == SCRIPT * 3
    assert SCRIPT not in write_client.get(told["address"]).text


def test_what_the_command_line_shows_agrees(
    write_client: TestClient, web_store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    save(write_client, where=["label = 3"])
    capfd.readouterr()
    assert run(["table", "show", "demo/hard:v0/wrong", "--json", "--store", web_store.url]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["row_count"] == 2
    assert told["sources"] == ["demo/digits:v0/examples"]


def test_a_form_saves_and_leads_to_the_table(
    write_site: Site, write_client: TestClient, web_store: Store
) -> None:
    del write_client.headers["X-Artstore-Token"]
    form = {
        "artstore-token": write_site.secret,
        "name": "hard/wrong",
        "where": ["label = 3", "id > 5", ""],
        "columns": '["id", "label"]',
        "edits": '[{"row": 13, "column": "label", "value": 4}]',
        "rows": "",
        "message": "",
    }
    answer = write_client.post(SAVE, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/p/demo/c/hard/v0/tables/wrong"
    assert rows_of(web_store) == [{"id": 13, "label": 4}]


# edits by type ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "cell"),
    [
        ("id", 77, 77),
        ("id", 77.0, 77),
        ("id", None, None),
        ("image", None, None),
        ("mix", "zz", "zz"),
        ("mix", 12, 12),
        ("nest", {"a": [1, 2], "b": None}, {"a": [1, 2], "b": None}),
        ("nest", {"b": "y"}, {"a": None, "b": "y"}),
        ("when", "2027-01-01T00:00:00Z", dt.datetime(2027, 1, 1, tzinfo=dt.UTC)),
        (
            "when",
            {"$": "time", "v": "2027-01-01T01:00:00+01:00"},
            dt.datetime(2027, 1, 1, tzinfo=dt.UTC),
        ),
        ("day", "2027-01-01", dt.date(2027, 1, 1)),
        ("took", 2.5, dt.timedelta(seconds=2.5)),
        ("took", {"$": "time", "v": 3, "unit": "s"}, dt.timedelta(seconds=3)),
        ("price", 2.5, decimal.Decimal("2.5")),
        ("price", {"$": "number", "v": "9.75"}, decimal.Decimal("9.75")),
        ("flag", False, False),
        ("text", SCRIPT, SCRIPT),
        ("text", "", ""),
        ("small", -128, -128),
        ("near", 1, 1.0),
        ("near", {"$": "number", "v": "inf"}, float("inf")),
    ],
)
def test_a_value_that_fits_its_column_is_taken(
    mixed_client: TestClient, web_store: Store, column: str, value: Any, cell: Any
) -> None:
    before = web_store.artifact("demo/mixed:v0").get("rows")
    told = save(mixed_client, MIXED, edits=[{"row": 2, "column": column, "value": value}])
    assert told["edits"] == 1
    found = web_store.artifact("demo/hard:v0").get("wrong")
    assert found.rows[2][column] == cell
    assert type(found.rows[2][column]) is type(cell)
    # Not even a type changes: a diff of the two shows one cell.
    assert found.schema == before.schema


def test_an_array_is_edited_as_a_list(mixed_client: TestClient, web_store: Store) -> None:
    save(mixed_client, MIXED, edits=[{"row": 2, "column": "vector", "value": [1, 2, 3]}])
    found = web_store.artifact("demo/hard:v0").get("wrong").rows[2]["vector"]
    assert found.tolist() == [1.0, 2.0, 3.0]
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", 1.5),
        ("id", "3"),
        ("id", {"$": "number", "v": "1_000"}),
        ("id", {"$": "number", "v": " 7"}),
        ("id", float("inf")),
        ("id", True),
        ("id", 2**60),
        ("id", [1]),
        ("image", "/etc/passwd"),
        ("image", {"path": "media/images/x.png"}),
        ("image", {"$": "image", "src": "x"}),
        ("mix", 1.5),
        ("mix", [1]),
        ("mix", True),
        ("nest", {"c": 1}),
        ("nest", {"a": ["x"]}),
        ("nest", [1]),
        ("nest", "x"),
        ("when", "tomorrow"),
        ("when", "2027-01-01T00:00:00"),
        ("when", 7),
        ("day", "2027-13-01"),
        ("took", "1 s"),
        ("took", 1e300),
        ("price", 2.555),
        ("price", 12345.5),
        ("price", "abc"),
        ("price", {"$": "number", "v": "nan"}),
        ("vector", [1, 2]),
        ("vector", [[1, 2, 3]]),
        ("vector", ["a", "b", "c"]),
        ("vector", 1),
        ("flag", 1),
        ("flag", "true"),
        ("text", 3),
        ("text", "\ud800"),
        ("text", {"$": "text", "v": "cut", "length": 5000}),
        ("small", 128),
        ("near", "1"),
        ("near", {"$": "number", "v": "seven"}),
        ("near", 1e300),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_and_nothing_is_logged(
    mixed_client: TestClient, web_store: Store, column: str, value: Any
) -> None:
    body = {"name": "hard/wrong", "edits": [{"row": 2, "column": column, "value": value}]}
    # As a browser would write half a surrogate pair: JSON lets it pass.
    answer = mixed_client.post(
        f"/api/v1{MIXED}",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "cell-unsupported")
    assert repr(column) in error["message"]
    assert "hard" not in web_store.collection_names("demo")


def test_edits_are_checked_without_anything_being_saved(
    mixed_client: TestClient, web_store: Store
) -> None:
    def checked(**edit: Any) -> Any:
        body = {"name": "hard/wrong", "edits": [edit], "check": True}
        answer = mixed_client.post(f"/api/v1{MIXED}", json=body)
        assert answer.status_code == 200
        error = answer.json()["error"]
        return error and error["code"]

    assert checked(row=1, column="id", value=3) is None
    assert checked(row=1, column="id", value="3") == "cell-unsupported"
    assert checked(row=9, column="id", value=3) == "value-invalid"
    assert checked(row=1, column="nothing", value=3) == "column-unknown"
    assert "hard" not in web_store.collection_names("demo")


def test_a_cell_that_is_nested_without_end_is_refused(mixed_client: TestClient) -> None:
    deep = "[" * 900 + "]" * 900
    text = f'{{"name": "hard/wrong", "edits": [{{"row": 1, "column": "vector", "value": {deep}}}]}}'
    answer = mixed_client.post(
        f"/api/v1{MIXED}", content=text, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


# what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "hard"}, "request-invalid"),
        ({"name": "hard/"}, "request-invalid"),
        ({"name": "hard:v3/wrong"}, "request-invalid"),
        ({"name": None}, "request-invalid"),
        ({"name": ".hidden/x"}, "name-invalid"),
        ({"name": "hard/../../x"}, "path-invalid"),
        ({"rows": [1, 1]}, "value-invalid"),
        ({"rows": [20]}, "value-invalid"),
        ({"rows": [-1]}, "value-invalid"),
        ({"rows": [True]}, "request-invalid"),
        ({"rows": ["1"]}, "request-invalid"),
        ({"rows": 3}, "request-invalid"),
        ({"rows": list(range(100_001))}, "limit-exceeded"),
        ({"where": "label = 3"}, "request-invalid"),
        ({"where": ["label ="]}, "expression-invalid"),
        ({"where": ["nothing = 3"]}, "column-unknown"),
        ({"where": ["nothing = 3"], "rows": [1]}, "column-unknown"),
        ({"sort": ["up:id"]}, "request-invalid"),
        ({"sort": ["asc:nothing"]}, "column-unknown"),
        ({"compute": ["x"]}, "request-invalid"),
        ({"columns": ["nothing"]}, "column-unknown"),
        ({"columns": []}, "columns-invalid"),
        ({"columns": "id"}, "request-invalid"),
        ({"edits": {"row": 1}}, "request-invalid"),
        ({"edits": [{"row": 1, "column": "label"}]}, "request-invalid"),
        ({"edits": [{"row": "1", "column": "label", "value": 1}]}, "request-invalid"),
        ({"edits": [{"row": 99, "column": "label", "value": 1}]}, "value-invalid"),
        ({"edits": [{"row": 1, "column": "nothing", "value": 1}]}, "column-unknown"),
        (
            {"where": ["id > 5"], "edits": [{"row": 1, "column": "label", "value": 1}]},
            "value-invalid",
        ),
        (
            {"columns": ["id"], "edits": [{"row": 1, "column": "label", "value": 1}]},
            "column-unknown",
        ),
        (
            {"compute": ["c=id"], "edits": [{"row": 1, "column": "c", "value": 1}]},
            "value-invalid",
        ),
        (
            {"edits": [{"row": 1, "column": "label", "value": 1}] * 10_001},
            "limit-exceeded",
        ),
        ({"aliases": ["latest"]}, "name-invalid"),
        ({"aliases": ["v3"]}, "name-invalid"),
        ({"message": 3}, "request-invalid"),
        ({"name": "files/x", "type": "model"}, "type-mismatch"),
        ({"force": True}, "request-invalid"),
        ({"check": 1}, "request-invalid"),
    ],
)
def test_nothing_is_logged_if_anything_is_wrong(
    write_client: TestClient, web_store: Store, body: dict[str, Any], code: str
) -> None:
    before = {
        name: len(web_store.versions(f"demo/{name}")) for name in web_store.collection_names()
    }
    assert refused(write_client, **body) == code
    after = {name: len(web_store.versions(f"demo/{name}")) for name in web_store.collection_names()}
    assert after == before


def test_a_newer_version_is_never_overwritten_with_an_older_ones_rows(
    write_client: TestClient, web_store: Store
) -> None:
    edits = [{"row": 1, "column": "label", "value": 5}]
    assert refused(write_client, name="digits/examples", edits=edits) == "version-superseded"
    assert len(web_store.versions("demo/digits")) == 2
    # Under another name nothing is lost.
    assert save(write_client, name="digits/checked", edits=edits)["version"] == "v2"


def test_a_table_is_not_saved_over_itself_as_it_is(write_client: TestClient) -> None:
    path = "/p/demo/c/digits/v1/table-save/examples"
    assert refused(write_client, path, name="digits/examples") == "request-invalid"
    where = ["id >= 0"]
    assert refused(write_client, path, name="digits/examples", where=where) == "request-invalid"


def test_a_table_that_is_not_there_is_refused(write_client: TestClient, web_store: Store) -> None:
    assert refused(write_client, SAVE.replace("examples", "nothing")) == "table-not-found"
    web_store.delete("demo/digits:v0", force=True)
    assert refused(write_client) == "version-deleted"


def test_nothing_is_saved_where_writing_is_not_allowed(client: TestClient, site: Site) -> None:
    headers = {"X-Artstore-Token": site.secret}
    answer = client.post(f"/api/v1{SAVE}", json={"name": "hard/wrong"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "writing-refused")
    assert "hard" not in site.store.collection_names("demo")


def test_nothing_is_saved_without_the_token_or_from_another_site(
    write_client: TestClient, web_store: Store
) -> None:
    body = {"name": "hard/wrong"}
    foreign = {"Origin": "https://evil.example"}
    answer = write_client.post(f"/api/v1{SAVE}", json=body, headers=foreign)
    assert answer.json()["error"]["code"] == "origin-refused"
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = write_client.post(f"/api/v1{SAVE}", json=body, headers=foreign)
    assert answer.json()["error"]["code"] == "origin-refused"
    del write_client.headers["X-Artstore-Token"]
    answer = write_client.post(f"/api/v1{SAVE}", json=body)
    assert answer.json()["error"]["code"] == "origin-refused"
    assert "hard" not in web_store.collection_names("demo")


def test_a_query_that_takes_too_long_saves_nothing(
    web_store: Store, make_client: Callable[[Site], TestClient]
) -> None:
    site = open_site(web_store, ServeSettings(write=True, seconds=0.0))
    client = make_client(site)
    client.headers["X-Artstore-Token"] = site.secret
    assert refused(client, where=["label = 3"]) == "query-too-long"
    assert "hard" not in web_store.collection_names("demo")


def test_more_rows_than_a_page_saves_are_refused_with_what_to_do(
    web_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore.errors import LimitExceededError

    monkeypatch.setattr(copies, "COPY_ROWS_MAX", 5)
    reader = web_store.artifact("demo/digits:v0").get("examples")
    with pytest.raises(LimitExceededError) as caught:
        copies.copied_rows(ExploredTable(reader), reader, copies.CopiedRows(Selection()))
    assert "from_query" in str(caught.value.hint)

"""Rows of compared tables become rows of one of them."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.web.guarding import TOKEN_HEADER
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.tables.test_compare_tables import OLD, ROWS, log

SAVE = "/api/v1/p/demo/c/pred/v1/table-save/scores"


@pytest.fixture
def store(tmp_path: Any) -> Store:
    store = open_at(tmp_path / "compared", project="demo")
    for rows in ROWS.values():
        log(store, "pred/scores", ["id", "label", "guess", "score"], rows, key="id")
    return store


@pytest.fixture
def client(store: Store, make_client: MakeClient) -> TestClient:
    site = open_site(store, ServeSettings(write=True))
    client = make_client(site)
    client.headers[TOKEN_HEADER] = site.secret
    return client


def save(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post(SAVE, json={"name": "hard/scores", "with": [OLD], **body})
    value: dict[str, Any] = answer.json()
    return value


def ids(store: Store) -> list[int]:
    return [row["id"] for row in store.artifact("demo/hard").get("scores").rows]


def test_rows_that_match_together_are_saved_as_one_side_has_them(
    client: TestClient, store: Store
) -> None:
    told = save(client, side=0, quick="changed", where=["*.score > 0.1"])
    assert (told["rows"], ids(store)) == (2, [2, 3])
    assert [row["guess"] for row in store.artifact("demo/hard").get("scores").rows] == ["b", "b"]
    made = told["made_from"]
    assert made["table"] == "demo/pred:v0/scores"
    assert made["compared"] == ["demo/pred:v0/scores", "demo/pred:v1/scores"]
    assert (made["key"], made["quick"], made["compared_where"]) == (
        "id",
        "changed",
        ["*.score > 0.1"],
    )
    assert made["chosen"] is True
    save(client, side=1, quick="changed")
    assert [row["guess"] for row in store.artifact("demo/hard").get("scores").rows] == ["a", "a"]


def test_chosen_rows_that_a_side_has_not_are_left_out(client: TestClient, store: Store) -> None:
    # In the order of the sides: 1, 2, 3, 4 of the first, then 5, which only the second has.
    assert save(client, side=0, rows=[4, 0, 2])["rows"] == 2
    assert ids(store) == [1, 3]
    save(client, side=1, rows=[4, 0, 2], columns=["id", "score"])
    assert ids(store) == [5, 3]
    assert list(store.artifact("demo/hard").get("scores").columns) == ["id", "score"]
    save(client, side=1, among="3-4", sort=["desc:id"])
    assert ids(store) == [5, 4]


def test_rows_one_after_the_other_are_saved_by_side_too(client: TestClient, store: Store) -> None:
    assert save(client, side=1, how="concat", where=["label = 'b'"])["rows"] == 2
    assert ids(store) == [3, 4]
    save(client, side=0, how="concat", rows=[1, 5])
    assert ids(store) == [2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request-invalid"),
        ({"side": 2}, "value-invalid"),
        ({"side": -1}, "request-invalid"),
        ({"side": "0"}, "request-invalid"),
        ({"side": 0, "rows": [99]}, "value-invalid"),
        ({"side": 0, "edits": [{"row": 0, "column": "id", "value": 1}]}, "request-invalid"),
        ({"side": 0, "compute": ["a=1"]}, "request-invalid"),
        ({"side": 0, "how": "side"}, "value-invalid"),
    ],
)
def test_what_is_not_clear_is_refused_and_nothing_is_saved(
    client: TestClient, store: Store, body: dict[str, Any], code: str
) -> None:
    assert save(client, **body)["error"]["code"] == code
    with pytest.raises(art.NotFoundError):
        store.artifact("demo/hard")

"""`among=`: only rows that were chosen by number, in every answer about a table."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.web.opening import open_site
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient

PAGE = "/p/demo/c/pred/v1"
OLD = "demo/pred:v0/joined"


@pytest.fixture
def client(tmp_path: Any, make_client: MakeClient) -> TestClient:
    """demo/pred v0, v1: tables `scores` and `joined` of 40 rows; the second half is in v1 only."""
    store = open_at(tmp_path / "chosen", project="demo")
    for count in (20, 40):
        _log(store, count)
    return make_client(open_site(store))


def _log(store: Store, count: int) -> None:
    scores = art.Table(["id", "label", "score"])
    names = art.Table(["id", "name"])
    for number in range(count):
        scores.add_data(number, number % 4, number / count)
        names.add_data(number, f"row {number}")
    scores.set_pk("id")
    draft = art.Artifact("pred", "predictions")
    draft.add(scores, "scores")
    draft.add(names, "names")
    draft.add(art.JoinedTable(scores, names, "id"), "joined")
    store.log_artifact(draft)


def ask(client: TestClient, what: str, *pairs: tuple[str, Any], table: str = "scores") -> Any:
    answer = client.get(f"/api/v1{PAGE}/{what}/{table}?{urlencode(pairs)}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("table", ["scores", "joined"])
def test_chosen_rows_keep_their_numbers_and_the_order_of_the_view(
    client: TestClient, table: str
) -> None:
    told = ask(client, "table-rows", ("among", "3,7-9,30"), table=table)
    assert (told["rows"], told["matching"], told["total"]) == ([3, 7, 8, 9, 30], 5, 40)
    turned = ask(client, "table-rows", ("among", "3,7-9,30"), ("sort", "desc:score"), table=table)
    assert turned["rows"] == [30, 9, 8, 7, 3]
    filtered = ask(client, "table-rows", ("among", "3,7-9,30"), ("where", "label > 1"), table=table)
    assert filtered["rows"] == [3, 7, 30]


def test_a_row_is_found_among_the_chosen_ones(client: TestClient) -> None:
    told = ask(client, "table-rows", ("among", "3,7-9"), ("numbers", "[8,4]"))
    assert told["places"] == [2, None]
    turned = ask(
        client, "table-rows", ("among", "3,7-9"), ("sort", "desc:id"), ("numbers", "[8,4]")
    )
    assert turned["places"] == [1, None]


def test_facets_groups_and_values_are_of_the_chosen_rows(client: TestClient) -> None:
    among = ("among", "0-7")
    facet = ask(client, "table-facets", among, ("only", '["label"]'))["facets"][0]
    assert sum(facet["selected"] or [one["selected"] for one in facet["values"]]) == 8
    groups = ask(client, "table-groups", among, ("group", "label"), ("where", "id > 3"))
    assert [(group["key"], group["count"], group["rows"]) for group in groups["groups"]] == [
        ([0], 1, [4]),
        ([1], 1, [5]),
        ([2], 1, [6]),
        ([3], 1, [7]),
    ]
    values = ask(client, "table-values", ("among", "0-4"), ("column", "label"))["values"]
    assert values[0] == {"value": 0, "count": 2, "selected": 2}


def test_no_row_and_rows_that_are_not_there_are_none(client: TestClient) -> None:
    assert ask(client, "table-rows", ("among", ""))["matching"] == 0
    assert ask(client, "table-rows", ("among", "38-100"))["rows"] == [38, 39]
    answer = client.get(f"/api/v1{PAGE}/tables/scores", params={"among": "x"}).json()
    assert "among='x' was left out" in answer["told"][0]


def test_compared_rows_are_chosen_by_their_numbers_together(client: TestClient) -> None:
    pairs = (("with", OLD), ("among", "0,19-21"))
    told = ask(client, "table-rows", *pairs, table="joined")
    assert told["rows"] == [0, 19, 20, 21]
    sides = ask(client, "table-sides", *pairs, table="joined")
    assert [side["matching"] for side in sides["sides"]] == [2, 4]
    assert {one["name"]: one["matching"] for one in sides["quick"]}["only:1"] == 2
    # What was counted for others is not told again.
    others = ask(client, "table-sides", ("with", OLD), ("among", "0"), table="joined")
    assert [side["matching"] for side in others["sides"]] == [1, 1]
    stacked = ask(
        client, "table-rows", ("with", OLD), ("how", "concat"), ("among", "19-20"), table="joined"
    )
    assert stacked["cells"][0] == ["v0", "v1"]


@pytest.mark.parametrize("name", ["csv", "parquet", "json"])
def test_chosen_rows_are_exported(client: TestClient, name: str) -> None:
    query = urlencode([("among", "5,1"), ("sort", "desc:id"), ("format", name)])
    answer = client.get(f"/api/v1{PAGE}/table-export/scores?{query}")
    assert answer.status_code == 200
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["id"] for row in rows] == ["5", "1"]


def test_many_numbers_come_at_once_without_cells(client: TestClient) -> None:
    told = ask(client, "table-rows", ("count", 10_000), ("only", "[]"), ("where", "label = 3"))
    assert told["rows"] == list(range(3, 40, 4))
    answer = client.get(f"/api/v1{PAGE}/table-rows/scores", params={"count": 501})
    assert answer.json()["error"]["code"] == "request-invalid"


def test_the_page_without_scripts_shows_the_chosen_rows(client: TestClient) -> None:
    page = client.get(f"{PAGE}/tables/scores?among=3,7-9&chosen=3")
    assert page.status_code == 200
    assert "<strong>4</strong> of 40 rows" in page.text

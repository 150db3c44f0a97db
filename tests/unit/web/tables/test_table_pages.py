from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from artstore.web.tables import desk as tabledesk
from artstore.web.tables.desk import TableDesk
from artstore.web.tables.histogramsvg import histogram_svg
from artstore.web.tables.tickets import TableTickets
from tests.unit.web.shelves import DIGIT_COUNT, FORMULA, HOSTILE_COLUMNS, SCRIPT

STATIC = Path(tabledesk.__file__).parent.parent / "static"
TABLES = "/p/demo/c/digits/v0"
JOINED = "/p/demo/c/guesses/v0"
HOSTILE = "/p/demo/c/hostile/v0"


def ask(client: TestClient, path: str, *pairs: tuple[str, Any], status: int = 200) -> Any:
    """The JSON at an address below /api/v1."""
    answer = client.get(f"/api/v1{path}?{urlencode(pairs)}")
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_page_shows_rows_heads_and_counts_without_scripts(client: TestClient) -> None:
    page = client.get(f"{TABLES}/tables/examples")
    assert page.status_code == 200
    assert f"<strong>{DIGIT_COUNT}</strong> of {DIGIT_COUNT} rows" in page.text
    assert '<svg class="facet"' in page.text
    assert page.text.count('<tr><th scope="row"') == DIGIT_COUNT
    assert " style=" not in page.text
    assert SCRIPT not in page.text


def test_a_condition_of_the_form_filters_and_can_be_taken_away(client: TestClient) -> None:
    page = client.get(f"{TABLES}/tables/examples?where=id+%3C+3&where=&group=")
    assert "<strong>3</strong> of" in page.text
    assert 'value="id &lt; 3"' in page.text
    assert "empty" not in page.text


def test_an_error_of_a_condition_is_shown_with_a_caret_beside_all_rows(client: TestClient) -> None:
    page = client.get(f"{TABLES}/tables/examples?where=id+%3C")
    assert page.status_code == 200
    alert = re.search(r'role="alert"><pre>(.*?)</pre>', page.text, re.DOTALL)
    assert alert is not None
    assert "^" in alert[1]
    assert f"<strong>{DIGIT_COUNT}</strong> of" in page.text


def test_parts_that_are_not_understood_are_told(client: TestClient) -> None:
    page = client.get(f"{TABLES}/tables/examples?start=x&strange={SCRIPT}")
    assert "it is no whole number" in page.text
    assert SCRIPT not in page.text


def test_rows_are_told_column_by_column(client: TestClient) -> None:
    told = ask(
        client,
        f"{TABLES}/table-rows/examples",
        ("where", "id < 5"),
        ("sort", "desc:id"),
        ("start", 1),
        ("count", 2),
        ("only", '["id","image"]'),
    )
    assert {name: told[name] for name in ("start", "matching", "total", "rows")} == {
        "start": 1,
        "matching": 5,
        "total": DIGIT_COUNT,
        "rows": [3, 2],
    }
    assert [column["name"] for column in told["columns"]] == ["id", "image"]
    assert told["cells"][0] == [3, 2]
    image = told["cells"][1][0]
    assert image["$"] == "image"
    assert client.get(image["src"]).status_code == 200
    assert client.get(f"{image['thumb']}&size=64").status_code == 200
    box = image["boxes"]["ground truth"][0]
    assert box["label"] == SCRIPT
    assert 0 <= box["x0"] < box["x1"] <= 1


def test_a_row_is_found_by_its_number_and_told_its_place(client: TestClient) -> None:
    path = f"{TABLES}/table-rows/examples"
    told = ask(client, path, ("where", "id > 3"), ("numbers", "[5,1]"), ("only", '["id"]'))
    assert told["cells"] == [[5, 1]]
    assert told["places"] == [1, None]
    ask(client, path, ("numbers", "[99999]"), status=400)
    ask(client, path, ("count", "9999999"), status=400)
    ask(client, path, ("only", "{"), status=400)


def test_pictures_of_a_joined_table_lie_where_they_were_logged(client: TestClient) -> None:
    told = ask(client, f"{JOINED}/table-rows/joined", ("count", 1))
    names = [column["name"] for column in told["columns"]]
    image = told["cells"][names.index("image")][0]
    assert "/c/digits/" in image["src"]
    assert client.get(image["src"]).status_code == 200


def test_an_error_tells_its_place_and_its_part(client: TestClient) -> None:
    pairs = [("where", "id > 1"), ("where", "label = = 2")]
    error = ask(client, f"{TABLES}/table-rows/examples", *pairs, status=400)["error"]
    assert error["code"] == "expression-invalid"
    assert error["part"] == "where:1"
    assert 7 <= error["position"] <= 9
    told = ask(client, f"{TABLES}/table-check/examples", *pairs)
    assert told["error"]["position"] == error["position"]
    assert ask(client, f"{TABLES}/table-check/examples", pairs[0])["error"] is None


def test_facets_groups_and_values_are_told(client: TestClient) -> None:
    where = ("where", "id < 10")
    only = ("only", '["label","id"]')
    facets = ask(client, f"{TABLES}/table-facets/examples", where, only)["facets"]
    assert [facet["column"] for facet in facets] == ["label", "id"]
    assert sum(value["count"] for value in facets[0]["values"]) == DIGIT_COUNT
    assert sum(value["selected"] for value in facets[0]["values"]) == 10
    groups = ask(client, f"{TABLES}/table-groups/examples", where, ("group", "label"))
    assert sum(group["count"] for group in groups["groups"]) == 10
    assert groups["groups"][0]["examples"]["image"][0]["$"] == "image"
    values = ask(client, f"{TABLES}/table-values/examples", ("column", "label"))["values"]
    assert sum(value["count"] for value in values) == DIGIT_COUNT
    ask(client, f"{TABLES}/table-groups/examples", status=400)
    ask(client, f"{TABLES}/table-values/examples", ("column", "no"), status=400)


def test_the_page_of_groups_is_there_without_scripts(client: TestClient) -> None:
    page = client.get(f"{TABLES}/tables/examples?group=label")
    assert page.status_code == 200
    assert '<th scope="row">' in page.text
    assert "mean " in page.text


def test_one_cell_is_told_whole(client: TestClient) -> None:
    pairs = (("number", 2), ("column", "id"))
    assert ask(client, f"{TABLES}/table-cell/examples", *pairs)["cell"] == 2
    told = ask(
        client,
        f"{TABLES}/table-cell/examples",
        ("compute", "twice=id * 2"),
        ("column", "twice"),
        ("number", 4),
    )
    assert told["cell"] == 8
    ask(client, f"{TABLES}/table-cell/examples", ("column", "no"), status=400)


def test_hostile_names_and_cells_are_only_text(client: TestClient) -> None:
    page = client.get(f"{HOSTILE}/tables/rows")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    told = ask(client, f"{HOSTILE}/table-rows/rows")
    assert {column["name"] for column in told["columns"]} >= set(HOSTILE_COLUMNS)
    for column in HOSTILE_COLUMNS:
        sort = ("sort", f"desc:{column}")
        assert ask(client, f"{HOSTILE}/table-rows/rows", sort)["total"] == told["total"]
    page = client.get(f"{HOSTILE}/tables/rows", params={"where": f"{SCRIPT}{FORMULA}"})
    assert SCRIPT not in page.text


def test_a_long_state_is_kept_and_found_again(client: TestClient, site: Any) -> None:
    query = urlencode([("where", "id < 3 " + "or id < 0 " * 800)])
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Artstore-Token": site.secret,
    }
    path = f"/api/v1{TABLES}/table-view/examples"
    name = client.post(path, content=query, headers=headers).json()["view"]
    assert client.post(path, content=query, headers=headers).json()["view"] == name
    assert ask(client, f"{TABLES}/table-rows/examples", ("view", name))["matching"] == 3
    gone = ask(client, f"{TABLES}/table-rows/examples", ("view", "0" * 32), status=404)
    assert gone["error"]["code"] == "view-not-found"
    asked = f"/api/v1{TABLES}/table-rows/examples"
    assert client.post(asked, content=query, headers=headers).json()["matching"] == 3


def test_only_so_many_long_states_are_kept() -> None:
    desk = TableDesk()
    first = desk.keep_view("where=0")
    for number in range(1, 200):
        desk.keep_view(f"where={number}")
    with pytest.raises(Exception, match="keeps no view"):
        desk.view(first)


def test_a_newer_view_of_a_client_ends_the_queries_of_an_older_one() -> None:
    from artstore.errors import StateError
    from artstore.tables.exploring import Ticket

    tickets, old, new, other = TableTickets(), Ticket(), Ticket(), Ticket()
    with tickets.running("a;1", old), tickets.running("b;1", other), tickets.running("a;2", new):
        assert (old.is_cancelled, new.is_cancelled, other.is_cancelled) == (True, False, False)
        with pytest.raises(StateError, match="newer view"), tickets.running("a;1", Ticket()):
            pass
    with tickets.running("nonsense", Ticket()), tickets.running(None, Ticket()):
        pass


def test_a_table_that_is_not_there_is_told_with_those_that_are(client: TestClient) -> None:
    error = ask(client, f"{TABLES}/tables/nothing", status=404)["error"]
    assert error["code"] == "table-not-found"
    assert "examples" in error["message"]


def test_the_page_carries_its_data_for_scripts(client: TestClient) -> None:
    page = client.get(f"{HOSTILE}/tables/rows").text
    found = re.search(r'<script type="application/json" id="table-data">(.*?)</script>', page)
    assert found is not None
    data = json.loads(found[1])
    assert set(data) >= {"table", "error", "query", "links"}
    assert data["table"] == {**ask(client, f"{HOSTILE}/tables/rows"), "told": []}


def test_scripts_set_no_markup_and_evaluate_no_text() -> None:
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    for file in STATIC.rglob("*.js"):
        assert not banned.search(file.read_text("utf-8")), file
        assert len(file.read_text("utf-8").splitlines()) <= 420, file


@pytest.mark.parametrize(
    ("place", "example"),
    [
        # A truth and a guess if it has them, a number if not; of what is compared, every side.
        ("/p/demo/c/guesses/v0/tables/joined", "guess != label"),
        ("/p/demo/c/digits/v0/tables/examples", "id > 0"),
        ("/p/demo/c/guesses/v0/tables/joined?truth=id&guess=label", "label != id"),
        ("/p/demo/c/digits/v0/tables/examples?with=demo/digits:v1/examples", "id > 0"),
        (
            "/p/demo/c/guesses/v0/tables/joined?with=demo/digits:v1/examples",
            "guess != *.label",
        ),
    ],
)
def test_the_empty_box_shows_a_condition_that_can_be_used(
    client: TestClient, place: str, example: str
) -> None:
    page = client.get(place).text
    assert f'placeholder="{example.replace(">", "&gt;")}"' in page
    where = f"/api/v1{place}{'&' if '?' in place else '?'}{urlencode({'where': example})}"
    told = client.get(where.replace("/tables/", "/table-check/"))
    assert (told.status_code, told.json()["error"]) == (200, None)


def test_groups_tell_of_how_many_rows_they_are(client: TestClient) -> None:
    place = "/api/v1/p/demo/c/digits/v1/table-groups/examples?group=label"
    told = client.get(place).json()
    assert (told["total"], told["matching"]) == (10, DIGIT_COUNT + 5)
    told = client.get(f"{place}&where=id%20%3C%203&count=1").json()
    assert (told["total"], told["matching"], len(told["groups"])) == (3, 3, 1)
    for rest in ("&start=100", "&where=id%20%3C%200"):
        behind = client.get(f"{place}{rest}").json()
        assert behind["groups"] == []
        assert behind["matching"] == (0 if "where" in rest else DIGIT_COUNT + 5)


def test_a_histogram_draws_no_bar_of_nothing_and_none_below_another() -> None:
    bars = histogram_svg([0, 1, 2, 3, 4], [5, 0, 4, 3], [5, 0, 1, 0], "x")
    assert bars.count("<title>") == 3
    assert re.findall(r'class="(all|selected)"', bars) == ["selected", "all", "selected", "all"]
    assert "2 to 3: 1 of 4 rows" in bars

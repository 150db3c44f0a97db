from __future__ import annotations

import re
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
OLD = "demo/pred:v0/scores"
ROWS = {
    0: [(1, "a", "a", 0.5), (2, "a", "b", 0.25), (3, "b", "b", 1.0), (4, "b", "a", 0.75)],
    1: [(2, "a", "a", 0.5), (3, "b", "a", 2.0), (4, "b", "a", 0.75), (5, "a", "a", None)],
}
"""id, label, guess, score: 2 is fixed, 3 regressed, 4 the same, 1 and 5 are alone."""


@pytest.fixture
def client(tmp_path: Any, make_client: MakeClient) -> TestClient:
    store = open_at(tmp_path / "compared", project="demo")
    for rows in ROWS.values():
        log(store, "pred/scores", ["id", "label", "guess", "score"], rows, key="id")
    log(store, "other/plain", ["guess"], [("a",)])
    return make_client(open_site(store))


def log(
    store: Store, name: str, columns: list[str], rows: list[Any], *, key: str | None = None
) -> None:
    made = art.Table(columns)
    for row in rows:
        made.add_data(*row)
    if key is not None:
        made.set_pk(key)
    artifact, _, table = name.partition("/")
    draft = art.Artifact(artifact, "predictions")
    draft.add(made, table)
    store.log_artifact(draft)


def ask(client: TestClient, what: str, *pairs: tuple[str, Any], status: int = 200) -> Any:
    answer = client.get(f"/api/v1{PAGE}/{what}/scores?{urlencode(pairs)}")
    assert answer.status_code == status, answer.text
    return answer.json()


def beside(client: TestClient, what: str, *pairs: tuple[str, Any], status: int = 200) -> Any:
    return ask(client, what, ("with", OLD), *pairs, status=status)


def test_the_older_version_is_side_0_whichever_the_page_is_of(client: TestClient) -> None:
    told = beside(client, "table-rows", ("only", '["id","0.guess","1.guess"]'))
    assert [(one["name"], one["side"], one["base"], one["part"]) for one in told["columns"]] == [
        ("id", None, "id", "key"),
        ("0.guess", 0, "guess", "cell"),
        ("1.guess", 1, "guess", "cell"),
    ]
    assert told["cells"][0] == [1, 2, 3, 4, 5]
    assert told["cells"][1] == ["a", "b", "b", "a", None]
    assert told["cells"][2] == [None, "a", "a", "a", "a"]
    path = "/p/demo/c/pred/v0/table-rows/scores"
    other = client.get(f"/api/v1{path}", params={"with": "demo/pred:v1/scores"}).json()
    assert other["total"] == 5
    assert "0.guess" in [one["name"] for one in other["columns"]]


def test_each_side_tells_its_rows_and_what_quick_filters_leave(client: TestClient) -> None:
    told = beside(client, "table-sides")
    assert [(one["label"], one["matching"], one["total"]) for one in told["sides"]] == [
        ("v0", 4, 4),
        ("v1", 4, 4),
    ]
    assert [one["alone"] for one in told["sides"]] == [1, 1]
    assert {one["name"]: one["matching"] for one in told["quick"]} == {
        "both": 3,
        "only:0": 1,
        "only:1": 1,
        "changed": 2,
        "disagree": 2,
        "regressed": 1,
        "fixed": 1,
    }
    filtered = beside(client, "table-sides", ("where", "$0.guess = 'a'"), status=400)
    assert filtered["error"]["code"] == "expression-invalid"
    filtered = beside(client, "table-sides", ("where", "t0.guess = 'a'"))
    assert [one["matching"] for one in filtered["sides"]] == [2, 1]


@pytest.mark.parametrize(
    ("quick", "ids"), [("fixed", [2]), ("regressed", [3]), ("only:1", [5]), ("both", [2, 3, 4])]
)
def test_a_quick_filter_is_a_part_of_the_view(
    client: TestClient, quick: str, ids: list[int]
) -> None:
    told = beside(client, "table-rows", ("quick", quick), ("only", '["id"]'))
    assert told["cells"] == [ids]
    assert told["matching"] == len(ids)


def test_a_star_means_each_side(client: TestClient) -> None:
    told = beside(client, "table-rows", ("where", "*.guess != *.label"), ("only", '["id"]'))
    assert told["cells"] == [[4]]


def test_an_error_is_told_at_its_character(client: TestClient) -> None:
    told = beside(client, "table-rows", ("where", "t1.nothing = 1"), status=400)
    assert told["error"]["part"] == "where:0"
    assert told["error"]["position"] == 3
    check = beside(client, "table-check", ("where", "*.id = 1 and *.nothing = 1"))["error"]
    assert check["position"] == "*.id = 1 and *.nothing = 1".index("nothing")
    page = client.get(f"{PAGE}/tables/scores", params={"with": OLD, "where": "t1.nothing = 1"})
    assert page.status_code == 200
    assert 'role="alert"' in page.text


def test_columns_of_one_name_have_the_same_bins(client: TestClient) -> None:
    told = beside(client, "table-facets", ("only", '["0.score"]'))["facets"]
    told += beside(client, "table-facets", ("only", '["1.score"]'))["facets"]
    assert told[0]["edges"] == told[1]["edges"]
    assert sum(told[0]["all"]) == 4
    assert sum(told[1]["all"]) == 3
    groups = beside(client, "table-groups", ("group", "0.label"))
    assert groups["edges"]["0.score"] == groups["edges"]["1.score"]
    assert groups["by"][0]["side"] == 0


def test_tables_one_after_the_other(client: TestClient) -> None:
    told = beside(client, "table-rows", ("how", "concat"), ("only", '["table","id"]'))
    assert told["cells"] == [["v0"] * 4 + ["v1"] * 4, [1, 2, 3, 4, 2, 3, 4, 5]]
    sides = beside(client, "table-sides", ("how", "concat"), ("where", "guess = 'b'"))
    assert [(one["matching"], one["total"]) for one in sides["sides"]] == [(2, 4), (0, 4)]
    assert sides["quick"] == []


def test_side_by_side_the_routes_are_of_the_one_table(client: TestClient) -> None:
    told = beside(client, "table-rows", ("how", "side"), ("only", '["id"]'))
    assert told["cells"] == [[2, 3, 4, 5]]
    sides = beside(client, "table-sides", ("how", "side"), ("where", "guess = 'b'"))
    assert [(one["matching"], one["total"]) for one in sides["sides"]] == [(2, 4), (0, 4)]


def test_a_matrix_for_each_side(client: TestClient) -> None:
    alone = ask(client, "table-matrix")
    assert (alone["truth"], alone["guess"]) == ("label", "guess")
    assert alone["matrices"][0]["truths"] == ["a", "b"]
    assert alone["matrices"][0]["counts"] == [[2, 0], [2, 0]]
    told = beside(client, "table-matrix")["matrices"]
    assert [one["label"] for one in told] == ["v0", "v1"]
    assert told[0]["counts"] == [[1, 1], [1, 1]]
    assert told[1]["counts"] == alone["matrices"][0]["counts"]
    assert (told[1]["truth_column"], told[1]["guess_column"]) == ("1.label", "1.guess")
    for how in ("side", "concat"):
        same = beside(client, "table-matrix", ("how", how))["matrices"]
        assert [one["counts"] for one in same] == [one["counts"] for one in told]
    named = ask(client, "table-matrix", ("matrix", "id,label"))
    assert (named["truth"], named["guess"]) == ("id", "label")


def test_a_matrix_of_no_clear_columns_is_refused(client: TestClient) -> None:
    answer = client.get("/api/v1/p/demo/c/other/v0/table-matrix/plain")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "request-invalid"


@pytest.mark.parametrize(
    ("pairs", "status", "code"),
    [
        ((("with", "nonsense"),), 400, "value-invalid"),
        ((("with", "demo/pred:v1/scores"),), 400, "value-invalid"),
        ((("with", "demo/pred:v9/scores"),), 404, "version-not-found"),
        ((("with", "demo/pred:v0/nope"),), 404, "table-not-found"),
        ((("with", OLD), ("key", "nope")), 400, "join-key-unknown"),
        ((("with", "demo/other:v0/plain"), ("key", "id")), 400, "join-key-unknown"),
        ((("with", OLD), ("quick", "only:7")), 400, "value-invalid"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_told_on_the_page(
    client: TestClient, pairs: tuple[tuple[str, str], ...], status: int, code: str
) -> None:
    assert ask(client, "table-rows", *pairs, status=status)["error"]["code"] == code
    page = client.get(f"{PAGE}/tables/scores?{urlencode(pairs)}")
    assert page.status_code == 200
    assert "<strong>4</strong> of 4 rows" in page.text or "<strong>5</strong> of 5" in page.text
    assert "table-told" in page.text or 'role="alert"' in page.text


def test_other_keys_pair_other_rows(client: TestClient) -> None:
    assert beside(client, "table-sides", ("key", ":position"))["total"] == 4
    assert beside(client, "table-sides", ("key", "position"))["total"] == 4
    both = beside(client, "table-sides", ("key", "label"), ("key", "guess"))
    assert both["sides"][0]["duplicates"] == 0
    assert both["sides"][1]["duplicates"] == 2


def test_tables_of_another_artifact_can_be_compared(client: TestClient) -> None:
    told = ask(client, "table-rows", ("with", "demo/other:v0/plain"), ("key", ":position"))
    assert told["total"] == 4
    assert "0.score" not in [one["name"] for one in told["columns"]] or "1.score" not in [
        one["name"] for one in told["columns"]
    ]


def test_versions_that_can_be_compared_are_listed(client: TestClient) -> None:
    told = ask(client, "table-others")
    assert [(one["version"], one["own"]) for one in told["versions"]] == [
        ("v1", True),
        ("v0", False),
    ]
    assert told["versions"][1]["name"] == OLD
    assert told["more"] == 0


def test_the_page_shows_both_values_in_a_cell_without_scripts(client: TestClient) -> None:
    page = client.get(f"{PAGE}/tables/scores", params={"with": OLD, "matrix": "label,guess"}).text
    cell = re.search(r'<span class="side-cell"><b class="side side-0">0</b> b</span>', page)
    assert cell is not None
    assert 'aria-label="Quick filters"' in page
    assert "quick=fixed" in page
    assert page.count('<table class="matrix">') == 2
    assert " style=" not in page
    link = re.search(r'<td class="shade-[1-8]"><a href="([^"]+)"', page)
    assert link is not None
    followed = client.get(link[1].replace("&amp;", "&"))
    assert "<strong>1</strong> of 5 rows" in followed.text


def test_empty_fields_of_the_form_say_nothing(client: TestClient) -> None:
    page = client.get(f"{PAGE}/tables/scores?with=&key=&how=merged&quick=")
    assert "<strong>4</strong> of 4 rows" in page.text


def test_of_three_tables_the_two_that_are_chosen_are_judged(
    tmp_path: Any, make_client: MakeClient
) -> None:
    store = open_at(tmp_path / "three", project="demo")
    guesses = (["a", "b"], ["a", "a"], ["b", "a"])
    for one in guesses:
        rows = [(at, "a", guess) for at, guess in enumerate(one)]
        log(store, "three/pred", ["id", "label", "guess"], rows, key="id")
    client = make_client(open_site(store))
    others = [("with", f"demo/three:v{at}/pred") for at in (1, 2)]

    def told(*pairs: tuple[str, str]) -> dict[str, Any]:
        query = urlencode([*others, *pairs])
        found = client.get(f"/api/v1/p/demo/c/three/v0/table-sides/pred?{query}").json()
        return {one["name"]: one["matching"] for one in found["quick"]}

    judged = ("disagree", "regressed", "fixed")
    assert [told()[name] for name in judged] == [1, 0, 1]
    assert [told(("judge", "0,2"))[name] for name in judged] == [2, 1, 1]
    assert [told(("judge", "2,0"))[name] for name in judged] == [2, 1, 1]
    assert [told(("judge", "1,2"))[name] for name in judged] == [1, 1, 0]
    page = f"/p/demo/c/three/v0/tables/pred?{urlencode(others)}"
    rows = client.get(f"/api/v1{page}&judge=1,2&quick=regressed").json()
    assert rows["window"]["rows"] == [0]
    assert "regressed from v1 to v2" in client.get(f"{page}&judge=1,2").text
    for wrong in ("0,3", "1,1", "0", "a,b"):
        assert "left out" in client.get(f"/api/v1{page}&judge={wrong}").json()["told"][0], wrong


def test_columns_that_a_key_may_have_are_told(client: TestClient) -> None:
    page = client.get(f"{PAGE}/tables/scores", params={"with": OLD}).text
    assert '"shared":["id","label","guess","score"]' in page

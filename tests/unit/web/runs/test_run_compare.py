"""Runs beside each other: every value, what differs, and where one goes from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.runshelf import add_run, begin_store, fill_runs
from tests.unit.web.shelves import SCRIPT
from tests.unit.web.test_pages import Elements

COMPARE = "/p/lab/compare"


@pytest.fixture(scope="module")
def runs_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        fill_runs(open_at(root / "store", project="lab"))
    return root / "store"


@pytest.fixture
def runs_client(runs_directory: Path, make_client: MakeClient) -> TestClient:
    site = open_site(open_at(runs_directory, project="lab"), ServeSettings(write=True))
    return make_client(site)


def compared(client: TestClient, **query: Any) -> Any:
    answer = client.get(f"/api/v1{COMPARE}?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def values(value: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["section"], one["key"]): one for one in value["values"]}


def test_runs_are_in_the_order_that_was_asked_for_and_differences_are_marked(
    runs_client: TestClient,
) -> None:
    value = compared(runs_client, run=["r4", "r0", "r3"])
    assert [run["id"] for run in value["runs"]] == ["r4", "r0", "r3"]
    found = values(value)
    assert found["config", "seed"]["values"] == [4, 0, 3]
    assert not found["config", "seed"]["same"]
    assert found["config", "same"]["values"] == [7, 7, 7]
    assert found["config", "same"]["same"]
    assert found["summary", '"val/loss"']["values"] == [0.6, 1.0, 0.7]
    assert found["environment", "git.commit"]["values"] == ["0" * 40, "0" * 40, f"{1:040x}"]
    assert found["environment", "python"]["same"]
    assert found["inputs", "lab/data"]["values"] == [["v0"], ["v0"], ["v0"]]
    assert found["outputs", "lab/model"]["values"] == [["v4"], ["v0"], ["v3"]]
    assert not found["outputs", "lab/model"]["same"]
    assert value["total"] == len(value["values"])
    assert value["differing"] == sum(not one["same"] for one in value["values"])


def test_the_commit_stands_before_the_rest_of_the_environment(runs_client: TestClient) -> None:
    keys = [
        one["key"]
        for one in compared(runs_client, run="r0,r1")["values"]
        if one["section"] == "environment"
    ]
    assert keys == ["git.branch", "git.commit", "python"]


def test_only_differences_and_only_some_keys_are_shown_on_request(
    runs_client: TestClient,
) -> None:
    value = compared(runs_client, run="r0,r3", differ=1)
    assert value["values"]
    assert not any(one["same"] for one in value["values"])
    assert ("config", "lr") not in values(value)
    found = compared(runs_client, run="r0,r3", find="LOSS")
    assert list(values(found)) == [("summary", '"val/loss"')]
    assert found["total"] == compared(runs_client, run="r0,r3")["total"]


def test_what_one_run_has_not_is_null_and_a_difference(runs_client: TestClient) -> None:
    found = values(compared(runs_client, run="r0,odd"))
    assert found["config", "optim.name"] == {
        "section": "config",
        "key": "optim.name",
        "values": [None, "adam"],
        "same": False,
    }
    assert found["summary", "loss"]["values"] == [None, "NaN"]
    assert found["inputs", "lab/data"]["values"] == [["v0"], None]


def test_a_run_compared_with_itself_alone_does_not_differ(runs_client: TestClient) -> None:
    assert compared(runs_client, run=["odd", "odd"])["differing"] == 0
    assert compared(runs_client, run="odd")["differing"] == 0


def test_without_runs_the_page_says_where_to_choose_them(runs_client: TestClient) -> None:
    assert compared(runs_client)["runs"] == []
    page = runs_client.get(COMPARE)
    assert page.status_code == 200
    assert 'href="/p/lab/runs"' in page.text


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("run=r0,nobody", 404, "run-not-found"),
        ("run=..", 400, "name-invalid"),
        ("run=" + ",".join(f"r{n}" for n in range(201)), 413, "limit-exceeded"),
        ("run=r0&page=9", 400, "request-invalid"),
        ("run=r0&find=" + "x" * 1001, 400, "request-invalid"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs_client: TestClient, query: str, status: int, code: str
) -> None:
    answer = runs_client.get(f"/api/v1{COMPARE}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_two_hundred_runs_of_many_keys_are_compared_a_page_at_a_time(
    tmp_path: Path, make_client: MakeClient
) -> None:
    store = begin_store(open_at(tmp_path / "many", project="lab"))
    for number in range(200):
        add_run(store, f"m{number}", config={f"key{key}": number % 2 for key in range(100)})
    client = make_client(open_site(store))
    query = {"run": ",".join(f"m{number}" for number in range(200)), "find": "key"}
    first = compared(client, **query)
    assert first["pages"] == {"page": 1, "page_count": 2, "total": 100}
    assert len(first["values"]) == 60
    assert len(compared(client, page=2, **query)["values"]) == 40
    page = client.get(f"{COMPARE}?{urlencode(query)}")
    assert page.status_code == 200


@pytest.mark.parametrize("query", ["run=evil,r0,odd", "run=evil&find=script&differ=1"])
def test_a_page_has_nothing_that_the_author_of_a_run_wrote(
    runs_client: TestClient, query: str
) -> None:
    answer = runs_client.get(f"{COMPARE}?{query}")
    assert answer.status_code == 200
    assert SCRIPT not in answer.text
    assert "\u202e" not in answer.text.partition("<script type")[0]
    for tag, values in Elements(answer.text).found:
        is_data = values.get("type") == "application/json"
        assert tag != "script" or is_data or str(values["src"]).startswith("/static/")
        assert tag not in ("img", "iframe", "object", "embed", "base", "style")
        assert not [name for name in values if name.startswith("on") or name == "style"]


def test_a_run_that_is_called_compare_has_a_page_as_all_others(
    tmp_path: Path, make_client: MakeClient
) -> None:
    store = begin_store(open_at(tmp_path / "called", project="lab"))
    add_run(store, "compare", config={"lr": 0.1})
    client = make_client(open_site(store))
    assert 'href="/p/lab/runs/compare"' in client.get("/p/lab/runs").text
    assert "0.1" in client.get("/p/lab/runs/compare?show=overview").text
    assert [run["id"] for run in compared(client, run="compare")["runs"]] == ["compare"]


def test_every_link_of_a_comparison_leads_somewhere(runs_client: TestClient) -> None:
    page = runs_client.get(f"{COMPARE}?run=r0,r1,evil&smooth=0.5").text
    links = {
        str(values["href"])
        for tag, values in Elements(page).found
        if tag == "a" and "href" in values
    }
    assert any(link.startswith("/p/lab/c/data/v0") for link in links)
    # The board of the charts stays as it is chosen.
    assert any("differ=1" in link and "smooth=0.5" in link for link in links)
    for link in links:
        if link.startswith("/p/lab/runs"):
            assert runs_client.get(link).status_code == 200, link

"""Lists of runs: chosen, ordered, grouped, saved, changed; whatever runs are called."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient

from artstore.api import Store
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.runs.selecting import selected_ids
from artstore.web.opening import open_site
from artstore.web.runs.groups import equals, group_runs, measured
from artstore.web.runs.liststate import CHOSEN_MAX, RunListState, read_state
from artstore.web.runs.source import ProjectRuns
from artstore.web.settings import ServeSettings
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.runshelf import BIDI, LONG, add_run, begin_store, fill_runs
from tests.unit.web.shelves import FORMULA, SCRIPT
from tests.unit.web.test_pages import Elements

LIST = "/api/v1/p/lab/runs"
THERE = ["live", "odd", "evil", *(f"r{number}" for number in range(6))]
PLAIN = "id LIKE 'r%'"


@pytest.fixture(scope="module")
def runs_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        fill_runs(open_at(root / "store", project="lab"))
    return root / "store"


@pytest.fixture
def runs_client(runs_directory: Path, make_client: MakeClient) -> TestClient:
    return make_client(open_site(open_at(runs_directory, project="lab")))


@pytest.fixture
def own_store(tmp_path: Path) -> Store:
    """A store of the test's own with the same runs."""
    return fill_runs(open_at(tmp_path / "own", project="lab"))


@pytest.fixture
def own_client(own_store: Store, make_client: MakeClient) -> TestClient:
    site = open_site(own_store, ServeSettings(write=True))
    client = make_client(site)
    client.headers["X-Artstore-Token"] = site.secret
    return client


def asked(client: TestClient, **query: Any) -> Any:
    answer = client.get(f"{LIST}?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(value: Any) -> list[str]:
    return [run["id"] for run in value["runs"]]


# which runs -----------------------------------------------------------------------------


def test_all_runs_are_listed_the_newest_first_and_counted(runs_client: TestClient) -> None:
    value = asked(runs_client)
    assert sorted(ids(value)) == sorted(THERE)
    assert ids(value)[:5] == [f"r{number}" for number in range(5, 0, -1)]
    assert (value["matching"], value["total"]) == (9, 9)
    assert value["states"] == {"failed": 1, "finished": 7, "running": 1}
    assert {"tag": "cnn", "count": 6} in value["tags"]
    assert value["error"] is None


def test_deleted_runs_come_on_request_and_say_so(runs_client: TestClient) -> None:
    value = asked(runs_client, deleted=1)
    (gone,) = [run for run in value["runs"] if run["id"] == "gone"]
    assert gone["deleted"]
    assert gone["state"] == "deleted"
    assert value["total"] == 10


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"where": "config.lr = 0.1"}, ["live", "r0", "r3"]),
        ({"where": ["config.lr = 0.1", "summary.acc > 0"]}, ["r3"]),
        ({"where": "{'config.lr': {$lt: 0.01}}"}, ["r2", "r5"]),
        ({"where": "lr = 0.1 AND tags = 'even'"}, None),
        ({"where": "'even' IN tags"}, ["r0", "r2", "r4"]),
        ({"state": "running"}, ["live"]),
        ({"state": ["running", "failed"]}, ["live", "r5"]),
        ({"tag": "odd", "state": "finished"}, ["r1", "r3"]),
        ({"tag": ["odd", "cnn"]}, ["r1", "r3", "r5"]),
        ({"tag": SCRIPT}, ["evil"]),
        ({"tag": "it's"}, ["evil"]),
        ({"tag": "nobody"}, []),
    ],
)
def test_conditions_states_and_tags_choose_runs(
    runs_client: TestClient, query: dict[str, Any], found: list[str] | None
) -> None:
    if found is None:
        answer = runs_client.get(f"{LIST}?{urlencode(query, doseq=True)}")
        assert answer.json()["error"]["code"] == "expression-type-invalid"
        return
    value = asked(runs_client, **query)
    assert sorted(ids(value)) == found
    assert value["matching"] == len(found)
    assert value["total"] == 9


def test_an_error_tells_the_character_and_people_still_see_all_runs(
    runs_client: TestClient,
) -> None:
    query = urlencode({"where": ["config.lr > 0", "config.lr >"]}, doseq=True)
    answer = runs_client.get(f"{LIST}?{query}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "expression-invalid"
    assert error["position"] == len("config.lr >")
    page = runs_client.get(f"/p/lab/runs?{query}")
    assert page.status_code == 200
    assert 'data-position="11"' in page.text
    assert "All runs are shown." in page.text
    assert "<strong>9</strong> of 9 runs" in page.text


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ({"sort": "nothing"}, "sort"),
        ({"columns": "nothing"}, "columns"),
        ({"group": "no"}, "group"),
    ],
)
def test_what_cannot_be_used_of_an_address_is_left_out_for_people(
    runs_client: TestClient, query: dict[str, str], part: str
) -> None:
    answer = runs_client.get(f"{LIST}?{urlencode(query)}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "column-unknown"
    page = runs_client.get(f"/p/lab/runs?{urlencode(query)}")
    assert page.status_code == 200
    assert f"What the address says of {part} is left out." in page.text


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("summary.acc", ["r0", "r1"]),
        ("-summary.acc", ["r5", "r4"]),
        ("-summary.val/acc,summary.acc", ["r0", "r1"]),
        ('summary."val/loss"', ["r5", "r4"]),
        ("config.lr,-summary.acc", ["r5", "r2"]),
        ("-duration", ["live"]),
        ("name", ["evil", "live"]),
    ],
)
def test_any_column_sorts_and_what_has_no_value_is_last(
    runs_client: TestClient, sort: str, first: list[str]
) -> None:
    assert ids(asked(runs_client, sort=sort))[: len(first)] == first


# columns --------------------------------------------------------------------------------


def test_columns_that_differ_are_shown_at_first(runs_client: TestClient) -> None:
    names = [column["name"] for column in asked(runs_client)["columns"]]
    assert names[:4] == ["state", "created", "duration", "user"]
    assert {"group", "job_type", "tags"} <= set(names)
    assert {"config.lr", "config.seed", "summary.acc"} <= set(names)
    assert not [name for name in names if name.startswith("summary._")]


def test_columns_are_those_that_were_asked_for_in_their_order(runs_client: TestClient) -> None:
    value = asked(runs_client, columns="summary.val/loss,lr,id", where=PLAIN, sort="id")
    assert [column["name"] for column in value["columns"]] == [
        'summary."val/loss"',
        "config.lr",
        "id",
    ]
    assert [column["label"] for column in value["columns"]] == ["val/loss", "lr", "id"]
    assert value["runs"][1]["values"] == {
        'summary."val/loss"': 0.9,
        "config.lr": 0.01,
        "id": "r1",
    }


def test_every_key_is_told_with_how_many_have_it(runs_client: TestClient) -> None:
    value = asked(runs_client, show="columns")
    keys = {key["name"]: key for key in value["keys"]}
    assert keys["config.seed"] == {
        "name": "config.seed",
        "sql": "config.seed",
        "section": "config",
        "kind": "number",
        "run_count": 6,
        "differs": True,
    }
    assert keys["config.lr"]["kind"] == "mixed"
    assert "config.optim.name" in keys
    assert f'config."{SCRIPT}"' in keys
    assert {"name": "duration", "kind": "number"} in value["facts"]
    # Each of them is a column of the list.
    names = [key["name"] for key in value["keys"]]
    listed = asked(runs_client, columns=",".join(names))
    assert [column["name"] for column in listed["columns"]] == names


def test_two_thousand_keys_are_listed_and_more_columns_than_fit_are_refused(
    tmp_path: Path, make_client: MakeClient
) -> None:
    store = begin_store(open_at(tmp_path / "wide", project="lab"))
    for number in range(3):
        add_run(store, f"w{number}", config={f"key {key}": key + number for key in range(2_000)})
    client = make_client(open_site(store))
    assert len(asked(client, show="columns")["keys"]) == 2_000
    assert len(asked(client)["columns"]) < 20
    answer = client.get(f"{LIST}?columns=config")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "limit-exceeded")


def test_numbers_that_json_has_not_are_texts_and_long_texts_are_cut(
    runs_client: TestClient,
) -> None:
    names = "summary.loss,summary.top,summary.low,summary.list,config.optim,config.long"
    value = asked(runs_client, columns=names, where="id IN ('odd', 'evil')", sort="-id")
    odd, evil = (run["values"] for run in value["runs"])
    assert (odd["summary.loss"], odd["summary.top"]) == ("NaN", "Infinity")
    assert odd["summary.low"] == "-Infinity"
    assert odd["summary.list"] == [1, 2]
    assert odd["config.optim"] == {"name": "adam", "a.b": 1}
    assert evil["config.long"]["length"] == len(LONG)
    assert len(evil["config.long"]["v"]) == 1_000


# groups ---------------------------------------------------------------------------------


def test_groups_have_counts_states_and_means(runs_client: TestClient) -> None:
    value = asked(runs_client, group="config.lr", where=PLAIN, columns="summary.acc")
    assert value["runs"] == []
    groups = {group["values"][0]: group for group in value["groups"]}
    assert set(groups) == {0.1, 0.01, 0.001}
    low = groups[0.001]
    assert (low["count"], low["states"]) == (2, {"failed": 1, "finished": 1})
    measure = low["measures"]["summary.acc"]
    assert (measure["count"], measure["low"], measure["high"]) == (2, 0.2, 0.5)
    assert math.isclose(measure["mean"], 0.35)
    assert value["pages"]["total"] == 3


def test_the_condition_of_a_group_finds_its_runs_and_no_others(runs_client: TestClient) -> None:
    names = "config.lr,group"
    for group in asked(runs_client, group=names)["groups"]:
        found = asked(runs_client, where=group["where"])
        assert found["matching"] == group["count"]


def test_two_values_group_and_an_open_group_shows_its_runs(runs_client: TestClient) -> None:
    closed = asked(runs_client, group="group,job_type", where=PLAIN)["groups"]
    assert sorted(group["values"] for group in closed) == [["first", "train"], ["second", "train"]]
    assert all(group["runs"] == [] for group in closed)
    key = closed[0]["key"]
    opened = asked(runs_client, group="group,job_type", where=PLAIN, open=key)["groups"]
    assert [len(group["runs"]) for group in opened if group["is_open"]] == [3]


def test_groups_are_sorted_by_size_by_their_value_or_by_a_mean(runs_client: TestClient) -> None:
    def values(sort: str) -> list[Any]:
        found = asked(runs_client, group="lr", where=PLAIN, sort=sort, columns="summary.acc")
        return [group["values"][0] for group in found["groups"]]

    assert values("config.lr") == [0.001, 0.01, 0.1]
    assert values("-summary.acc") == [0.001, 0.01, 0.1]
    assert values("summary.acc") == values("acc") == [0.1, 0.01, 0.001]
    assert asked(runs_client, group="lr", sort="-count")["groups"][0]["count"] == 3


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(0, 2), max_size=2),
    st.sampled_from(["a'b", '"', "NaN", "1", "true", "", "\n", "%"]),
)


@example(values=[sys.float_info.max] * 6, key="a")
@given(values=st.lists(VALUES, min_size=1, max_size=6), key=st.text(min_size=1, max_size=5))
def test_what_a_group_says_in_words_is_true_of_its_runs_alone(values: list[Any], key: str) -> None:
    from artstore.catalog.runs.state import empty_whole
    from artstore.runs.names import shown_name
    from artstore.runs.nonfinite import encoded

    wholes = [
        {**empty_whole("lab", f"r{number}"), "config": {key: encoded(value)}}
        for number, value in enumerate(values)
    ]
    name = f"config.{shown_name((key,))}"
    try:
        groups = measured(group_runs(wholes, [name]), wholes, [name])
    except InvalidInputError:
        # Such a key cannot be named.
        return
    assert sorted(run for group in groups for run in group.ids) == [w["run"] for w in wholes]
    source = ProjectRuns("lab", wholes, 1)
    for group in groups:
        told = equals(name, group.values[0])
        if told is not None:
            try:
                found = selected_ids(source, "lab", where=told)
            except InvalidInputError:
                # A text may have characters that no condition takes; the group says nothing wrong.
                continue
            assert sorted(found) == sorted(group.ids), told


# addresses, files -----------------------------------------------------------------------

NAMES = st.sampled_from(["config.lr", "name", 'summary."a,b"', "-created", "tags", 'config."x y"'])


@given(
    st.builds(
        RunListState,
        where=st.lists(st.text(min_size=1, max_size=9).filter(str.strip), max_size=3).map(tuple),
        tags=st.lists(st.text(min_size=1, max_size=9), unique=True, max_size=3).map(tuple),
        sort=st.lists(NAMES, unique=True, max_size=3).map(tuple),
        columns=st.none() | st.lists(NAMES, unique=True, min_size=1, max_size=3).map(tuple),
        deleted=st.booleans(),
        chosen=st.lists(st.sampled_from(["a", "b-c", "d.e"]), unique=True).map(tuple),
        page=st.integers(1, 99),
    )
)
def test_the_address_holds_the_whole_view(state: RunListState) -> None:
    text = state.query(page=state.page)
    assert read_state(QueryParams(text.removeprefix("?"))) == state


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=99", "run=a/b", "run=%00", "show=what", "format=exe"]
)
def test_what_is_no_view_is_refused(runs_client: TestClient, query: str) -> None:
    assert runs_client.get(f"{LIST}?{query}").status_code == 400


def test_more_runs_than_are_compared_cannot_be_ticked() -> None:
    query = "&".join(f"run=r{number}" for number in range(CHOSEN_MAX + 1))
    with pytest.raises(LimitExceededError):
        read_state(QueryParams(query))


def test_rows_that_are_shown_stay_and_new_ones_are_counted(runs_client: TestClient) -> None:
    value = asked(runs_client, rows="r2,r0,nobody", sort="-summary.acc")
    assert ids(value) == ["r2", "r0"]
    assert value["fresh"] == 7


def test_the_list_is_saved_as_csv_without_formulas(runs_client: TestClient) -> None:
    answer = runs_client.get(f"/p/lab/runs?format=csv&columns=job_type,config.lr&where={PLAIN}")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["id", "name", "job_type", "config.lr"]
    assert rows[1] == ["r5", "run 5", "train", "0.001"]
    assert len(rows) == 7
    evil = runs_client.get("/p/lab/runs?format=csv&columns=job_type&where=id='evil'")
    assert list(csv.reader(io.StringIO(evil.text)))[1][2] == f"'{FORMULA}"
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'


def test_the_list_is_saved_as_json_with_whole_values(runs_client: TestClient) -> None:
    answer = runs_client.get("/p/lab/runs?format=json&columns=config.long&where=id='evil'")
    (run,) = json.loads(answer.text)["runs"]
    assert run["values"] == {"config.long": LONG}


def test_points_of_charts_are_the_values_of_all_runs_that_match(runs_client: TestClient) -> None:
    value = asked(runs_client, show="points", axis="lr,summary.acc", where=PLAIN, sort="id")
    assert value["runs"] == [f"r{number}" for number in range(6)]
    assert [axis["name"] for axis in value["axes"]] == ["config.lr", "summary.acc"]
    assert value["axes"][1]["values"] == [number / 10 for number in range(6)]


def test_long_lists_are_cut_into_pages(tmp_path: Path, make_client: MakeClient) -> None:
    store = begin_store(open_at(tmp_path / "many", project="lab"))
    for number in range(205):
        add_run(store, f"m{number:03}", config={"n": number})
    client = make_client(open_site(store))
    value = asked(client, sort="config.n", page=3)
    assert ids(value) == [f"m{number}" for number in range(200, 205)]
    assert value["pages"] == {"page": 3, "page_count": 3, "total": 205}
    page = client.get("/p/lab/runs?sort=config.n&run=m000&page=2").text
    # Ticks of another page travel along.
    assert '<input type="hidden" name="run" value="m000">' in page
    # A page that is no more is the last one for people.
    assert client.get("/p/lab/runs?page=9").status_code == 200


# projects -------------------------------------------------------------------------------


def test_a_project_of_runs_alone_is_a_project(tmp_path: Path, make_client: MakeClient) -> None:
    store = begin_store(open_at(tmp_path / "only", project="lab"))
    add_run(store, "a", project="alone")
    client = make_client(open_site(store))
    assert client.get("/api/v1/").json()["projects"] == [
        {"project": "alone", "collection_count": 0, "run_count": 1},
        {"project": "lab", "collection_count": 1, "run_count": 0},
    ]
    assert client.get("/api/v1/p/alone").json()["run_count"] == 1
    assert client.get("/p/alone").status_code == 200
    assert client.get("/api/v1/p/lab/runs").json()["total"] == 0
    assert client.get("/api/v1/p/nobody/runs").json()["error"]["code"] == "project-not-found"


def test_a_version_tells_the_run_that_made_it_and_those_that_used_it(
    tmp_path: Path, make_client: MakeClient
) -> None:
    from artstore.catalog.requests import PublishRequest

    store = fill_runs(open_at(tmp_path / "made", project="lab"))
    catalog = store._place().catalog
    seed = catalog.state("lab", "data").versions[0]
    request = PublishRequest(
        type="model",
        digest="1" * 64,
        root=seed.root,
        push="1" * 16,
        size_bytes=1,
        file_count=1,
        entry_count=1,
        run="lab/r0",
    )
    catalog.commit("lab", "model", request)
    client = make_client(open_site(store))
    value = client.get("/api/v1/p/lab/c/model/v0").json()
    assert value["run"] == {"project": "lab", "id": "r0"}
    assert value["used_by"] == []
    used = client.get("/api/v1/p/lab/c/data/v0").json()
    assert used["run"] is None
    assert [run["id"] for run in used["used_by"]] == [f"r{number}" for number in range(6)]
    assert used["used_by_count"] == 6
    assert "/p/lab/runs/r3" in client.get("/p/lab/c/data/v0").text
    listed = client.get("/api/v1/p/lab/c/model").json()["versions"]
    assert listed[0]["run"] == {"project": "lab", "id": "r0"}
    assert "/p/lab/runs/r0" in client.get("/p/lab/c/model").text


# changes --------------------------------------------------------------------------------


def test_tags_names_and_notes_are_changed(own_client: TestClient, own_store: Store) -> None:
    body = {"run": ["r0", "r1"], "add_tag": [" new tag ", "cnn"], "remove_tag": ["even"]}
    answer = own_client.post(LIST, json=body)
    assert answer.status_code == 200, answer.text
    assert [run["tags"] for run in answer.json()["runs"]] == [
        ["cnn", "new tag"],
        ["cnn", "new tag", "odd"],
    ]
    assert ids(asked(own_client, tag="new tag", sort="id")) == ["r0", "r1"]
    own_client.post(LIST, json={"run": "r0", "name": SCRIPT, "notes": "a\r\nb"})
    whole = own_store.run("lab/r0").whole
    assert (whole["name"], whole["notes"]) == (SCRIPT, "a\nb")
    own_client.post(LIST, json={"run": "r0", "name": "", "notes": ""})
    whole = own_store.run("lab/r0").whole
    assert (whole["name"], whole["notes"]) == (None, None)


def test_runs_are_deleted_and_restored_and_one_that_goes_on_only_by_force(
    own_client: TestClient,
) -> None:
    assert own_client.post(LIST, json={"run": ["r0", "r1"], "delete": "1"}).status_code == 200
    assert asked(own_client)["total"] == 7
    answer = own_client.post(LIST, json={"run": ["r2", "live"], "delete": "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "run-active")
    assert asked(own_client)["total"] == 7
    own_client.post(LIST, json={"run": "live", "delete": "1", "force": "1"})
    assert asked(own_client)["total"] == 6
    answer = own_client.post("/p/lab/runs?deleted=1", data={"run": ["r0", "live"], "restore": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/lab/runs?deleted=1")
    assert asked(own_client)["total"] == 8


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"run": "r0"}, "request-invalid"),
        ({"add_tag": "x"}, "request-invalid"),
        ({"run": "r0", "force": "1"}, "request-invalid"),
        ({"run": "nobody", "add_tag": "x"}, "run-not-found"),
        ({"run": "../x", "add_tag": "x"}, "name-invalid"),
        ({"run": ["r0", "r1"], "name": "x"}, "request-invalid"),
        ({"run": "r0", "add_tag": "x" * 201}, "request-invalid"),
        ({"run": "r0", "notes": "x" * 100_001}, "request-invalid"),
        ({"run": [f"r{number}" for number in range(201)], "add_tag": "x"}, "limit-exceeded"),
    ],
)
def test_changes_that_make_no_sense_are_refused(
    own_client: TestClient, body: dict[str, Any], code: str
) -> None:
    assert own_client.post(LIST, json=body).json()["error"]["code"] == code


def test_nothing_is_changed_at_a_server_that_only_reads(runs_client: TestClient) -> None:
    answer = runs_client.post(LIST, json={"run": "r0", "add_tag": "x"})
    assert answer.status_code == 403
    page = runs_client.get("/p/lab/runs?run=r0").text
    assert 'method="post"' not in page


# people ---------------------------------------------------------------------------------


PAGES = [
    "/p/lab/runs",
    "/p/lab/runs?deleted=1&run=evil,r0",
    "/p/lab/runs?run=evil",
    "/p/lab/runs?columns=config,summary,notes,job_type&where=id='evil'",
    "/p/lab/runs?group=group,config.lr&open=%5B%22first%22%2C+0.1%5D",
    f"/p/lab/runs?tag={quote(SCRIPT)}&where={quote(SCRIPT)}&sort={quote(SCRIPT)}",
    "/p/lab",
    "/",
]


@pytest.mark.parametrize("is_write", [False, True])
@pytest.mark.parametrize("place", PAGES)
def test_a_page_has_nothing_that_the_author_of_a_run_wrote(
    runs_directory: Path, make_client: MakeClient, place: str, is_write: bool
) -> None:
    site = open_site(open_at(runs_directory, project="lab"), ServeSettings(write=is_write))
    answer = make_client(site).get(place)
    assert answer.status_code == 200, answer.text
    for tag, values in Elements(answer.text).found:
        is_data = values.get("type") == "application/json"
        assert tag != "script" or is_data or str(values["src"]).startswith("/static/")
        assert tag not in ("img", "iframe", "object", "embed", "base", "style")
        assert not [name for name in values if name.startswith("on") or name == "style"]
        for name in ("href", "action", "formaction"):
            assert str(values.get(name) or "/").startswith(("/", "#"))
    assert SCRIPT not in answer.text
    body = answer.text.replace(f'value="{SCRIPT}{BIDI}"', "")
    assert "\u202e" not in body or "<bdi>" in body


def test_every_link_of_a_list_leads_to_a_list(runs_client: TestClient) -> None:
    for place in PAGES[:6]:
        for tag, values in Elements(runs_client.get(place).text).found:
            link = values.get("href")
            if tag == "a" and link is not None and link.startswith("/p/lab/runs?"):
                assert runs_client.get(link).status_code == 200, link


def test_a_saved_list_is_a_view_of_its_own_kind(own_client: TestClient) -> None:
    address = "/p/lab/runs?where=config.lr+%3D+0.1&sort=-summary.acc&columns=config.lr"
    told = own_client.post("/api/v1/p/lab/views", json={"title": "Best", "address": address}).json()
    assert told["kind"] == "runs"
    (listed,) = own_client.get("/api/v1/p/lab/views?kind=runs").json()["views"]
    assert listed["name"] == "best"
    assert own_client.get("/api/v1/p/lab/views?kind=board").json()["views"] == []
    opened = own_client.get("/p/lab/views/best")
    assert opened.status_code == 303
    assert own_client.get(opened.headers["location"]).status_code == 200
    board = own_client.post(
        "/api/v1/p/lab/views",
        json={"title": "Panels", "address": "/p/lab/runs/r0?smooth=0.5", "kind": "board"},
    ).json()
    assert board["kind"] == "board"
    answer = own_client.post(
        "/api/v1/p/lab/views", json={"title": "x", "address": address, "kind": "No Kind"}
    )
    assert answer.json()["error"]["code"] == "view-invalid"

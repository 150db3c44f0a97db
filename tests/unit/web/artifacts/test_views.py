"""Saved views: kept in the store, opened by whoever uses it, and never trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.cli.run import run
from artstore.errors import ArtstoreError, DamagedDataError, InvalidInputError
from artstore.web.artifacts.savedviews import (
    SavedView,
    decode_view,
    encode_view,
    view_name,
    view_of_address,
)
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.unit.web.shelves import SCRIPT

TABLE = "/p/demo/c/digits/v0/tables/examples"
ADDRESS = f"{TABLE}?where=label%20%3D%203&sort=desc:id"
VIEWS = "/p/demo/views"


def saved(client: TestClient, title: str, address: str = ADDRESS, **more: str) -> dict[str, Any]:
    body = {"title": title, "address": address, **more}
    answer = client.post(f"/api/v1{VIEWS}", json=body)
    assert answer.status_code == 200, answer.text
    value: dict[str, Any] = answer.json()
    return value


def forge(
    store: Store, name: str, data: bytes, *, path: str = "view.json", kind: str = "view"
) -> None:
    draft = art.Artifact(f"view-{name}", kind)
    with draft.new_file(path, "wb") as file:
        file.write(data)
    store.log_artifact(draft)


def forged(**changes: Any) -> bytes:
    value = {
        "_type": "view",
        "format": 1,
        "title": "t",
        "description": "",
        "path": TABLE,
        "query": [],
    }
    return json.dumps({**value, **changes}).encode()


# what a view is ---------------------------------------------------------------------------


def test_a_view_is_what_it_was_when_it_is_read_again() -> None:
    view = view_of_address("Top errors", f"{TABLE}?where=a%20%3E%201&where=b&sort=asc:x#end", "why")
    assert view.query == (("where", "a > 1"), ("where", "b"), ("sort", "asc:x"))
    assert decode_view(encode_view(view), where="x") == view
    assert view.address == f"{TABLE}?where=a%20%3E%201&where=b&sort=asc:x"
    assert view.shown.version == "v0"
    assert view.shown.path == "examples"


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=5),
)
def test_any_state_of_a_page_survives_its_file_and_its_address(
    title: str, query: list[tuple[str, str]]
) -> None:
    view = SavedView(title, TABLE, tuple(query))
    try:
        data = encode_view(view)
        again = decode_view(data, where="x")
    except ArtstoreError:
        return
    assert again.query == tuple(pair for pair in query if pair[0] != "token")
    assert view_of_address("x", again.address).query == again.query


def test_the_format_page_shows_a_view_and_a_name_as_they_are() -> None:
    page = (Path(__file__).parents[4] / "docs" / "format" / "view.md").read_text("utf-8")
    (shown,) = re.findall(r"```json\n(.*)\n```", page)
    view = view_of_address(
        "Threes", "/p/demo/c/digits/v3/tables/examples?where=label+%3D+3&sort=desc:id"
    )
    assert encode_view(view) == shown.encode()
    assert f"`{view_name('Top errors!')}`" in page


def test_titles_that_differ_have_names_that_differ() -> None:
    assert view_name("Top errors") == view_name(" top  ERRORS ") == "top-errors"
    titles = ("Top errors", "top-errors!", "top errors?", "ошибки", "错")
    assert len({view_name(title) for title in titles}) == 5
    assert view_name("x" * 200) != view_name("x" * 199)


@given(st.text(min_size=1, max_size=200))
def test_every_title_that_is_taken_makes_a_name_that_an_artifact_can_have(title: str) -> None:
    try:
        name = view_name(title)
    except InvalidInputError as error:
        assert error.code == "view-invalid"
        return
    art.Artifact(f"view-{name}", "view")


@pytest.mark.parametrize(
    "address",
    [
        "//evil.com/p/x",
        "/p//evil.com",
        "https://evil.com/p/demo",
        "javascript:alert(1)",
        "/p/demo/../../api",
        "/p/demo/%2e%2e/x",
        "/p/demo/%2E",
        "/p/demo\\..\\x",
        "/p/demo/%5cx",
        "/p/demo/%0d%0aSet-Cookie:x",
        "/p/demo/%ff",
        "/p/de mo",
        "/p/größe",
        "/api/v1/p/demo",
        "/static/x.js",
        "/p/demo/views/other",
        "/p/demo/%76iews/other",
        "p/demo",
        "",
        "/p/demo?x=%ff",
        "/p/" + "x" * 20_000,
        "/p/demo?x=" + "y" * 300_000,
        "/p/demo?" + "&".join(["x=1"] * 5000),
    ],
)
def test_what_is_no_page_of_this_site_is_no_view(address: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        view_of_address("t", address)
    assert caught.value.code == "view-invalid"


@pytest.mark.parametrize(
    "data",
    [
        forged(path="//evil.com"),
        forged(path="/p/../../x"),
        forged(path="javascript:alert(1)"),
        forged(path="/p/x?where=1"),
        forged(path="/p/x#y"),
        forged(path="/p/demo/views/view"),
        forged(path=7),
        forged(path=None),
        forged(query={"a": "b"}),
        forged(query=[["a"]]),
        forged(query=[["a", 1]]),
        forged(query=[["a", "b"]] * 5000),
        forged(query=[["a", "b" * 300_000]]),
        forged(title=""),
        forged(title="a\nb"),
        forged(title="x" * 201),
        forged(title="\ud800"),
        forged(description="x" * 10_001),
        forged(kind=3),
        forged(kind="No Kind"),
        forged(kind="x" * 41),
        forged(_type="table"),
        forged(format=True),
        forged(format=0),
        b"[]",
        b"",
        b"\xff",
        b'{"path": "/p/a", "path": "/p/b"}',
        b"[" * 5000,
    ],
)
def test_a_forged_view_is_refused_when_it_is_read(data: bytes) -> None:
    with pytest.raises(DamagedDataError) as caught:
        decode_view(data, where="x")
    assert caught.value.code == "view-damaged"


def test_a_view_of_a_newer_format_is_not_guessed_at() -> None:
    with pytest.raises(ArtstoreError) as caught:
        decode_view(forged(format=2), where="x")
    assert caught.value.code == "format-unsupported"


def test_the_token_of_a_visitor_is_never_kept() -> None:
    assert view_of_address("t", f"{TABLE}?token=secret&start=3").query == (("start", "3"),)


# saving and opening -----------------------------------------------------------------------


def test_a_saved_view_is_listed_and_leads_to_its_page(
    write_client: TestClient, web_store: Store
) -> None:
    told = saved(write_client, "Threes", description="only threes")
    assert (told["name"], told["version"]) == ("threes", "v0")
    assert told["shows"] == {
        "project": "demo",
        "collection": "digits",
        "version": "v0",
        "page": "tables",
        "path": "examples",
    }
    (listed,) = write_client.get(f"/api/v1{VIEWS}").json()["views"]
    assert listed["title"] == "Threes"
    assert listed["created_by"] == web_store.history("demo/view-threes")[0]["by"]
    assert told.items() <= listed.items()
    page = write_client.get(VIEWS)
    assert page.status_code == 200
    assert "Threes" in page.text
    assert "digits:v0" in page.text
    answer = write_client.get(f"{VIEWS}/threes")
    assert answer.status_code == 303
    assert answer.headers["location"] == ADDRESS
    assert write_client.get(answer.headers["location"]).status_code == 200
    assert write_client.get(f"/api/v1{VIEWS}/threes").json()["query"] == [
        ["where", "label = 3"],
        ["sort", "desc:id"],
    ]


def test_saving_again_makes_a_version_and_the_old_one_can_be_opened(
    write_client: TestClient, web_store: Store
) -> None:
    saved(write_client, "Threes")
    again = saved(write_client, "threes", f"{TABLE}?where=label%20%3D%204")
    assert again["version"] == "v1"
    assert write_client.get(f"{VIEWS}/threes").headers["location"].endswith("4")
    assert write_client.get(f"{VIEWS}/threes?version=v0").headers["location"] == ADDRESS
    artifact = web_store.artifact("demo/view-threes:v1")
    assert artifact.type == "view"
    assert artifact.metadata == {"title": "threes"}
    assert [entry.path for entry in artifact.entries()] == ["view.json"]
    (listed,) = write_client.get(f"/api/v1{VIEWS}").json()["views"]
    assert (listed["version"], listed["version_count"]) == ("v1", 2)


def test_the_same_view_saved_twice_is_one_version(write_client: TestClient) -> None:
    assert saved(write_client, "Threes")["version"] == saved(write_client, "Threes")["version"]


def test_a_deleted_view_is_not_listed_and_can_be_restored(
    write_client: TestClient, web_store: Store
) -> None:
    saved(write_client, "Threes")
    web_store.delete("demo/view-threes:v0", force=True)
    assert write_client.get(f"/api/v1{VIEWS}").json()["views"] == []
    answer = write_client.get(f"/api/v1{VIEWS}/threes")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "view-not-found"
    web_store.restore("demo/view-threes:v0")
    assert write_client.get(f"{VIEWS}/threes").status_code == 303


def test_a_form_saves_and_leads_to_the_list(write_site: Site, write_client: TestClient) -> None:
    del write_client.headers["X-Artstore-Token"]
    form = {"title": "Threes", "address": ADDRESS, "artstore-token": write_site.secret}
    answer = write_client.post(VIEWS, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, VIEWS)
    assert "Threes" in write_client.get(VIEWS).text


def test_a_state_that_the_server_keeps_is_saved_as_it_is(write_client: TestClient) -> None:
    text = f"label in ({', '.join(map(str, range(900)))}) and id >= 0" + " " * 5000
    query = str(write_client.build_request("GET", "/", params={"where": text}).url.query, "ascii")
    kept = write_client.post(
        "/api/v1/p/demo/c/digits/v0/table-view/examples",
        content=query,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ).json()["view"]
    told = saved(write_client, "Long", f"{TABLE}?view={kept}&start=2")
    assert told["query"] == [["where", text], ["start", "2"]]
    location = write_client.get(f"{VIEWS}/long").headers["location"]
    assert location == f"{TABLE}?view={location[-32:]}"
    rows = write_client.get(f"/api/v1/p/demo/c/digits/v0/table-rows/examples?view={location[-32:]}")
    assert rows.json()["start"] == 2


def test_an_id_that_is_not_kept_any_more_saves_nothing(
    write_client: TestClient, web_store: Store
) -> None:
    body = {"title": "Lost", "address": f"{TABLE}?view={'0' * 32}"}
    answer = write_client.post(f"/api/v1{VIEWS}", json=body)
    assert answer.json()["error"]["code"] == "view-not-found"
    assert "view-lost" not in web_store.collection_names("demo")


def test_an_alias_stays_an_alias(write_client: TestClient) -> None:
    told = saved(write_client, "Newest", "/p/demo/c/digits/latest/tables/examples")
    assert told["shows"]["version"] == "latest"
    assert told["path"] == "/p/demo/c/digits/latest/tables/examples"


def test_views_work_behind_a_proxy(
    web_store: Store, make_client: Callable[[Site], TestClient]
) -> None:
    site = open_site(web_store, ServeSettings(write=True, root_path="/art"))
    client = make_client(site)
    client.headers["X-Artstore-Token"] = site.secret
    told = saved(client, "Threes", f"/art{ADDRESS}")
    assert told["path"] == TABLE
    assert told["address"] == f"/art{VIEWS}/threes"
    assert client.get(f"{VIEWS}/threes").headers["location"] == f"/art{ADDRESS}"


def test_a_view_of_another_project_is_kept_there(
    write_client: TestClient, web_store: Store
) -> None:
    body = {"title": "Mine", "address": ADDRESS}
    answer = write_client.post("/api/v1/p/other/views", json=body)
    assert answer.json()["project"] == "other"
    assert "view-mine" in web_store.collection_names("other")
    assert "view-mine" not in web_store.collection_names("demo")


def test_a_view_of_a_deleted_version_says_so_on_its_page(
    write_client: TestClient, web_store: Store
) -> None:
    saved(write_client, "Threes")
    web_store.delete("demo/digits:v0", force=True)
    location = write_client.get(f"{VIEWS}/threes").headers["location"]
    answer = write_client.get(f"/api/v1{location}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "version-deleted"
    assert write_client.get(VIEWS).status_code == 200


def test_lists_of_artifacts_leave_views_out(
    write_client: TestClient, web_store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    saved(write_client, "Threes")

    def listed(*options: str) -> list[str]:
        capfd.readouterr()
        assert run(["ls", "demo/", "--json", "--store", web_store.url, *options]) == 0
        return [one["name"] for one in json.loads(capfd.readouterr().out)["artifacts"]]

    assert "view-threes" not in listed()
    assert "digits" in listed()
    assert "view-threes" in listed("--all")
    project = write_client.get("/api/v1/p/demo").json()["collections"]
    assert [one["name"] for one in project if one["type"] == "view"] == []
    assert "view-threes" not in write_client.get("/p/demo").text
    assert f'href="{VIEWS}"' in write_client.get("/p/demo").text
    assert "view-threes" not in write_client.get("/").text
    # Its own page is there: with its versions, its history, and a way to delete it.
    assert write_client.get("/p/demo/c/view-threes").status_code == 200


# what is refused -----------------------------------------------------------------------


def test_nothing_is_saved_where_writing_is_not_allowed(client: TestClient, site: Site) -> None:
    headers = {"X-Artstore-Token": site.secret}
    body = {"title": "t", "address": ADDRESS}
    answer = client.post(f"/api/v1{VIEWS}", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "writing-refused")
    assert not any(name.startswith("view-") for name in site.store.collection_names("demo"))


def test_nothing_is_saved_without_the_token_or_from_another_site(write_client: TestClient) -> None:
    body = {"title": "t", "address": ADDRESS}
    origin = {"Origin": "https://evil.example"}
    answer = write_client.post(f"/api/v1{VIEWS}", json=body, headers=origin)
    assert answer.json()["error"]["code"] == "origin-refused"
    del write_client.headers["X-Artstore-Token"]
    answer = write_client.post(f"/api/v1{VIEWS}", json=body)
    assert answer.json()["error"]["code"] == "origin-refused"
    assert write_client.get(f"/api/v1{VIEWS}").json()["views"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"title": "t"}, "request-invalid"),
        ({"address": ADDRESS}, "request-invalid"),
        ({"title": "", "address": ADDRESS}, "view-invalid"),
        ({"title": "a\nb", "address": ADDRESS}, "view-invalid"),
        ({"title": "t", "address": "//evil.com"}, "view-invalid"),
        ({"title": "t", "address": ADDRESS, "name": "x"}, "request-invalid"),
        ({"title": 7, "address": ADDRESS}, "request-invalid"),
    ],
)
def test_what_is_no_view_is_refused(
    write_client: TestClient, body: dict[str, Any], code: str
) -> None:
    answer = write_client.post(f"/api/v1{VIEWS}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_hostile_title_is_text_wherever_it_stands(write_client: TestClient) -> None:
    for title in (SCRIPT, "=cmd('calc')!A1", "\u202eevil", "'\"><img src=x onerror=alert(1)>"):
        saved(write_client, title, description=title)
    page = write_client.get(VIEWS).text
    assert SCRIPT not in page
    assert "<img" not in page
    titles = [one["title"] for one in write_client.get(f"/api/v1{VIEWS}").json()["views"]]
    assert SCRIPT in titles


@pytest.mark.parametrize("path", ["//evil.com", "/p/../../x", "javascript:alert(1)", "/p/x/../.."])
def test_a_forged_view_leads_nowhere(write_client: TestClient, web_store: Store, path: str) -> None:
    forge(web_store, "forged", forged(path=path))
    saved(write_client, "Good")
    answer = write_client.get(f"{VIEWS}/forged")
    assert answer.status_code == 500
    assert "location" not in answer.headers
    listed = {one["name"]: one for one in write_client.get(f"/api/v1{VIEWS}").json()["views"]}
    assert listed["forged"]["problem"]["code"] == "view-damaged"
    assert listed["forged"]["path"] is None
    assert listed["good"]["problem"] is None
    assert write_client.get(VIEWS).status_code == 200


def test_an_artifact_that_only_has_the_name_of_a_view_is_none(
    write_client: TestClient, web_store: Store
) -> None:
    forge(web_store, "other", forged(), kind="dataset")
    forge(web_store, "files", forged(), path="other.json")
    assert [one["name"] for one in write_client.get(f"/api/v1{VIEWS}").json()["views"]] == ["files"]
    answer = write_client.get(f"/api/v1{VIEWS}/other").json()
    assert answer["error"]["code"] == "view-not-found"
    assert write_client.get(f"/api/v1{VIEWS}/files").json()["error"]["code"] == "view-damaged"
    body = {"title": "other", "address": ADDRESS}
    answer = write_client.post(f"/api/v1{VIEWS}", json=body).json()
    assert answer["error"]["code"] == "type-mismatch"


def test_a_project_that_is_not_there_has_no_views(client: TestClient) -> None:
    assert client.get("/api/v1/p/nothing/views").json()["error"]["code"] == "project-not-found"
    assert client.get(f"/api/v1{VIEWS}").json() == {
        "project": "demo",
        "views": [],
        "pages": {"page": 1, "page_count": 1, "total": 0},
    }
    assert "No view is saved" in client.get(VIEWS).text

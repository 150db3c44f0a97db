"""What goes wrong is told in one shape, without paths and traces, and the server goes on."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from artstore.api import Store
from artstore.errors import ArtstoreError, DamagedDataError, InvalidInputError, UnavailableError
from artstore.web.failures import failure_value, without_paths
from artstore.web.opening import open_site
from artstore.web.routing import Page, Visit
from artstore.web.site import Site
from tests.unit.web.conftest import MakeClient

API = "/api/v1"


def failing(site: Site, error: Exception) -> Site:
    def fail(_visit: Visit) -> None:
        raise error

    return Site(site.store, pages=[*site.pages, Page("/fail", fail, "fail")])  # type: ignore[arg-type]


def test_an_error_has_one_shape(site: Site, make_client: MakeClient) -> None:
    error = InvalidInputError("no good", code="expression-invalid", hint="try", position=7)
    client = make_client(failing(site, error))
    answer = client.get(API + "/fail")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {"code": "expression-invalid", "message": "no good", "hint": "try", "position": 7}
    }
    page = client.get("/fail")
    assert page.status_code == 400
    assert 'role="alert">no good</p>' in page.text


def test_what_nobody_expected_is_told_by_a_number_that_the_log_has(
    site: Site, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(failing(site, RuntimeError("secret of the house")))
    with caplog.at_level(logging.ERROR):
        told = client.get(API + "/fail").json()["error"]
    assert told["code"] == "unexpected"
    assert "secret" not in str(told)
    assert told["id"] in caplog.text
    assert "secret of the house" in caplog.text
    assert client.get("/").status_code == 200


def test_messages_have_no_paths_of_this_machine(web_store: Store) -> None:
    site = open_site(web_store)
    place = web_store.url.removeprefix("file://")
    home = str(Path.home())
    for text in (
        f"cannot read {place}/packs/ab/cd-ef: no such file",
        f"cannot read {web_store.url}/packs/ab",
        f"{home}/.cache/artstore is full",
        f"[Errno 28] No space left: '{tempfile.gettempdir()}/x/y'",
        "cannot open '/var/lib/somewhere/deep/file.bin'",
    ):
        error = UnavailableError(text, code="storage-unavailable", hint=text)
        told = failure_value(error, site)["error"]
        for part in (place, home, tempfile.gettempdir(), "/var/lib", "file://"):
            assert part not in told["message"] + told["hint"], text


def test_what_a_visitor_wrote_is_told_as_it_was_written(site: Site) -> None:
    error: ArtstoreError = InvalidInputError("no: a LIKE '/x/y/z'", code="expression-invalid")
    assert without_paths(error.message, error, site) == "no: a LIKE '/x/y/z'"
    error = DamagedDataError("train/a/b.png of demo/files:v1", code="content-damaged")
    assert without_paths(error.message, error, site) == error.message


def test_a_store_that_goes_away_is_told_and_comes_back(
    web_store: Store, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client(open_site(web_store))
    assert client.get("/p/demo").status_code == 200
    place, away = tmp_path / "store", tmp_path / "away"
    place.rename(away)
    for path in ("/", "/p/demo", "/p/demo/c/files", "/p/demo/c/files/v1"):
        answer = client.get(API + path)
        assert str(tmp_path) not in answer.text, path
        assert str(tmp_path) not in client.get(path).text
    assert client.get(API + "/p/demo/c/files/v1").status_code >= 400
    away.rename(place)
    assert client.get("/p/demo/c/files/v1").status_code == 200


def test_a_damaged_version_is_told_and_its_neighbours_are_shown(
    web_store: Store, make_client: MakeClient, tmp_path: Path
) -> None:
    root = web_store.versions("files")[2].root
    (tmp_path / "store" / root).write_bytes(b"nonsense")
    client = make_client(open_site(web_store))
    answer = client.get(API + "/p/demo/c/files/v2")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "manifest-damaged"
    assert str(tmp_path) not in answer.text
    listed = client.get(API + "/p/demo/c/files").json()["versions"]
    assert [item["message"] for item in listed] == [None, "push 1", None]
    assert client.get("/p/demo/c/files/v1").status_code == 200


def test_a_collection_that_is_gone_is_told(
    web_store: Store, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client(open_site(web_store))
    for folder in (tmp_path / "store").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    assert client.get(API + "/p/demo/c/files/v1").status_code in (404, 500)
    assert client.get("/").status_code in (200, 500)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_methods_that_are_not_taken_are_told(
    site: Site, make_client: MakeClient, method: str
) -> None:
    answer = make_client(site).request(method, API + "/p/demo")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method-refused")
    assert "GET" in answer.headers["allow"]


def test_a_store_that_is_gone_is_not_taken_for_an_empty_one(
    web_store: Store, tmp_path: Path, make_client: MakeClient
) -> None:
    client = make_client(open_site(web_store))
    assert client.get("/p/demo/c/files/v1").status_code == 200
    place = tmp_path / "store"
    away = place.rename(tmp_path / "away")
    for path in ("/", "/p/demo", "/p/demo/c/files", "/p/demo/c/other/v0"):
        answer = client.get(API + path)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "store-not-found", path
        assert str(tmp_path) not in answer.text
    assert not place.exists()
    away.rename(place)
    assert client.get("/").status_code == 200
    found = client.get(f"{API}/p/demo/c/nothing").json()["error"]["code"]
    assert found == "collection-not-found"


def test_the_mark_below_a_condition_stands_where_it_should_whatever_paths_are_in_it(
    client: TestClient,
) -> None:
    home = tempfile.gettempdir()
    where = f"label = 1 and '{home}/x' = nolabel"
    told = client.get(
        "/api/v1/p/demo/c/digits/v0/table-rows/examples", params={"where": where}
    ).json()["error"]
    first, line, mark = told["message"].split("\n")[:3]
    assert "nolabel" in first
    assert line.strip() == where
    assert mark.index("^") - line.index("label = 1") == told["position"] == where.index("nolabel")

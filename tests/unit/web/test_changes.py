"""What may be changed through the page: labels, description, deletion; as a form and as JSON."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from artstore.web.routing import Page, Visit, json_response
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.unit.web.conftest import MakeClient
from tests.unit.web.shelves import SCRIPT

API = "/api/v1"
V1, V2, V0 = (f"/p/demo/c/files/v{number}" for number in (1, 2, 0))


@pytest.mark.parametrize("kind", ["alias", "tag"])
def test_labels_are_given_and_taken_by_a_form_that_leads_back(
    write_client: TestClient, write_site: Site, kind: str
) -> None:
    added = write_client.post(V1, data={f"add_{kind}": "fine"})
    assert (added.status_code, added.headers["location"]) == (303, V1)
    assert "fine" in write_client.get(API + V1).json()[f"{'aliase' if kind == 'alias' else kind}s"]
    page = write_client.get(V1).text
    assert f'name="remove_{kind}" value="fine"' in page
    assert write_client.post(V1, data={f"remove_{kind}": "fine"}).status_code == 303
    version = write_site.store.artifact("files:v1")
    assert "fine" not in [*version.aliases, *version.tags]


def test_several_labels_are_changed_at_once_as_json(write_client: TestClient) -> None:
    value = {"add_alias": ["a", "b"], "remove_alias": "best", "add_tag": "two words"}
    answer = write_client.post(API + V1, json=value)
    assert answer.status_code == 200
    assert answer.json()["aliases"] == ["a", "b"]
    assert answer.json()["tags"] == ["raw", "two words"]


def test_a_change_meant_for_an_alias_hits_the_version_that_has_it(write_client: TestClient) -> None:
    answer = write_client.post(API + "/p/demo/c/files/best", json={"remove_alias": "best"})
    assert (answer.json()["version"], answer.json()["aliases"]) == ("v1", [])


def test_a_description_is_written_and_taken_away(write_client: TestClient) -> None:
    answer = write_client.post(V1, data={"description": f"one\r\ntwo {SCRIPT}"})
    assert answer.status_code == 303
    assert write_client.get(API + V1).json()["description"] == f"one\ntwo {SCRIPT}"
    assert "<script>alert" not in write_client.get(V1).text
    metadata = write_client.get(API + V1).json()["metadata"]
    assert metadata == {"step": 1, "rate": 0.5}
    write_client.post(V1, data={"description": ""})
    assert write_client.get(API + V1).json()["description"] is None


def test_a_text_field_keeps_its_first_line_end(write_client: TestClient) -> None:
    """A browser drops the line end right after the tag, so the page writes one more."""
    write_client.post(V1, data={"description": "\nindented"})
    assert 'name="description">\n\nindented</textarea>' in write_client.get(V1).text


def test_a_version_is_deleted_and_restored(write_client: TestClient) -> None:
    deleted = write_client.post(V2, data={"delete": "1"})
    assert (deleted.status_code, deleted.headers["location"]) == (303, "/p/demo/c/files")
    gone = write_client.get(V2)
    assert (gone.status_code, "version-deleted" in gone.text) == (404, True)
    # The way back to where it can be restored.
    assert 'href="/p/demo/c/files"' in gone.text
    listed = write_client.get("/p/demo/c/files").text
    assert f'action="{V2}"' in listed
    restored = write_client.post(V2, data={"restore": "1"})
    assert restored.status_code == 303
    assert write_client.get(V2).status_code == 200


def test_a_version_with_aliases_is_deleted_only_by_force(write_client: TestClient) -> None:
    answer = write_client.post(API + V1, json={"delete": "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "version-aliased")
    assert 'name="force"' in write_client.get(V1).text
    answer = write_client.post(API + V1, json={"delete": "1", "force": "1"})
    assert answer.json() == {"deleted": "demo/files:v1"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({}, "request-invalid"),
        ({"add_alias": ""}, "request-invalid"),
        ({"nonsense": "1"}, "request-invalid"),
        ({"add_alias": "v7"}, "name-invalid"),
        ({"add_alias": "latest"}, "name-invalid"),
        ({"add_alias": SCRIPT}, "name-invalid"),
        ({"add_tag": "a/b"}, "name-invalid"),
        ({"add_alias": 1}, "request-invalid"),
        ({"add_alias": {"a": "b"}}, "request-invalid"),
        ([], "request-invalid"),
        ("text", "request-invalid"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    write_client: TestClient, value: object, code: str
) -> None:
    answer = write_client.post(API + V1, json=value)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert write_client.get(API + V1).json()["aliases"] == ["best"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[" * 100_000, b'{"a": "\\ud800"}'],
    ids=["cut", "bytes", "deep", "half"],
)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/x"]
)
def test_a_body_that_cannot_be_read_is_refused(
    write_client: TestClient, body: bytes, kind: str
) -> None:
    answer = write_client.post(API + V1, content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request-invalid")


def test_a_body_over_the_limit_is_refused(write_client: TestClient) -> None:
    answer = write_client.post(API + V1, data={"description": "x" * 1_100_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request-too-large")


def test_a_page_that_only_asks_by_post_works_on_a_server_that_only_reads(
    site: Site, make_client: MakeClient
) -> None:
    def tell(visit: Visit) -> object:
        return json_response(visit.form().getlist("a"))

    page = Page("/ask", tell, "ask", methods=("POST",), is_write=False, body_max_bytes=100)  # type: ignore[arg-type]
    asked = Site(site.store, ServeSettings(), pages=[*site.pages, page])
    client = make_client(asked)
    headers = {"X-Artstore-Token": asked.secret}
    assert client.post("/ask", data={"a": ["1", "ä"]}, headers=headers).json() == ["1", "ä"]
    assert client.post("/ask", data={"a": "1"}).status_code == 403
    assert client.post("/ask", data={"a": "1" * 200}, headers=headers).status_code == 413
    assert client.get("/ask").status_code == 405

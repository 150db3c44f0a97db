"""Projects, collections and versions: what is told, as HTML and JSON, all of it escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.catalog.catalog import Catalog
from artstore.catalog.state import CollectionState
from artstore.web.opening import open_site
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.shelves import FORMULA, SCRIPT

API = "/api/v1"
PLACES = [
    "/",
    "/p/demo",
    "/p/other",
    "/p/demo/c/files",
    "/p/demo/c/files?show=history",
    "/p/demo/c/digits",
    "/p/demo/c/hostile",
    "/p/demo/c/files/v1",
    "/p/demo/c/files/v2",
    "/p/demo/c/files/best",
    "/p/demo/c/guesses/v0",
    "/p/demo/c/hostile/latest",
    "/p/other/c/model/linked",
]


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.found.append((tag, values))
        self.links += [str(values[name]) for name in ("href", "src", "action") if name in values]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("is_write", [False, True])
def test_a_page_has_nothing_that_its_author_did_not_write(
    site: Site, write_client: TestClient, client: TestClient, place: str, is_write: bool
) -> None:
    answer = (write_client if is_write else client).get(place)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    elements = Elements(answer.text)
    for tag, values in elements.found:
        assert tag != "script" or str(values["src"]).startswith("/static/")
        assert tag not in ("img", "iframe", "object", "embed", "base", "style")
        assert not [name for name in values if name.startswith("on") or name == "style"]
    for link in elements.links:
        assert link.startswith(("/", "#", "https://example.org/")), link
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("place", PLACES)
def test_a_page_can_be_read_by_its_parts(client: TestClient, place: str) -> None:
    text = client.get(place).text
    elements = Elements(text)
    tags = [tag for tag, _ in elements.found]
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert landmark in tags, landmark
    assert tags.count("h1") == 1
    assert ("a", {"class": "skip", "href": "#content"}) in elements.found
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("place", PLACES)
def test_every_link_of_a_page_leads_somewhere(client: TestClient, place: str) -> None:
    for link in set(Elements(client.get(place).text).links):
        if link.startswith("/") and not link.startswith("/static/"):
            assert client.get(link).status_code in (200, 303, 404), link


@pytest.mark.parametrize("place", PLACES)
def test_every_page_is_json_below_the_api(client: TestClient, place: str) -> None:
    answer = client.get(API + place)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json(), dict)


def test_the_first_page_tells_projects_and_what_was_pushed_last(client: TestClient) -> None:
    value = client.get(API + "/").json()
    assert value["projects"] == [
        {"project": "demo", "collection_count": 4, "run_count": 0},
        {"project": "other", "collection_count": 1, "run_count": 0},
    ]
    assert {item["name"] for item in value["recent"]} == {
        *("digits", "files", "guesses", "hostile", "model")
    }
    assert value["pages"] == {"page": 1, "page_count": 1, "total": 2}
    assert client.get(API).json() == value


def test_a_project_tells_its_artifacts_by_type(client: TestClient) -> None:
    value = client.get(API + "/p/demo").json()
    told = [(item["type"], item["name"]) for item in value["collections"]]
    assert told == [
        *(("dataset", name) for name in ("digits", "files", "hostile")),
        ("predictions", "guesses"),
    ]
    files = value["collections"][1]
    assert (files["latest_version"], files["version_count"]) == ("v2", 2)
    assert (files["aliases"], files["tags"]) == (["best"], ["raw"])
    assert files["new_bytes"] > files["size_bytes"] > 0


def test_a_collection_tells_its_versions_the_newest_first(client: TestClient) -> None:
    value = client.get(API + "/p/demo/c/files").json()
    assert [item["version"] for item in value["versions"]] == ["v2", "v1", "v0"]
    assert [item["message"] for item in value["versions"]] == [SCRIPT, "push 1", None]
    assert [bool(item["deleted"]) for item in value["versions"]] == [False, False, True]
    assert value["versions"][0]["aliases"] == ["latest"]
    assert value["versions"][1]["aliases"] == ["best"]
    assert (value["version_count"], value["deleted_count"]) == (2, 1)
    page = client.get("/p/demo/c/files").text
    assert "<del>v0</del>" in page
    assert "/p/demo/c/files/v1" in page


def test_new_bytes_are_what_a_push_stored(site: Site, client: TestClient) -> None:
    versions = client.get(API + "/p/demo/c/digits").json()["versions"]
    newer, older = (item["new_bytes"] for item in versions)
    # The second table has the rows of the first, and a few more.
    assert 0 < newer < older
    link = client.get(API + "/p/other/c/model/v0").json()
    assert (link["new_bytes"], link["source"]) == (0, "demo/files:v1")


def test_a_list_of_versions_looks_at_the_log_a_few_times_however_long_it_is(
    tmp_path: Path, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_at(tmp_path / "store", project="demo")
    for number in range(12):
        draft = art.Artifact("many", "dataset")
        with draft.new_file("x.txt") as file:
            file.write("x" * number)
        store.log_artifact(draft, message=f"number {number}")
    store.delete("demo/many:v5")
    looks = []
    real = Catalog.state

    def counted(self: Catalog, project: str, name: str) -> CollectionState:
        looks.append(name)
        return real(self, project, name)

    monkeypatch.setattr(Catalog, "state", counted)
    client = make_client(open_site(store))
    listed = client.get("/api/v1/p/demo/c/many").json()["versions"]
    assert [one["message"] for one in listed] == [
        None if number == 5 else f"number {number}" for number in range(11, -1, -1)
    ]
    assert [one["new_bytes"] is None for one in listed] == [number == 6 for number in range(12)]
    assert len(looks) <= 4
    looks.clear()
    client.get("/p/demo/c/many")
    assert len(looks) <= 2


def test_history_tells_the_log_the_newest_entry_first(client: TestClient) -> None:
    value = client.get(API + "/p/demo/c/files?show=history").json()
    told = [(item["kind"], item["version"]) for item in value["history"]]
    assert told[0] == ("delete", "v0")
    assert told[-2:] == [("publish", "v0"), ("create", None)]
    assert [item["number"] for item in value["history"]] == list(range(len(told)))[::-1]


def test_a_version_tells_itself_and_its_neighbours(client: TestClient) -> None:
    value = client.get(API + "/p/demo/c/files/v2").json()
    assert value["qualified_name"] == "demo/files:v2"
    assert (value["previous"], value["next"]) == ("v1", None)
    assert value["metadata"][SCRIPT] == FORMULA
    assert value["entries"] == {"count": 3, "by_kind": {"file": 3}, "is_whole": True}
    assert "art.use_artifact" in value["usage"]["python"]
    by_alias = client.get(API + "/p/demo/c/files/best").json()
    assert by_alias["version"] == "v1"
    by_digest = client.get(API + f"/p/demo/c/files/{value['digest'][:12]}").json()
    assert by_digest == value


def test_a_version_leads_to_its_tables_and_media(client: TestClient) -> None:
    value = client.get(API + "/p/demo/c/guesses/v0").json()
    told = {item["name"]: item["kind"] for item in value["values"]}
    assert told == {"joined": "joined table", "one": "image", "pred": "table"}
    page = client.get("/p/demo/c/guesses/v0").text
    assert "/p/demo/c/guesses/v0/tables/pred" in page
    assert "/p/demo/c/guesses/v0/files/one.image-file.json" in page
    assert "version.get(&#34;joined&#34;)" in page


def test_a_description_is_markdown_without_harm(client: TestClient) -> None:
    page = client.get("/p/demo/c/files/v2").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://example.org/"' in page
    assert "javascript:" not in [link[:11] for link in Elements(page).links]
    assert "<td>2</td>" in page


def test_metadata_folds_as_a_tree(client: TestClient) -> None:
    page = client.get("/p/demo/c/files/v2").text
    assert "<summary>" in page
    assert '<span class="key">nested</span>' in page


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("/p/nope", "project-not-found"),
        ("/p/demo/c/nope", "collection-not-found"),
        ("/p/demo/c/nope/v1", "collection-not-found"),
        ("/p/demo/c/files/v9", "version-not-found"),
        ("/p/demo/c/files/v0", "version-deleted"),
        ("/p/demo/c/files/nobody", "alias-not-found"),
        ("/p/demo/c/files/0123456789ab", "version-not-found"),
        ("/nowhere", "page-not-found"),
        (f"/{quote(SCRIPT, safe='')}", "page-not-found"),
    ],
)
def test_what_is_not_there_is_told(client: TestClient, place: str, code: str) -> None:
    answer = client.get(API + place)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    page = client.get(place)
    assert page.status_code == 404
    assert code in page.text
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("name", [SCRIPT, "..x", ".hidden", "a:b", "a@b", "ä", "a b", "x" * 300])
def test_names_that_are_none_are_refused_and_lead_nowhere(client: TestClient, name: str) -> None:
    part = quote(name, safe="")
    for place in (f"/p/{part}", f"/p/demo/c/{part}", f"/p/{part}/c/files/v1"):
        answer = client.get(API + place)
        assert answer.status_code in (400, 404), (place, answer.text)
        assert set(answer.json()) == {"error"}
        assert client.get(place).status_code == answer.status_code
    assert client.get(f"{API}/p/demo/c/files/{part}").status_code in (400, 404)


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "", "9" * 40, "\u0661"])
def test_a_page_of_a_list_that_is_not_there_is_refused(client: TestClient, page: str) -> None:
    answer = client.get(f"{API}/p/demo", params={"page": page})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request-invalid")


def test_long_lists_are_cut_into_pages(
    web_store: art.Store, make_client: MakeClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("many") / "a.txt"
    for number in range(55):
        source.write_text(str(number))
        web_store.log_artifact(source, "many", "dataset")
    client = make_client(open_site(web_store))
    first, second = (client.get(f"{API}/p/demo/c/many?page={page}").json() for page in (1, 2))
    told = [item["version"] for value in (first, second) for item in value["versions"]]
    assert told == [f"v{number}" for number in range(54, -1, -1)]
    assert first["pages"] == {"page": 1, "page_count": 2, "total": 55}
    pages = [client.get(f"/p/demo/c/many?page={page}").text for page in (1, 2)]
    assert 'rel="next" href="/p/demo/c/many?page=2"' in pages[0]
    assert 'rel="prev" href="/p/demo/c/many?page=1"' in pages[1]
    history = client.get(f"{API}/p/demo/c/many?show=history&page=2").json()
    assert history["pages"]["total"] == 56
    assert (
        'href="/p/demo/c/many?page=2&amp;show=history"'
        in client.get("/p/demo/c/many?show=history").text
    )


def test_an_empty_store_says_how_to_begin(tmp_path: object, make_client: MakeClient) -> None:
    store = art.open_store(f"{tmp_path}/new", project="p")
    store.create()
    client = make_client(open_site(store))
    assert "art push" in client.get("/").text
    assert client.get(API).json()["projects"] == []


def test_small_parts_of_metadata_are_open_and_large_ones_folded(
    tmp_path: Path, make_client: MakeClient
) -> None:
    store = open_at(tmp_path / "store", project="demo")
    draft = art.Artifact("x", "dataset")
    draft.metadata = {"small": {"a": 1}, "large": {str(number): number for number in range(20)}}
    with draft.new_file("x.txt") as file:
        file.write("x")
    store.log_artifact(draft)
    page = make_client(open_site(store)).get("/p/demo/c/x/v0").text
    tree = page[page.index('<div class="tree">') :]
    opened = re.findall(r'<details( open)?><summary>(?:<span class="key">(\w+))?', tree)
    assert set(opened[:3]) == {(" open", ""), (" open", "small"), ("", "large")}

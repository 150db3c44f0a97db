"""Pages of directories and files: names of any kind, previews, and the way to viewers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.errors import NotFoundError
from artstore.web.app import create_app
from artstore.web.opening import open_site
from artstore.web.pages.content import send_content, send_frame, send_thumbnail
from artstore.web.pages.files import PAGE_COUNT, show_file
from artstore.web.routing import Visit
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.conftest import BASE_URL
from tests.unit.web.shelves import HOSTILE_FILE, PROJECT, SCRIPT

FILES = "/p/demo/c/shelf/v0/files/"
API = "/api/v1" + FILES

HOSTILE_NAMES = (
    "<script>alert(1)</script>.txt",
    "\u202egnp.txt",
    "line\nbreak.txt",
    "line end\n",
    "nul\\0like%00.txt",
    "%2e%2e%2fup.txt",
    "question?mark#hash&amp.txt",
    "back\\slash.txt",
    "'quotes\"`.txt",
    "{{ 7 * 7 }}.txt",
    "-rf",
    " spaces ",
    "größe/日本語.txt",
    "...",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo/shelf:v0, with names that mean harm and one file of each kind."""
    root = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = open_at(root / "store", project=PROJECT)
        draft = art.Artifact("shelf", "dataset")
        for name in HOSTILE_NAMES:
            _put(draft, name, name)
        _put(draft, "sub/deep/a.json", '{"a": [1, "<b>"]}')
        _put(draft, "sub/deep.txt", "before the directory in order")
        _put(draft, "page.html", SCRIPT)
        _put(draft, "notes.md", f"# Notes\n\n{SCRIPT}")
        _put(draft, "a.json/b", "a directory with the name of a file")
        for number in range(PAGE_COUNT + 3):
            _put(draft, f"many/{number:04}.txt", str(number))
        _put(draft, "many/0100/inner.txt", "x")
        draft.add_reference("s3://bucket/secret?x=<b>", "far.bin", checksum=False)
        table = art.Table(["id"], [[1], [2]])
        draft.add(table, "pred")
        draft.add(art.JoinedTable(table, table, "id"), "both")
        draft.add(art.Classes([{"id": 3, "name": SCRIPT}]), "kinds")
        store.log_artifact(draft)
    return root / "store"


def _put(draft: art.Artifact, path: str, text: str) -> None:
    with draft.new_file(path) as file:
        file.write(text)


@pytest.fixture
def store(shelf: Path) -> Store:
    return open_at(shelf, project=PROJECT)


class AsServed:
    """The path as servers give it: the test client takes percent signs away twice."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if "raw_path" in scope:
            scope = {**scope, "path": unquote(scope["raw_path"].decode("ascii"))}
        await self.app(scope, receive, send)


@pytest.fixture
def shelf_client(store: Store) -> Iterator[TestClient]:
    app = AsServed(create_app(open_site(store)))
    with TestClient(app, base_url=BASE_URL, follow_redirects=False) as client:
        yield client


def told(client: TestClient, path: str, **query: str) -> Any:
    answer = client.get(API + quote(path), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# directories -----------------------------------------------------------------------------


def test_the_root_lists_what_is_in_it(shelf_client: TestClient) -> None:
    value = told(shelf_client, "")
    assert value["kind"] == "directory"
    found = {entry["path"]: entry for entry in value["entries"]}
    assert {name for name in HOSTILE_NAMES if "/" not in name} <= set(found)
    assert found["sub"]["kind"] == "directory"
    assert found["sub"]["size_bytes"] is None
    assert found["-rf"]["size_bytes"] == 3
    assert len(found["-rf"]["digest"]) == 64
    assert value["next"] is None


def test_a_directory_is_read_in_pages_that_miss_nothing(shelf_client: TestClient) -> None:
    first = told(shelf_client, "many")
    assert len(first["entries"]) == PAGE_COUNT
    rest = shelf_client.get("/api/v1" + first["next"]).json()
    assert rest["next"] is None
    names = [entry["name"] for entry in first["entries"] + rest["entries"]]
    assert sorted(names) == sorted(["0100", *(f"{n:04}.txt" for n in range(PAGE_COUNT + 3))])
    page = shelf_client.get(first["next"])
    assert "First 500" in page.text
    assert "0502.txt" in page.text


@pytest.mark.parametrize("directory", ["", "many", "sub"])
def test_a_listing_goes_on_behind_any_child(store: Store, directory: str) -> None:
    version = store.artifact("shelf:v0")
    paths = [entry.path for entry in version.children(directory)]
    for at in range(0, len(paths), 7):
        after = [entry.path for entry in version.children(directory, after=paths[at])]
        assert after == paths[at + 1 :]


def test_behind_what_is_not_there_a_listing_is_empty_or_goes_on(shelf_client: TestClient) -> None:
    assert told(shelf_client, "many", after="zzz")["entries"] == []
    assert told(shelf_client, "many", after="a")["entries"]
    assert "Back to the beginning" in shelf_client.get(FILES + "many?after=zzz").text


def test_a_directory_of_many_files_is_listed_without_reading_all(
    tmp_path: Path, make_client: Callable[[Site], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore.manifests.reader import Manifest

    store = open_at(tmp_path / "store", project=PROJECT)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(8_000):
        (source / f"{number:05}").touch()
    draft = art.Artifact("large", "dataset")
    draft.add_dir(source)
    store.log_artifact(draft)
    read = []
    segments = Manifest.segments

    def counted(manifest: Manifest, first: int, count: int) -> Any:
        read.append(first)
        return segments(manifest, first, count)

    monkeypatch.setattr(Manifest, "segments", counted)
    client = make_client(open_site(store))
    answer = client.get("/api/v1/p/demo/c/large/v0/files/", params={"after": "06000"})
    assert answer.json()["entries"][0]["name"] == "06001"
    assert min(read) > 5, "of some 16 segments"


# names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_file_of_any_name_has_a_page_and_its_bytes(shelf_client: TestClient, name: str) -> None:
    value = told(shelf_client, name)
    assert (value["path"], value["kind"]) == (name, "file")
    page = shelf_client.get(FILES + quote(name))
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert "\u202e" not in page.text
    assert "49.txt" not in page.text
    content = shelf_client.get(value["content"])
    assert content.status_code == 200
    assert content.content == name.encode()


def test_every_link_of_the_root_leads_somewhere(shelf_client: TestClient) -> None:
    for entry in told(shelf_client, "")["entries"]:
        answer = shelf_client.get(entry["href"])
        assert answer.status_code == 200, entry["path"]
    page = shelf_client.get(FILES)
    assert SCRIPT not in page.text
    assert "\u202e" not in page.text
    assert "\\u202egnp.txt" in page.text


def test_hostile_names_of_the_shelves_are_shown_as_text(site: Site) -> None:
    client = TestClient(AsServed(create_app(site)), base_url=BASE_URL)
    page = client.get("/p/demo/c/files/v2/files/" + quote(HOSTILE_FILE))
    assert page.status_code == 200
    assert SCRIPT not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e/x",
        "/etc/passwd",
        "//etc/passwd",
        "sub//deep.txt",
        "sub/%2e/deep.txt",
        "-rf/x",
        "%00",
        "a%00b",
        "%ff%fe",
        "%ed%a0%80",
        "x" * 60_000,
        "x/" * 30_000,
        "missing.table.json",
        "missing",
    ],
)
def test_what_is_not_in_the_version_is_not_found(shelf_client: TestClient, path: str) -> None:
    for prefix in (FILES, API):
        for page in ("files", "content", "frame", "thumbnail"):
            answer = shelf_client.get(prefix.replace("files", page) + path)
            assert answer.status_code == 404, answer.text
            assert "root:" not in answer.text
            assert len(answer.content) < 20_000
    error = shelf_client.get(API + path).json()["error"]
    assert error["code"] in ("entry-not-found", "page-not-found")


@pytest.mark.parametrize("path", ["x" * 100_000, "x/" * 50_000, "\udcff"])
def test_paths_that_no_browser_sends_are_not_found(store: Store, path: str) -> None:
    params = {"project": PROJECT, "collection": "shelf", "version": "v0", "path": path}
    scope = {"type": "http", "path_params": params, "query_string": b"", "headers": []}
    visit = Visit(open_site(store), Request(scope))
    for handler in (show_file, send_content, send_frame, send_thumbnail):
        with pytest.raises(NotFoundError) as caught:
            handler(visit)
        assert caught.value.code == "entry-not-found"
        assert len(str(caught.value)) < 1_000


# files -----------------------------------------------------------------------------------


def test_a_file_is_told_with_facts_and_preview(shelf_client: TestClient) -> None:
    value = told(shelf_client, "sub/deep/a.json")
    assert value["size_bytes"] == 17
    assert value["preview"]["kind"] == "json"
    assert value["preview"]["tree"]["children"][0]["children"][1]["text"] == "<b>"
    page = shelf_client.get(FILES + "sub/deep/a.json").text
    assert "&lt;b&gt;" in page
    assert value["digest"] in page
    assert f'href="{FILES}sub/deep"' in page


def test_a_page_of_a_user_stands_in_a_frame_without_rights(shelf_client: TestClient) -> None:
    page = shelf_client.get(FILES + "page.html").text
    assert SCRIPT not in page
    (frame,) = [line for line in page.splitlines() if "<iframe" in line]
    assert 'sandbox="allow-scripts"' in frame
    assert "/frame/page.html?d=" in frame


def test_markdown_is_shown_without_its_tags(shelf_client: TestClient) -> None:
    page = shelf_client.get(FILES + "notes.md").text
    assert "<h1>Notes</h1>" in page
    assert SCRIPT not in page


def test_a_reference_is_told_and_not_fetched(shelf_client: TestClient) -> None:
    value = told(shelf_client, "far.bin")
    assert value["kind"] == "reference"
    assert value["url"] == "s3://bucket/secret?x=<b>"
    assert value["size_bytes"] is None
    assert value["content"] is None
    assert value["preview"] is None
    page = shelf_client.get(FILES + "far.bin").text
    assert "does not fetch" in page
    assert 'href="s3:' not in page
    answer = shelf_client.get(API.replace("files", "content") + "far.bin")
    assert answer.json()["error"]["code"] == "content-elsewhere"


@pytest.mark.parametrize(
    ("path", "viewer"),
    [
        ("pred.parquet", "pred"),
        ("both.joined-table.json", "both.joined-table.json"),
    ],
)
def test_a_table_leads_to_its_viewer(shelf_client: TestClient, path: str, viewer: str) -> None:
    address = f"/p/demo/c/shelf/v0/tables/{viewer}"
    assert told(shelf_client, path)["viewer"] == address
    listed = {entry["path"]: entry for entry in told(shelf_client, "")["entries"]}
    assert listed[path]["viewer"] == address
    assert f'href="{address}"' in shelf_client.get(FILES + path).text


def test_the_name_that_wandb_gives_a_table_leads_to_its_viewer(shelf_client: TestClient) -> None:
    answer = shelf_client.get(FILES + "pred.table.json")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/p/demo/c/shelf/v0/tables/pred"
    assert told(shelf_client, "pred.table.json")["path"] == "pred.parquet"


def test_classes_and_images_are_viewed_in_place(
    shelf_client: TestClient, client: TestClient
) -> None:
    preview = told(shelf_client, "kinds.classes.json")["preview"]
    assert preview["table"]["rows"] == [["3", "3", SCRIPT]]
    page = client.get("/p/demo/c/guesses/v0/files/one.image-file.json").text
    assert "/thumbnail/one.image-file.json?d=" in page
    assert SCRIPT not in page
    value = client.get("/api/v1/p/demo/c/guesses/v0/files/one.image-file.json").json()
    thumbnail = client.get(
        f"/p/demo/c/guesses/v0/thumbnail/{value['preview']['media_path']}?size=128"
    )
    assert thumbnail.headers["content-type"] == "image/png"


def test_a_link_tells_where_its_bytes_were_logged(client: TestClient) -> None:
    value = client.get("/api/v1/p/other/c/model/v0/files/readme.txt").json()
    assert value["kind"] in ("file", "link")
    assert client.get(value["content"]).text.startswith("version 1")


def test_a_symlink_leads_to_what_is_in_the_version(
    tmp_path: Path, make_client: Callable[[Site], TestClient]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "real.txt").write_text("bytes")
    (source / "near").symlink_to("real.txt")
    (source / "out").symlink_to("../../etc/passwd")
    (source / "round").symlink_to("round")
    store = open_at(tmp_path / "store", project=PROJECT)
    draft = art.Artifact("links", "dataset")
    draft.add_dir(source)
    store.log_artifact(draft)
    client = make_client(open_site(store))
    prefix = "/p/demo/c/links/v0"
    page = client.get(f"{prefix}/files/near").text
    assert f'href="{prefix}/files/real.txt"' in page
    assert client.get(f"{prefix}/content/near").text == "bytes"
    for name in ("out", "round"):
        assert client.get(f"{prefix}/files/{name}").status_code == 200
        assert client.get(f"{prefix}/content/{name}").status_code == 404


def test_the_json_of_every_file_is_json(shelf_client: TestClient) -> None:
    for entry in told(shelf_client, "")["entries"]:
        json.dumps(told(shelf_client, entry["path"]), allow_nan=False)

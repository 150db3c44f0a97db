"""Two versions side by side: files, tables and metadata that differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.shelves import HOSTILE_FILE, PROJECT, SCRIPT

COMPARE = "/p/demo/c/{}/compare"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo/shelf: v0, v1 with one change of each kind; demo/many: 1,200 files more."""
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = open_at(root / "store", project=PROJECT)
        for version in range(2):
            draft = art.Artifact("shelf", "dataset")
            draft.metadata = {
                "same": 1,
                "lr": 0.1 * (version + 1),
                "nested": {"deep": {SCRIPT: [version]}},
                **({"new": "x" * 5000} if version else {"old": "y"}),
            }
            _put(draft, "same.txt", "same")
            _put(draft, "changed.txt", "x" * (version + 1))
            _put(draft, "moved-to.txt" if version else "moved-from.txt", "moved")
            _put(draft, "added.txt" if version else "removed.txt", f"other {version}")
            draft.add(art.Table(["id"], [[number] for number in range(version + 2)]), "pred")
            draft.add(art.Table(["id"], [[1]]), "still")
            store.log_artifact(draft)
        for version in range(2):
            draft = art.Artifact("many", "dataset")
            _put(draft, "always", "x")
            for number in range(1_200 * version):
                _put(draft, f"{number:04}", str(number))
            store.log_artifact(draft)
    return root / "store"


def test_the_size_of_a_reference_that_nobody_looked_at_is_unknown_and_not_nothing(
    tmp_path: Path, make_client: Callable[[Site], TestClient]
) -> None:
    store = open_at(tmp_path / "store", project=PROJECT)
    for version in range(2):
        draft = art.Artifact("far", "dataset")
        _put(draft, "here.txt", "x" * version)
        if version:
            draft.add_reference("http://127.0.0.1:9/new", "new.bin", checksum=False)
        draft.add_reference(f"http://127.0.0.1:9/{version}", "far.bin", checksum=False)
        store.log_artifact(draft)
    client = make_client(open_site(store))
    changes = client.get("/api/v1" + COMPARE.format("far")).json()["changes"]
    sizes = {one["path"]: (one["old_size_bytes"], one["size_bytes"]) for one in changes}
    assert sizes == {"far.bin": (None, None), "new.bin": (None, None), "here.txt": (0, 1)}
    page = client.get(COMPARE.format("far")).text
    assert page.count(">unknown</td>") == 3
    listed = client.get("/p/demo/c/far/v1/files/").text
    assert listed.count("unknown") == 2


def _put(draft: art.Artifact, path: str, text: str) -> None:
    with draft.new_file(path) as file:
        file.write(text)


@pytest.fixture
def compared(directory: Path, make_client: Callable[[Site], TestClient]) -> TestClient:
    return make_client(open_site(open_at(directory, project=PROJECT)))


def told(client: TestClient, collection: str = "shelf", **query: str) -> Any:
    answer = client.get("/api/v1" + COMPARE.format(collection), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_change_of_files_is_told_once(compared: TestClient) -> None:
    value = told(compared, a="v0", b="v1")
    changes = {(change["change"], change["path"]): change for change in value["changes"]}
    assert set(changes) == {
        ("added", "added.txt"),
        ("removed", "removed.txt"),
        ("changed", "changed.txt"),
        ("changed", "pred.parquet"),
        ("moved", "moved-to.txt"),
    }
    assert value["counts"] == {"added": 1, "changed": 2, "removed": 1, "moved": 1}
    moved = changes["moved", "moved-to.txt"]
    assert moved["old_path"] == "moved-from.txt"
    changed = changes["changed", "changed.txt"]
    assert (changed["old_size_bytes"], changed["size_bytes"]) == (1, 2)
    assert changes["removed", "removed.txt"]["size_bytes"] is None


def test_a_table_of_both_versions_leads_to_the_comparison_of_its_rows(compared: TestClient) -> None:
    (table,) = [change for change in told(compared)["changes"] if change["kind"] == "table"]
    assert table["compare"] == "/p/demo/c/shelf/v1/tables/pred?with=demo%2Fshelf%3Av0%2Fpred"
    assert table["compare"] in compared.get(COMPARE.format("shelf")).text.replace("&amp;", "&")


def test_every_change_leads_to_its_page(compared: TestClient) -> None:
    for change in told(compared)["changes"]:
        assert compared.get(change["href"]).status_code == 200


def test_metadata_that_differs_is_told_side_by_side(compared: TestClient) -> None:
    rows = {row["name"]: row for row in told(compared)["metadata"]}
    assert set(rows) == {"lr", "new", "old", f"nested.deep.{SCRIPT}"}
    assert (rows["lr"]["a"], rows["lr"]["b"]) == ("0.1", "0.2")
    assert rows["old"]["b"] is None
    assert len(rows["new"]["b"]) < 1_000
    page = compared.get(COMPARE.format("shelf"))
    assert page.status_code == 200
    assert SCRIPT not in page.text


def test_without_names_the_newest_is_compared_with_the_one_before(compared: TestClient) -> None:
    value = told(compared)
    assert (value["a"]["version"], value["b"]["version"]) == ("v0", "v1")
    answer = compared.get("/api/v1" + COMPARE.format("shelf"), params={"b": "v0"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "version-not-found"


def test_a_version_equals_itself(compared: TestClient) -> None:
    value = told(compared, a="v1", b="latest")
    assert value["changes"] == value["metadata"] == []
    assert "No file differs" in compared.get(COMPARE.format("shelf") + "?a=v1&b=v1").text


def test_versions_of_two_collections_are_compared(compared: TestClient) -> None:
    value = told(compared, a="demo/many:v0", b="v1")
    assert value["a"]["collection"] == "many"
    assert value["counts"]["removed"] == 1
    assert told(compared, a="many:v0", b="v1") == value


def test_any_two_versions_are_chosen_in_a_form(client: TestClient) -> None:
    page = client.get("/p/demo/c/files").text
    assert 'action="/p/demo/c/files/compare"' in page
    # What was deleted cannot be compared; what is newest is offered beside the one before.
    assert re.findall(r'<option value="(\w+)"( selected)?>([^<]*)', page) == [
        ("v2", "", "v2"),
        ("v1", " selected", "v1 best"),
        ("v2", " selected", "v2"),
        ("v1", "", "v1 best"),
    ]
    assert client.get("/p/demo/c/files/compare", params={"a": "v1", "b": "v2"}).status_code == 200
    # There is nothing to choose from.
    assert "<select" not in client.get("/p/demo/c/hostile").text


def test_the_form_of_a_comparison_has_what_is_compared(compared: TestClient) -> None:
    page = compared.get(COMPARE.format("many"), params={"a": "demo/shelf:v0", "b": "v1"}).text
    assert re.findall(r'<option value="([^"]+)" selected', page) == ["demo/shelf:v0", "v1"]


def test_many_changes_come_in_pages(compared: TestClient) -> None:
    first = told(compared, "many")
    assert (len(first["changes"]), first["total"]) == (500, 1200)
    paths = [change["path"] for change in first["changes"]]
    address = first["next"]
    while address:
        page = compared.get("/api/v1" + address).json()
        paths += [change["path"] for change in page["changes"]]
        address = page["next"]
    assert paths == [f"{number:04}" for number in range(1200)]
    assert told(compared, "many", start="99999")["changes"] == []


def test_one_kind_of_change_can_be_asked_for(compared: TestClient) -> None:
    value = told(compared, only="moved")
    assert [change["change"] for change in value["changes"]] == ["moved"]
    assert value["counts"]["changed"] == 2


@pytest.mark.parametrize(
    "query",
    [
        {"only": "x"},
        {"start": "-1"},
        {"start": "9" * 50},
        {"start": "²"},
        {"a": "../../x:v1"},
        {"a": "x" * 10_000},
        {"b": "v99"},
        {"a": "demo/none:v1"},
        {"a": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")},
        {"a": "a/b/c:v1"},
        {"a": ":"},
        {"a": "@"},
    ],
)
def test_what_cannot_be_compared_is_told(compared: TestClient, query: dict[str, str]) -> None:
    answer = compared.get("/api/v1" + COMPARE.format("shelf"), params=query)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"]


def test_hostile_words_of_versions_are_shown_as_text(client: TestClient) -> None:
    page = client.get(COMPARE.format("files") + "?a=v1&b=v2")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    paths = [change["path"] for change in told(client, "files")["changes"]]
    assert HOSTILE_FILE in paths


def test_what_was_compared_is_kept(compared: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    diff = Store.diff

    def counted(store: Store, a: str, b: str) -> Any:
        asked.append((a, b))
        return diff(store, a, b)

    monkeypatch.setattr(Store, "diff", counted)
    for start in ("0", "500", "1000"):
        told(compared, "many", start=start)
    assert len(asked) == 1

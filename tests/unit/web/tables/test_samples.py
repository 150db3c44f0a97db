"""The grid of pictures as the server makes it, and the same example in other versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.tables import samples as tablesamples
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.shelves import SCRIPT
from tests.unit.web.tables.test_table_pages import ask

GALLERY = "/p/demo/c/digits/v0/tables/examples"

Log = Callable[..., None]
Told = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_at(tmp_path / "store", project="demo")


@pytest.fixture
def log(store: Store) -> Log:
    """Logs a version of demo/data with the table `rows`."""

    def logged(columns: Sequence[str], *rows: Sequence[Any], key: str | None = None) -> None:
        table = art.Table(list(columns), data=[list(row) for row in rows])
        if key is not None:
            table.set_pk(key)
        draft = art.Artifact("data", "dataset")
        draft.add(table, "rows")
        store.log_artifact(draft)

    return logged


@pytest.fixture
def sample(store: Store, make_client: MakeClient) -> Callable[..., Told]:
    """What is told of a row of a version."""
    client = make_client(open_site(store))

    def asked(number: int, version: str = "v0", status: int = 200) -> Told:
        path = f"/p/demo/c/data/{version}/table-sample/rows"
        found: Told = ask(client, path, ("row", number), status=status)
        return found

    return asked


def pixels(number: int) -> art.Image:
    return art.Image(np.full((4, 4), number, np.uint8))


def test_a_row_is_found_by_its_primary_key_with_the_cells_that_differ(
    log: Log, sample: Callable[..., Told]
) -> None:
    log(["name", "guess", "score"], ["a", 1, 0.5], ["b", 2, 0.25], key="name")
    log(["name", "guess", "score"], ["x", 9, 0.0], ["b", 3, 0.25], ["a", 1, 0.5], key="name")
    told = sample(1)
    assert [column["name"] for column in told["columns"]] == ["guess"]
    assert told["cells"] == [2]
    (side,) = told["sides"]
    assert (side["kind"], side["version"], side["row"]) == ("version", "v1", 1)
    assert side["key"] == {"kind": "columns", "columns": ["name"]}
    assert (side["differing"], side["cells"]) == (["guess"], [3])
    assert side["address"].endswith("/p/demo/c/data/v1/tables/rows?row=1")
    (same,) = sample(0)["sides"]
    assert (same["row"], same["differing"], same["cells"]) == (2, [], [])
    (gone,) = sample(0, "v1")["sides"]
    assert (gone["row"], gone["key"]["columns"]) == (None, ["name"])
    assert gone["address"].endswith("/tables/rows")


def test_without_a_primary_key_a_row_is_found_by_id_and_then_by_its_picture(
    log: Log, sample: Callable[..., Told]
) -> None:
    log(["id", "image", "label"], [1, pixels(1), "a"], [2, pixels(2), "b"])
    log(["id", "image", "label"], [2, pixels(9), "b"], [1, pixels(1), "a"])
    log(["image", "label"], [pixels(3), "c"], [pixels(2), "z"])
    log(["words"], ["nothing in common"])
    sides = sample(1)["sides"]
    assert [side["version"] for side in sides] == ["v3", "v2", "v1"]
    assert (sides[0]["key"], sides[0]["row"]) == (None, None)
    assert sides[1]["key"] == {"kind": "digest", "columns": ["image"]}
    assert (sides[1]["row"], sides[1]["differing"]) == (1, ["label"])
    assert sides[1]["missing"] == ["id"]
    assert (sides[2]["row"], sides[2]["differing"]) == (0, ["image"])
    assert sides[2]["cells"][0]["$"] == "image"


def test_of_several_rows_with_a_key_the_first_is_told_and_null_finds_nothing(
    log: Log, sample: Callable[..., Told]
) -> None:
    log(["id", "label"], [1, "a"], [None, "b"])
    log(["id", "label"], [7, "x"], [1, "a"], [1, "c"], [None, "b"])
    (side,) = sample(0)["sides"]
    assert (side["row"], side["has_twins"]) == (1, True)
    (side,) = sample(1)["sides"]
    assert (side["row"], side["has_twins"]) == (None, False)


def test_columns_that_are_only_on_one_side_are_named(log: Log, sample: Callable[..., Told]) -> None:
    log(["id", "old"], [1, "a"])
    log(["id", "new"], [1, "a"])
    (side,) = sample(0)["sides"]
    assert (side["missing"], side["added"], side["differing"]) == (["old"], ["new"], [])


def test_the_newest_twelve_versions_are_looked_at_and_the_others_counted(
    log: Log, store: Store, sample: Callable[..., Told]
) -> None:
    for number in range(16):
        log(["id", "step"], [1, number])
    store.delete("data:v14", force=True)
    draft = art.Artifact("data", "dataset")
    with draft.new_file("readme.txt") as file:
        file.write("no table")
    store.log_artifact(draft)
    told = sample(0, "v3")
    # v16 has no such table, v14 was deleted, v3 is the one that is open.
    assert [side["version"] for side in told["sides"]] == [
        *("v15", "v13", "v12", "v11", "v10", "v9", "v8", "v7", "v6", "v5", "v4"),
    ]
    assert told["left_out"] == 3
    assert told["is_cut"] is False
    assert [side["cells"] for side in told["sides"]][:2] == [[15], [13]]


def test_what_takes_too_long_is_cut_and_told(
    log: Log, sample: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    log(["id", "step"], [1, 0])
    log(["id", "step"], [1, 1])
    monkeypatch.setattr(tablesamples, "_SECONDS", 0.0)
    told = sample(0)
    assert told["is_cut"] is True
    assert told["sides"] == []


def test_a_joined_table_finds_its_rows_too(client: TestClient) -> None:
    told = ask(client, "/p/demo/c/guesses/v0/table-sample/joined", ("row", 3))
    assert (told["sides"], told["cells"]) == ([], [])
    told = ask(client, "/p/demo/c/digits/v0/table-sample/examples", ("row", 3))
    assert [(side["row"], side["differing"]) for side in told["sides"]] == [(3, [])]


def test_a_sample_that_is_not_there_is_an_error(client: TestClient) -> None:
    path = "/p/demo/c/digits/v0/table-sample/examples"
    compared = (("row", 1), ("with", "demo/digits:v1/examples"))
    for pairs in ((), (("row", 20),), (("row", 2**52),), compared):
        assert ask(client, path, *pairs, status=400)["error"]["code"] == "request-invalid"
    ask(client, "/p/demo/c/digits/v0/table-sample/nothing", ("row", 1), status=404)


# ---------------------------------------------------------------------------------------


def test_without_scripts_pictures_stand_side_by_side(client: TestClient) -> None:
    page = client.get(GALLERY, params={"mode": "images"})
    assert page.status_code == 200
    assert page.text.count('<ul class="gallery">') == 1
    # As small as they are, they are shown as they are.
    pictures = re.findall(r'<img src="([^"]+/content/[^"]+)"', page.text)
    assert len(pictures) == 20
    assert client.get(pictures[0].replace("&amp;", "&")).status_code == 200
    assert '<span class="quiet">label</span> 7' in page.text
    assert " style=" not in page.text
    assert SCRIPT not in page.text
    assert "<table" not in page.text.partition("</ul>")[0].partition("<ul")[2]


def test_captions_are_chosen_and_pictures_are_filtered_sorted_and_grouped(
    client: TestClient,
) -> None:
    query = {"mode": "images", "captions": '["id"]', "where": "id < 13", "sort": "desc:id"}
    page = client.get(GALLERY, params=query).text
    ids = [int(found) for found in re.findall(r'<span class="quiet">id</span> (\d+)', page)]
    assert ids == list(range(12, -1, -1))
    page = client.get(GALLERY, params={**query, "group": "label"}).text
    ids = [int(found) for found in re.findall(r'<span class="quiet">id</span> (\d+)', page)]
    assert ids == [10, 0, 11, 1, 12, 2, *range(3, 10)]
    page = client.get(GALLERY, params={**query, "captions": "[]"}).text
    assert '<span class="quiet">id</span>' not in page
    page = client.get(GALLERY, params={**query, "captions": '["a","b","c","d"]'}).text
    assert "there are at most 3" in page


def test_a_table_without_pictures_stays_a_table(client: TestClient) -> None:
    page = client.get("/p/demo/c/guesses/v0/tables/pred", params={"mode": "images"}).text
    assert '<table class="first">' in page
    assert "gallery" not in page


def test_another_version_is_told_with_the_run_that_made_it(
    tmp_path: Path, make_client: MakeClient
) -> None:
    store = open_at(tmp_path / "store", project="demo")
    for number in range(3):
        draft = art.Artifact("made", "dataset")
        draft.add(art.Table(["id", "value"], [[1, number]]), "rows")
        store.log_artifact(draft, run="demo/run1" if number == 1 else None)
    told = ask(make_client(open_site(store)), "/p/demo/c/made/v2/table-sample/rows", ("row", 0))
    runs = {side["version"]: side["run"] for side in told["sides"]}
    assert runs == {"v0": None, "v1": {"project": "demo", "id": "run1"}}

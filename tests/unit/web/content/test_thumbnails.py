"""Thumbnails that come with the rows, and those that are made before they are asked for."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import artstore as art
from artstore.api import LoggedArtifact, Store
from artstore.media import thumbnailfile
from artstore.web.content.thumbnails import ThumbnailDesk, fitting_side, gallery_side
from artstore.web.opening import open_site
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient

ROWS = "/api/v1/p/demo/c/pictures/v0/table-rows/rows"
PAGE = "/p/demo/c/pictures/v0/tables/rows"
COUNT = 6
SECONDS = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_at(tmp_path / "store", project="demo")


@pytest.fixture
def version(store: Store) -> LoggedArtifact:
    table = art.Table(["image", "label"])
    for number in range(COUNT):
        table.add_data(art.Image(np.full((90, 100, 3), number, np.uint8)), number)
    table.add_data(art.Image(np.zeros((8, 8), np.uint8)), COUNT)
    draft = art.Artifact("pictures", "dataset")
    draft.add(table, "rows")
    return store.log_artifact(draft)


def eventually(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.01)


def images(client: Any, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f'{ROWS}?only=["image"]{query}')
    assert answer.status_code == 200, answer.text
    cells: list[dict[str, Any]] = answer.json()["cells"][0]
    return cells


def files_of(store: Store) -> list[Path]:
    folder = store.__getstate__().cache_dir / "thumbnails"
    return [file for file in folder.rglob("*-*") if not file.name.startswith(".")]


@pytest.mark.usefixtures("version")
def test_thumbnails_that_were_made_come_with_the_rows_if_asked_for(
    store: Store, make_client: MakeClient
) -> None:
    client = make_client(open_site(store))
    before = images(client, "&thumbs=64")
    assert not any("ready" in cell for cell in before)
    made = client.get(f"{before[2]['thumb']}&size=64")
    after = images(client, "&thumbs=64")
    assert [at for at, cell in enumerate(after) if "ready" in cell] == [2]
    kind, _, data = after[2]["ready"]["src"].partition(";base64,")
    assert (kind, after[2]["ready"]["size"]) == (f"data:{made.headers['content-type']}", 64)
    assert base64.b64decode(data) == made.content
    assert images(client) == images(client, "&thumbs=128") == images(client, "&thumbs=65") == before


@pytest.mark.usefixtures("version")
def test_thumbnails_of_a_page_are_made_while_it_is_on_its_way(
    store: Store, make_client: MakeClient
) -> None:
    client = make_client(open_site(store))
    page = client.get(PAGE, params={"mode": "images", "size": "100"}).text
    # What is small already is shown as it is.
    eventually(lambda: len(files_of(store)) == COUNT)
    assert all("-128." in file.name for file in files_of(store))
    shown = re.findall(r'<img src="([^"]+)"(?: srcset="([^"]+)")?', page)
    assert [address.rpartition("size=")[2] for address, _ in shown[:COUNT]] == ["128"] * COUNT
    assert all(sharper.endswith("size=256 2x") for _, sharper in shown[:COUNT])
    assert "/content/" in shown[COUNT][0]
    client.get(PAGE)
    eventually(lambda: len(files_of(store)) == 2 * COUNT)


def test_of_another_file_than_the_one_that_is_meant_nothing_is_made_ahead(
    version: LoggedArtifact, tmp_path: Path
) -> None:
    content = version.get("rows").opener_of("image")
    entries = [entry.stored for entry in version.files() if entry.path.endswith(".png")]
    desk = ThumbnailDesk(tmp_path / "made")
    desk.make_ahead(content(entries[0].path), entries[1].digest.hex(), 64)
    desk.make_ahead(content(entries[1].path), entries[1].digest.hex(), 64)
    eventually(lambda: desk.inlined(entries[1].digest, 64) is not None)
    assert desk.inlined(entries[0].digest, 64) is None


def test_a_thumbnail_that_many_ask_for_at_once_is_made_once(
    version: LoggedArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry, *_) = [one.stored for one in version.files() if one.path.endswith(".png")]
    calls = []
    real = thumbnailfile.make_thumbnail

    def counted(*args: Any) -> tuple[bytes, str]:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(thumbnailfile, "make_thumbnail", counted)
    desk = ThumbnailDesk(tmp_path / "made")
    data = version.read(entry.path)
    barrier = threading.Barrier(4)

    def ask(_: int) -> tuple[bytes, str]:
        barrier.wait(SECONDS)
        return desk.make(entry, 64, partial(io.BytesIO, data))

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(ask, range(4)))
    assert len(found) == len(calls) == 1


def test_a_large_thumbnail_is_left_to_a_request_of_its_own(
    store: Store, make_client: MakeClient
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    table = art.Table(["image"])
    table.add_data(art.Image(noise))
    draft = art.Artifact("pictures", "dataset")
    draft.add(table, "rows")
    store.log_artifact(draft)
    client = make_client(open_site(store))
    (cell,) = images(client)
    answer = client.get(f"{cell['thumb']}&size=512")
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)
    assert "ready" not in images(client, "&thumbs=512")[0]


def test_a_thumbnail_serves_what_is_shown_a_little_larger() -> None:
    assert [fitting_side(pixels) for pixels in (1, 64, 76, 77, 150, 300, 600, 5_000)] == [
        *(64, 64, 64, 128, 128, 256, 512, 512)
    ]
    assert (gallery_side(None), gallery_side(64)) == (128, 64)


@pytest.mark.usefixtures("version")
def test_the_first_page_of_a_table_waits_for_neither_ibis_nor_pandas(store: Store) -> None:
    program = f"""
import sys
from artstore.tables.withoutpandas import leave_pandas_out
leave_pandas_out()
import artstore as art
from artstore.web import warming
from artstore.web.app import create_app
from artstore.web.opening import open_site
from starlette.testclient import TestClient
warming._AFTER_SECONDS = 60.0
store = art.open_store({store.url!r}, project="demo")
client = TestClient(create_app(open_site(store)), base_url="http://localhost")
assert client.get({PAGE!r}).status_code == 200
assert client.get({ROWS!r} + "?sort=desc:label").status_code == 200
print(sorted({{"ibis", "pandas", "sqlglot"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_what_a_condition_needs_is_imported_before_somebody_writes_one() -> None:
    program = """
import sys, time
from artstore import clock
from artstore.web import warming
warming._AFTER_SECONDS = 0.0
warming.warm_for_filters()
warming.warm_for_filters()
until = time.monotonic() + 20
while "artstore.tables.expressions" not in sys.modules:
    assert time.monotonic() < until
    time.sleep(0.01)
import threading
for thread in threading.enumerate():
    if thread.name == "artstore warming":
        thread.join()
print("ibis" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr

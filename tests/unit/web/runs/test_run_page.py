"""The page of one run: its sections, its files, changes to it; whatever a run holds."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.runs.sections import SECTIONS
from artstore.web.settings import ServeSettings
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.loggedruns import add_file, add_logged_run
from tests.unit.web.runshelf import BIDI, ENDED, begin_store
from tests.unit.web.shelves import FORMULA, SCRIPT

PLAIN = "/p/lab/runs/plain"
EVIL = "/p/lab/runs/evil"
PAGE = b"<!doctype html><script>parent.document.title = 'x'</script>"
OTHER = json.dumps({"data": [{"type": "heatmap", "z": [["<b>deep"]]}]}).encode()
FIGURE = json.dumps({"data": [{"type": "scatter", "y": [1, 2, 3]}], "layout": {}}).encode()
DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+<b>new</b>\n same\n"


def fill_logged(store: Store) -> Store:
    begin_store(store)
    _add_plain(store)
    _add_evil(store)
    add_logged_run(store, "empty")
    add_logged_run(store, "wide", [{f"m{n:04d}": float(n) for n in range(2_000)}] * 2)
    add_logged_run(store, "live", [{"loss": 1.0}], state="running", console=[b"begun\n"])
    return store


def _add_plain(store: Store) -> None:
    image = art.Image(np.zeros((4, 6), np.uint8)).prepare()
    [file] = image.files
    picture = {"_type": "image-file", **image.cell, "entry": file.path}
    picture["path"] = add_file(store, "plain", file.content.read(), "png")
    page = {"_type": "html-file", "path": add_file(store, "plain", PAGE, "html"), "format": "html"}
    figure = {"_type": "plotly-file", "path": add_file(store, "plain", FIGURE, "plotly.json")}
    table = {"_type": "table-file", "artifact": "lab/data:v0", "path": "t", "rows": 3}
    rows: list[dict[str, Any]] = [
        {
            "train/loss": 1.0 / (step + 1),
            "val/acc": step / 10,
            "odd": [math.nan, math.inf, 1.0][step % 3],
        }
        for step in range(6)
    ]
    rows[1] |= {"picture": picture, "page": page}
    rows[4] |= {"picture": {"_type": "images/separated", "count": 2, "items": [picture, picture]}}
    other = {"_type": "plotly-file", "path": add_file(store, "plain", OTHER, "plotly.json")}
    bokeh = {"_type": "bokeh-file", "path": add_file(store, "plain", b"{}", "bokeh.json")}
    sound = {"_type": "audio-file", "path": add_file(store, "plain", b"RIFF", "wav")}
    film = {
        "_type": "video-file",
        "path": add_file(store, "plain", b"film", "mp4"),
        "format": "mp4",
    }
    rows[5] |= {"sound": sound, "film": film}
    rows[2] |= {"figure": figure, "table": table, "heat": other, "bokeh": bokeh, "flag": True}
    add_logged_run(
        store,
        "plain",
        rows,
        system=[{"cpu": 10.0 * at} for at in range(4)],
        console=[b"first line\n", b"\x1b[31mred\x1b[0m\n"],
        name="a plain run",
        notes="# Why\n\n<b>so</b>",
        tags=["one", "two"],
        config={"lr": 0.1, "optim": {"name": "adam", "nan": math.nan}},
        summary={"train/loss": 0.2, "picture": picture},
        metrics={"val/acc": {"step_metric": "epoch"}, "odd": {"hidden": True}},
        used=[
            {"artifact": "lab/data", "version": 0, "alias": "latest", "as": "train"},
            {"artifact": "lab/data", "version": 7},
        ],
        logged=[{"artifact": "lab/gone", "version": 0, "type": "model", "time": ENDED}],
        alerts=[
            {"title": "low", "text": "slow", "level": "INFO", "time": ENDED},
            {"title": "bad", "text": "nan", "level": "ERROR", "time": ENDED},
        ],
        environment={
            "argv": ["python", "train.py"],
            "packages": ["numpy==2"],
            "git": {"commit": "c" * 40, "diff": DIFF},
            "host": "lab",
        },
    )


def _add_evil(store: Store) -> None:
    outside = {"_type": "image-file", "path": "../../../etc/passwd", "width": 1, "height": 1}
    remote = {"_type": "html-file", "path": "https://example.org/x.html"}
    broken = {"_type": "image-file", "boxes": [1], "masks": "x", "path": 3}
    table = {"_type": "table-file", "artifact": "../x:v0", "path": SCRIPT, "columns": SCRIPT}
    values = [outside, remote, broken, table, {"_type": 5}, {"_type": SCRIPT}]
    add_logged_run(
        store,
        "evil",
        [{f"{SCRIPT}/k{at}": value for at, value in enumerate(values)} | {SCRIPT: 1.0}] * 2,
        console=[f"{SCRIPT}\n{BIDI}\x1b]0;t\x07\n".encode() + b"\xff\n"],
        name=f"{SCRIPT}{BIDI}",
        notes=f"{SCRIPT} [x](javascript:alert(1))",
        group=SCRIPT,
        job_type=FORMULA,
        tags=[SCRIPT],
        config={SCRIPT: {SCRIPT: SCRIPT}, "long": "x" * 100_000, "deep": _deep(80)},
        summary={SCRIPT: {"_type": SCRIPT}},
        metrics={SCRIPT: {"step_metric": 5, "hidden": "x", "summary": 3}, "x": 5},
        used=[{"artifact": "../../x", "version": "v0"}, {"artifact": 5}, {SCRIPT: SCRIPT}],
        logged=[{"artifact": "lab/data", "version": True, "type": SCRIPT}],
        alerts=[{"title": SCRIPT, "text": 5, "level": SCRIPT, "time": SCRIPT}],
        environment={
            "argv": [SCRIPT],
            "packages": SCRIPT,
            "git": {"commit": SCRIPT, "diff": SCRIPT},
            SCRIPT: SCRIPT,
        },
    )


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.fixture(scope="module")
def logged_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("logged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        fill_logged(open_at(root / "store", project="lab"))
    return root / "store"


@pytest.fixture
def reader(logged_directory: Path, make_client: MakeClient) -> TestClient:
    return make_client(open_site(open_at(logged_directory, project="lab")))


@pytest.fixture
def own_store(tmp_path: Path) -> Store:
    """A store of the test's own, with one run."""
    store = begin_store(open_at(tmp_path / "own", project="lab"))
    add_logged_run(store, "plain", [{"loss": 1.0}], name="a", tags=["one"])
    return store


@pytest.fixture
def writer(own_store: Store, make_client: MakeClient) -> TestClient:
    site = open_site(own_store, ServeSettings(write=True))
    client = make_client(site)
    client.headers["X-Artstore-Token"] = site.secret
    return client


def value(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(f"/api/v1{path}?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def page(client: TestClient, path: str, **query: Any) -> str:
    answer = client.get(f"{path}?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.text


# what a run tells -----------------------------------------------------------------------


def test_every_section_tells_whose_run_it_is(reader: TestClient) -> None:
    for show in SECTIONS:
        found = value(reader, PLAIN, show=show)
        assert found["show"] == show
        assert (found["run"], found["project"], found["name"]) == ("plain", "lab", "a plain run")
        assert (found["state"], found["is_live"], found["exit_code"]) == ("finished", False, 0)
        assert (found["user"], found["host"], found["tags"]) == ("ada", "lab", ["one", "two"])
        assert found["duration_seconds"] == 3723
        assert found["alert_counts"] == {"ERROR": 1, "WARN": 0, "INFO": 1}
        assert "a plain run" in page(reader, PLAIN, show=show)


def test_a_section_or_run_that_is_not_there_is_told(reader: TestClient) -> None:
    assert reader.get(f"/api/v1{PLAIN}?show=nothing").json()["error"]["code"] == "request-invalid"
    answer = reader.get("/api/v1/p/lab/runs/plan")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "run-not-found"
    assert reader.get("/p/lab/runs/..%2F..").status_code in (400, 404)


def test_charts_know_the_keys_and_what_was_defined_of_them(reader: TestClient) -> None:
    found = value(reader, PLAIN, smooth="0.5", hide="train/loss")
    keys = {one["key"]: one for one in found["keys"]}
    assert keys["train/loss"] == {
        "key": "train/loss",
        "type": "number",
        "x": None,
        "is_hidden": False,
    }
    assert keys["val/acc"]["x"] == "epoch"
    assert keys["odd"]["is_hidden"]
    assert keys["picture"]["type"] == "media"
    assert keys["table"]["type"] == "table"
    assert (found["board"]["smoothing"], found["board"]["hidden"]) == (0.5, ["train/loss"])
    assert [one["key"] for one in value(reader, PLAIN, show="system")["keys"]] == ["cpu"]


def test_without_scripts_metrics_are_small_lines(reader: TestClient) -> None:
    text = page(reader, PLAIN)
    assert text.count('<svg class="spark"') == 3
    assert "train/loss: 6 values, 0.166667 to 1, last 0.166667" in text
    assert "odd: 2 values" not in text, "it was defined as hidden"
    assert "cpu: 4 values" in page(reader, PLAIN, show="system")


def test_two_thousand_metrics_come_a_page_at_a_time(reader: TestClient) -> None:
    text = page(reader, "/p/lab/runs/wide")
    assert text.count('<svg class="spark"') == 24
    assert len(text) < 400_000
    assert "m0023" in text.partition('id="run-data"')[0]
    assert "m0024" not in text.partition('id="run-data"')[0]
    assert page(reader, "/p/lab/runs/wide", page=84).count('<svg class="spark"') == 8


def test_inputs_and_outputs_lead_to_versions_with_their_aliases(reader: TestClient) -> None:
    found = value(reader, PLAIN, show="overview")
    there, gone = found["used"]
    assert (there["artifact"], there["version"], there["use_as"]) == ("lab/data", "v0", "train")
    assert (there["aliases"], there["address"]) == (["latest"], "/p/lab/c/data/v0")
    assert (gone["is_there"], gone["address"]) == (False, None)
    assert found["logged"][0]["is_there"] is False
    assert [one["title"] for one in found["alerts"]] == ["bad", "low"]
    text = page(reader, PLAIN, show="overview")
    assert 'href="/p/lab/c/data/v0"' in text
    assert "<b>so</b>" not in text
    assert "NaN" in text


def test_config_and_summary_are_searched_by_name_and_value(reader: TestClient) -> None:
    text = page(reader, PLAIN, show="overview", find="ADAM")
    found = text.partition('id="found"')[2].partition("</dl>")[0]
    assert "config.optim.name" in found
    assert "config.lr" not in found
    assert "summary.train/loss" in page(reader, PLAIN, show="overview", find="loss")
    assert "No name and no value" in page(reader, PLAIN, show="overview", find="zzz")


def test_the_console_is_plain_and_searched(reader: TestClient) -> None:
    found = value(reader, PLAIN, show="console")
    assert found["console"] == {
        "start": 0,
        "stop": 24,
        "size_bytes": 24,
        "text": "first line\nred\n",
    }
    hits = value(reader, PLAIN, show="console", find="RED")["found"]
    assert hits == {"lines": [{"start": 11, "text": "red"}], "is_all": True}
    assert value(reader, PLAIN, show="console", after=11)["console"]["text"] == "red\n"
    for name in ("before", "after"):
        answer = reader.get(f"/api/v1{PLAIN}?show=console&{name}=x")
        assert answer.json()["error"]["code"] == "request-invalid"


def test_the_environment_is_told_with_the_diff(reader: TestClient) -> None:
    assert value(reader, PLAIN, show="environment")["environment"]["git"]["diff"] == DIFF
    text = page(reader, PLAIN, show="environment")
    assert '<span class="removed">-old' in text
    assert '<span class="added">+&lt;b&gt;new&lt;/b&gt;' in text
    assert "python train.py" in text
    assert "numpy==2" in text


def test_a_run_of_which_nothing_is_known_has_all_sections(reader: TestClient) -> None:
    for show in SECTIONS:
        page(reader, "/p/lab/runs/empty", show=show)
        value(reader, "/p/lab/runs/empty", show=show)


def test_only_a_run_that_goes_on_is_live(reader: TestClient) -> None:
    found = value(reader, "/p/lab/runs/live", show="console")
    assert (found["state"], found["is_live"], found["ended_at"]) == ("running", True, None)


def test_files_of_a_run_are_those_of_its_collection(own_store: Store, writer: TestClient) -> None:
    assert value(writer, PLAIN, show="files")["files"] is None
    draft = art.Artifact("run-plain-files", "run_files")
    with draft.new_file("sub/notes.txt") as file:
        file.write("x")
    own_store.log_artifact(draft)
    found = value(writer, PLAIN, show="files")["files"]
    assert found["version"] == "lab/run-plain-files:v0"
    assert [(one["path"], one["size_bytes"]) for one in found["entries"]] == [("sub/notes.txt", 1)]
    assert "notes.txt" in page(writer, PLAIN, show="files")


# media by step --------------------------------------------------------------------------


def test_media_are_those_of_the_step_or_the_last_before(reader: TestClient) -> None:
    found = value(reader, PLAIN, show="media")
    assert (found["step"], found["steps"]) == (5, [1, 2, 4, 5])
    cells = {one["key"]: one for one in found["values"]}
    assert [one["$"] for one in cells["picture"]["cells"]] == ["image", "image"]
    assert (cells["page"]["step"], cells["page"]["cells"][0]["kind"]) == (1, "html")
    assert cells["figure"]["cells"][0]["drawn"]["traces"][0]["y"] == [1.0, 2.0, 3.0]
    assert cells["table"]["cells"][0]["address"] == "/p/lab/c/data/v0/tables/t"
    early = value(reader, PLAIN, show="media", step=1)
    shown = {one["key"]: len(one["cells"]) for one in early["values"]}
    assert (early["step"], shown["picture"]) == (1, 1)
    assert value(reader, PLAIN, show="media", step=-5)["step"] == 1
    only = value(reader, PLAIN, show="media", key="page")
    assert [one["key"] for one in only["values"]] == ["page"]


def test_media_can_be_seen_without_scripts(reader: TestClient) -> None:
    text = page(reader, PLAIN, show="media", step=2)
    assert '<svg class="figure"' in text
    assert re.search(r'<iframe class="page-frame" sandbox="allow-scripts"[^>]*/frame/', text)
    assert re.search(r'<img src="/p/lab/runs/plain/media/[0-9a-f]{64}\.png"', text)
    assert "&lt;b&gt;deep" in text
    assert "A file of the kind bokeh is not shown here" in text
    assert 'step=1"' in text
    assert 'step=4"' in text


def test_sounds_and_films_have_players_without_scripts(reader: TestClient) -> None:
    text = page(reader, PLAIN, show="media")
    assert re.search(r'<audio class="preview-media" controls[^>]*/media/[0-9a-f]{64}\.wav"', text)
    found = re.search(r'<video class="preview-media" controls[^>]* src="([^"]*)"', text)
    assert found
    film = reader.get(found[1], headers={"Range": "bytes=1-2"})
    assert (film.content, film.headers["content-type"]) == (b"il", "video/mp4")
    assert "sandbox allow-same-origin;" in film.headers["content-security-policy"]


def test_files_of_steps_are_sent_so_that_nothing_runs(reader: TestClient) -> None:
    cells = {one["key"]: one["cells"][0] for one in value(reader, PLAIN, show="media")["values"]}
    picture = reader.get(cells["picture"]["src"])
    assert picture.headers["content-type"] == "image/png"
    assert "immutable" in picture.headers["cache-control"]
    part = reader.get(cells["picture"]["src"], headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"\x89PNG")
    told = reader.get(cells["page"]["src"])
    assert told.content == PAGE
    assert told.headers["content-type"].startswith("text/plain")
    assert "sandbox" in told.headers["content-security-policy"]
    framed = reader.get(cells["page"]["frame"])
    policy = framed.headers["content-security-policy"]
    assert framed.headers["content-type"].startswith("text/html")
    assert "sandbox allow-scripts;" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    alone = reader.get(cells["page"]["frame"], headers={"Sec-Fetch-Dest": "document"})
    assert (alone.status_code, alone.headers["location"]) == (303, f"{PLAIN}?show=media")
    figure = reader.get(cells["figure"]["src"])
    assert figure.headers["content-type"] == "application/json"
    refused = reader.get(cells["picture"]["src"].replace("/media/", "/frame/"))
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "name",
    ["../../x", "..%2Fhistory", "a" * 64 + "/x", "A" * 64, "b" * 63, f"{'0' * 64}.png", "x"],
)
def test_only_files_of_the_run_have_addresses(reader: TestClient, name: str) -> None:
    for kind in ("media", "frame", "thumbnail"):
        assert reader.get(f"/api/v1{PLAIN}/{kind}/{name}").status_code == 404


def test_a_damaged_file_is_not_sent(own_store: Store, writer: TestClient) -> None:
    path = add_file(own_store, "plain", b"good", "png")
    key = f"runs/lab/plain/{path}"
    storage = own_store._guarded_storage()
    storage.delete([key])
    storage.create(key, b"evil")
    # Nor becomes a thumbnail of what its name says, which other pages would show.
    for address in (path, path.replace("media/", "thumbnail/")):
        answer = writer.get(f"{PLAIN}/{address}")
        assert answer.status_code == 500
        assert "run-media-damaged" in answer.text


def test_several_pictures_of_a_step_are_small_and_each_leads_to_the_whole_one(
    reader: TestClient,
) -> None:
    values = {one["key"]: one["cells"] for one in value(reader, PLAIN, show="media")["values"]}
    text = page(reader, PLAIN, show="media")
    for cell in values["picture"]:
        small = reader.get(f"{cell['thumb']}&size=64")
        assert small.headers["content-type"] in ("image/png", "image/webp")
        assert "immutable" in small.headers["cache-control"]
        assert small.headers["content-security-policy"].startswith("sandbox")
        known = {"If-None-Match": small.headers["etag"]}
        assert reader.get(f"{cell['thumb']}&size=64", headers=known).status_code == 304
        assert f'<a href="{cell["src"]}" data-cell=' in text
    assert text.count('<figure class="media-small">') == len(values["picture"]) == 2
    assert reader.get(f"{values['picture'][0]['thumb']}&size=65").status_code == 400
    sound = values["sound"][0]["src"].replace("/media/", "/thumbnail/")
    assert reader.get(sound).status_code == 422


# strangers ------------------------------------------------------------------------------


class Words(HTMLParser):
    """Elements and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, text in attrs:
            if name in ("src", "href", "action"):
                self.addresses.append(text or "")
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.mark.parametrize("show", SECTIONS)
def test_whatever_a_run_holds_it_stays_text(reader: TestClient, show: str) -> None:
    found = Words(page(reader, EVIL, show=show, find="script"))
    assert found.handlers == []
    assert found.tags.count("script") <= 4
    assert all(one.startswith(("/", "#")) for one in found.addresses)
    assert "\u202e" not in page(reader, EVIL, show=show).partition('id="run-data"')[0]
    value(reader, EVIL, show=show, find="script")


def test_nothing_outside_of_the_run_is_addressed(reader: TestClient) -> None:
    found = value(reader, EVIL, show="media")
    for one in found["values"]:
        for cell in one["cells"]:
            assert cell.get("src") is None
            assert cell.get("frame") is None
            assert cell.get("address") is None


# changes --------------------------------------------------------------------------------


def test_a_server_that_only_reads_changes_nothing(reader: TestClient) -> None:
    answer = reader.post(f"/api/v1{PLAIN}", json={"name": "x"})
    assert answer.status_code == 403
    assert '<form method="post"' not in page(reader, PLAIN, show="overview")


def test_name_notes_and_tags_are_changed(own_store: Store, writer: TestClient) -> None:
    told = writer.post(
        f"/api/v1{PLAIN}",
        json={"name": " b ", "notes": "x\r\ny", "add_tag": ["two", " "], "remove_tag": "one"},
    ).json()
    assert (told["name"], told["notes"], told["tags"]) == ("b", "x\ny", ["two"])
    stored = own_store.run("lab/plain").facts
    assert (stored["name"], stored["notes"], stored["tags"]) == ("b", "x\ny", ["two"])
    led = writer.post(PLAIN, data={"notes": ""})
    assert (led.status_code, led.headers["location"]) == (303, f"{PLAIN}?show=overview")
    assert own_store.run("lab/plain").facts["notes"] is None
    assert writer.post(f"/api/v1{PLAIN}", json={"name": ""}).json()["name"] is None


def test_a_run_that_goes_on_is_deleted_only_with_force(
    own_store: Store, writer: TestClient
) -> None:
    add_logged_run(own_store, "live", state="running")
    live = "/api/v1/p/lab/runs/live"
    assert writer.post(live, json={"delete": "1"}).json()["error"]["code"] == "run-active"
    assert writer.post(live, json={"delete": "1", "force": "1"}).json()["is_deleted"]


def test_a_run_is_deleted_and_restored(writer: TestClient) -> None:
    assert writer.post(f"/api/v1{PLAIN}", json={"delete": "1"}).json()["is_deleted"]
    assert value(writer, PLAIN)["state"] == "deleted"
    assert "Restore the run" in page(writer, PLAIN, show="overview")
    assert not writer.post(f"/api/v1{PLAIN}", json={"restore": "1"}).json()["is_deleted"]


def test_a_run_that_gc_has_swept_says_so_and_is_not_restored(
    own_store: Store, writer: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.post(f"/api/v1{PLAIN}", json={"delete": "1"})
    assert not value(writer, PLAIN)["is_swept"]
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    told = own_store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0))
    assert told.runs is not None
    assert told.runs.deleted_runs == 1
    assert value(writer, PLAIN)["is_swept"]
    shown = page(writer, PLAIN, show="overview")
    assert "gc has deleted what it logged" in shown
    assert "Restore the run" not in shown
    refused = writer.post(f"/api/v1{PLAIN}", json={"restore": "1"})
    assert refused.json()["error"]["code"] == "content-swept"
    for tab in ("charts", "console", "media", "system", "files"):
        assert "gc has deleted what it logged" in page(writer, PLAIN, show=tab)


@pytest.mark.parametrize(
    "fields",
    [{}, {"state": "finished"}, {"name": "x" * 501}, {"add_tag": "x" * 129}],
)
def test_changes_that_cannot_be_are_refused(writer: TestClient, fields: dict[str, str]) -> None:
    answer = writer.post(f"/api/v1{PLAIN}", json=fields)
    assert answer.json()["error"]["code"] == "request-invalid"
    assert value(writer, PLAIN)["name"] == "a"

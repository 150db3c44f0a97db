"""Sound and film: they play on the page of their file, and opened alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import artstore as art
from artstore.api import Store
from tests.browser.album import previewed_files, put_file
from tests.browser.serving import serving
from tests.browser.test_table_page import wait_for
from tests.browser.watching import Watched
from tests.trees import open_at

FILES: Final = "/p/demo/c/media/v0/files/"
CONTENT: Final = "/p/demo/c/media/v0/content/"

FILM: Final = """async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [32, 32];
  const pen = canvas.getContext("2d");
  const stream = canvas.captureStream(20);
  const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8" });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  for (let at = 0; at < 8; at += 1) {
    pen.fillStyle = `rgb(${at * 30} 0 0)`;
    pen.fillRect(0, 0, 32, 32);
    await new Promise((done) => setTimeout(done, 50));
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""
PLAY: Final = "player => { player.muted = true; player.play(); }"


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """demo/media: a sound, and a film that the browser has recorded."""
    page = browser.new_page()
    film = base64.b64decode(page.evaluate(FILM))
    page.close()
    draft = art.Artifact("media", "dataset")
    put_file(draft, "sound.wav", previewed_files()["sound.wav"])
    put_file(draft, "film.webm", film)
    root: Path = tmp_path_factory.mktemp("media")
    store: Store = open_at(root / "store", project="demo")
    store.log_artifact(draft)
    with serving(store) as found:
        yield found


@pytest.mark.parametrize("path", [FILES + "sound.wav", FILES + "film.webm"])
def test_a_file_plays_on_its_page(browser: Any, address: str, path: str) -> None:
    _plays(browser, address, path)


@pytest.mark.parametrize("path", [CONTENT + "sound.wav", CONTENT + "film.webm"])
def test_a_file_plays_alone_and_no_script_runs_there(browser: Any, address: str, path: str) -> None:
    headers = _plays(browser, address, path)
    policy = headers["content-security-policy"]
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def _plays(browser: Any, address: str, path: str) -> dict[str, str]:
    watched = Watched(browser, address)
    try:
        answer = watched.goto(path)
        player = watched.page.locator("audio, video").first
        player.wait_for(state="attached")
        player.evaluate(PLAY)
        # In a page without scripts no promise is kept: it is asked again.
        wait_for(lambda: player.evaluate("player => player.currentTime > 0"))
        assert watched.errors == []
        return dict(answer.headers)
    finally:
        watched.context.close()

"""
Takes the pictures of the tutorials anew: `python docs/screenshots.py`.

Needs Chromium and what the tests need. The pages are those of a store that `art demo` makes, and of
one that the Python blocks of tutorial 6 make.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from artstore.api import open_store
from artstore.cli.demo import run_demo
from artstore.web.opening import open_site
from artstore.web.serving import ThreadServer, listen

PICTURES = Path(__file__).parent / "tutorials" / "images"
TABLE = "p/demo/c/digits-pred/v1/tables/joined"
WRONG = "where=guess%20!%3D%20label"
PAGES = {
    "joined.png": f"{TABLE}?{WRONG}",
    "compared.png": f"{TABLE}?with=demo/digits-pred:v0/joined",
}
TUTORIAL = Path(__file__).parent / "tutorials" / "6-watch-compare-trace.md"
WIDTH, HEIGHT = 1200, 620


def main() -> None:
    """Make the stores, open each page, write each picture."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        report = run_demo(Path(made) / "demo", None, lambda _: None)
        shoot(page, report.store, "demo", PAGES)
        url = follow_tutorial(Path(made))
        shoot(page, url, "digits", pages_of_tutorial(url))
        browser.close()


def follow_tutorial(made: Path) -> str:
    """Do what the tutorial does, but its last check; the store that it makes."""
    *blocks, _ = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)
    url = str(made / "digits")
    environ = {**os.environ, "ARTSTORE_URL": url, "ARTSTORE_PROJECT": "digits"}
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], check=True, cwd=made, env=environ)
    open_store(url, project="digits").set_tags("digits-clean:v0", add=["bad"])
    return url


def pages_of_tutorial(url: str) -> Mapping[str, str]:
    """Pictures by name, and what they show."""
    store = open_store(url, project="digits")
    best = store.runs(where="config.hidden = 32", sort='-summary."val/accuracy".max', limit=4)
    chosen = "&".join(f"run={run.whole['run']}" for run in best)
    return {
        "runs.png": f"p/digits/compare?{chosen}",
        "lineage.png": "lineage?node=digits/digits-clean:v0&explode=1",
    }


def shoot(page: Any, url: str, project: str, pages: Mapping[str, str]) -> None:
    """Take a picture of each page of a store."""
    server = ThreadServer(open_site(open_store(url, project=project)), listen("127.0.0.1", 0))
    for name, address in pages.items():
        page.goto(server.address + address)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)
        write(page.screenshot(), PICTURES / name)
    server.stop()


def write(data: bytes, file: Path) -> None:
    """A picture with 128 colours: a third of the bytes, and nothing to be seen of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture: Any = Image.open(io.BytesIO(data)).convert("RGB").quantize(128)
    picture.save(file, optimize=True)


if __name__ == "__main__":
    main()

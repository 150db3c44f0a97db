"""
Takes the pictures of the tutorials anew: `python docs/screenshots.py`.

Needs Chromium and what the tests need. The pages are those of a store that `art demo` makes.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from artstore.api import open_store
from artstore.cli.demo import run_demo
from artstore.web.serving import ThreadServer, listen
from artstore.web.site import Site

PICTURES = Path(__file__).parent / "tutorials" / "images"
TABLE = "p/demo/c/digits-pred/v1/tables/joined"
WRONG = "where=guess%20!%3D%20label"
PAGES = {
    "joined.png": f"{TABLE}?{WRONG}",
    "compared.png": f"{TABLE}?with=demo/digits-pred:v0/joined",
}
WIDTH, HEIGHT = 1200, 620


def main() -> None:
    """Make the store, open each page, write each picture."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as made:
        report = run_demo(Path(made) / "demo", None, lambda _: None)
        server = ThreadServer(
            Site(open_store(report.store, project="demo")), listen("127.0.0.1", 0)
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            for name, address in PAGES.items():
                page.goto(server.address + address)
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(1000)
                write(page.screenshot(), PICTURES / name)
            browser.close()
        server.stop()


def write(data: bytes, file: Path) -> None:
    """A picture with 128 colours: a third of the bytes, and nothing to be seen of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture: Any = Image.open(io.BytesIO(data)).convert("RGB").quantize(128)
    picture.save(file, optimize=True)


if __name__ == "__main__":
    main()

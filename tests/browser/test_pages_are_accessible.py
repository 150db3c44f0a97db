"""Every kind of page can be read and used by everybody: axe finds nothing serious."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from artstore.api import Store
from tests.browser.album import Kind, is_ready, kinds_of_pages
from tests.browser.serving import serving
from tests.browser.watching import Watched

axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")

SERIOUS: Final = ("serious", "critical")
RUN: Final = """async (rules) => {
  const options = { resultTypes: ["violations"], iframes: false };
  if (rules) options.runOnly = { type: "rule", values: rules };
  const { violations } = await axe.run(document, options);
  return violations.map(({ id, impact, help, nodes }) => {
    const told = nodes.slice(0, 4).map((one) => `${one.html.slice(0, 200)} ${one.failureSummary}`);
    return { id, impact, help, nodes: told };
  });
}"""


@pytest.fixture(scope="module")
def writable(served_store: Store) -> Iterator[str]:
    """A server that may write: its pages have all forms."""
    with serving(served_store, write=True) as address:
        yield address


@pytest.fixture(scope="module")
def watched(browser: Any, writable: str) -> Iterator[Watched]:
    # Our own policy keeps strangers' scripts out, and axe is one.
    found = Watched(browser, writable, bypass_csp=True)
    found.context.add_init_script(files(axe).joinpath("axe.min.js").read_text("utf-8"))
    yield found
    found.context.close()


@pytest.mark.parametrize("kind", kinds_of_pages(), ids=lambda kind: kind.name)
def test_a_page_has_nothing_serious_in_light_and_dark(
    watched: Watched, kind: Kind, shots: Path
) -> None:
    page = watched.page
    page.emulate_media(color_scheme="light")
    watched.goto(kind.path)
    is_ready(page)
    if kind.steps:
        kind.steps(page)
    page.screenshot(path=shots / f"{kind.word}-light.png")
    found = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=shots / f"{kind.word}-dark.png")
    # Only colours are others in the dark.
    found += page.evaluate(RUN, ["color-contrast"])
    assert [one for one in found if one["impact"] in SERIOUS] == []


def test_what_keeps_people_out_is_found(watched: Watched) -> None:
    watched.goto("/")
    watched.page.evaluate(
        """() => {
          const image = document.createElement("img");
          const faint = Object.assign(document.createElement("p"), { textContent: "faint" });
          faint.style.cssText = "color: #ccc; background: #fff";
          document.getElementById("content").append(image, faint);
        }"""
    )
    found = {one["id"] for one in watched.page.evaluate(RUN, None) if one["impact"] in SERIOUS}
    assert found == {"image-alt", "color-contrast"}

"""
Charts on a page of a real server: made by scripts of a test, with nothing else around them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

SETUP: Final = """async () => {
  const prefix = document.querySelector("link[rel=stylesheet]").href.replace(/page[.]css$/, "");
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet" });
  sheet.href = `${prefix}charts.css`;
  document.head.append(sheet);
  await new Promise((done) => sheet.addEventListener("load", done));
  const host = document.getElementById("content");
  host.replaceChildren();
  const names = ["line", "scatter", "parallel", "histories", "bars", "ticks", "series", "plot"];
  const parts = names.map((name) => import(`${prefix}charts/${name}.js`));
  Object.assign(window, { host }, ...(await Promise.all(parts)));
  window.frames_ = (count = 1) => new Promise((done) => {
    const next = () => (count-- > 0 ? requestAnimationFrame(next) : done());
    next();
  });
  // How many pixels of a canvas have a colour of the page.
  window.painted = (canvas, name) => {
    const probe = Object.assign(document.createElement("span"), { hidden: true });
    host.append(probe);
    probe.style.color = `var(--${name})`;
    const want = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number);
    probe.remove();
    const { width, height } = canvas;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const pen = copy.getContext("2d", { willReadFrequently: true });
    pen.drawImage(canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const isNear = [0, 1, 2].every((part) => Math.abs(data[at + part] - want[part]) < 6);
      if (data[at + 3] > 200 && isNear) count += 1;
    }
    return count;
  };
  window.lines = (count, length, value) => Array.from({ length: count }, (_, run) => ({
    id: `r${run}`, label: `run ${run}`, colour: run, dash: run,
    x: Array.from({ length }, (_, at) => at * 10),
    y: Array.from({ length }, (_, at) => value(run, at)),
  }));
}"""


def empty_page(open_page: Callable[..., Any], **options: Any) -> Any:
    """A page that has what charts need: their modules as globals, and nothing to see."""
    page = open_page("/", **options)
    page.evaluate(SETUP)
    return page


def frame_box(page: Any, nth: int = 0) -> dict[str, float]:
    """Where a chart stands in the window."""
    frame = page.locator(".chart-frame").nth(nth)
    frame.scroll_into_view_if_needed()
    found: dict[str, float] = frame.bounding_box()
    return found


def drag(page: Any, *places: tuple[float, float]) -> None:
    """With the mouse from the first place over the others."""
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def status(page: Any) -> str:
    """What the chart said last to who listens."""
    text: str = page.locator(".chart [role=status]").first.text_content()
    return text

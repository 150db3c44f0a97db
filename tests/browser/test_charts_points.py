"""Charts of points, of axes side by side, of histograms and of bars."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.browser.drawing import SETUP, drag, empty_page, frame_box, status
from tests.browser.watching import Watched

OpenPage = Callable[..., Any]

SCATTER = """async (part) => {
  window.chosen = [];
  window.picked = [];
  const options = { title: "points", xName: "x", yName: "y", colourName: "label" };
  options.onSelect = (...all) => chosen.push(all);
  window.chart = new ScatterChart(host, { ...options, ...part });
  // A grid of 10 x 10, in three classes.
  const all = Array.from({ length: 100 }, (_, at) => at);
  const colours = all.map((at) => ["cat", "dog", "<b>"][at % 3]);
  chart.set({ x: all.map((at) => at % 10), y: all.map((at) => Math.floor(at / 10)), colours });
  await frames_(2);
}"""
PARALLEL = """async () => {
  window.chosen = [];
  const options = { title: "runs", colourBy: "acc", onSelect: (all) => chosen.push(all) };
  window.chart = new ParallelCoordinates(host, options);
  const all = Array.from({ length: 30 }, (_, at) => at);
  chart.set({ labels: all.map((at) => `run ${at}`), axes: [
    { name: "lr", values: all.map((at) => 10 ** (-at / 6)) },
    { name: "optimizer", values: all.map((at) => ["adam", "sgd", "<b>"][at % 3]) },
    { name: "depth", values: all.map((at) => (at % 5 ? at : null)) },
    { name: "acc", values: all.map((at) => at / 30) },
  ] });
  await frames_(2);
}"""
HISTORY = """async () => {
  window.chart = new HistogramHistory(host, { title: "weights", xName: "_step" });
  const steps = [0, 10, 20, 30];
  const counts = steps.map((step) => [1, 5 + step, 2, 0]);
  chart.set({ steps, edges: steps.map(() => [-1, 0, 1, 2, 3]), counts });
  await frames_(2);
}"""


def places(page: Any, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Where values are in the window."""
    box = frame_box(page)
    found = page.evaluate(
        "(all) => all.map(([x, y]) => [chart.scales.x.at(x), chart.scales.y.at(y)])", points
    )
    return [(box["x"] + x, box["y"] + y) for x, y in found]


def test_points_in_a_lasso_are_chosen(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(SCATTER, {})
    drag(page, *places(page, (-0.4, -0.4), (2.5, -0.4), (-0.4, 2.5)))
    ((found, outline, is_more),) = page.evaluate("chosen")
    assert not is_more
    assert sorted(found) == [0, 1, 2, 10, 11, 20]
    assert min(x for x, _ in outline) == pytest.approx(-0.4, abs=0.05)
    assert status(page) == "6 of 100 points chosen"
    page.keyboard.down("Shift")
    drag(page, *places(page, (8.5, 8.5), (9.4, 8.5), (9.4, 9.4), (8.5, 9.4)))
    page.keyboard.up("Shift")
    found, outline, is_more = page.evaluate("chosen.at(-1)")
    assert (sorted(found), is_more) == ([0, 1, 2, 10, 11, 20, 99], True)
    assert min(x for x, _ in outline) > 8
    page.get_by_role("button", name="Choose none").click()
    assert page.evaluate("chosen.at(-1)[0]") is None
    page.get_by_role("button", name="Box").click()
    drag(page, *places(page, (3.5, 3.5), (5.5, 5.5)))
    assert page.evaluate("chosen.at(-1)[0]") == [44, 45, 54, 55]


def test_points_are_chosen_by_keyboard_alone(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(SCATTER, {})
    page.locator(".chart-frame").focus()
    page.keyboard.press("ArrowRight")
    assert status(page) == "point 1, x 0, y 0, label cat"
    page.keyboard.press("Enter")
    assert status(page).startswith("Box: x ")
    before = status(page)
    for _ in range(10):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    assert status(page) != before
    count = int(status(page).rpartition("; ")[2].split()[0])
    page.keyboard.press("Enter")
    found, outline, _ = page.evaluate("chosen.at(-1)")
    assert len(found) == count > 0
    assert len(outline) == 4
    page.keyboard.press("Escape")
    assert page.evaluate("chosen.at(-1)[0]") is None


def test_fifty_thousand_points_are_drawn_and_chosen(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(SCATTER, {})
    count = page.evaluate(
        """async () => {
          const all = Array.from({ length: 50_000 }, (_, at) => at);
          chart.set({ x: all.map((at) => at % 250), y: all.map((at) => Math.floor(at / 250)) });
          chart.drawNow();
          const { x, y } = chart.scales;
          const outline = [[9.5, 9.5], [109.5, 9.5], [109.5, 109.5], [9.5, 109.5]];
          chart.chooseWithin(outline.map(([left, top]) => [x.at(left), y.at(top)]));
          await frames_(2);
          return chosen.at(-1)[0].length;
        }"""
    )
    assert count == 10_000
    assert page.evaluate("painted(chart.base, 'series-0')") > 0
    # All is in the file too.
    assert page.evaluate("chart.toCsv().split('\\r\\n').length") == 50_002


def test_classes_have_colours_and_shapes_and_numbers_a_ramp(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(SCATTER, {})
    names = page.locator(".chart-names button")
    assert names.all_inner_texts() == ["cat (34)", "<b> (33)", "dog (33)"]
    assert page.locator(".chart-names circle, .chart-names polygon").count() == 3
    names.nth(1).click()
    assert page.evaluate("chart.toSvg()").count('fill-opacity="0.15"') == 67
    page.evaluate(
        """async () => {
          const x = [1, 2, 3, "NaN", 5, 0], colours = [1, 2, 3, 4, 5, null];
          chart.configure({ logX: true });
          chart.set({ x, y: [1, 2, 3, 4, null, 6], colours, labels: x.map((one) => `p${one}`) });
          await frames_(2);
        }"""
    )
    assert page.locator(".chart-names li").all_inner_texts() == ["1", "2", "3", "4", "5"]
    assert page.locator(".chart-note").inner_text().startswith("3 of 6 points have no place")
    (place,) = places(page, (2, 2))
    page.mouse.move(*place)
    assert page.locator(".chart-tip").inner_text().split("\n") == ["p2", "x 2", "y 2", "label 2"]


def test_a_range_of_an_axis_filters_runs(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(PARALLEL)
    box = frame_box(page)
    assert page.evaluate("chart.axes.map((one) => [one.isText, one.isLog])") == [
        [False, True],
        [True, False],
        [False, False],
        [False, False],
    ]
    x, top, bottom = page.evaluate("[chart.plot.xs[3], chart.plot.top, chart.plot.bottom]")
    drag(page, (box["x"] + x, box["y"] + top - 8), (box["x"] + x, box["y"] + (top + bottom) / 2))
    assert page.evaluate("chosen.at(-1)") == list(range(15, 30))
    assert "15 of 30 runs" in status(page)
    # Of the axis of texts only the lowest, in the order of the alphabet.
    x = page.evaluate("chart.plot.xs[1]")
    drag(page, (box["x"] + x, box["y"] + bottom + 8), (box["x"] + x, box["y"] + bottom - 50))
    assert page.evaluate("chosen.at(-1)") == [at for at in range(15, 30) if at % 3 == 2]
    assert status(page).startswith("optimizer: <b>")
    page.get_by_role("button", name="All ranges away").click()
    assert page.evaluate("chosen.at(-1)") is None
    page.get_by_label("Colour by").select_option("optimizer")
    page.locator(".chart-names li", has_text="sgd (10)").wait_for()
    tree = ET.fromstring(page.evaluate("chart.toSvg()"))
    texts = {one.text for one in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert {"runs", "lr (log)", "optimizer", "depth", "acc", "<b>", "none"} <= texts
    rows = list(csv.reader(io.StringIO(page.evaluate("chart.toCsv()"))))
    assert rows[1] == ["run 0", "1", "adam", "", "0"]


def test_axes_are_filtered_by_keyboard(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(PARALLEL)
    page.locator(".chart-frame").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert status(page) == "acc: all, axis 4 of 4"
    page.keyboard.press("Enter")
    first = page.evaluate("chosen.at(-1)")
    assert 10 < len(first) < 20
    for _ in range(40):
        page.keyboard.press("ArrowUp")
    assert page.evaluate("chosen.at(-1).at(-1)") == 29
    for _ in range(40):
        page.keyboard.press("Shift+ArrowDown")
    assert len(page.evaluate("chosen.at(-1)")) <= 1
    page.keyboard.press("Delete")
    assert page.evaluate("chosen.at(-1)") is None
    assert status(page).startswith("acc: all")


def test_histograms_over_steps_are_read_by_pointer_and_by_keyboard(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(HISTORY)
    (place,) = places(page, (15, 0.5))
    page.mouse.move(*place)
    assert page.locator(".chart-tip").inner_text().split("\n") == [
        "step 10",
        "0 to 1",
        "15 of 18 values",
    ]
    assert page.evaluate("painted(chart.base, 'ramp-4')") > 100
    page.locator(".chart-frame").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert status(page) == "step 10, 1 to 2, 2 of 18 values"
    rows = list(csv.reader(io.StringIO(page.evaluate("chart.toCsv()"))))
    assert rows[:3] == [
        ["step", "low", "high", "count"],
        ["0", "-1", "0", "1"],
        ["0", "0", "1", "5"],
    ]
    assert len(rows) == 17
    page.evaluate("chart.set({ steps: [], edges: [], counts: [] }); frames_(2)")
    page.get_by_text("There is nothing to draw yet.").wait_for()


def test_one_value_of_each_run_is_a_bar(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    page.evaluate(
        """async () => {
          window.picked = [];
          const onPick = (id) => picked.push(id);
          window.chart = new BarChart(host, { title: "acc", xName: "acc", onPick });
          const bar = (id, value) => ({ id, label: `run ${id}`, colour: Number(id), value });
          chart.set([bar("0", 0.5), bar("1", -0.25), bar("2", "NaN"), bar("3", null)]);
          await frames_(2);
        }"""
    )
    zero, end = page.evaluate("[painted(chart.base, 'series-0'), painted(chart.base, 'series-1')]")
    assert zero > 1.5 * end > 0
    page.locator(".chart-frame").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert status(page) == "run 1 -0.25"
    page.keyboard.press("Enter")
    assert page.evaluate("picked") == ["1"]
    assert "run 2 NaN" in page.locator(".chart-frame").get_attribute("aria-label")


def test_charts_can_be_used_by_everybody(browser: Any, address: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    watched = Watched(browser, address, bypass_csp=True)
    watched.context.add_init_script(files(axe).joinpath("axe.min.js").read_text("utf-8"))
    page = watched.page
    watched.goto("/")
    page.evaluate(SETUP)
    page.evaluate(SCATTER, {})
    page.evaluate(PARALLEL)
    page.evaluate(HISTORY)
    page.evaluate(
        """async () => {
          const chart = new LineChart(host, { title: "loss", xName: "_step" });
          chart.set(lines(4, 50, (run, at) => (at === 3 ? "NaN" : run + at)));
          await frames_(2);
          chart.zoomTo([100, 300]);
          for (const one of document.querySelectorAll("details")) one.open = true;
          await frames_(2);
        }"""
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(
            """async () => (await axe.run(document.getElementById("content"))).violations
              .filter((one) => ["serious", "critical"].includes(one.impact))
              .map((one) => [one.id, one.nodes[0].html])"""
        )
        assert found == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("frames_(3).then(() => document.documentElement.scrollWidth)") <= 390
    watched.context.close()
    assert watched.errors == []

"""Charts of lines: drawn, zoomed, read, focused and exported."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.browser.drawing import drag, empty_page, frame_box, status

OpenPage = Callable[..., Any]
SVG = "{http://www.w3.org/2000/svg}"

MAKE = """async ([options, count, length]) => {
  window.told = [];
  const tell = (name) => (...values) => told.push([name, ...values]);
  const calls = { onZoom: tell("zoom"), onHover: tell("hover"), onFocus: tell("focus") };
  window.chart = new LineChart(host, { title: "train/loss", xName: "_step", ...calls, ...options });
  chart.set(lines(count, length, (run, at) => run + Math.sin(at / 9) / 3));
  await frames_(2);
}"""


def made(page: Any, count: int = 3, length: int = 101, **options: Any) -> dict[str, float]:
    page.evaluate(MAKE, [options, count, length])
    return frame_box(page)


def told(page: Any, name: str) -> list[Any]:
    found: list[Any] = page.evaluate("(name) => told.filter((one) => one[0] === name)", name)
    return [one[1:] for one in found]


def test_each_line_is_drawn_in_its_colour_and_named_in_the_legend(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    for slot in range(3):
        assert page.evaluate(f"painted(chart.base, 'series-{slot}')") > 100
    assert page.evaluate("painted(chart.base, 'series-3')") == 0
    names = page.locator(".chart-names button")
    assert names.all_inner_texts() == ["run 0", "run 1", "run 2"]
    dashes = page.locator(".chart-names line").evaluate_all(
        "(all) => all.map((one) => one.getAttribute('stroke-dasharray'))"
    )
    assert len(set(dashes)) == 3
    assert "3 lines, step 0 to 1000" in page.locator(".chart-frame").get_attribute("aria-label")


def test_a_hundred_lines_are_drawn_in_one_frame_and_their_names_folded(
    open_page: OpenPage,
) -> None:
    page = empty_page(open_page)
    made(page, 2)
    found = page.evaluate(
        """async () => {
          let drawn = 0;
          const paint = chart.paint.bind(chart);
          chart.paint = (...all) => { drawn += 1; paint(...all); };
          for (let again = 0; again < 5; again += 1) {
            chart.set(lines(100, 800, (run, at) => run + Math.sin(at / 9)));
          }
          await frames_(2);
          return [drawn, painted(chart.base, "series-7") > 100];
        }"""
    )
    assert found == [1, True]
    legend = page.locator(".chart-legend")
    assert legend.get_attribute("open") is None
    assert page.locator(".chart-names button").count() == 0
    legend.locator("summary").get_by_text("100 lines").click()
    names = page.locator(".chart-names button")
    names.last.wait_for()
    assert names.count() == 100


def test_dragging_zooms_and_a_double_click_or_escape_goes_back(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    box = made(page)
    x, y = box["x"], box["y"] + 100
    back = page.get_by_role("button", name="Show all")
    assert not back.is_visible()
    drag(page, (x + 400, y), (x + 700, y + 20))
    back.wait_for()
    first, last = told(page, "zoom")[-1]
    assert 0 < first < last < 1000
    assert page.evaluate("chart.xRange()") == [first, last]
    # Zoomed again, within.
    drag(page, (x + 300, y), (x + 500, y))
    closer = told(page, "zoom")[-1]
    assert first < closer[0] < closer[1] < last
    page.mouse.dblclick(x + 300, y)
    assert told(page, "zoom")[-1] == [None, None]
    drag(page, (x + 400, y), (x + 700, y))
    page.locator(".chart-frame").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert told(page, "zoom")[-1] == [None, None]
    back.wait_for(state="hidden")
    drag(page, (x + 400, y), (x + 700, y))
    back.click()
    assert told(page, "zoom")[-1] == [None, None]
    assert page.evaluate("document.activeElement === chart.frame")


def test_a_window_stays_where_it_is_when_rows_arrive(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    page.evaluate("chart.zoomTo([200, 400])")
    page.evaluate("chart.set(lines(3, 300, (run, at) => run + at / 100))")
    assert page.evaluate("chart.xRange()") == [200, 400]
    page.evaluate("chart.goBack()")
    assert page.evaluate("chart.xRange()") == [0, 2990]
    page.evaluate("chart.configure({ zoom: [10, 20] })")
    assert page.evaluate("chart.xRange()") == [10, 20]


def test_the_wheel_belongs_to_the_page(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    box = made(page)
    page.evaluate("host.style.minHeight = '4000px'")
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.mouse.wheel(0, 300)
    page.wait_for_function("() => scrollY > 100")
    assert told(page, "zoom") == []


def test_a_finger_zooms_sideways_and_a_tap_reads(open_page: OpenPage) -> None:
    page = empty_page(open_page, has_touch=True, viewport={"width": 390, "height": 844})
    box = made(page)
    x, y = box["x"], box["y"] + 100
    page.touchscreen.tap(x + 200, y)
    page.locator(".chart-tip:not([hidden])").wait_for()
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", x + 100, y)
    for step in range(1, 9):
        touch("touchMove", x + 100 + step * 15, y + step)
    touch("touchEnd")
    page.wait_for_function("() => chart.zoom !== null")
    first, last = told(page, "zoom")[-1]
    assert 100 < first < last < 900
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_is_reached_by_keyboard_and_told(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    page.keyboard.press("Tab")
    page.locator(".chart-frame").focus()
    page.keyboard.press("ArrowRight")
    assert status(page) == "step 0: run 0 0; run 2 2; run 1 1"
    page.keyboard.press("ArrowRight")
    assert status(page).startswith("step 10: run 0 0.03")
    page.keyboard.press("ArrowUp")
    assert status(page).startswith("step 10: run 1 1.03")
    page.keyboard.press("Enter")
    assert told(page, "focus") == [["r1"]]
    page.keyboard.press("End")
    assert status(page).startswith("step 1,000" if "1,000" in status(page) else "step 1000")
    page.keyboard.press("Home")
    page.keyboard.press("+")
    assert page.evaluate("chart.xRange()")[0] == 0
    assert page.evaluate("chart.xRange()")[1] == pytest.approx(500, abs=10)
    page.keyboard.press("ArrowRight")
    first, last = page.evaluate("chart.xRange()")
    assert (first, last) == (pytest.approx(100, abs=5), pytest.approx(600, abs=10))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("chart.xRange()[1]") == pytest.approx(1000)
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("chart.cursor.x") == pytest.approx(page.evaluate("chart.xRange()[0]"), 0.1)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.evaluate("chart.zoom") is None
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert told(page, "focus")[-1] == [None]


def test_hovering_names_what_is_there_the_highest_first(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    box = made(page)
    page.evaluate(
        """() => {
          const all = lines(3, 101, (run, at) => run);
          all[1].label = "<script>alert(1)</script>\\u202eevil";
          all[2].x = all[2].x.slice(0, 20);
          all[2].y = all[2].y.slice(0, 20);
          chart.set(all);
          chart.drawNow();
        }"""
    )
    at = page.evaluate("[chart.scales.x.at(100), chart.scales.y.at(1.1)]")
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    rows = page.locator(".chart-tip tr")
    assert [one.split("\t")[-1].strip() for one in rows.all_inner_texts()] == [
        "run 2",
        "<script>alert(1)</script>\u202eevil",
        "run 0",
    ]
    assert "is-marked" in rows.nth(1).get_attribute("class")
    assert page.locator(".chart-tip strong").inner_text() == "100"
    assert told(page, "hover")[-1] == [100]
    assert page.locator(".chart-tip script").count() == 0
    # A line that has ended is no longer there.
    page.mouse.move(box["x"] + page.evaluate("chart.scales.x.at(600)"), box["y"] + at[1])
    page.locator(".chart-tip strong", has_text="600").wait_for()
    assert rows.count() == 2
    page.mouse.move(box["x"] + 300, box["y"] + box["height"] + 200)
    page.locator(".chart-tip").wait_for(state="hidden")
    assert told(page, "hover")[-1] == [None]
    page.evaluate("chart.showCursor(200)")
    assert page.locator(".chart-tip strong").inner_text() == "200"
    assert told(page, "hover")[-1] == [None]


def test_of_many_lines_those_around_the_pointer_are_named(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    box = made(page, 100, 20)
    page.evaluate("chart.set(lines(100, 20, (run) => run)); chart.drawNow()")
    at = page.evaluate("[chart.scales.x.at(100), chart.scales.y.at(50)]")
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    assert page.locator(".chart-tip tr").count() == 12
    marked = int(page.locator(".chart-tip .is-marked .chart-name").inner_text().split()[-1])
    assert abs(marked - 50) <= 1
    assert "88 more" in page.locator(".chart-tip small").inner_text()


def test_one_line_is_set_apart_and_the_others_faint(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    before = page.evaluate("painted(chart.base, 'series-2')")
    page.get_by_role("button", name="run 1").click()
    page.mouse.move(0, 0)
    page.evaluate("frames_(3)")
    assert page.get_by_role("button", name="run 1", pressed=True).is_visible()
    assert page.evaluate("painted(chart.base, 'series-2')") < before / 10
    assert page.evaluate("painted(chart.base, 'series-1')") > 100
    svg = page.evaluate("chart.toSvg()")
    assert svg.count('stroke-opacity="0.18"') == 2
    page.get_by_role("button", name="run 1").click()
    assert told(page, "focus") == [["r1"], [None]]


def test_smoothing_is_the_debiased_average_and_what_was_logged_stays(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    values = [1.0, 5.0, 2.0, float("nan"), 8.0, 3.0]
    found = page.evaluate("(all) => [...smoothed(Float64Array.from(all, Number), 0.6)]", values)
    last, weight, wanted = 0.0, 1.0, []
    for value in values:
        if math.isnan(value):
            wanted.append(value)
            continue
        last = last * 0.6 + 0.4 * value
        weight *= 0.6
        wanted.append(last / (1 - weight))
    assert found == pytest.approx(wanted, nan_ok=True)
    assert page.evaluate("[...smoothed(Float64Array.of(7, 7, 7), 0.99)]") == pytest.approx([7] * 3)
    made(page, 1)
    raw = page.evaluate("chart.toCsv()")
    page.evaluate("chart.configure({ smoothing: 0.9 })")
    svg = page.evaluate("chart.toSvg()")
    assert svg.count('stroke-opacity="0.25"') == 1
    assert page.evaluate("chart.toCsv()") == raw


def test_what_cannot_be_drawn_is_marked_and_counted(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    page.evaluate(
        """async () => {
          const [one] = lines(1, 50, (run, at) => at + 1);
          Object.assign(one.y, { 10: "NaN", 20: "NaN", 30: "Infinity", 40: "-Infinity", 45: null });
          chart.set([{ ...one, y: [...one.y] }]);
          await frames_(2);
        }"""
    )
    note = page.locator(".chart-note")
    assert note.inner_text() == "3 \u00d7 NaN, 1 \u00d7 ∞, 1 \u00d7 -∞ marked at the edge."
    assert note.inner_text() in page.locator(".chart-frame").get_attribute("aria-label")
    # They decide nothing of the range.
    assert page.evaluate("chart.scales.y.high") < 60
    page.evaluate(
        """async () => {
          chart.configure({ logY: true, logX: true });
          chart.set(lines(1, 50, (run, at) => at - 2));
          await frames_(2);
        }"""
    )
    assert note.inner_text() == (
        "2 values are 0 or less: not on a log axis. 1 point has no place on this x axis."
    )
    assert page.evaluate("chart.scales.y.low") > 0
    # One value between two gaps is a line of no length: it is drawn as a point.
    page.evaluate(
        """async () => {
          chart.configure({ logY: false, logX: false });
          const y = Array.from({ length: 50 }, (_, at) => (at % 2 ? "NaN" : at));
          chart.set([{ ...lines(1, 50, () => 0)[0], y }]);
          await frames_(2);
        }"""
    )
    assert page.evaluate("painted(chart.base, 'series-0')") > 25 * 8


def test_a_group_has_a_band_around_its_mean(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    box = made(page)
    page.evaluate(
        """async () => {
          const [one] = lines(1, 50, () => 5);
          chart.set([{ ...one, low: one.y.map(() => 1), high: one.y.map(() => 9) }]);
          await frames_(2);
        }"""
    )
    assert page.evaluate("chart.scales.y.high") > 9
    svg = page.evaluate("chart.toSvg()")
    assert svg.count('fill-opacity="0.2"') == 1
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    assert "1 to 9" in page.locator(".chart-tip").inner_text()
    rows = list(csv.reader(io.StringIO(page.evaluate("chart.toCsv()"))))
    assert rows[:2] == [["_step", "run 0", "run 0 low", "run 0 high"], ["0", "5", "1", "9"]]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("0, 10, 5", ["0", "2", "4", "6", "8", "10"]),
        ("0.1, 0.35, 5", ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35"]),
        ("-1e6, 1e6, 4", ["-1.0M", "-0.5M", "0", "0.5M", "1.0M"]),
        ("0, 40000, 4", ["0", "10k", "20k", "30k", "40k"]),
        ("1e-7, 5e-7, 4", ["1e-7", "2e-7", "3e-7", "4e-7", "5e-7"]),
        ("0.001, 100, 5, 'number', true", ["0.001", "0.01", "0.1", "1", "10", "100"]),
        ("2, 30, 5, 'number', true", ["2", "3", "5", "10", "20", "30"]),
        ("0, 3600, 5, 'duration'", ["0s", "15m", "30m", "45m", "1h"]),
        ("0, 259200, 4, 'duration'", ["0s", "1d", "2d", "3d"]),
        ("0, 2, 4, 'duration'", ["0s", "0.5s", "1.0s", "1.5s", "2.0s"]),
        (
            "1735689600, 1735700400, 4, 'time'",
            ["Jan 1", "01:00", "02:00", "03:00"],
        ),
        (
            "1735640000, 1735900000, 4, 'time'",
            ["Jan 1", "Jan 2", "Jan 3"],
        ),
        ("3, 3, 5", ["3"]),
    ],
)
def test_an_axis_has_round_marks(open_page: OpenPage, asked: str, wanted: list[str]) -> None:
    page = empty_page(open_page, timezone_id="UTC")
    assert page.evaluate(f"ticksOf({asked}).map((one) => one.text)") == wanted


def test_times_of_day_are_those_of_the_reader(open_page: OpenPage) -> None:
    page = empty_page(open_page, timezone_id="Asia/Kolkata")
    texts = page.evaluate("ticksOf(1735689600, 1735700400, 4, 'time').map((one) => one.text)")
    assert texts == ["06:00", "07:00", "08:00"]
    assert page.evaluate("told(1735689600, 'time')") == "2025-01-01 05:30:00"


def test_a_picture_stands_alone_whatever_the_names(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page, title='<img src=x onerror="alert(1)">&\u0007\u202e')
    page.evaluate(
        """() => {
          const all = lines(3, 5, (run, at) => at);
          all[0].label = "</text><script>alert(1)</script>";
          all[1].label = "\\ud800 a,\\"b\\"\\nc";
          all[2].label = "=1+1";
          chart.set(all);
          chart.configure({ yName: "]]><b>" });
        }"""
    )
    tree = ET.fromstring(page.evaluate("chart.toSvg()"))
    tags = {one.tag for one in tree.iter()}
    assert tags <= {
        SVG + name for name in ("svg", "title", "g", "clipPath", "path", "rect", "text")
    }
    texts = [one.text for one in tree.iter(f"{SVG}text")]
    assert "</text><script>alert(1)</script>" in texts
    assert "]]><b>" in texts
    allowed = {"href", "style", "onload"}
    assert not any(allowed & {name.split("}")[-1] for name in one.attrib} for one in tree.iter())
    size = page.evaluate(
        """async () => {
          const blob = await chart.toPng();
          const image = await createImageBitmap(blob);
          return [blob.type, image.width, chart.width];
        }"""
    )
    assert size[0] == "image/png"
    assert size[1] == 2 * size[2]
    rows = list(csv.reader(io.StringIO(page.evaluate("chart.toCsv()"), newline="")))
    assert rows[0][1] == "</text><script>alert(1)</script>"
    assert rows[0][2].endswith(' a,"b"\nc')
    assert rows[1:] == [[str(at * 10), *[str(at)] * 3] for at in range(5)]
    with page.expect_download() as found:
        page.evaluate("exportItems(chart)[2][1]()")
    assert found.value.suggested_filename.endswith(".csv")


def test_it_follows_the_theme_the_width_and_the_screen(open_page: OpenPage) -> None:
    page = empty_page(open_page, device_scale_factor=2, color_scheme="light")
    made(page)
    light = page.evaluate("chart.colours.series[0]")
    width = page.evaluate("chart.base.width")
    assert width == 2 * page.evaluate("chart.frame.clientWidth")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("(before) => chart.colours.series[0] !== before", arg=light)
    page.evaluate("frames_(2)")
    assert page.evaluate("painted(chart.base, 'series-0')") > 100
    page.get_by_role("button", name="Theme").click()
    page.wait_for_function("(before) => chart.colours.series[0] === before", arg=light)
    page.evaluate("host.style.width = '500px'; frames_(3)")
    page.wait_for_function("(before) => chart.base.width < before", arg=width)
    page.evaluate("chart.destroy()")
    assert page.locator(".chart").count() == 0


def test_nothing_to_draw_is_said(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page, 0)
    page.get_by_text("There is nothing to draw yet.", exact=True).wait_for()
    assert "nothing to draw" in page.locator(".chart-frame").get_attribute("aria-label")
    page.locator(".chart-frame").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("chart.toSvg()").startswith("<svg")
    page.evaluate("chart.set([{ id: 'a', label: 'a', x: [5], y: ['NaN'] }]); frames_(2)")
    page.get_by_text("1 \u00d7 NaN marked at the edge.").wait_for()
    page.evaluate("chart.set([{ id: 'a', label: 'a', x: [5], y: [3] }]); frames_(2)")
    page.wait_for_function("() => painted(chart.base, 'series-0') >= 12")


def test_the_same_stands_in_a_table(open_page: OpenPage) -> None:
    page = empty_page(open_page)
    made(page)
    page.get_by_text("Values", exact=True).click()
    page.evaluate("chart.set(lines(2, 5, (run, at) => (at === 2 ? 'NaN' : run - at)))")
    page.wait_for_function("() => document.querySelectorAll('.chart-values tbody tr').length === 2")
    cells = page.locator(".chart-values tbody tr").nth(1).locator("th, td").all_inner_texts()
    assert cells == ["run 1", "5", "1", "-3", "-3", "1"]

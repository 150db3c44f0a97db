"""A table as one file, opened from disk without a network, beside what the server says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.browser.test_file_conditions import serve_own
from tests.browser.test_table_page import head, parts, shown_count, text_at, wait_for
from tests.browser.zoo import ROWS, SCRIPT, WRONG
from tests.docs.pages import DOCS, block_named
from tests.unit.tables.expressions.test_page import rows_of

OpenPage = Callable[..., Any]
OpenFile = Callable[..., Any]

JOINED = "guesses/v0"
ZOO = "zoo/v0"
CONDITIONS = (
    "guess != label",
    "guess = label and score > 0.25",
    "score between 0.1 and 0.2 or id in (3, 5, 300)",
    "not (id % 3 = 0) and label >= 4",
    "label is null",
    "guess is distinct from label",
    "id / 2 + 1 > 100",
    "coalesce(guess, 0) = 5",
    "abs(score - 0.5) <= 0.125",
)
CELL_CONDITIONS = (
    "name like '%2'",
    "name ilike '%SCRIPT%' and flag is true",
    "flag is null or number > 5",
    "isnan(number)",
    "number > 100",
    "starts_with(name, '<script>') and not contains(name, '1')",
    "\"when\" >= '2024-01-02'",
    'hour("when") = 3',
    "\"when\" between '2024-01-01T05:00' and '2024-01-01 09:30:00'",
    "length(name) = 27",
    "\"<script>alert(1)</script>\" = '=1+1'",
    "flag is not true",
    "\"long text\" = ''",
    "\"long text\" > '<t'",
    "starts_with(\"long text\", '<script>')",
    '"long text" is not null',
)


def fetched(address: str, artifact: str, kind: str, path: str, **query: str) -> bytes:
    """What the server gives for a table."""
    asked = "&".join(f"{name}={quote(text)}" for name, text in query.items())
    where = f"{address}/api/v1/p/demo/c/{artifact}/table-{kind}/{path}?{asked}"
    with urlopen(where, timeout=30) as answer:
        return bytes(answer.read())


@pytest.fixture
def open_file(
    browser: Any, address: str, tmp_path: Path, shoot: Callable[..., None]
) -> Iterator[OpenFile]:
    """
    Opens an exported page from disk, with the network off. The test fails if the browser tells
    of an error, or asks for anything but the file.
    """
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(artifact: str, path: str, **query: str) -> Any:
        file = tmp_path / f"{len(contexts)}.html"
        file.write_bytes(fetched(address, artifact, "export", path, format="html", **query))
        context = browser.new_context(
            offline=True, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(40_000)
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(file.as_uri())
        page.locator("#table-grid").wait_for()
        return page

    requests: list[str] = []
    yield opened
    for context in contexts:
        for page in context.pages:
            shoot(page, is_wrong=bool(wrong))
        context.close()
    assert not wrong
    assert not [url for url in requests if not url.startswith(("data:", tmp_path.as_uri()))]


def filtered(page: Any, condition: str) -> None:
    page.get_by_role("combobox", name="Condition").fill(condition)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Remove the condition {condition}", exact=True).wait_for()


@pytest.mark.parametrize(
    ("artifact", "path", "conditions"),
    [(JOINED, "joined", CONDITIONS), (ZOO, "everything", CELL_CONDITIONS)],
)
def test_a_file_counts_as_the_server_does(
    open_file: OpenFile, address: str, artifact: str, path: str, conditions: tuple[str, ...]
) -> None:
    page = open_file(artifact, path)
    for condition in conditions:
        answer = json.loads(
            fetched(address, artifact, "rows", path, where=condition, count="1", only="[]")
        )
        filtered(page, condition)
        shown_count(page, f"{answer['matching']} of {answer['total']} rows")
        page.get_by_role("button", name=f"Remove the condition {condition}", exact=True).click()
        shown_count(page, f"{answer['total']} of {answer['total']} rows")


def test_what_a_file_cannot_do_is_refused_at_its_character(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    box = page.get_by_role("combobox", name="Condition")
    refused = {
        "regexp_matches(caption, 'x')": ("no function that a file knows", 0),
        "id = 1 and {id: 1}": ("this cannot be read", 11),
        "{id: 1}": ("no conditions of Mongo", 0),
        "id = 'x'": ("number is not compared with text", 0),
        "id > 1 or nothing = 2": ("there is no column", 10),
        "image.width > 3": ("are not looked into", 6),
        "score + 1": ("a condition is true or false", 0),
        "id in (1, 2": (") is missing here", 11),
    }
    for text, (told, position) in refused.items():
        box.fill(text)
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text=told).wait_for()
        assert box.evaluate("element => element.selectionStart") == position, text
    shown_count(page, f"{ROWS} of {ROWS} rows")


def test_a_text_that_is_cut_is_not_searched_as_if_it_were_whole(open_file: OpenFile) -> None:
    page = open_file(ZOO, "everything")
    box = page.get_by_role("combobox", name="Condition")
    for text in ("\"long text\" like '%x'", 'length("long text") > 5', '"long text" = name'):
        box.fill(text)
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="are cut in this file").wait_for()
        box.fill("")


def test_every_example_of_the_page_of_expressions_is_right_or_refused(browser: Any) -> None:
    context = browser.new_context()
    context.route("http://own.test/**", serve_own)
    page = context.new_page()
    page.goto("http://own.test/")
    rows = json.loads(block_named(DOCS / "reference" / "expressions.md", "json rows"))
    kinds = {
        "id": "number", "guess": "number", "truth": "number", "score": "number", "name": "text",
        "seen": "bool", "tags": "list", "numbers": "list", "day": "time", "at": "time",
        "image": "dict",
    }  # fmt: skip
    # Plain tables of SQL alone have only one language in a cell.
    examples = [
        (cells[0], json.loads(cells[-1])) for cells in rows_of("SQL", "Mongo", "result") if cells[0]
    ]
    found = page.evaluate(
        """async ([rows, kinds, texts]) => {
            const own = await import("/offline/expression.js");
            const { ExpressionError, parseValue, valuesOf } = own;
            const cell = (value, kind) =>
                Array.isArray(value) ? { $: "list", v: value }
                : kind === "time" && value ? { $: "time", v: value } : value;
            const columns = new Map();
            for (const [name, kind] of Object.entries(kinds)) {
                const cells = rows.map((row) => cell(row[name], kind));
                columns.set(name, valuesOf(cells, kind, kind));
            }
            return texts.map((text) => {
                try {
                    const node = parseValue(text, columns);
                    return { values: rows.map((_, at) => node.at(at)) };
                } catch (error) {
                    if (!(error instanceof ExpressionError)) throw error;
                    return { refused: error.message };
                }
            });
        }""",
        [rows, kinds, [text for text, _ in examples]],
    )
    context.close()
    known = 0
    for (text, wanted), answer in zip(examples, found, strict=True):
        if "refused" in answer:
            continue
        known += 1
        assert answer["values"] == pytest.approx(wanted, nan_ok=True), text
    sys.stdout.write(f"{known} of {len(examples)} examples are known to a file\n")
    assert known > 50


def test_a_dragged_range_filters_and_a_head_sorts(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    picture = head(page, "score").locator("svg.facet")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 2, box["y"] + 10)
    page.mouse.up()
    page.locator(".chip").wait_for()
    count = int(text_at(page, "#table-count strong"))
    assert ROWS / 4 < count < ROWS * 3 / 4
    assert "where=score >= 0" in parts(page)
    for order in ("ascending", "descending"):
        head(page, "score").locator(".head-name").click()
        page.locator(f"[role=columnheader][aria-sort={order}]", has_text="score").wait_for()
    wait_for(lambda: text_at(page, ".grid-row .row-number") == str(count - 1))


def test_groups_have_the_counts_and_means_of_the_server(open_file: OpenFile, address: str) -> None:
    answer = json.loads(fetched(address, JOINED, "groups", "joined", group="label", count="50"))
    page = open_file(JOINED, "joined")
    page.get_by_label("Group by").select_option("label")
    shown_count(page, "10 groups")
    for row, group in zip(
        page.locator("table.groups tbody tr").all(), answer["groups"], strict=True
    ):
        cells = row.locator("th, td").all_inner_texts()
        assert cells[0] == str(group["key"][0])
        assert cells[1] == str(group["count"])
        mean = next(one["mean"] for one in group["summaries"] if one["column"] == "score")
        told = next(cell for cell in cells if f"mean {mean:.5g}"[:9] in cell)
        assert "median" in told
        assert row.locator("img").count() == 4
    page.locator(".group-key").nth(5).click()
    shown_count(page, f"{answer['groups'][5]['count']} of {ROWS} rows")


def test_two_columns_group_together(open_file: OpenFile, address: str) -> None:
    where = f"{address}/api/v1/p/demo/c/{JOINED}/table-groups/joined"
    with urlopen(f"{where}?group=guess&group=label", timeout=30) as answer:
        groups = json.loads(answer.read())
    page = open_file(JOINED, "joined", group="guess")
    shown_count(page, f"9 groups of {ROWS} rows")
    page.goto(page.url + "?group=guess&group=label")
    shown_count(page, f"{groups['total']} groups of {ROWS} rows")
    rows = page.locator("table.groups tbody tr").all()
    for row, group in zip(rows, groups["groups"], strict=True):
        told = row.locator("th, td").all_inner_texts()[:2]
        assert told == [" · ".join(map(str, group["key"])), str(group["count"])]


def test_histograms_count_what_the_server_counts(open_file: OpenFile, address: str) -> None:
    told = json.loads(fetched(address, JOINED, "facets", "joined", where="guess != label"))
    values = next(one for one in told["facets"] if one["column"] == "guess")
    page = open_file(JOINED, "joined")
    filtered(page, "guess != label")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    wanted = [
        f"{one['value']}: {one['selected']} of {one['count']} rows" for one in values["values"]
    ]
    titles = head(page, "guess").locator("svg title")
    wait_for(lambda: [title.text_content() for title in titles.all()] == wanted)


def test_the_view_of_a_file_stands_in_its_address(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    filtered(page, "guess != label")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    page.reload()
    shown_count(page, f"{WRONG} of {ROWS} rows")
    page.get_by_role("button", name="Remove the condition guess != label").click()
    page.go_back()
    shown_count(page, f"{WRONG} of {ROWS} rows")


def test_a_computed_column_is_one_like_others(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    page.goto(page.url + "?compute=wrong=guess%20!%3D%20label&where=wrong&sort=desc:id")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    head(page, "wrong").wait_for()


def test_keys_lead_through_a_file(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog")
    panel.get_by_text("Row 1", exact=False).first.wait_for()
    wait_for(lambda: panel.locator("img").count() == 1)
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    page.keyboard.press("/")
    wait_for(lambda: bool(page.evaluate("document.activeElement.matches('.condition-box')")))
    page.keyboard.type("id < 10")
    page.keyboard.press("Enter")
    shown_count(page, f"10 of {ROWS} rows")


def test_both_themes_are_there_and_the_page_does_not_scroll_sideways(open_file: OpenFile) -> None:
    page = open_file(JOINED, "joined")
    grounds = set()
    for _ in range(2):
        page.get_by_role("button", name="Theme").click()
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_cells_of_every_kind_and_hostile_ones_are_shown(open_file: OpenFile) -> None:
    page = open_file(ZOO, "everything")
    assert page.locator(".picture img").first.evaluate("element => element.naturalWidth") == 90
    page.locator(".picture canvas.mask").first.wait_for()
    assert page.locator(".picture svg.boxes").count() > 3
    assert page.locator("canvas.heatmap").count() > 3
    assert page.locator("svg.sparkline").count() > 3
    assert page.get_by_role("gridcell").filter(has_text=SCRIPT).count() > 3
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").locator("details.tree").first.wait_for()


def test_only_our_own_script_runs_in_a_file(browser: Any, address: str, tmp_path: Path) -> None:
    file = tmp_path / "guarded.html"
    file.write_bytes(fetched(address, JOINED, "export", "joined", format="html"))
    page = browser.new_page()
    page.goto(file.as_uri())
    page.get_by_role("grid").wait_for()
    ran = page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) => {
                refused.push(event.violatedDirective);
            });
            const script = document.createElement("script");
            script.textContent = "globalThis.ran = true";
            document.body.append(script);
            await fetch("http://example.org/").catch(() => {});
            const image = new Image();
            await new Promise((done) => {
                image.onerror = done;
                image.src = "http://example.org/x.png";
            });
            await new Promise((done) => setTimeout(done, 50));
            return [globalThis.ran ?? false, refused];
        }"""
    )
    assert ran[0] is False
    assert sorted(ran[1]) == ["connect-src", "img-src", "script-src-elem"]
    page.close()


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    """An exported page of 1,000 rows with pictures of 160 x 120."""
    import numpy as np
    from starlette.testclient import TestClient

    import artstore as art
    from artstore.web.app import create_app
    from artstore.web.opening import open_site
    from tests.trees import open_at

    rows = np.random.default_rng(0)
    table = art.Table(["id", "image", "label", "score"])
    for number in range(1000):
        pixels = rows.integers(0, 255, (15, 20, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        table.add_data(number, art.Image(pixels), number % 10, float(rows.random()))
    draft = art.Artifact("large", "dataset")
    draft.add(table, "t")
    store = open_at(tmp_path / "store", project="demo")
    store.log_artifact(draft)
    with TestClient(create_app(open_site(store)), base_url="http://localhost") as client:
        return bytes(client.get("/api/v1/p/demo/c/large/v0/table-export/t?format=html").content)


def test_a_thousand_rows_with_pictures_are_one_small_quick_file(
    browser: Any, tmp_path: Path, large: bytes
) -> None:
    assert len(large) <= 20_000_000
    file = tmp_path / "large.html"
    file.write_bytes(large)
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(file.as_uri())
    shown_count(page, "1,000 of 1,000 rows")
    sys.stdout.write(
        f"{len(large) / 1e6:.1f} MB, there after {time.perf_counter() - began:.2f} s\n"
    )
    for condition, count in (("label = 3", "100 of"), ("id < 50", "5 of")):
        began = time.perf_counter()
        filtered(page, condition)
        shown_count(page, count)
        sys.stdout.write(
            f"{condition}: {1000 * (time.perf_counter() - began):.0f} ms with the driver\n"
        )
    context.close()


def test_the_menu_of_the_page_saves_files(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/p/demo/c/guesses/v0/tables/joined?where=guess != label&sort=desc:id")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    expected = {"CSV": "csv", "Parquet": "parquet", "JSON": "json", "HTML file": "html"}
    for name, ending in expected.items():
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as started:
            page.get_by_role("menuitem", name=name).first.click()
        assert started.value.suggested_filename == f"guesses-v0-joined.{ending}"
        started.value.save_as(tmp_path / f"all.{ending}")
    lines = (tmp_path / "all.csv").read_text("utf-8").splitlines()
    assert len(lines) == WRONG + 1
    assert lines[1].startswith("250,")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as started:
        page.get_by_role("menuitem", name="JSON").last.click()
    seen = json.loads(Path(started.value.path()).read_text("utf-8"))
    assert 0 < len(seen["rows"]) < WRONG


def test_what_one_file_cannot_hold_is_told_on_the_page(open_page: OpenPage) -> None:
    page = open_page("/p/demo/c/zoo/v0/tables/long")
    shown_count(page, "600,000 of 600,000 rows")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("menuitem", name="HTML file").first.click()
    page.get_by_role("alert").filter(has_text="600,000 rows").wait_for()

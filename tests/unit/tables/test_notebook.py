"""Rows as HTML: how many, what is escaped, how large it gets."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artstore as art
from artstore.tables.joined import JoinedTable
from artstore.tables.notebook import html_of_rows
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table

SCRIPT = "<script>alert(1)</script>"
KNOWN = {"table", "thead", "tbody", "tr", "th", "td", "p", "small", "br", "img"}
MEGABYTE = 1_000_000


class Page(HTMLParser):
    """Tags that are no others than ours, and the texts of cells."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[str] = []
        self.heads: list[str] = []
        self.images: list[str] = []
        self._into: list[str] | None = None
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN
        assert {name for name, _ in attrs} <= {"style", "src", "width", "height"}
        if tag in ("td", "th"):
            self._into = self.cells if tag == "td" else self.heads
            self._into.append("")
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._into = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._into is not None:
            self._into[-1] += data


def pictures(page: Page) -> list[Any]:
    found = []
    for source in page.images:
        data = base64.b64decode(source.removeprefix("data:image/png;base64,"), validate=True)
        with PIL.Image.open(io.BytesIO(data)) as image:
            found.append(image.copy())
    return found


def noise(side: int, seed: int = 0) -> art.Image:
    numbers = np.random.default_rng(seed).integers(0, 256, (side, side, 4), np.uint8)
    return art.Image(numbers, caption=f"noise {seed}")


def test_twenty_rows_of_many_are_shown_and_told() -> None:
    table = Table(["n", "text"], data=[[at, f"row {at}"] for at in range(1797)])
    page = Page(table._repr_html_())
    assert page.cells[:4] == ["0", "row 0", "1", "row 1"]
    assert len(page.cells) == 40
    assert "20 of 1,797 rows" in page.text
    assert page.heads == ["nint", "texttext"]


@pytest.mark.parametrize(("rows", "told"), [(0, "0 rows"), (1, "1 row"), (20, "20 rows")])
def test_few_rows_are_all_shown(rows: int, told: str) -> None:
    page = Page(Table(["n"], data=[[at] for at in range(rows)] or None)._repr_html_())
    assert len(page.cells) == rows
    assert page.text.endswith(told)


def test_twenty_columns_are_shown() -> None:
    page = Page(Table([f"c{at}" for at in range(300)], data=[list(range(300))])._repr_html_())
    assert len(page.heads) == 20
    assert "20 of 300 columns" in page.text


def test_everything_is_escaped() -> None:
    table = Table([SCRIPT, "image", "nested", '"><img src=x onerror=alert(1)>'])
    image = art.Image(np.zeros((4, 4, 3), np.uint8), caption=SCRIPT)
    table.add_data(SCRIPT, image, {SCRIPT: [SCRIPT]}, "' onload='x")
    html = table._repr_html_()
    assert "<script" not in html
    page = Page(html)
    assert len(page.images) == 1
    assert page.cells[0] == SCRIPT
    assert SCRIPT in page.cells[1]
    assert SCRIPT in page.cells[2]


@given(
    st.lists(st.lists(st.text() | st.binary() | st.floats() | st.none(), min_size=2, max_size=2))
)
def test_any_cells_are_a_page_of_known_tags(rows: list[list[Any]]) -> None:
    page = Page(html_of_rows(["a<b>", "c"], rows))
    assert len(page.cells) == 2 * min(len(rows), 20)


def test_long_cells_are_cut() -> None:
    cells: list[Any] = ["x" * 10_000, list(range(10_000)), {f"k{at}": at for at in range(999)}]
    cells += [np.arange(100_000), b"\xff" * 10_000, [[["deep"] * 50] * 50] * 50, 10**5000]
    page = Page(html_of_rows([str(at) for at in range(len(cells))], [cells]))
    assert all(len(text) < 200 for text in page.cells)
    assert "10,000 in all" in page.cells[1]
    assert "999 in all" in page.cells[2]
    assert page.cells[3].startswith("int64 100000 [0, 1")
    assert page.cells[4].startswith("10,000 bytes ff ff")


def test_images_are_small_pictures_with_their_boxes_masks_and_captions() -> None:
    box = {"position": {"minX": 0.0, "maxX": 1.0, "minY": 0.0, "maxY": 1.0}, "class_id": 1}
    image = art.Image(
        np.zeros((300, 400, 3), np.uint8), caption="all black", boxes={"b": {"box_data": [box]}}
    )
    page = Page(Table(["image"], data=[[image], [None]])._repr_html_())
    (shown,) = pictures(page)
    assert shown.size == (96, 72)
    assert shown.getpixel((0, 0)) != shown.getpixel((40, 40))
    assert page.cells == ["all black400 x 300", "None"]


def test_whatever_cells_hold_the_page_stays_below_a_megabyte() -> None:
    images = [[noise(96, at * 20 + n) for n in range(4)] for at in range(20)]
    rows: list[list[Any]] = [[*row, *(['"' * 500] * 16)] for row in images]
    html = html_of_rows(['"' * 500] * 20, rows, title='"' * 5000, kinds=['"' * 500] * 20)
    assert len(html.encode()) < MEGABYTE
    # There was room for some, and the rest are told in words.
    page = Page(html)
    assert 0 < len(page.images) < 80
    assert page.cells[19 * 20] == "noise 38096 x 96"


def test_four_bytes_a_character_stay_below_a_megabyte() -> None:
    html = html_of_rows(["\U0001f408" * 99] * 20, [["\U0001f408" * 9999] * 20] * 20)
    assert len(html.encode()) < MEGABYTE


def test_images_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    place = tmp_path / "a.png"
    place.write_bytes(noise(5).encoded().data)
    table = Table(["image"], data=[[art.Image(str(place))], [art.Image("https://e.org/<x>.png")]])
    place.unlink()
    page = Page(table._repr_html_())
    assert "not shown" in page.cells[0]
    assert page.cells[1] == "https://e.org/<x>.png"
    assert not page.images


def test_joined_and_partitioned_tables_are_shown() -> None:
    left = Table(["id", "guess"], data=[[at, at % 3] for at in range(30)])
    right = Table(["id", "image"], data=[[at, noise(4, at)] for at in range(25)])
    page = Page(JoinedTable(left, right, "id")._repr_html_())
    assert "20 of 25 rows" in page.text
    assert len(page.images) == 20
    parts = Page(PartitionedTable("parts", [left, left])._repr_html_())
    assert "20 of 60 rows" in parts.text


def test_parts_that_are_not_logged_yet_are_told_in_words() -> None:
    html = PartitionedTable(f"parts/{SCRIPT}")._repr_html_()
    assert "<script" not in html
    assert "logged" in Page(html).text


def test_rows_of_unknown_number_are_taken_only_as_far_as_they_are_shown() -> None:
    taken = []

    def rows() -> Any:
        for at in range(1_000_000):
            taken.append(at)
            yield [at]

    page = Page(html_of_rows(["n"], rows()))
    assert len(taken) == 21
    assert re.search("20 of 20 or more rows", page.text)

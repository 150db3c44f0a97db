"""Rows as files to keep: cells, order, limits, names, and what becomes of a visitor who goes."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.errors import DamagedDataError, StateError
from artstore.tables.exploring import ExploredTable, Selection, SortKey, Ticket
from artstore.tables.exploring.wholerows import PART_ROWS, whole_windows
from artstore.web.onefile import FilePage, ModuleForm, bundled, file_page, own_source, script_json
from artstore.web.opening import open_site
from artstore.web.pages import exporting
from artstore.web.site import Site
from artstore.web.tables import filepage as tablefilepage
from tests.unit.web.conftest import MakeClient
from tests.unit.web.shelves import DIGIT_COUNT, FORMULA, HOSTILE_COLUMNS, SCRIPT

API = "/api/v1/p/demo/c"
DIGITS = f"{API}/digits/v0/table-export/examples"
JOINED = f"{API}/guesses/v0/table-export/joined"
HOSTILE = f"{API}/hostile/v0/table-export/rows"
TEXT_CHARS = 10_000_000


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def data_of(html: str, name: str) -> Any:
    begin = f'<script type="application/json" id="{name}">'
    found = re.search(f"{begin}(.*?)</script>", html, re.DOTALL)
    assert found
    return json.loads(found[1])


# the selection --------------------------------------------------------------------------


def test_a_csv_has_the_selected_rows_in_their_order(client: TestClient) -> None:
    answer = client.get(f"{JOINED}?format=csv&where=guess != label&sort=desc:id&columns=[%22id%22]")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    wrong = [at for at in range(DIGIT_COUNT) if at % 3 == 0 and at % 10 != 7]
    assert rows_of(answer.text) == [["id"], *([str(at)] for at in reversed(wrong))]


def test_what_is_seen_is_a_window_of_the_selection(client: TestClient) -> None:
    answer = client.get(f"{JOINED}?what=seen&start=3&count=4&sort=desc:id&columns=[%22id%22]")
    assert rows_of(answer.text)[1:] == [[str(DIGIT_COUNT - 4 - at)] for at in range(4)]


def test_computed_and_pinned_columns_stand_where_the_page_has_them(client: TestClient) -> None:
    answer = client.get(f"{JOINED}?format=json&compute=twice=2 * id&pin=guess&what=seen&count=2")
    value = answer.json()
    assert [one["name"] for one in value["columns"]] == [
        "guess", "id", "score", "image", "label", "twice",
    ]  # fmt: skip
    assert [row["twice"] for row in value["rows"]] == [0, 2]
    assert value["version"] == "demo/guesses:v0"


def test_parquet_is_read_back_with_its_types(client: TestClient) -> None:
    answer = client.get(f"{JOINED}?format=parquet&where=id > 4&sort=asc:score")
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column("id").to_pylist() == list(range(5, DIGIT_COUNT))
    assert table.schema.field("score").type == pa.float64()
    assert table.column("image")[0].as_py()["path"].endswith(".png")
    empty = client.get(f"{JOINED}?format=parquet&where=id < 0")
    assert pq.read_table(io.BytesIO(empty.content)).num_rows == 0


@pytest.mark.parametrize("name", ["csv", "json", "jsonl", "parquet", "html"])
def test_a_selection_without_rows_is_a_file(client: TestClient, name: str) -> None:
    answer = client.get(f"{JOINED}?format={name}&where=id < 0")
    assert answer.status_code == 200
    if name == "csv":
        assert len(rows_of(answer.text)) == 1
    elif name == "json":
        assert answer.json()["rows"] == []
    elif name == "jsonl":
        assert not answer.content


def test_a_wrong_view_is_an_error_before_anything_is_sent(client: TestClient) -> None:
    for query in ("where=nothing = 1", "sort=asc:nothing", "where=id %2B 'x'", "compute=a=nope()"):
        answer = client.get(f"{JOINED}?{query}")
        assert answer.status_code == 400, query
        assert answer.json()["error"]["message"]
    for query in ("format=xls", "what=some", "safe=yes", "what=seen&count=20000"):
        answer = client.get(f"{JOINED}?{query}")
        assert answer.json()["error"]["code"] == "request-invalid", query


def test_a_head_is_answered_without_rows(client: TestClient) -> None:
    answer = client.head(f"{JOINED}?format=csv")
    assert answer.status_code == 200
    assert not answer.content


# cells ----------------------------------------------------------------------------------


@pytest.fixture
def odd(web_store: Store, make_client: MakeClient) -> TestClient:
    """A client of a store with a table of cells that formats have no sign for."""
    table = art.Table(["text", "number", "blob", "list", "image"])
    picture = art.Image(np.zeros((4, 4), np.uint8))
    table.add_data("", math.nan, b"\x00\xff", [1, None], picture)
    table.add_data(None, -math.inf, None, None, None)
    table.add_data('a,"b"\r\nc', -1.5, b"", [], picture)
    table.add_data("-1.5", 1.0, b"x", [2], None)
    draft = art.Artifact("odd", "dataset")
    draft.add(table, "cells")
    web_store.log_artifact(draft)
    return make_client(open_site(web_store))


def test_cells_without_a_sign_of_their_own_are_defined(odd: TestClient) -> None:
    answer = odd.get(f"{API}/odd/v0/table-export/cells?format=csv")
    lines = rows_of(answer.text)
    assert [row[1] for row in lines[1:]] == ["NaN", "-Infinity", "-1.5", "1.0"]
    assert [row[0] for row in lines[1:]] == ["", "", 'a,"b"\r\nc', "-1.5"]
    # What is not there has no quotes, an empty text has.
    assert answer.text.splitlines()[1].startswith('"",NaN')
    assert answer.text.splitlines()[2].startswith(",-Infinity")
    assert [row[2] for row in lines[1:]] == ["AP8=", "", "", "eA=="]
    assert json.loads(lines[1][3]) == [1, None]
    image = json.loads(lines[1][4])
    assert image["path"].endswith(".png")
    assert len(image["digest"]) == 64


def test_json_is_json_whatever_the_cells_are(odd: TestClient) -> None:
    rows = odd.get(f"{API}/odd/v0/table-export/cells?format=json").json()["rows"]
    lines = odd.get(f"{API}/odd/v0/table-export/cells?format=jsonl").text.splitlines()
    assert rows == [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [row["number"] for row in rows] == ["NaN", "-Infinity", -1.5, 1.0]
    assert [row["text"] for row in rows] == ["", None, 'a,"b"\r\nc', "-1.5"]


def test_a_safe_csv_has_no_formula_and_a_plain_one_has_what_was_logged(client: TestClient) -> None:
    plain = rows_of(client.get(HOSTILE).text)
    safe = rows_of(client.get(f"{HOSTILE}?safe=1").text)
    assert plain[0] == list(HOSTILE_COLUMNS)
    assert plain[1][1] == FORMULA
    assert safe[0][1] == f"'{FORMULA}"
    assert [row[1] for row in safe[1:]] == [f"'{FORMULA}", "'@SUM(1)"]
    assert not [cell for row in safe for cell in row if cell.startswith(("=", "+", "@", "\t"))]


def test_a_safe_csv_leaves_numbers_alone(odd: TestClient) -> None:
    lines = rows_of(odd.get(f"{API}/odd/v0/table-export/cells?format=csv&safe=1").text)
    assert [row[1] for row in lines[1:]] == ["NaN", "-Infinity", "-1.5", "1.0"]
    assert lines[4][0] == "-1.5"


# names ----------------------------------------------------------------------------------


def test_the_name_of_the_file_says_what_it_is(client: TestClient) -> None:
    answer = client.get(f"{JOINED}?format=parquet")
    told = answer.headers["content-disposition"]
    assert told.startswith('attachment; filename="guesses-v0-joined.parquet"')
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_hostile_name_stays_within_its_header(web_store: Store, make_client: MakeClient) -> None:
    name = 'a"b; x=1\u202e✓<script>'
    draft = art.Artifact("odd", "dataset")
    draft.add(art.Table(["a"], data=[[1]]), f"dir/{name}")
    web_store.log_artifact(draft)
    client = make_client(open_site(web_store))
    answer = client.get(f"{API}/odd/v0/table-export/dir/{name.replace(';', '%3B')}?format=csv")
    assert answer.status_code == 200
    told = answer.headers["content-disposition"]
    plain, encoded = re.fullmatch(
        r"attachment; filename=\"([^\"]*)\"; filename\*=(\S+)", told
    ).groups()  # type: ignore[union-attr]
    assert plain.isascii()
    assert "/" not in plain
    assert not set(encoded) & set('"<>;/')
    assert "%E2%80%AE" not in encoded


# memory and time ------------------------------------------------------------------------


def explored(columns: dict[str, Any]) -> ExploredTable:
    return ExploredTable(art.Table.from_arrow(pa.table(columns)))


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(where=("n % 2 = 0",)),
        Selection(sort=(SortKey("n", descending=True),)),
        Selection(where=("m = n + 1",), sort=(SortKey("m"),), computed=(("m", "n + 1"),)),
    ],
)
def test_windows_are_small_and_lose_no_row(selection: Selection) -> None:
    table = explored({"n": np.arange(30_000)})
    parts = list(whole_windows(table, selection, ["n"], (0, None), Ticket()))
    assert max(part.row_count for part in parts) <= PART_ROWS
    found = np.concatenate([part.arrays[0].to_numpy() for part in parts])
    whole = np.arange(30_000)
    if selection.where == ("n % 2 = 0",):
        whole = whole[::2]
    assert (found == (whole[::-1] if selection.sort and not selection.where else whole)).all()


def test_long_cells_are_whole_and_come_a_few_at_a_time() -> None:
    long = "x" * 3_000_000
    table = explored({"n": np.arange(60), "t": ["short"] * 40 + [long] * 20})
    for selection in (Selection(), Selection(sort=(SortKey("n", descending=True),))):
        parts = list(whole_windows(table, selection, ["n", "t"], (0, None), Ticket()))
        assert max(part.arrays[1].nbytes for part in parts) < 24 << 20
        texts = [text for part in parts for text in part.arrays[1].to_pylist()]
        assert sorted(map(len, texts)) == [5] * 40 + [3_000_000] * 20


def test_a_cell_of_ten_million_characters_is_cut_in_a_page_and_whole_in_a_csv(
    web_store: Store, make_client: MakeClient
) -> None:
    draft = art.Artifact("long", "dataset")
    draft.add(art.Table(["t"], data=[["y" * TEXT_CHARS], [SCRIPT]]), "t")
    web_store.log_artifact(draft)
    client = make_client(open_site(web_store))
    page = client.get(f"{API}/long/v0/table-export/t?format=html")
    assert len(page.content) < 1_000_000
    assert data_of(page.text, "file-data")["cells"][0][0]["length"] == TEXT_CHARS
    assert "texts cut at 1,000 characters: 1" in page.text
    assert len(client.get(f"{API}/long/v0/table-export/t?format=csv").content) > TEXT_CHARS


def test_a_cancelled_ticket_ends_the_rows() -> None:
    ticket = Ticket()
    parts = whole_windows(explored({"n": np.arange(30_000)}), Selection(), ["n"], (0, None), ticket)
    next(parts)
    ticket.cancel()
    with pytest.raises(StateError, match="cancelled"):
        list(itertools.islice(parts, 100))


def run_apart(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in a thread: a browser of other tests may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(make())).result()


def endless(ticket: Ticket) -> Iterator[bytes]:
    while True:
        ticket.check()
        yield b"x" * 1000


def test_a_visitor_who_goes_ends_the_query() -> None:
    ticket, sent = Ticket(), asyncio.Event()
    answer = exporting._Download(endless(ticket), {}, ticket)

    async def receive() -> dict[str, Any]:
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.set()

    async def main() -> None:
        await asyncio.wait_for(answer({"type": "http"}, receive, send), 20)

    run_apart(main)
    assert ticket.is_cancelled


def test_half_of_a_file_is_not_sent_as_a_whole_one() -> None:
    ticket = Ticket()

    def pieces() -> Iterator[bytes]:
        yield b"id\n"
        raise DamagedDataError("a fragment is damaged", code="fragment-damaged")

    answer = exporting._Download(pieces(), {}, ticket)
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    async def send(message: Any) -> None:
        messages.append(message)

    with pytest.raises(DamagedDataError):
        run_apart(lambda: answer({"type": "http"}, receive, send))
    assert all(message.get("more_body", True) for message in messages)


# a page in one file ---------------------------------------------------------------------


def test_a_page_in_one_file_names_nothing_outside_of_it(client: TestClient) -> None:
    html = client.get(f"{JOINED}?format=html").text
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert "default-src &#x27;none&#x27;" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert not re.findall(r'<(?:link|img|script)[^>]*(?:src|href)="(?!data:)', html)
    assert html.count("<script") == 3
    file = data_of(html, "file-data")
    assert len(file["rows"]) == DIGIT_COUNT
    assert all(picture.startswith("data:image/") for picture in file["pictures"])


def test_the_same_view_makes_the_same_file(client: TestClient) -> None:
    one, two = (client.get(f"{JOINED}?format=html").text for _ in range(2))
    stamp = re.compile(r"exported \S+")
    assert stamp.sub("", one) == stamp.sub("", two)


def test_a_page_tells_where_it_came_from_but_not_where_the_store_is(
    client: TestClient, site: Site
) -> None:
    html = client.get(f"{JOINED}?format=html&where=guess != label&sort=desc:id").text
    assert "of 20 rows of demo/guesses:v0 / joined" in html
    assert "where guess != label" in html
    assert "sorted by id descending" in html
    assert site.store.url not in html


def test_hostile_cells_and_names_end_no_element(client: TestClient) -> None:
    html = client.get(f"{HOSTILE}?format=html").text
    assert html.count("</script>") == 3
    assert html.count("<script") == 3
    assert SCRIPT not in html
    file = data_of(html, "file-data")
    assert [column["name"] for column in file["columns"]] == list(HOSTILE_COLUMNS)
    assert file["cells"][0][0] == SCRIPT


def test_json_in_a_page_has_no_sign_that_html_or_javascript_takes() -> None:
    text = script_json(["</script><!--", "\u2028\u2029&", "\ud800"])
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text)[:2] == ["</script><!--", "\u2028\u2029&"]


def test_more_rows_than_one_page_holds_are_refused_with_their_number(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tablefilepage, "FILE_ROWS", 10)
    answer = client.get(f"{JOINED}?format=html")
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "export-too-large"
    assert "20 rows" in answer.json()["error"]["message"]
    assert client.get(f"{JOINED}?format=html&what=seen&count=10").status_code == 200


def test_a_page_that_is_too_large_is_refused_with_its_size(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tablefilepage, "FILE_MAX_BYTES", 50_000)
    error = client.get(f"{JOINED}?format=html").json()["error"]
    assert error["code"] == "export-too-large"
    assert re.search(r"20 rows make an HTML file of \d\d\d?,\d\d\d bytes", error["message"])


def test_a_picture_that_cannot_be_read_leaves_its_cell_empty(
    web_store: Store, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: Any) -> Any:
        raise DamagedDataError("the image is damaged", code="image-damaged")

    monkeypatch.setattr(tablefilepage, "_address", damaged)
    client = make_client(open_site(web_store))
    file = data_of(client.get(f"{JOINED}?format=html").text, "file-data")
    assert file["pictures"] == []
    image = [column["name"] for column in file["columns"]].index("image")
    assert file["cells"][image][0]["src"] is None
    assert file["cells"][image][0]["caption"]


def test_the_menu_of_the_page_knows_how_many_rows_one_page_holds() -> None:
    assert f"const FILE_ROWS = {tablefilepage.FILE_ROWS};" in own_source(
        "static/tables/exporting.js"
    )


# the assembler --------------------------------------------------------------------------


def test_modules_become_one_script_in_the_order_of_their_needs() -> None:
    sources = {
        "a/main.js": 'import "./side.js";\nimport { f as g, C } from "../b/lib.js";\ng(C);\n',
        "a/side.js": "// a comment\nside();\n",
        "b/lib.js": "export const C = 1;\nexport async function f() {}\n",
    }
    script = bundled("a/main.js", sources.__getitem__)
    assert script.index("side();") < script.index("const C = 1") < script.index("g(C);")
    assert 'const { f: g, C } = modules["b/lib.js"];' in script
    assert "return { C, f };" in script
    assert "import" not in script
    assert "export" not in script


def test_a_module_can_stand_for_another_one() -> None:
    sources = {"m.js": 'import { a } from "./x.js";\na();\n', "y.js": "export function a() {}\n"}
    assert 'modules["y.js"]' in bundled("m.js", sources.__getitem__, {"x.js": "y.js"})


@pytest.mark.parametrize(
    "text",
    [
        'import * as x from "./x.js";\n',
        'import x from "./x.js";\n',
        'const x = await import("./x.js");\n',
        "export default 1;\n",
        "export { a };\n",
        "export let a = 1;\n",
        'import { a } from "https://example.org/x.js";\n',
        "f(import.meta.url);\n",
    ],
)
def test_forms_that_the_assembler_does_not_know_are_refused(text: str) -> None:
    with pytest.raises(ModuleForm):
        bundled("m.js", {"m.js": text, "x.js": ""}.__getitem__)


def test_modules_in_a_circle_are_refused() -> None:
    sources = {"a.js": 'import "./b.js";\n', "b.js": 'import "./a.js";\n'}
    with pytest.raises(ModuleForm, match="circle"):
        bundled("a.js", sources.__getitem__)


def test_our_own_modules_fit_into_one_script_that_asks_nobody() -> None:
    script = bundled("offline/main.js", replaced={"static/api.js": "offline/api.js"})
    assert "fetch(this.links" not in script
    assert "</script" not in script.lower()
    assert len(script) < 300_000
    assert "class FilterBox" in script
    assert own_source("offline/api.js")


def test_a_script_that_would_end_its_element_is_refused() -> None:
    page = FilePage("t", "", "'</script>'", "", {})
    with pytest.raises(ModuleForm):
        file_page(page)

"""Previews of texts, JSON, CSV, Markdown and of what nobody knows; and how one is found."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.web.previews.contenttypes import content_type, is_inline
from artstore.web.previews.markdown import markdown_html
from artstore.web.previews.registry import kinds, preview_of
from artstore.web.visible import decoded, size_text, visible
from tests.unit.web.previewsources import MemorySource, previewed

ENDINGS = sorted({ending for kind in kinds() for ending in kind.endings})
SECONDS = 3.0
"""
Of the processor: what else the machine does is not counted. Far above what it takes, far
below what a page that hangs takes.
"""


@given(st.sampled_from([*ENDINGS, ".xyz"]), st.binary(max_size=300))
def test_any_bytes_under_any_ending_give_a_preview_that_is_json(ending: str, data: bytes) -> None:
    beginnings = [begin for kind in kinds() for begin in kind.begins]
    for whole in (data, *(begin + data for begin in beginnings)):
        json.dumps(previewed(f"x{ending}", whole).to_json()).encode("utf-8")


def test_every_kind_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in kinds()]
    assert len(set(names)) == len(names) >= 14


def test_an_empty_file_is_told_to_be_empty() -> None:
    assert previewed("a.json", b"").kind == "empty"


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"plain\r\nlines", "plain\nlines", "utf-8"),
        ("größe".encode(), "größe", "utf-8"),
        ("größe".encode("latin-1"), "größe", "latin-1"),
        ("größe".encode("utf-16"), "größe", "utf-16"),
        (b"\xef\xbb\xbfmarked", "marked", "utf-8"),
    ],
)
def test_a_text_is_read_in_its_encoding(data: bytes, text: str, encoding: str) -> None:
    shown = previewed("notes", data)
    assert (shown.kind, shown.text) == ("text", text)
    assert shown.facts == (("encoding", encoding),)


def test_of_a_long_text_only_the_first_part_is_read() -> None:
    source = MemorySource("log.txt", "ä".encode() * 10_000_000)
    shown = preview_of(source)
    assert shown.kind == "text"
    assert shown.is_cut
    assert dict(shown.facts)["encoding"] == "utf-8"
    assert source.read_bytes < 100_000


def test_marks_of_direction_and_controls_are_spelled_out() -> None:
    assert visible("a\u202eb\x00\x1bc\u2066") == "a\\u202eb\\x00\\x1bc\\u2066"
    assert visible("a\nb\tc", lines=False) == "a\\x0ab\\x09c"
    assert visible("سلام 👩\u200d🚀 ok") == "سلام 👩\u200d🚀 ok"
    assert visible("\ud800") == "\\ud800"


def test_bytes_that_are_no_text_are_shown_as_hex() -> None:
    shown = previewed("data.xyz", bytes(range(256)) * 10)
    assert shown.kind == "binary"
    assert shown.text is not None
    assert shown.text.startswith("00000000  00 01 02")
    assert shown.is_cut


@given(st.binary(max_size=200), st.booleans())
def test_what_is_decoded_is_a_text_that_can_be_sent(data: bytes, is_whole: bool) -> None:
    found = decoded(data, is_whole=is_whole)
    if found is not None:
        visible(found[0]).encode("utf-8")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB")]
)
def test_sizes_are_told_in_powers_of_a_thousand(size: int, text: str) -> None:
    assert size_text(size) == text


# JSON ------------------------------------------------------------------------------------


def test_json_is_a_tree_with_numbers_as_they_are_written() -> None:
    shown = previewed("a.json", b'{"a": [1.10, 1e400, null], "b\\u202e": "<script>"}')
    tree = shown.tree
    assert shown.kind == "json"
    assert tree is not None
    a, b = tree.children
    assert (a.key, a.kind) == ("a", "array")
    assert [child.text for child in a.children] == ["1.10", "1e400", "null"]
    assert (b.key, b.text) == ("b\\u202e", "<script>")
    assert not shown.is_cut


def test_json_that_ends_early_is_shown_as_text() -> None:
    assert previewed("a.json", b'{"a": [1, 2').kind == "text"
    assert previewed("a.json", b"{} {}").kind == "text"
    assert previewed("a.json", b"hello").kind == "text"


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" + b'{"key": "value"},' * 600_000 + b"1]",
        b'{"text": "' + b"x" * 10_000_000 + b'"}',
        b"[" * 10_000_000,
        b"1" * 10_000_000,
        b'["' + b"\\" * 9_999_999,
    ],
    ids=["deep lists", "deep objects", "long", "one long text", "open", "number", "escapes"],
)
def test_ten_megabytes_of_json_freeze_nothing(data: bytes) -> None:
    began = time.process_time()
    source = MemorySource("a.json", data)
    told = json.dumps(preview_of(source).to_json())
    assert time.process_time() - began < SECONDS
    assert len(told) < 2_000_000
    assert source.read_bytes < 2_000_000


def test_members_behind_one_that_is_too_deep_or_too_long_are_still_shown() -> None:
    data = b'{"deep": ' + b"[" * 500 + b"]" * 500 + b', "many": [' + b"0," * 5000 + b'0], "z": 7}'
    tree = previewed("a.json", data).tree
    assert tree is not None
    assert [child.key for child in tree.children] == ["deep", "many", "z"]
    assert len(tree.children[1].children) == 200
    assert tree.children[1].is_cut
    assert tree.children[2].text == "7"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_every_json_value_is_shown_as_a_tree(value: object) -> None:
    assert previewed("a.json", json.dumps(value).encode()).kind == "json"


# CSV -------------------------------------------------------------------------------------


def test_csv_is_a_table_of_its_first_rows() -> None:
    lines = ["id;name", *(f"{number};<b>{number}</b>" for number in range(500))]
    shown = previewed("a.csv", "\n".join(lines).encode())
    assert shown.grid is not None
    assert shown.grid.columns == ("id", "name")
    assert shown.grid.rows[7] == ("7", "<b>7</b>")
    assert len(shown.grid.rows) == 100
    assert shown.is_cut
    assert "first 100 rows" in shown.note


def test_tsv_and_ragged_rows_are_shown() -> None:
    shown = previewed("a.tsv", b'a\tb\n1\n2\t"x\ny"\t3\n')
    assert shown.grid is not None
    assert shown.grid.columns == ("a", "b", "")
    assert shown.grid.rows == (("1", "", ""), ("2", "x\\x0ay", "3"))


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 50_000_000,
        b"a,b\n" + b"x," * 5_000_000,
        b'a,b\n"' + b"x\n" * 5_000_000,
        b"," * 10_000_000,
    ],
    ids=["one line", "wide line", "open quote", "commas"],
)
def test_a_csv_with_a_line_without_end_freezes_nothing(data: bytes) -> None:
    began = time.process_time()
    source = MemorySource("a.csv", data)
    json.dumps(preview_of(source).to_json())
    assert time.process_time() - began < SECONDS
    assert source.read_bytes < 1_000_000


# Markdown --------------------------------------------------------------------------------


def test_markdown_has_no_tags_and_no_links_of_harm() -> None:
    html = markdown_html(
        "# Hi\n\n<script>alert(1)</script> <img src=x onerror=alert(1)>\n\n"
        "[a](javascript:alert(1)) [b](JaVaScRiPt&colon;alert(1)) [c](data:text/html,x)\n\n"
        "[d](vbscript:x) [e](file:///etc/passwd) [f](https://example.org/?a=1&b=2) "
        "[g](other.md)\n\n"
        "![pixel](https://example.org/p.png)\n\n<https://example.org/auto>\n\n| a |\n|---|\n| 1 |\n"
    )
    assert "<script" not in html
    assert "<img" not in html
    for scheme in ("javascript:", "data:", "vbscript:", "file:"):
        assert f'href="{scheme}' not in html.lower()
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">' in html
    assert '<a href="other.md"' in html
    assert "<table>" in html


@pytest.mark.parametrize("text", ["[" * 60_000, ">" * 60_000, "*a_" * 20_000, "`" * 60_000])
def test_markdown_that_nests_without_end_freezes_nothing(text: str) -> None:
    began = time.process_time()
    shown = previewed("a.md", text.encode())
    assert time.process_time() - began < 2 * SECONDS
    assert shown.text


# types -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.html", "a.HTM", "a.svg", "a.xml", "a.js", "a.mjs", "a.xhtml", "a.css"]
)
def test_what_a_browser_would_run_is_sent_as_text(name: str) -> None:
    assert content_type(name) == "text/plain; charset=utf-8" or not is_inline(content_type(name))


@pytest.mark.parametrize("name", ["a", "a.pdf", "a.swf", "a.exe", "a.png.unknown"])
def test_what_is_not_known_is_offered_for_saving(name: str) -> None:
    assert not is_inline(content_type(name))

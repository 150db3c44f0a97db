"""Colours of a console: classes of our own, whatever is printed; the text is as without them."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.web.runs import consolecolours
from artstore.web.runs.console import clean_text
from artstore.web.runs.consolecolours import coloured

CLASSES = re.compile(
    r"(?:(?:bold|dim|inverse|italic|struck|under|ink-[a-z]+|on-[a-z]+)(?: (?=\w)|\Z))*"
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain\n", [("plain\n", "")]),
        ("\x1b[1;31mred\x1b[0m.", [("red", "bold ink-red"), (".", "")]),
        ("\x1b[92ma\x1b[39mb", [("a", "ink-green"), ("b", "")]),
        ("\x1b[38;5;208ma\x1b[38;5;240mb", [("a", "ink-yellow"), ("b", "")]),
        ("\x1b[38;2;0;0;90ma\x1b[48:2::250:0:0mb", [("a", "ink-blue"), ("b", "on-red")]),
        ("\x1b[38;5;1;4ma\x1b[24mb", [("a", "under ink-red"), ("b", "ink-red")]),
        ("\x1b[41;34ma\x1b[49mb", [("a", "on-red"), ("b", "ink-blue")]),
        ("\x1b[7;31ma\x1b[27mb", [("a", "inverse"), ("b", "ink-red")]),
        ("\x1b[30ma\x1b[97mb\x1b[90mc", [("ab", ""), ("c", "ink-grey")]),
        ("\x1b[31ma\nb\x1b[mc", [("a\nb", "ink-red"), ("c", "")]),
        # Of a line that was written anew, the last state, with the look that it was left in.
        ("\x1b[31m10%\r20%\n", [("20%\n", "ink-red")]),
        # What no terminal knows changes nothing, and hides nothing.
        ("\x1b[8m\x1b[38m\x1b[38;5m\x1b[999;58;5;1ma", [("a", "")]),
        ("\x1b]0;title\x07\x1b[2J\x1b[31Ka", [("a", "")]),
        ("\x1b[31m<b onload=x>\u202e", [("<b onload=x>\\u202e", "ink-red")]),
    ],
)
def test_pieces_have_the_looks_that_a_program_asked_for(
    text: str, pieces: list[tuple[str, str]]
) -> None:
    assert coloured(text) == pieces


_PRINTED = st.text(st.sampled_from("ab\r\n\x1b[]\x07\u2028;:m0123456789K<\u202e"))


@given(st.lists(_PRINTED | st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[48;2;1;2;3m"])))
def test_whatever_is_printed_the_text_is_that_without_colours(texts: list[str]) -> None:
    text = "".join(texts)
    found = coloured(text)
    assert "".join(piece for piece, _ in found) == clean_text(text)
    assert all(CLASSES.fullmatch(look) for _, look in found)


def test_a_console_of_nothing_but_colours_has_them_to_its_end() -> None:
    text = "".join(f"\x1b[3{1 + number % 2}mx" for number in range(11_000))
    assert coloured(text) == [("x", "ink-red"), ("x", "ink-green")] * 5_500
    # A sequence of very many numbers is one, and its first ones count.
    assert len(coloured("\x1b[" + "1;" * 10_000 + "mx")) == 1


def test_the_sheet_has_every_class() -> None:
    sheet = resources.files("artstore.web").joinpath("static/run.css").read_text("utf-8")
    hues = [*filter(None, consolecolours._HUES), "grey"]
    names = {f"ink-{hue}" for hue in hues} | {f"on-{hue}" for hue in hues}
    for name in names | set(consolecolours._ON.values()):
        assert f".console .{name}" in sheet, name

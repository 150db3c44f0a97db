"""What is kept of what was printed: what a terminal would show in the end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.runs.printedtext import without_colours
from artstore.tracking.capture.lines import LINE_MAX_CHARS, LineFolder


def folded(*texts: str) -> list[str]:
    folder = LineFolder()
    for text in texts:
        folder.feed(text)
    return folder.take(with_last=True)


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (("a\nb\n",), ["a", "b"]),
        (("a", "b", "\n", "c"), ["ab", "c"]),
        (("\n\n",), ["", ""]),
        (("a\r\nb\r\n",), ["a", "b"]),
        (("a\r", "\nb"), ["a", "b"]),
        (("10%\r20%\r30%\n",), ["30%"]),
        (("\r10%", "\r20%", "\r100%", "\n", "done\n"), ["100%", "done"]),
        (("abc\r",), ["abc"]),
        (("\x1b[31mred\x1b[0m\x1b[K\n",), ["red"]),
        (("\x1b[3", "1mred\x1b", "[0m\n"), ["red"]),
        (("\x1b]0;title\x07x\n",), ["x"]),
        # Two bars, one below the other, as tqdm draws them.
        (
            (
                "\router 0",
                "\n",
                "\rinner 0",
                "\x1b[A",
                "\router 1",
                "\n",
                "\rinner 9",
                "\x1b[A",
                "\n\n",
            ),
            ["outer 1", "inner 9"],
        ),
        (("\x1b[99A\x1b[99Ax\n",), ["x"]),
    ],
)
def test_lines_are_what_a_terminal_shows(texts: tuple[str, ...], lines: list[str]) -> None:
    assert folded(*texts) == lines


def test_a_bar_of_many_updates_is_one_line() -> None:
    folder = LineFolder()
    taken = []
    for number in range(10_000):
        folder.feed(f"\r{number / 100:.0f}%|####    | {number}/10000")
        if number % 100 == 0:
            taken += folder.take()
    folder.feed("\n")
    assert taken == []
    assert folder.take() == ["100%|####    | 9999/10000"]


def test_only_finished_lines_are_taken() -> None:
    folder = LineFolder()
    folder.feed("a\nb")
    assert folder.take() == ["a"]
    assert folder.take() == []
    folder.feed("c\n")
    assert folder.take() == ["bc"]


def test_a_line_without_end_is_cut() -> None:
    began = time.perf_counter()
    (line,) = folded(*["x" * 1000] * 2000)
    assert len(line) < LINE_MAX_CHARS + 100
    assert time.perf_counter() - began < 2


def coloured(*texts: str) -> list[str]:
    folder = LineFolder(with_colours=True)
    for text in texts:
        folder.feed(text)
    return folder.take(with_last=True)


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (("\x1b[31mred\x1b[0m\x1b[K\n",), ["\x1b[31mred\x1b[0m"]),
        (
            ("\x1b[38;2;255;255;255;48;2;255;255;2", "55mx\n"),
            [f"\x1b[38;2;{'255;' * 3}48;2;255;255;255mx"],
        ),
        (("\x1b]0;title\x07\x1b[2J\x1b[?25lx\x1b\x01[31my\n",), ["x[31my"]),
        (("\x1b[32m10%\r\x1b[32m20%\r\x1b[0m\n", "next\n"), ["\x1b[32m20%\x1b[0m", "next"]),
        (
            (
                "10%\r\x1b[0m",
                "\x1b[1m20%\n\x1b[0m",
            ),
            ["\x1b[0m\x1b[1m20%"],
        ),
        (("a\n\x1b[0m",), ["a"]),
    ],
)
def test_colours_stay_and_no_other_sequence_does(texts: tuple[str, ...], lines: list[str]) -> None:
    assert coloured(*texts) == lines


def test_a_coloured_line_that_is_cut_colours_no_other() -> None:
    (line,) = coloured("\x1b[31m" + "x" * (2 * LINE_MAX_CHARS))
    assert line.endswith("x\x1b[0m[...]")


_PRINTED = st.lists(st.text(st.sampled_from("ab\r\n\x1b[0A1;mK")), max_size=20)


@given(_PRINTED)
def test_colours_apart_the_lines_are_the_same(texts: list[str]) -> None:
    plain = [without_colours(line).rstrip() for line in coloured(*texts)]
    assert plain == folded(*texts)


@given(st.lists(st.text(st.sampled_from("ab\r\n\x1b[0A1;mK")), max_size=20))
def test_any_text_is_folded_and_nothing_is_left(texts: list[str]) -> None:
    lines = folded(*texts)
    assert all("\n" not in line and "\r" not in line for line in lines)


@given(st.lists(st.text(st.sampled_from("ab c\n")), max_size=20))
def test_plain_lines_stay_as_they_are(texts: list[str]) -> None:
    whole = "".join(texts)
    expected = [line.rstrip() for line in whole.split("\n")]
    assert folded(*texts) == (expected if whole.split("\n")[-1] else expected[:-1])

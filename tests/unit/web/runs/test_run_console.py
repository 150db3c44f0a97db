"""Consoles of runs: read a window at a time, searched from the end, harmless to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.web.live.run import ConsolePiece
from artstore.web.runs.console import clean_text, find_lines, read_window


class Console:
    """Pieces that note what is read of them."""

    def __init__(self, *pieces: bytes) -> None:
        self.read_bytes = 0
        self.parts = [self._piece(data) for data in pieces]

    def _piece(self, data: bytes) -> ConsolePiece:
        def read(start: int, stop: int) -> bytes:
            found = data[start:stop]
            self.read_bytes += len(found)
            return found

        return ConsolePiece(len(data), read)


def test_the_end_is_shown_first_in_whole_lines() -> None:
    console = Console(b"one\ntwo\n", b"three\nfour\n")
    window = read_window(console.parts, most=14)
    assert (window.text, window.start, window.stop) == ("three\nfour\n", 8, 19)
    before = read_window(console.parts, before=window.start, most=14)
    assert (before.text, before.start) == ("one\ntwo\n", 0)


def test_what_comes_later_begins_where_the_last_window_ended() -> None:
    console = Console(b"one\ntwo\nthree\n")
    window = read_window(console.parts, after=4, most=6)
    assert (window.text, window.start, window.stop) == ("two\n", 4, 8)
    assert read_window(console.parts, after=14).text == ""
    assert read_window(console.parts, after=10**9).stop == 14


def test_of_a_long_console_only_the_window_is_read() -> None:
    console = Console(*[b"a line of text\n" * 70_000] * 100)
    window = read_window(console.parts)
    assert window.size_bytes == 105_000_000
    assert 60_000 < len(window.text) <= 65_536
    assert console.read_bytes <= 65_536


def test_a_line_that_is_longer_than_a_window_is_shown_in_pieces() -> None:
    console = Console(b"x" * 1000 + b"\nend\n")
    assert read_window(console.parts, after=0, most=100).stop == 100
    assert read_window(console.parts, before=500, most=100).text == "x" * 100


@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(1, 20))
def test_windows_one_behind_the_other_are_the_whole(pieces: list[bytes], most: int) -> None:
    console = Console(*pieces)
    whole = b"".join(pieces)
    at = 0
    while at < len(whole):
        window = read_window(console.parts, after=at, most=most)
        assert window.start == at < window.stop
        at = window.stop
    at = len(whole)
    while at > 0:
        window = read_window(console.parts, before=at, most=most)
        assert window.stop == at > window.start
        at = window.start


def test_a_piece_that_is_shorter_than_its_log_says_moves_no_other() -> None:
    parts = [ConsolePiece(8, lambda start, stop: b"ab\n"[start:stop]), *Console(b"end\n").parts]
    assert read_window(parts).text == "ab\n     end\n"


def test_lines_are_found_from_the_end_with_their_places() -> None:
    console = Console(b"Loss 1\nother\n", b"loss 2\n")
    lines, is_all = find_lines(console.parts, "LOSS")
    assert lines == [{"start": 0, "text": "Loss 1"}, {"start": 13, "text": "loss 2"}]
    assert is_all
    assert read_window(console.parts, after=13).text == "loss 2\n"


def test_of_very_many_lines_the_last_ones_are_found() -> None:
    console = Console(*(b"line %06d\n" % number * 1 for number in range(5_000)))
    lines, is_all = find_lines(console.parts, "line")
    assert (len(lines), is_all) == (200, False)
    assert lines[-1]["text"] == "line 004999"
    with pytest.raises(InvalidInputError):
        find_lines(console.parts, "x" * 1_001)


def test_a_line_across_pieces_that_are_searched_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artstore.web.runs.console._STEP_BYTES", 5)
    console = Console(b"ab\ncd needle ef\nx\n")
    lines, _ = find_lines(console.parts, "e")
    assert all(0 <= line["start"] < 18 for line in lines)
    lines, _ = find_lines(console.parts, "x")
    assert lines == [{"start": 16, "text": "x"}]


def test_escape_codes_and_what_hides_are_not_passed_on() -> None:
    assert clean_text("\x1b[31mred\x1b[0m \x1b]0;title\x07plain") == "red plain"
    assert clean_text("10%\r20%\r100%\nnext\r\n") == "100%\nnext\n"
    assert clean_text("a\x1bb\x00\u202ec") == "a\\x1bb\\x00\\u202ec"
    assert clean_text("<script>alert(1)</script>") == "<script>alert(1)</script>"


_LINES = st.lists(st.text("ab \x1b\r[m0é", max_size=6), max_size=12)


@given(_LINES, st.text("abé ", min_size=1, max_size=2), st.integers(1, 30))
def test_what_is_found_is_what_each_line_by_itself_tells(
    lines: list[str], word: str, step: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # A piece that is searched at once is no shorter than any line.
        patch.setattr("artstore.web.runs.console._STEP_BYTES", 16 + step)
        found, _ = find_lines(Console("\n".join(lines).encode()).parts, word)
    shown = [clean_text(line) for line in lines]
    assert [one["text"] for one in found] == [
        text for line, text in zip(lines, shown, strict=True) if line and word.casefold() in text
    ]

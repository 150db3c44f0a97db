from __future__ import annotations

import io
import json

import pytest

from artstore.cli.output import (
    Output,
    count,
    format_bytes,
    format_seconds,
    has_colour,
    printable,
    table,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (431_200_000, "431.2 MB"),
        (999_960, "1.0 MB"),
        (2_147_483_648, "2.1 GB"),
        (10**15, "1.0 PB"),
    ],
)
def test_sizes_are_decimal_with_one_digit(size_bytes: int, text: str) -> None:
    assert format_bytes(size_bytes) == text


def test_durations_are_shown_as_exactly_as_they_are_of_use() -> None:
    assert [format_seconds(s) for s in (0.4217, 12.34, 185)] == ["0.42 s", "12.3 s", "3 min 05 s"]


def test_counts_have_their_plural() -> None:
    assert count(1, "file") == "1 file"
    assert count(20_000, "entry", "entries") == "20,000 entries"


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\x07", "\x9b2J", "\u202egnp.exe", "\u2028"])
def test_names_cannot_command_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(c in shown for c in "\x1b\n\x07\x9b\u202e\u2028")
    assert "\\" in shown


def test_other_names_are_shown_as_they_are() -> None:
    assert printable("Größe 数据 😀.png") == "Größe 数据 😀.png"


def test_columns_are_aligned_and_numbers_flush_right() -> None:
    lines = list(table(("NAME", "SIZE", "X"), [("a", "1 B", ""), ("long", "10 B", "y")], "SIZE"))
    assert lines == ["NAME  SIZE  X", "a      1 B", "long  10 B  y"]


def test_colours_need_a_terminal_and_no_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert has_colour(Terminal())
    assert not has_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colour(Terminal())


def test_a_streamed_result_is_one_json_value(capsys: pytest.CaptureFixture[str]) -> None:
    items = [({"path": str(n)}, f"line {n}", str(n)) for n in range(3)]
    Output(as_json=True).result_stream({"kind": "entries"}, "entries", iter(items))
    expected = {"kind": "entries", "entries": [{"path": "0"}, {"path": "1"}, {"path": "2"}]}
    assert json.loads(capsys.readouterr().out) == expected
    Output(as_json=True).result_stream({}, "entries", iter([]))
    assert json.loads(capsys.readouterr().out) == {"entries": []}


def test_quiet_prints_names_and_json_neither_notes_nor_warnings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet = Output(quiet=True)
    quiet.note("good to know")
    quiet.result({"a": 1}, ["a long line"], names=["ds:v1"])
    assert capsys.readouterr() == ("ds:v1\n", "")
    Output(as_json=True).warn("careful")
    assert capsys.readouterr() == ("", "")
    quiet.warn("careful")
    assert capsys.readouterr().err == "art: warning: careful\n"

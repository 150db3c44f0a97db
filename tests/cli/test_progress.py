from __future__ import annotations

import io
import sys

import pytest

from artstore.cli import progress
from artstore.cli.progress import ProgressBar
from artstore.transfer.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def install(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # Not a fixture: pytest puts its own stderr into place between set-up and test.
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SHOWN_AFTER_SECONDS", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return stream


def moments() -> list[Progress]:
    return [
        Progress("Reading", 3, None, 1_000_000, None),
        Progress("Writing", 10, 20_000, 5_000_000, 431_000_000),
        Progress("Writing", 20_000, 20_000, 431_000_000, 431_000_000),
    ]


def interrupted(bar: ProgressBar) -> None:
    bar.on_progress(moments()[1])
    raise KeyboardInterrupt


def test_a_terminal_sees_phase_files_bytes_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = install(monkeypatch)
    with ProgressBar() as bar:
        for moment in moments():
            bar.on_progress(moment)
    shown = terminal.getvalue()
    assert "Writing" in shown
    assert "20,000/20,000 files" in shown
    assert "431.0" in shown
    assert "\x1b[?25h" in shown  # the cursor comes back


def test_the_bar_is_taken_away_when_the_operation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = install(monkeypatch)
    with pytest.raises(KeyboardInterrupt), ProgressBar() as bar:
        interrupted(bar)
    assert terminal.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


def test_nothing_is_shown_when_hidden_or_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = install(monkeypatch)
    with ProgressBar(hidden=True) as bar:
        bar.on_progress(moments()[0])
    assert terminal.getvalue() == ""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with ProgressBar() as bar:
        bar.on_progress(moments()[0])
    assert pipe.getvalue() == ""


def test_an_operation_that_is_done_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = install(monkeypatch)
    monkeypatch.setattr(progress, "SHOWN_AFTER_SECONDS", 60)
    with ProgressBar() as bar:
        for moment in moments():
            bar.on_progress(moment)
    assert terminal.getvalue() == ""

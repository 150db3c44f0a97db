"""How a run ends: exit statuses, streams, errors as text and as JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from artstore.cli import failures, main, run
from artstore.cli.session import Session
from artstore.errors import (
    AlreadyExistsError,
    ConflictError,
    DamagedDataError,
    DeniedError,
    InvalidInputError,
    StateError,
    UnsupportedFormatError,
)
from tests.cli.conftest import Art

Start = Callable[..., "subprocess.Popen[bytes]"]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `art config` end with `error`."""

    def broken(_session: Session) -> None:
        raise error

    monkeypatch.setattr(Session, "settings", property(broken))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (InvalidInputError, 2),
        (AlreadyExistsError, 5),
        (ConflictError, 6),
        (StateError, 7),
        (DamagedDataError, 8),
        (UnsupportedFormatError, 9),
        (DeniedError, 10),
    ],
)
def test_the_class_of_an_error_is_the_exit_status(
    art: Art, monkeypatch: pytest.MonkeyPatch, kind: type, status: int
) -> None:
    raising(monkeypatch, kind("it broke", code="value-invalid", hint="mend it", key="k"))
    ran = art("config", status=status)
    assert (ran.out, ran.err) == ("", "art: error: it broke\n  mend it\n")
    assert art("config", "--json", status=status).error == {
        "code": "value-invalid",
        "message": "it broke",
        "hint": "mend it",
        "exit_status": status,
        "context": {"key": "k"},
    }


def test_an_unexpected_error_is_called_a_bug_and_shows_no_traceback(
    art: Art, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, ZeroDivisionError("by zero"))
    ran = art("config", status=1)
    assert "unexpected ZeroDivisionError: by zero" in ran.err
    assert "--debug" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in art("config", "--debug", status=1).err
    assert art("config", "--json", "--debug", status=1).error["code"] == "unexpected"


def test_a_message_cannot_command_the_terminal(art: Art, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, StateError("bad \x1b[2J name", code="value-invalid"))
    assert "\x1b" not in art("config", status=7).err


def test_ctrl_c_is_130(art: Art, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert art("config", status=130).err == "\nart: interrupted\n"


@pytest.mark.parametrize(
    "arguments",
    [["pusch"], ["config", "nope"], ["ls", "--nope"], ["pull"], ["check", "--read-data=0%"]],
)
def test_a_command_line_that_cannot_be_understood_is_2(art: Art, arguments: list[str]) -> None:
    ran = art(*arguments, status=2)
    assert ran.out == ""
    assert ran.err.startswith("art: error: ")
    assert "--help" in ran.err
    assert art(*arguments, "--json", status=2).error["code"] == "usage-invalid"


def test_a_slip_in_a_commands_name_is_answered_with_the_nearest(art: Art) -> None:
    assert "Did you mean: push" in art("psuh", status=2).err


def test_shared_options_are_taken_before_and_after_the_command(art: Art) -> None:
    for line in (
        ["--store", "/s", "--json", "config", "url"],
        ["config", "url", "--store", "/s", "--json"],
    ):
        assert art(*line).json == {"key": "url", "value": "/s", "origin": "--store"}
    assert art("--store", "/a", "config", "url", "--store", "/b").out == "/b\n"


def test_verbose_says_which_store_and_project_and_why(art: Art) -> None:
    ran = art("config", "url", "-v", "--project", "vision")
    assert "project  vision (--project)" in ran.err
    assert "(default)" in ran.err


def test_a_closed_pipe_is_141_and_silent(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("config", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_an_error(start: Start) -> None:
    with open("/dev/full", "wb") as full:
        process = start("config", stdout=full)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"No space left" in err
    assert b"Traceback" not in err


def test_a_name_the_terminal_cannot_show_is_escaped(start: Start) -> None:
    process = start("config", "url", "--store", "/tmp/ü", env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"/tmp/\\xfc\n", b"")


def test_windows_is_refused_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="WSL"):
        main.main()


def test_version_is_printed_alone_and_beside_other_options(art: Art, start: Start) -> None:
    from artstore._version import __version__

    out, _ = start("--version").communicate(timeout=60)
    assert out == f"artstore {__version__}\n".encode()
    assert art("-v", "--version").out == out.decode()


def test_errors_of_the_operating_system_are_told_by_their_own_words() -> None:
    assert failures.tell(OSError(5, "Input/output error", "x"), Session()) == 1
    assert failures.tell(click.UsageError("no"), Session()) == 2
    assert run.INTERRUPTED == 130

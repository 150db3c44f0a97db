"""Every command and option is explained, and the reference page says what the help says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from artstore.cli.command import SHARED_NAMES
from artstore.cli.program import SECTIONS, program
from tests.cli.conftest import Art

ROOT = Path(__file__).resolve().parents[2]
ISSUED = [
    *(
        "init",
        "lineage",
        "why",
        "stale",
        "push",
        "pull",
        "ls",
        "show",
        "log",
        "cat",
        "diff",
        "doctor",
        "alias",
        "tag",
        "rm",
        "restore",
    ),
    *("verify", "check", "gc", "du", "cache", "config", "completion", "import", "demo", "table"),
    *("serve", "runs", "run", "sync", "prune", "pin", "unpin", "protect"),
]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, groups and what is below them."""
    context = click.Context(program, info_name="art")
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for below in command.commands.values():
                yield f"{name} {below.name}", below


def test_the_commands_are_those_of_the_reference() -> None:
    assert sorted(program.list_commands(click.Context(program))) == sorted(ISSUED)


def test_every_command_and_option_has_help_text() -> None:
    for words, command in commands():
        assert command.help, words
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (words, option.name)


def test_every_command_takes_the_shared_options() -> None:
    for words, command in commands():
        assert {option.name for option in command.params} >= SHARED_NAMES, words


def test_the_line_of_a_command_in_the_overview_fits_the_terminal() -> None:
    lines = [item.summary for section in SECTIONS.values() for item in section.values()]
    assert all(line.endswith(".") and len(line) <= 64 for line in lines)


@pytest.mark.parametrize(
    "words", [[], *([name] for name in ISSUED), ["cache", "prune"], ["import", "wandb"]]
)
def test_help_is_answered_on_stdout(art: Art, words: list[str]) -> None:
    ran = art(*words, "--help")
    assert ran.out.startswith(" ".join(["Usage: art", *words]))
    assert ran.err == ""
    assert art(*words, "-h").out == ran.out


def test_no_arguments_at_all_show_the_help(art: Art) -> None:
    assert art().out == art("--help").out


def test_the_reference_page_is_current() -> None:
    script = ROOT / "docs" / "cli_reference.py"
    result = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"run: python {script}\n{result.stdout}{result.stderr}"

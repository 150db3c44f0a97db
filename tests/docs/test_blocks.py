"""
What the pages say to type is typed, in the order it stands there, by real processes.

The blocks of one page share a directory, its environment and its Python names:

- `sh` runs as one script and must succeed;
- `console` holds lines `$ command`, each with the output that it shows. Times,
  durations, users and the sizes of what is new differ from run to run and may do
  so here; `...` stands for anything. A command that shows an error must fail,
  any other must not;
- `python` runs after the Python blocks above it.

A page that needs a bucket names it in a comment, `<!-- run with: an S3 server that has
team-bucket -->`: a server is started, and the environment leads there.

A block that cannot run anywhere says why in a comment above it: `<!-- not run: why -->`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from artstore.testing.servers import start_moto
from tests.docs.pages import DOCS, ROOT, Block, blocks, bucket_of

RUN = ("sh", "console", "python")
PAGES = [
    ROOT / "README.md",
    *sorted((DOCS / "tutorials").glob("*.md")),
    *sorted((DOCS / "how-to").glob("*.md")),
    *sorted((DOCS / "explanation").glob("*.md")),
    DOCS / "reference" / "api.md",
    DOCS / "reference" / "media.md",
    DOCS / "reference" / "table-diff.md",
    DOCS / "reference" / "tables.md",
]
OF_THE_TEST = ("ARTSTORE_CACHE_DIR",)
"""Set for every test, and not on a reader's machine; the home is the test's own anyway."""
FAILS = re.compile(r"^art: error: ", re.MULTILINE)
SHOWN_HOME = "/home/you"
INTERPRETER = """
import contextlib, io, json, sys, traceback
names = {}
for line in sys.stdin:
    printed, ended_well = io.StringIO(), True
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(json.loads(line), "the block", "exec"), names)
    except BaseException:
        ended_well = False
        traceback.print_exc(file=printed)
    print(json.dumps([ended_well, printed.getvalue()]), flush=True)
"""
VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
    (re.compile(r"\b\d+\.\d\d s\b"), "<duration>"),
    (re.compile(r"\b[\w.-]+@[\w.-]+"), "<author>"),
    # What zstd makes of a manifest is another number of bytes in another release of it.
    (re.compile(r"[\d.]+ [kMG]?B new\b"), "<size> new"),
)


class Session:
    """One page: a directory in which its blocks run one after the other."""

    def __init__(self, directory: Path, state: Path, added: Mapping[str, str]) -> None:
        self.directory = directory
        self.state = state
        self.interpreter: subprocess.Popen[str] | None = None
        programs = state / "bin"
        programs.mkdir(parents=True)
        python = shlex.quote(sys.executable)
        for name, words in (("art", f"{python} -m artstore.cli.main"), ("python", python)):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            program.chmod(0o755)
        inherited = {name: os.environ[name] for name in os.environ if name not in OF_THE_TEST}
        self.environment = {
            **inherited,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "USER": "you",
            "LOGNAME": "you",
            **added,
        }

    def run(self, block: Block) -> None:
        if block.info == "python":
            self.python(block)
        elif block.info == "sh":
            self.shell(block.text, block, fails=False)
        else:
            for command, expected in commands(block.text):
                found = self.shell(command, block, fails=bool(FAILS.search(expected)))
                found = found.replace(str(self.directory.parent), SHOWN_HOME)
                assert is_as_shown(expected, found), (
                    f"{block.where}: $ {command}\n--- shown\n{expected}--- printed\n{found}"
                )

    def shell(self, text: str, block: Block, *, fails: bool) -> str:
        # Variables, set and unset, the umask and the directory last until the end of the page.
        keep = shlex.quote(str(self.state / "shell"))
        save = f'(export -p; echo "umask $(umask)"; printf "cd %q\\n" "$PWD") > {keep}'
        forget = "unset $(compgen -e | grep -vx PATH)"
        script = (
            f"[ -e {keep} ] && {forget} && . {keep}\ntrap {shlex.quote(save)} EXIT\nset -ea\n{text}"
        )
        return self.process(["bash", "-c", script], block, fails=fails)

    def python(self, block: Block) -> None:
        if self.interpreter is None:
            self.interpreter = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.interpreter.stdin is not None
        assert self.interpreter.stdout is not None
        self.interpreter.stdin.write(json.dumps(block.text) + "\n")
        self.interpreter.stdin.flush()
        ended_well, printed = json.loads(self.interpreter.stdout.readline())
        assert ended_well, f"{block.where}\n{printed}"

    def close(self) -> None:
        if self.interpreter is not None:
            self.interpreter.communicate()

    def process(self, words: list[str], block: Block, *, fails: bool) -> str:
        done = subprocess.run(
            words,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        printed = done.stdout.decode()
        assert bool(done.returncode) == fails, (
            f"{block.where}: exit status {done.returncode}\n{printed}"
        )
        return printed


def commands(text: str) -> list[tuple[str, str]]:
    """(command, shown output) of a console block; `> ` continues a command."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
            continue
        assert found, f"a console block begins with `$ `, not with {line!r}"
        command, shown = found[-1]
        if line.startswith("> ") and not shown:
            found[-1] = (f"{command}\n{line[2:]}", shown)
        else:
            found[-1] = (command, f"{shown}{line}\n")
    return found


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether the output is as the page shows it; blanks at the ends of lines do not count."""
    pattern = ".*".join(re.escape(part) for part in without_what_varies(shown).split("..."))
    return re.fullmatch(pattern, without_what_varies(printed), re.DOTALL) is not None


def without_what_varies(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.splitlines())
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, home: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        added: Mapping[str, str] = {}
        if bucket := bucket_of(page):
            server = stack.enter_context(start_moto())
            server.make_bucket(bucket)
            added = server.environ
        session = stack.enter_context(closing(Session(home / "work", tmp_path, added)))
        for block in blocks(page):
            if block.info in RUN and block.not_run is None:
                session.run(block)


def test_every_block_says_what_it_is() -> None:
    # A block of an unknown language would never run, and nobody would see it.
    known = {*RUN, "text", "toml", "json", "yaml", "gitignore"}
    unknown = [block.where for page in PAGES for block in blocks(page) if block.info not in known]
    assert not unknown


def test_shown_output_is_compared_and_dots_stand_for_anything() -> None:
    assert is_as_shown("a ... c\n", "a b c\n")
    assert is_as_shown("a\n...\nz\n", "a\nb\nc\nz\n")
    assert not is_as_shown("a ... c\n", "a b d\n")
    assert not is_as_shown("", "something\n")
    assert is_as_shown("1.7 kB new, 0.01 s\n", "950 B new, 12.30 s\n")
    assert not is_as_shown("3 files, 8 B\n", "3 files, 9 B\n")


def test_console_blocks_are_split_into_commands() -> None:
    assert commands("$ one\nout\n$ two \\\n> more\n") == [("one", "out\n"), ("two \\\nmore", "")]

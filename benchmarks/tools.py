"""
The tools that are compared: what to run for "push" and "pull", and where each keeps its bytes.

A tool lives in a room, a directory of its own:

    room/tree/      what is pushed, and what an edit changes
    room/checkout/  where it is pulled to (a tool may insist on another place)
    room/store/     the shared place: a store, repository or remote
    room/private/   home, caches, configuration and temporary files of the tool

so that the bytes it stores and the bytes it leaves behind can be counted from outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Command, tree_bytes

__all__ = ["ArtTool", "CopyTool", "HashTool", "Tool", "art_command"]

REPOSITORY = Path(__file__).resolve().parent.parent


class Tool:
    """
    One tool in its room. `name` is the column it gets in the results.

    A push is always of `tree`, the second one after an edit; a pull is of the
    newest push, into `checkout`: into nothing, or over what an earlier pull left there.
    """

    name = ""
    can_pull = True
    links_by_reflink = False

    def __init__(self, room: Path) -> None:
        self.room = room
        self.tree = room / "tree"
        self.checkout = room / "checkout"
        self.store = room / "store"
        self.private = room / "private"

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which(cls.name) is not None

    @classmethod
    def version(cls) -> str:
        return first_line([cls.name, "--version"])

    def private_places(self) -> list[Path]:
        """Where content may be left behind outside of tree, checkout and store."""
        return [self.private]

    def stored_bytes(self) -> int:
        """How long all files of the store are."""
        return tree_bytes([self.store])

    def prepare(self) -> None:
        """Set up an empty store; not measured."""
        for name in ("home", "cache", "config", "data", "state", "tmp"):
            (self.private / name).mkdir(parents=True)

    def push(self) -> Command:
        raise NotImplementedError

    def pull(self) -> Command:
        raise NotImplementedError

    def before_pull(self) -> None:
        """What another machine would have received by other means, such as git; not measured."""

    def environment(self) -> dict[str, str]:
        """An environment in which nothing of the user's own is read or written."""
        places = {
            "HOME": "home",
            "XDG_CACHE_HOME": "cache",
            "XDG_CONFIG_HOME": "config",
            "XDG_DATA_HOME": "data",
            "XDG_STATE_HOME": "state",
            "TMPDIR": "tmp",
        }
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ
        }
        return kept | {name: str(self.private / place) for name, place in places.items()}

    def command(self, *argv: str | Path, cwd: Path | None = None, **added: str) -> Command:
        return Command([str(word) for word in argv], cwd or self.room, self.environment() | added)

    def do(self, *argv: str | Path, cwd: Path | None = None) -> None:
        """Run a step that is not measured."""
        subprocess.run(
            [str(word) for word in argv],
            cwd=cwd or self.room,
            env=self.environment(),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


def first_line(argv: Sequence[str]) -> str:
    """What `argv` prints first: how tools tell their version."""
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (answer.stdout or answer.stderr).strip().partition("\n")[0]


def art_command() -> list[str]:
    """The `art` beside this Python, else the one on PATH, else the working tree's own."""
    beside = Path(sys.executable).with_name("art")
    if beside.exists():
        return [str(beside)]
    if found := shutil.which("art"):
        return [found]
    return [sys.executable, "-m", "artstore.cli.main"]


class ArtTool(Tool):
    """The `art` command; `words` is how it is started."""

    name = "art"
    words: Sequence[str] = ()

    @classmethod
    def is_installed(cls) -> bool:
        answer = subprocess.run([*cls._words(), "--version"], capture_output=True, check=False)
        return answer.returncode == 0

    @classmethod
    def version(cls) -> str:
        return first_line([*cls._words(), "--version"])

    @classmethod
    def _words(cls) -> Sequence[str]:
        return cls.words or art_command()

    def environment(self) -> dict[str, str]:
        own = {
            "ARTSTORE_URL": str(self.store),
            "ARTSTORE_PROJECT": "bench",
            "ARTSTORE_CACHE_DIR": str(self.private / "cache" / "artstore"),
        }
        return super().environment() | own

    def art(self, *words: str | Path) -> Command:
        return self.command(*self._words(), *words)

    def push(self) -> Command:
        return self.art("push", self.tree, "data")

    def pull(self) -> Command:
        words: list[str | Path] = ["pull", "data", self.checkout, "--delete"]
        if self.links_by_reflink:
            words += ["--link", "reflink"]
        return self.art(*words)


class CopyTool(Tool):
    """`cp -r`: the reference. Its store is one plain copy, its second push a second copy."""

    name = "cp"

    def prepare(self) -> None:
        super().prepare()
        self.store.mkdir()

    def push(self) -> Command:
        number = sum(1 for _ in self.store.iterdir())
        return self.command("cp", "-r", self.tree, self.store / f"v{number}")

    def pull(self) -> Command:
        newest = max(self.store.iterdir())
        # `-T` would be shorter, but macOS has none.
        if self.checkout.exists():
            return self.command("cp", "-r", f"{newest}/.", self.checkout)
        return self.command("cp", "-r", newest, self.checkout)


class HashTool(Tool):
    """Reading and hashing everything, storing nothing: the floor of a push."""

    name = "read+blake3"
    can_pull = False

    @classmethod
    def is_installed(cls) -> bool:
        answer = subprocess.run(
            [sys.executable, "-c", "import blake3"], capture_output=True, check=False
        )
        return answer.returncode == 0

    @classmethod
    def version(cls) -> str:
        asked = "import importlib.metadata as m; print('blake3', m.version('blake3'))"
        return first_line([sys.executable, "-c", asked])

    def push(self) -> Command:
        return self.command(sys.executable, REPOSITORY / "benchmarks/read_and_hash.py", self.tree)

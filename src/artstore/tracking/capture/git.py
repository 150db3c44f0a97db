"""
What code ran: the commit, the branch, and what was changed without a commit.

`git_head` reads a few small files and starts nothing, for the moment a run begins.
`git_state` asks git for the rest, in a thread and with a limit of time. Nothing that a
repository configures is run by it, save the filters without which a diff is wrong
(Git LFS): no hooks, pagers, file system monitors, diff drivers, conversions. No lock
is taken, so that a commit made at the same moment does not fail.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from artstore import clock, forks
from artstore.tracking.capture import secrets

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["DIFF_MAX_BYTES", "UNTRACKED_MAX_COUNT", "git_head", "git_state", "repository_root"]

DIFF_MAX_BYTES: Final = 256 * 1024
"""Kept of a diff, so that it fits into an entry of the run's log with the rest; more is data in a
repository, not a change of code."""
UNTRACKED_MAX_COUNT: Final = 200
"""Names of files that git does not know."""

_STATUS_MAX_BYTES: Final = 4 * 1024 * 1024
_SMALL_FILE_BYTES: Final = 64 * 1024
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_POLL_SECONDS: Final = 0.05
_OPTIONS: Final = (
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.quotePath=false",
    "-c",
    "diff.noprefix=false",
    "-c",
    "diff.mnemonicPrefix=false",
)
_STATUS: Final = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=normal",
    "--ignore-submodules=dirty",
)
_DIFF: Final = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--ignore-submodules=dirty",
)


def repository_root(directory: str | os.PathLike[str]) -> str | None:
    """The directory of the work tree that `directory` lies in; None if it lies in none."""
    here = os.path.abspath(directory)
    while True:
        if os.path.exists(os.path.join(here, ".git")):
            return here
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def git_head(directory: str | os.PathLike[str]) -> dict[str, Any] | None:
    """
    Commit, branch and remote as the files of a repository tell them, without git.

    Returns:
        `{"root", "commit", "branch", "remote"}`, each but the first None where it cannot be
        told this way; None outside a repository.
    Cost: a few stats and at most six small files read.
    """
    root = repository_root(directory)
    if root is None:
        return None
    place = _git_directory(root)
    commit = branch = remote = None
    with suppress(OSError):
        shared = os.path.join(place, _read(os.path.join(place, "commondir")) or ".")
        head = _read(os.path.join(place, "HEAD"))
        if head.startswith("ref: "):
            name = head.removeprefix("ref: ").strip()
            branch = name.removeprefix("refs/heads/")
            commit = _commit_of(name, place, shared)
        elif _COMMIT.fullmatch(head):
            commit = head
        remote = _remote_in(_read(os.path.join(shared, "config")))
    if branch == ".invalid":
        # What a repository with references in tables says to readers of files.
        branch = None
    return {"root": root, "commit": commit, "branch": branch, "remote": _masked(remote)}


def git_state(
    directory: str | os.PathLike[str], *, stop: Event | None = None, seconds: float = 10.0
) -> dict[str, Any] | None:
    """
    The commit and what was changed since, secrets masked. For a thread in the background.

    Args:
        directory: anywhere in a work tree.
        stop: ends the look early, when set; what is known by then is returned.
        seconds: the limit for all of it.
    Returns:
        What `git_head` gives, and `dirty`, `diff` (text against the commit, or against
        nothing before the first one), `diff_truncated`, `untracked` (names only) and
        `untracked_count`; these are missing where git is, refuses (a repository of
        somebody else) or takes too long, and `problem` says so. None outside a repository.
    Cost: two or three processes; at most `DIFF_MAX_BYTES` of a diff.
    """
    state = git_head(directory)
    if state is None:
        return None
    ask = _Questions(state["root"], stop or Event(), clock.monotonic_seconds() + seconds)
    status, is_whole = ask.answer(_STATUS, _STATUS_MAX_BYTES)
    if status is None:
        return {**state, "problem": ask.problem}
    has_changes = _take_status(state, status, is_whole=is_whole)
    remotes, _ = ask.answer(("config", "-z", "--get-regexp", r"^remote\..*\.url$"), 65536)
    if remotes:
        state["remote"] = _masked(_preferred(remotes)) or state["remote"]
    if has_changes:
        against = state["commit"] or _EMPTY_TREE
        diff, is_whole = ask.answer((*_DIFF, against, "--"), DIFF_MAX_BYTES)
        if diff is None:
            state["problem"] = ask.problem
        else:
            state["diff"] = secrets.mask(_whole_lines(diff, is_whole=is_whole))
            state["diff_truncated"] = not is_whole
    return state


def _take_status(state: dict[str, Any], status: bytes, *, is_whole: bool) -> bool:
    """Put what `git status` said into `state`; whether files that git knows were changed."""
    parts = iter(status.decode("utf-8", "replace").split("\0"))
    untracked: list[str] = []
    has_changes = False
    for part in parts:
        kind, _, rest = part.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            if name == "branch.oid":
                state["commit"] = value if _COMMIT.fullmatch(value) else None
            elif name == "branch.head":
                state["branch"] = None if value == "(detached)" else value
        elif kind == "?":
            untracked.append(rest)
        elif kind in {"1", "2", "u"}:
            has_changes = True
            if kind == "2":
                # A rename has its old name in a part of its own.
                next(parts, None)
    if not is_whole and untracked:
        untracked.pop()
    state["dirty"] = has_changes
    state["untracked"] = [secrets.mask(name) for name in untracked[:UNTRACKED_MAX_COUNT]]
    state["untracked_count"] = len(untracked)
    return has_changes


class _Questions:
    """Git, asked one thing after the other within one limit of time."""

    def __init__(self, root: str, stop: Event, until: float) -> None:
        self._root, self._stop, self._until = root, stop, until
        self.problem = ""

    def answer(self, arguments: Sequence[str], most_bytes: int) -> tuple[bytes | None, bool]:
        """What git prints, at most so much, and whether that is all; None if it fails."""
        # Imported under the gate: a child that is forked meanwhile would wait for it for ever.
        forks.import_late(("subprocess",))
        import subprocess

        if self._stop.is_set() or clock.monotonic_seconds() > self._until:
            self.problem = "git was not waited for"
            return None, False
        try:
            process = subprocess.Popen(
                ["git", *_OPTIONS, *arguments],  # noqa: S607 - the git that the user has
                cwd=self._root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C in the terminal is meant for the program, not for this.
                process_group=0,
            )
        except OSError as error:
            self.problem = f"git cannot be run: {error.strerror}"
            return None, False
        with process:
            try:
                return self._collect(process, most_bytes)
            finally:
                with suppress(OSError):
                    process.kill()

    def _collect(self, process: Popen[bytes], most_bytes: int) -> tuple[bytes | None, bool]:
        import selectors

        assert process.stdout is not None
        assert process.stderr is not None
        output, words = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)
            selector.register(process.stderr, selectors.EVENT_READ, words)
            while selector.get_map():
                if self._stop.is_set() or clock.monotonic_seconds() > self._until:
                    self.problem = "git took too long"
                    return None, False
                for key, _ in selector.select(_POLL_SECONDS):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.data is output or len(words) < _SMALL_FILE_BYTES:
                        key.data.extend(data)
                    if len(output) > most_bytes:
                        return bytes(output[:most_bytes]), False
        if process.wait():
            self.problem = _why(bytes(words))
            return None, False
        return bytes(output), True


def _environment() -> dict[str, str]:
    # Without GIT_DIR and its like, which would lead a run within a hook elsewhere.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        # A clone without its old files must not fetch them for a diff.
        "GIT_NO_LAZY_FETCH": "1",
    }


def _why(words: bytes) -> str:
    text = words.decode("utf-8", "replace")
    if "dubious ownership" in text:
        return "git refuses to read a repository of another user (safe.directory)"
    first = next((line for line in text.splitlines() if line.strip()), "no reason given")
    return secrets.mask(f"git failed: {first[:200]}")


def _whole_lines(diff: bytes, *, is_whole: bool) -> str:
    if not is_whole:
        diff = diff[: diff.rfind(b"\n") + 1]
    return diff.decode("utf-8", "replace")


def _preferred(remotes: bytes) -> str | None:
    found: dict[str, str] = {}
    for line in remotes.decode("utf-8", "replace").split("\0"):
        name, _, url = line.partition("\n")
        if url:
            found.setdefault(name.removeprefix("remote.").removesuffix(".url"), url)
    return found.get("origin") or next(iter(found.values()), None)


def _remote_in(config: str) -> str | None:
    """The URL of `origin`, or of the first remote, in the text of a repository's settings."""
    found: dict[str, str] = {}
    remote = None
    for line in config.splitlines():
        section = re.match(r"\s*\[(.*)\]", line)
        if section:
            named = re.fullmatch(r"remote \"(.+)\"", section[1])
            remote = named[1] if named else None
        setting = re.match(r"\s*url\s*=\s*(.+)", line)
        if remote is not None and setting:
            found.setdefault(remote, setting[1].strip().strip('"'))
    return found.get("origin") or next(iter(found.values()), None)


def _masked(url: str | None) -> str | None:
    return None if url is None else secrets.mask(url)


def _git_directory(root: str) -> str:
    place = os.path.join(root, ".git")
    if os.path.isdir(place):
        return place
    # A work tree of its own, or a submodule: a file that says where the directory is.
    with suppress(OSError):
        named = _read(place).removeprefix("gitdir:").strip()
        return os.path.join(root, named)
    return place


def _commit_of(name: str, place: str, shared: str) -> str | None:
    for directory in (place, shared):
        text = _read(os.path.join(directory, name))
        if _COMMIT.fullmatch(text):
            return text
    try:
        with open(os.path.join(shared, "packed-refs"), encoding="utf-8", errors="replace") as file:
            for line in file:
                commit, _, named = line.strip().partition(" ")
                if named == name and _COMMIT.fullmatch(commit):
                    return commit
    except FileNotFoundError:
        pass
    return None


def _read(path: str) -> str:
    """The text of a small file, without the space around it; empty if there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read(_SMALL_FILE_BYTES).decode("utf-8", "replace").strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""

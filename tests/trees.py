"""
Small directory trees as values, and stores that tests can look into.

`{"a/b": File(b"x"), "l": Symlink("a/b"), "e": EMPTY}` is a tree: what `build` makes
on disk and `observe` reads back, by the same rules as a push: files, symlinks
and empty directories.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import artstore as art
from artstore.api import LoggedArtifact, Store
from artstore.clock import Clock
from artstore.settings import resolve
from artstore.storage.protocol import Storage


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    executable: bool = False

    def __repr__(self) -> str:
        shown = repr(self.data) if len(self.data) < 20 else f"<{len(self.data)} bytes>"
        return f"File({shown}, executable={self.executable})"


@dataclass(frozen=True, slots=True)
class Symlink:
    target: str


@dataclass(frozen=True, slots=True)
class Empty:
    """An empty directory."""


EMPTY = Empty()
Node = File | Symlink | Empty
Tree = Mapping[str, Node]


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress, the same in every run."""
    from blake3 import blake3

    return blake3(b"noise %d" % seed).digest(length=size)


def build(root: Path, tree: Tree) -> Path:
    """Make `root` hold exactly `tree`."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    for path, node in tree.items():
        put(root, path, node)
    return root


def put(root: Path, path: str, node: Node) -> None:
    """Make one path of a tree, whatever file or link stands there."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink() or place.is_file():
        place.unlink()
    if isinstance(node, Symlink):
        place.symlink_to(node.target)
    elif isinstance(node, Empty):
        place.mkdir(exist_ok=True)
    else:
        place.write_bytes(node.data)
        place.chmod(0o755 if node.executable else 0o644)


def observe(root: Path) -> dict[str, Node]:
    """The tree that stands on disk."""
    found: dict[str, Node] = {}
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            place = here / name
            path = place.relative_to(root).as_posix()
            if place.is_symlink():
                found[path] = Symlink(os.readlink(place))
            else:
                mode = place.stat().st_mode
                assert stat.S_ISREG(mode), place
                found[path] = File(place.read_bytes(), bool(mode & stat.S_IXUSR))
        if not folders and not files and here != root:
            found[here.relative_to(root).as_posix()] = EMPTY
    return found


def open_at(
    directory: Path | str, storage: Storage | None = None, *, project: str = "p", sync: bool = False
) -> Store:
    """A store as a process that starts now sees it; unsynced, unless asked, to be fast."""
    from artstore.storage.local import LocalStorage

    store = Store(resolve(str(directory), project))
    store._storage = storage if storage is not None else LocalStorage(directory, sync=sync)
    return store


def push(
    store: Store, *roots: Path, name: str = "ds", exclude: Sequence[str] = (), **options: Any
) -> LoggedArtifact:
    """Push the contents of directories."""
    artifact = art.Artifact(
        name,
        options.pop("type", None),
        description=options.pop("description", None),
        metadata=options.pop("metadata", None),
    )
    for root in roots:
        artifact.add_dir(root, exclude=exclude)
    return store.log_artifact(artifact, **options)


def keys_of(storage: Storage, prefix: str = "") -> list[str]:
    return [info.key for info in storage.scan(prefix)]


def problems_of(store: Store, *, read_data: float | None = 1.0) -> list[tuple[str, str]]:
    """What a full check finds, as (key, message)."""
    return [(p.key, p.message) for p in store.check(read_data=read_data).problems]


class LaterClock(Clock):
    """
    The real clock, ahead by an hour: what was written a moment ago counts as old.

    The stat cache trusts no file as young as its own look at it.
    """

    def now_seconds(self) -> float:
        import time

        return time.time() + 3600

    def now_nanoseconds(self) -> int:
        import time

        return time.time_ns() + 3600 * 10**9

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def sleep(self, seconds: float) -> None:
        del seconds

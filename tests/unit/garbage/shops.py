"""A store whose versions can be made old, and a clock that is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import artstore as art
from artstore.clock import SystemClock
from tests.trees import open_at

DAY = 86_400.0


class SkewedClock(SystemClock):
    def __init__(self, seconds: float) -> None:
        self.skew = seconds

    def now_seconds(self) -> float:
        return super().now_seconds() + self.skew


class Shop:
    """A store on disk whose entries can be made old."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = open_at(root)

    def push(self, name: str, count: int, **options: Any) -> None:
        for _ in range(count):
            draft = art.Artifact(name, type="dataset")
            with draft.new_file("n.txt") as file:
                file.write(os.urandom(4).hex())
            self.store.log_artifact(draft, **options)

    def age(self, name: str, *days: float) -> None:
        """Make versions so many days old, v0 first, by the times of their entries."""
        for version, old in zip(self.store.versions(name), days, strict=False):
            self.touch(f"collections/p/{name}/{version.n:012d}", old)

    def touch(self, key: str, days: float) -> None:
        path = self.root / key
        then = path.stat().st_mtime - days * DAY
        os.utime(path, (then, then))

    def live(self, name: str) -> list[int]:
        return [one.version for one in open_at(self.root).versions(name) if one.is_live]

    def entries(self, name: str) -> list[str]:
        return sorted(os.listdir(self.root / "collections" / "p" / name))

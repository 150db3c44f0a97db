"""
Which distributions are installed, told by the names of their directories.

`importlib.metadata` opens a file for each of them; the name of `numpy-2.1.0.dist-info`
says the same, and a directory is listed in one go.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Event
from typing import Final

__all__ = ["packages"]

_PYTHON: Final = re.compile(r"-py[0-9.]+$")


def packages(path: Sequence[str] | None = None, *, stop: Event | None = None) -> list[str]:
    """
    `name==version` of each distribution that can be imported, sorted; names as PyPI compares them.

    Args:
        path: where to look; `sys.path` if None. What comes first hides what comes later.
        stop: ends the look early, when set.
    Cost: one listing a directory; of old installs in place also one small file read.
    """
    found: dict[str, str] = {}
    for directory in dict.fromkeys(sys.path if path is None else path):
        if stop is not None and stop.is_set():
            break
        for name, version in _distributions(directory or os.curdir):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _distributions(directory: str) -> Iterator[tuple[str, str]]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for entry in names:
        if entry.endswith(".dist-info"):
            name, dash, version = entry.removesuffix(".dist-info").rpartition("-")
            # `~umpy-2.1.0.dist-info` is what pip left of a release it took away.
            if dash and not name.startswith("~"):
                yield name, version
        elif entry.endswith(".egg-info"):
            name, _, version = _PYTHON.sub("", entry.removesuffix(".egg-info")).partition("-")
            version = version or _version_in(os.path.join(directory, entry))
            if version:
                yield name, version


def _version_in(place: str) -> str:
    # setuptools' "develop" leaves the version out of the name.
    with suppress(OSError), open(os.path.join(place, "PKG-INFO"), "rb") as file:
        match = re.search(rb"^Version: *(\S+)", file.read(4096), re.MULTILINE)
        if match:
            return match[1].decode("utf-8", "replace")
    return ""

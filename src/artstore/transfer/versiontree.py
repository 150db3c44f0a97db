"""
A version as a tree of directories, looked into without reading all of it.

A manifest is one sorted list, in which a directory is nothing but a common
beginning of paths. To list one, the directories in it are jumped over: of a
million files in ten directories ten segments are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Final

from artstore.errors import NotFoundError
from artstore.manifests.entry import SYMLINK, Entry, directory_entry
from artstore.manifests.reader import Manifest

__all__ = ["VersionTree"]

_HELD_SEGMENTS: Final = 32
"""About 10 MB of entries."""
_AHEAD_SEGMENTS: Final = 16
"""Read at once where a listing goes on from one segment to the next."""
_SYMLINKS_MAX: Final = 40
"""As Linux has it."""
_AFTER_SLASH: Final = "0"
"""The character after `/`: what sorts behind everything in a directory."""


class VersionTree:
    """Entries of one version by path; segments are kept. Safe for several threads."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._held: OrderedDict[int, list[Entry]] = OrderedDict()
        self._lock = Lock()

    def entry(self, path: str) -> Entry:
        """
        The entry at `path`. Raises NotFoundError `entry-not-found`.

        Cost: one segment, if it is not kept.
        """
        index = self._manifest.segment_of(path)
        if index >= 0:
            segment = self._segment(index)
            at = bisect_left(segment, path, key=_path_of)
            if at < len(segment) and segment[at].path == path:
                return segment[at]
        raise NotFoundError(f"{path!r} is not in this version", code="entry-not-found", path=path)

    def resolve(self, path: str) -> Entry:
        """
        The entry at `path`, or at the end of the symlinks that begin there.

        Raises:
            NotFoundError: `entry-not-found`, also for links that lead in circles, to
                a directory, or out of the version.
        """
        entry = self.entry(path)
        for _ in range(_SYMLINKS_MAX):
            if entry.kind != SYMLINK:
                return entry
            entry = self.entry(_target_of(entry))
        raise NotFoundError(
            f"the symlink {path!r} leads in circles", code="entry-not-found", path=path
        )

    def children(self, directory: str, *, after: str = "") -> Iterator[Entry]:
        """
        What lies directly in a directory, by path; a directory in it as a `directory` entry.

        An empty path is the root. Nothing is given for what is no directory.

        Args:
            after: go on behind the child of this path, which was given before.
        Cost: the segments that hold the files in it, and one for each directory in it.
        """
        prefix = f"{directory}/" if directory else ""
        index, at = self._at(max(prefix, self._behind(after)))
        while index < self._manifest.segment_count:
            segment = self._segment(index)
            while at < len(segment):
                entry = segment[at]
                if not entry.path.startswith(prefix):
                    return
                name, slash, _ = entry.path[len(prefix) :].partition("/")
                if not slash:
                    yield entry
                    at += 1
                    continue
                yield directory_entry(prefix + name)
                beyond, at = self._at(prefix + name + _AFTER_SLASH)
                if beyond != index:
                    index = beyond
                    break
            else:
                index, at = index + 1, 0
                self._read_ahead(index)

    def has_directory(self, path: str) -> bool:
        """Whether anything lies below `path`. Cost: one segment, two where it ends."""
        return next(self.children(path), None) is not None

    def _behind(self, child: str) -> str:
        """What no path sorts below that comes after a child: `a.txt` is before what is in `a`."""
        if not child:
            return ""
        try:
            return self.entry(child).path + "\0"
        except NotFoundError:
            return child + _AFTER_SLASH

    def _at(self, path: str) -> tuple[int, int]:
        """Segment and place in it of the first entry that does not sort before `path`."""
        index = max(0, self._manifest.segment_of(path))
        if index >= self._manifest.segment_count:
            return index, 0
        segment = self._segment(index)
        at = bisect_left(segment, path, key=_path_of)
        return (index, at) if at < len(segment) else (index + 1, 0)

    def _segment(self, index: int) -> list[Entry]:
        with self._lock:
            held = self._held.get(index)
            if held is not None:
                self._held.move_to_end(index)
                return held
        (segment,) = self._manifest.segments(index, 1)
        self._keep(index, [segment])
        return segment

    def _read_ahead(self, index: int) -> None:
        with self._lock:
            if index in self._held:
                return
        self._keep(index, self._manifest.segments(index, _AHEAD_SEGMENTS))

    def _keep(self, first: int, segments: list[list[Entry]]) -> None:
        with self._lock:
            for index, segment in enumerate(segments, first):
                self._held[index] = segment
                self._held.move_to_end(index)
            while len(self._held) > _HELD_SEGMENTS:
                self._held.popitem(last=False)


def _path_of(entry: Entry) -> str:
    return entry.path


def _target_of(entry: Entry) -> str:
    """Where a symlink leads, as a path of the version."""
    if entry.target.startswith("/"):
        raise _leads_out(entry)
    parts = entry.path.split("/")[:-1]
    for part in entry.target.split("/"):
        if part == "..":
            if not parts:
                raise _leads_out(entry)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _leads_out(entry: Entry) -> NotFoundError:
    return NotFoundError(
        f"the symlink {entry.path!r} leads to {entry.target!r}, out of this version",
        code="entry-not-found",
        path=entry.path,
    )

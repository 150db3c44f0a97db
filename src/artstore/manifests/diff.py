"""
What changed between two versions, reading only the segments that differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from artstore.manifests.entry import FILE, LINK, Entry
from artstore.manifests.reader import Manifest

__all__ = ["Change", "Diff", "diff"]


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs: `before` and `after` are entries, either may be None."""

    before: Entry | None
    after: Entry | None

    @property
    def path(self) -> str:
        """The path after the change, or before when it was removed."""
        entry = self.after or self.before
        assert entry is not None
        return entry.path

    @property
    def old_path(self) -> str | None:
        """The path before; None for what was added."""
        return None if self.before is None else self.before.path

    @property
    def size_bytes(self) -> int | None:
        """The size after; None for what was removed, or is a reference of unknown size."""
        return _size_of(self.after)

    @property
    def old_size_bytes(self) -> int | None:
        """The size before; None for what was added, or is a reference of unknown size."""
        return _size_of(self.before)


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes between two versions, each list in order of `path`."""

    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]
    renamed: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.renamed)


def _size_of(entry: Entry | None) -> int | None:
    return entry.size_bytes if entry is not None and entry.has_size else None


def diff(before: Manifest, after: Manifest) -> Diff:
    """
    Compare two manifests.

    A file that is removed at one path and added with the same digest at another
    is renamed; of several candidates the first path in order is taken.

    Cost: reads the segments that are not in both; memory by the changes.
    """
    common = {ref.digest for ref in before.segment_refs()} & {
        ref.digest for ref in after.segment_refs()
    }
    added: list[Entry] = []
    removed: list[Entry] = []
    changed: list[Change] = []
    for old, new in _merge(before.entries(skip=common), after.entries(skip=common)):
        if old is None and new is not None:
            added.append(new)
        elif new is None and old is not None:
            removed.append(old)
        elif old is not None and new is not None and _identity(old) != _identity(new):
            changed.append(Change(old, new))
    renamed, added, removed = _pair_renames(added, removed)
    return Diff(
        tuple(Change(None, entry) for entry in added),
        tuple(Change(entry, None) for entry in removed),
        tuple(changed),
        tuple(renamed),
    )


def _identity(entry: Entry) -> tuple[str, bool, bytes]:
    # As in the artifact digest: a link is a way to store, not a kind of content.
    return (FILE if entry.kind == LINK else entry.kind, entry.executable, entry.digest)


def _merge(
    before: Iterator[Entry], after: Iterator[Entry]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.path < new.path):
            yield old, None
            old = next(before, None)
        elif old is None or new.path < old.path:
            yield None, new
            new = next(after, None)
        else:
            yield old, new
            old, new = next(before, None), next(after, None)


def _pair_renames(
    added: list[Entry], removed: list[Entry]
) -> tuple[list[Change], list[Entry], list[Entry]]:
    by_digest: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in reversed(removed):
        if entry.kind == FILE and entry.size_bytes:
            by_digest[entry.digest].append(entry)
    renamed: list[Change] = []
    rest: list[Entry] = []
    for entry in added:
        candidates = by_digest.get(entry.digest) if entry.kind == FILE else None
        if candidates:
            renamed.append(Change(candidates.pop(), entry))
        else:
            rest.append(entry)
    moved = {change.before.path for change in renamed if change.before is not None}
    return renamed, rest, [entry for entry in removed if entry.path not in moved]

"""
Reading the index of a store: the newest first, many segments at once, none of them twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from artstore import limits
from artstore.errors import ArtstoreError
from artstore.packs.index import INDEX_PREFIX, IndexSegment, IndexView, decode_index
from artstore.storage.protocol import KeyInfo, Span, Storage, Value

__all__ = ["HELD_MAX_BYTES", "open_index", "remember_segment"]

HELD_MAX_BYTES: Final = 256 * limits.MIB
"""Index that one push holds in memory: 6 M chunks, 0.8 TB of large files."""

_AT_ONCE: Final = 16
"""Segments asked for before any is looked at: so many may turn out to be replaced."""


def open_index(storage: Storage, *, project: str | None, cache: Storage | None = None) -> IndexView:
    """
    Read the index; segments that are damaged or vanish meanwhile are left out.

    Args:
        project: only segments of pushes into this project; None for all.
        cache: where this machine keeps segments of this store. They never change, so each
            is fetched once; what the store no longer has, or has merged, is removed there.
    Cost: one scan, and one read for each segment that is not in the cache, `_AT_ONCE` of
        them overlapping. Memory: at most `HELD_MAX_BYTES`; what is older than that is
        not looked at, and its chunks may be stored again.
    """
    kept = _kept_keys(cache)
    segments: list[IndexSegment] = []
    seen: set[str] = set()
    replaced: set[str] = set()
    held_bytes = 0
    # A merged segment is newer than those it stands for.
    pending = list(storage.scan(INDEX_PREFIX))
    while pending:
        wanted: list[KeyInfo] = []
        while pending and len(wanted) < _AT_ONCE:
            info = pending.pop()
            if info.key not in replaced and held_bytes + info.size_bytes <= HELD_MAX_BYTES:
                wanted.append(info)
                held_bytes += info.size_bytes
        for info, segment in _read(storage, cache, wanted, kept):
            seen.add(info.key)
            if segment is not None:
                replaced.update(segment.replaces)
            if segment is not None and project in (None, segment.project):
                segments.append(segment)
            else:
                held_bytes -= info.size_bytes
    if cache is not None:
        with suppress(ArtstoreError):
            cache.delete(sorted(key for key in kept if key not in seen or key in replaced))
    return IndexView(reversed(segments))


def remember_segment(cache: Storage, key: str, value: Value) -> None:
    """Keep a segment on this machine; one that cannot be kept is fetched again, no more."""
    with suppress(ArtstoreError):
        cache.create(key, value)


def _kept_keys(cache: Storage | None) -> set[str]:
    if cache is None:
        return set()
    try:
        return {info.key for info in cache.scan(INDEX_PREFIX)}
    except ArtstoreError:
        return set()


def _read(
    storage: Storage, cache: Storage | None, wanted: Sequence[KeyInfo], kept: set[str]
) -> Iterator[tuple[KeyInfo, IndexSegment | None]]:
    """The segments in the order asked; None for one that is damaged or gone."""
    found: dict[str, IndexSegment | None] = {}
    if cache is not None:
        for info in wanted:
            if info.key in kept:
                found[info.key] = _decode(cache, info.key)
    missing = [info for info in wanted if found.get(info.key) is None]
    for info, data in _read_all(storage, missing):
        try:
            found[info.key] = decode_index(data, key=info.key)
        except ArtstoreError:
            continue
        if cache is not None:
            remember_segment(cache, info.key, data)
    for info in wanted:
        yield info, found.get(info.key)


def _decode(cache: Storage, key: str) -> IndexSegment | None:
    try:
        return decode_index(cache.read(key), key=key)
    except ArtstoreError:
        with suppress(ArtstoreError):
            cache.delete([key])
        return None


def _read_all(storage: Storage, wanted: Sequence[KeyInfo]) -> Iterator[tuple[KeyInfo, bytes]]:
    """What can be read of these, in order; an error ends nothing but its own read."""
    rest = list(wanted)
    while rest:
        answers = storage.read_many([(info.key, Span(0, info.size_bytes)) for info in rest])
        done = 0
        try:
            for data in answers:
                done += 1
                yield rest[done - 1], bytes(data)
        except ArtstoreError:
            # This one is damaged or gone; on with those behind it.
            done += 1
        rest = rest[done:]

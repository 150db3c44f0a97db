"""
Which objects of a run nothing needs: decided from its log and from what lies beside it. Pure.

Runs are no roots and share nothing, so no plan is needed: what no entry can come to name again
is deleted at once (docs/format/run.md, section 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from artstore.catalog.runs.format import SegmentName, parse_segment_name
from artstore.catalog.runs.mediapaths import MEDIA_FOLDER
from artstore.catalog.runs.state import Whole
from artstore.catalog.runs.survey import RunKeys, stated_segments
from artstore.storage.protocol import KeyInfo

__all__ = ["dead_segments", "is_recent", "may_hold_garbage", "sessions_of", "swept_objects"]

_Part = tuple[str, str]


def _segments_in(run: RunKeys) -> Iterator[tuple[KeyInfo, SegmentName]]:
    """The segments that lie there, named or not."""
    for key, info in run.objects.items():
        name = parse_segment_name(key[len(run.prefix) :])
        if name is not None:
            yield info, name


def is_recent(run: RunKeys, n: int, quiet_since: float) -> bool:
    """Whether entry n was written later than that; one that came after the scan was."""
    return n not in run.entries or run.entries[n].modified_seconds > quiet_since


def may_hold_garbage(run: RunKeys, quiet_since: float) -> bool:
    """Whether reading the log could show a dead segment: one is old, and another is behind it."""
    last = _highest(name for _, name in _segments_in(run))
    return any(
        name.number < last[name.kind, name.session]
        for info, name in _segments_in(run)
        if info.modified_seconds <= quiet_since
    )


def dead_segments(
    run: RunKeys, states: Iterable[tuple[int, Whole]], quiet_since: float
) -> list[KeyInfo]:
    """
    Segments that no entry names, nor comes to name.

    Args:
        states: number of each entry and the state after it, all of them in order.
        quiet_since: seconds since 1970 by the clock of the storage. What was named later, or
            written later, stays.
    """
    named: set[str] = set()
    last: Whole | None = None
    for n, whole in states:
        if last is not None and is_recent(run, n, quiet_since):
            named |= _named(last)
        last = whole
    if last is None:
        return []
    named |= _named(last)
    highest = _highest(_own_names(run.prefix, _named(last)))
    return [
        info
        for info, name in _segments_in(run)
        if info.key not in named
        and info.modified_seconds <= quiet_since
        and name.number < highest.get((name.kind, name.session), 0)
    ]


def swept_objects(run: RunKeys, whole: Whole, quiet_since: float) -> list[KeyInfo]:
    """What goes of a deleted run: all that its sessions wrote, and what steps logged."""
    sessions = sessions_of(whole)
    segments = [info for info, name in _segments_in(run) if name.session in sessions]
    media = run.prefix + MEDIA_FOLDER
    return [
        *segments,
        *(
            info
            for info in run.objects.values()
            if info.key.startswith(media) and info.modified_seconds <= quiet_since
        ),
    ]


def sessions_of(whole: Whole) -> set[str]:
    """The sessions that the log of a run tells of, swept or not."""
    return {str(one["id"]) for one in whole["sessions"]}.union(whole["swept"])


def _named(whole: Whole) -> set[str]:
    return {stated["key"] for _, stated in stated_segments(whole)}


def _own_names(prefix: str, keys: Iterable[str]) -> Iterable[SegmentName]:
    for key in keys:
        if key.startswith(prefix):
            name = parse_segment_name(key[len(prefix) :])
            if name is not None:
                yield name


def _highest(names: Iterable[SegmentName]) -> dict[_Part, int]:
    found: dict[_Part, int] = {}
    for name in names:
        part = name.kind, name.session
        found[part] = max(name.number, found.get(part, 0))
    return found

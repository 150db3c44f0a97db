"""
Which objects of a run nothing needs: decided from its log and from what lies beside it. Pure.

Runs are no roots and share nothing, so no plan is needed: what no entry can come to name again
is deleted at once (docs/format/run.md, section 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.catalog.runs.format import RUN_OBJECTS, SegmentName, parse_segment_name
from artstore.catalog.runs.state import Whole
from artstore.storage.protocol import KeyInfo

__all__ = ["RunListing", "dead_segments", "may_hold_garbage", "sessions_of", "swept_objects"]

_MEDIA: Final = "media/"
_Part = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RunListing:
    """
    What lies below the prefix of one run.

    Attributes:
        prefix: `runs/<project>/<run id>/`, escaped.
        written: when each entry of its log was written, by number.
        objects: all else, in the order of keys.
    """

    prefix: str
    written: Mapping[int, float]
    objects: Sequence[KeyInfo]

    def is_recent(self, n: int, quiet_since: float) -> bool:
        """Whether entry n was written later than that; one that came after the scan was."""
        return n not in self.written or self.written[n] > quiet_since

    @classmethod
    def of(cls, prefix: str, infos: Iterable[KeyInfo]) -> RunListing:
        """From a scan of the prefix."""
        written: dict[int, float] = {}
        objects = []
        for info in infos:
            name = info.key[len(prefix) :]
            if name.isdecimal():
                written[int(name)] = info.modified_seconds
            elif name.partition("/")[0] in RUN_OBJECTS:
                objects.append(info)
        return cls(prefix, written, objects)

    def segments(self) -> Iterable[tuple[KeyInfo, SegmentName]]:
        """The segments among the objects."""
        for info in self.objects:
            name = parse_segment_name(info.key[len(self.prefix) :])
            if name is not None:
                yield info, name


def may_hold_garbage(listing: RunListing, quiet_since: float) -> bool:
    """Whether reading the log could show a dead segment: one is old, and another is behind it."""
    last = _highest(name for _, name in listing.segments())
    return any(
        name.number < last[name.kind, name.session]
        for info, name in listing.segments()
        if info.modified_seconds <= quiet_since
    )


def dead_segments(
    listing: RunListing, states: Iterable[tuple[int, Whole]], quiet_since: float
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
        if last is not None and listing.is_recent(n, quiet_since):
            named |= _named(last)
        last = whole
    if last is None:
        return []
    named |= _named(last)
    highest = _highest(_own_names(listing.prefix, _named(last)))
    return [
        info
        for info, name in listing.segments()
        if info.key not in named
        and info.modified_seconds <= quiet_since
        and name.number < highest.get((name.kind, name.session), 0)
    ]


def swept_objects(listing: RunListing, whole: Whole, quiet_since: float) -> list[KeyInfo]:
    """What goes of a deleted run: all that its sessions wrote, and what steps logged."""
    sessions = sessions_of(whole)
    segments = [info for info, name in listing.segments() if name.session in sessions]
    media = listing.prefix + _MEDIA
    return [
        *segments,
        *(
            info
            for info in listing.objects
            if info.key.startswith(media) and info.modified_seconds <= quiet_since
        ),
    ]


def sessions_of(whole: Whole) -> set[str]:
    """The sessions that the log of a run tells of, swept or not."""
    return {str(one["id"]) for one in whole["sessions"]}.union(whole["swept"])


def _named(whole: Whole) -> set[str]:
    return {
        str(segment["key"])
        for by_session in _members(whole["segments"])
        for segments in _members(by_session)
        for segment in (segments if type(segments) is list else ())
        if type(segment) is dict and "key" in segment
    }


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else ()


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

"""
Putting lost entries of a log back: which ones they are, and what proves them. Pure, no I/O.

Entries are chained: entry n+1 states the digest of entry n. So the lost ones are
found from the top down, each by the digest that the one above it states, however
many there are in a row. Only the newest entries have nothing above them: they
must be sealed, continue the sound entry below, and be the same wherever they are
found.

An entry that fits its neighbours is never touched, whatever it holds: garbage
that was chained over is part of the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from artstore import canonical, sealed
from artstore.catalog.format import NO_DIGEST, RawEntry
from artstore.errors import DamagedDataError

__all__ = ["Candidate", "LogRepair", "MendedEntry", "mend_log"]


class Candidate(NamedTuple):
    """
    Bytes that may be the lost entry n, and where they were found.

    Attributes:
        is_of_store: found in this store, in its replica here or in a copy with
            the same id; others may only give what a digest proves.
        is_remembered: this machine has seen it in the store: enough to put back
            entries that the store shows no trace of.
    """

    raw: RawEntry
    source: str
    is_of_store: bool = False
    is_remembered: bool = False


@dataclass(frozen=True, slots=True)
class MendedEntry:
    """
    An entry to be put back.

    Attributes:
        is_proven: the entry above states its digest. If not, all sources agree on
            it, and it continues the entry below.
    """

    raw: RawEntry
    source: str
    is_proven: bool


@dataclass(frozen=True, slots=True)
class LogRepair:
    """What can be put back, and why the other lost entries cannot."""

    mended: dict[int, MendedEntry]
    lost: dict[int, str]


class _Link(NamedTuple):
    is_sealed: bool
    previous: bytes | None


_NO_LINK = _Link(is_sealed=False, previous=None)
_NOWHERE = "no source has it"
_DISAGREE = "the sources hold different entries of that number, and nothing tells which is right"
_UNPROVEN = "the entries around it do not fit those of any source"


def mend_log(
    own: Mapping[int, RawEntry], find: Callable[[int], Iterable[Candidate]], remembered_n: int
) -> LogRepair:
    """
    Find what is lost of a log and what may be put back.

    Args:
        own: the entries that the store holds.
        find: all that is known of a number; called for lost ones only.
        remembered_n: the newest entry that this machine has seen, -1 for none.
    """
    return _Mending(own, find).run(remembered_n)


class _Mending:
    def __init__(
        self, own: Mapping[int, RawEntry], find: Callable[[int], Iterable[Candidate]]
    ) -> None:
        self._own = own
        self._find = find
        self._links = {n: link_of(raw) for n, raw in own.items()}
        self._digests: dict[int, bytes] = {-1: NO_DIGEST}
        """Of entries that stay, and of those put back."""
        self._mended: dict[int, MendedEntry] = {}
        self._lost: dict[int, str] = {}

    def run(self, remembered_n: int) -> LogRepair:
        top = max(self._own, default=-1)
        above: bytes | None = None
        unanchored = []
        for n in range(top, -1, -1):
            link = self._settle(n, above)
            if link is None:
                unanchored.append(n)
            above = link.previous if link is not None else None
        # What has nothing above it is put back from below.
        for n in reversed(unanchored):
            self._continue(n, remembered_only=False)
        for n in range(top + 1, remembered_n + 1):
            self._continue(n, remembered_only=True)
        return LogRepair(self._mended, self._lost)

    def _settle(self, n: int, above: bytes | None) -> _Link | None:
        """What entry n is once its digest is known to be `above`; None where only n-1 can tell."""
        raw, link = self._own.get(n), self._links.get(n, _NO_LINK)
        if raw is not None and above == raw.digest:
            return self._keep(raw, link)
        if raw is not None and link.is_sealed:
            return self._settle_sealed(raw, link, above)
        if above is None:
            return None
        return self._put_back(n, above) or self._give_up(n, _NOWHERE)

    def _settle_sealed(self, raw: RawEntry, link: _Link, above: bytes | None) -> _Link | None:
        below, below_link = self._own.get(raw.n - 1), self._links.get(raw.n - 1, _NO_LINK)
        below_digest = NO_DIGEST if raw.n == 0 else below.digest if below else None
        is_below_sound = raw.n == 0 or below_link.is_sealed
        if link.previous in (None, below_digest) or not is_below_sound:
            # It continues what is below, or shows what should be: sound, whatever stands above.
            return self._keep(raw, link)
        # An entry of another log, perhaps, that was moved here: it fits nowhere. It gives way
        # only to one that fits on both sides.
        for candidate in self._find(raw.n):
            found = link_of(candidate.raw)
            fits_above = above == candidate.raw.digest if above else candidate.is_of_store
            if found.is_sealed and found.previous == below_digest and fits_above:
                return self._take(candidate, is_proven=above is not None)
        return self._keep(raw, link)

    def _put_back(self, n: int, digest: bytes) -> _Link | None:
        for candidate in self._find(n):
            if candidate.raw.digest == digest and candidate.raw.data is not None:
                return self._take(candidate, is_proven=True)
        return None

    def _continue(self, n: int, *, remembered_only: bool) -> None:
        below = self._digests.get(n - 1)
        if below is None:
            self._give_up(n, _UNPROVEN)
            return
        found: dict[bytes, Candidate] = {}
        is_there = False
        for candidate in self._find(n):
            link = link_of(candidate.raw)
            if not link.is_sealed or not candidate.is_of_store:
                continue
            is_there = True
            if link.previous == below and (candidate.is_remembered or not remembered_only):
                found.setdefault(candidate.raw.digest, candidate)
        remembered = [c for c in found.values() if c.is_remembered]
        chosen = remembered or list(found.values())
        if len(chosen) == 1:
            self._take(chosen[0], is_proven=False)
        elif chosen:
            self._give_up(n, _DISAGREE)
        else:
            self._give_up(n, _UNPROVEN if is_there else _NOWHERE)

    def _keep(self, raw: RawEntry, link: _Link) -> _Link:
        self._digests[raw.n] = raw.digest
        return link

    def _take(self, candidate: Candidate, *, is_proven: bool) -> _Link:
        raw = candidate.raw
        self._mended[raw.n] = MendedEntry(raw, candidate.source, is_proven)
        self._digests[raw.n] = raw.digest
        return link_of(raw)

    def _give_up(self, n: int, reason: str) -> _Link:
        self._lost[n] = reason
        return _NO_LINK


def link_of(raw: RawEntry) -> _Link:
    """Whether these are bytes that a writer wrote as entry n, and what they continue."""
    if raw.data is None:
        return _NO_LINK
    try:
        value = canonical.decode(raw.data, what=f"log entry {raw.n}")
    except DamagedDataError:
        return _NO_LINK
    if not sealed.is_sealed(raw.data, value) or value.get("n") != raw.n:
        return _NO_LINK
    previous = value.get("prev")
    try:
        return _Link(is_sealed=True, previous=bytes.fromhex(previous))
    except (TypeError, ValueError):
        # Of another format: nothing is known of it but that it is whole.
        return _Link(is_sealed=True, previous=None)

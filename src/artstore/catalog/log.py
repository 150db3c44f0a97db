"""
One numbered log through storage: list what is new, read it, append to it.

`collections/**` and `upkeep/` are such logs. What their entries mean is decided
elsewhere; here are numbers, raw bytes and lost answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from artstore import clock, digest, limits, sealed
from artstore.catalog import rollups
from artstore.catalog.format import NO_DIGEST, RawEntry, entry_key, parse_entry_key
from artstore.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    UnavailableError,
)
from artstore.storage.bounded import read_at_most
from artstore.storage.protocol import KeyInfo, Span, Storage

__all__ = [
    "START",
    "Head",
    "Tail",
    "append",
    "append_or_read",
    "digest_at",
    "entries_after",
    "listed_entries",
    "read_all",
    "read_one",
    "read_tail",
]

_COLD_COUNT: Final = 2 * rollups.FAN_OUT
"""A log with fewer entries is read without looking for rollups."""
_GAP_TRIED_COUNT: Final = 64
"""Entries that a scan left out are asked for one by one; a hostile number far above is not."""
_APPEND_WAIT_SECONDS: Final = 60.0
"""NFS shows a taken key as missing for about that long (L3)."""
_APPEND_ATTEMPT_COUNT: Final = 12
_READ_AGAIN_COUNT: Final = 4


@dataclass(frozen=True, slots=True)
class Head:
    """
    The last entry known of a log.

    `modified_seconds` is what the storage told of it; None if it was never listed.
    """

    n: int
    digest: bytes
    size_bytes: int
    modified_seconds: float | None = None


START: Final = Head(-1, NO_DIGEST, 0)
"""The head of a log of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Tail:
    """
    What a log holds after a known entry; `entries` has a gap where numbers are missing.

    `fate` tells what became of the known entry: "there", "missing" or "replaced".
    """

    entries: list[RawEntry]
    fate: str
    modified_seconds: float | None


def read_tail(storage: Storage, prefix: str, head: Head) -> Tail:
    """
    The entries after `head`, which must not be START.

    The scan starts before the known entry: it then shows that the entry still
    is there, or that the store was rolled back (C1).

    Cost: one scan; one batch of reads if there is something new.
    """
    assert head.n >= 0
    listed = list(listed_entries(storage, prefix, head.n - 1))
    if listed and listed[0][0] == head.n:
        _, info = listed.pop(0)
        fate = "there"
    else:
        # A scan may lag (L7): only the entry itself tells that it is gone.
        try:
            info = storage.stat(entry_key(prefix, head.n))
            fate = "there"
        except NotFoundError:
            return Tail(_read(storage, prefix, listed, head.n + 1), "missing", None)
    same_time = head.modified_seconds in (None, info.modified_seconds)
    if info.size_bytes != head.size_bytes or not same_time:
        found = digest_at(storage, prefix, head.n)
        fate = "there" if found == head.digest else "replaced"
    # The newest entry that was listed is the next head; its time is worth keeping.
    modified = (listed[-1][1] if listed else info).modified_seconds
    return Tail(_read(storage, prefix, listed, head.n + 1), fate, modified)


def read_all(
    storage: Storage, prefix: str, *, with_rollups: bool = True
) -> tuple[list[RawEntry], int, float | None]:
    """
    Every entry of a log.

    Returns:
        the entries; how many of them, from 0 on, come from rollups and must be
        checked by their chain; the time of the newest as storage told it.
    Cost: one scan and one batch of reads; three scans for a long log with rollups.
    """
    listing = listed_entries(storage, prefix, -1)
    listed = list(islice(listing, _COLD_COUNT))
    if with_rollups and len(listed) == _COLD_COUNT:
        rolled = rollups.read_rolled(storage, prefix)
        if rolled:
            last = rolled[-1]
            tail = list(listed_entries(storage, prefix, last.n - 1))
            entries = _read(storage, prefix, tail, last.n)
            # The chain proves the rolled entries to whoever has the last of
            # them from the log itself; a false rollup cannot reach that digest.
            if entries and (entries[0].n, entries[0].digest) == (last.n, last.digest):
                return rolled + entries[1:], len(rolled), tail[-1][1].modified_seconds
    listed.extend(listing)
    modified = listed[-1][1].modified_seconds if listed else None
    return _read(storage, prefix, listed, 0), 0, modified


def read_one(storage: Storage, prefix: str, n: int) -> RawEntry | None:
    """Entry n as it lies there, None if it does not."""
    key = entry_key(prefix, n)
    try:
        # No more than an entry may have: whoever may write may have put a huge value here (X3).
        data = read_at_most(storage, key, limits.ENTRY_MAX_BYTES)
        if data is not None:
            return RawEntry.of(n, _confirmed(storage, key, data))
        size = storage.stat(key).size_bytes
        return RawEntry(n, None, _digest_of_large(storage, key, size), size)
    except NotFoundError:
        return None


def digest_at(storage: Storage, prefix: str, n: int) -> bytes | None:
    """The digest of the raw bytes of entry n, None if there is none."""
    raw = read_one(storage, prefix, n)
    return None if raw is None else raw.digest


def append(storage: Storage, prefix: str, n: int, data: bytes) -> RawEntry | None:
    """
    Try to make `data` entry n: None if it is ours, or the entry of whoever was first.

    Raises and cost: as `append_or_read`.
    """
    entries = append_or_read(storage, prefix, n, data)
    return entries[0] if entries else None


def append_or_read(storage: Storage, prefix: str, n: int, data: bytes) -> list[RawEntry]:
    """
    Try to make `data` entry n, or learn what came instead.

    An answer that got lost looks like a conflict (C5): "exists" is followed by
    a look at what is there. The write id inside makes every attempt's bytes
    unlike all others, so equal bytes are ours.

    Returns:
        nothing if entry n is ours; else all entries from n on, as read just now:
        who took only the one that was first would come too late for the next,
        again and again, while those who won go on (C12).
    Raises:
        UnavailableError: `commit-unknown`, the storage does not tell which.
        ConflictError: `commit-contended`, the key is neither there nor free.
        StorageError: refused; nothing was written.
    Cost: one create; a lost race costs a scan and a batch of reads.
    """
    key = entry_key(prefix, n)
    unanswered: UnavailableError | None = None
    for attempt in range(_APPEND_ATTEMPT_COUNT):
        if attempt:
            share = 2.0 ** (attempt - _APPEND_ATTEMPT_COUNT + 1)
            clock.sleep(_APPEND_WAIT_SECONDS * share * (0.5 + clock.random_fraction() / 2))
        try:
            storage.create(key, data)
            return []
        except AlreadyExistsError:
            unanswered = None
        except UnavailableError as error:
            unanswered = error
        try:
            found = _read_from(storage, prefix, n)
        except UnavailableError as error:
            unanswered = error
            continue
        if found:
            return [] if found[0].data == data else found
        # Not there: the create is tried again with the same bytes. Should the
        # first one still be on its way, one of the two wins and both are ours.
    if unanswered is not None:
        raise UnavailableError(
            f"the storage did not answer whether {key} was written: {unanswered}",
            code="commit-unknown",
            hint="run the same command again: it finds what was written and repeats nothing",
            key=key,
        ) from unanswered
    raise ConflictError(
        f"{key} is reported as taken, but nothing is there",
        code="commit-contended",
        hint="on a network disk wait a minute and run the same command again",
        key=key,
    )


def entries_after(storage: Storage, prefix: str, n: int) -> list[RawEntry]:
    """
    The entries behind entry n, as they lie there.

    Cost: one scan; one batch of reads if there are any.
    """
    return _read(storage, prefix, listed_entries(storage, prefix, n), n + 1)


def _read_from(storage: Storage, prefix: str, n: int) -> list[RawEntry]:
    """Entry n and those after it; nothing if n is not there."""
    listed = list(listed_entries(storage, prefix, n - 1))
    if listed and listed[0][0] == n:
        entries = _read(storage, prefix, listed, n)
        if entries and entries[0].n == n:
            return entries
    # A scan may lag (L7).
    first = read_one(storage, prefix, n)
    return [] if first is None else [first]


def listed_entries(storage: Storage, prefix: str, after: int = -1) -> Iterator[tuple[int, KeyInfo]]:
    """Number, size and time of each entry behind `after`, as the storage lists them."""
    # Twelve digits start with 0 for ever; the prefix keeps rollups and drafts out of the scan.
    start = entry_key(prefix, after) if after >= 0 else ""
    for info in storage.scan(f"{prefix}0", after=start):
        n = parse_entry_key(prefix, info.key)
        if n is not None:
            yield n, info


def _read(
    storage: Storage, prefix: str, listed: Iterable[tuple[int, KeyInfo]], expected: int
) -> list[RawEntry]:
    sizes: list[tuple[int, int]] = []
    gaps: list[RawEntry] = []
    for n, info in listed:
        if n > expected:
            gaps.extend(_try_gap(storage, prefix, expected, n))
        sizes.append((n, info.size_bytes))
        expected = n + 1
    entries = [*gaps, *_read_sized(storage, prefix, sizes)]
    if gaps:
        entries.sort(key=lambda raw: raw.n)
    return entries


def _try_gap(storage: Storage, prefix: str, first: int, end: int) -> Iterator[RawEntry]:
    for n in range(first, end if end - first <= _GAP_TRIED_COUNT else first + 1):
        raw = read_one(storage, prefix, n)
        if raw is not None:
            yield raw


def _read_sized(storage: Storage, prefix: str, sizes: list[tuple[int, int]]) -> Iterator[RawEntry]:
    small = [n for n, size in sizes if size <= limits.ENTRY_MAX_BYTES]
    wanted = [(entry_key(prefix, n), None) for n in small]
    try:
        values = [bytes(value) for value in storage.read_many(wanted)] if wanted else []
    except NotFoundError:
        # One was taken away between scan and read: the others are still wanted.
        for n, _ in sizes:
            raw = read_one(storage, prefix, n)
            if raw is not None:
                yield raw
        return
    by_number = dict(zip(small, values, strict=True))
    for n, size in sizes:
        key = entry_key(prefix, n)
        if n in by_number:
            yield RawEntry.of(n, _confirmed(storage, key, by_number[n]))
        else:
            yield RawEntry(n, None, _digest_of_large(storage, key, size), size)


def _confirmed(storage: Storage, key: str, data: bytes) -> bytes:
    """
    The bytes of an entry, `data` if they are whole; others are believed when read twice.

    A bit that flipped on its way here is no damage in the store, and nothing tells
    the two apart but another look. It matters: the next entry is chained over these
    bytes, and over false ones it would be void to everybody else, though its writer
    was told that it is there.

    Raises:
        UnavailableError: `storage-unavailable`, each look shows something else.
    """
    if sealed.has_seal(data):
        return data
    for _ in range(_READ_AGAIN_COUNT):
        try:
            before, data = data, storage.read(key)
        except NotFoundError:
            return data
        if data == before or sealed.has_seal(data):
            return data
    raise UnavailableError(
        f"{key} in {storage.url} reads differently each time",
        code="storage-unavailable",
        hint="something between here and the storage changes bytes: memory, network, a proxy",
        key=key,
    )


def _digest_of_large(storage: Storage, key: str, size: int) -> bytes:
    hasher = digest.Hasher()
    for offset in range(0, size, limits.READ_WINDOW_BYTES):
        length = min(limits.READ_WINDOW_BYTES, size - offset)
        hasher.update(storage.read(key, Span(offset, length)))
    return hasher.digest()

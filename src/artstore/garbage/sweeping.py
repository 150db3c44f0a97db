"""
Sweep: a fence in every log, a look at what came to be needed since the plan, then the deletes.

Every step may be repeated by anybody from any machine: fences stand once, the first record of
a sweep counts, deletes of what is gone are no errors. No key is ever made twice, so a sweeper
that slept through the end of its plan deletes nothing more
(docs/explanation/garbage-collection.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from artstore import clock
from artstore.catalog.fences import PushStart
from artstore.catalog.format import (
    COLLECTION_KINDS,
    LogEntry,
    RawEntry,
    VoidEntry,
    collection_prefix,
    decode_entry,
)
from artstore.catalog.log import digest_at, entries_after
from artstore.catalog.requests import FenceRequest
from artstore.catalog.state import CollectionState
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, Plan
from artstore.errors import DamagedDataError
from artstore.garbage.ending import end_lost, end_plan, lost_list, report_of
from artstore.garbage.listing import is_deletable
from artstore.garbage.planning import GarbageWork, write_lines
from artstore.garbage.records import SweepReport
from artstore.garbage.roots import (
    Roots,
    RootVersion,
    all_logs,
    check_sound,
    find_roots,
    no_log,
    over_logs,
)
from artstore.garbage.sparing import Condemned, spared_keys
from artstore.garbage.storetime import ripe_time, store_now
from artstore.storage.bounded import is_stored

__all__ = ["ripe_at", "sweep"]

_INLINE_KEYS_COUNT: Final = 1000
_DELETED_AT_ONCE: Final = 10_000
_HEAD: Final = re.compile(r"([0-9]{1,12}) ([0-9a-f]{64}) (.+)")


def ripe_at(work: GarbageWork, plan: Plan) -> float:
    """When the deletes of a plan may begin, by the store's clock. Cost: one stat."""
    return ripe_time(work.storage, plan, work.settings.grace_seconds)


def sweep(work: GarbageWork, k: int) -> SweepReport | None:
    """
    Carry out plan k, which must be ripe.

    Returns:
        None if somebody else ended it meanwhile. A report that says `held` if it stays open.
    Raises:
        DamagedDataError, UnsupportedFormatError, StateError, StorageError: something cannot
            be read: nothing is deleted then, unless the record of the sweep stands already.
    Cost: a scan and an entry for each collection; the lists of versions made since the plan,
        of all versions if another machine made it; a delete request for 1,000 keys.
    """
    upkeep = work.upkeep
    plan = upkeep.refresh().plans[k]
    lost = lost_list(upkeep, k)
    if lost is not None:
        return end_lost(work, plan, lost)
    work.tell("fence")
    heads = _heads(work, plan)
    since = None if heads is None else _fence(work, plan, heads)
    if since is None:
        # What the plan was made from is not what is here: a restored copy. It ends undone.
        return end_plan(work, plan, reason="other-history")
    condemned = frozenset(filter(is_deletable, upkeep.condemned(k)))
    work.tell("look")
    roots = _unproven_roots(work, plan)
    needed = _needed(work, condemned, since, roots)
    if not _record(work, plan, needed):
        return None
    recorded = upkeep.spared(upkeep.refresh().sweeps[k])
    # Whatever a record says, what is seen to be needed stays.
    spared = condemned & (needed | recorded)
    work.tell("delete")
    deleted = _delete(work, condemned - spared)
    if roots is not None and spared - recorded:
        until = _held_until(work, condemned, since, roots, spared - recorded)
        if until is not None:
            told = report_of(work, plan, deleted=deleted, spared=len(spared), reason="held")
            return replace(told, held_until=clock.format_time(until))
    return end_plan(work, plan, deleted=deleted, spared=len(spared))


def _unproven_roots(work: GarbageWork, plan: Plan) -> Roots | None:
    """
    All versions, for a plan that this machine did not make.

    Of a plan of its own only what came since it is looked at. One of another machine is
    proven as if somebody had made it up who may write and must not delete: all versions are
    read, and chunks that it says were moved are compared with their digests.
    """
    digest = digest_at(work.storage, UPKEEP_PREFIX, plan.k)
    if work.own_plans is not None and work.own_plans.has(digest):
        return None
    return find_roots(
        work.storage,
        work.catalog,
        now_seconds=store_now(work.storage),
        restore_window_seconds=work.settings.restore_window_seconds,
        upkeep_head_n=work.upkeep.refresh().head_n,
        honours_purges=work.settings.honours_purges,
    )


def _needed(
    work: GarbageWork, condemned: frozenset[str], since: _Since, roots: Roots | None
) -> frozenset[str]:
    """What of a plan must stay."""
    versions = since.touched
    if roots is not None:
        versions += (*roots.live, *roots.restorable)
    dead = Condemned(condemned, condemned & since.purged_roots)
    return spared_keys(work.storage, work.packs, dead, versions, is_proven=roots is None)


def _held_until(
    work: GarbageWork,
    condemned: frozenset[str],
    since: _Since,
    roots: Roots,
    kept: frozenset[str],
) -> float | None:
    """
    Until when a plan stays open, because the record of its sweep gives up what is kept here.

    Who wrote that record may have a shorter restore window, and sleep between two deletes. Were
    the plan done, a version that was deleted before the fence could be restored, and would lose
    its content when the other one wakes up. What anything else needs no honest machine
    deletes: there the record is false, and nobody goes by it.
    """

    def is_given_up(one: RootVersion) -> bool:
        return one.deleted_n < since.fences.get((one.project, one.name), -1)

    given_up = {one.label: one for one in roots.restorable if is_given_up(one)}
    if not given_up:
        return None
    others = [
        one for one in (*since.touched, *roots.live, *roots.restorable) if one.label not in given_up
    ]

    def needed(versions: Iterable[RootVersion]) -> frozenset[str]:
        dead = Condemned(condemned)
        return spared_keys(work.storage, work.packs, dead, versions, is_proven=False)

    at_risk = kept & needed(given_up.values()) - needed(others)
    if not any(is_stored(work.storage, key) for key in sorted(at_risk)):
        return None
    last = max(one.deleted_seconds for one in given_up.values())
    return last + work.settings.restore_window_seconds


# --- Fences -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Head:
    n: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Since:
    """
    What the logs say since a plan.

    Attributes:
        touched: versions that an entry made, restored or described, live by now or not.
        purged_roots: of all versions that are to be gone for good.
        fences: by project and collection, the number of the plan's fence.
    """

    touched: tuple[RootVersion, ...] = ()
    purged_roots: frozenset[str] = frozenset()
    fences: Mapping[tuple[str, str], int] = field(default_factory=dict)


def _heads(work: GarbageWork, plan: Plan) -> dict[str, _Head] | None:
    """Up to where each log was known to the plan, by prefix; None if that is not told."""
    if plan.heads_in is None:
        return None
    heads = {}
    for line in work.upkeep.heads(plan):
        match = _HEAD.fullmatch(line)
        if match is None:
            return None
        heads[match[3]] = _Head(int(match[1]), bytes.fromhex(match[2]))
    return heads


def _fence(work: GarbageWork, plan: Plan, heads: dict[str, _Head]) -> _Since | None:
    """
    Put the fence into every log.

    Returns:
        what they say since the plan; None if one is not the log that the plan knew.
    """
    is_recorded = plan.k in work.upkeep.refresh().sweeps

    def fence(log: tuple[str, str]) -> _Since | None:
        head = heads.get(collection_prefix(*log))
        return _fence_one(work, plan, head, *log, is_recorded=is_recorded)

    logs = all_logs(work.storage, work.catalog)
    if not heads.keys() <= {collection_prefix(*log) for log in logs}:
        return None
    found: list[_Since] = []
    for one in over_logs(work.storage, fence, logs):
        if one is None:
            return None
        found.append(one)
    return _Since(
        tuple(version for one in found for version in one.touched),
        frozenset().union(*(one.purged_roots for one in found)),
        {log: n for one in found for log, n in one.fences.items()},
    )


def _fence_one(
    work: GarbageWork, plan: Plan, head: _Head | None, project: str, name: str, *, is_recorded: bool
) -> _Since | None:
    catalog = work.catalog
    state = catalog.damaged_state(project, name)
    if (state.project, state.name) != (project, name):
        return _Since()  # it lies elsewhere and takes no versions here
    check_sound(state)
    if state.head_n < 0:
        raise no_log(work.storage, project, name)
    known_n = -1 if head is None else head.n
    prefix = collection_prefix(project, name)
    if head is not None and not _is_same(work, state, head, prefix):
        return None
    fenced = any(one.plan == plan.k and one.n > known_n for one in state.fences)
    if is_recorded and head is not None and not fenced:
        # What was spared stands already: a fence that is missing now was lost with a copy.
        return None
    request = FenceRequest(plan.k, after=known_n)
    committed = catalog.commit(project, name, request, start=PushStart(state.head_n))
    state = committed.state
    check_sound(state)
    purged = frozenset(
        version.root
        for version in state.versions.values()
        if version.deleted and version.deleted.is_purged
    )
    fence = min(one.n for one in state.fences if one.plan == plan.k and one.n > known_n)
    fences = {(state.project, state.name): fence}
    if state.head_n == known_n + 1:
        return _Since(purged_roots=purged, fences=fences)
    entries = entries_after(work.storage, prefix, known_n)
    honours = work.settings.honours_purges
    return _Since(tuple(_touched(state, entries, honours_purges=honours)), purged, fences)


def _is_same(work: GarbageWork, state: CollectionState, head: _Head, prefix: str) -> bool:
    if state.head_n == head.n:
        return state.head_digest == head.digest
    return state.head_n > head.n and digest_at(work.storage, prefix, head.n) == head.digest


def _touched(
    state: CollectionState, raws: Iterable[RawEntry], *, honours_purges: bool
) -> Iterator[RootVersion]:
    for raw in raws:
        entry = decode_entry(raw.data or b"", raw.n, None, COLLECTION_KINDS)
        if isinstance(entry, VoidEntry) and entry.is_damaged:
            raise DamagedDataError(
                f"entry {raw.n} of the log of {state.qualified_name} is damaged",
                code="log-entry-damaged",
                n=raw.n,
            )
        if not isinstance(entry, LogEntry):
            continue
        if entry.kind in {"publish", "link", "restore"}:
            version = state.versions.get(entry.fields["version"])
            if version is None:
                continue
            if honours_purges and version.deleted and version.deleted.is_purged:
                continue
            roots = [version.root]
            if version.meta is not None:
                roots.append(version.meta)
        elif entry.kind == "describe":
            roots = [entry.fields["meta"]]
        else:
            continue
        number = entry.fields["version"]
        yield RootVersion(state.project, state.name, number, tuple(roots))


# --- Record and deletes ---------------------------------------------------------------


def _record(work: GarbageWork, plan: Plan, needed: frozenset[str]) -> bool:
    """Write down what is spared, unless that stands. False if the plan is done already."""
    upkeep = work.upkeep
    state = upkeep.refresh()
    if plan.k not in state.sweeps and plan.k not in state.done:
        spared = sorted(needed)
        fields: dict[str, object] = {"plan": plan.k, "spared": spared}
        if len(spared) > _INLINE_KEYS_COUNT:
            listed = write_lines(work.storage, spared)
            fields = {
                "plan": plan.k,
                "spared": [],
                "spared_in": list(listed),
                "list_digests": list(listed.values()),
            }
        while plan.k not in state.sweeps and plan.k not in state.done:
            upkeep.append_at(state.head_n + 1, ("sweep", fields), work.author)
            state = upkeep.refresh()
    return plan.k not in state.done


def _delete(work: GarbageWork, keys: frozenset[str]) -> int:
    # Roots first: a version of which a part is gone must not look whole. Lists of the log of
    # gc last: a sweep that is interrupted reads them again.
    ranks = {"manifests": 0, "upkeep": 2}
    ordered = sorted(keys)
    for rank in range(3):
        part = [key for key in ordered if ranks.get(key.partition("/")[0], 1) == rank]
        for start in range(0, len(part), _DELETED_AT_ONCE):
            work.storage.delete(part[start : start + _DELETED_AT_ONCE])
    return len(ordered)

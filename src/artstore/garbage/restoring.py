"""
Until when deleted versions can be restored, and which plan of gc is open: what people are told.

Nothing here decides what goes, or writes anything: a restore and a sweep look for themselves.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import clock, limits
from artstore.catalog.format import (
    UPKEEP_KINDS,
    LogEntry,
    RawEntry,
    collection_prefix,
    decode_entry,
    entry_key,
)
from artstore.catalog.log import listed_entries
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, Plan
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError
from artstore.garbage.settings import GarbageSettings
from artstore.garbage.storetime import ripe_time
from artstore.storage.bounded import read_at_most

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artstore.catalog.state import CollectionState, VersionState
    from artstore.storage.protocol import Storage

__all__ = [
    "OpenPlan",
    "RecentPlans",
    "SweptPlan",
    "condemned_here",
    "open_plan",
    "recent_plans",
    "restorable_until",
]

_END_COUNT: Final = 8
"""A plan, its sweep and its end are three entries, and one plan is open at a time."""


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """
    A plan of gc whose deletes are to come.

    Attributes:
        number: of its entry in gc's log; made `by` somebody at `time`.
        key_count: how many values it names; None where they are too many for its entry.
        sweep_after: when `art gc` without options carries it out, by the store's clock.
    """

    number: int
    time: str
    by: str
    key_count: int | None
    sweep_after: str


@dataclass(frozen=True, slots=True)
class SweptPlan:
    """A plan that was carried out: when its deletes began, and who began them."""

    number: int
    time: str
    by: str


class RecentPlans(NamedTuple):
    """The plan that is open, if one is, and the last one that was carried out to its end."""

    open: Plan | None
    swept: SweptPlan | None


def recent_plans(storage: Storage) -> RecentPlans:
    """
    What the end of gc's log says: for people, never to decide by.

    Raises:
        DamagedDataError: `log-entry-damaged`.
    Cost: one scan and one batch of reads, however long the log is.
    """
    found = RecentPlans(None, None)
    sweeps: dict[int, SweptPlan] = {}
    for entry in _last_entries(storage):
        k = entry.fields.get("plan", entry.n)
        if entry.kind == "plan":
            found = found._replace(open=_plan(entry))
        elif entry.kind == "sweep":
            sweeps.setdefault(k, SweptPlan(k, entry.time, entry.by))
        elif entry.kind == "done":
            is_open = found.open is not None and found.open.k != k
            found = RecentPlans(found.open if is_open else None, sweeps.get(k, found.swept))
    return found


def _last_entries(storage: Storage) -> list[LogEntry]:
    listed = deque(listed_entries(storage, UPKEEP_PREFIX), maxlen=_END_COUNT)
    if any(info.size_bytes > limits.ENTRY_MAX_BYTES for _, info in listed):
        raise _damaged("an entry is too large")
    entries: list[LogEntry] = []
    previous: bytes | None = None
    values = storage.read_many([(info.key, None) for _, info in listed])
    for (n, _), value in zip(listed, values, strict=True):
        data = bytes(value)
        entry = decode_entry(data, n, previous, UPKEEP_KINDS)
        previous = RawEntry.of(n, data).digest
        if isinstance(entry, LogEntry):
            entries.append(entry)
        elif getattr(entry, "is_damaged", True):
            raise _damaged(f"entry {n} is not what was written, or not known")
    return entries


def _plan(entry: LogEntry) -> Plan:
    fields: dict[str, Any] = dict(entry.fields)
    return Plan(
        k=entry.n,
        condemned=tuple(fields["condemned"]),
        condemned_in=tuple(fields["condemned_in"]),
        time=entry.time,
        by=entry.by,
        grace_seconds=fields.get("grace_seconds"),
    )


def _damaged(why: str) -> DamagedDataError:
    return DamagedDataError(
        f"the log of gc is damaged: {why}",
        code="log-entry-damaged",
        hint="`art check` shows what is missing",
    )


def condemned_here(storage: Storage, state: CollectionState) -> dict[int, frozenset[str]]:
    """
    What the open plan condemns, if its fence stands in a log.

    Cost: if any fence does, as `recent_plans`; the lists of that plan are read.
    """
    fenced = {fence.plan for fence in state.fences}
    try:
        plan = recent_plans(storage).open if fenced else None
        if plan is None or plan.k not in fenced:
            return {}
        lists = (read_at_most(storage, key, limits.ROOT_MAX_BYTES) for key in plan.condemned_in)
        lines = (part.decode("ascii", "replace").splitlines() for part in lists if part is not None)
        return {plan.k: frozenset(plan.condemned).union(*lines)}
    except ArtstoreError:
        # What is wrong with gc's log hears who restores something.
        return {}


def restorable_until(
    storage: Storage,
    state: CollectionState,
    version: VersionState,
    condemned: Mapping[int, frozenset[str]],
) -> str | None:
    """
    Until when a deleted version can be restored if gc runs without options.

    After that moment it can be restored until gc comes by.

    Args:
        state: of the collection, with `version` in it.
        condemned: of `condemned_here`.
    Returns:
        a moment by the clock of the store, maybe long over, `2026-01-31T12:00:00Z`; None if
        nothing brings the version back: it was purged, or gc took what it held, or is about to.
    Cost: one stat; two where gc came by since the deletion.
    """
    gone = version.deleted
    if gone is None or gone.is_purged:
        return None
    behind = {fence.plan for fence in state.fences if fence.n > gone.n}
    if any(version.root in condemned.get(k, ()) for k in behind):
        return None
    try:
        if behind:
            # A sweep takes the list before anything else that only this version needs.
            storage.stat(version.root)
        key = entry_key(collection_prefix(state.project, state.name), gone.n)
        deleted_seconds = storage.stat(key).modified_seconds
    except NotFoundError:
        # Taken; or the log has a hole there, and nobody writes to it.
        return None
    return clock.format_time(deleted_seconds + GarbageSettings().restore_window_seconds)


def open_plan(storage: Storage, plan: Plan) -> OpenPlan:
    """What is told of a plan that is open. Cost: one stat."""
    until = ripe_time(storage, plan, GarbageSettings().grace_seconds)
    count = None if plan.condemned_in else len(plan.condemned)
    return OpenPlan(plan.k, plan.time, plan.by, count, clock.format_time(until))

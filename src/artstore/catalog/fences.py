"""
The log of gc as writers see it, and the check that keeps a push off what gc is about to delete.

gc plans in `upkeep/`, then appends a fence to every collection log before it
deletes. Log numbers are dense, so whoever wins number n has read every fence
below n: comparing with the plans of those fences is the whole check
(docs/format/upkeep.md; the model is tests/stateful/test_protocol_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore import limits, names
from artstore.catalog.follow import FollowedLog
from artstore.catalog.format import (
    NO_DIGEST,
    UPKEEP_KINDS,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    decode_entry,
    entry_key,
)
from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState, LogWarning
from artstore.errors import (
    ConflictError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.storage.bounded import read_at_most
from artstore.storage.protocol import Storage

__all__ = [
    "UPKEEP_PREFIX",
    "ContentCheck",
    "ContentUse",
    "Plan",
    "PushStart",
    "UpkeepLog",
    "UpkeepState",
    "check_restorable",
]

UPKEEP_PREFIX: Final = "upkeep/"
_NO_KEYS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan k: the keys it condemns, and the keys of values that list more of them."""

    k: int
    condemned: tuple[str, ...]
    condemned_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpkeepState:
    """The fold of `upkeep/`. A plan is open until its `done` entry."""

    head_n: int = -1
    plans: Mapping[int, Plan] = field(default_factory=dict)
    done: frozenset[int] = frozenset()

    @property
    def open_plans(self) -> tuple[int, ...]:
        """Plans whose deletes may still come."""
        return tuple(k for k in self.plans if k not in self.done)


@dataclass(frozen=True, slots=True)
class PushStart:
    """
    What a push knew when it began (PROTOCOL section 1, step 1).

    Args:
        head_n: the last entry of the collection's log then, -1 if it had none.
        upkeep: the log of gc then; None if it was not read, which is right for
            a push that relies on its own collection only.
    """

    head_n: int = -1
    upkeep: UpkeepState | None = None


@dataclass(frozen=True, slots=True)
class ContentUse:
    """
    The keys a push needs, by where it knows them from.

    Args:
        own: written by this very push.
        from_versions: relied on because a live version of this collection names them.
        relied: relied on for any other reason: versions of other collections, the index.
        unproven: those of `relied` that only the index or the journal of an
            earlier attempt names: each is looked for in the storage.
    """

    own: frozenset[str] = _NO_KEYS
    from_versions: Mapping[int, frozenset[str]] = field(default_factory=dict)
    relied: frozenset[str] = _NO_KEYS
    unproven: frozenset[str] = _NO_KEYS


# --- The log of gc ---------------------------------------------------------------


class _UpkeepFold:
    # What is damaged here stops writers at once, newest or not.
    has_damaged_tail = False

    def __init__(self) -> None:
        self.head_n = -1
        self.is_damaged = False
        self._digest: bytes | None = NO_DIGEST
        self._plans: dict[int, Plan] = {}
        self._done: set[int] = set()
        self._refusal: Callable[[], Exception] | None = None

    def apply(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        entry: LogEntry | VoidEntry | UnknownEntry
        if raw.data is None:
            entry = VoidEntry(raw.n, "is too large", is_damaged=True)
        else:
            entry = decode_entry(raw.data, raw.n, self._digest, UPKEEP_KINDS)
        if isinstance(entry, LogEntry) and not self._take(entry):
            entry = VoidEntry(raw.n, "makes no sense here")
        if isinstance(entry, UnknownEntry) and entry.must_understand:
            self._refuse_unknown(entry)
        if isinstance(entry, VoidEntry) and entry.is_damaged:
            # It may have been a plan (G5).
            self.mark_damage(
                LogWarning("log-entry-damaged", raw.n, f"entry {raw.n} is not what was written")
            )
        self.head_n, self._digest = raw.n, raw.digest
        return entry

    def _take(self, entry: LogEntry) -> bool:
        fields = entry.fields
        if entry.kind == "plan":
            if fields["k"] != entry.n:
                return False
            self._plans[entry.n] = Plan(
                entry.n, tuple(fields["condemned"]), tuple(fields["condemned_in"])
            )
        elif entry.kind == "done":
            if fields["plan"] not in self._plans:
                return False
            self._done.add(fields["plan"])
        return True

    def skip_hole(self, first: int, last: int) -> None:
        self.mark_damage(LogWarning("log-hole", first, f"entries {first} to {last} are missing"))
        self.head_n, self._digest = last, None

    def mark_damage(self, warning: LogWarning) -> None:
        self.is_damaged = True
        self._refusal = self._refusal or (
            lambda: DamagedDataError(
                f"the log of gc is damaged: {warning.message}",
                code=warning.code,
                hint="`art check` shows what is missing",
                key=entry_key(UPKEEP_PREFIX, warning.n),
            )
        )

    def _refuse_unknown(self, entry: UnknownEntry) -> None:
        self._refusal = self._refusal or (
            lambda: UnsupportedFormatError(
                f"entry {entry.n} of the log of gc is {entry.kind!r}, "
                "which this release does not know; it may be about to delete what a push needs",
                code="entry-kind-unknown",
                hint="install a newer artstore",
            )
        )

    def state(self) -> UpkeepState:
        # Fail closed (G5): a plan that cannot be read may condemn anything.
        if self._refusal is not None:
            raise self._refusal()
        return UpkeepState(self.head_n, dict(self._plans), frozenset(self._done))


class UpkeepLog:
    """
    `upkeep/`, read for the sake of writers. Safe to use from several threads.
    """

    def __init__(self, storage: Storage, replica: Replica | None, store_id: str) -> None:
        self._storage = storage
        self._log = FollowedLog(storage, replica, store_id, UPKEEP_PREFIX, _UpkeepFold)
        self._condemned: dict[int, frozenset[str]] = {}

    def refresh(self) -> UpkeepState:
        """
        The log as it is now.

        Raises:
            DamagedDataError: `log-hole`, `log-rolled-back`, `log-entry-damaged`.
            UnsupportedFormatError: `entry-kind-unknown`.
        Cost: one scan, and one batch of reads if gc ran since.
        """
        with self._log.lock:
            self._log.refresh()
            return self._log.fold.state()

    def condemned(self, k: int) -> frozenset[str]:
        """
        The keys that plan k condemns.

        Raises:
            ConflictError: `plan-unreadable`, there is no such plan, or what it
                refers to is gone: the push must begin again.
        """
        with self._log.lock:
            found = self._condemned.get(k)
            if found is None:
                found = self._condemned[k] = self._read_plan(k)
            return found

    def _read_plan(self, k: int) -> frozenset[str]:
        plan = self._log.fold.state().plans.get(k) or self.refresh().plans.get(k)
        if plan is None:
            raise _unreadable(k, "there is no such plan")
        return frozenset(plan.condemned).union(*map(self._listed, plan.condemned_in))

    def _listed(self, key: str) -> frozenset[str]:
        try:
            data = read_at_most(self._storage, key, limits.ROOT_MAX_BYTES)
            if data is None:
                raise _unreadable(key, f"it has more than {limits.ROOT_MAX_BYTES} bytes")
            lines = data.decode("ascii").splitlines()
            return frozenset(names.check_key(line) for line in lines)
        except (NotFoundError, UnicodeDecodeError, InvalidInputError) as error:
            raise _unreadable(key, str(error)) from error


def _unreadable(what: Any, why: str) -> ConflictError:
    return ConflictError(
        f"plan {what} of gc cannot be read: {why}; what it deletes is not known",
        code="plan-unreadable",
        hint="run the same command again",
    )


# --- The check of a push -----------------------------------------------------------


class ContentCheck:
    """
    Step 4 of a push, for one commit: `check` is called with every state that n-1 may be.

    Args:
        start: what the push knew when it began; None if that is not known,
            which costs a look for every key.
    """

    def __init__(
        self, storage: Storage, upkeep: UpkeepLog, start: PushStart | None, use: ContentUse
    ) -> None:
        self._storage = storage
        self._upkeep = upkeep
        self._start = start or PushStart()
        self._use = use
        self._has_looked = False
        self._damaged_count = 0
        self._done: frozenset[int] = frozenset()
        self._plans_to_fear: frozenset[int] = frozenset()

    def check(self, state: CollectionState) -> None:
        """
        Refuse to commit after `state` if what the push needs may be gone.

        Raises:
            ConflictError: `content-condemned` or `content-vanished`, with
                `keys`; `plan-unreadable`.
        Cost: nothing for a push that relies on its own collection, without a
            fence since it began; else one scan of `upkeep/` and a stat per unproven key.
        """
        use = self._use
        orphaned = frozenset[str]().union(
            *(
                keys
                for number, keys in use.from_versions.items()
                if number not in state.versions or not state.versions[number].is_live
            )
        )
        foreign = use.relied | use.unproven | orphaned
        every = use.own | foreign
        if not every:
            return
        if not self._has_looked or len(state.damaged) > self._damaged_count:
            self._damaged_count = len(state.damaged)
            self._look(every, foreign)
        # What the collection names itself needs no check: live at n-1 means live
        # at the fence, or committed without anything condemned (invariant I6).
        for fence in state.fences:
            keys = foreign if fence.n <= self._start.head_n else every
            self._check_plan(fence.plan, keys)
        for plan in self._plans_to_fear:
            self._check_plan(plan, every)

    def _look(self, every: frozenset[str], foreign: frozenset[str]) -> None:
        """What is asked once, and for each damaged entry: after n-1 is known, before the create."""
        self._has_looked = True
        unproven = self._use.unproven
        if self._start.upkeep is not None:
            self._done = self._start.upkeep.done
            # Step 2: never on what was condemned already when the push began.
            for plan in self._start.upkeep.open_plans:
                self._check_plan(plan, foreign)
        # A fence that cannot be read is that of any plan (G5).
        is_unfenced = self._start.head_n < 0 or self._damaged_count > 0
        if is_unfenced or (foreign and self._start.upkeep is None):
            now = self._upkeep.refresh()
            if self._start.upkeep is None and now.plans:
                # A plan done before a key was seen to be there will not delete it any more.
                self._done = now.done
                unproven = every
            if is_unfenced:
                # C9: gc may have listed the logs before this one began, and then
                # no fence will come: its plans count as if they stood here.
                self._plans_to_fear = frozenset(now.plans)
            for plan in now.open_plans:
                self._check_plan(plan, foreign)
        missing = _missing(self._storage, unproven)
        if missing:
            raise _refused("content-vanished", missing, "is gone from the store")

    def _check_plan(self, plan: int, keys: frozenset[str]) -> None:
        if plan in self._done or not keys:
            return
        hit = keys & self._upkeep.condemned(plan)
        if hit:
            raise _refused("content-condemned", hit, f"is about to be deleted by plan {plan} of gc")


def check_restorable(
    storage: Storage, upkeep: UpkeepLog, plans: Iterable[int], keys: frozenset[str]
) -> None:
    """
    Refuse to restore a version whose content gc may have deleted (C6).

    Args:
        plans: the plans of the fences between the tombstone and n.
        keys: everything the version references.
    Raises:
        ConflictError: `content-condemned`, `content-vanished`, `plan-unreadable`.
    """
    # The log of gc first: a plan done before a key was seen will not delete it.
    done = upkeep.refresh().done
    for plan in plans:
        if plan not in done and (hit := keys & upkeep.condemned(plan)):
            raise _refused("content-condemned", hit, f"is about to be deleted by plan {plan} of gc")
    if missing := _missing(storage, keys):
        raise _refused("content-vanished", missing, "was deleted by gc")


def _missing(storage: Storage, keys: frozenset[str]) -> frozenset[str]:
    missing = set()
    for key in sorted(keys):
        try:
            storage.stat(key)
        except NotFoundError:
            missing.add(key)
    return frozenset(missing)


def _refused(code: str, keys: frozenset[str], why: str) -> ConflictError:
    shown = sorted(keys)
    more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
    return ConflictError(
        f"content that the version needs {why}: {shown[0]}{more}",
        code=code,
        hint="run the same command again: it stores what is missing",
        keys=shown,
    )

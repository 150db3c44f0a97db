"""
The check that keeps a push off what gc is about to delete.

gc plans in `upkeep/`, then appends a fence to every collection log before it
deletes. Log numbers are dense, so whoever wins number n has read every fence
below n: comparing with the plans of those fences is the whole check
(docs/format/upkeep.md; the model is tests/stateful/test_protocol_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError, ConflictError, DamagedDataError
from artstore.packs.locator import pack_id_of_key, pack_key
from artstore.storage.bounded import is_stored
from artstore.storage.protocol import Storage

if TYPE_CHECKING:
    from artstore.catalog.upkeeplog import UpkeepLog, UpkeepState

__all__ = [
    "ContentCheck",
    "ContentUse",
    "PushStart",
    "check_restorable",
]

_NO_KEYS: Final[frozenset[str]] = frozenset()
_GONE: Final = frozenset(["content-swept", "manifest-missing", "pack-missing"])
"""What reading the list of files of a version says where gc has deleted it."""


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
        chunks: of packs among these keys, the ordinals that are needed. Without them
            a pack that was repacked counts as gone, whatever of it was moved.
    """

    own: frozenset[str] = _NO_KEYS
    from_versions: Mapping[int, frozenset[str]] = field(default_factory=dict)
    relied: frozenset[str] = _NO_KEYS
    unproven: frozenset[str] = _NO_KEYS
    chunks: Mapping[bytes, Iterable[int]] = field(default_factory=dict)


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
        self._proven_orphans = _NO_KEYS
        # Packs that are gone or about to go, all of whose needed chunks were found elsewhere.
        self._gone = _NO_KEYS

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
        if not orphaned <= self._proven_orphans:
            self._prove_orphans(orphaned)
        # What the collection names itself needs no check: live at n-1 means live
        # at the fence, or committed without anything condemned (invariant I6).
        keys_by_plan = dict.fromkeys(self._plans_to_fear, every)
        for fence in state.fences:
            if fence.n > self._start.head_n:
                keys_by_plan[fence.plan] = every
            else:
                keys_by_plan.setdefault(fence.plan, foreign)
        # In their order: what is found elsewhere after one may be condemned there by the next.
        for plan in sorted(keys_by_plan):
            self._check_plan(plan, keys_by_plan[plan])

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
        self._prove(unproven)

    def _prove_orphans(self, orphaned: frozenset[str]) -> None:
        """
        Look for what the collection does not name any more.

        Its version was deleted since the log was read, and a plan may have come and gone between
        that and the look at the log of gc, which then was done before the push knew of any.
        """
        for plan in self._upkeep.refresh().open_plans:
            self._check_plan(plan, orphaned)
        self._prove(orphaned)
        self._proven_orphans = orphaned

    def _prove(self, keys: frozenset[str]) -> None:
        absent = _absent(self._storage, keys)
        moved = _moved(self._storage, absent, self._use.chunks, _NO_KEYS)
        if missing := absent - moved:
            raise _refused("content-vanished", missing, "is gone from the store")
        self._gone |= moved

    def _check_plan(self, plan: int, keys: frozenset[str]) -> None:
        if plan in self._done or not keys:
            return
        condemned = self._upkeep.condemned(plan)
        hit, moved = _condemned(self._storage, keys, condemned, self._use.chunks, self._gone)
        self._gone |= moved
        if hit:
            raise _refused("content-condemned", hit, f"is about to be deleted by plan {plan} of gc")


def check_restorable(
    storage: Storage,
    upkeep: UpkeepLog,
    plans: Iterable[int],
    content_of: Callable[[], ContentUse],
) -> None:
    """
    Refuse to restore a version whose content gc may have deleted (C6).

    Args:
        plans: the plans of the fences between the tombstone and n.
        content_of: everything the version references, as `relied`.
    Raises:
        ConflictError: `content-condemned`, `content-vanished`, `plan-unreadable`.
    """
    # The log of gc first: a plan done before a key was seen will not delete it.
    done = upkeep.refresh().done
    try:
        use = content_of()
    except ArtstoreError as error:
        if error.code not in _GONE:
            raise
        gone = frozenset([str(error.context["key"])])
        raise _refused("content-vanished", gone, "was deleted by gc") from error
    absent = _absent(storage, use.relied)
    moved = _moved(storage, absent, use.chunks, _NO_KEYS)
    for plan in sorted(plans):
        if plan in done:
            continue
        condemned = upkeep.condemned(plan)
        hit, found = _condemned(storage, use.relied, condemned, use.chunks, moved)
        moved |= found
        if hit:
            raise _refused("content-condemned", hit, f"is about to be deleted by plan {plan} of gc")
    if missing := absent - moved:
        raise _refused("content-vanished", missing, "was deleted by gc")


def _condemned(
    storage: Storage,
    keys: frozenset[str],
    condemned: frozenset[str],
    chunks: Mapping[bytes, Iterable[int]],
    gone: frozenset[str],
) -> tuple[frozenset[str], frozenset[str]]:
    """
    Those of the keys that a plan deletes, and packs of them whose needed chunks stay elsewhere.

    Args:
        gone: packs whose chunks lie elsewhere already. Where they came to lie may be condemned
            without their names: whoever moved them may have written that down after the
            plan was made.
    """
    hit = keys & (condemned | gone)
    # G6: a pack is condemned together with what moved its live chunks. Whatever else was
    # in it is lost; and a target that the plan condemns too is as good as gone.
    moved = _moved(storage, hit, chunks, condemned)
    return hit - moved, moved


def _absent(storage: Storage, keys: frozenset[str]) -> frozenset[str]:
    return frozenset(key for key in sorted(keys) if not is_stored(storage, key))


def _moved(
    storage: Storage,
    keys: frozenset[str],
    chunks: Mapping[bytes, Iterable[int]],
    condemned: frozenset[str],
) -> frozenset[str]:
    """Packs whose needed chunks all lie elsewhere, by records and in packs that stay."""
    if not keys:
        return _NO_KEYS
    from artstore.packs.movedpacks import MovedPacks

    needed = {pack: chunks[pack] for key in keys if (pack := _pack_of(key)) in chunks}
    if not needed:
        return _NO_KEYS

    def is_there(pack: bytes) -> bool:
        key = pack_key(pack)
        return key not in condemned and is_stored(storage, key)

    lost = MovedPacks(storage).uncovered(needed, is_there, without=condemned)
    return frozenset(pack_key(pack) for pack in needed if pack not in lost)


def _pack_of(key: str) -> bytes:
    """The pack of a key, no bytes if it is that of something else."""
    try:
        return pack_id_of_key(key) if key.startswith("packs/") else b""
    except DamagedDataError:
        return b""


def _refused(code: str, keys: frozenset[str], why: str) -> ConflictError:
    shown = sorted(keys)
    more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
    return ConflictError(
        f"content that the version needs {why}: {shown[0]}{more}",
        code=code,
        hint="run the same command again: it stores what is missing",
        keys=shown,
    )

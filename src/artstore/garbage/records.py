"""
What gc says of its work: plans and sweeps as data, for people and for programs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "CollectionGarbage",
    "GarbagePlan",
    "GarbageReport",
    "KindGarbage",
    "RunGarbage",
    "SweepReport",
]


@dataclass(frozen=True, slots=True)
class KindGarbage:
    """What goes of one kind of values: `packs`, `fragments`, `manifests`, `index`, ..."""

    kind: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CollectionGarbage:
    """
    Stored bytes that only deleted versions of one collection referenced.

    Attributes:
        versions: their numbers.
    """

    project: str
    name: str
    versions: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GarbagePlan:
    """
    What goes, or would go, and why.

    Attributes:
        number: of the entry in gc's log; None if none was written.
        reason: why none was written: `dry-run`, `nothing`, `too-little`; empty if it was.
        collections: dead bytes by the collection whose versions were deleted.
        unnamed_bytes: dead bytes that no deleted version names: of pushes that never ended,
            of packs that moved, of index segments that were merged.
        kinds: the values to be deleted.
        deleted_bytes: what all these take.
        repacked_packs, moved_bytes: packs of which what lives is copied first, and its bytes.
        freed_bytes: `deleted_bytes` without `moved_bytes`.
        young_bytes: named by nothing, and too young to go.
        restorable_bytes: held only by deleted versions that can still be restored.
        waste_bytes: dead bytes in packs that stay, since too little of them is dead.
        kept: packs that could not be repacked, and why.
        unknown_count: keys where content lies that no release of this format writes; they stay.
        sweep_after: when the deletes may begin, `2026-01-31T12:00:00Z`, by the store's clock.
    """

    number: int | None
    reason: str
    store_bytes: int
    live_bytes: int
    restorable_bytes: int
    young_bytes: int
    waste_bytes: int
    unnamed_bytes: int
    collections: tuple[CollectionGarbage, ...]
    kinds: tuple[KindGarbage, ...]
    repacked_packs: int
    moved_bytes: int
    kept: tuple[tuple[str, str], ...] = ()
    unknown_count: int = 0
    sweep_after: str | None = None

    @property
    def deleted_bytes(self) -> int:
        """What the values to be deleted take."""
        return sum(kind.size_bytes for kind in self.kinds)

    @property
    def freed_bytes(self) -> int:
        """By how much the store gets smaller."""
        return self.deleted_bytes - self.moved_bytes


@dataclass(frozen=True, slots=True)
class SweepReport:
    """
    What a sweep did.

    Attributes:
        plan: its number, `planned_by` and `planned` who made it and when.
        deleted_keys: values that were deleted, or were gone already.
        spared_keys: values that somebody came to reference since the plan: they stay.
        reason: why the plan was not carried out to its end. Given up without a delete:
            `list-lost`, a list that it names is lost; `other-history`, it was made from other
            logs than are here, so a copy was put back; `given-up`, somebody said so. `held`: it
            stays open, since another machine may still delete what can be restored here.
            Empty if it was.
        held_until: then, until when that can be restored, by the store's clock.
    """

    plan: int
    planned: str
    planned_by: str
    deleted_keys: int
    spared_keys: int
    reason: str = ""
    held_until: str | None = None


@dataclass(frozen=True, slots=True)
class RunGarbage:
    """
    What went, or would go, of runs.

    Attributes:
        deleted_runs: so many deleted runs lost their history and media.
        segments: so many segments of other runs, each of which was written anew.
        objects, size_bytes: of all of these together.
        kept: runs and projects that could not be looked at, and why.
    """

    deleted_runs: int = 0
    segments: int = 0
    objects: int = 0
    size_bytes: int = 0
    kept: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: RunGarbage) -> RunGarbage:
        return RunGarbage(
            self.deleted_runs + other.deleted_runs,
            self.segments + other.segments,
            self.objects + other.objects,
            self.size_bytes + other.size_bytes,
            self.kept + other.kept,
        )


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """
    What one run of gc did: it ends the open plan if that is ripe, then makes the next.

    Attributes:
        waiting: the number of an open plan whose deletes may not begin yet.
        waits_until: when they may, by the store's clock.
        temporary_bytes: of unfinished writes on a local disk that were removed.
        runs: what went of runs; None if they were not looked at.
    """

    swept: SweepReport | None = None
    plan: GarbagePlan | None = None
    waiting: int | None = None
    waits_until: str | None = None
    temporary_bytes: int = 0
    runs: RunGarbage | None = None

    def to_json(self) -> dict[str, Any]:
        """As `art gc --json` prints it (docs/reference/json.md)."""
        found = asdict(self)
        if self.plan is not None:
            found["plan"]["deleted_bytes"] = self.plan.deleted_bytes
            found["plan"]["freed_bytes"] = self.plan.freed_bytes
        return found

"""
Decide what goes: pure arithmetic on a survey, nothing is read but moved records.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from artstore.errors import DamagedDataError
from artstore.garbage.listing import ContentTable
from artstore.garbage.marks import Numbers
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.records import CollectionGarbage, GarbagePlan, KindGarbage
from artstore.garbage.settings import GarbageSettings
from artstore.garbage.survey import Survey
from artstore.packs.locator import pack_key
from artstore.packs.moved import parse_moved_key
from artstore.storage.protocol import KeyInfo

__all__ = ["Decision", "condemned_gone_packs", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What a plan made now would do.

    Attributes:
        dead: by kind of content, values that nothing references, old enough.
        repacked: packs of which what lives is to be copied, and that go then.
        others: records, index segments, lists and clocks that go.
        is_urgent: something is to be gone for good: a plan is worth it however little it is.
    """

    dead: dict[str, Numbers]
    repacked: Numbers
    others: tuple[KeyInfo, ...]
    is_urgent: bool
    young_bytes: int
    waste_bytes: int
    moved_bytes: int
    survey: Survey = field(repr=False)

    def tables(self) -> Iterable[tuple[ContentTable, Numbers]]:
        """The values of content that go, roots first."""
        for table in self.survey.listing.tables:
            yield table, self.dead[table.kind]
            if table.kind == "packs":
                yield table, self.repacked

    def content_keys(self) -> list[str]:
        """The keys of the content that goes."""
        return [table.key_of(n) for table, numbers in self.tables() for n in numbers.tolist()]

    def kinds(self) -> tuple[KindGarbage, ...]:
        """Counts and bytes of what goes, by kind."""
        found: dict[str, tuple[int, int]] = {}
        for table, numbers in self.tables():
            count, size = found.get(table.kind, (0, 0))
            size += int(self.survey.sizes_of(table, numbers).sum())
            found[table.kind] = count + len(numbers), size
        for info in self.others:
            kind = info.key.partition("/")[0]
            count, size = found.get(kind, (0, 0))
            found[kind] = count + 1, size + info.size_bytes
        return tuple(KindGarbage(kind, *told) for kind, told in found.items() if told[0])

    def is_worth_it(self, settings: GarbageSettings) -> bool:
        """Whether so much goes that a fence in every log is worth it (PROTOCOL G16)."""
        if settings.is_forced or self.is_urgent:
            return True
        freed = sum(kind.size_bytes for kind in self.kinds()) - self.moved_bytes
        least = max(
            self.survey.listing.total_bytes * settings.waste_share,
            len(self.survey.roots.heads) * settings.waste_bytes_a_log,
        )
        return freed >= least

    def to_plan(self, *, number: int | None = None, reason: str = "") -> GarbagePlan:
        """What is told of it."""
        survey = self.survey
        kinds = self.kinds()
        dead_bytes = sum(kind.size_bytes for kind in kinds) - self.moved_bytes
        versions: dict[tuple[str, str], list[int]] = {}
        for one in survey.left:
            versions.setdefault((one.project, one.name), []).append(one.version)
        collections = tuple(
            CollectionGarbage(*collection, tuple(versions[collection]), size_bytes)
            for collection, size_bytes in sorted(survey.dead_bytes.items())
        )
        named = sum(one.size_bytes for one in collections)
        return GarbagePlan(
            number=number,
            reason=reason,
            store_bytes=survey.listing.total_bytes,
            live_bytes=survey.live_bytes,
            restorable_bytes=survey.restorable_bytes,
            young_bytes=self.young_bytes,
            waste_bytes=self.waste_bytes,
            unnamed_bytes=max(0, dead_bytes - named),
            collections=collections,
            kinds=kinds,
            repacked_packs=len(self.repacked),
            moved_bytes=self.moved_bytes,
            unknown_count=survey.listing.unknown_count,
        )


def decide(survey: Survey, settings: GarbageSettings) -> Decision:
    """
    What of a store goes.

    Content goes if nothing references it and it is older than the grace; what was purged
    goes at whatever age. A pack goes with what lives in it, copied elsewhere first, if
    more than `repack_above` of it is dead, or if something purged is among it.
    """
    listing, grace = survey.listing, settings.grace_seconds
    dead = {}
    young_bytes = 0
    for table in listing.tables:
        unmarked = survey.unmarked(table)
        old = np.union1d(survey.is_old(table, unmarked, grace), _purged(survey, table, unmarked))
        dead[table.kind] = old
        young_bytes += int(survey.sizes_of(table, np.setdiff1d(unmarked, old)).sum())
    packs = listing.packs
    marked = survey.marked(packs)
    sizes = survey.sizes_of(packs, marked)
    dead_share = survey.dead_bytes_of(marked) / np.maximum(sizes, 1)
    sparse = survey.is_old(packs, marked[dead_share > settings.repack_above], grace)
    purged_packs = np.array(survey.purged_packs(), np.int64)
    forced = np.intersect1d(purged_packs, marked)
    repacked = np.union1d(sparse, forced).astype(np.int64)
    moved_bytes = int(survey.marks.chunks.marked_bytes[repacked].sum())
    stay = np.setdiff1d(marked, repacked)
    waste = survey.dead_bytes_of(stay)
    others = _dead_records(survey)
    if len(repacked) or any(map(len, dead.values())) or others:
        # What gc itself wrote goes along: it is not worth a plan.
        others += [*listing.lists, *listing.clocks]
    return Decision(
        dead=dead,
        repacked=repacked,
        others=tuple(
            info for info in others if info.modified_seconds <= survey.now_seconds - grace
        ),
        is_urgent=bool(len(purged_packs)) or _holds_purged_list(survey),
        young_bytes=young_bytes,
        waste_bytes=int(waste.sum()),
        moved_bytes=moved_bytes,
        survey=survey,
    )


def condemned_gone_packs(moved: MovedMap, condemned: frozenset[str]) -> list[str]:
    """
    Keys of packs that are long gone, of which a plan deletes what their chunks were moved to.

    They are condemned too: a writer that relies on such a pack, by the list of a version of
    another collection, compares that very key with the plan.

    Raises:
        DamagedDataError: `moved-damaged`.
    Cost: reads all moved records.
    """
    found = []
    for pack in moved.gone_packs():
        packs, keys = moved.trail(pack)
        if not condemned.isdisjoint(keys) or not condemned.isdisjoint(map(pack_key, packs)):
            found.append(pack_key(pack))
    return found


def _holds_purged_list(survey: Survey) -> bool:
    roots = survey.unmarked(survey.listing.manifests)
    return len(_purged(survey, survey.listing.manifests, roots)) > 0


def _purged(survey: Survey, table: ContentTable, unmarked: Numbers) -> Numbers:
    """Those of `unmarked` that a purged version referenced."""
    purged = survey.purged
    if table is survey.listing.packs:
        return unmarked[purged.chunks.is_marked()[unmarked]]
    marks = purged.manifests if table is survey.listing.manifests else purged.fragments
    return unmarked[np.frombuffer(marks, np.bool_)[unmarked]]


def _dead_records(survey: Survey) -> list[KeyInfo]:
    """Moved records of packs that nothing names any more, or that are there after all."""
    found = []
    named = survey.moved.passed(survey.marks.gone_packs)
    for info in survey.listing.moved:
        try:
            pack, _ = parse_moved_key(info.key)
        except DamagedDataError:
            continue  # no key of ours: it stays
        if survey.moved.is_there(pack) or pack not in named:
            found.append(info)
    return found

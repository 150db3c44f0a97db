"""
Plan: copy what lives out of packs that are mostly dead, then write down what is to be deleted.

The number of a plan is fixed before anything is read: gc's log ends at m, and the plan is
entry m+1 or there is none. So nothing was deleted between the beginning of its mark and it
(docs/explanation/garbage-collection.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore import clock, limits
from artstore.catalog.catalog import Catalog
from artstore.catalog.format import collection_prefix
from artstore.catalog.upkeeplog import CONDEMNED_PREFIX, UpkeepLog
from artstore.digest import digest_of
from artstore.garbage.deciding import Decision, condemned_gone_packs, decide
from artstore.garbage.indexrenewal import IndexSurvey, renew_index
from artstore.garbage.ownplans import OwnPlans
from artstore.garbage.records import GarbagePlan
from artstore.garbage.repacking import Repacked, repack
from artstore.garbage.settings import GarbageSettings
from artstore.garbage.storetime import store_now
from artstore.garbage.survey import Survey, take_survey
from artstore.packs.locator import PUSH_ID_BYTES, pack_key
from artstore.packs.moved import MovedRecord, moved_name
from artstore.packs.reader import PackReader
from artstore.storage.protocol import KeyInfo, Storage
from artstore.transfer.progress import OnProgress, Progress, ProgressMeter

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex

__all__ = ["GarbageWork", "make_plan", "preview_plan", "write_lines"]

_INLINE_KEYS_COUNT: Final = 1000
"""So many keys stand in the entry itself: 120 kB, one request less for who reads it."""
_VALUE_BYTES: Final = 16 * limits.MIB


@dataclass(frozen=True, slots=True)
class GarbageWork:
    """
    What gc works with.

    Attributes:
        packs: a reader of its own, which has not read anything yet.
        author: `user@host`, written into entries.
        sweep_temporary: removes unfinished writes of some age, where the storage has any.
        own_plans: which plans are of this machine.
        runs: what this machine knows of runs; None to leave them alone.
    """

    storage: Storage
    catalog: Catalog
    packs: PackReader
    author: str
    settings: GarbageSettings
    on_progress: OnProgress | None = None
    sweep_temporary: Callable[[float], int] | None = None
    own_plans: OwnPlans | None = None
    runs: RunIndex | None = None

    @property
    def upkeep(self) -> UpkeepLog:
        """Gc's log."""
        return self.catalog.upkeep

    def tell(self, stage: str) -> None:
        """What is done next."""
        if self.on_progress is not None:
            self.on_progress(Progress(stage, 0, None, 0, None))


def preview_plan(work: GarbageWork, as_purged: tuple[str, str, int] | None = None) -> GarbagePlan:
    """
    What a plan made now would do. Writes nothing, so "now" is by the clock of this machine.

    Args:
        as_purged: project, collection and number of a version that is taken for purged.
    Raises and cost: as `take_survey`.
    """
    survey = _survey(work, work.upkeep.refresh().head_n, clock.now_seconds(), as_purged)
    return decide(survey, work.settings).to_plan(reason="dry-run")


def make_plan(
    work: GarbageWork, head_n: int, as_purged: tuple[str, str, int] | None = None
) -> GarbagePlan | None:
    """
    Make the plan that follows entry `head_n` of gc's log, if one is worth it.

    Args:
        as_purged: as of `preview_plan`.
    Returns:
        None if somebody else wrote an entry meanwhile: all is to be looked at anew.
    Raises:
        as `take_survey`; as `repack`.
    Cost: as `take_survey`; what is repacked is read and written once; one entry.
    """
    now_seconds = store_now(work.storage)
    survey = _survey(work, head_n, now_seconds, as_purged)
    decision = decide(survey, work.settings)
    if not decision.kinds():
        return decision.to_plan(reason="nothing")
    if not decision.is_worth_it(work.settings):
        return decision.to_plan(reason="too-little")
    if work.upkeep.refresh().head_n != head_n:
        return None
    look = IndexSurvey(work.storage)
    moved = _repack(work, decision, look, int(now_seconds))
    decision = _without_left(decision, moved)
    replaced = _renew_index(work, decision, look, moved)
    decision = replace(decision, others=(*decision.others, *replaced))
    body = _body(work, decision)
    if not work.upkeep.append_at(head_n + 1, ("plan", {"k": head_n + 1, **body}), work.author):
        return None
    if work.own_plans is not None:
        work.own_plans.remember(work.upkeep.head_digest)
    plan = decision.to_plan(number=head_n + 1)
    kept = tuple((pack_key(one.pack), one.reason) for one in moved.left)
    ripe = store_now(work.storage) + work.settings.grace_seconds
    return replace(plan, kept=kept, sweep_after=clock.format_time(ripe))


def _survey(
    work: GarbageWork,
    head_n: int,
    now_seconds: float,
    as_purged: tuple[str, str, int] | None = None,
) -> Survey:
    return take_survey(
        work.storage,
        work.catalog,
        work.packs,
        work.settings,
        now_seconds=now_seconds,
        upkeep_head_n=head_n,
        as_purged=as_purged,
        on_stage=work.tell,
    )


def _repack(
    work: GarbageWork, decision: Decision, look: IndexSurvey, store_seconds: int
) -> Repacked:
    listing, survey = decision.survey.listing, decision.survey
    packs = [listing.packs.id_of(number) for number in decision.repacked.tolist()]
    if packs:
        work.tell("repack")
        look.refresh()
    projects = look.projects()
    leading = _records_by_target(survey) if packs else {}
    repack_id = clock.random_bytes(PUSH_ID_BYTES)
    meter = ProgressMeter("repack", work.on_progress, total_files=len(packs))

    def live_ordinals(pack: bytes) -> list[int]:
        number = listing.packs.find(pack)
        assert number is not None
        return survey.marks.chunks.ordinals(number)

    return repack(
        work.storage,
        work.packs,
        packs,
        live_ordinals,
        repack_id=repack_id,
        moved_name=moved_name(store_seconds, repack_id),
        project_of=projects.get,
        earlier=lambda pack: leading.get(pack, ()),
        bytes_per_second=work.settings.bytes_per_second,
        on_progress=meter.add,
    )


def _without_left(decision: Decision, moved: Repacked) -> Decision:
    """Packs that could not be repacked stay, and so do lists of purged versions that name them."""
    survey = decision.survey
    packs = survey.listing.packs
    done = packs.find_many(moved.packs) if moved.packs else np.zeros(0, np.int64)
    dead = decision.dead
    if {packs.find(one.pack) for one in moved.left} & set(survey.purged_packs()):
        # Nothing else would lead the next plan to what must be gone.
        lists = np.flatnonzero(np.frombuffer(survey.purged.manifests, np.bool_))
        dead = {**dead, "manifests": np.setdiff1d(dead["manifests"], lists)}
    return replace(decision, dead=dead, repacked=np.sort(done), moved_bytes=moved.live_bytes)


def _renew_index(
    work: GarbageWork, decision: Decision, look: IndexSurvey, moved: Repacked
) -> list[KeyInfo]:
    """Index segments that name what goes are written anew; those that go for it."""
    packs = decision.survey.listing.packs
    numbers = (*decision.dead["packs"].tolist(), *decision.repacked.tolist())
    going = {packs.id_of(number) for number in numbers}.union(decision.survey.moved.gone_packs())
    if not going:
        return []
    renewed = renew_index(work.storage, work.packs, going.__contains__, moved.new_packs, look)
    # Whatever a segment replaces is not looked at any more: garbage at once.
    return [info for info in decision.survey.listing.index if info.key in renewed.replaced]


def _records_by_target(survey: Survey) -> dict[bytes, list[MovedRecord]]:
    """The records of packs that are gone and still named, by the packs they lead to."""
    found: dict[bytes, list[MovedRecord]] = {}
    named = survey.moved.passed(survey.marks.gone_packs)
    for records in survey.moved.records_of(named).values():
        for record in records:
            if isinstance(record, MovedRecord):
                for target in record.targets:
                    found.setdefault(target, []).append(record)
    return found


def _body(work: GarbageWork, decision: Decision) -> dict[str, Any]:
    """The fields of the entry, after all values that it names are written."""
    keys = decision.content_keys() + [info.key for info in decision.others]
    keys += condemned_gone_packs(decision.survey.moved, frozenset(keys))
    heads = (
        f"{head.n} {head.digest.hex()} {collection_prefix(head.project, head.name)}"
        for head in decision.survey.roots.heads
    )
    listed = {}
    if len(keys) > _INLINE_KEYS_COUNT:
        listed, keys = write_lines(work.storage, keys), []
    known = write_lines(work.storage, heads)
    return {
        "condemned": keys,
        "condemned_in": list(listed),
        "heads_in": list(known),
        "list_digests": [*listed.values(), *known.values()],
        "grace_seconds": int(work.settings.grace_seconds),
    }


def write_lines(storage: Storage, lines: Iterable[str]) -> dict[str, str]:
    """
    Store lines of text in values that an entry may name.

    Returns:
        digests in hex by key, at least one.
    """
    digests: dict[str, str] = {}

    def store(part: list[str]) -> None:
        key = f"{CONDEMNED_PREFIX}{clock.random_bytes(8).hex()}"
        data = "".join(part).encode("ascii")
        storage.create(key, data)
        digests[key] = digest_of(data).hex()

    part: list[str] = []
    size_bytes = 0
    for line in lines:
        part.append(f"{line}\n")
        size_bytes += len(part[-1])
        if size_bytes > _VALUE_BYTES:
            store(part)
            part, size_bytes = [], 0
    if part or not digests:
        store(part)
    return digests

"""
Repair: put back what is damaged or lost, from copies and from files of this machine.

It is planned on an overlay, with the check itself as the judge, and carried out
when all that can be had is in hand. Four rules keep it safe:

- Nothing is written that its name does not prove: a pack by the digest of its
  footer and those of its chunks, a manifest, a fragment and what a run wrote by their
  digests, an entry of a log by the entry above it. Only for the newest entries of a
  log, for `artstore.json`, and for segments of runs whose logs state no digest, the
  word of a copy of the same store is taken.
- Good bytes lie in a journal on this machine before the damaged ones are deleted,
  and a value is deleted only to be created again at once. A crash in between
  leaves less in the store, but not in the world: run again, it goes on from there.
- Values that log entries lead to come before the entries (O1).
- Only what live versions need is put back. No key that gc may delete is ever
  created twice (PROTOCOL G2), because a collector that slept could wake up and
  delete the second one. What a live version references is in the list of no
  collector, however late: it stood in the log at the fence of each plan, or came
  after it and then names nothing that the plan condemns. So to create such a key
  again gives back the state before the damage, and nothing else. Since a sweep
  comes an hour after its plan at the earliest, logs are read again when the last
  look at them is older than ten minutes. Of a deleted run nothing is put back; what
  the log of another one names no collector takes.

What is derived (index, rollups) is not restored but removed: it may be missing. So is
a damaged moved record that nothing needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from artstore import clock, limits
from artstore.catalog.catalog import Catalog
from artstore.catalog.format import RawEntry
from artstore.catalog.identity import IDENTITY_KEY
from artstore.catalog.log import Head
from artstore.catalog.replica import Replica
from artstore.catalog.runs.format import run_prefix
from artstore.catalog.runs.survey import RUNS_PREFIX
from artstore.catalog.upkeeplog import CONDEMNED_PREFIX
from artstore.digest import DIGEST_BYTES, digest_of
from artstore.errors import (
    ConflictError,
    DamagedDataError,
    DeniedError,
    NotFoundError,
)
from artstore.manifests.reader import root_digest_of_key
from artstore.packs.index import INDEX_PREFIX
from artstore.packs.locator import pack_id_of_key, pack_key
from artstore.packs.moved import MOVED_PREFIX, moved_prefix, parse_moved_key
from artstore.storage.bounded import is_stored
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Storage
from artstore.upkeep.check import CheckReport, OnChecked, Problem, check_store
from artstore.upkeep.overlay import OverlayStorage
from artstore.upkeep.repair_fragments import (
    FRAGMENTS_PREFIX,
    FragmentMaterial,
    FragmentUse,
    find_fragment,
    find_misplaced,
)
from artstore.upkeep.repair_identity import find_identity
from artstore.upkeep.repair_lists import find_lists
from artstore.upkeep.repair_moved import RecordBuilder, find_record, find_records
from artstore.upkeep.repair_needed import Needed, look_for_needed
from artstore.upkeep.repair_packs import (
    PACK_READ_MAX_BYTES,
    PackMaterial,
    PackUse,
    footer_digest_of,
    rebuild_pack,
)
from artstore.upkeep.repair_records import Repaired, RepairMaterial, RepairReport
from artstore.upkeep.repair_runs import (
    RunPlaces,
    RunValues,
    look_inside,
    run_logs_of,
    runs_of,
)
from artstore.upkeep.repair_search import LogMaterial, MendedLog, mend_logs
from artstore.upkeep.repair_sources import SecondStore, StoredChunks, read_value
from artstore.upkeep.repair_writing import EntryWriter, write_value
from artstore.upkeep.survey import state_in_store, version_name

__all__ = ["RepairMaterial", "RepairReport", "Repaired", "repair_store"]

RESTORED: Final = "restored"
REMOVED: Final = "removed"
_LOOK_AGAIN_SECONDS: Final = 600.0
_THIS_STORE: Final = "this store"
_JOURNAL: Final = "an earlier repair"
_UNNEEDED: Final = "no version that is not deleted needs it, as far as they are read"


def repair_store(
    storage: Storage,
    material: RepairMaterial,
    *,
    read_data: float | None = None,
    dry_run: bool = False,
    on_checked: OnChecked | None = None,
) -> RepairReport:
    """
    Check a store and put back what is damaged or lost, as far as it can be had.

    Args:
        read_data: as `check_store`: damage inside of packs is only found by reading.
        dry_run: change nothing, tell what would be done.
    Raises:
        NotFoundError: `store-not-found`; of a second store too.
        DamagedDataError: `store-damaged`, `artstore.json` is lost and no copy is known.
        DeniedError: the journal cannot be written.
        StorageError: the store or a source fails.
    Cost: a check for each level of what is damaged (a manifest, then the packs it
        names), and one more; reads and writes what is repaired.
    """
    began = clock.now_seconds()
    stores = [SecondStore(source) for source in material.sources]
    identity, source = find_identity(storage, material.sources, material.replica)
    directory = material.journal_directory / identity.store_id
    if dry_run:
        directory = directory.with_name(f"{directory.name}-{clock.random_bytes(6).hex()}")
    repair = _Repair(storage, material, identity.store_id, stores, LocalStorage(directory))
    try:
        if source is not None:
            repair.take(IDENTITY_KEY, identity.data, (source,))
        found, problems = repair.plan(read_data, on_checked)
        if repair.planned() and not dry_run:
            problems = repair.carry_out()
    finally:
        if dry_run:
            shutil.rmtree(directory, ignore_errors=True)
    if not problems:
        shutil.rmtree(directory, ignore_errors=True)
    return RepairReport(
        found=found,
        repaired=repair.planned(),
        problems=repair.explained(problems),
        dry_run=dry_run,
        seconds=clock.now_seconds() - began,
    )


class _Remembered(Replica):
    """What this machine has seen, and not what a repair is about to make true."""

    def extend(
        self,
        store_id: str,
        log: str,
        after: Head,
        entries: Sequence[tuple[RawEntry, bool]],
        head: Head,
    ) -> None:
        del store_id, log, after, entries, head

    def forget(self, store_id: str, log: str) -> None:
        del store_id, log


class _Repair:
    def __init__(
        self,
        storage: Storage,
        material: RepairMaterial,
        store_id: str,
        stores: Sequence[SecondStore],
        journal: Storage,
    ) -> None:
        self._storage = storage
        self._material = material
        self._store_id = store_id
        self._stores = stores
        self._journal = journal
        self._overlay = OverlayStorage(storage, journal)
        self._find_files = material.find_files(store_id)
        self._own_chunks = StoredChunks(storage)
        self._plan: dict[str, Repaired] = {}
        self._needed_by: dict[str, frozenset[str]] = {}
        self._reasons: dict[str, str] = {}
        self._logs: dict[str, MendedLog] = {}
        self._inside: dict[str, Problem] = {}
        self._looked = Needed((), ())
        self._reads_data = False
        self._records = RecordBuilder(storage, self._overlay, self._own_chunks)
        self._changes = 0

    def planned(self) -> tuple[Repaired, ...]:
        return tuple(self._plan[key] for key in sorted(self._plan))

    def take(self, key: str, data: bytes, sources: tuple[str, ...]) -> None:
        """Keep good bytes in the journal: from here on they are safe."""
        known = read_value(self._journal, key, max_bytes=len(data))
        if known != data:
            self._journal.delete([key])
            self._journal.create(key, data)
        self._overlay.cover(key)
        self._plan[key] = Repaired(key, RESTORED, sources)
        self._changes += 1

    # planning ------------------------------------------------------------------------

    def plan(
        self, read_data: float | None, on_checked: OnChecked | None
    ) -> tuple[CheckReport, dict[str, Problem]]:
        """The check before, and what would be left of it."""
        found = self._check(read_data, on_checked)
        if IDENTITY_KEY in self._plan:
            lost = Problem(IDENTITY_KEY, "is not what makes a store")
            found = replace(found, problems=(lost, *found.problems))
        self._reads_data = read_data is not None
        # Later looks read no data: what was found by reading it stays known.
        read = ("packs/", FRAGMENTS_PREFIX)
        self._inside = {p.key: p for p in found.problems if p.key.startswith(read) or p.is_inside}
        problems = {p.key: p for p in found.problems if p.key not in self._plan}
        is_new = self._mend_logs(run_logs_of(problems))
        while is_new or self._mend_content(problems):
            problems = self._left(self._overlay, self._plan)
            is_new = self._hold_back_entries(problems)
        self._drop_unneeded()
        return found, problems

    def explained(self, problems: Mapping[str, Problem]) -> tuple[Problem, ...]:
        """Problems with the reason why they stay."""
        return tuple(
            replace(problem, message=f"{problem.message}; not repaired: {self._reasons[key]}")
            if key in self._reasons
            else problem
            for key, problem in sorted(problems.items())
        )

    def _left(self, storage: Storage, done: Container[str]) -> dict[str, Problem]:
        check = check_store(storage, self._catalog(storage), runs=self._material.runs)
        inside = {key: p for key, p in self._inside.items() if key not in done}
        return inside | {problem.key: problem for problem in check.problems}

    def _check(self, read_data: float | None, on_checked: OnChecked | None) -> CheckReport:
        catalog = self._catalog(self._overlay)
        runs = self._material.runs
        return check_store(
            self._overlay, catalog, runs=runs, read_data=read_data, on_checked=on_checked
        )

    def _catalog(self, storage: Storage) -> Catalog:
        return Catalog(
            storage,
            store_id=self._store_id,
            replica=_Remembered(self._material.replica.file),
            author=self._material.author,
        )

    def _mend_logs(self, run_logs: Iterable[str]) -> bool:
        known = {run_prefix(*run): n for run, n in self._material.runs.heads.items()}
        material = LogMaterial(
            self._storage,
            self._store_id,
            self._material.replica,
            self._journal,
            self._stores,
            {prefix: known.get(prefix, -1) for prefix in run_logs},
        )
        self._logs = {log.prefix: log for log in mend_logs(material)}
        for log in self._logs.values():
            for n, entry in log.mended.items():
                assert entry.raw.data is not None
                told = "" if entry.is_proven else " (by its word alone)"
                self.take(log.key(n), entry.raw.data, (f"{entry.source}{told}",))
            self._reasons |= {log.key(n): reason for n, reason in log.lost.items()}
        self._look_inside(runs_of(self._plan))
        return bool(self._logs)

    def _hold_back_entries(self, problems: Mapping[str, Problem]) -> bool:
        """
        Entries that only this machine remembers come back only with what they lead to.

        Else a store that was restored from an older backup on purpose would get
        versions without content. Whether there were any.
        """
        hit = {version.split(" ")[0] for p in problems.values() for version in p.versions}
        catalog = self._catalog(self._overlay)
        held = []
        for log in self._logs.values():
            if log.name is None or max(log.mended, default=-1) <= log.top_n:
                continue
            state = state_in_store(catalog, *log.name)
            bad = [v.n for v in state.live if v.n > log.top_n and version_name(state, v) in hit]
            if bad:
                held += log.hold_back(min(bad), "the content of a version that it made is gone")
                self._reasons |= {log.key(n): reason for n, reason in log.lost.items()}
        for key in held:
            self._forget(key)
        return bool(held)

    def _forget(self, key: str) -> None:
        self._overlay.uncover(key)
        self._plan.pop(key, None)

    def _drop_unneeded(self) -> None:
        self._looked = self._look()
        for key, roots in self._needed_by.items():
            if roots.isdisjoint(self._looked.roots):
                self._forget(key)

    # content ---------------------------------------------------------------------------

    def _mend_content(self, problems: Mapping[str, Problem]) -> bool:
        """Take what can be had of manifests and packs; whether there was any."""
        before = self._changes
        open_ = [key for key in problems if key not in self._plan]
        roots = [key for key in open_ if key.startswith("manifests/")]
        packs = {pack: key for key in open_ if (pack := _pack_of(key)) is not None}
        records = {key: pack for key in open_ if (pack := _pack_of_record(key)) is not None}
        fragments = [key for key in open_ if key.startswith(FRAGMENTS_PREFIX)]
        if roots or packs or records or fragments:
            needs = self._look({*packs, *records.values()}, fragments)
            for key in roots:
                self._mend_root(key, needs, roots)
            misplaced = self._misplaced(packs)
            for pack, key in packs.items():
                is_gone = bool(needs.uses[pack].refs) and not is_stored(self._overlay, key)
                if is_gone and (self._take_records(pack) or self._make_record(pack, needs)):
                    # Where its chunks were moved to is known again, and looked at next.
                    self._inside.pop(key, None)
                    continue
                self._mend_pack(key, needs.uses[pack], misplaced.get(pack[:DIGEST_BYTES]))
            self._mend_fragments(needs.fragments)
            for key, pack in records.items():
                self._mend_record(key, pack, needs, is_needed=bool(problems[key].versions))
        self._mend_runs(open_)
        lists = [key for key in open_ if key.startswith(CONDEMNED_PREFIX)]
        if lists:
            self._mend_lists(lists)
        for key in open_:
            is_no_record = key.startswith(MOVED_PREFIX) and key not in records
            if is_no_record or key.startswith(INDEX_PREFIX) or self._is_removable_rollup(key):
                self._remove(key)
        return self._changes > before

    def _remove(self, key: str) -> None:
        self._overlay.hide(key)
        self._plan[key] = Repaired(key, REMOVED, ())
        self._changes += 1

    def _mend_runs(self, keys: Iterable[str]) -> None:
        material = self._material
        places = RunPlaces((_JOURNAL, self._journal), self._stores, material.find_media)
        values = RunValues(self._overlay, self._store_id, places, material.runs.look)
        restored = []
        for key, found in values.find_all(keys):
            if isinstance(found, str):
                self._reasons[key] = found
            else:
                self._reasons.pop(key, None)
                self.take(key, *found)
                restored.append(key)
        self._look_inside(runs_of(restored))

    def _look_inside(self, runs: Iterable[str]) -> None:
        if self._reads_data:
            found = look_inside(self._overlay, self._material.runs, runs)
            self._inside |= {key: p for key, p in found.items() if key not in self._plan}

    def _is_removable_rollup(self, key: str) -> bool:
        prefix, found, _ = key.partition("rollups/")
        # Beside a hole it may hold what is lost: then it stays.
        repair = self._logs.get(prefix)
        return bool(found) and key.startswith("collections/") and not (repair and repair.lost)

    def _look(self, packs: Iterable[bytes] = (), fragments: Iterable[str] = ()) -> Needed:
        return look_for_needed(self._overlay, self._catalog(self._overlay), packs, fragments)

    def _mend_root(self, key: str, needs: Needed, others: Sequence[str]) -> None:
        try:
            digest = root_digest_of_key(key)
        except DamagedDataError:
            return
        if key not in needs.roots:
            self._reasons[key] = "no version that is not deleted needs it"
            return
        limit = limits.ROOT_MAX_BYTES
        candidates = [(_JOURNAL, self._journal, key)]
        candidates += [(_THIS_STORE, self._storage, other) for other in others]
        for source, storage, place in candidates:
            data = read_value(storage, place, max_bytes=limit)
            if data is not None and digest_of(data) == digest:
                self._take_content(key, data, (source,), {key})
                return
        for store in self._stores:
            for data in store.values_of_digest(key, max_bytes=limit):
                if digest_of(data) == digest:
                    self._take_content(key, data, (store.label,), {key})
                    return
        self._reasons[key] = "no source has it"

    def _take_records(self, pack: bytes) -> bool:
        """Whether a copy tells where chunks of a lost pack were moved, and this store does not."""
        there = {info.key for info in self._overlay.scan(moved_prefix(pack))}
        taken = False
        for key, data, source in find_records(pack, self._stores):
            if key not in there and key not in self._plan:
                self.take(key, data, (source,))
                taken = True
        return taken

    def _mend_record(self, key: str, pack: bytes, needs: Needed, *, is_needed: bool) -> None:
        found = find_record(key, (_JOURNAL, self._journal), self._stores)
        if found is not None:
            self._reasons.pop(key, None)
            self.take(key, found[0], (found[1],))
        elif is_stored(self._overlay, pack_key(pack)) or not self._make_record(pack, needs, key):
            if is_needed:
                self._reasons[key] = "no source has it, and no packs have all that it led to"
            else:
                self._remove(key)

    def _make_record(self, pack: bytes, needs: Needed, key: str | None = None) -> bool:
        use = needs.uses[pack]
        made = self._records.make(pack, use, needs.restorable_uses[pack], key)
        if made is None:
            return False
        self._reasons.pop(made[0], None)
        if use.roots:
            self._needed_by[made[0]] = frozenset(use.roots)
        self.take(*made, ("other packs of this store",))
        return True

    def _mend_lists(self, keys: Sequence[str]) -> None:
        sources = [(store.label, store.storage) for store in self._stores]
        hint = "no source has it; `art gc` gives the plan up, or says what to do"
        self._reasons |= dict.fromkeys(keys, hint)
        for key, data, source in find_lists(
            self._overlay, keys, [(_JOURNAL, self._journal), *sources]
        ):
            del self._reasons[key]
            self.take(key, data, (source,))

    def _misplaced(self, packs: Mapping[bytes, str]) -> dict[bytes, str]:
        """By the digest of their footers: packs that lie under the keys of others."""
        found = {}
        for key in packs.values():
            data = read_value(self._storage, key, max_bytes=PACK_READ_MAX_BYTES)
            digest = None if data is None else footer_digest_of(data)
            if digest is not None:
                found[digest] = key
        return found

    def _mend_pack(self, key: str, use: PackUse, misplaced: str | None) -> None:
        if not use.refs:
            self._reasons[key] = _UNNEEDED
            return
        copies = []
        for source, storage, place in (
            (_JOURNAL, self._journal, key),
            (_THIS_STORE, self._storage, key),
            (_THIS_STORE, self._storage, misplaced),
        ):
            if place is not None:
                data = read_value(storage, place, max_bytes=PACK_READ_MAX_BYTES)
                if data is not None:
                    copies.append((source, data))
        material = PackMaterial(copies, self._find_files, self._own_chunks, self._stores)
        rebuilt = rebuild_pack(key, use, material)
        if rebuilt.data is None:
            self._reasons[key] = rebuilt.reason
        else:
            self._take_content(key, rebuilt.data, rebuilt.sources, use.roots)

    def _mend_fragments(self, uses: Mapping[str, FragmentUse]) -> None:
        own = [(_JOURNAL, self._journal), (_THIS_STORE, self._storage)]
        misplaced = find_misplaced(_THIS_STORE, self._storage, uses)
        material = FragmentMaterial(own, misplaced, self._find_files, self._stores)
        for key, use in uses.items():
            found = find_fragment(key, use, material)
            if found is not None:
                self._take_content(key, found[0], (found[1],), use.roots)
            else:
                self._reasons[key] = _UNNEEDED if use.digest is None else "no source has it"

    def _take_content(
        self, key: str, data: bytes, sources: tuple[str, ...], roots: Iterable[str]
    ) -> None:
        self._reasons.pop(key, None)
        self._needed_by[key] = frozenset(roots)
        self.take(key, data, sources)

    # doing it --------------------------------------------------------------------------

    def carry_out(self) -> dict[str, Problem]:
        """Write what was planned; what is left."""
        done = {key for key in self._in_order() if self._is_written(key)}
        for log in self._logs.values():
            if log.mended:
                writing = EntryWriter(self._storage, log.prefix, log.top_n, self._material.author)
                failed = writing.write(log.mended)
                self._reasons |= {log.key(n): reason for n, reason in failed.items()}
                done |= {log.key(n) for n in log.mended.keys() - failed.keys()}
        self._plan = {key: self._plan[key] for key in done}
        left = self._left(self._storage, done)
        self._journal.delete(sorted(done))
        return left

    def _in_order(self) -> list[str]:
        # O1: entries of logs come after all this, and in another way.
        entries = {key for log in self._logs.values() for key in log.entry_keys()}
        order = (
            "packs/",
            MOVED_PREFIX,
            FRAGMENTS_PREFIX,
            "manifests/",
            CONDEMNED_PREFIX,
            IDENTITY_KEY,
            INDEX_PREFIX,
            "collections/",
            RUNS_PREFIX,
        )
        keys = [key for key in sorted(self._plan) if key not in entries]
        return [key for start in order for key in keys if key.startswith(start)]

    def _is_written(self, key: str) -> bool:
        try:
            if self._plan[key].action == REMOVED:
                self._storage.delete([key])
            elif self._is_still_needed(key):
                write_value(self._storage, key, self._journal.read(key))
            else:
                self._reasons[key] = "the versions that needed it were deleted meanwhile"
                return False
        except (ConflictError, DeniedError, NotFoundError) as error:
            self._reasons[key] = error.message
            return False
        return True

    def _is_still_needed(self, key: str) -> bool:
        roots = self._needed_by.get(key)
        if roots is None:
            return True
        if clock.now_seconds() - self._looked.looked_seconds > _LOOK_AGAIN_SECONDS:
            self._looked = self._look()
        return not roots.isdisjoint(self._looked.roots)


def _pack_of(key: str) -> bytes | None:
    with suppress(DamagedDataError):
        return pack_id_of_key(key) if key.startswith("packs/") else None
    return None


def _pack_of_record(key: str) -> bytes | None:
    with suppress(DamagedDataError):
        return parse_moved_key(key)[0] if key.startswith(MOVED_PREFIX) else None
    return None

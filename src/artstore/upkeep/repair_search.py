"""
The logs of a store with something lost, and what may be put back into each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from artstore import limits, names
from artstore.catalog.fold import Fold
from artstore.catalog.format import NO_DIGEST, RawEntry, entry_key
from artstore.catalog.log import read_all
from artstore.catalog.replica import Replica
from artstore.catalog.rollups import read_rolled
from artstore.catalog.state import CollectionState
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.errors import InvalidInputError
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_logs import Candidate, MendedEntry, link_of, mend_log
from artstore.upkeep.repair_sources import SecondStore, read_value

__all__ = ["LogMaterial", "MendedLog", "mend_logs"]

_WOULD_LOSE = "versions were published since that would no longer be valid behind it"


class LogMaterial(NamedTuple):
    """
    Where entries may be found: the store, what this machine remembers of it, and others.

    Attributes:
        run_heads: by the prefix of each run of whose log something is lost, the newest entry
            that this machine has seen, -1 for none.
    """

    storage: Storage
    store_id: str
    replica: Replica
    journal: Storage
    stores: Sequence[SecondStore]
    run_heads: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MendedLog:
    """
    What can be put back into one log, and why the rest cannot.

    Attributes:
        name: (project, name) of a collection, None for the log of gc or of a run.
        top_n: the newest entry that the store holds, damaged or not.
    """

    prefix: str
    name: tuple[str, str] | None
    top_n: int
    mended: dict[int, MendedEntry]
    lost: dict[int, str]

    def key(self, n: int) -> str:
        """The key of entry n."""
        return entry_key(self.prefix, n)

    def entry_keys(self) -> list[str]:
        """The keys of what can be put back, in order."""
        return [self.key(n) for n in sorted(self.mended)]

    def hold_back(self, first_n: int, reason: str) -> list[str]:
        """Leave out what can be put back from `first_n` on; the keys of it."""
        held = [n for n in sorted(self.mended) if n >= first_n]
        for n in held:
            del self.mended[n]
            self.lost[n] = reason
        return [self.key(n) for n in held]


def mend_logs(material: LogMaterial) -> list[MendedLog]:
    """
    Look for what is lost, in every log that the store has or that this machine has seen; in logs
    of runs only where it is known that something is.

    Cost: reads all logs; those with something lost also from every source.
    """
    suspects: dict[str, dict[int, RawEntry]] = {}
    stray: list[RawEntry] = []
    for prefix in _prefixes(material):
        entries, _, _ = read_all(material.storage, prefix, with_rollups=False)
        own = {raw.n: raw for raw in entries}
        unfit = [raw for raw in entries if not _fits_below(own, raw)]
        head_n = _remembered_n(material, prefix)
        if unfit or len(own) != max(own, default=-1) + 1 or head_n > max(own, default=-1):
            suspects[prefix] = own
            stray += unfit
    found = [_Search(material, prefix, own, stray).run() for prefix, own in suspects.items()]
    return [log for log in found if log.mended or log.lost]


def _prefixes(material: LogMaterial) -> list[str]:
    storage = material.storage
    found = {UPKEEP_PREFIX, *material.replica.logs(material.store_id), *material.run_heads}
    for project in storage.scan_names("collections/"):
        for name in storage.scan_names(f"collections/{project}/"):
            found.add(f"collections/{project}/{name}/")
    return sorted(found)


def _remembered_n(material: LogMaterial, prefix: str) -> int:
    _, head = material.replica.load(material.store_id, prefix)
    return max(head.n, material.run_heads.get(prefix, -1))


def _fits_below(own: Mapping[int, RawEntry], raw: RawEntry) -> bool:
    link = link_of(raw)
    below = own.get(raw.n - 1)
    digest = NO_DIGEST if raw.n == 0 else below.digest if below else None
    return link.is_sealed and link.previous in (None, digest)


class _Search:
    def __init__(
        self,
        material: LogMaterial,
        prefix: str,
        own: dict[int, RawEntry],
        stray: Sequence[RawEntry],
    ) -> None:
        self._material = material
        self._prefix = prefix
        self._own = own
        self._stray = stray
        entries, _ = material.replica.load(material.store_id, prefix)
        self._remembered = {raw.n: raw for raw in entries}
        self._remembered_n = _remembered_n(material, prefix)
        # Of a run this machine knows how far its log went, and no more.
        self._seen_n = material.run_heads.get(prefix, -1)
        self._rolled: dict[int, RawEntry] | None = None
        self._name = _collection_of(prefix)

    def run(self) -> MendedLog:
        repair = mend_log(self._own, self._find, self._remembered_n)
        mended, lost = dict(repair.mended), dict(repair.lost)
        if self._name is not None and not self._keeps_versions(self._name, mended):
            # They were published on the state without it, and would be void behind it.
            lost |= dict.fromkeys(mended, _WOULD_LOSE)
            mended = {}
        return MendedLog(self._prefix, self._name, max(self._own, default=-1), mended, lost)

    def _find(self, n: int) -> Iterator[Candidate]:
        material = self._material
        key = entry_key(self._prefix, n)
        data = read_value(material.journal, key, max_bytes=limits.ENTRY_MAX_BYTES)
        if data is not None:
            is_seen = n <= self._seen_n
            raw = RawEntry.of(n, data)
            yield Candidate(raw, "an earlier repair", is_of_store=True, is_remembered=is_seen)
        if n in self._remembered:
            known = self._remembered[n]
            source = "the replica of this machine"
            yield Candidate(known, source, is_of_store=True, is_remembered=True)
        for raw in self._stray:
            moved = RawEntry(n, raw.data, raw.digest, raw.size_bytes)
            yield Candidate(moved, "this store", is_of_store=True)
        if self._rolled is None:
            self._rolled = {raw.n: raw for raw in read_rolled(material.storage, self._prefix)}
        if n in self._rolled:
            yield Candidate(self._rolled[n], "a rollup of this store", is_of_store=True)
        for store in material.stores:
            for raw in store.log(self._prefix):
                if raw.n == n:
                    is_copy = store.store_id == material.store_id
                    is_seen = is_copy and n <= self._seen_n
                    yield Candidate(raw, store.label, is_copy, is_remembered=is_seen)

    def _keeps_versions(self, name: tuple[str, str], mended: Mapping[int, MendedEntry]) -> bool:
        before = _folded(name, self._own)
        after = _folded(name, self._own | {n: entry.raw for n, entry in mended.items()})
        return all(
            number in after.versions and after.versions[number].root == version.root
            for number, version in before.versions.items()
        )


def _folded(name: tuple[str, str], entries: Mapping[int, RawEntry]) -> CollectionState:
    fold = Fold(CollectionState(*name))
    for n in sorted(entries):
        if n > fold.head_n + 1:
            fold.skip_hole(fold.head_n + 1, n - 1)
        raw = entries[n]
        # Looked at as if for the first time: what the replica found sound was so elsewhere.
        fold.apply(RawEntry(n, raw.data, raw.digest, raw.size_bytes))
    return fold.state()


def _collection_of(prefix: str) -> tuple[str, str] | None:
    parts = prefix.split("/")
    if parts[0] != "collections" or len(parts) != 4:
        return None
    project, name = map(names.unescape_from_key, parts[1:3])
    try:
        return names.check_project_name(project), names.check_collection_name(name)
    except InvalidInputError:
        return None

"""
Prune: tombstones for what the rules of collections and the ttl of versions give up.

Nothing else decides what is dead; gc comes later and looks at tombstones alone (PROTOCOL G4).
A pass can be killed anywhere and made again, and several may go on at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from artstore import clock
from artstore.catalog.choosing import Verdict, choose
from artstore.catalog.fences import PushStart
from artstore.catalog.format import collection_prefix
from artstore.catalog.guard import is_guarded_here
from artstore.catalog.log import listed_entries
from artstore.catalog.requests import PruneRequest
from artstore.catalog.retention import Retention
from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError, DeniedError, StorageError
from artstore.forks import LazyValue
from artstore.garbage.running import RunInputs
from artstore.garbage.storetime import store_now

if TYPE_CHECKING:
    from artstore.transfer.place import StorePlace

__all__ = [
    "PruneProblem",
    "PruneReport",
    "PrunedCollection",
    "prune_collection",
    "prune_collections",
]

_THREAD_COUNT: Final = 16
_NOBODY: Final[Mapping[int, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class PrunedCollection:
    """
    What became of the versions of one collection.

    Attributes:
        rule: what was applied, beside the ttl of each version.
        verdicts: of each version that was live when it was looked at, the oldest first.
        removed: the versions for which this pass wrote a tombstone.
        spared: versions that were to go and stay: somebody changed something meanwhile.
    """

    project: str
    name: str
    rule: Retention
    verdicts: tuple[Verdict, ...]
    removed: tuple[int, ...] = ()
    spared: tuple[int, ...] = ()

    @property
    def qualified_name(self) -> str:
        """`project/name`."""
        return f"{self.project}/{self.name}"

    @property
    def going(self) -> tuple[Verdict, ...]:
        """What is given up."""
        return tuple(one for one in self.verdicts if one.goes)


@dataclass(frozen=True, slots=True)
class PruneProblem:
    """A collection that could not be pruned, and why; all others were."""

    name: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PruneReport:
    """
    What a pass did, or would do.

    Attributes:
        collections: those with a rule or a ttl, by project and name.
        now_seconds: the time of the store, from which ages are counted.
    """

    collections: tuple[PrunedCollection, ...]
    problems: tuple[PruneProblem, ...]
    is_dry_run: bool
    now_seconds: float

    @property
    def removed_count(self) -> int:
        """Tombstones that were written."""
        return sum(len(one.removed) for one in self.collections)

    @property
    def going_bytes(self) -> int:
        """Of all versions that are given up, each counted whole, what they share too."""
        return sum(verdict.size_bytes for one in self.collections for verdict in one.going)


def prune_collection(
    place: StorePlace, project: str, name: str, *, rule: Retention | None, dry_run: bool
) -> PruneReport:
    """
    Prune one collection.

    Args:
        rule: None for that of the collection.
        dry_run: write no tombstone.
    Raises:
        NotFoundError: `collection-not-found`.
        DamagedDataError: `log-entry-damaged`, `log-hole`, `log-rolled-back`.
        UnsupportedFormatError: `entry-kind-unknown`.
        StorageError: the store, or its runs, cannot be asked.
    Cost: two scans of its log, one create and one stat for the time, one create for each version
        that goes; if any goes, what `RunInputs.users` costs.
    """
    pass_ = _Pass(place, rule, dry_run=dry_run)
    pruned = pass_.prune(place.catalog.state(project, name))
    return PruneReport((pruned,), (), dry_run, pass_.now_seconds)


def prune_collections(
    place: StorePlace, names: Iterable[tuple[str, str]], *, dry_run: bool
) -> PruneReport:
    """
    Prune those of many collections that have a rule, or a version with a ttl.

    What cannot be pruned is told, and the others are pruned.

    Raises:
        StorageError: the store, or its runs, cannot be asked.
    Cost: one scan for each collection, 16 at a time; as `prune_collection` for those with a
        rule or a ttl.
    """
    pass_ = _Pass(place, None, dry_run=dry_run)
    pruned: list[PrunedCollection] = []
    problems: list[PruneProblem] = []
    seen: set[tuple[str, str]] = set()
    for (project, name), found in _states(place, list(names)):
        try:
            if isinstance(found, ArtstoreError):
                raise found
            if found is None or (found.project, found.name) in seen:
                continue
            # Under its old name and its new one it is the same.
            seen.add((found.project, found.name))
            if _is_ruled(found):
                pruned.append(pass_.prune(found))
        except StorageError:
            raise
        except ArtstoreError as error:
            problems.append(PruneProblem(f"{project}/{name}", error.code, error.message))
    return PruneReport(tuple(pruned), tuple(problems), dry_run, pass_.now_seconds)


def _is_ruled(state: CollectionState) -> bool:
    has_ttl = any(version.ttl_seconds is not None for version in state.live)
    return has_ttl or not state.retention.is_empty


_Looked = tuple[tuple[str, str], CollectionState | ArtstoreError | None]


def _states(place: StorePlace, names: Sequence[tuple[str, str]]) -> Iterable[_Looked]:
    def look(name: tuple[str, str]) -> _Looked:
        try:
            return name, place.catalog.state_or_none(*name)
        except ArtstoreError as error:
            return name, error

    if len(names) < 2 or is_guarded_here(place.storage.url):
        # A local disk answers at once, and threads would double its work.
        return map(look, names)
    with ThreadPoolExecutor(min(_THREAD_COUNT, len(names))) as pool:
        return list(pool.map(look, names))


class _Pass:
    def __init__(self, place: StorePlace, rule: Retention | None, *, dry_run: bool) -> None:
        self._place = place
        self._rule = rule
        self._dry_run = dry_run

    @LazyValue
    def now_seconds(self) -> float:
        # Once for all: an hour later this is the safe side, more stays.
        try:
            return store_now(self._place.storage)
        except DeniedError:
            if not self._dry_run:
                raise
            # Who may only read is shown what would go, by the clock of this machine.
            return clock.now_seconds()

    @LazyValue
    def _inputs(self) -> RunInputs:
        return RunInputs(self._place.storage, self._place.run_index, self.now_seconds)

    def prune(self, state: CollectionState) -> PrunedCollection:
        # Which version is newest, and where an alias is, must be certain (G5).
        state.check_readable()
        state.check_whole()
        state.check_writable()
        rule = state.retention if self._rule is None else self._rule
        prefix = collection_prefix(state.project, state.name)
        # After the state: a version that is not listed yet counts as young.
        listed = listed_entries(self._place.storage, prefix)
        times = {n: info.modified_seconds for n, info in listed}
        verdicts = choose(state, rule, times, self.now_seconds, _NOBODY)
        going = [one.version for one in verdicts if one.goes]
        # Runs are asked for only where something goes.
        held = self._inputs.users(state, going) if going else _NOBODY
        if held:
            verdicts = choose(state, rule, times, self.now_seconds, held)
            going = [one.version for one in verdicts if one.goes]
        pruned = PrunedCollection(state.project, state.name, rule, verdicts)
        if self._dry_run or not going:
            return pruned
        removed, spared = self._remove(state, going, times, held)
        return PrunedCollection(state.project, state.name, rule, verdicts, removed, spared)

    def _remove(
        self,
        state: CollectionState,
        going: Sequence[int],
        times: Mapping[int, float],
        held: Mapping[int, tuple[str, ...]],
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        removed = []
        head = state.head_n
        is_decided = True
        for number in going:
            request = PruneRequest(
                number,
                self._rule,
                times,
                self.now_seconds,
                held,
                decided_at=head if is_decided else -1,
            )
            # Known up to `head`: the log need not be listed again, winning the number proves it.
            committed = self._place.catalog.commit(
                state.project, state.name, request, start=PushStart(head)
            )
            if committed.n is not None:
                removed.append(number)
            # Own tombstones change nothing for the rest; what somebody else wrote may.
            expected = head + (committed.n is not None)
            is_decided = is_decided and committed.state.head_n == expected
            head = committed.state.head_n
            state = committed.state
        left = set(going) - set(removed)
        return tuple(removed), tuple(n for n in sorted(left) if state.versions[n].is_live)

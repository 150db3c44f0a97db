"""
Which version of the target is which of the source: told by the logs of both, kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from artstore.syncing.syncplace import SyncPlace, VersionKey

if TYPE_CHECKING:
    from artstore.catalog.state import CollectionState, Origin, VersionState

__all__ = ["VersionMap", "origin_of"]

_THREAD_COUNT: Final = 16
_Name = tuple[str, str]
_Identity = tuple[str, str, str, int]


def origin_of(store_id: str, state: CollectionState, version: VersionState) -> Origin:
    """Where a version was made: what it states, or the store it lies in."""
    from artstore.catalog.state import Origin

    if version.origin is not None:
        return version.origin
    return Origin(store_id, state.project, state.name, version.version, version.created, version.by)


class VersionMap:
    """
    The collections of both stores, each looked up once, and what of one is in the other.

    Args:
        target: None for a store that is still to be made.
    """

    def __init__(self, source: SyncPlace, target: SyncPlace | None) -> None:
        self._source = source
        self._target = target
        self._source_states: dict[_Name, CollectionState | None] = {}
        self._target_states: dict[_Name, CollectionState | None] = {}
        self._by_origin: dict[_Name, dict[_Identity, int]] = {}
        self._identities: dict[_Name, frozenset[_Identity]] = {}
        self._planned: dict[VersionKey, VersionKey] = {}
        self._highest: dict[_Name, int] = {}

    def preload(self, names: Iterable[_Name]) -> None:
        """
        Look many collections up at once.

        Raises:
            ArtstoreError: later, by whoever asks for that collection.
        Cost: one scan a collection in each store, `_THREAD_COUNT` at a time.
        """
        wanted = [name for name in dict.fromkeys(names) if name not in self._source_states]
        if len(wanted) < 2:
            return

        def look(name: _Name) -> None:
            from artstore.errors import ArtstoreError, StorageError

            try:
                self.source_state(*name)
                self.target_state(*name)
            except StorageError:
                raise
            except ArtstoreError:
                # Told where it is needed, by the name of the collection.
                return

        with ThreadPoolExecutor(_THREAD_COUNT, "artstore-sync") as pool:
            list(pool.map(look, wanted))

    def source_state(self, project: str, name: str) -> CollectionState | None:
        """A collection of the source; None if there is none."""
        key = (project, name)
        if key not in self._source_states:
            catalog = self._source.place.catalog
            self._source_states[key] = catalog.state_or_none(project, name)
        return self._source_states[key]

    def source_type(self, project: str, name: str) -> str | None:
        """The type of a collection of the source; None where that cannot be told."""
        state = self._source_state_if_readable(project, name)
        return None if state is None else state.type

    def is_redirect(self, project: str, name: str) -> bool:
        """Whether a name of the source only leads to a collection of another name."""
        state = self._source_state_if_readable(project, name)
        return state is not None and (state.project, state.name) != (project, name)

    def _source_state_if_readable(self, project: str, name: str) -> CollectionState | None:
        from artstore.errors import ArtstoreError, StorageError

        try:
            return self.source_state(project, name)
        except StorageError:
            raise
        except ArtstoreError:
            return None

    def target_state(self, project: str, name: str) -> CollectionState | None:
        """A collection of the target as it was last seen; None if there is none."""
        key = (project, name)
        if key not in self._target_states:
            target = self._target
            found = None if target is None else target.place.catalog.state_or_none(project, name)
            self._target_states[key] = found
        return self._target_states[key]

    def note(self, project: str, name: str, state: CollectionState) -> None:
        """Take what the target's collection has become."""
        self._target_states[project, name] = state
        known = self._by_origin.get((project, name))
        if known is None:
            return
        # Only what is new: a collection of thousands of versions is not looked through for each.
        last = max(known.values(), default=-1)
        for number in reversed([*state.versions]):
            if number <= last:
                break
            origin = state.versions[number].origin
            if origin is not None:
                known[origin.identity] = number

    def version(self, key: VersionKey) -> VersionState | None:
        """A version of the source, live or deleted."""
        state = self.source_state(*key.collection)
        return None if state is None else state.versions.get(key.version)

    def find(self, key: VersionKey) -> VersionKey | None:
        """Where a version of the source lies in the target, live or deleted; None if nowhere."""
        planned = self._planned.get(key)
        if planned is not None:
            return planned
        state, version = self.source_state(*key.collection), self.version(key)
        if state is None or version is None:
            return None
        origin = origin_of(self._source.id, state, version)
        if self._target is not None and origin.store == self._target.id:
            # It went from there and comes back.
            home = self.target_state(origin.project, origin.name)
            if home is None or origin.version not in home.versions:
                return None
            return VersionKey(origin.project, origin.name, origin.version)
        number = self._origins(key.collection).get(origin.identity)
        return None if number is None else VersionKey(key.project, key.name, number)

    def found_in(self, state: CollectionState) -> Iterator[tuple[VersionState, VersionKey]]:
        """Every version of a collection of the source that is in the target, and where."""
        for version in state.versions.values():
            found = self.find(VersionKey(state.project, state.name, version.version))
            if found is not None:
                yield version, found

    def is_from_source(self, target: CollectionState, number: int) -> bool:
        """Whether a version of the target is one that the collection of this name has there."""
        name = (target.project, target.name)
        known = self._identities.get(name)
        if known is None:
            state = self.source_state(*name)
            known = self._identities[name] = frozenset(
                origin_of(self._source.id, state, version).identity
                for version in (() if state is None else state.versions.values())
                if state is not None
            )
        assert self._target is not None
        version = target.versions[number]
        return origin_of(self._target.id, target, version).identity in known

    def plan(self, key: VersionKey) -> VersionKey:
        """Note that a version would go over; the number that it would get."""
        state = self.target_state(*key.collection)
        highest = self._highest.get(key.collection, -1 if state is None else state.highest)
        version, number = self.version(key), key.version
        if version is not None and version.origin is not None:
            number = version.origin.version
        number = self._highest[key.collection] = max(highest + 1, number)
        planned = self._planned[key] = VersionKey(key.project, key.name, number)
        return planned

    def _origins(self, name: _Name) -> dict[_Identity, int]:
        found = self._by_origin.get(name)
        if found is None:
            state = self.target_state(*name)
            found = self._by_origin[name] = {
                version.origin.identity: version.version
                for version in (() if state is None else state.versions.values())
                if version.origin is not None
            }
        return found

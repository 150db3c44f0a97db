"""
Three stores with histories of their own, synced in any direction at any time.

Whatever happens: a version is in a store once, what a sync brought has the content and the
lineage that it had, what was there stays as it was, and a second sync writes nothing.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import artstore as art
from artstore.api import Store
from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError
from artstore.syncing.runmap import identity_of
from artstore.syncing.storesync import sync
from artstore.syncing.syncplace import VersionKey
from artstore.syncing.versionmap import origin_of
from tests.conftest import PROFILE
from tests.trees import keys_of, problems_of
from tests.unit.syncing.runs import end, record, start
from tests.unit.syncing.stores import log_files, opened

COLLECTIONS = ("one", "two")
PLACES = st.integers(0, 2)
NAMES = st.sampled_from(COLLECTIONS)
CONTENTS = st.integers(0, 4)

Identity = tuple[str, str, str, int]


class Syncing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stores = [opened(f"store-{number}") for number in range(3)]
        self.count = 0
        self.synced = False

    @initialize(counts=st.lists(st.integers(0, 3), min_size=3, max_size=3))
    def begin(self, counts: list[int]) -> None:
        """Histories that clash from the start."""
        for place, count in enumerate(counts):
            for number in range(count):
                self.push(place, "one", number + place, "best")
                self.train(place, "one", "rs"[number % 2], ends=number > 0)

    # --- what people do -----------------------------------------------------------------------

    @rule(place=PLACES, name=NAMES, content=CONTENTS, alias=st.sampled_from(["", "best"]))
    def push(self, place: int, name: str, content: int, alias: str) -> None:
        aliases = [alias] if alias else []
        log_files(self.stores[place], name, {"x": b"%d" % content}, aliases=aliases)

    @rule(place=PLACES, name=NAMES, other=NAMES)
    def link(self, place: int, name: str, other: str) -> None:
        store = self.stores[place]
        source = self._newest(store, other)
        if source is not None and name != other:
            draft = art.Artifact(name, "dataset")
            path = next(iter(source.entries())).path
            draft.add_link(source, path, "linked")
            self.count += 1
            with draft.new_file("n") as file:
                file.write(str(self.count))
            store.log_artifact(draft)

    @rule(place=PLACES, name=NAMES)
    def register(self, place: int, name: str) -> None:
        version = self._newest(self.stores[place], name)
        if version is not None:
            version.link("registry/best")

    @rule(place=PLACES, name=NAMES, number=st.integers(0, 5), is_gone=st.booleans())
    def delete_or_restore(self, place: int, name: str, number: int, *, is_gone: bool) -> None:
        store = self.stores[place]
        try:
            if is_gone:
                store.delete(f"{name}:v{number}", force=True)
            else:
                store.restore(f"{name}:v{number}")
        except ArtstoreError:
            pass

    @rule(place=PLACES, name=NAMES, text=st.sampled_from(["a", "b"]))
    def describe(self, place: int, name: str, text: str) -> None:
        version = self._newest(self.stores[place], name)
        if version is not None:
            version.description = text
            version.tags = [*version.tags, text]
            version.save()

    @rule(place=PLACES, name=NAMES, run=st.sampled_from(["r", "s"]), ends=st.booleans())
    def train(self, place: int, name: str, run: str, *, ends: bool) -> None:
        store = self.stores[place]
        used = self._newest(store, name)
        if used is None or any(one.id == run for one in store.runs()):
            return
        self.count += 1
        made = log_files(store, "model", {"w": b"%d" % self.count}, run=f"p/{run}")
        changes: dict[str, Any] = {"used": [record(used)], "logged": [record(made)]}
        (end if ends else start)(store, run, **changes)

    @rule(place=PLACES, run=st.sampled_from(["r", "s", "r-2"]), note=st.sampled_from("abc"))
    def edit(self, place: int, run: str, note: str) -> None:
        store = self.stores[place]
        if any(one.id == run for one in store.runs()):
            store.run(run).edit(notes=note)

    # --- syncing ------------------------------------------------------------------------------

    @rule(first=PLACES, second=PLACES)
    def sync(self, first: int, second: int) -> None:
        if first == second:
            return
        here, there = self.stores[first], self.stores[second]
        before = {name: self._state(there, name) for name in self._names(there)}
        report = sync(here, there)
        assert report.problems == ()
        self._stays(before, there)
        places = {
            VersionKey(one.project, one.name, one.version): VersionKey(
                one.project, one.name, one.target_version
            )
            for one in report.versions
        }
        for name in self._names(here):
            self._is_there(here, there, name, places)
        for run in report.runs:
            self._run_is_there(here, there, run, places)
        keys = keys_of(there._storage)
        again = sync(here, there)
        assert keys_of(there._storage) == keys
        assert (again.new_versions, again.new_runs, again.label_count) == ((), (), 0)
        assert problems_of(there) == []

    def _stays(self, before: dict[tuple[str, str], CollectionState], there: Store) -> None:
        for name, state in before.items():
            now = self._state(there, name)
            for version in state.versions.values():
                found = now.versions[version.version]
                assert (found.digest, found.is_live, found.run, found.inputs, found.origin) == (
                    version.digest,
                    version.is_live,
                    version.run,
                    version.inputs,
                    version.origin,
                )
                assert set(version.tags) <= set(found.tags)

    def _is_there(
        self,
        here: Store,
        there: Store,
        name: tuple[str, str],
        places: dict[VersionKey, VersionKey],
    ) -> None:
        state = self._state(here, name)
        for version in state.live:
            key = VersionKey(*name, version.version)
            found = self._state(there, name).versions[places[key].version]
            assert found.digest == version.digest
            made = origin_of(here.id, state, version).identity
            assert origin_of(there.id, self._state(there, name), found).identity == made
            if found.origin is None or places[key] == key:
                continue
            for one, other in zip(version.inputs, found.inputs, strict=True):
                before = VersionKey(one.project, one.name, one.version)
                if not one.store and before in places and found.n > 0:
                    assert (other.project, other.name, other.version) == places[before]

    def _run_is_there(
        self, here: Store, there: Store, run: Any, places: dict[VersionKey, VersionKey]
    ) -> None:
        one, other = here.run(run.run_id).whole, there.run(run.target_id).whole
        assert identity_of(here.id, "p", run.run_id, one) == identity_of(
            there.id, "p", run.target_id, other
        )
        if not other["origin"]:
            return
        for name in ("used", "logged"):
            for record_, mapped in zip(one[name], other[name], strict=False):
                key = VersionKey("p", record_["artifact"].partition("/")[2], record_["version"])
                if "store" not in record_ and key in places and run.is_new:
                    assert mapped["version"] == places[key].version

    @invariant()
    def every_version_is_there_once(self) -> None:
        for store in self.stores:
            seen: set[Identity] = set()
            for name in self._names(store):
                state = self._state(store, name)
                assert state.warnings == ()
                for version in state.versions.values():
                    identity = origin_of(store.id, state, version).identity
                    assert identity not in seen
                    assert identity[0] != store.id or version.origin is None
                    seen.add(identity)

    # --- looking ------------------------------------------------------------------------------

    @staticmethod
    def _names(store: Store) -> list[tuple[str, str]]:
        return [
            (project, info.name)
            for project in store.projects()
            for info in store.collections(project)
        ]

    @staticmethod
    def _state(store: Store, name: tuple[str, str]) -> CollectionState:
        return store._place().catalog.state(*name)

    @staticmethod
    def _newest(store: Store, name: str) -> art.LoggedArtifact | None:
        try:
            return store.artifact(name)
        except ArtstoreError:
            return None


Syncing.TestCase.settings = settings(
    # An example is up to twenty syncs of three stores.
    max_examples={"dev": 25, "ci": 50}.get(PROFILE, settings().max_examples),
    stateful_step_count=20,
    deadline=None,
)
TestSyncing = Syncing.TestCase

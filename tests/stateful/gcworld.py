"""
A store that several machines write to and collect garbage in, beside what it must hold.

What a version holds is remembered when it is first seen: it must be one of the contents that
somebody pushed, and stay that to the byte as long as the version lives or can be restored.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import artstore as art
from artstore.api import Store
from artstore.catalog.log import listed_entries
from artstore.catalog.state import CollectionState, VersionState
from artstore.digest import Hasher
from artstore.errors import ArtstoreError
from artstore.garbage.records import GarbageReport
from artstore.manifests.entry import FILE, TABLE
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.upkeep.survey import version_fragments
from tests.stateful.stalling import StallingStorage, TwoClocks, Work
from tests.trees import noise, open_at

Content = frozenset[str]
"""Paths of a version, each with bytes that belong to it."""

SIZES: Final = {"a": 3000, "b": 400, "c": 20_000, "d": 2500, "e": 60_000, "f": 10, "empty": 0}
TABLE_PATHS: Final = ("t0", "t1")
GRACE_SECONDS: Final = 100.0
WINDOW_SECONDS: Final = 7 * 86_400.0

# What may be told to somebody whom others were faster than.
RACES: Final = frozenset(
    [
        *("content-condemned", "content-vanished", "plan-unreadable", "version-superseded"),
        *("commit-contended", "version-not-found", "version-deleted", "version-purged"),
        *("collection-not-found", "version-aliased", "alias-not-found", "manifest-missing"),
        *(
            "pack-missing",
            "fragment-missing",
            "version-not-deleted",
            "key-not-found",
            "type-mismatch",
        ),
    ]
)


def bytes_of(path: str) -> bytes:
    return noise(SIZES[path], sum(map(ord, path)))


@dataclass
class Machine:
    """One that has a store of its own open, and at most one thing to do."""

    name: str
    storage: StallingStorage
    store: Store
    skew_seconds: float = 0.0
    work: Work | None = None


class World:
    """All machines, and what is known of the versions."""

    def __init__(self, machines: tuple[str, ...], *, window_seconds: float) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="artstore-gc-"))
        self.clock = TwoClocks()
        self.memory = MemoryStorage("gc")
        self.window = window_seconds
        self._environment = {
            name: os.environ.get(name) for name in ("ARTSTORE_CACHE_DIR", "XDG_STATE_HOME")
        }
        os.environ["XDG_STATE_HOME"] = str(self.base / "state")
        self.machines = {name: self.open(name) for name in machines}
        self.pushed: set[Content] = set()
        self.known: dict[tuple[str, int], frozenset[tuple[str, str]]] = {}
        self._digests: dict[str, str] = {}
        self.errors: list[str] = []
        self.deleted_keys = 0

    def close(self) -> None:
        for machine in self.machines.values():
            if machine.work is not None:
                machine.work.kill()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(self.base)

    def open(self, name: str) -> Machine:
        """A machine that remembers nothing but its caches."""
        os.environ["ARTSTORE_CACHE_DIR"] = str(self.base / name)
        storage = StallingStorage(self.memory, self.clock)
        return Machine(name, storage, open_at("memory://gc", storage))

    # what machines do -----------------------------------------------------------------

    def begin(self, name: str, do: Callable[[Store], object]) -> Machine:
        """Give a machine something to do; what it has not ended goes on to its end first."""
        machine = self.machines[name]
        if machine.work is not None:
            self.go_on(name)
        self.clock.skew_seconds = machine.skew_seconds
        machine.work = Work(machine.storage, lambda: do(machine.store))
        return machine

    def go_on(self, name: str, count: int = 1_000_000) -> object:
        """Let a machine make some calls more; what its work came to, if that ended."""
        machine = self.machines[name]
        work = machine.work
        if work is None:
            return None
        self.clock.skew_seconds = machine.skew_seconds
        if not work.step(count):
            return None
        machine.work = None
        if work.error is not None and not isinstance(work.error, ArtstoreError):
            raise work.error
        if isinstance(work.error, ArtstoreError):
            self.errors.append(work.error.code)
            if work.error.code not in RACES:
                raise AssertionError(work.error.message) from work.error
            return work.error
        return work.answer

    def do(self, name: str, do: Callable[[Store], object], count: int | None = None) -> object:
        self.begin(name, do)
        return self.go_on(name, 1_000_000 if count is None else count)

    def crash(self, name: str) -> None:
        machine = self.machines[name]
        if machine.work is not None:
            machine.work.kill()
        skew = machine.skew_seconds
        self.machines[name] = self.open(name)
        self.machines[name].skew_seconds = skew

    def pusher(
        self, collection: str, content: Content, aliases: tuple[str, ...] = ()
    ) -> Callable[[Store], object]:
        self.pushed.add(content)

        def push(store: Store) -> object:
            artifact = art.Artifact(collection, "dataset")
            for path in sorted(content):
                if path in TABLE_PATHS:
                    rows = [[i, path * i] for i in range(5)]
                    if path == "t1":
                        rows.append([9, "more"])
                    artifact.add(art.Table(columns=["n", "s"], data=rows), path)
                else:
                    with artifact.new_file(path, "wb") as file:
                        file.write(bytes_of(path))
            return store.log_artifact(artifact, aliases=list(aliases))

        return push

    def collector(
        self,
        *,
        grace_seconds: float,
        repack_above: float = 0.5,
        window_seconds: float | None = None,
        purged_too: bool = False,
    ) -> Callable[[Store], GarbageReport]:
        """Gc with the window of this world, or a longer one."""
        window = self.window if window_seconds is None else window_seconds
        return lambda store: store.collect_garbage(
            grace=timedelta(seconds=grace_seconds),
            restore_window=timedelta(seconds=window),
            repack_above=repack_above,
            force=True,
            purged_too=purged_too,
        )

    # what must be true ----------------------------------------------------------------

    def states(self) -> list[CollectionState]:
        """All collections as a stranger sees them."""
        os.environ["ARTSTORE_CACHE_DIR"] = str(self.base / "stranger")
        catalog = open_at("memory://gc", self.memory)._place().catalog
        found = []
        for project in catalog.projects():
            for name in catalog.collections(project):
                state = catalog.state_or_none(project, name)
                if state is not None:
                    found.append(state)
        return found

    def check(self) -> None:
        """All that lives, and all that can be restored, is there to the byte."""
        if not self.memory_has_store():
            return
        packs = PackReader(self.memory)
        for state in self.states():
            times = {
                n: info.modified_seconds
                for n, info in listed_entries(
                    self.memory, f"collections/{state.project}/{state.name}/"
                )
            }
            for version in state.versions.values():
                gone = version.deleted
                if gone is None or (
                    not gone.is_purged and self.clock.seconds - times[gone.n] < self.window
                ):
                    self.check_version(state, version, packs)

    def memory_has_store(self) -> bool:
        return any(True for _ in self.memory.scan("collections/"))

    def check_version(
        self, state: CollectionState, version: VersionState, packs: PackReader
    ) -> None:
        label = f"{state.name}:v{version.version} {'live' if version.is_live else 'restorable'}"
        try:
            manifest = Manifest.open(self.memory, packs, version.root)
            if version.meta is not None:
                Manifest.open(self.memory, packs, version.meta)
            found = self.read(manifest, packs)
        except ArtstoreError as error:
            raise AssertionError(f"{label}: {error.message}") from error
        paths = frozenset(path.removesuffix(".parquet") for path, _ in found)
        assert paths in self.pushed, f"{label} has {sorted(paths)}, which nobody pushed"
        for path, digest in found:
            assert self._digests.setdefault(path, digest) == digest, (label, path)
        before = self.known.setdefault((state.name, version.version), found)
        assert before == found, f"{label} was {sorted(before)} and is {sorted(found)}"

    def read(self, manifest: Manifest, packs: PackReader) -> frozenset[tuple[str, str]]:
        found = set()
        for entry in manifest.entries():
            if entry.kind == FILE:
                hasher = Hasher()
                for data in packs.chunks(manifest.chunks(entry)):
                    hasher.update(data)
                assert hasher.digest() == entry.digest, entry.path
            else:
                assert entry.kind == TABLE
            found.add((entry.path, entry.digest.hex()))
        for _, fragment in version_fragments(manifest, packs):
            self.memory.stat(fragment.key)
        return frozenset(found)

    # the end --------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody ends what he does; gc runs until nothing is left to be done."""
        for name in self.machines:
            self.go_on(name)
        os.environ["ARTSTORE_CACHE_DIR"] = str(self.base / "last")
        storage = StallingStorage(self.memory, self.clock)
        store = open_at("memory://gc", storage)
        if not self.memory_has_store():
            return
        for _ in range(12):
            self.clock.seconds += GRACE_SECONDS + WINDOW_SECONDS + 5
            report = self.collector(grace_seconds=GRACE_SECONDS)(store)
            if report.plan is not None and report.plan.number is None:
                break
        else:
            raise AssertionError(f"gc finds something each time: {report.plan}")
        self.check()
        report = store.collect_garbage(
            dry_run=True,
            grace=timedelta(seconds=0),
            restore_window=timedelta(seconds=self.window),
            force=True,
        )
        assert report.plan is not None
        left = [kind for kind in report.plan.kinds if kind.kind != "upkeep"]
        assert not left, left
        assert report.plan.young_bytes == 0
        problems = store.check(read_data=1.0).problems
        assert not problems, problems

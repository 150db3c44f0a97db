"""A store in memory with every kind of value, and gc run on it."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

import artstore as art
from artstore import limits
from artstore.api import Store
from artstore.errors import StateError
from artstore.garbage.records import GarbageReport
from artstore.manifests.writer import ManifestWriter
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.tables.table import Table
from tests.trees import noise, open_at

NOTHING = timedelta(0)
LARGE_BYTES = 12 * limits.MIB


def draft(name: str, files: dict[str, bytes]) -> art.Artifact:
    made = art.Artifact(name, "dataset")
    for path, data in files.items():
        with made.new_file(path, "wb") as file:
            file.write(data)
    return made


def log(store: Store, name: str, files: dict[str, bytes]) -> art.LoggedArtifact:
    return store.log_artifact(draft(name, files))


def values_of(storage: Storage) -> dict[str, bytes]:
    """Everything but the values by which gc learns what time it is."""
    return {
        info.key: storage.read(info.key)
        for info in storage.scan("")
        if not info.key.startswith("upkeep/clock/")
    }


def in_memory(values: dict[str, bytes]) -> MemoryStorage:
    storage = MemoryStorage("x")
    for key, data in values.items():
        storage.create(key, data)
    return storage


def opened(storage: Storage) -> Store:
    """As a machine that has never seen it."""
    return open_at("memory://x", storage)


@cache
def every_kind() -> dict[str, bytes]:
    """Versions with segments and chunk lists in packs, tables, links; some are deleted."""
    storage = MemoryStorage("x")
    store = opened(storage)
    with pytest.MonkeyPatch.context() as patch:
        # Many segments, and lists of segments above them.
        patch.setattr(limits, "SEGMENT_TARGET_COUNT", 8)
        patch.setitem(ManifestWriter.__init__.__kwdefaults__, "inline_bytes", 0)
        patch.setitem(ManifestWriter.__init__.__kwdefaults__, "root_segments", 12)
        many = {f"f{number:04}": b"%d" % number for number in range(300)}
        log(store, "many", many)
        log(store, "many", many | {"new": b"new"})
        log(store, "large", {"model": noise(LARGE_BYTES, 1)})
    log(store, "ds", {"a": noise(900, 1), "b": noise(40_000, 2)})
    log(store, "ds", {"a": noise(900, 1), "c": noise(50_000, 3)})
    log(store, "ds", {"a": noise(900, 1), "c": noise(50_000, 3), "d": b""})
    first = store.artifact("ds:v1")
    first.description = "said later"
    first.save()
    for rows in (100, 150):
        table = art.Artifact("table", "dataset")
        table.add(Table(data={"id": list(range(rows))}), "t")
        store.log_artifact(table)
    store.artifact("ds:v0").link("held")
    store.delete("ds:v0")
    log(store, "gone", {"x": noise(30_000, 9)})
    log(store, "gone", {"y": noise(3000, 9)})
    store.delete("gone:v0")
    return values_of(storage)


@cache
def planned() -> dict[str, bytes]:
    """The same with a plan that waits for its sweep, and a version made since."""
    storage = in_memory(every_kind())
    report = collect(opened(storage))
    assert report.plan is not None
    assert report.plan.number == 0
    store = opened(storage)
    log(store, "ds", {"a": noise(900, 1), "later": noise(2000, 4)})
    return values_of(storage)


def collect(store: Store, *, dry_run: bool = False) -> GarbageReport:
    """Without any patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
        return store.collect_garbage(
            grace=NOTHING, restore_window=NOTHING, dry_run=dry_run, force=True
        )


def collect_all(store: Store) -> None:
    for _ in range(3):
        collect(store)


def refusal(storage: Storage, store: Store | None = None) -> StateError:
    """
    Why gc refuses, twice: to plan or to sweep, and to tell what it would do.

    Nothing may have changed but for fences, with which a sweep begins.
    """
    store = store or opened(storage)
    before = values_of(storage)
    with pytest.raises(StateError) as told:
        collect(store, dry_run=True)
    assert told.value.code == "gc-refused"
    with pytest.raises(StateError) as raised:
        collect(store)
    error = raised.value
    assert error.code == "gc-refused"
    assert error.context["cause"]
    after = values_of(storage)
    assert {key: after.get(key) for key in before} == before
    has_plan = any(key.startswith("upkeep/0") for key in before)
    added = {key for key in after if key not in before}
    assert not added or has_plan, added
    assert all(key.startswith("collections/") for key in added), added
    return error


def keys(storage: Storage, prefix: str) -> list[str]:
    return [info.key for info in storage.scan(prefix)]


def replaced(storage: Storage, key: str, data: bytes) -> None:
    storage.delete([key])
    storage.create(key, data)


def flipped(storage: Storage, key: str) -> None:
    data = bytearray(storage.read(key))
    data[len(data) // 3] ^= 4
    replaced(storage, key, bytes(data))

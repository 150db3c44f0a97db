"""
A store with every kind of value, and what may happen to one.

`pristine` makes it once; a test damages a copy, and compares with the pristine one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from artstore import limits
from artstore.api import Store
from artstore.artifact import Artifact
from artstore.catalog.format import entry_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.tables.table import Table
from tests.trees import EMPTY, File, Symlink, Tree, build, keys_of, noise, open_at, push
from tests.unit.catalog.logs import LogWriter

FIRST: Tree = {
    "a": File(noise(900, 1)),
    "b": File(b"compresses well " * 200),
    "c": File(noise(40_000, 2), executable=True),
    "empty": EMPTY,
    "l": Symlink("a"),
    "zero": File(b""),
}
SECOND: Tree = {**FIRST, "new": File(noise(500, 4))}
LARGE: Tree = {"large": File(noise(11 * limits.MIB, 3))}
MANY: Tree = {f"f{number:04}": File(b"%d" % number) for number in range(1200)}
TREES = {"ds": SECOND, "large": LARGE, "many": MANY}
LOG = "collections/p/ds/"


@dataclass(frozen=True)
class Pristine:
    """A store, the directories that were pushed, and the cache and state of who pushed them."""

    store: Path
    machine: Path

    def values(self) -> dict[str, bytes]:
        return values_of(LocalStorage(self.store))


def make(base: Path) -> Pristine:
    """Write it, as the machine whose files lie in `base`."""
    with on_machine(base), pytest.MonkeyPatch.context() as patch:
        # Segments and chunk lists get into packs.
        patch.setattr(limits, "INLINE_SEGMENTS_BYTES", 10_000)
        store = open_at(base / "store")
        push(store, build(base / "first", FIRST), aliases=["best"])
        push(store, build(base / "ds", SECOND), aliases=["best"])
        push(store, base / "ds", metadata={"k": "v"})
        push(store, build(base / "large", LARGE), name="large")
        push(store, build(base / "many", MANY), name="many")
        for number in range(62):
            store.set_aliases(f"ds:v{number % 2}", add=["here"])
        push_table(store)
        writer = LogWriter(LocalStorage(base / "store", sync=False), prefix=UPKEEP_PREFIX)
        writer.add("plan", k=0, condemned=[], condemned_in=[])
        writer.add("prune")
        for name in TREES:
            store.artifact(name).download(base / "out" / name)
        assert not store.check(read_data=1.0).problems
    return Pristine(base / "store", base)


def push_table(store: Store) -> None:
    """A table of two fragments."""
    draft = Artifact("table", "dataset")
    draft.add(Table(data={"id": list(range(100))}), "one")
    draft.add(Table(data={"id": list(range(50))}), "two")
    store.log_artifact(draft)


@contextmanager
def on_machine(directory: Path) -> Iterator[None]:
    """Be the machine whose cache and notes lie there; an empty one has seen nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSTORE_CACHE_DIR", str(directory / "cache"))
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        yield


def values_of(storage: Storage) -> dict[str, bytes]:
    return {key: storage.read(key) for key in keys_of(storage)}


def in_memory(values: dict[str, bytes], name: str = "x") -> MemoryStorage:
    storage = MemoryStorage(name)
    for key, data in values.items():
        storage.create(key, data)
    return storage


# --- what is damaged, and how -----------------------------------------------------------


def packs_of(pristine: Pristine, name: str) -> list[str]:
    """Keys of the packs that the newest version of a name leads to, its first files' first."""
    from artstore.packs.locator import pack_key

    artifact = open_at(pristine.store).artifact(name)
    chunks = [pack_key(ref.pack) for entry in artifact.entries() for ref in entry.chunks]
    segments = [pack_key(ref.pack) for ref in artifact._logged().manifest().segment_refs()]
    return list(dict.fromkeys([*chunks, *segments]))


def targets(pristine: Pristine) -> dict[str, tuple[str, str]]:
    """By what it is: a key, and another of its kind to be swapped with."""
    storage = LocalStorage(pristine.store)
    newest = keys_of(storage, f"{LOG}0")[-1]
    last = int(newest.rpartition("/")[2])
    manifests, index = keys_of(storage, "manifests/"), keys_of(storage, "index/")
    one, two = keys_of(storage, "fragments/")
    live = open_at(pristine.store).artifact("ds")._logged().version
    data = packs_of(pristine, "ds")
    lists = packs_of(pristine, "large")
    segments = packs_of(pristine, "many")
    return {
        "identity": ("artstore.json", newest),
        "first entry": (entry_key(LOG, 0), entry_key(LOG, 1)),
        "entry of a version": (entry_key(LOG, 2), entry_key(LOG, 4)),
        "entry below the newest": (entry_key(LOG, last - 1), entry_key(LOG, 1)),
        "newest entry": (newest, entry_key(LOG, last - 7)),
        "upkeep entry": ("upkeep/000000000000", "upkeep/000000000001"),
        "newest upkeep entry": ("upkeep/000000000001", "upkeep/000000000000"),
        "rollup": (f"{LOG}rollups/1-000000000000", newest),
        "pack of files": (data[0], data[-1]),
        "pack of chunk lists": (lists[0], data[0]),
        "pack of segments": (segments[-1], lists[0]),
        "root": (live.root, next(key for key in manifests if key != live.root)),
        "fragment": (one, two),
        "description": (str(live.meta), live.root),
        "index segment": (index[0], index[1]),
    }


def replace(storage: Storage, key: str, data: bytes) -> None:
    storage.delete([key])
    storage.create(key, data)


def truncate(storage: Storage, key: str, _other: str) -> None:
    data = storage.read(key)
    replace(storage, key, data[: len(data) // 2])


def flip(storage: Storage, key: str, _other: str) -> None:
    data = bytearray(storage.read(key))
    data[len(data) // 3] ^= 4
    replace(storage, key, bytes(data))


def empty(storage: Storage, key: str, _other: str) -> None:
    replace(storage, key, b"")


def delete(storage: Storage, key: str, _other: str) -> None:
    storage.delete([key])


def swap(storage: Storage, key: str, other: str) -> None:
    first, second = storage.read(key), storage.read(other)
    replace(storage, key, second)
    replace(storage, other, first)


Damage = Callable[[Storage, str, str], None]
DAMAGES: dict[str, Damage] = {
    "truncated": truncate,
    "flipped": flip,
    "emptied": empty,
    "deleted": delete,
    "swapped": swap,
}
KINDS = (
    "identity",
    "first entry",
    "entry of a version",
    "entry below the newest",
    "newest entry",
    "upkeep entry",
    "newest upkeep entry",
    "rollup",
    "pack of files",
    "pack of chunk lists",
    "pack of segments",
    "fragment",
    "root",
    "description",
    "index segment",
)
ADVISORY = ("rollup", "index segment")


def no_machine(directory: Path) -> Path:
    """A machine that has seen nothing."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.makedirs(directory / "cache")
    return directory

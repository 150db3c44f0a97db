"""
Who may write, and may not delete, causes no deletion before the restore window is over.

Entries of gc's log and moved records are values that anybody who may write can make up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.catalog.format import entry_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.errors import DeniedError, StateError
from artstore.garbage.storetime import store_now
from artstore.packs.locator import pack_id_of_key
from artstore.packs.moved import ChunkPlace, encode_moved, moved_key, moved_name
from artstore.storage.memory import MemoryStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage
from tests.trees import noise, open_at
from tests.unit.catalog.logs import LogWriter
from tests.unit.garbage.collected import keys, log

NOW = timedelta(0)
Machine = Callable[[str], Store]


@pytest.fixture(autouse=True)
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage("x")


@pytest.fixture
def machine(storage: MemoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Opens the store as one of several machines, each with a cache of its own."""

    def open_there(name: str) -> Store:
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / name))
        return open_at("memory://x", storage)

    return open_there


def collect(store: Store, *, window: timedelta = timedelta(days=7), **options: bool) -> None:
    store.collect_garbage(grace=NOW, restore_window=window, force=True, **options)


def fill(store: Store) -> dict[str, bytes]:
    files = {f"f{number}": noise(30_000, number) for number in range(6)}
    log(store, "ds", files)
    return files


def is_whole(store: Store, name: str, files: dict[str, bytes]) -> bool:
    version = store.artifact(name)
    return {path: version.read(path) for path in files} == files


def write_plan(storage: Storage, condemned: Iterable[str], *more: tuple[str, dict]) -> None:
    """A plan as an enemy makes it: of a store that was empty when it was made."""
    lines = "upkeep/condemned/00000000000000ff"
    storage.create(lines, b"")
    log = LogWriter(storage, UPKEEP_PREFIX)
    log.add("plan", k=0, condemned=list(condemned), condemned_in=[], heads_in=[lines])
    for kind, fields in more:
        log.add(kind, **fields)


def content(storage: Storage) -> list[str]:
    prefixes = ("packs/", "manifests/", "fragments/", "moved/")
    return [key for prefix in prefixes for key in keys(storage, prefix)]


def test_a_plan_that_condemns_what_lives_deletes_nothing(
    storage: MemoryStorage, machine: Machine
) -> None:
    store = machine("good")
    files = fill(store)
    log(store, "ds", {"other": noise(30_000, 99)})
    store.delete("ds:v1")
    before = content(storage)
    write_plan(storage, before)
    collect(machine("good"))
    assert content(storage) == before
    assert 0 in machine("good")._place().catalog.upkeep_state().done
    assert is_whole(machine("good"), "ds:v0", files)
    machine("good").restore("ds:v1")


def test_a_record_of_a_sweep_that_spares_nothing_is_not_believed(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("good"))
    before = content(storage)
    write_plan(storage, before, ("sweep", {"plan": 0, "spared": []}))
    collect(machine("good"))
    assert content(storage) == before
    assert is_whole(machine("good"), "ds:v0", files)


def test_a_made_up_sweep_of_what_can_be_restored_is_held_until_somebody_ends_it(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("good"))
    log(machine("good"), "ds", {"other": noise(30_000, 99)})
    machine("good").delete("ds:v0")
    before = content(storage)
    write_plan(storage, before, ("sweep", {"plan": 0, "spared": []}))
    for _ in range(2):
        collect(machine("good"))
    assert content(storage) == before
    machine("good").collect_garbage(give_up=0)
    machine("good").restore("ds:v0")
    collect(machine("good"))
    assert is_whole(machine("good"), "ds:v0", files)


def test_keys_that_are_no_content_are_never_deleted(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("good"))
    before = [info.key for info in storage.scan("")]
    write_plan(storage, [key for key in before if not key.startswith(("index/", "upkeep/"))])
    collect(machine("good"))
    assert set(before) <= {info.key for info in storage.scan("")}
    assert is_whole(machine("good"), "ds:v0", files)


@pytest.mark.parametrize("line", ["no head", "1 ff collections/p/ds/", "-1 " + "0" * 64 + " x"])
def test_a_plan_that_tells_no_history_ends_undone(
    storage: MemoryStorage, machine: Machine, line: str
) -> None:
    files = fill(machine("good"))
    before = content(storage)
    lines = "upkeep/condemned/00000000000000ff"
    storage.create(lines, f"{line}\n".encode())
    log = LogWriter(storage, UPKEEP_PREFIX)
    log.add("plan", k=0, condemned=before, condemned_in=[], heads_in=[lines])
    collect(machine("good"))
    assert content(storage) == before
    assert 0 in machine("good")._place().catalog.upkeep_state().done
    assert is_whole(machine("good"), "ds:v0", files)


def moved_elsewhere(storage: Storage, machine: Machine) -> tuple[dict[str, bytes], bytes]:
    """Files that live in a pack that was repacked and is gone: they, and the new pack."""
    store = machine("good")
    files = fill(store)
    kept = {path: files[path] for path in ("f1", "f4")}
    log(store, "ds", kept)
    store.delete("ds:v0")
    before = set(keys(storage, "packs/"))
    collect(store, window=NOW)
    collect(machine("good"), window=NOW)
    assert is_whole(machine("good"), "ds:v1", kept)
    (new,) = set(keys(storage, "packs/")) - before
    return kept, pack_id_of_key(new)


def record(storage: Storage, pack: bytes, target: bytes, count: int) -> str:
    """A record that says that all chunks of a pack are the first one of another."""
    key = moved_key(pack, moved_name(int(store_now(storage)) + 1_000, bytes(8)))
    moves = [(ordinal, ChunkPlace(target, 0, 8)) for ordinal in range(count)]
    storage.create(key, encode_moved(pack, moves))
    return key


def test_a_made_up_record_does_not_make_a_pack_of_another_garbage(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("good"))
    log(machine("good"), "other", {"x": noise(40_000, 50)})
    packs = {pack_id_of_key(key): storage.stat(key).size_bytes for key in keys(storage, "packs/")}
    target, pack = sorted(packs, key=packs.__getitem__)
    false = record(storage, pack, target, 10)
    write_plan(storage, [key for key in keys(storage, "packs/") if pack_id_of_key(key) == pack])
    before = keys(storage, "packs/")
    collect(machine("good"))
    assert keys(storage, "packs/") == before
    assert is_whole(machine("good"), "ds:v0", files)
    # A pack that is there is never looked up; the record goes when it is old.
    collect(machine("good"))
    collect(machine("good"))
    assert false not in keys(storage, "moved/")


def test_a_made_up_record_of_a_pack_that_is_gone_leaves_the_true_one_its_content(
    storage: MemoryStorage, machine: Machine
) -> None:
    kept, new = moved_elsewhere(storage, machine)
    gone = pack_id_of_key_of_record(keys(storage, "moved/")[0])
    log(machine("good"), "other", {"x": noise(40_000, 50)})
    other = next(p for p in map(pack_id_of_key, keys(storage, "packs/")) if p != new)
    false = record(storage, gone, other, 10)
    for _ in range(3):
        collect(machine("good"), window=NOW)
    assert new in map(pack_id_of_key, keys(storage, "packs/"))
    storage.delete([false])
    assert is_whole(machine("reader"), "ds:v1", kept)


def pack_id_of_key_of_record(key: str) -> bytes:
    digest, _, push = key.split("/")[2].partition("-")
    return bytes.fromhex(digest + push)


def test_a_plan_of_another_machine_frees_what_it_repacked(
    storage: MemoryStorage, machine: Machine
) -> None:
    store = machine("one")
    files = fill(store)
    kept = {path: files[path] for path in ("f1", "f4")}
    log(store, "ds", kept)
    store.delete("ds:v0")
    size = sum(info.size_bytes for info in storage.scan("packs/"))
    collect(store, window=NOW)
    collect(machine("two"), window=NOW)
    assert sum(info.size_bytes for info in storage.scan("packs/")) < size / 2
    assert is_whole(machine("three"), "ds:v1", kept)


def test_a_purge_has_the_restore_window_unless_it_is_said_otherwise(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("writer"))
    log(machine("writer"), "ds", {"f0": files["f0"]})
    before = content(storage)
    machine("writer").purge("ds:v0", grace=NOW)
    for _ in range(2):
        collect(machine("good"))
    assert set(before) <= set(content(storage))
    for _ in range(2):
        collect(machine("good"), purged_too=True)
    assert not any(noise(30_000, 3)[:500] in storage.read(key) for key in keys(storage, "packs/"))
    assert is_whole(machine("good"), "ds:v1", {"f0": files["f0"]})


class Undeletable(PassingStorage):
    """A storage as credentials without the right to delete see it."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    @property
    def inner(self) -> Storage:
        return self._inner

    def delete(self, keys: Iterable[str]) -> None:
        raise DeniedError(f"delete {next(iter(keys))} is forbidden", code="storage-denied")


def test_credentials_that_may_not_delete_do_all_but_delete(
    storage: MemoryStorage, machine: Machine, tmp_path: Path
) -> None:
    files = fill(machine("writer"))
    writer = open_at("memory://x", Undeletable(storage))
    log(writer, "ds", {"new": noise(100, 7)})
    writer.delete("ds:v0")
    writer.restore("ds:v0")
    log(writer, "ds", {"newer": noise(100, 8)})
    writer.delete("ds:v1")
    before = set(content(storage))
    collect(writer, window=NOW)
    with pytest.raises(StateError) as refused:
        collect(writer, window=NOW)
    assert (refused.value.code, refused.value.context["cause"]) == ("gc-refused", "storage-denied")
    assert before <= set(content(storage))
    collect(machine("good"), window=NOW)
    assert not before <= set(content(storage))
    assert is_whole(machine("good"), "ds:v0", files)
    assert storage.stat(entry_key(UPKEEP_PREFIX, 2))

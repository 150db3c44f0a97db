"""Push: what it asks of the storage, in which order, and what it refuses."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import artstore as art
from artstore import limits
from artstore.api import Store
from artstore.catalog.requests import FenceRequest
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.clock import use
from artstore.errors import AlreadyExistsError, ConflictError, InvalidInputError, UnavailableError
from artstore.packs.locator import pack_key
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.protocol import Value
from artstore.testing.faults import FaultPlan, FaultyStorage
from tests.trees import (
    EMPTY,
    File,
    LaterClock,
    Symlink,
    build,
    keys_of,
    noise,
    observe,
    open_at,
    problems_of,
    push,
    put,
)
from tests.unit.catalog.logs import LogWriter

TREE = {
    "a.txt": File(b"hello"),
    "big": File(noise(600_000)),
    "empty": EMPTY,
    "link": Symlink("a.txt"),
    "nothing": File(b""),
    "run.sh": File(b"#!/bin/sh\n", executable=True),
}


@pytest.fixture(autouse=True)
def later() -> Iterator[None]:
    """Files written just now are old enough for the stat cache."""
    with use(LaterClock()):
        yield


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return build(tmp_path / "source", TREE)


def counts(metered: MeteredStorage) -> dict[str, int]:
    return {name: count.calls for name, count in metered.snapshot().items() if count.calls}


# --- what a push costs --------------------------------------------------------------


def test_an_unchanged_push_is_one_scan_and_nothing_else(source: Path) -> None:
    storage = MemoryStorage()
    push(open_at("/some/store", storage), source)
    metered = MeteredStorage(storage)
    # At a path: the machine remembers what it saw of it.
    store = open_at("/some/store", metered)
    assert store.id
    metered.reset()
    logged = push(store, source)
    assert not logged.push.is_new
    assert logged.push.read_bytes == 0
    assert counts(metered) == {"scan": 1}


def test_an_unchanged_push_asks_no_more_without_the_stat_cache(source: Path) -> None:
    storage = MemoryStorage()
    push(open_at("memory://x", storage), source)
    for file in Path(os.environ["ARTSTORE_CACHE_DIR"]).glob("stat-*"):
        file.unlink()
    metered = MeteredStorage(storage)
    logged = push(open_at("memory://x", metered), source)
    assert not logged.push.is_new
    assert logged.push.stored_bytes == 0
    assert "create" not in counts(metered)


def test_a_first_push_creates_pack_root_index_and_two_entries(source: Path) -> None:
    metered = MeteredStorage(MemoryStorage())
    store = open_at("memory://x", metered)
    store.create()
    metered.reset()
    push(store, source)
    assert metered.snapshot()["create"].items == 5


def test_a_small_change_stores_the_change_and_reads_only_that(source: Path) -> None:
    storage = MemoryStorage()
    push(open_at("memory://x", storage), source)
    put(source, "a.txt", File(b"hello again"))
    metered = MeteredStorage(storage)
    logged = push(open_at("memory://x", metered), source)
    assert logged.push.read_bytes == len(b"hello again")
    assert metered.snapshot()["create"].items == 4
    assert metered.snapshot()["create"].size_bytes < 4_000


def test_an_insertion_in_a_large_file_stores_a_few_chunks(tmp_path: Path) -> None:
    data = noise(8 * limits.MIB)
    source = build(tmp_path / "source", {"model": File(data)})
    store = open_at("memory://x", MemoryStorage())
    push(store, source)
    put(source, "model", File(data[: 2 * limits.MIB] + b"inserted" + data[2 * limits.MIB :]))
    assert push(store, source).push.stored_bytes < limits.MIB


def test_a_renamed_or_copied_file_is_not_stored_again(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, source)
    (source / "big").rename(source / "moved")
    put(source, "copy", TREE["big"])
    logged = push(store, source)
    assert logged.push.stored_bytes < 3_000
    assert logged.read("moved") == logged.read("copy") == noise(600_000)


def test_another_artifact_of_the_project_shares_chunks(source: Path) -> None:
    storage = MemoryStorage()
    push(open_at("memory://x", storage), source)
    logged = push(open_at("memory://x", storage), source, name="other")
    assert logged.push.is_new
    assert logged.push.stored_bytes < 3_000
    assert problems_of(open_at("memory://x", storage)) == []


def test_equal_files_of_one_push_are_stored_once(tmp_path: Path) -> None:
    tree = {f"copy-{i}": File(noise(100_000)) for i in range(20)}
    store = open_at("memory://x", MemoryStorage())
    assert push(store, build(tmp_path / "source", tree)).push.stored_bytes < 110_000


# --- O1: the entry comes last ---------------------------------------------------------


class OrderStorage(MemoryStorage):
    """Notes when creates begin and when they return; content takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0
        self.open_at_entry: list[int] = []
        self.order_lock = threading.Lock()
        self.entry_waits = threading.Event()

    def create(self, key: str, value: Value) -> None:
        with self.order_lock:
            if key.startswith("collections/"):
                self.open_at_entry.append(self.open)
            self.open += 1
        if key.startswith(("packs/", "index/", "manifests/")):
            # Were the entry not to wait, it would come now.
            self.entry_waits.wait(0.02)
        super().create(key, value)
        with self.order_lock:
            self.open -= 1


def test_no_log_entry_is_created_before_every_other_create_returned(source: Path) -> None:
    storage = OrderStorage()
    push(open_at("memory://x", storage), source)
    put(source, "new", File(noise(50_000, 7)))
    push(open_at("memory://x", storage), source)
    assert storage.open_at_entry == [0, 0, 0]


def test_a_failed_upload_publishes_nothing(source: Path) -> None:
    inner = MemoryStorage()
    store = open_at("memory://x", FaultyStorage(inner, FaultPlan(full_at=2)))
    with pytest.raises(art.DeniedError) as raised:
        push(store, source)
    assert raised.value.code == "storage-full"
    assert keys_of(inner, "collections/") == []


# --- the same push again ----------------------------------------------------------------


def version_names(storage: MemoryStorage) -> list[int]:
    return [version.version for version in open_at("memory://x", storage).versions("ds")]


def entry_creates(source: Path) -> range:
    """Numbers of the mutating calls of a first push."""
    counting = FaultyStorage(MemoryStorage())
    push(open_at("memory://x", counting), source)
    return range(counting.mutation_count)


def test_any_lost_answer_leaves_one_version(source: Path) -> None:
    for number in entry_creates(source):
        inner = MemoryStorage()
        plan = FaultPlan(lose_answer_at=frozenset({number}))
        store = open_at("memory://x", FaultyStorage(inner, plan))
        try:
            push(store, source)
        except UnavailableError:
            push(store, source)
        assert version_names(inner) == [0]
        assert problems_of(open_at("memory://x", inner)) == []


def test_a_push_whose_answer_died_with_it_is_found_behind_anothers(source: Path) -> None:
    # C5: our entry landed, the answer was lost, we were killed; somebody published after it.
    inner = MemoryStorage()
    last = entry_creates(source)[-1]
    faulty = FaultyStorage(inner, FaultPlan(stop_at=last, stop_applied=True))
    with pytest.raises(BaseException, match="stopped at"):
        push(open_at("memory://x", faulty), source)
    assert version_names(inner) == [0]
    other = build(source.parent / "other", {"b": File(b"other")})
    os.environ["ARTSTORE_CACHE_DIR"] += "-of-another-machine"
    push(open_at("memory://x", inner), other)
    os.environ["ARTSTORE_CACHE_DIR"] = os.environ["ARTSTORE_CACHE_DIR"].removesuffix(
        "-of-another-machine"
    )
    logged = push(open_at("memory://x", inner), source)
    assert (logged.version, logged.push.is_new) == ("v0", True)
    assert version_names(inner) == [0, 1]


def test_same_content_gets_new_aliases_and_metadata_without_a_version(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, source, metadata={"k": 1}, description="first")
    logged = push(store, source, aliases=["best"], tags=["ok"], metadata={"k": 2})
    assert not logged.push.is_new
    found = store.artifact("ds:best")
    assert (found.version, found.tags, found.metadata) == ("v0", ["ok"], {"k": 2})
    assert found.description == "first"
    assert len(store.history("ds")) == 5
    push(store, source, aliases=["best"], tags=["ok"], metadata={"k": 2})
    assert len(store.history("ds")) == 5


def test_the_content_of_an_older_version_becomes_a_new_version(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    first = push(store, source)
    put(source, "a.txt", File(b"changed"))
    push(store, source)
    put(source, "a.txt", TREE["a.txt"])
    third = push(store, source)
    assert (third.version, third.digest) == ("v2", first.digest)
    assert third.push.stored_bytes < 3_000


def test_the_content_of_a_deleted_version_is_not_revived(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, source)
    store.delete("ds:v0")
    assert push(store, source).version == "v1"


def test_modes_and_kinds_make_new_versions(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    versions = [push(store, source).version]
    (source / "a.txt").chmod(0o755)
    versions.append(push(store, source).version)
    (source / "a.txt").unlink()
    (source / "a.txt").symlink_to("hello")
    versions.append(push(store, source).version)
    (source / "empty").rmdir()
    versions.append(push(store, source).version)
    assert versions == ["v0", "v1", "v2", "v3"]


# --- what is refused ----------------------------------------------------------------------


def test_nothing_to_push_is_refused_and_leaves_no_collection(tmp_path: Path) -> None:
    storage = MemoryStorage()
    with pytest.raises(InvalidInputError) as raised:
        push(open_at("memory://x", storage), build(tmp_path / "source", {}))
    assert raised.value.code == "nothing-to-push"
    assert keys_of(storage) == ["artstore.json"]


def test_a_type_is_fixed_by_the_first_version(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, source, type="model")
    for name in ("unchanged", "changed"):
        if name == "changed":
            put(source, "a.txt", File(b"new"))
        with pytest.raises(InvalidInputError) as raised:
            push(store, source, type="dataset")
        assert raised.value.code == "type-mismatch"
    assert push(store, source).type == "model"


def test_a_path_from_two_sources_is_refused(source: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "other", {"a.txt/x": File(b"")})
    for second, path in ((source, "a.txt"), (other, "a.txt")):
        with pytest.raises(InvalidInputError) as raised:
            push(open_at("memory://x", MemoryStorage()), source, second)
        assert raised.value.code == "path-twice"
        assert path in raised.value.message


# --- fences ------------------------------------------------------------------------------


def condemn(storage: MemoryStorage, keys: list[str]) -> int:
    """A plan of gc, written by hand."""
    writer = LogWriter(prefix=UPKEEP_PREFIX).continue_from(storage)
    number = writer.n
    writer.add("plan", k=number, condemned=sorted(keys), condemned_in=[])
    return number


def fence(store: Store, plan: int, name: str = "ds") -> None:
    store._place().catalog.commit("p", name, FenceRequest(plan))


def test_a_push_relies_on_the_live_parent_whatever_a_plan_says(source: Path) -> None:
    # What the collection names itself is spared by the sweep.
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    push(store, source)
    fence(store, condemn(storage, keys_of(storage, "packs/")))
    put(source, "a.txt", File(b"changed"))
    assert push(open_at("memory://x", storage), source).version == "v1"


class BeforeEntry(MemoryStorage):
    """Does something just before the entry with this number is created the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, object] = {}

    def create(self, key: str, value: Value) -> None:
        act = self.before.pop(key, None)
        if callable(act):
            act()
        super().create(key, value)


def key_of_entry(n: int, name: str = "ds") -> str:
    return f"collections/p/{name}/{n:012d}"


def test_a_parent_deleted_and_condemned_while_a_push_runs_aborts_it(source: Path) -> None:
    storage = BeforeEntry()
    store = open_at("memory://x", storage)
    push(store, source)
    put(source, "a.txt", File(b"changed"))
    gc = open_at("memory://x", storage)

    def sweep_begins() -> None:
        gc.delete("ds:v0")
        fence(gc, condemn(storage, keys_of(storage, "packs/")[:1]))

    packs = keys_of(storage, "packs/")
    assert len(packs) == 1
    storage.before[key_of_entry(2)] = sweep_begins
    with pytest.raises(ConflictError) as raised:
        push(store, source)
    assert raised.value.code == "content-condemned"
    assert [entry["kind"] for entry in gc.history("ds")] == ["create", "publish", "delete", "fence"]


def test_chunks_below_the_lists_of_a_large_file_are_relied_on_too(source: Path) -> None:
    # The pack of the lists may live on by another version's; that of the chunks is condemned.
    build(source, {"x": File(noise(16 * limits.MIB))})
    storage = BeforeEntry()
    store = open_at("memory://x", storage)
    entry = push(store, source).entry("x")
    assert entry.level
    lists = {pack_key(ref.pack) for ref in entry.chunks}
    chunks = sorted(set(keys_of(storage, "packs/")) - lists)
    put(source, "z", File(b"a new file beside unchanged ones"))
    gc = open_at("memory://x", storage)

    def sweep_begins() -> None:
        gc.delete("ds:v0")
        fence(gc, condemn(storage, chunks))

    storage.before[key_of_entry(2)] = sweep_begins
    with pytest.raises(ConflictError) as raised:
        push(store, source)
    assert raised.value.code == "content-condemned"


def test_own_packs_condemned_while_a_long_push_runs_abort_it(source: Path) -> None:
    storage = BeforeEntry()
    store = open_at("memory://x", storage)
    push(store, source)
    before = set(keys_of(storage))
    put(source, "new", File(noise(50_000, 9)))
    gc = open_at("memory://x", storage)

    def sweep_begins() -> None:
        mine = [key for key in keys_of(storage, "packs/") if key not in before]
        fence(gc, condemn(storage, mine))

    storage.before[key_of_entry(2)] = sweep_begins
    with pytest.raises(ConflictError) as raised:
        push(store, source)
    assert raised.value.code == "content-condemned"
    logged = push(open_at("memory://x", storage), source)
    assert logged.version == "v1"


def test_what_an_open_plan_condemns_is_not_taken_from_the_index(source: Path) -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    push(store, source)
    store.delete("ds:v0")
    condemn(storage, keys_of(storage, "packs/"))
    logged = push(open_at("memory://x", storage), source, name="other")
    assert logged.push.stored_bytes > 600_000


def test_a_pack_that_is_gone_is_not_taken_from_the_index(source: Path) -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    push(store, source)
    store.delete("ds:v0")
    storage.delete(keys_of(storage, "packs/"))
    logged = push(open_at("memory://x", storage), source, name="other")
    assert logged.push.stored_bytes > 600_000
    assert logged.read("big") == noise(600_000)


def test_a_damaged_index_costs_space_only(source: Path) -> None:
    storage = MemoryStorage()
    push(open_at("memory://x", storage), source)
    (key,) = keys_of(storage, "index/")
    data = bytearray(storage.read(key))
    data[len(data) // 2] ^= 1
    storage.delete([key])
    storage.create(key, bytes(data))
    logged = push(open_at("memory://x", storage), source, name="other")
    assert logged.push.stored_bytes > 600_000
    assert not open_at("memory://x", storage).verify("other").problems


def test_a_content_key_that_is_taken_by_others_is_an_error_not_a_success(source: Path) -> None:
    class Taken(MemoryStorage):
        def create(self, key: str, value: Value) -> None:
            if key.startswith("packs/"):
                super().create(key, b"what another wrote")
            super().create(key, value)

    with pytest.raises(AlreadyExistsError):
        push(open_at("memory://x", Taken()), source)


def test_a_pushed_directory_is_a_checkout_that_a_pull_may_update(source: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, source)
    put(source, "a.txt", File(b"changed"))
    push(store, source)
    store.artifact("ds:v0").download(source, into=False)
    assert observe(source) == TREE

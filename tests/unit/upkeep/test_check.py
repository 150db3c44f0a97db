"""Check: it reads all that is stored, believes nothing that it remembers, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.catalog.rollups import FAN_OUT
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.errors import CODES
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.trees import File, build, keys_of, noise, open_at, push, put
from tests.unit.catalog.logs import LogWriter

TREE = {"a": File(noise(40_000)), "b": File(b"b")}


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    storage = MemoryStorage()
    source = build(tmp_path / "source", TREE)
    push(open_at("/nowhere/x", storage), source)
    put(source, "a", File(noise(40_000, 1)))
    push(open_at("/nowhere/x", storage), source)
    return storage


def replace(storage: MemoryStorage, key: str, data: bytes) -> None:
    storage.delete([key])
    storage.create(key, data)


def found(storage: MemoryStorage, read_data: float | None = None) -> list[tuple[str, str]]:
    report = open_at("/nowhere/x", storage).check(read_data=read_data)
    return [(problem.key, problem.message) for problem in report.problems]


def test_a_sound_store_has_no_problems_and_everything_is_counted(storage: MemoryStorage) -> None:
    report = open_at("/nowhere/x", storage).check(read_data=1.0)
    assert report.problems == ()
    assert (report.checked_collections, report.checked_versions, report.checked_packs) == (1, 2, 2)
    assert report.read_bytes == sum(info.size_bytes for info in storage.scan("packs/"))


def test_a_check_changes_nothing_and_reads_data_only_if_told(storage: MemoryStorage) -> None:
    metered = MeteredStorage(storage)
    before = [(info.key, info.size_bytes) for info in storage.scan("")]
    report = open_at("/nowhere/x", metered).check()
    assert report.read_bytes == 0
    counts = metered.snapshot()
    assert counts["create"].calls == counts["delete"].calls == 0
    # Footers lie at the end of packs: a first look takes the last 64 KiB at most.
    assert counts["read"].size_bytes < 2 * 64 * 1024 + 10_000
    assert [(info.key, info.size_bytes) for info in storage.scan("")] == before


def test_damaged_data_is_found_only_by_reading_it(storage: MemoryStorage) -> None:
    key = max(keys_of(storage, "packs/"), key=lambda key: storage.stat(key).size_bytes)
    data = bytearray(storage.read(key))
    data[100] ^= 1
    replace(storage, key, bytes(data))
    assert found(storage) == []
    ((problem_key, message),) = found(storage, read_data=1.0)
    assert problem_key == key
    assert "chunk 0" in message


def test_a_part_of_the_data_is_a_part_of_the_packs(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore import clock

    fractions = iter([0.2, 0.8])
    monkeypatch.setattr(clock, "random_fraction", lambda: next(fractions))
    report = open_at("/nowhere/x", storage).check(read_data=0.5)
    assert 0 < report.read_bytes < sum(info.size_bytes for info in storage.scan("packs/"))


def test_damage_is_told_with_the_versions_and_files_that_it_hits(storage: MemoryStorage) -> None:
    store = open_at("/nowhere/x", storage)
    pack = store.artifact("ds:v0").entry("b").chunks[0].pack.hex()
    (key,) = (key for key in keys_of(storage, "packs/") if pack[:64] in key)
    data = bytearray(storage.read(key))
    data[8 + 40_000] ^= 1
    replace(storage, key, bytes(data))
    (problem,) = open_at("/nowhere/x", storage).check(read_data=1.0).problems
    assert problem.key == key
    assert problem.versions == ("p/ds:v0 b", "p/ds:v1 b")


@pytest.mark.parametrize("kind", ["packs/", "manifests/", "collections/"])
def test_a_value_of_no_sense_is_found(storage: MemoryStorage, kind: str) -> None:
    for key in keys_of(storage, kind):
        data = storage.read(key)
        replace(storage, key, b"nonsense")
        assert key in dict(found(storage))
        replace(storage, key, data)


def test_a_manifest_of_a_deleted_version_is_checked_too(storage: MemoryStorage) -> None:
    store = open_at("/nowhere/x", storage)
    root = store.artifact("ds:v0")._logged().version.root
    store.delete("ds:v0")
    replace(storage, root, storage.read(root)[:-1])
    assert [key for key, _ in found(storage)] == [root]


def test_metadata_written_later_is_checked(storage: MemoryStorage, tmp_path: Path) -> None:
    before = set(keys_of(storage))
    push(open_at("/nowhere/x", storage), tmp_path / "source", description="told later")
    (meta,) = (key for key in set(keys_of(storage)) - before if key.startswith("manifests/"))
    data = storage.read(meta)
    replace(storage, meta, data[:-1] + bytes([data[-1] ^ 1]))
    assert [key for key, _ in found(storage)] == [meta]
    storage.delete([meta])
    assert [key for key, _ in found(storage)] == [meta]


def test_a_log_that_disagrees_with_its_manifest_is_found(storage: MemoryStorage) -> None:
    store = open_at("/nowhere/x", storage)
    root = store.artifact("ds")._logged().version.root
    writer = LogWriter(prefix="collections/p/ds/").continue_from(storage)
    writer.publish(2, root=root, digest="0" * 64)
    assert {key for key, _ in found(storage)} == {root}


def test_holes_void_and_unknown_entries_are_told_by_their_key(storage: MemoryStorage) -> None:
    writer = LogWriter(prefix="collections/p/ds/").continue_from(storage)
    writer.add_raw(b"void")
    storage.create("collections/p/ds/000000000005", b'{"format":2}')
    assert [key.rpartition("/")[2] for key, _ in found(storage)] == [
        "000000000003",
        "000000000004",
        "000000000005",
    ]


def test_what_this_machine_remembers_does_not_hide_damage(storage: MemoryStorage) -> None:
    assert found(storage) == []
    key = "collections/p/ds/000000000001"
    data = storage.read(key)
    replace(storage, key, data.replace(b"root@", b"toor@") if b"root@" in data else data[:-1])
    assert key in dict(found(storage))


def test_a_log_that_was_replaced_by_another_is_found_by_who_remembers(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    # A sound log, a bucket restored from a backup: only the replica can tell.
    assert found(storage) == []
    other = MemoryStorage()
    push(open_at("memory://y", other), tmp_path / "source", message="another history")
    keys = [*keys_of(storage, "collections/"), *keys_of(storage, "manifests/")]
    storage.delete([*keys, *keys_of(storage, "packs/"), *keys_of(storage, "index/")])
    for key in keys_of(other):
        if key != "artstore.json":
            storage.create(key, other.read(key))
    assert [message.partition(":")[0] for _, message in found(storage)] == ["log-rolled-back"]


def test_rollups_are_compared_with_their_entries(storage: MemoryStorage) -> None:
    store = open_at("/nowhere/x", storage)
    for number in range(FAN_OUT):
        store.set_aliases(f"ds:v{number % 2}", add=["best"])
    (key,) = keys_of(storage, "collections/p/ds/rollups/")
    assert found(storage) == []
    data = bytearray(storage.read(key))
    data[1000] ^= 1
    replace(storage, key, bytes(data))
    assert [problem for problem, _ in found(storage)] == [key]


def test_the_log_of_gc_is_checked(storage: MemoryStorage) -> None:
    LogWriter(storage, prefix=UPKEEP_PREFIX).add("plan", k=0, condemned=[], condemned_in=[])
    assert found(storage) == []
    storage.create("upkeep/000000000002", b"behind a hole")
    assert [key for key, _ in found(storage)] == ["upkeep/000000000001", "upkeep/000000000002"]


def test_a_damaged_index_is_told_to_be_advisory(storage: MemoryStorage) -> None:
    key = keys_of(storage, "index/")[0]
    replace(storage, key, b"nonsense")
    ((problem, message),) = found(storage)
    assert problem == key
    assert "advisory" in message


@pytest.mark.parametrize("how", ["cut", "gone", "flipped"])
def test_every_problem_says_what_happened_by_a_code(storage: MemoryStorage, how: str) -> None:
    seen = set()
    for key in keys_of(storage):
        if key == "artstore.json":
            continue
        data = storage.read(key)
        storage.delete([key])
        if how != "gone":
            changed = data[:-1] if how == "cut" else bytes([data[0] ^ 1]) + data[1:]
            storage.create(key, changed)
        problems = open_at("/nowhere/x", storage).check(read_data=1.0).problems
        seen |= {problem.code for problem in problems}
        storage.delete([key])
        storage.create(key, data)
    assert len(seen) > 2
    assert seen <= CODES.keys()

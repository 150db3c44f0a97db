"""Check, repair and usage of a store in which packs were moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore import limits
from artstore.api import Store
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.manifests.writer import ManifestWriter
from artstore.packs.format import HEADER
from artstore.packs.locator import pack_id_of_key
from artstore.packs.moved import ChunkPlace, decode_moved, encode_moved, moved_key
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage, open_memory
from artstore.storage.protocol import Storage
from tests.faults.damage import values_of
from tests.trees import File, build, keys_of, noise, open_at, problems_of, push, put
from tests.unit.catalog.logs import LogWriter
from tests.unit.garbage.collected import log, opened
from tests.unit.garbage.repacked import repacked
from tests.unit.packs.moving import delete, name_of

TREE = {"a": File(noise(40_000, 1)), "b": File(noise(30_000, 2)), "c": File(b"c" * 900)}


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    """v0 is deleted, v1 and v2 live in packs that were repacked."""
    storage = MemoryStorage()
    source = build(tmp_path / "source", TREE)
    push(at(storage), source)
    put(source, "a", File(noise(40_000, 3)))
    push(at(storage), source)
    put(source, "b", File(noise(30_000, 4)))
    push(at(storage), source)
    at(storage).delete("ds:v0")
    return storage


def at(storage: Storage) -> Store:
    return open_at("/nowhere/x", storage)


def replace(storage: Storage, key: str, data: bytes) -> None:
    storage.delete([key])
    storage.create(key, data)


def hits(storage: Storage) -> dict[str, tuple[str, ...]]:
    return {p.key: p.versions for p in at(storage).check(read_data=1.0).problems}


def copied(storage: Storage, name: str) -> str:
    """The URL of a second store with the same values."""
    copy = open_memory(name)
    copy.delete(keys_of(copy))
    for key, value in values_of(storage).items():
        copy.create(key, value)
    return f"memory://{name}"


# check -------------------------------------------------------------------------------


def test_packs_that_were_moved_are_no_problem(storage: MemoryStorage) -> None:
    before = at(storage).usage("ds")
    repacked(at(storage))
    assert problems_of(at(storage)) == []
    after = at(storage).usage("ds")
    assert (after.stored_bytes, after.unique_bytes) == (before.stored_bytes, before.unique_bytes)


def test_chunks_named_by_old_and_new_places_are_counted_once(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    repacked(at(storage))
    # The index is gone with all packs: another collection is told of the new place.
    from artstore.garbage.indexrenewal import renew_index

    packs = [pack_id_of_key(key) for key in keys_of(storage, "packs/")]
    renew_index(storage, PackReader(storage), lambda pack: pack not in packs, {"p": packs})
    source = build(tmp_path / "other", {"same": TREE["c"], "b": TREE["b"]})
    assert push(at(storage), source, name="other").push.stored_bytes < 2_000
    assert at(storage).usage("other").shared_bytes >= 30_000


def test_a_damaged_record_that_is_needed_names_what_it_hits(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    for key in done.moved:
        data = bytearray(storage.read(key))
        data[60] ^= 1
        replace(storage, key, bytes(data))
    found = hits(storage)
    assert set(found) == set(done.moved)
    assert any("p/ds:v2 c" in versions for versions in found.values())


def test_a_damaged_record_that_nothing_needs_is_told_too(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    pack = decode_moved(storage.read(done.moved[0]), key=done.moved[0]).pack
    extra = moved_key(pack, name_of(5))
    storage.create(extra, b"nonsense")
    storage.create(f"{extra}.bak", b"")
    assert hits(storage) == {extra: (), f"{extra}.bak": ()}


def test_a_record_that_leads_to_a_pack_that_is_gone_hits_whoever_needs_it(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    lost = max(done.new_packs["p"], key=lambda pack: len(storage.read(key_of(pack))))
    delete(storage, lost)
    found = hits(storage)
    assert {key: bool(versions) for key, versions in found.items()} == {key_of(lost): True}
    assert any(version.endswith((" a", " b", " c")) for version in found[key_of(lost)])


def test_a_record_that_nothing_needs_may_lead_anywhere(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    gone = decode_moved(storage.read(done.moved[0]), key=done.moved[0]).pack
    nowhere = bytes(40)
    moves = [(65_000, ChunkPlace(nowhere, 0, len(HEADER)))]
    storage.create(moved_key(gone, name_of(7)), encode_moved(gone, moves))
    assert problems_of(at(storage)) == []


def test_a_record_that_says_a_wrong_place_is_found_without_reading_data(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    key = done.moved[0]
    record = decode_moved(storage.read(key), key=key)
    moves = [(o, p._replace(offset_bytes=p.offset_bytes + 1)) for o, p in record.moves()]
    replace(storage, key, encode_moved(record.pack, moves))
    assert key in dict(problems_of(at(storage), read_data=None))
    swapped = [(o, p._replace(ordinal=60_000)) for o, p in record.moves()]
    replace(storage, key, encode_moved(record.pack, swapped))
    assert key in dict(problems_of(at(storage), read_data=None))


def test_a_chunk_that_no_record_has_is_told_with_its_pack(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    for key in done.moved:
        record = decode_moved(storage.read(key), key=key)
        if len(record) > 1:
            replace(storage, key, encode_moved(record.pack, list(record.moves())[1:]))
            break
    found = hits(storage)
    assert list(found) == [key_of(record.pack)]
    assert found[key_of(record.pack)]


def key_of(pack: bytes) -> str:
    from artstore.packs.locator import pack_key

    return pack_key(pack)


# repair ------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["flipped", "deleted", "empty"])
def test_records_come_back_from_a_copy(storage: MemoryStorage, damage: str) -> None:
    done = repacked(at(storage))
    whole, copy = values_of(storage), copied(storage, f"moved-{damage}")
    for key in done.moved:
        data = storage.read(key)
        storage.delete([key])
        if damage != "deleted":
            storage.create(key, b"" if damage == "empty" else bytes([data[0] ^ 1]) + data[1:])
    report = at(storage).repair(sources=[copy])
    assert report.is_whole
    assert values_of(storage) == whole


def damaged(storage: MemoryStorage, key: str) -> None:
    data = storage.read(key)
    replace(storage, key, data[:-1] + bytes([data[-1] ^ 1]))


def test_without_a_copy_a_needed_record_stays_a_problem_if_what_it_led_to_is_gone(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    replace(storage, done.moved[0], b"nonsense")
    record_of = storage.read(done.moved[0])
    delete(storage, *done.new_packs["p"])
    report = at(storage).repair()
    problems = {problem.key: problem.message for problem in report.problems}
    assert "no source has it" in problems[done.moved[0]]
    assert storage.read(done.moved[0]) == record_of


@pytest.mark.parametrize("damage", ["damaged", "lost"])
def test_records_are_made_anew_from_the_packs_that_have_the_chunks(
    storage: MemoryStorage, damage: str
) -> None:
    done = repacked(at(storage))
    whole = values_of(storage)
    for key in done.moved:
        if damage == "damaged":
            damaged(storage, key)
        else:
            storage.delete([key])
    report = at(storage).repair()
    assert report.is_whole, report.problems
    assert {source for one in report.repaired for source in one.sources} == {
        "other packs of this store"
    }
    assert problems_of(at(storage)) == []
    # Under the old keys it is what it was.
    after = values_of(storage)
    if damage == "damaged":
        assert after == whole
    assert len(keys_of(storage, "moved/")) == len(done.moved)
    # A reader goes by it, and gc finds all that is needed.
    for name in ("ds:v1", "ds:v2"):
        assert not at(storage).verify(name).problems
    assert at(storage).collect_garbage(dry_run=True).plan is not None
    assert at(storage).repair().repaired == ()


def test_a_dry_run_makes_no_record(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    storage.delete(done.moved)
    before = values_of(storage)
    report = at(storage).repair(dry_run=True)
    assert report.problems == ()
    assert {one.key.partition("/")[0] for one in report.repaired} == {"moved"}
    assert values_of(storage) == before


@pytest.mark.parametrize("damage", ["damaged", "lost"])
def test_a_record_that_is_made_has_what_can_be_restored(
    storage: MemoryStorage, damage: str
) -> None:
    done = repacked(at(storage))
    # Its own file b lies where c does, which lives.
    at(storage).delete("ds:v1")
    for key in done.moved:
        if damage == "damaged":
            damaged(storage, key)
        else:
            storage.delete([key])
    assert at(storage).repair().is_whole
    at(storage).restore("ds:v1")
    for name in ("ds:v1", "ds:v2"):
        assert not at(storage).verify(name).problems


def test_lists_of_files_that_were_moved_are_found_and_then_what_they_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_TARGET_COUNT", 8)
    monkeypatch.setitem(ManifestWriter.__init__.__kwdefaults__, "inline_bytes", 0)
    storage = MemoryStorage("x")
    files = {f"f{number:03}": noise(50, number) for number in range(100)}
    log(opened(storage), "many", files | {"large": noise(12 * limits.MIB, 1)})
    log(opened(storage), "many", files)
    repacked(opened(storage))
    repacked(opened(storage), number=2)
    packs = {key.rpartition("/")[0] for key in keys_of(storage, "moved/")}
    storage.delete(keys_of(storage, "moved/"))
    report = opened(storage).repair()
    assert report.is_whole, report.problems
    for name in ("many:v0", "many:v1"):
        assert not opened(storage).verify(name).problems
    # One for each pack that a version names, and not one for each round of looking.
    made = [key.rpartition("/")[0] for key in keys_of(storage, "moved/")]
    assert len(made) == len(set(made)) <= len(packs)


def test_a_chunk_that_is_damaged_where_it_lies_now_makes_no_record(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    storage.delete(done.moved)
    for pack in done.new_packs["p"]:
        data = bytearray(storage.read(key_of(pack)))
        for offset in PackReader(storage).footer(pack).offsets_bytes():
            data[offset] ^= 1
        replace(storage, key_of(pack), bytes(data))
    assert at(storage).repair().problems
    assert keys_of(storage, "moved/") == []


def test_a_record_that_is_made_leads_to_no_pack_that_gc_is_about_to_delete(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    packs = sorted(done.new_packs["p"])
    storage.delete(done.moved)
    # The same packs again, under the ids of another push.
    copies = {pack: pack[:32] + b"theother" for pack in packs}
    for pack, copy in copies.items():
        storage.create(key_of(copy), storage.read(key_of(pack)))
    condemned = [key_of(copy) for copy in copies.values()]
    LogWriter(storage, UPKEEP_PREFIX).add("plan", k=0, condemned=condemned, condemned_in=[])
    assert at(storage).repair().is_whole
    targets = {
        target
        for key in keys_of(storage, "moved/")
        for target in decode_moved(storage.read(key), key=key).targets
    }
    assert targets == set(packs)


def test_a_damaged_record_that_nothing_needs_is_removed(storage: MemoryStorage) -> None:
    done = repacked(at(storage))
    whole = values_of(storage)
    pack = decode_moved(storage.read(done.moved[0]), key=done.moved[0]).pack
    storage.create(moved_key(pack, name_of(5)), b"nonsense")
    assert at(storage).repair().is_whole
    assert values_of(storage) == whole


def test_a_lost_pack_that_chunks_were_moved_to_comes_back_from_a_copy(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    whole, copy = values_of(storage), copied(storage, "lost-target")
    delete(storage, *done.new_packs["p"])
    report = at(storage).repair(sources=[copy])
    assert report.is_whole, report.problems
    assert values_of(storage) == whole


def test_a_damaged_pack_that_chunks_were_moved_to_comes_back_from_a_copy(
    storage: MemoryStorage,
) -> None:
    done = repacked(at(storage))
    whole, copy = values_of(storage), copied(storage, "damaged-target")
    for pack in done.new_packs["p"]:
        data = bytearray(storage.read(key_of(pack)))
        data[20] ^= 1
        replace(storage, key_of(pack), bytes(data))
    report = at(storage).repair(sources=[copy], read_data=1.0)
    assert report.is_whole, report.problems
    assert values_of(storage) == whole


def test_a_lost_pack_comes_back_whole_from_a_copy_made_before_the_repack(
    storage: MemoryStorage,
) -> None:
    copy = copied(storage, "older")
    done = repacked(at(storage))
    storage.delete([*done.moved, *map(key_of, done.new_packs["p"])])
    report = at(storage).repair(sources=[copy])
    assert report.is_whole, report.problems
    assert problems_of(at(storage)) == []

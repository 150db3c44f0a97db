"""
One value of each kind is truncated, flipped, emptied, deleted or swapped: found, and put back.

From a copy of the store every value comes back byte for byte, and nothing else
changes. Without one, from what this machine has.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.errors import ArtstoreError, DamagedDataError
from artstore.storage.memory import open_memory
from tests.faults.damage import (
    ADVISORY,
    DAMAGES,
    KINDS,
    Pristine,
    in_memory,
    make,
    no_machine,
    on_machine,
    targets,
    values_of,
)
from tests.trees import open_at


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return make(tmp_path_factory.mktemp("pristine"))


@pytest.fixture(scope="module")
def values(pristine: Pristine) -> dict[str, bytes]:
    return pristine.values()


@pytest.fixture(scope="module")
def places(pristine: Pristine) -> dict[str, tuple[str, str]]:
    return targets(pristine)


@pytest.fixture
def copy(pristine: Pristine) -> str:
    """The URL of a second store."""
    return pristine.store.as_uri()


def goes_unseen(kind: str, damage: str) -> bool:
    """What nobody can miss: derived values, and the end of a log one has never seen."""
    if damage == "deleted":
        return kind in (*ADVISORY, "newest entry", "newest upkeep entry")
    # Each segment says in itself of which packs it is; its key is only a time.
    return (kind, damage) == ("index segment", "swapped")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_found_and_comes_back_from_a_copy(
    kind: str,
    damage: str,
    places: dict[str, tuple[str, str]],
    pristine: Pristine,
    tmp_path: Path,
) -> None:
    values, copy = pristine.values(), pristine.store.as_uri()
    key, other = places[kind]
    storage = in_memory(values)
    DAMAGES[damage](storage, key, other)
    damaged = values_of(storage)
    with on_machine(no_machine(tmp_path / "machine")):
        try:
            store = open_at("/nowhere/x", storage)
            found = {p.key: p.versions for p in store.check(read_data=1.0).problems}
        except DamagedDataError as error:
            found = {error.context["key"]: ()}
        assert (key not in found) == goes_unseen(kind, damage), found
        if key in found and kind.startswith(
            ("pack", "frag", "root", "desc", "entry", "first", "newest e")
        ):
            assert all(hit.startswith("p/") for hit in found[key])
            assert found[key]
        if goes_unseen(kind, damage):
            return
        report = open_at("/nowhere/x", storage).repair([copy], read_data=1.0)
    assert report.problems == ()
    assert report.is_whole
    after = values_of(storage)
    derived = [k for k in (key, other) if "/rollups/" in k or k.startswith("index/")]
    guards = sorted(after.keys() - values.keys())
    assert {k: v for k, v in after.items() if k not in guards} == {
        k: v for k, v in values.items() if k not in derived or after.get(k) == v
    }
    # While the newest entry is away, one without effect keeps writers off.
    assert len(guards) == sum(
        kind_.startswith("newest") for kind_ in named(places, damaged, values)
    )
    assert {r.key for r in report.repaired} == {k for k in values if damaged.get(k) != values[k]}


def named(
    places: dict[str, tuple[str, str]], damaged: dict[str, bytes], values: dict[str, bytes]
) -> list[str]:
    """Which of the places hold other bytes than they should."""
    return [kind for kind, (key, _) in places.items() if damaged.get(key) != values[key]]


LOCALLY = {
    # What this machine remembers of logs, and what it has of files.
    "first entry": True,
    "entry of a version": True,
    "entry below the newest": True,
    "newest entry": True,
    "pack of files": True,
    "rollup": True,
    "index segment": True,
    "identity": False,
    "upkeep entry": False,
    "newest upkeep entry": False,
    "pack of chunk lists": False,
    "pack of segments": False,
    "fragment": False,
    "root": False,
    "description": False,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_this_machine_where_that_can_be(
    kind: str,
    damage: str,
    values: dict[str, bytes],
    places: dict[str, tuple[str, str]],
    pristine: Pristine,
) -> None:
    key, other = places[kind]
    storage = in_memory(values)
    DAMAGES[damage](storage, key, other)
    damaged = values_of(storage)
    with on_machine(pristine.machine):
        try:
            report = open_at("/nowhere/x", storage).repair(read_data=1.0)
        except DamagedDataError as error:
            assert kind == "identity" or other == "artstore.json"
            assert error.context["key"] == "artstore.json"
            assert values_of(storage) == damaged
            return
    after = values_of(storage)
    assert {k: v for k, v in after.items() if k in values and v != values[k]} == {
        k: v for k, v in damaged.items() if k in values and v != values[k] and k in after
    } or not report.problems
    if LOCALLY[kind] or damage == "swapped":
        assert report.problems == ()
        if kind not in ADVISORY:
            assert after[key] == values[key]
    elif report.problems:
        (problem,) = report.problems
        assert problem.key == key
        assert "not repaired: no source has" in problem.message
        assert after.get(key) == damaged.get(key)


def test_a_copy_of_other_files_is_asked_for_chunks_by_digest(
    values: dict[str, bytes], places: dict[str, tuple[str, str]], pristine: Pristine, tmp_path: Path
) -> None:
    from tests.trees import push

    other = open_memory("other")
    with on_machine(no_machine(tmp_path / "machine")):
        push(open_at("memory://other", other, project="q"), pristine.machine / "first", name="n")
        storage = in_memory(values)
        key = places["pack of files"][0]
        storage.delete([key])
        report = open_at("/nowhere/x", storage).repair(["memory://other"])
    assert storage.read(key) == values[key]
    assert [r.sources for r in report.repaired] == [("memory://other",)]
    other.delete(list(values_of(other)))


def test_a_dry_run_tells_the_same_and_changes_nothing(
    values: dict[str, bytes], places: dict[str, tuple[str, str]], copy: str, tmp_path: Path
) -> None:
    storage = in_memory(values)
    for kind in ("root", "pack of files", "entry of a version", "newest entry"):
        DAMAGES["truncated"](storage, *places[kind])
    storage.delete([places["pack of segments"][0]])
    damaged = values_of(storage)
    with on_machine(no_machine(tmp_path / "machine")):
        planned = open_at("/nowhere/x", storage).repair([copy], dry_run=True)
        assert values_of(storage) == damaged
        assert not list((tmp_path / "machine" / "cache").glob("repairs/*"))
        done = open_at("/nowhere/x", storage).repair([copy])
    assert planned.repaired == done.repaired
    assert (planned.is_whole, done.is_whole) == (False, True)
    assert len(done.repaired) == 5


def test_all_is_damaged_and_all_comes_back(
    values: dict[str, bytes], copy: str, tmp_path: Path
) -> None:
    storage = in_memory(values)
    for number, key in enumerate(values):
        list(DAMAGES.values())[number % 4](storage, key, key)
    with on_machine(no_machine(tmp_path / "machine")):
        try:
            report = open_at("/nowhere/x", storage).repair([copy], read_data=1.0)
        except ArtstoreError:
            # Not one entry left that a copy could be known by.
            return
    after = values_of(storage)
    lost = {k for k, v in values.items() if after.get(k) != v}
    assert all("rollups" in key or key.startswith("index/") for key in lost), report.problems


def test_nothing_is_repaired_in_a_whole_store(values: dict[str, bytes], copy: str) -> None:
    storage = in_memory(values)
    report = open_at("/nowhere/x", storage).repair([copy], read_data=1.0)
    assert (report.repaired, report.problems, report.is_whole) == ((), (), True)
    assert values_of(storage) == values
    assert in_memory(values)

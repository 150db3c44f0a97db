"""
What a machine remembers of collections for lineage: never anything else than their logs say.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore import clock
from artstore.catalog import versionindex
from artstore.catalog.format import collection_prefix, entry_key
from artstore.catalog.replica import Replica
from artstore.catalog.state import Origin, Source
from artstore.catalog.versionindex import KnownVersion, NamedVersions, VersionIndex
from artstore.errors import ArtstoreError, NotFoundError
from artstore.names import parse_artifact_name
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.catalog.logs import (
    FixedClock,
    LogWriter,
    catalog_of,
    flipped,
    resealed,
    version_fields,
)
from tests.unit.catalog.machines import NAME, Machine, told_by, told_of
from tests.unit.storage.processes import ChildProcess

STORE = "d" * 32


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(autouse=True)
def ticking() -> Iterator[FixedClock]:
    with clock.use(FixedClock()) as fixed:
        yield fixed


def filled(machine: Machine, count: int = 4) -> tuple[MemoryStorage, LogWriter]:
    """A log of create and `count` versions that this machine has seen."""
    storage = MemoryStorage()
    writer = LogWriter(storage)
    writer.create()
    for version in range(count):
        writer.publish(version)
    assert machine.look(storage) == told_by(writer.state())
    return storage, writer


# --- what it saves ------------------------------------------------------------------------


def test_what_did_not_change_costs_one_scan_and_nothing_is_folded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, writer = filled(machine)
    told = told_by(writer.state())
    machine.replica.unlink()
    monkeypatch.setattr("artstore.catalog.fold.Fold.apply", None)
    assert machine.requests(storage) == {"scan": 1}
    assert machine.look(storage) == told


def test_what_changed_costs_one_scan_and_its_own_entries(machine: Machine) -> None:
    storage, writer = filled(machine)
    writer.publish(4)
    metered = MeteredStorage(storage)
    assert machine.look(metered) == told_by(writer.state())
    counts = metered.snapshot()
    assert (counts["scan"].calls, counts["read"].items) == (1, 1)


def test_a_process_that_goes_on_asks_once_each_time(machine: Machine) -> None:
    storage, writer = filled(machine)
    metered = MeteredStorage(storage)
    index = machine.open(metered)
    for version in range(4, 8):
        for _ in range(2):
            metered.reset()
            found = index.collections([NAME])[NAME]
            assert told_of(found) == told_by(writer.state())
            assert metered.snapshot()["scan"].calls == 1
        writer.publish(version)


def test_many_collections_are_looked_up_at_once(machine: Machine) -> None:
    storage = MemoryStorage()
    names = [("p", f"c{number}") for number in range(40)]
    for project, name in names:
        writer = LogWriter(storage, collection_prefix(project, name))
        writer.add("create", project=project, name=name, type=name)
        writer.publish(0)
    for _ in range(2):
        found = machine.open(storage, is_near=False).collections(names)
        assert {name: known and known.type for name, known in found.items()} == {
            name: name[1] for name in names
        }


def test_a_disk_that_is_slow_is_asked_for_many_logs_at_once(
    machine: Machine, ticking: FixedClock
) -> None:
    threads: list[int] = []

    class Slow(MemoryStorage):
        def scan(self, prefix: str, *, after: str = "") -> Any:
            threads.append(threading.get_ident())
            ticking.seconds += 0.03
            return super().scan(prefix, after=after)

    names = [("p", f"c{number}") for number in range(20)]
    assert set(machine.open(Slow()).collections(names).values()) == {None}
    assert len(threads) == 20
    alone = [ident == threading.get_ident() for ident in threads]
    assert alone == [True] * 4 + [False] * 16


# --- what must show at once ---------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.add("delete", version=1),
        lambda log: log.add("alias", version=1, add=["best"], remove=[]),
        lambda log: log.add("alias", version=3, add=["gold"], remove=[]),
        lambda log: log.add("tag", version=2, add=["bad"], remove=[]),
        lambda log: log.add("tag", version=0, add=[], remove=["old"]),
        lambda log: log.add("restore", version=2),
        lambda log: log.add_raw(b"garbage"),
        lambda log: log.add("fence", plan=1),
    ],
    ids=["delete", "alias", "alias moved", "bad", "tag taken", "restore", "garbage", "fence"],
)
def test_each_change_shows_at_once(machine: Machine, change: Callable[[LogWriter], object]) -> None:
    storage, writer = filled(machine)
    writer.add("alias", version=0, add=["gold"], remove=[])
    writer.add("tag", version=0, add=["old"], remove=[])
    writer.add("delete", version=2)
    assert machine.look(storage) == told_by(writer.state())
    change(writer)
    for _ in range(2):
        assert machine.look(storage) == told_by(writer.state())


def test_all_that_a_version_names_is_kept(machine: Machine) -> None:
    storage = MemoryStorage()
    writer = LogWriter(storage)
    writer.create()
    near, far = Source("p", "raw", 3), Source("q", "raw", 1, STORE)
    plain = {"project": "p", "name": "raw", "version": 3}
    writer.publish(0, inputs=[plain, {"project": "q", "name": "raw", "version": 1, "store": STORE}])
    writer.add("link", **{**version_fields(1), "source": plain})
    origin = {"store": STORE, "artifact": "p/c", "version": 7}
    writer.publish(7, origin={**origin, "time": "2026-01-01T00:00:00Z", "by": "eve@host"})
    for _ in range(2):
        _, versions, named, _ = machine.look(storage)
        assert named == {
            0: ((near, far), None, None),
            1: ((), near, None),
            7: ((), None, Origin(STORE, "p", "c", 7, "2026-01-01T00:00:00Z", "eve@host")),
        }
        assert list(versions) == [0, 1, 7]


def test_who_changes_what_a_row_holds_raises_its_number() -> None:
    # An older file would be read with the new fields.
    held = (KnownVersion._fields, NamedVersions._fields, Source.__slots__, Origin.__slots__)
    assert versionindex._SCHEMA_NUMBER == 1
    assert [" ".join(fields) for fields in held] == [
        "version is_live digest root size_bytes created by aliases tags",
        "inputs source origin",
        "project name version store",
        "store project name version created by",
    ]


def test_what_is_not_there_is_none_until_it_is(machine: Machine) -> None:
    storage = MemoryStorage()
    assert machine.look(storage) is None
    writer = LogWriter(storage)
    writer.create()
    assert machine.look(storage) == told_by(writer.state())


# --- an index that is wrong ---------------------------------------------------------------


@pytest.mark.parametrize("has_replica", [True, False])
@pytest.mark.parametrize("new_count", [0, 1, 2, 3])
def test_a_store_that_was_rolled_back_is_told_as_it_is(
    machine: Machine, ticking: FixedClock, new_count: int, has_replica: bool
) -> None:
    storage, writer = filled(machine, 5)
    storage.delete([entry_key(writer.prefix, n) for n in (4, 5)])
    ticking.seconds += 60
    other = LogWriter(by="eve@host").continue_from(storage)
    for version in range(3, 3 + new_count):
        other.publish(version, tags=["bad"])
    if not has_replica:
        machine.replica.unlink()
    for _ in range(2):
        assert machine.look(storage) == told_by(other.state())


def test_another_history_of_equal_size_is_told_by_its_time(
    machine: Machine, ticking: FixedClock
) -> None:
    storage, writer = filled(machine)
    storage.delete([entry_key(writer.prefix, 4)])
    ticking.seconds += 60
    other = LogWriter().continue_from(storage)
    other.publish(3, digest="f" * 64)
    assert machine.look(storage)[1][3][2] == "f" * 64


def test_a_store_that_was_copied_is_looked_at_no_closer_than_once(
    machine: Machine, ticking: FixedClock
) -> None:
    storage, writer = filled(machine)
    data = storage.read(entry_key(writer.prefix, 4))
    storage.delete([entry_key(writer.prefix, 4)])
    ticking.seconds += 60
    storage.create(entry_key(writer.prefix, 4), data)
    assert machine.requests(storage) == {"scan": 1, "read": 1}
    assert machine.requests(storage) == {"scan": 1}
    assert machine.look(storage) == told_by(writer.state())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE collections SET outline = replace(outline, 'dataset', 'dataseT')",
        "UPDATE collections SET versions = replace(versions, '2026', '2027')",
        "UPDATE collections SET versions = '[]'",
        "UPDATE collections SET versions = 'not JSON'",
        "UPDATE collections SET versions_check = x'00'",
        "UPDATE collections SET outline_check = x'0011223344556677'",
        "UPDATE collections SET n = 3",
        "UPDATE collections SET n = 'three'",
        "UPDATE collections SET digest = x'00'",
        "UPDATE collections SET size_bytes = 1",
        "UPDATE collections SET modified_seconds = 1",
        "UPDATE collections SET log = 'collections/p/d/'",
        "UPDATE collections SET store = 't'",
        "DELETE FROM collections",
    ],
)
def test_a_damaged_row_is_never_believed(machine: Machine, statement: str) -> None:
    storage, writer = filled(machine)
    machine.change(statement)
    other = LogWriter(storage, collection_prefix("p", "d"))
    other.add("create", project="p", name="d", type="model")
    found = machine.look(storage, NAME, ("p", "d"))
    assert found[NAME] == told_by(writer.state())
    assert found["p", "d"][0] == ("p", "d", "model", False)
    assert machine.look(storage) == told_by(writer.state())
    assert machine.requests(storage) == {"scan": 1}


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_a_file_that_is_none_is_made_anew(machine: Machine, content: bytes | None) -> None:
    storage, writer = filled(machine)
    if content is None:
        machine.index.unlink()
        machine.index.mkdir()
    else:
        machine.index.write_bytes(content)
    assert machine.look(storage) == told_by(writer.state())


def test_a_file_that_is_torn_is_never_believed(machine: Machine) -> None:
    storage, writer = filled(machine, 40)
    whole = machine.index.read_bytes()
    for bit in range(0, len(whole) * 8, 997):
        machine.index.write_bytes(flipped(whole, bit))
        assert machine.look(storage) == told_by(writer.state()), bit


def test_versions_that_another_process_took_away_meanwhile_are_folded(machine: Machine) -> None:
    storage, writer = filled(machine)
    index = machine.open(storage)
    known = index.collections([NAME])[NAME]
    writer.publish(4)
    machine.look(storage)
    assert known is not None
    assert len(known.versions) == 5
    index = machine.open(storage)
    known = index.collections([NAME])[NAME]
    machine.index.unlink()
    index.close()
    assert known is not None
    assert len(known.versions) == 5


def test_other_stores_are_kept_apart(machine: Machine) -> None:
    storage, writer = filled(machine)
    other = MemoryStorage()
    index = machine.open(other, "other")
    assert index.collections([NAME]) == {NAME: None}
    second = LogWriter(other)
    second.create()
    assert told_of(index.collections([NAME])[NAME]) == told_by(second.state())
    index.close()
    assert machine.look(storage) == told_by(writer.state())
    assert machine.requests(storage) == {"scan": 1}


def test_an_older_row_that_came_later_costs_time_only(machine: Machine) -> None:
    storage, writer = filled(machine)
    row = sqlite3.connect(machine.index).execute("SELECT * FROM collections").fetchone()
    writer.add("delete", version=1)
    machine.look(storage)
    with sqlite3.connect(machine.index) as database:
        marks = ",".join("?" * len(row))
        database.execute(f"INSERT OR REPLACE INTO collections VALUES ({marks})", row)
    assert machine.look(storage) == told_by(writer.state())


# --- what is not remembered ---------------------------------------------------------------


def test_what_is_in_doubt_is_folded_each_time_and_finds_nothing(machine: Machine) -> None:
    storage, writer = filled(machine)
    writer.add_raw(b"garbage")
    assert machine.look(storage)[0] == ("p", "c", "dataset", True)
    known = machine.open(storage).collections([NAME])[NAME]
    assert known is not None
    assert known.find(parse_artifact_name("c:latest")) is None
    writer.publish(5)
    assert machine.look(storage) == told_by(writer.state())
    assert machine.look(storage)[0][3] is False


def test_a_damaged_entry_shows_and_its_repair_too(machine: Machine) -> None:
    storage, writer = filled(machine)
    whole = storage.read(entry_key(writer.prefix, 4))
    writer.damage(4)
    catalog = catalog_of(storage, Replica(machine.replica))
    assert machine.look(storage) == told_by(catalog.state_or_none(*NAME))
    storage.delete([entry_key(writer.prefix, 4)])
    storage.create(entry_key(writer.prefix, 4), whole)
    assert len(machine.look(storage)[1]) == 4


def test_entries_of_a_newer_release_hide_their_collection_only(machine: Machine) -> None:
    storage, writer = filled(machine)
    data = writer.entry("fence", plan=1).replace(b'"fence"', b'"fense"')
    writer.add_raw(resealed(json.loads(data)))
    with pytest.raises(ArtstoreError):
        catalog_of(storage).state_or_none(*NAME)
    for _ in range(2):
        assert machine.look(storage) is None


def test_a_collection_that_was_renamed_is_found_by_both_names(machine: Machine) -> None:
    storage, writer = filled(machine)
    other = LogWriter(storage, collection_prefix("p", "new"))
    other.add("redirect", project="p", name="c")
    writer.add("named", project="p", name="new")
    for version in range(4, 6):
        found = machine.look(storage, NAME, ("p", "new"))
        assert found[NAME] == found["p", "new"] == told_by(writer.state())
        writer.publish(version)


def test_a_collection_of_very_many_versions_is_not_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versionindex, "_KEPT_MAX_COUNT", 3)
    storage, writer = filled(machine)
    with sqlite3.connect(machine.index) as database:
        assert database.execute("SELECT count(*) FROM collections").fetchone() == (0,)
    assert machine.look(storage) == told_by(writer.state())


def test_without_a_file_it_is_remembered_in_the_process_only() -> None:
    storage = MeteredStorage(MemoryStorage())
    writer = LogWriter(storage)
    writer.create()
    index = VersionIndex(catalog_of(storage), "s", None)
    for version in range(3):
        assert told_of(index.collections([NAME])[NAME]) == told_by(writer.state())
        writer.publish(version)
    index.close()


def test_a_storage_that_does_not_answer_hides_nothing_else(machine: Machine) -> None:
    storage, _ = filled(machine)

    class Failing(MemoryStorage):
        def scan(self, prefix: str, *, after: str = "") -> Any:
            if "/d/" in prefix:
                raise NotFoundError("away", code="key-not-found")
            return storage.scan(prefix, after=after)

    found = machine.look(Failing(), NAME, ("p", "d"))
    assert found["p", "d"] is None
    assert found[NAME] is not None


# --- names --------------------------------------------------------------------------------


def test_names_are_found_as_the_fold_resolves_them(machine: Machine) -> None:
    storage, writer = filled(machine)
    writer.add("alias", version=1, add=["best"], remove=[])
    writer.add("delete", version=3)
    state = writer.state()
    for _ in range(2):
        known = machine.open(storage).collections([NAME])[NAME]
        assert known is not None
        for text in ("c", "c:latest", "c:best", "c:v0", "c:v1", "c:v2"):
            found = known.find(parse_artifact_name(text))
            assert found is not None
            assert found.version == state.resolve_name(parse_artifact_name(text)).version
        for text in ("c:v3", "c:v9", "c:none", "c@" + "0" * 64):
            assert known.find(parse_artifact_name(text)) is None


# --- processes ----------------------------------------------------------------------------


def test_threads_with_files_of_their_own_never_disagree_with_the_log(machine: Machine) -> None:
    storage, writer = filled(machine, 1)
    states = [told_by(writer.state())]
    failures: list[Any] = []
    is_done = threading.Event()

    def read() -> None:
        latest = 0
        while not is_done.is_set():
            first = len(states)
            found = machine.look(storage)
            # The writer may be ahead of what it has told by one entry.
            place = next((at for at, told in enumerate([*states]) if told == found), None)
            if place is None:
                place = latest if len(found[1]) >= first else -1
            if place < latest:
                failures.append((latest, found))
            latest = max(latest, place)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(1, 25):
        writer.publish(version, aliases=["best"])
        states.append(told_by(writer.state()))
    is_done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert machine.look(storage) == states[-1]


def test_a_forked_child_has_a_connection_of_its_own(machine: Machine) -> None:
    storage, writer = filled(machine)
    index = machine.open(storage)
    known = index.collections([NAME])[NAME]

    def child() -> Any:
        # What was not read before the fork is read in the child.
        assert known is not None
        assert len(known.versions) == 4
        writer.publish(4)
        return told_of(index.collections([NAME])[NAME]) == told_by(writer.state())

    assert ChildProcess(child).result()
    assert told_of(index.collections([NAME])[NAME]) == told_by(writer.state())
    index.close()
    assert os.path.exists(machine.index)

"""The replica of this machine: it saves requests, shows a rolled-back store, and may vanish."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

import artstore
from artstore.catalog.format import entry_key
from artstore.catalog.log import START, Head
from artstore.catalog.replica import Replica
from artstore.catalog.requests import AliasRequest
from artstore.errors import DamagedDataError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.catalog.logs import PREFIX, LogWriter, catalog_of, flipped, publish, resealed
from tests.unit.storage.processes import ChildProcess


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "replica.sqlite"


def filled(file: Path, count: int = 5) -> tuple[MemoryStorage, LogWriter]:
    """A log of create and `count` versions that this machine has seen."""
    storage = MemoryStorage()
    writer = LogWriter(storage)
    writer.create()
    for version in range(count):
        writer.publish(version)
    catalog_of(storage, Replica(file)).state("p", "c")
    return storage, writer


def rows(writer: LogWriter) -> list:
    return [(raw, True) for raw in writer.raws]


def state_in_new_process(storage, file: Path):
    """What a new process of this machine sees, and the requests that it made."""
    metered = MeteredStorage(storage)
    state = catalog_of(metered, Replica(file)).damaged_state("p", "c")
    counts = metered.snapshot()
    return state, {name: count.calls for name, count in counts.items() if count.calls}


def test_listing_twice_costs_one_scan_and_no_read(file: Path) -> None:
    storage, writer = filled(file)
    state, requests = state_in_new_process(storage, file)
    assert (state, requests) == (writer.state(), {"scan": 1})


def test_only_what_is_new_is_read(file: Path) -> None:
    storage, writer = filled(file)
    writer.publish(5)
    metered = MeteredStorage(storage)
    assert catalog_of(metered, Replica(file)).state("p", "c") == writer.state()
    assert metered.snapshot()["read"].items == 1
    assert metered.snapshot()["scan"].items == 2


def test_logs_of_other_stores_and_collections_are_kept_apart(file: Path) -> None:
    storage, _ = filled(file)
    other = MemoryStorage()
    catalog = catalog_of(other, Replica(file), store_id="other")
    assert catalog.state_or_none("p", "c") is None
    assert catalog_of(storage, Replica(file)).state_or_none("p", "d") is None


def test_what_this_machine_commits_is_remembered(file: Path) -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage, Replica(file))
    for i in range(3):
        catalog.commit("p", "c", publish(i))
    entries, head = Replica(file).load("s", PREFIX)
    assert [raw.n for raw in entries] == [0, 1, 2, 3]
    assert head.digest == entries[-1].digest


def test_void_entries_stay_void_when_they_come_from_the_replica(file: Path) -> None:
    storage, writer = filled(file)
    writer.add_raw(b"garbage")
    writer.publish(9)
    writer.publish(5)
    catalog_of(storage, Replica(file)).state("p", "c")
    state, _ = state_in_new_process(storage, file)
    assert state == writer.state()
    assert [warning.n for warning in state.warnings] == [6, 7]


# --- A store that was rolled back -----------------------------------------------------


def drop_after(storage: MemoryStorage, writer: LogWriter, n: int) -> LogWriter:
    """Restore the store from a backup that ends in entry n; another client goes on from there."""
    storage.delete([entry_key(PREFIX, k) for k in range(n + 1, writer.n)])
    return LogWriter(by="eve@host").continue_from(storage)


@pytest.mark.parametrize("new_count", [0, 1, 2, 3, 4])
def test_a_store_that_was_rolled_back_is_read_as_it_is_but_not_written(
    file: Path, new_count: int
) -> None:
    storage, writer = filled(file)
    other = drop_after(storage, writer, 3)
    for k in range(new_count):
        other.publish(3 + k)
    for _ in range(2):
        # Also the second time: it is not forgotten by having been told once.
        state, _ = state_in_new_process(storage, file)
        assert [warning.code for warning in state.warnings] == ["log-rolled-back"]
        assert state.versions == other.state().versions
        with pytest.raises(DamagedDataError) as caught:
            catalog_of(storage, Replica(file)).commit("p", "c", publish(99))
        assert caught.value.code == "log-rolled-back"


def test_after_forget_the_store_is_believed(file: Path) -> None:
    storage, writer = filled(file)
    other = drop_after(storage, writer, 3)
    other.publish(3)
    catalog = catalog_of(storage, Replica(file))
    catalog.forget("p", "c")
    assert catalog.state("p", "c") == other.state()
    assert catalog.commit("p", "c", publish(99)).n == 5
    assert state_in_new_process(storage, file)[0].warnings == ()


def test_another_history_of_equal_sizes_is_found_by_the_chain(file: Path) -> None:
    # Own commits were never listed, so no time is known of the last entry.
    storage = MemoryStorage()
    catalog_of(storage, Replica(file)).commit("p", "c", publish(1))
    key = entry_key(PREFIX, 1)
    false = resealed(json.loads(storage.read(key)) | {"by": "eve@host"})
    storage.delete([key])
    storage.create(key, false)
    writer = LogWriter().continue_from(storage)
    writer.publish(1)
    state, _ = state_in_new_process(storage, file)
    assert [warning.code for warning in state.warnings] == ["log-rolled-back"]
    assert state.versions == writer.state().versions
    entries, _ = Replica(file).load("s", PREFIX)
    assert [raw.n for raw in entries] == [0, 1]


def test_a_lost_entry_that_this_machine_has_seen_can_be_read_but_nothing_is_written(
    file: Path,
) -> None:
    storage, writer = filled(file)
    writer.publish(5)
    storage.delete([entry_key(PREFIX, 5)])
    state, _ = state_in_new_process(storage, file)
    assert [(w.code, w.n) for w in state.warnings] == [("log-hole", 5)]
    assert state.versions == writer.state().versions
    with pytest.raises(DamagedDataError):
        catalog_of(storage, Replica(file)).commit("p", "c", publish(99))


def test_a_repaired_hole_is_noticed_by_a_running_process(file: Path) -> None:
    storage, writer = filled(file)
    catalog = catalog_of(storage, Replica(file))
    writer.publish(5)
    writer.publish(6)
    lost = entry_key(PREFIX, 6)
    data = storage.read(lost)
    storage.delete([lost])
    assert [w.code for w in catalog.damaged_state("p", "c").warnings] == ["log-hole"]
    storage.create(lost, data)
    assert catalog.state("p", "c") == writer.state()
    assert catalog.commit("p", "c", AliasRequest(6, add=("x",))).n == 8


def damage_in_place(storage: MemoryStorage, n: int) -> bytes:
    """Flip a bit of entry n as a disk does: its time stays. Returns what was there."""
    sound, modified = storage._values[entry_key(PREFIX, n)]
    storage._values[entry_key(PREFIX, n)] = flipped(sound, 400), modified
    return sound


def test_a_machine_that_knows_an_entry_is_not_hit_by_its_damage(file: Path) -> None:
    storage, writer = filled(file)
    damage_in_place(storage, 5)
    state, _ = state_in_new_process(storage, file)
    assert state == writer.state()
    # What it writes continues the sound entry: all others then see which one is damaged.
    assert catalog_of(storage, Replica(file)).commit("p", "c", publish(99)).n == 6
    other = catalog_of(storage).damaged_state("p", "c")
    assert other.damage is not None
    assert (other.damage.code, other.damage.n) == ("log-entry-damaged", 5)
    assert other.resolve(version=5).digest == f"{99:064x}"
    with pytest.raises(DamagedDataError):
        other.resolve()


def test_a_machine_that_knows_an_entry_notices_that_others_went_on_without_it(file: Path) -> None:
    storage, _ = filled(file)
    damage_in_place(storage, 5)
    assert catalog_of(storage).commit("p", "c", publish(99)).n == 6
    for _ in range(2):
        state, _ = state_in_new_process(storage, file)
        assert [w.code for w in state.warnings] == ["log-void-entry", "log-rolled-back"]
        assert (state.resolve().version, state.is_in_doubt) == (5, False)


def test_a_damaged_newest_entry_is_not_remembered_and_may_be_put_right(file: Path) -> None:
    storage, writer = filled(file)
    file.unlink()
    sound = damage_in_place(storage, 5)
    catalog = catalog_of(storage, Replica(file))
    assert catalog.damaged_state("p", "c").has_damaged_tail
    key = entry_key(PREFIX, 5)
    storage.delete([key])
    storage.create(key, sound)
    assert catalog.state("p", "c") == writer.state()
    assert state_in_new_process(storage, file)[0] == writer.state()
    assert catalog.commit("p", "c", publish(99)).n == 6


def test_garbage_is_remembered_once_an_entry_continues_it(file: Path) -> None:
    storage, writer = filled(file)
    writer.add_raw(b"garbage")
    assert catalog_of(storage, Replica(file)).commit("p", "c", publish(99)).n == 7
    entries, _ = Replica(file).load("s", PREFIX)
    assert [raw.n for raw in entries] == list(range(8))
    state, requests = state_in_new_process(storage, file)
    assert (state, requests) == (catalog_of(storage).state("p", "c"), {"scan": 1})
    assert state.resolve().digest == f"{99:064x}"


# --- A replica that is damaged, locked, or not there ------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"this is no database, but long enough for a header" * 99),
        lambda file: file.write_bytes(file.read_bytes()[:3000]),
        lambda file: file.write_bytes(b""),
        lambda file: file.unlink(),
        lambda file: _execute(file, "UPDATE entries SET data = x'00' WHERE n = 2"),
        lambda file: _execute(file, "UPDATE entries SET data = 'text' WHERE n = 2"),
        lambda file: _execute(file, "UPDATE entries SET digest = x'00' WHERE n = 2"),
        lambda file: _execute(file, "DELETE FROM entries WHERE n = 2"),
        lambda file: _execute(file, "DROP TABLE entries"),
        lambda file: _execute(file, "PRAGMA user_version = 99"),
    ],
)
def test_a_damaged_replica_is_as_good_as_none_and_made_anew(file: Path, damage) -> None:
    storage, writer = filled(file)
    damage(file)
    for _ in range(2):
        assert state_in_new_process(storage, file)[0] == writer.state()
    entries, _ = Replica(file).load("s", PREFIX)
    assert entries in ([], writer.raws) or [raw.data for raw in entries] == [
        raw.data for raw in writer.raws
    ]


def _execute(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_replica_that_somebody_keeps_locked_is_done_without(file: Path, monkeypatch) -> None:
    monkeypatch.setattr("artstore.catalog.hostdatabase._WAIT_SECONDS", 0.0)
    storage, writer = filled(file)
    holder = sqlite3.connect(file)
    holder.execute("BEGIN EXCLUSIVE")
    assert catalog_of(storage, Replica(file)).state("p", "c") == writer.state()
    holder.rollback()
    holder.close()
    assert state_in_new_process(storage, file)[1]["scan"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    storage = MemoryStorage()
    catalog_of(storage, Replica(tmp_path / "r" / "x.sqlite")).commit("p", "c", publish(1))


def test_a_file_where_the_directory_should_be_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = MemoryStorage()
    replica = Replica(tmp_path / "file" / "x.sqlite")
    assert catalog_of(storage, replica).commit("p", "c", publish(1)).n == 1


def test_histories_are_never_mixed(file: Path) -> None:
    _, writer = filled(file, count=3)
    other = LogWriter(by="eve@host")
    other.create()
    for version in range(5):
        other.publish(version)
    replica = Replica(file)
    for k in range(6):
        after = Head(k - 1, other.raws[k - 1].digest, other.raws[k - 1].size_bytes) if k else START
        last = other.raws[-1]
        head = Head(last.n, last.digest, last.size_bytes)
        replica.extend("s", PREFIX, after, rows(other)[k:], head)
    entries, _ = replica.load("s", PREFIX)
    assert [raw.data for raw in entries] == [raw.data for raw in writer.raws]


def test_many_threads_share_a_replica(file: Path) -> None:
    storage = MemoryStorage()
    replica = Replica(file)
    failures = []

    def push(i: int) -> None:
        try:
            for k in range(5):
                catalog_of(storage, replica).commit("p", "c", publish(100 * i + k))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=push, args=(i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    state, _ = state_in_new_process(storage, file)
    assert (sorted(state.versions), state.warnings) == (list(range(20)), ())


def test_a_forked_child_uses_a_connection_of_its_own(file: Path) -> None:
    _, writer = filled(file)
    replica = Replica(file)
    replica.load("s", PREFIX)
    child = ChildProcess(lambda: len(replica.load("s", PREFIX)[0]))
    assert child.result() == len(writer.raws)
    assert len(replica.load("s", PREFIX)[0]) == len(writer.raws)
    replica.close()


def test_the_journal_is_no_write_ahead_log(file: Path) -> None:
    filled(file)
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert [path.name for path in file.parent.iterdir()] == ["replica.sqlite"]


def test_each_host_has_a_file_of_its_own(tmp_path: Path, monkeypatch) -> None:
    named = types.SimpleNamespace(nodename="Node/7.example")
    monkeypatch.setattr("os.uname", lambda: named)
    assert Replica.file_in(tmp_path).name == "replica-node_7.example.sqlite"


def test_sqlite_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys\n"
        "import artstore.catalog.catalog, artstore.catalog.replica\n"
        "sys.exit('sqlite3' in sys.modules)"
    )
    source = str(Path(artstore.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": source})


def test_stores_and_logs_that_were_seen_are_listed(file: Path) -> None:
    replica = Replica(file)
    assert (replica.stores(), replica.logs("s")) == ([], [])
    filled(file)
    assert replica.stores() == ["s"]
    assert replica.logs("s") == [PREFIX]
    assert replica.logs("another") == []
    replica.close()

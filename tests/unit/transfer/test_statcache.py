"""A digest is only remembered, and only told, when nothing could have changed unseen."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.digest import digest_of
from artstore.transfer import statcache
from artstore.transfer.statcache import StatCache, host_file
from artstore.transfer.target import TargetDirectory
from artstore.transfer.walk import Found, walk
from tests.unit.storage.processes import ChildProcess

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND + 123_456_789
DIGEST = digest_of(b"content")
DATA = str(Path(__file__).parent)
"""Any directory that is there: rows of others are dropped when it suits the cache."""


def found(name: str = "file", directory: str = DATA, **changes) -> Found:
    values = {
        "path": name,
        "kind": "file",
        "location": f"{directory}/{name}",
        "size_bytes": 7,
        "mtime_ns": NOW - 10 * SECOND,
        "ctime_ns": NOW - 10 * SECOND + 1,
        "inode": 42,
        "device": 1,
        "executable": False,
        "target": "",
    }
    return Found(**{**values, **changes})


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "cache" / "stat.sqlite"


def tree(root: Path, names: list[str]) -> list[Found]:
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).write_text(name)
        os.utime(root / name, ns=(NOW, NOW))
    return list(walk(root))


def record_all(cache: StatCache, items: list[Found]) -> None:
    for item in items:
        assert cache.record(item, digest_of(item.path.encode()), began_ns=1 << 62)


def test_an_unchanged_file_is_known_in_the_next_process(file):
    with StatCache(file) as cache:
        assert cache.lookup(found()) is None
        assert cache.record(found(), DIGEST, began_ns=NOW)
        cache.save()
    with StatCache(file) as cache:
        assert cache.lookup(found()) == DIGEST
        assert cache.directory(f"{DATA}/") == {
            "file": (7, NOW - 10 * SECOND, NOW - 10 * SECOND + 1, 42, DIGEST)
        }


def test_what_was_recorded_is_known_before_it_is_saved(file):
    cache = StatCache(file)
    assert cache.lookup(found("other")) is None
    cache.record(found(), DIGEST, began_ns=NOW)
    assert cache.lookup(found()) == DIGEST
    assert not file.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": 8},
        {"mtime_ns": NOW - 10 * SECOND + 1},
        {"ctime_ns": NOW - 10 * SECOND},
        {"inode": 43},
        {"location": f"{DATA}/other"},
        {"location": "/elsewhere/file"},
    ],
)
def test_any_difference_makes_a_file_unknown(file, change):
    cache = StatCache(file)
    cache.record(found(), DIGEST, began_ns=NOW)
    assert cache.lookup(found()._replace(**change)) is None


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns"])
@pytest.mark.parametrize(
    ("age_ns", "is_trusted"),
    [(0, False), (99_000_000, False), (101_000_000, True), (-SECOND, False)],
)
def test_a_file_as_young_as_the_hash_is_not_recorded(file, field, age_ns, is_trusted):
    cache = StatCache(file)
    item = found(**{field: NOW - age_ns})
    assert cache.record(item, DIGEST, began_ns=NOW) is is_trusted
    assert (cache.lookup(item) == DIGEST) is is_trusted


@pytest.mark.parametrize(
    ("age_ns", "is_trusted"), [(SECOND, False), (2 * SECOND, False), (3 * SECOND, True)]
)
def test_disks_that_keep_whole_seconds_get_more_slack(file, age_ns, is_trusted):
    began_ns = NOW // SECOND * SECOND
    item = found(mtime_ns=began_ns - age_ns, ctime_ns=began_ns - age_ns)
    assert StatCache(file).record(item, DIGEST, began_ns=began_ns) is is_trusted


def test_a_write_in_the_same_tick_as_ours_shows_in_the_mtime(tmp_path, file):
    # A writer that comes right behind the checkout, with a file of the same size:
    # on most disks both fall into one tick of the clock that stamps the times.
    cache = StatCache(file)
    with TargetDirectory(tmp_path / "out") as target:
        for number in range(200):
            status = target.write_file(f"f{number}", [b"old"])
            cache.record_written(f"{target.root}/f{number}", status, digest_of(b"old"))
            descriptor = os.open(tmp_path / "out" / f"f{number}", os.O_WRONLY)
            os.write(descriptor, b"new")
            os.close(descriptor)
    assert [item.path for item in walk(tmp_path / "out") if cache.lookup(item)] == []


def test_files_of_a_checkout_are_known_at_once(tmp_path, file):
    cache = StatCache(file)
    with TargetDirectory(tmp_path / "out") as target:
        status = target.write_file("a/b", [b"data"])
        assert cache.record_written(f"{target.root}/a/b", status, DIGEST)
    (item,) = walk(tmp_path / "out")
    assert cache.lookup(item) == DIGEST


def test_a_checkout_on_a_disk_of_whole_seconds_is_not_recorded(tmp_path, file):
    (tmp_path / "x").touch()
    os.utime(tmp_path / "x", ns=(5 * SECOND, 5 * SECOND))
    status = os.stat(tmp_path / "x")
    assert not StatCache(file).record_written(str(tmp_path / "x"), status, DIGEST)


def test_saving_drops_names_that_are_gone_and_keeps_the_rest(tmp_path, file):
    root = tmp_path / "tree"
    items = tree(root, ["a", "b", "c"])
    with StatCache(file) as cache:
        record_all(cache, items)
        cache.save()
    (root / "b").unlink()
    with StatCache(file) as cache:
        changed = items[0]._replace(mtime_ns=NOW - 5)
        cache.record(changed, DIGEST, began_ns=1 << 62)
        cache.save()
    with StatCache(file) as cache:
        assert sorted(cache.directory(str(root))) == ["a", "c"]
        assert cache.lookup(changed) == DIGEST
        assert cache.lookup(items[2]) == digest_of(b"c")


def test_saving_without_changes_writes_nothing(tmp_path, file):
    items = tree(tmp_path / "tree", ["a"])
    with StatCache(file) as cache:
        record_all(cache, items)
        cache.save()
    before = file.stat().st_mtime_ns
    with StatCache(file) as cache:
        assert cache.lookup(items[0])
        record_all(cache, items)
        cache.save()
    assert file.stat().st_mtime_ns == before


def test_rows_of_directories_that_are_gone_are_dropped_in_time(tmp_path, file):
    with StatCache(file) as cache:
        for number in range(20):
            cache.record(found(directory=f"/gone/{number}"), DIGEST, began_ns=NOW)
        cache.save()
        for number in range(200):
            record_all(cache, tree(tmp_path / "tree", [f"n{number % 7}"])[:1])
            cache.record(found("x", str(tmp_path), inode=number), DIGEST, began_ns=NOW)
            cache.save()
    database = sqlite3.connect(file)
    rows = {os.fsdecode(path) for (path,) in database.execute("SELECT path FROM directories")}
    database.close()
    assert rows == {str(tmp_path), str(tmp_path / "tree")}


ODD_NAMES = ["new\nline", "é", "e\u0301", "\U0001f600", "'quoted'", " ", "\x7f"]


def test_odd_names_and_directories_come_back(tmp_path, file):
    root = tmp_path / "dir \n é"
    items = tree(root, ODD_NAMES)
    with StatCache(file) as cache:
        record_all(cache, items)
        cache.save()
    with StatCache(file) as cache:
        assert [cache.lookup(item) for item in items] == [
            digest_of(item.path.encode()) for item in items
        ]


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1),
        st.tuples(
            st.integers(0, 2**63 - 1),
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-(2**63), 2**63 - 1),
            st.integers(0, 2**64 - 1),
            st.binary(min_size=32, max_size=32),
        ),
        min_size=1,
    ),
    st.binary(),
)
def test_rows_decode_to_what_was_encoded(values, key):
    entries = {name: statcache._STAMP.pack(*value[:4]) + value[4] for name, value in values.items()}
    assert statcache._decode(key, statcache._encode(key, entries)) == entries


@given(st.binary(max_size=200))
def test_any_bytes_decode_to_something(row):
    assert statcache._decode(b"/data", row) == {}


def test_a_flipped_bit_makes_a_row_absent_wherever_it_is():
    entries = {"a": bytes(64), "b": bytes(range(64))}
    row = statcache._encode(b"/data", entries)
    for bit in range(8 * len(row)):
        damaged = bytearray(row)
        damaged[bit // 8] ^= 1 << bit % 8
        assert statcache._decode(b"/data", bytes(damaged)) == {}


def test_a_row_speaks_only_for_its_own_directory():
    row = statcache._encode(b"/data", {"a": bytes(64)})
    assert statcache._decode(b"/other", row) == {}


def _overwrite(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def _replace_schema(file: Path) -> None:
    file.unlink()
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE directories (something INTEGER)")
    database.commit()
    database.close()


DAMAGES = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text(
        "this is not a database, but long enough to be one\n" * 90
    ),
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "header only": lambda file: os.truncate(file, 100),
    "middle": lambda file: _overwrite(file, file.stat().st_size // 3, b"\xff" * 3000),
    "foreign schema": _replace_schema,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_an_empty_one_and_heals(tmp_path, file, damage):
    items = [found(f"n{n}", f"/d{d}") for d in range(40) for n in range(40)]
    with StatCache(file) as cache:
        for item in items:
            cache.record(item, DIGEST, began_ns=NOW)
        cache.save()
    DAMAGES[damage](file)
    with StatCache(file) as cache:
        assert {cache.lookup(item) for item in items} <= {DIGEST, None}
        fresh = found("fresh", str(tmp_path))
        cache.record(fresh, DIGEST, began_ns=NOW)
        cache.save()
    with StatCache(file) as cache:
        # The first save after damage may be the one that finds it.
        cache.lookup(fresh)
        cache.record(fresh._replace(inode=1), DIGEST, began_ns=NOW)
        cache.save()
    with StatCache(file) as cache:
        assert cache.lookup(fresh._replace(inode=1)) == DIGEST


def test_a_directory_in_place_of_the_file_is_done_without(file):
    file.mkdir(parents=True)
    with StatCache(file) as cache:
        cache.record(found(), DIGEST, began_ns=NOW)
        assert cache.lookup(found()) == DIGEST
        cache.save()
    assert file.is_dir()


def test_a_file_in_place_of_the_cache_directory_is_done_without(file):
    file.parent.write_text("not a directory")
    with StatCache(file) as cache:
        assert cache.lookup(found()) is None
        cache.record(found(), DIGEST, began_ns=NOW)
        cache.save()


def test_a_locked_file_is_done_without_and_not_deleted(file, monkeypatch):
    monkeypatch.setattr(statcache, "_BUSY_SECONDS", 0.01)
    with StatCache(file) as cache:
        cache.record(found(), DIGEST, began_ns=NOW)
        cache.save()
    inode = file.stat().st_ino
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with StatCache(file) as cache:
        assert cache.lookup(found()) is None
        cache.record(found("b"), DIGEST, began_ns=NOW)
        cache.save()
    holder.execute("ROLLBACK")
    holder.close()
    assert file.stat().st_ino == inode
    with StatCache(file) as cache:
        assert cache.lookup(found()) == DIGEST


def test_no_journal_of_the_write_ahead_kind_is_used(file):
    with StatCache(file) as cache:
        cache.record(found(), DIGEST, began_ns=NOW)
        cache.save()
        assert sorted(os.listdir(file.parent)) == [file.name]


def test_two_processes_share_one_file(tmp_path, file):
    def work(me: str) -> int:
        known = 0
        for number in range(30):
            with StatCache(file) as cache:
                item = found(f"{me}{number}", str(tmp_path / "shared"))
                cache.record(item, DIGEST, began_ns=NOW)
                cache.save()
            with StatCache(file) as cache:
                answer = cache.lookup(item)
                assert answer in (None, DIGEST)
                known += answer is not None
        return known

    shared = tmp_path / "shared"
    shared.mkdir()
    for me, number in itertools.product("ab", range(30)):
        (shared / f"{me}{number}").touch()
    children = [ChildProcess(lambda me=me: work(me)) for me in "ab"]
    assert [child.result() for child in children] == [30, 30]
    with StatCache(file) as cache:
        assert len(cache.directory(str(shared))) == 60


def test_threads_record_while_another_looks_up(tmp_path, file):
    folders = [tmp_path / f"d{d}" for d in range(20)]
    for folder in folders:
        folder.mkdir()
    items = [found(f"n{n}", str(folder)) for folder in folders for n in range(50)]
    wrong: list[Found] = []
    with StatCache(file) as cache:

        def look_up() -> None:
            for _ in range(5):
                for item in items:
                    answer = cache.lookup(item)
                    if answer not in (None, digest_of(item.location.encode())):
                        wrong.append(item)

        def record(part: list[Found]) -> None:
            for item in part:
                cache.record(item, digest_of(item.location.encode()), began_ns=NOW)

        threads = [threading.Thread(target=look_up) for _ in range(2)]
        threads += [threading.Thread(target=record, args=(items[n::2],)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cache.save()
    assert not wrong
    with StatCache(file) as cache:
        assert all(cache.lookup(item) for item in items)


def test_what_is_held_in_memory_is_bounded(tmp_path, file, monkeypatch):
    monkeypatch.setattr(statcache, "_HELD_COUNT", 100)
    items = [found(f"n{n}", f"{tmp_path}/d{d}") for d in range(50) for n in range(20)]
    with StatCache(file) as cache:
        for item in items:
            cache.record(item, DIGEST, began_ns=NOW)
            assert cache._changed_count <= 100
        for item in items:
            cache.lookup(item)
            assert cache._held_count <= 120
        cache.save()
    database = sqlite3.connect(file)
    assert database.execute("SELECT count(*) FROM directories").fetchone()[0] <= 50
    database.close()


def test_the_file_is_named_after_the_host(monkeypatch, tmp_path):
    monkeypatch.setattr("socket.gethostname", lambda: "node/1..é")
    assert host_file(tmp_path) == tmp_path / "stat-node-1---.sqlite"


def test_real_files_older_than_the_slack_are_recorded(tmp_path, file):
    (item,) = tree(tmp_path / "tree", ["a"])
    assert not StatCache(file).record(item, DIGEST, began_ns=item.ctime_ns)
    assert StatCache(file).record(item, DIGEST, began_ns=time.time_ns() + SECOND)

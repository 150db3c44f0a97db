"""art:// as a file system: paths, listings, reading, pinned versions, what it costs."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import Any

import fsspec
import pytest

import artstore as art
from artstore import limits
from artstore.manifests.entry import reference_entry
from artstore.storage.local import LocalStorage
from artstore.storage.meter import MeteredStorage
from artstore.transfer import randomread
from tests.trees import EMPTY, File, Symlink, build, noise, open_at

BIG = 5_000_000
TREE = {
    "a.txt": File(b"one\ntwo\nthree"),
    "big.bin": File(noise(BIG)),
    "empty": File(b""),
    "nothing": EMPTY,
    "sub/b.txt": File(b"b" * 1000, executable=True),
    "sub/deeper/c.txt": File(b"c"),
    "sub/link": Symlink("../a.txt"),
    "sub/out": Symlink("../../etc/passwd"),
    "sub/round": Symlink("round"),
    "subway": File(b"s"),
}


class MeteredStore:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage = MeteredStorage(LocalStorage(directory, sync=False))

    def open(self) -> art.Store:
        """As a process that starts now sees it."""
        return open_at(self.directory, self.storage)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have read is not kept."""
    monkeypatch.setattr(randomread, "_chunks", randomread.BoundedCache(64 << 20, len))
    monkeypatch.setattr(randomread, "_lists", randomread.BoundedCache(65_536, lambda kept: 1))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> art.Store:
    made = art.open_store(os.fspath(tmp_path / "store"), project="p")
    draft = art.Artifact("set")
    draft.add_dir(build(tmp_path / "data", TREE))
    made.log_artifact(draft, aliases=["best"])
    monkeypatch.setenv("ARTSTORE_URL", made.url)
    monkeypatch.setenv("ARTSTORE_PROJECT", "p")
    return made


@pytest.fixture
def system(store: art.Store) -> Any:
    return fsspec.filesystem("art")


def push_again(store: art.Store, tmp_path: Path, data: bytes) -> art.LoggedArtifact:
    (tmp_path / "data/a.txt").write_bytes(data)
    draft = art.Artifact("set")
    draft.add_dir(tmp_path / "data")
    return store.log_artifact(draft)


# paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["set:latest", "set:v0", "set:best", "p/set:v0", "p/set:latest", "set@{digest}"]
)
def test_a_path_begins_with_the_name_of_a_version(system: Any, store: art.Store, name: str) -> None:
    name = name.format(digest=store.artifact("set").digest[:12])
    for path in (f"art://{name}/a.txt", f"{name}/a.txt", f"/{name}/a.txt"):
        assert system.cat_file(path) == b"one\ntwo\nthree"
    with fsspec.open(f"art://{name}/sub/b.txt") as file:
        assert file.read() == b"b" * 1000


@pytest.mark.parametrize(
    "path",
    [
        "set:v1/a.txt",
        "set:v0/none",
        "set:v0/sub/none",
        "set:v0/su",
        "set:none/a.txt",
        "none:v0/a.txt",
        "set/a.txt",
        "p/set/a.txt",
        "a b:v0/x",
        "set:v0/sub/out",
        "set:v0/sub/round",
        "set:v0/../set:v0/a.txt",
    ],
)
def test_what_is_not_there_is_file_not_found(system: Any, path: str) -> None:
    assert not system.isfile(path) or system.info(path)["type"] == "other"
    with pytest.raises(FileNotFoundError):
        system.open(path)
    with pytest.raises(FileNotFoundError):
        system.cat_file(path)


def test_a_path_without_a_version_says_how_to_write_one(system: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"write art://set:latest/a\.txt"):
        system.info("art://set/a.txt")


def test_the_store_and_the_project_may_be_options(
    store: art.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARTSTORE_URL")
    monkeypatch.delenv("ARTSTORE_PROJECT")
    with fsspec.open("art://set:v0/a.txt", "r", store=store.url, project="p") as file:
        assert file.read() == "one\ntwo\nthree"
    system = fsspec.filesystem("art", url=store.url)
    assert system.cat_file("p/set:v0/a.txt") == b"one\ntwo\nthree"


# listings -----------------------------------------------------------------------------------


def test_directories_are_listed(system: Any) -> None:
    assert system.ls("", detail=False) == ["set:v0"]
    assert system.ls("set:v0", detail=False) == [
        f"set:v0/{name}" for name in ("a.txt", "big.bin", "empty", "nothing", "sub", "subway")
    ]
    assert [(i["name"], i["type"]) for i in system.ls("art://set:v0/sub/")] == [
        ("set:v0/sub/b.txt", "file"),
        ("set:v0/sub/deeper", "directory"),
        ("set:v0/sub/link", "file"),
        ("set:v0/sub/out", "other"),
        ("set:v0/sub/round", "other"),
    ]
    assert system.ls("set:v0/nothing") == []
    assert system.ls("set:v0/a.txt", detail=False) == ["set:v0/a.txt"]
    with pytest.raises(FileNotFoundError):
        system.ls("set:v0/none")


def test_info_tells_size_digest_and_time(system: Any, store: art.Store) -> None:
    entry = store.artifact("set").entry("sub/b.txt")
    info = system.info("art://set:best/sub/b.txt")
    assert info["size"] == 1000
    assert info["digest"] == entry.digest.hex() == system.ukey("set:v0/sub/b.txt")
    assert info["executable"]
    assert system.modified("set:v0/a.txt").tzinfo is UTC
    assert system.info("set:v0/sub/link")["size"] == 13
    assert system.info("set:v0")["digest"] == store.artifact("set").digest
    assert system.checksum("set:v0/a.txt") != system.checksum("set:v0/subway")
    assert system.size("set:v0/big.bin") == BIG
    assert system.du("set:v0/sub") == 1000 + 1 + 13


def test_finding_walking_and_globbing(system: Any) -> None:
    assert system.find("set:v0/sub") == [
        f"set:v0/sub/{name}" for name in ("b.txt", "deeper/c.txt", "link")
    ]
    assert system.find("set:v0/a.txt") == ["set:v0/a.txt"]
    assert system.find("set:v0/none") == []
    assert system.find("set:v0", maxdepth=1, withdirs=True)[-2:] == ["set:v0/sub", "set:v0/subway"]
    assert system.glob("art://set:v0/**/*.txt") == [
        "set:v0/a.txt",
        "set:v0/sub/b.txt",
        "set:v0/sub/deeper/c.txt",
    ]
    assert system.glob("set:v0/s*") == ["set:v0/sub", "set:v0/subway"]
    walked = [
        (path, sorted(below), sorted(files)) for path, below, files in system.walk("set:v0/sub")
    ]
    assert walked == [
        ("set:v0/sub", ["deeper"], ["b.txt", "link", "out", "round"]),
        ("set:v0/sub/deeper", [], ["c.txt"]),
    ]
    assert system.isdir("set:v0/sub")
    assert system.isdir("set:v0")
    assert not system.isdir("set:v0/su")
    assert system.exists("set:v0/subway")


def test_listing_directories_does_not_read_what_lies_in_them(tmp_path: Path) -> None:
    store = MeteredStore(tmp_path / "wide")
    draft = art.Artifact("wide")
    for number in range(12_000):
        draft._additions.append(
            reference_entry(f"{number % 4}/{number:05}", f"s3://bucket/key-of-some-length/{number}")
        )
    version = store.open().log_artifact(draft)
    assert version.file_count == 0
    fresh = store.open().artifact("wide")
    fresh.entry("0/00000")
    before = store.storage.snapshot()
    assert [entry.path for entry in fresh.children()] == ["0", "1", "2", "3"]
    assert store.storage.since(before)["read"].items <= 5
    assert sum(1 for _ in fresh.children("2")) == 3_000
    assert [entry.path for entry in fresh.children("nothing")] == []


# reading ------------------------------------------------------------------------------------


def test_reading_here_and_there_gives_what_the_file_has(system: Any) -> None:
    data = noise(BIG)
    chance = random.Random(7)
    with system.open("set:v0/big.bin") as file, io.BytesIO(data) as model:
        for _ in range(300):
            if chance.random() < 0.4:
                place = chance.randrange(BIG + 10)
                assert file.seek(place) == model.seek(place)
            size = chance.choice((0, 1, 100, 70_000, 300_000, 1_500_000))
            how = chance.randrange(4)
            if how == 0:
                assert file.read(size) == model.read(size)
            elif how == 1:
                assert file.readline(size) == model.readline(size)
            elif how == 2:
                mine, other = bytearray(size), bytearray(size)
                assert file.readinto(mine) == model.readinto(other)
                assert mine == other
            else:
                part = file.read1(size)
                assert part == model.read(len(part))
                assert part or not size or file.tell() >= BIG
            assert file.tell() == model.tell()
        assert file.seek(-10, os.SEEK_END) == BIG - 10
        assert file.read() == data[-10:]
        assert file.read() == b""


def test_an_open_file_behaves_as_files_do(system: Any) -> None:
    file = system.open("set:v0/a.txt")
    assert list(file) == [b"one\n", b"two\n", b"three"]
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    assert file.peek() == b""
    file.seek(4)
    assert file.peek(2)[:3] == b"two"
    assert file.tell() == 4
    with pytest.raises(ValueError, match="no position"):
        file.seek(-1)
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"")
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with system.open("set:v0/a.txt", "r", encoding="ascii") as text:
        assert text.readlines() == ["one\n", "two\n", "three"]
    with system.open("set:v0/empty") as nothing:
        assert nothing.read() == b""


def test_symlinks_inside_a_version_are_read_through(system: Any) -> None:
    assert system.cat_file("set:v0/sub/link") == b"one\ntwo\nthree"


def test_many_files_are_read_at_once(system: Any, tmp_path: Path) -> None:
    found = system.cat(["set:v0/a.txt", "set:v0/sub/b.txt", "p/set:v0/big.bin"])
    assert found["set:v0/a.txt"] == b"one\ntwo\nthree"
    assert found["p/set:v0/big.bin"] == noise(BIG)
    assert set(system.cat("set:v0/sub/*.txt")) == {"set:v0/sub/b.txt"}
    assert system.cat_file("set:v0/big.bin", 100, 200) == noise(BIG)[100:200]
    assert system.cat_file("set:v0/big.bin", -5) == noise(BIG)[-5:]
    ranges = system.cat_ranges(
        ["set:v0/big.bin", "set:v0/none", "set:v0/a.txt"], [10, 0, 4], [20, 1, 7]
    )
    assert ranges[0] == noise(BIG)[10:20]
    assert isinstance(ranges[1], FileNotFoundError)
    assert ranges[2] == b"two"
    with pytest.raises(FileNotFoundError):
        system.cat_ranges(["set:v0/none"], 0, 1, on_error="raise")
    system.get("set:v0/sub", os.fspath(tmp_path / "got"), recursive=True)
    assert (tmp_path / "got/deeper/c.txt").read_bytes() == b"c"
    assert system.read_block("set:v0/a.txt", 1, 4, delimiter=b"\n") == b"two\n"
    assert system.head("set:v0/a.txt", 3) == b"one"
    assert system.tail("set:v0/a.txt", 3) == b"ree"


@pytest.mark.parametrize("call", ["touch", "mkdir", "rm", "pipe_file"])
def test_nothing_can_be_written(system: Any, call: str) -> None:
    with pytest.raises(PermissionError, match="for reading"):
        getattr(system, call)("set:v0/new")
    with pytest.raises(PermissionError):
        system.open("set:v0/new", "wb")


# what a name means ----------------------------------------------------------------------------


def test_latest_stays_within_an_object_and_is_looked_up_by_the_next(
    system: Any, store: art.Store, tmp_path: Path
) -> None:
    assert system.cat_file("set:latest/a.txt") == b"one\ntwo\nthree"
    push_again(store, tmp_path, b"newer")
    assert system.cat_file("set:latest/a.txt") == b"one\ntwo\nthree"
    assert system.cat_file("p/set:latest/a.txt") == b"one\ntwo\nthree"
    assert fsspec.filesystem("art").cat_file("set:latest/a.txt") == b"newer"
    assert pickle.loads(pickle.dumps(system)).cat_file("set:latest/a.txt") == b"one\ntwo\nthree"


def test_a_pickled_file_system_and_file_read_on_elsewhere(
    system: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = system.open("set:v0/a.txt")
    file.seek(4)
    data = pickle.dumps((system, file))
    monkeypatch.delenv("ARTSTORE_URL")
    monkeypatch.delenv("ARTSTORE_PROJECT")
    other_system, other_file = pickle.loads(data)
    assert other_file.read(3) == b"two"
    assert other_system.cat_file("set:v0/a.txt") == b"one\ntwo\nthree"


def work(system: Any, number: int) -> bytes:
    data: bytes = system.cat_file("set:latest/big.bin", number * 1000, number * 1000 + 1000)
    with system.open("set:latest/a.txt") as file:
        return data + file.read()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_what_the_parent_reads(system: Any, method: str) -> None:
    # What the parent has opened is there before the workers are.
    expected = [work(system, number) for number in range(6)]
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        assert pool.starmap(work, [(system, number) for number in range(6)]) == expected


def test_threads_read_side_by_side(system: Any) -> None:
    data = noise(BIG)

    def read(seed: int) -> bool:
        chance = random.Random(seed)
        with system.open("set:v0/big.bin") as file:
            for _ in range(20):
                place, size = chance.randrange(BIG), chance.randrange(400_000)
                file.seek(place)
                if file.read(size) != data[place : place + size]:
                    return False
        return bool(system.cat_file("set:v0/sub/deeper/c.txt") == b"c")

    with ThreadPoolExecutor(8) as workers:
        assert all(workers.map(read, range(16)))


# what it costs ----------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> tuple[MeteredStore, art.LoggedArtifact, bytes]:
    """A file of 40 MB: its chunks are named by chunk lists."""
    data = noise(40_000_000)
    (tmp_path / "large").mkdir()
    (tmp_path / "large/x").write_bytes(data)
    store = MeteredStore(tmp_path / "metered")
    draft = art.Artifact("large")
    draft.add_dir(tmp_path / "large")
    store.open().log_artifact(draft)
    version = store.open().artifact("large")
    assert version.entry("x").level == 1
    return store, version, data


def test_a_random_read_is_one_range_of_the_chunks_it_touches(
    large: tuple[MeteredStore, art.LoggedArtifact, bytes],
) -> None:
    store, version, data = large
    with version.open("x") as file:
        file.seek(20_000_000)
        assert file.read(1) == data[20_000_000:20_000_001]
        for place in (1_000_000, 12_000_000, 31_000_000, 5_000_000):
            version.read_ranges([("x", place, place + 1)])
            randomread._chunks.__init__(64 << 20, len)  # type: ignore[misc]
            before = store.storage.snapshot()
            file.seek(place)
            assert file.read(limits.MIB) == data[place : place + limits.MIB]
            cost = store.storage.since(before)["read"]
            # Two where a pack ends within the range.
            assert cost.items <= 2
            assert cost.size_bytes <= limits.MIB + 2 * limits.CHUNK_CUT_MAX_BYTES


def test_chunk_lists_are_searched_and_read_once(
    large: tuple[MeteredStore, art.LoggedArtifact, bytes],
) -> None:
    store, version, _ = large
    version.read_ranges([("x", 0, 1)])
    before = store.storage.snapshot()
    version.read_ranges([("x", 39_999_999, 40_000_000)])
    assert store.storage.since(before)["read"].items == 2
    before = store.storage.snapshot()
    version.read_ranges([("x", 39_999_990, 39_999_999), ("x", 0, 10)])
    assert store.storage.since(before)["read"].items == 0


def test_random_reads_fetch_nothing_ahead(
    large: tuple[MeteredStore, art.LoggedArtifact, bytes],
) -> None:
    store, version, _ = large
    version.read_ranges([("x", at, at + 1) for at in range(0, 40_000_000, 4_000_000)])
    before = store.storage.snapshot()
    with version.open("x") as file:
        for place in range(2_000_000, 38_000_000, 4_000_000):
            file.seek(place)
            for _ in range(4):
                file.read(50_000)
    cost = store.storage.since(before)["read"]
    assert cost.size_bytes <= 9 * (200_000 + 2 * limits.CHUNK_CUT_MAX_BYTES)


def test_reading_on_fetches_ahead_and_everything_once(
    large: tuple[MeteredStore, art.LoggedArtifact, bytes],
) -> None:
    store, version, data = large
    before = store.storage.snapshot()
    read = []
    with version.open("x") as file:
        while part := file.read(65_536):
            read.append(part)
    assert b"".join(read) == data
    cost = store.storage.since(before)["read"]
    assert cost.size_bytes < 1.02 * len(data)
    assert cost.items < 60


def test_opening_one_file_among_many_reads_one_segment_and_one_range(tmp_path: Path) -> None:
    store = MeteredStore(tmp_path / "many")
    source = tmp_path / "files"
    source.mkdir()
    for number in range(2_000):
        (source / f"{number:04}.txt").write_bytes(b"%d" % number * 40)
    draft = art.Artifact("many")
    draft.add_dir(source)
    store.open().log_artifact(draft)
    fresh = store.open().artifact("many")
    before = store.storage.snapshot()
    with fresh.open("1234.txt") as file:
        assert file.read() == b"1234" * 40
    cost = store.storage.since(before)
    # The root, one segment, one range of a pack.
    assert cost["read"].items == 3
    assert cost["scan"].calls == 0
    before = store.storage.snapshot()
    result = fresh.download(tmp_path / "out", path_prefix="1345.txt")
    assert result.written_files == 1
    assert store.storage.since(before)["read"].items <= 3


# damage -----------------------------------------------------------------------------------------


def test_a_damaged_chunk_is_told_with_its_path_and_no_byte_of_it_is_given(
    store: art.Store, tmp_path: Path
) -> None:
    (pack, *_) = sorted((tmp_path / "store/packs").rglob("*-*"), key=lambda p: -p.stat().st_size)
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"damage")
    system = fsspec.filesystem("art")
    with pytest.raises(art.DamagedDataError) as caught:
        system.cat_file("set:v0/big.bin")
    assert caught.value.context["path"] == "big.bin"
    read = []
    with system.open("set:v0/big.bin") as opened, pytest.raises(art.DamagedDataError):
        read.extend(iter(lambda: opened.read(100_000), b""))
    assert noise(BIG).startswith(b"".join(read))
    assert system.cat_file("set:v0/big.bin", 4_900_000) == noise(BIG)[4_900_000:]
    found = system.cat_ranges(["set:v0/big.bin", "set:v0/a.txt"], 0, None)
    assert isinstance(found[0], art.DamagedDataError)
    assert found[1] == b"one\ntwo\nthree"

"""
Forked children of a parent that has used a store: they read and push, whatever it was doing.

Real forks, each under a time limit; a child that hangs is shown with its stacks.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore import limits
from artstore.api import LoggedArtifact, Store
from artstore.settings import resolve
from artstore.storage.opener import open_storage
from tests.faults.forked import ForkedChild, PausingStorage
from tests.trees import File, Tree, build, noise, observe, problems_of, push

# Python 3.12 warns of forks beside threads: they are what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

TREE: Tree = {
    **{f"small/{i:02}": File(noise(3_000, i)) for i in range(20)},
    "large": File(noise(2 * limits.MIB, 100)),
}


@pytest.fixture(params=["local", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for a store: a directory, and a bucket of moto."""
    if request.param == "local":
        return str(tmp_path / "store")
    server = request.getfixturevalue("moto")
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.make_bucket()}/store"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return build(tmp_path / "source", TREE)


def open_at(url: str) -> Store:
    return Store(resolve(url, "p"))


def filled(url: str, source: Path) -> None:
    """Another process has pushed `ds`; nothing of it is open here."""
    ForkedChild(lambda: push(open_at(url), source) and None).result()


# What the parent has done ----------------------------------------------------------------


def nothing(store: Store, source: Path, tmp_path: Path) -> None:
    del store, source, tmp_path


def opened(store: Store, source: Path, tmp_path: Path) -> None:
    assert [info.name for info in store.collections()] == ["ds"]


def pushed(store: Store, source: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "file").write_bytes(noise(300_000, 7))
    push(store, tmp_path / "more", name="other")


def pulled(store: Store, source: Path, tmp_path: Path) -> None:
    artifact = store.artifact("ds")
    artifact.download(tmp_path / "pulled")
    artifact.download(tmp_path / "linked", link="hard")
    assert artifact.read("small/03") == noise(3_000, 3)


# What the child does ---------------------------------------------------------------------


def pull_it(store: Store, target: Path) -> None:
    store.artifact("ds").download(target)
    assert observe(target) == TREE
    store.artifact("ds").download(target.with_name(f"{target.name}-linked"), link="hard")


def read_it(store: Store, target: Path) -> None:
    artifact = store.artifact("ds")
    assert artifact.read("small/07") == noise(3_000, 7)
    assert artifact.read("large") == noise(2 * limits.MIB, 100)


def push_it(store: Store, target: Path) -> None:
    source = build(target.with_name(f"{target.name}-source"), {"new": File(noise(400_000, 8))})
    logged = push(store, source, name=target.name)
    assert logged.push.is_new
    assert logged.read("new") == noise(400_000, 8)


def do_all(store: Store, target: Path) -> None:
    read_it(store, target)
    pull_it(store, target)
    push_it(store, target)


def still_works(store: Store, tmp_path: Path) -> None:
    """What a parent goes on doing after its children have done theirs."""
    do_all(store, tmp_path / "afterwards")
    assert problems_of(store) == []


@pytest.mark.parametrize("before", [nothing, opened, pushed, pulled])
def test_children_pull_read_and_push_whatever_the_parent_did_before(
    url: str, source: Path, tmp_path: Path, before: Callable[..., None]
) -> None:
    filled(url, source)
    store = open_at(url)
    before(store, source, tmp_path)
    children = [
        ForkedChild(lambda work=work: work(store, tmp_path / work.__name__))  # type: ignore[misc]
        for work in (pull_it, read_it, push_it)
    ]
    for child in children:
        child.result()
    still_works(store, tmp_path)
    assert store.artifact("push_it").version == "v0"


@pytest.mark.parametrize("prefix", ["packs/", "manifests/", "index/", "collections/"])
def test_children_of_a_parent_whose_other_thread_is_in_the_middle_of_a_push_do_not_hang(
    url: str, source: Path, tmp_path: Path, prefix: str
) -> None:
    filled(url, source)
    store = open_at(url)
    store._storage = storage = PausingStorage(open_storage(url), prefix)
    busy = build(tmp_path / "busy", {"file": File(noise(200_000, 9))})
    # The very log that the child appends to: its lock is held here.
    storage.thread = threading.Thread(target=lambda: push(store, busy, name="contended"))
    storage.thread.start()
    try:
        assert storage.is_there.wait(60)
        ForkedChild(lambda: do_all(store, tmp_path / "contended")).result()
    finally:
        storage.may_go_on.set()
        storage.thread.join()
    # The child was first; the parent's thread lost the race for v0 and took the next number.
    versions = [version.version for version in store.versions("contended")]
    assert versions == [0, 1]
    still_works(store, tmp_path)


def test_children_forked_at_any_moment_of_pushes_and_pulls_of_other_threads_do_not_hang(
    url: str, source: Path, tmp_path: Path
) -> None:
    filled(url, source)
    store = open_at(url)
    is_over = threading.Event()
    failures: list[BaseException] = []

    def keep_going(work: Callable[[int], Any]) -> None:
        count = 0
        try:
            while not is_over.is_set():
                work(count)
                count += 1
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    def push_next(count: int) -> None:
        push(store, build(tmp_path / "next", {"file": File(noise(200_000, count))}), name="next")

    def pull_next(count: int) -> None:
        store.artifact("ds").download(tmp_path / f"next-{count}", link="hard")

    threads = [threading.Thread(target=keep_going, args=(work,)) for work in (push_next, pull_next)]
    for thread in threads:
        thread.start()
    try:
        for i in range(6):
            ForkedChild(lambda i=i: do_all(store, tmp_path / f"child-{i}")).result()  # type: ignore[misc]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures
    still_works(store, tmp_path)


def test_an_artifact_of_the_parent_goes_on_working_in_its_children(
    url: str, source: Path, tmp_path: Path
) -> None:
    filled(url, source)
    artifact = open_at(url).artifact("ds")
    assert artifact.read("small/00") == noise(3_000, 0)
    assert artifact.metadata == {}

    def use(artifact: LoggedArtifact) -> list[Any]:
        artifact.download(tmp_path / "child", path_prefix="small/")
        assert len(observe(tmp_path / "child")) == 20
        paths = [entry.path for entry in artifact.entries()]
        return [artifact.qualified_name, artifact.aliases, artifact.metadata, paths]

    assert ForkedChild(lambda: use(artifact)).result() == use(artifact)


def test_a_file_that_is_half_read_is_read_to_its_end_on_both_sides_of_a_fork(
    url: str, source: Path
) -> None:
    filled(url, source)
    artifact = open_at(url).artifact("ds")
    pieces = artifact.iter_bytes("large")
    first = next(pieces)
    child = ForkedChild(lambda: b"".join(pieces))
    rest = b"".join(pieces)
    assert first + rest == noise(2 * limits.MIB, 100)
    assert child.result() == rest
    assert len(rest) > 0


def test_children_of_children_read_and_push(url: str, source: Path, tmp_path: Path) -> None:
    filled(url, source)
    store = open_at(url)
    opened(store, source, tmp_path)

    def nested(depth: int) -> None:
        do_all(store, tmp_path / f"depth-{depth}")
        if depth:
            ForkedChild(lambda: nested(depth - 1)).result()
            # It is a parent too.
            read_it(store, tmp_path)

    ForkedChild(lambda: nested(2)).result()
    still_works(store, tmp_path)


_pool_store: Store


def read_in_pool(i: int) -> tuple[int, bool]:
    data = _pool_store.artifact("ds").read(f"small/{i:02}")
    return os.getpid(), data == noise(3_000, i)


def push_in_pool(directory: str) -> str:
    artifact = art.Artifact("pool")
    artifact.add_dir(directory)
    return _pool_store.log_artifact(artifact).version


def test_a_forked_pool_reads_and_pushes(url: str, source: Path, tmp_path: Path) -> None:
    global _pool_store  # noqa: PLW0603 - how a forked pool is given what is open
    filled(url, source)
    _pool_store = open_at(url)
    opened(_pool_store, source, tmp_path)
    sources = [
        str(build(tmp_path / f"pool-{i}", {"file": File(noise(10_000, i))})) for i in range(6)
    ]
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map_async(read_in_pool, range(20), chunksize=1).get(60)
        versions = pool.map_async(push_in_pool, sources, chunksize=1).get(60)
        pool.close()
        pool.join()
    assert all(is_right for _, is_right in found)
    assert os.getpid() not in {pid for pid, _ in found}
    assert sorted(versions) == [f"v{i}" for i in range(6)]
    still_works(_pool_store, tmp_path)


def test_a_store_in_memory_is_copied_into_a_child(tmp_path: Path, source: Path) -> None:
    store = open_at("memory://forked")
    push(store, source)
    ForkedChild(lambda: do_all(store, tmp_path / "child")).result()
    # What the child pushed is in its own memory.
    assert [info.name for info in store.collections()] == ["ds"]
    still_works(store, tmp_path)

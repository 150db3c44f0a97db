"""Every path by which chunks are read or relied on, after a repack."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.api import Store
from artstore.errors import ConflictError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from artstore.syncing.storesync import sync
from tests.trees import File, build, keys_of, noise, observe, open_at, problems_of, push, put
from tests.unit.catalog.logs import LogWriter
from tests.unit.garbage.repacked import repacked
from tests.unit.syncing.stores import opened

# Of 100 chunks and more: with chunk lists.
LARGE = noise(9_000_000, 7)
TREE = {"large": File(LARGE), "small/a": File(noise(3000, 1)), "small/b": File(b"b" * 5000)}


@pytest.fixture
def storage() -> MeteredStorage:
    return MeteredStorage(MemoryStorage())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    many = {f"many/{i:04}": File(b"%d" % i) for i in range(900)}
    return build(tmp_path / "source", {**TREE, **many})


def at(storage: MeteredStorage | MemoryStorage) -> Store:
    """As a process that starts now sees it."""
    return open_at("memory://x", storage)


@pytest.fixture
def first(storage: MeteredStorage, source: Path) -> dict[str, object]:
    """v0 and v1 were pushed, v0 was deleted, all was repacked."""
    push(at(storage), source)
    put(source, "small/a", File(noise(3000, 2)))
    put(source, "many/0003", File(b"changed"))
    push(at(storage), source)
    at(storage).delete("ds:v0")
    done = repacked(at(storage))
    assert len(done.moved) >= 3
    return dict(observe(source))


def test_a_pull_writes_every_file(
    storage: MeteredStorage, first: dict[str, object], tmp_path: Path
) -> None:
    at(storage).artifact("ds").download(tmp_path / "out")
    assert observe(tmp_path / "out") == first


def test_a_pull_over_an_older_checkout_reads_what_differs(
    storage: MeteredStorage, source: Path, first: dict[str, object], tmp_path: Path
) -> None:
    at(storage).artifact("ds").download(tmp_path / "out")
    put(source, "large", File(LARGE[:6_000_000] + b"!" + LARGE[6_000_000:]))
    push(at(storage), source)
    repacked(at(storage), number=2)
    at(storage).artifact("ds").download(tmp_path / "out")
    assert observe(tmp_path / "out") == observe(source)


def test_ranges_of_files_are_read(storage: MeteredStorage, first: dict[str, object]) -> None:
    version = at(storage).artifact("ds")
    with version.open("large") as file:
        file.seek(6_000_000)
        assert file.read(1000) == LARGE[6_000_000:6_001_000]
        file.seek(0)
        assert file.read() == LARGE
    assert at(storage).artifact("ds").read("many/0007") == b"7"
    assert b"".join(at(storage).artifact("ds").iter_bytes("large")) == LARGE
    ranges = [("small/b", 0, 10), ("large", 8_999_990, None)]
    assert version.read_ranges(ranges) == [b"b" * 10, LARGE[-10:]]


def test_it_verifies_and_checks_and_is_measured(
    storage: MeteredStorage, first: dict[str, object]
) -> None:
    assert at(storage).verify("ds").problems == ()
    assert problems_of(at(storage)) == []
    usage = at(storage).usage("ds")
    assert usage.shared_bytes == 0
    assert usage.stored_bytes >= len(LARGE)
    assert at(storage).new_bytes("ds:v1") > 3000


def test_versions_are_compared(storage: MeteredStorage, source: Path) -> None:
    push(at(storage), source)
    put(source, "many/0003", File(b"changed"))
    push(at(storage), source)
    repacked(at(storage))
    diff = at(storage).diff("ds:v0", "ds:v1")
    assert [change.path for change in diff.changed] == ["many/0003"]


def test_a_push_builds_on_it_without_storing_what_is_there(
    storage: MeteredStorage, source: Path, first: dict[str, object], tmp_path: Path
) -> None:
    put(source, "many/0004", File(b"new"))
    pushed = push(at(storage), source)
    assert pushed.push.stored_bytes < 200_000
    at(storage).artifact("ds").download(tmp_path / "out")
    assert observe(tmp_path / "out") == observe(source)
    # And once more, so that old places are named by a version that came later.
    repacked(at(storage), number=2)
    at(storage).artifact("ds").download(tmp_path / "again")
    assert observe(tmp_path / "again") == observe(source)
    assert problems_of(at(storage)) == []


def test_a_push_into_another_collection_uses_the_index_as_it_is(
    storage: MeteredStorage, source: Path, first: dict[str, object]
) -> None:
    # The index still names packs that are gone: nothing of it is believed.
    push(at(storage), source, name="other")
    assert problems_of(at(storage)) == []


def test_it_goes_to_another_store(
    storage: MeteredStorage, first: dict[str, object], tmp_path: Path
) -> None:
    target = opened("target")
    report = sync(at(storage), target)
    assert report.problems == ()
    target.artifact("ds").download(tmp_path / "out")
    assert observe(tmp_path / "out") == first


def test_it_is_linked_and_the_link_holds(
    storage: MeteredStorage, first: dict[str, object], tmp_path: Path
) -> None:
    at(storage).artifact("ds").link("other")
    at(storage).delete("ds:v1")
    repacked(at(storage), number=2)
    at(storage).artifact("other").download(tmp_path / "out")
    assert observe(tmp_path / "out") == first


def test_packs_that_are_there_cost_no_look_at_records(
    storage: MeteredStorage, source: Path, tmp_path: Path
) -> None:
    push(at(storage), source)
    repacked(at(storage), sweep=False)
    storage.reset()
    at(storage).artifact("ds").download(tmp_path / "out")
    assert storage.requests()[Request("LIST", "moved")] == 0
    assert storage.requests()[Request("GET", "moved")] == 0


# relying on it ---------------------------------------------------------------------------


def collect(storage: MeteredStorage, *condemned: str) -> LogWriter:
    """A plan and its fence in every log; the sweep is still to come."""
    gc = LogWriter(storage, "upkeep/")
    gc.add("plan", k=0, condemned=list(condemned), condemned_in=[])
    from artstore.catalog.requests import FenceRequest

    catalog = at(storage)._place().catalog
    for project in catalog.projects():
        for name in catalog.collections(project):
            catalog.commit(project, name, FenceRequest(0))
    return gc


def finish(storage: MeteredStorage, gc: LogWriter, *gone: str) -> None:
    gc.add("sweep", plan=0, spared=[])
    storage.delete(gone)
    gc.add("done", plan=0)


def two_versions(storage: MeteredStorage, source: Path) -> list[str]:
    """v0 with a file that v1 has not, v0 deleted; the packs there are."""
    push(at(storage), source)
    put(source, "small/a", File(noise(3000, 2)))
    push(at(storage), source)
    at(storage).delete("ds:v0")
    return keys_of(storage, "packs/")


def test_a_deleted_version_whose_chunks_were_all_moved_is_restored(
    storage: MeteredStorage, source: Path, tmp_path: Path
) -> None:
    before = two_versions(storage, source)
    at(storage).restore("ds:v0")
    live = at(storage)
    repacked(live, sweep=False)
    live.delete("ds:v0")
    gc = collect(storage, *before)
    # Whatever goes was moved: there is nothing to wait for, before the sweep and after.
    at(storage).restore("ds:v0")
    at(storage).delete("ds:v0")
    finish(storage, gc, *before)
    at(storage).restore("ds:v0")
    at(storage).artifact("ds:v0").download(tmp_path / "out")
    assert observe(tmp_path / "out")["small/a"] == File(noise(3000, 1))
    assert problems_of(at(storage)) == []


def test_a_deleted_version_with_one_chunk_that_was_not_moved_is_not(
    storage: MeteredStorage, source: Path
) -> None:
    before = two_versions(storage, source)
    repacked(at(storage), sweep=False)
    gc = collect(storage, *before)
    with pytest.raises(ConflictError) as caught:
        at(storage).restore("ds:v0")
    assert caught.value.code == "content-condemned"
    finish(storage, gc, *before)
    with pytest.raises(ConflictError) as after:
        at(storage).restore("ds:v0")
    assert after.value.code == "content-vanished"
    assert problems_of(at(storage)) == []


def test_a_version_is_linked_while_its_packs_are_about_to_go(
    storage: MeteredStorage, source: Path
) -> None:
    push(at(storage), source)
    before = keys_of(storage, "packs/")
    repacked(at(storage), sweep=False)
    gc = collect(storage, *before)
    at(storage).artifact("ds").link("other")
    finish(storage, gc, *before)
    at(storage).artifact("ds").link("third")
    assert problems_of(at(storage)) == []


def test_what_is_found_by_a_record_that_is_about_to_go_is_not_relied_on(
    storage: MeteredStorage, source: Path
) -> None:
    push(at(storage), source)
    old = keys_of(storage, "packs/")
    repacked(at(storage))
    version = at(storage).artifact("ds")
    # The new pack stays, for the sake of others; what leads to it from the old one goes.
    collect(storage, *keys_of(storage, "moved/"), *old)
    with pytest.raises(ConflictError) as caught:
        version.link("other")
    assert caught.value.code == "content-condemned"


def test_what_was_moved_into_a_pack_that_is_about_to_go_is_not_relied_on(
    storage: MeteredStorage, source: Path
) -> None:
    push(at(storage), source)
    old = keys_of(storage, "packs/")
    repacked(at(storage))
    new = keys_of(storage, "packs/")
    version = at(storage).artifact("ds")
    # D6: with the new packs, those that lead to them are condemned.
    collect(storage, *new, *old)
    with pytest.raises(ConflictError) as caught:
        version.link("other")
    assert caught.value.code == "content-condemned"

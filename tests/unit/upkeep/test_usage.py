"""Usage: logical, stored, unique and shared bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.api import Store
from artstore.errors import NotFoundError
from artstore.storage.memory import MemoryStorage
from tests.trees import File, build, noise, open_at, push, put

SLACK_BYTES = 1_500
"""Of a manifest root."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_at("memory://x", MemoryStorage())
    source = build(
        tmp_path / "source", {"own": File(noise(30_000, 1)), "same": File(noise(20_000))}
    )
    push(store, source)
    put(source, "own", File(noise(10_000, 2)))
    push(store, source)
    put(source, "own", File(noise(5_000, 3)))
    push(store, source, name="other")
    return store


def test_a_version_is_split_into_what_it_alone_and_what_others_need(store: Store) -> None:
    first, second = store.usage("ds:v0"), store.usage("ds:v1")
    assert (first.logical_bytes, second.logical_bytes) == (50_000, 30_000)
    assert first.shared_bytes == second.shared_bytes == 20_000
    assert 30_000 <= first.unique_bytes < 30_000 + SLACK_BYTES
    assert 10_000 <= second.unique_bytes < 10_000 + SLACK_BYTES
    assert first.stored_bytes == first.unique_bytes + first.shared_bytes


def test_an_artifact_counts_what_its_versions_share_once(store: Store) -> None:
    usage = store.usage("ds")
    assert usage.logical_bytes == 80_000
    assert usage.shared_bytes == 20_000
    assert 40_000 <= usage.unique_bytes < 40_000 + 2 * SLACK_BYTES


def test_the_whole_store_is_all_that_lies_there(store: Store) -> None:
    usage = store.usage()
    assert usage.logical_bytes == 105_000
    assert usage.stored_bytes == sum(info.size_bytes for info in store._storage.scan(""))
    assert usage.shared_bytes == 20_000
    assert 45_000 <= usage.unique_bytes < 45_000 + 3 * SLACK_BYTES


def test_a_deleted_version_needs_nothing(store: Store) -> None:
    store.delete("ds:v0")
    assert store.usage("ds").logical_bytes == 30_000
    assert store.usage("other").shared_bytes == 20_000
    store.delete("ds:v1")
    assert store.usage("other").shared_bytes == 0


def test_a_file_that_is_twice_in_a_version_is_stored_once(tmp_path: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, build(tmp_path / "t", {name: File(noise(10_000)) for name in "abc"}))
    usage = store.usage("ds")
    assert usage.logical_bytes == 30_000
    assert 10_000 <= usage.stored_bytes < 10_000 + SLACK_BYTES


def test_a_name_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.usage("none")

"""What the meter counts is what went through."""

from __future__ import annotations

import pytest

from artstore.errors import NotFoundError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import PAGE_KEY_COUNT, MeteredStorage, OperationCount, Request
from artstore.storage.protocol import Span


def test_calls_items_and_bytes_are_counted_per_operation() -> None:
    storage = MeteredStorage(MemoryStorage())
    storage.create("a/1", [b"12", b"345"])
    storage.create_many([("a/2", b"x"), ("a/3", b"yz")])
    storage.read("a/1", Span(1, 2))
    list(storage.read_many([("a/1", None), ("a/2", None)]))
    storage.stat("a/1")
    list(storage.scan("a/", after="a/1"))
    list(storage.scan_names("a/"))
    storage.delete(iter(["a/1", "a/9"]))
    assert storage.snapshot() == {
        "create": OperationCount(2, 3, 8),
        "read": OperationCount(2, 3, 8),
        "stat": OperationCount(1, 1, 0),
        "scan": OperationCount(1, 2, 0),
        "scan_names": OperationCount(1, 3, 0),
        "delete": OperationCount(1, 2, 0),
    }


def test_a_failed_call_counts_without_items() -> None:
    storage = MeteredStorage(MemoryStorage())
    with pytest.raises(NotFoundError):
        storage.read("a/1")
    assert storage.snapshot()["read"] == OperationCount(1, 0, 0)


def test_since_gives_the_difference_and_reset_starts_over() -> None:
    storage = MeteredStorage(MemoryStorage())
    storage.create("a/1", b"1")
    before = storage.snapshot()
    storage.create("a/2", b"22")
    assert storage.since(before)["create"] == OperationCount(1, 1, 2)
    assert storage.since(before)["read"] == OperationCount()
    storage.reset()
    assert storage.snapshot()["create"] == OperationCount()


# --- in requests to a bucket ------------------------------------------------------------


def test_each_value_is_a_request_whether_or_not_it_is_had() -> None:
    storage = MeteredStorage(MemoryStorage())
    storage.create("packs/1", b"x")
    storage.create_many([("packs/2", b"x"), ("index/1", b"y")])
    list(storage.read_many([("packs/1", None), ("packs/2", None)]))
    with pytest.raises(NotFoundError):
        storage.read("artstore.json")
    with pytest.raises(NotFoundError):
        storage.stat("packs/9")
    assert storage.requests() == {
        Request("PUT", "packs"): 2,
        Request("PUT", "index"): 1,
        Request("GET", "packs"): 2,
        Request("GET", "artstore.json"): 1,
        Request("HEAD", "packs"): 1,
    }


@pytest.mark.parametrize(
    ("key_count", "request_count"),
    [(0, 1), (1, 1), (PAGE_KEY_COUNT, 1), (PAGE_KEY_COUNT + 1, 2), (2 * PAGE_KEY_COUNT + 1, 3)],
)
def test_keys_are_listed_a_page_at_a_time(key_count: int, request_count: int) -> None:
    inner = MemoryStorage()
    inner.create_many([(f"packs/{number:04d}", b"") for number in range(key_count)])
    storage = MeteredStorage(inner)
    assert len(list(storage.scan("packs/"))) == key_count
    assert storage.requests() == {Request("LIST", "packs"): request_count}


def test_a_scan_that_is_left_early_asks_for_no_further_page() -> None:
    inner = MemoryStorage()
    inner.create_many([(f"packs/{number:04d}", b"") for number in range(PAGE_KEY_COUNT + 1)])
    storage = MeteredStorage(inner)
    assert next(storage.scan("packs/")).key == "packs/0000"
    assert storage.requests() == {Request("LIST", "packs"): 1}


def test_keys_are_deleted_a_page_at_a_time() -> None:
    storage = MeteredStorage(MemoryStorage())
    storage.delete([])
    assert not storage.requests()
    storage.delete(f"packs/{number}" for number in range(PAGE_KEY_COUNT + 1))
    assert storage.requests() == {Request("DELETE", "packs"): 2}


def test_requests_start_over_with_everything_else() -> None:
    storage = MeteredStorage(MemoryStorage())
    storage.create("a", b"1")
    assert storage.requests().total() == 1
    storage.reset()
    assert storage.requests().total() == 0

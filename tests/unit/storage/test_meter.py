"""What the meter counts is what went through."""

from __future__ import annotations

import pytest

from artstore.errors import NotFoundError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, OperationCount
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

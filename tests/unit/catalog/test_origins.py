"""Versions that came from another store: numbers, identity, what readers make of them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from artstore.catalog.format import COLLECTION_KINDS, LogEntry, decode_entry
from artstore.catalog.requests import Published, PublishRequest, Unchanged
from artstore.catalog.state import Origin
from artstore.errors import InvalidInputError
from artstore.storage.memory import MemoryStorage
from tests.unit.catalog.logs import LogWriter, catalog_of, publish

STORE = "ab" * 16
MADE = "2025-05-05T05:05:05Z"


def origin(version: int, store: str = STORE) -> Origin:
    return Origin(store, "p", "c", version, MADE, "ada@lab")


def fields(version: int, **changes: Any) -> dict[str, Any]:
    return {
        "store": STORE,
        "artifact": "p/c",
        "version": version,
        "time": MADE,
        "by": "ada@lab",
    } | changes


def test_a_version_keeps_the_number_of_its_origin_and_later_ones_go_on_from_there() -> None:
    catalog = catalog_of(MemoryStorage())
    came = catalog.commit("p", "c", publish(1, origin=origin(7)))
    assert came.outcome == Published(7)
    version = came.state.versions[7]
    assert version.origin == origin(7)
    assert (version.created, version.by) == (MADE, "ada@lab")
    assert catalog.commit("p", "c", publish(2)).outcome == Published(8)
    assert catalog.commit("p", "c", publish(3, origin=origin(3))).outcome == Published(9)
    state = catalog.state("p", "c")
    assert list(state.versions) == [7, 8, 9]
    assert state.warnings == ()


def test_what_came_once_is_not_published_again_even_if_it_was_deleted() -> None:
    catalog = catalog_of(MemoryStorage())
    catalog.commit("p", "c", publish(1, origin=origin(0)))
    again = catalog.commit("p", "c", publish(2, origin=origin(0)))
    assert (again.n, again.outcome) == (None, Published(0, is_repeated=True))
    from artstore.catalog.requests import DeleteRequest

    catalog.commit("p", "c", DeleteRequest(0))
    assert catalog.commit("p", "c", publish(3, origin=origin(0))).n is None


def test_the_same_content_from_elsewhere_is_a_version_of_its_own() -> None:
    catalog = catalog_of(MemoryStorage())
    catalog.commit("p", "c", publish(1))
    assert catalog.commit("p", "c", publish(1, push="f" * 16)).outcome == Unchanged(0)
    request = publish(1, push="e" * 16, origin=origin(0))
    assert catalog.commit("p", "c", request).outcome == Published(1)


def test_of_two_who_bring_a_version_at_once_one_does() -> None:
    storage = MemoryStorage()
    barrier = threading.Barrier(4)
    outcomes: list[object] = []

    def bring(number: int) -> None:
        catalog = catalog_of(storage)
        barrier.wait()
        for version in range(5):
            request = publish(version, push=f"{number:08x}{version:08x}", origin=origin(version))
            outcomes.append(catalog.commit("p", "c", request).outcome)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome == Published(n) for n in range(5) for outcome in outcomes) == 5
    state = catalog_of(storage).state("p", "c")
    assert list(state.versions) == [0, 1, 2, 3, 4]


def test_a_second_entry_of_one_origin_is_void() -> None:
    writer = LogWriter()
    writer.create()
    writer.publish(0, origin=fields(0))
    writer.publish(1, origin=fields(0))
    writer.publish(1, origin=fields(0, store="cd" * 16))
    state = writer.state()
    assert list(state.versions) == [0, 1]
    assert [warning.code for warning in state.warnings] == ["log-void-entry"]
    assert "a second time" in state.warnings[0].message


def test_without_an_origin_a_number_that_leaves_some_out_is_void() -> None:
    writer = LogWriter()
    writer.create()
    writer.publish(3, origin=fields(3))
    writer.publish(9)
    assert list(writer.state().versions) == [3]


@pytest.mark.parametrize(
    "changes",
    [
        {"store": "AB" * 16},
        {"store": None},
        {"artifact": "c"},
        {"artifact": "p/c/d"},
        {"artifact": 3},
        {"version": -1},
        {"version": True},
        {"time": "yesterday"},
        {"by": "a\nb"},
    ],
)
def test_an_origin_that_is_none_makes_no_entry(changes: dict[str, Any]) -> None:
    writer = LogWriter()
    writer.create()
    with pytest.raises(InvalidInputError, match="origin"):
        writer.publish(0, origin={**fields(0), **changes})


def test_an_entry_with_an_origin_is_read_as_it_was_written() -> None:
    writer = LogWriter()
    writer.create()
    raw = writer.publish(4, origin=fields(4))
    assert raw.data is not None
    found = decode_entry(raw.data, 1, None, COLLECTION_KINDS)
    assert isinstance(found, LogEntry)
    assert found.fields["origin"] == fields(4)


def test_requests_without_origin_write_no_such_field() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    request: PublishRequest = publish(1)
    catalog.commit("p", "c", request)
    assert b"origin" not in storage.read("collections/p/c/000000000001")

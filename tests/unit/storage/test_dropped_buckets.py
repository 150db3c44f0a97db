"""A storage in a bucket that nobody holds any more leaves nothing behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from artstore.storage.opener import open_storage
from tests.unit.storage.answering import HEADERS, AnsweringServer, Reply, answering


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnsweringServer]:
    with answering() as server:
        server.answer(Reply(200, b"value", HEADERS))
        for name, value in server.description.environ.items():
            monkeypatch.setenv(name, value)
        yield server


def use(url: str) -> None:
    storage = open_storage(url)
    assert list(storage.read_many([("a/1", None), ("a/2", None)])) == [b"value", b"value"]


def of_requests() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("artstore-bucket")}


# Opening by s3fs takes a fifth of a second.
@pytest.mark.parametrize(("scheme", "count"), [("s3", 20), ("fsspec+s3", 3)])
def test_the_threads_of_dropped_storages_end(
    server: AnsweringServer, scheme: str, count: int
) -> None:
    # What other tests left ends now.
    gc.collect()
    for thread in of_requests():
        thread.join(0.2)
    before = of_requests()
    held = open_storage(f"{scheme}://bucket/held")
    list(held.read_many([("a/1", None), ("a/2", None)]))
    own = of_requests() - before
    assert own
    gc.disable()  # they end with the last reference, not some time later
    try:
        for number in range(count):
            use(f"{scheme}://bucket/{number}")
    finally:
        gc.enable()
    for thread in of_requests() - before - own:
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert of_requests() - before == own
    assert list(held.read_many([("a/1", None)] * 2)) == [b"value"] * 2

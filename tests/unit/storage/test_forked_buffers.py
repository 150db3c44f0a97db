"""Page-aligned buffers are shared memory: a forked child must not write into its parent's."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore import limits
from artstore.storage import direct
from artstore.storage.direct import BufferPool
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span
from tests.trees import noise
from tests.unit.storage.processes import ChildProcess

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SIZE = 64 * limits.KIB


def test_a_child_takes_no_buffer_of_its_parents_pool() -> None:
    pool = BufferPool(SIZE)
    first = pool.take()
    pool.give_back(first)

    def write() -> None:
        for _ in range(2):
            buffer = pool.take()
            buffer[:4] = b"kids"
            pool.give_back(buffer)

    ChildProcess(write).result()
    assert first[:4] == bytes(4)
    # The parent goes on using its own.
    assert pool.take() is first


def test_a_buffer_that_was_taken_before_a_fork_is_not_kept_by_the_child() -> None:
    pool = BufferPool(SIZE)
    taken = pool.take()

    def give_back() -> bool:
        pool.give_back(taken)
        return pool.take() is taken

    assert ChildProcess(give_back).result() is False
    assert taken[:4] == bytes(4)


def test_a_child_gathers_what_it_writes_in_memory_of_its_own() -> None:
    stage = direct._stages.get()
    stage[:4] = b"mine"

    def write() -> None:
        direct._stages.get()[:4] = b"kids"

    ChildProcess(write).result()
    assert stage[:4] == b"mine"
    assert direct._stages.get() is stage


def test_children_and_parent_read_large_ranges_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nothing were in the page cache, so that every read goes past it.
    monkeypatch.setattr("artstore.storage.local.durable.is_cached", lambda *_: False)
    storage = LocalStorage(tmp_path, sync=False)
    values = {f"packs/00/{i}": noise(4 * limits.MIB, i) for i in range(3)}
    for key, value in values.items():
        storage.create(key, value)
    span = Span(0, 2 * limits.MIB)

    def read(key: str) -> bool:
        expected = values[key][: 2 * limits.MIB]
        return all(bytes(*storage.read_many([(key, span)])) == expected for _ in range(30))

    assert read("packs/00/0")
    children = [ChildProcess(lambda key=key: read(key)) for key in values]  # type: ignore[misc]
    assert read("packs/00/0")
    assert all(child.result() for child in children)

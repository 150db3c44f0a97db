"""A view of a store as it will be: covered and hidden keys, and nothing is ever written."""

from __future__ import annotations

import pytest

from artstore.errors import DeniedError, NotFoundError
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Span
from artstore.upkeep.overlay import OverlayStorage


@pytest.fixture
def overlay() -> OverlayStorage:
    inner, journal = MemoryStorage("inner"), MemoryStorage("journal")
    for key in ("a/1", "a/2", "b/c/1"):
        inner.create(key, b"inner")
    for key in ("a/2", "a/3", "b/d/1", "c"):
        journal.create(key, b"journal!")
    overlay = OverlayStorage(inner, journal)
    for key in ("a/2", "a/3", "b/d/1"):
        overlay.cover(key)
    overlay.hide("a/1")
    return overlay


def test_covered_keys_come_from_the_journal_and_hidden_ones_are_absent(
    overlay: OverlayStorage,
) -> None:
    assert overlay.read("a/2", Span(0, 4)) == b"jour"
    assert overlay.read("b/c/1") == b"inner"
    assert overlay.stat("a/3").size_bytes == 8
    assert list(overlay.read_many([("b/c/1", None), ("a/3", None)])) == [b"inner", b"journal!"]
    assert list(overlay.read_many([("b/c/1", None)])) == [b"inner"]
    for key in ("a/1", "c"):
        with pytest.raises(NotFoundError):
            overlay.read(key)
    overlay.uncover("a/2")
    assert overlay.read("a/2") == b"inner"


def test_keys_are_listed_in_order_each_once(overlay: OverlayStorage) -> None:
    assert [info.key for info in overlay.scan("")] == ["a/2", "a/3", "b/c/1", "b/d/1"]
    assert [info.key for info in overlay.scan("a/", after="a/2")] == ["a/3"]
    assert list(overlay.scan_names("b/")) == ["c", "d"]


def test_nothing_is_written(overlay: OverlayStorage) -> None:
    for write in (
        lambda: overlay.create("x", b""),
        lambda: overlay.create_many([("x", b"")]),
        lambda: overlay.delete(["a/2"]),
    ):
        with pytest.raises(DeniedError):
            write()

"""Connections of SQLite: they are closed while no fork can happen, and a parent's never."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from artstore.catalog.hostdatabase import HostDatabase
from tests.faults.forked import ForkedChild

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

_SCHEMA = "CREATE TABLE numbers (number INTEGER);"


def database(file: Path) -> HostDatabase:
    return HostDatabase(file, _SCHEMA, 1)


def insert(connection: sqlite3.Connection) -> bool:
    connection.execute("INSERT INTO numbers VALUES (1)")
    return True


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])


def leave_in_a_cycle(file: Path) -> None:
    """As a store is left: nobody has it, and only the collector finds out."""
    left = database(file)
    assert left.attempt(insert, otherwise=False)
    left.itself = left  # type: ignore[attr-defined]


def is_open(file: Path) -> bool:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return str(file) in {os.readlink(link) for link in links if os.path.islink(link)}


def test_what_the_collector_finds_is_closed_by_the_next_database_that_works(
    tmp_path: Path,
) -> None:
    leave_in_a_cycle(tmp_path / "left")
    gc.collect()
    assert is_open(tmp_path / "left")
    working = database(tmp_path / "working")
    assert working.attempt(insert, otherwise=False)
    assert not is_open(tmp_path / "left")
    working.close()
    assert not is_open(tmp_path / "working")


def test_a_child_never_closes_what_its_parent_left(tmp_path: Path) -> None:
    leave_in_a_cycle(tmp_path / "left")
    held = database(tmp_path / "held")
    assert held.attempt(insert, otherwise=False)
    gc.collect()

    def work() -> tuple[int, bool]:
        return held.attempt(count, otherwise=-1), is_open(tmp_path / "left")

    assert ForkedChild(work).result() == (1, True)
    assert held.attempt(count, otherwise=-1) == 1


def test_children_forked_while_another_thread_collects_databases_do_not_hang(
    tmp_path: Path,
) -> None:
    is_over = threading.Event()

    def collect() -> None:
        while not is_over.is_set():
            for number in range(30):
                leave_in_a_cycle(tmp_path / str(number))
            gc.collect()

    mine = database(tmp_path / "mine")
    thread = threading.Thread(target=collect)
    thread.start()
    try:
        for _ in range(100):
            child = ForkedChild(lambda: mine.attempt(count, otherwise=-1), seconds=20)
            assert child.result() == 0
    finally:
        is_over.set()
        thread.join()

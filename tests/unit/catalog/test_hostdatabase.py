"""Connections of SQLite: they are closed while no fork can happen, and a parent's never."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.catalog.hostdatabase import HostDatabase
from tests.faults.forked import ForkedChild
from tests.faults.killing import SOURCE

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


# In a process of its own: to fork one with all tests in it takes a hundred times longer.
FORKING = """
import gc, os, select, signal, sys, threading
from pathlib import Path
from artstore.catalog.hostdatabase import HostDatabase

place = Path(sys.argv[1])
schema = "CREATE TABLE numbers (number INTEGER);"
is_over = threading.Event()

def collect():
    while not is_over.is_set():
        for number in range(30):
            left = HostDatabase(place / str(number), schema, 1)
            left.attempt(lambda one: one.execute("INSERT INTO numbers VALUES (1)").fetchall(), [])
            left.itself = left
        gc.collect()

mine = HostDatabase(place / "mine", schema, 1)
threading.Thread(target=collect).start()
hung = 0
for _ in range(150):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        mine.attempt(lambda one: one.execute("SELECT * FROM numbers").fetchall(), [])
        os.write(writing, b"x")
        os._exit(0)
    hung += not select.select([reading], [], [], 20)[0]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    if hung:
        break
is_over.set()
print(hung)
"""


def test_children_forked_while_another_thread_collects_databases_do_not_hang(
    tmp_path: Path,
) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert found.stdout == "0\n"

"""A paced storage moves no more bytes a second than it may, and changes nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from artstore import clock
from artstore.storage.memory import MemoryStorage
from artstore.storage.pace import PacedStorage
from artstore.storage.protocol import Storage


class Stopwatch(clock.Clock):
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._lock = threading.Lock()

    def now_seconds(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds


@pytest.fixture
def watch() -> Iterator[Stopwatch]:
    with clock.use(Stopwatch()) as watch:
        assert isinstance(watch, Stopwatch)
        yield watch


def paced(rate: int) -> PacedStorage:
    return PacedStorage(MemoryStorage(), bytes_per_second=rate)


def write_one_by_one(storage: Storage) -> None:
    for number in range(20):
        storage.create(f"a/{number:02}", bytes(100))


def write_at_once(storage: Storage) -> None:
    for number in range(2):
        storage.create_many([(f"a/{number}{n}", bytes(100)) for n in range(10)])


def read_one_by_one(storage: PacedStorage) -> None:
    write_one_by_one(storage._inner)
    for number in range(20):
        storage.read(f"a/{number:02}")


def read_at_once(storage: PacedStorage) -> None:
    write_one_by_one(storage._inner)
    list(storage.read_many([(f"a/{number:02}", None) for number in range(20)]))


@pytest.mark.parametrize("work", [write_one_by_one, write_at_once, read_one_by_one, read_at_once])
def test_bytes_take_as_long_as_the_rate_says(
    watch: Stopwatch, work: Callable[[PacedStorage], None]
) -> None:
    storage = paced(rate=100)
    work(storage)
    storage.create("b/last", b"")  # pays for what went before
    assert 19.5 <= watch.seconds - 1000 <= 20.0


def test_listings_and_looks_cost_nothing(watch: Stopwatch) -> None:
    storage = paced(rate=1)
    write_one_by_one(storage._inner)
    assert len(list(storage.scan("a/"))) == 20
    assert list(storage.scan_names("")) == ["a"]
    assert storage.stat("a/00").size_bytes == 100
    storage.delete(["a/00"])
    assert watch.seconds == 1000


def test_time_without_traffic_is_not_saved_up(watch: Stopwatch) -> None:
    storage = paced(rate=100)
    watch.seconds += 3600
    write_one_by_one(storage)
    assert watch.seconds - 4600 >= 18


def test_threads_share_one_rate(watch: Stopwatch) -> None:
    storage = paced(rate=100)

    def write(me: int) -> None:
        for number in range(5):
            storage.create(f"{me}/{number}", bytes(100))

    threads = [threading.Thread(target=write, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Sleeps of threads add up on this clock, so it may only show more than there was.
    assert watch.seconds - 1000 >= 18.5


def test_no_rate_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        paced(rate=0)

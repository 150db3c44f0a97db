"""Reading ahead: in order, within a bound, and without anything left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from artstore.digest import Buffer
from artstore.errors import DamagedDataError
from artstore.packs.locator import ChunkRef
from artstore.transfer.readahead import ReadAhead, WindowBudget


def windows(count: int) -> list[list[ChunkRef]]:
    return [[ChunkRef(bytes(32), n, 1, b"", 0, 0, 0, 1)] for n in range(count)]


def number_of(refs: Sequence[ChunkRef]) -> int:
    return refs[0][1]  # type: ignore[no-any-return]


class Reading:
    """Tells how many windows were asked for and not yet taken."""

    def __init__(self, *, fail_at: int = -1) -> None:
        self.asked: list[int] = []
        self.fail_at = fail_at
        self._lock = threading.Lock()

    def __call__(self, refs: Sequence[ChunkRef]) -> list[Buffer]:
        number = number_of(refs)
        with self._lock:
            self.asked.append(number)
        if number == self.fail_at:
            raise DamagedDataError("bad", code="chunk-damaged")
        return [b"%d" % number]


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("budget", [0, 1, 5])
def test_windows_come_in_order_each_once(
    workers: ThreadPoolExecutor, count: int, budget: int
) -> None:
    reading = Reading()
    found = list(ReadAhead(workers, WindowBudget(budget)).run(iter(windows(count)), reading))
    assert [stored for _, stored in found] == [[b"%d" % n] for n in range(count)]
    assert sorted(reading.asked) == list(range(count))


@pytest.mark.parametrize(("budget", "ahead"), [(0, 2), (2, 2), (5, 5)])
def test_no_more_windows_are_under_way_than_the_budget_says(
    workers: ThreadPoolExecutor, budget: int, ahead: int
) -> None:
    reading = Reading()
    run = ReadAhead(workers, WindowBudget(budget)).run(iter(windows(50)), reading)
    for taken, _ in enumerate(run):
        assert max(reading.asked) < taken + ahead


def test_files_share_a_budget_and_each_has_two_windows_all_the_same(
    workers: ThreadPoolExecutor,
) -> None:
    budget = WindowBudget(3)
    first, second = (ReadAhead(workers, budget).run(iter(windows(50)), Reading()) for _ in range(2))
    for (a, _), (b, _) in zip(first, second, strict=True):
        assert number_of(a) == number_of(b)
    assert budget._taken == 0


def test_a_failure_is_raised_in_its_turn_and_gives_the_budget_back(
    workers: ThreadPoolExecutor,
) -> None:
    budget = WindowBudget(5)
    run = ReadAhead(workers, budget).run(iter(windows(50)), Reading(fail_at=7))
    assert [number_of(next(run)[0]) for _ in range(7)] == list(range(7))
    with pytest.raises(DamagedDataError):
        next(run)
    assert budget._taken == 0


def test_a_reader_that_stops_gives_the_budget_back(workers: ThreadPoolExecutor) -> None:
    budget = WindowBudget(5)
    run = ReadAhead(workers, budget).run(iter(windows(50)), Reading())
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert budget._taken == 0

from __future__ import annotations

import pytest

from artstore import clock


class FixedClock(clock.Clock):
    def __init__(self, fill: int = 0) -> None:
        self.fill = fill
        self.slept: list[float] = []

    def now_seconds(self) -> float:
        return 1_000.5

    def random_bytes(self, count: int) -> bytes:
        return bytes([self.fill]) * count

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_everything_comes_from_the_clock_in_use() -> None:
    with clock.use(FixedClock(7)) as fixed:
        clock.sleep(3.0)
        assert clock.now_seconds() == 1_000.5
        assert clock.now_nanoseconds() == 1_000_500_000_000
        assert clock.random_bytes(2) == b"\7\7"
        assert fixed.slept == [3.0]


def test_the_clock_before_returns_even_after_an_error() -> None:
    before = clock.random_bytes(8)
    with pytest.raises(RuntimeError), clock.use(FixedClock()):
        raise RuntimeError
    assert clock.now_seconds() != 1_000.5
    assert clock.random_bytes(8) not in {before, bytes(8)}


@pytest.mark.parametrize(("fill", "at_least", "below"), [(0, 0.0, 1e-9), (255, 0.999, 1.0)])
def test_fractions_come_from_the_clock_and_never_reach_one(fill, at_least, below) -> None:
    with clock.use(FixedClock(fill)):
        assert at_least <= clock.random_fraction() < below


def test_times_are_utc_text_that_sorts() -> None:
    assert clock.format_time(0) == "1970-01-01T00:00:00Z"
    assert clock.format_time(1_769_860_800.9) == "2026-01-31T12:00:00Z"
    times = [clock.format_time(seconds) for seconds in (9e8, 999_999_999, 1e9, 2e9)]
    assert times == sorted(times)


def test_the_machine_tells_one_time_in_both_units() -> None:
    before = clock.now_nanoseconds()
    seconds = clock.now_seconds()
    # A float of seconds is exact to about a microsecond only.
    assert before - 2_000 <= seconds * 1e9 <= clock.now_nanoseconds() + 2_000

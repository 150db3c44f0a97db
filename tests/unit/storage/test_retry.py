"""Trying again: when, how long, and what a repeated create may conclude."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import ANY

import pytest

from artstore import clock
from artstore.errors import AlreadyExistsError, DeniedError, NotFoundError, UnavailableError
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Span, Value
from artstore.storage.retry import RetryingStorage
from artstore.testing.faults import FaultPlan, FaultyStorage


class PatientClock(clock.SystemClock):
    """Waits are written down instead of waited for."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def patient() -> Iterator[PatientClock]:
    with clock.use(PatientClock()) as patient:
        assert isinstance(patient, PatientClock)
        yield patient


@contextmanager
def full_jitter(monkeypatch: pytest.MonkeyPatch, fraction: float) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(clock, "random_fraction", lambda: fraction)
        yield


def retrying(plan: FaultPlan, *, attempts: int = 4) -> tuple[RetryingStorage, FaultyStorage]:
    faulty = FaultyStorage(MemoryStorage(), plan)
    return RetryingStorage(faulty, attempts=attempts), faulty


def test_reads_are_tried_again_until_they_answer(patient: PatientClock) -> None:
    calls: list[Callable[[RetryingStorage], object]] = [
        lambda s: s.read("a/1"),
        lambda s: s.read("a/1", Span(0, 1)),
        lambda s: s.stat("a/1").size_bytes,
        lambda s: [i.key for i in s.scan("a/")],
        lambda s: list(s.scan_names("")),
        lambda s: list(s.read_many([("a/1", None), ("a/2", None)])),
    ]
    expected = [b"one", b"o", 3, ["a/1", "a/2"], ["a"], [b"one", b"two"]]
    for call, answer in zip(calls, expected, strict=True):
        storage, faulty = retrying(FaultPlan(unavailable_reads=3))
        faulty.inner.create_many([("a/1", b"one"), ("a/2", b"two")])
        assert call(storage) == answer
    assert len(patient.waits) == 3 * len(calls)


def test_the_last_attempt_tells_its_error(patient: PatientClock) -> None:
    storage, faulty = retrying(FaultPlan(unavailable_reads=4))
    faulty.inner.create("a/1", b"one")
    with pytest.raises(UnavailableError, match="injected"):
        storage.read("a/1")
    assert len(patient.waits) == 3
    assert storage.read("a/1") == b"one"


def test_other_errors_are_not_tried_again(patient: PatientClock) -> None:
    storage, faulty = retrying(FaultPlan(full_at=0))
    with pytest.raises(DeniedError):
        storage.create("a/1", b"")
    with pytest.raises(NotFoundError):
        storage.read("a/1")
    assert patient.waits == []
    assert faulty.mutation_count == 1


def test_waits_double_up_to_a_bound_and_jitter_takes_a_part(
    patient: PatientClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = FaultyStorage(MemoryStorage(), FaultPlan(unavailable_reads=9))
    storage = RetryingStorage(faulty, attempts=7, first_delay_seconds=1, max_delay_seconds=10)
    with full_jitter(monkeypatch, 0.5), pytest.raises(UnavailableError):
        storage.read("a/1")
    assert patient.waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_create_whose_answer_was_lost_is_ours(patient: PatientClock) -> None:
    for value in (b"mine", [b"mi", memoryview(b"ne")], b""):
        storage, faulty = retrying(FaultPlan(lose_answer_at=frozenset({0})))
        storage.create("a/1", value)
        assert faulty.inner.read("a/1") == b"".join([value] if isinstance(value, bytes) else value)


def test_a_create_that_never_arrived_is_made(patient: PatientClock) -> None:
    storage, faulty = retrying(FaultPlan(unavailable_at=frozenset({0, 1, 2})))
    storage.create("a/1", b"mine")
    assert faulty.inner.read("a/1") == b"mine"
    assert len(patient.waits) == 3


def test_exists_at_the_first_attempt_is_never_ours(patient: PatientClock) -> None:
    storage, faulty = retrying(FaultPlan())
    faulty.inner.create("a/1", b"same bytes")
    with pytest.raises(AlreadyExistsError):
        storage.create("a/1", b"same bytes")


def test_exists_after_a_lost_answer_is_not_ours_when_the_bytes_differ(
    patient: PatientClock,
) -> None:
    storage, faulty = retrying(FaultPlan(unavailable_at=frozenset({0})))
    faulty.inner.create("a/1", b"their value")
    with pytest.raises(AlreadyExistsError):
        storage.create("a/1", b"our value!!")
    assert faulty.inner.read("a/1") == b"their value"


def test_create_many_goes_on_value_by_value_after_a_lost_answer(patient: PatientClock) -> None:
    items: list[tuple[str, Value]] = [(f"a/{n}", b"%d" % n) for n in range(5)]
    for lost in range(5):
        plan = FaultPlan(lose_answer_at=frozenset({lost}), unavailable_at=frozenset({lost + 2}))
        storage, faulty = retrying(plan)
        storage.create_many(items)
        assert [faulty.inner.read(key) for key, _ in items] == [value for _, value in items]


def test_create_many_refuses_what_is_someone_elses(patient: PatientClock) -> None:
    storage, faulty = retrying(FaultPlan(lose_answer_at=frozenset({0})))
    faulty.inner.create("a/1", b"theirs")
    with pytest.raises(AlreadyExistsError):
        storage.create_many([("a/0", b"ours"), ("a/1", b"ours")])
    assert faulty.inner.read("a/1") == b"theirs"


def test_exists_and_then_absent_is_tried_again(patient: PatientClock) -> None:
    class Delayed(FaultyStorage):
        """The earlier attempt is seen by create before it is seen by read."""

        reads = 0

        def read(self, key: str, span: Span | None = None) -> bytes:
            self.reads += 1
            if self.reads < 3:
                raise NotFoundError(f"{key} is not there", code="key-not-found")
            return super().read(key, span)

    faulty = Delayed(MemoryStorage(), FaultPlan(lose_answer_at=frozenset({0})))
    RetryingStorage(faulty, attempts=4).create("a/1", b"mine")
    assert faulty.inner.read("a/1") == b"mine"
    faulty = Delayed(MemoryStorage(), FaultPlan(lose_answer_at=frozenset({0})))
    with pytest.raises(UnavailableError, match="exists and cannot be read"):
        RetryingStorage(faulty, attempts=2).create("a/1", b"mine")


def test_listings_and_read_many_go_on_where_they_stopped(patient: PatientClock) -> None:
    class Stuttering(FaultyStorage):
        """Every listing and every `read_many` breaks after two answers."""

        def scan(self, prefix, *, after=""):
            yield from self._two(super().scan(prefix, after=after))

        def scan_names(self, prefix):
            yield from self._two(super().scan_names(prefix), every=7)

        def read_many(self, requests):
            yield from self._two(super().read_many(requests))

        calls = 0

        def _two(self, answers, every=2):
            self.calls += 1
            for n, answer in enumerate(answers):
                if n == (every if every == 2 else every * self.calls):
                    raise UnavailableError("stutter", code="storage-unavailable")
                yield answer

    inner = MemoryStorage()
    keys = [f"a{n:02d}/x" for n in range(20)]
    inner.create_many([(key, key.encode()) for key in keys])
    storage = RetryingStorage(Stuttering(inner), attempts=2)
    assert [info.key for info in storage.scan("")] == keys
    assert [*storage.read_many([(key, None) for key in keys])] == [key.encode() for key in keys]
    storage = RetryingStorage(Stuttering(inner), attempts=2)
    assert list(storage.scan_names("")) == [key.partition("/")[0] for key in keys]
    assert patient.waits == [ANY] * 20


def test_deleting_is_tried_again(patient: PatientClock) -> None:
    storage, faulty = retrying(
        FaultPlan(lose_answer_at=frozenset({0}), unavailable_at=frozenset({2}))
    )
    faulty.inner.create_many([("a/1", b""), ("a/2", b"")])
    storage.delete(iter(["a/1", "a/2"]))
    assert list(faulty.inner.scan("")) == []

"""
A storage that fails as told: for crash sweeps, lost answers, flipped bits and full disks.

Put it *under* the retry layer, where real faults happen:

    for crash in crash_sweep(MemoryStorage, push):
        reopened = crash.storage          # what the store holds now
        check(reopened); push(reopened)   # whole, and the same work can be finished
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from artstore import forks
from artstore.digest import Buffer
from artstore.errors import ArtstoreError, DeniedError, UnavailableError
from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import check_new_key, locate

__all__ = [
    "Crash",
    "FaultPlan",
    "FaultyStorage",
    "SimulatedCrash",
    "count_mutations",
    "crash_sweep",
]


class SimulatedCrash(BaseException):
    """The process died here. No `except Exception` may catch it and tidy up."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """
    What goes wrong, and when. Mutating calls are counted from 0: each value of
    `create` and `create_many` is one, each key of `delete` is one.

    Args:
        stop_at: the process dies in that mutating call; every later call of any
            kind, from any thread, dies as well.
        stop_applied: whether that call took effect before the process died.
        lose_answer_at: mutating calls that take effect and then raise UnavailableError.
        unavailable_at: mutating calls that raise UnavailableError without effect.
        full_at: from that mutating call on, creating raises DeniedError `storage-full`.
        unavailable_reads: so many calls of read, stat and scan raise UnavailableError first.
        flip_bit_in: keys that contain this text are read with one bit flipped ...
        flip_bit_at: ... namely this bit of the stored value.
    """

    stop_at: int | None = None
    stop_applied: bool = False
    lose_answer_at: frozenset[int] = field(default_factory=frozenset)
    unavailable_at: frozenset[int] = field(default_factory=frozenset)
    full_at: int | None = None
    unavailable_reads: int = 0
    flip_bit_in: str | None = None
    flip_bit_at: int = 0


class FaultyStorage:
    """
    `inner` with the faults of `plan`; safe between threads.

    `mutation_count` tells how many mutating calls were made, failed ones included.
    """

    def __init__(self, inner: Storage, plan: FaultPlan | None = None) -> None:
        self.inner = inner
        self.plan = plan or FaultPlan()
        self.mutation_count = 0
        self.is_stopped = False
        self._unavailable_reads = self.plan.unavailable_reads
        self._lock = forks.new_lock()

    @property
    def url(self) -> str:
        """The URL of the inner storage."""
        return self.inner.url

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage, perhaps with a flipped bit."""
        self._before_reading(f"read {key}")
        plan = self.plan
        if plan.flip_bit_in is None or plan.flip_bit_in not in key:
            return self.inner.read(key, span)
        whole = bytearray(self.inner.read(key))
        if plan.flip_bit_at < 8 * len(whole):
            whole[plan.flip_bit_at // 8] ^= 1 << plan.flip_bit_at % 8
        offset, length = locate(key, span, len(whole))
        return bytes(whole[offset : offset + length])

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """One `read` after the other."""
        for key, span in requests:
            yield self.read(key, span)

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage."""
        self._before_reading(f"stat {key}")
        return self.inner.stat(key)

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage."""
        self._before_reading(f"scan {prefix}")
        for info in self.inner.scan(prefix, after=after):
            self._check_alive()
            yield info

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage."""
        self._before_reading(f"scan {prefix}")
        for name in self.inner.scan_names(prefix):
            self._check_alive()
            yield name

    def create(self, key: str, value: Value) -> None:
        """As the inner storage, or as planned."""
        self._mutate(f"create {key}", lambda: self.inner.create(key, value), is_create=True)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """One `create` after the other, so that a sweep stops between any two."""
        for key, _ in items:
            check_new_key(key)
        for key, value in items:
            self.create(key, value)

    def delete(self, keys: Iterable[str]) -> None:
        """One key after the other, so that a sweep stops between any two."""
        for key in keys:
            self._delete(key)

    def _delete(self, key: str) -> None:
        self._mutate(f"delete {key}", lambda: self.inner.delete([key]), is_create=False)

    def _mutate(self, doing: str, call: Callable[[], None], *, is_create: bool) -> None:
        plan = self.plan
        with self._lock:
            self._check_alive()
            number = self.mutation_count
            self.mutation_count += 1
            if number == plan.stop_at:
                # Under the lock, so that no other thread does anything after it.
                self.is_stopped = True
                if plan.stop_applied:
                    _apply_last(call)
                raise SimulatedCrash(f"stopped at mutating call {number}: {doing}")
        if is_create and plan.full_at is not None and number >= plan.full_at:
            raise DeniedError(f"cannot {doing} in {self.url}: disk full", code="storage-full")
        if number in plan.unavailable_at:
            raise _unavailable(doing)
        call()
        if number in plan.lose_answer_at:
            raise _unavailable(doing)

    def _before_reading(self, doing: str) -> None:
        with self._lock:
            self._check_alive()
            if self._unavailable_reads > 0:
                self._unavailable_reads -= 1
                raise _unavailable(doing)

    def _check_alive(self) -> None:
        if self.is_stopped:
            raise SimulatedCrash("the process is dead already")


def _apply_last(call: Callable[[], None]) -> None:
    try:
        call()
    except ArtstoreError:
        return  # refused (the key exists): the last call had no effect, and nobody hears it


def _unavailable(doing: str) -> UnavailableError:
    return UnavailableError(f"cannot {doing}: injected fault", code="storage-unavailable")


@dataclass(frozen=True, slots=True)
class Crash:
    """One stop of a sweep: `storage` is what remained, without faults."""

    stop_at: int
    applied: bool
    storage: Storage


def count_mutations(inner: Storage, run: Callable[[Storage], object]) -> int:
    """How many mutating calls `run` makes on `inner` when nothing fails."""
    counting = FaultyStorage(inner)
    run(counting)
    return counting.mutation_count


def crash_sweep(
    make: Callable[[], Storage],
    run: Callable[[Storage], object],
    *,
    prepare: Callable[[Storage], object] | None = None,
) -> Iterator[Crash]:
    """
    Run `run` to its end once, then stop it in each of its n mutating calls.

    Args:
        make: a new, empty storage each time it is called.
        run: the work; must make the same number of mutating calls each time.
        prepare: earlier work without faults, on each new storage.
    Yields:
        2 n crashes, each before and after call k took effect.
    """

    def fresh() -> Storage:
        storage = make()
        if prepare is not None:
            prepare(storage)
        return storage

    for stop_at in range(count_mutations(fresh(), run)):
        for applied in (False, True):
            storage = fresh()
            faulty = FaultyStorage(storage, FaultPlan(stop_at=stop_at, stop_applied=applied))
            try:
                run(faulty)
            except SimulatedCrash:
                yield Crash(stop_at, applied, storage)
            else:
                raise AssertionError(f"the run made no mutating call {stop_at} this time")

"""
Machines that stall or die between any two calls of a shared storage, one running at a time.

A machine works in a thread of its own, and in as many as the work itself starts. Each call
of the storage needs leave: `step(n)` gives leave for n calls and comes back when they are
made and the next one waits, or when the work is done. So what the storage holds after each
step is the same in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from artstore.clock import Clock
from artstore.digest import Buffer
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.testing.faults import SimulatedCrash

WAIT_SECONDS = 60.0
"""Nothing takes so long: whoever waits longer has found a work that never ends."""


class TwoClocks(Clock):
    """The clock of the storage, which tests set, and that of clients, which may be wrong."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.skew_seconds = 0.0
        self._of_storage = threading.local()
        self._count = 0
        self._lock = threading.Lock()

    def at_storage(self, call: Callable[[], None]) -> None:
        self._of_storage.is_here = True
        try:
            call()
        finally:
            self._of_storage.is_here = False

    def now_seconds(self) -> float:
        if getattr(self._of_storage, "is_here", False):
            with self._lock:
                self.seconds += 0.001
                return self.seconds
        return self.seconds + self.skew_seconds

    def random_bytes(self, count: int) -> bytes:
        from blake3 import blake3

        with self._lock:
            self._count += 1
            return blake3(b"random %d" % self._count).digest(length=count)

    def sleep(self, seconds: float) -> None:
        del seconds


class Gate:
    """Leave for calls, given by whoever tests."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._leave = 0
        self._waiting = 0
        self._in_call = 0
        self._stop: Callable[[str], bool] | None = None
        self.is_dead = False
        self.is_over = False
        self.next_call = ""
        self.call_count = 0

    def enter(self, doing: str) -> None:
        with self._changed:
            self._waiting += 1
            if self._stop is not None and self._stop(doing):
                self._leave, self._stop = 0, None
            self.next_call = doing
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.is_dead or (self._leave and not self._in_call))
            self._waiting -= 1
            if self.is_dead:
                raise SimulatedCrash(f"dead before {doing}")
            self._leave -= 1
            self.call_count += 1
            self._in_call += 1

    def leave(self) -> None:
        with self._changed:
            self._in_call -= 1
            self._changed.notify_all()

    def give(self, count: int, stop: Callable[[str], bool] | None = None) -> None:
        """Let `count` calls happen, or those before the first for which `stop` is true."""
        with self._changed:
            self._leave, self._stop = count, stop
            if stop is not None and self._waiting and stop(self.next_call):
                self._leave, self._stop = 0, None
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: self.is_over or (not self._leave and not self._in_call and self._waiting),
                WAIT_SECONDS,
            )
            assert done, f"it neither ends nor calls the storage; the last was {self.next_call}"

    def end(self) -> None:
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def kill(self) -> None:
        with self._changed:
            self.is_dead = True
            self._changed.notify_all()


class StallingStorage:
    """`inner`, each call of which needs the leave of `gate` while there is one."""

    def __init__(self, inner: MemoryStorage, clock: TwoClocks) -> None:
        self.inner = inner
        self.gate: Gate | None = None
        self._clock = clock

    @property
    def url(self) -> str:
        return self.inner.url

    def _guarded(self, doing: str, call: Callable[[], object]) -> object:
        gate = self.gate
        if gate is None:
            return call()
        gate.enter(doing)
        try:
            return call()
        finally:
            gate.leave()

    def read(self, key: str, span: Span | None = None) -> bytes:
        found = self._guarded(f"read {key}", lambda: self.inner.read(key, span))
        assert isinstance(found, bytes)
        return found

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        for key, span in requests:
            yield self.read(key, span)

    def stat(self, key: str) -> KeyInfo:
        found = self._guarded(f"stat {key}", lambda: self.inner.stat(key))
        assert isinstance(found, KeyInfo)
        return found

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        # Listed whole at once: a scan that is slow sees more of what is new, never less.
        found: list[KeyInfo] = []
        self._guarded(f"scan {prefix}", lambda: found.extend(self.inner.scan(prefix, after=after)))
        yield from found

    def scan_names(self, prefix: str) -> Iterator[str]:
        found: list[str] = []
        self._guarded(f"names {prefix}", lambda: found.extend(self.inner.scan_names(prefix)))
        yield from found

    def create(self, key: str, value: Value) -> None:
        self._guarded(
            f"create {key}",
            lambda: self._clock.at_storage(lambda: self.inner.create(key, value)),
        )

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        for key, value in items:
            self.create(key, value)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._guarded(f"delete {key}", lambda key=key: self.inner.delete([key]))  # type: ignore[misc]


class Work:
    """
    Something that one machine does, call by call.

    Attributes:
        answer, error: what it came to, once `is_done`.
    """

    def __init__(self, storage: StallingStorage, do: Callable[[], object]) -> None:
        self._storage = storage
        self._do = do
        self.gate = Gate()
        self.answer: object = None
        self.error: BaseException | None = None
        storage.gate = self.gate
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._do()
        except BaseException as error:  # noqa: BLE001 - for whoever waits in another thread
            self.error = error
        finally:
            self.gate.end()

    @property
    def is_done(self) -> bool:
        return self.gate.is_over

    def step(self, count: int = 1_000_000) -> bool:
        """Go on for `count` calls; whether it is done."""
        return self._go(count, None)

    def until(self, *words: str) -> bool:
        """Go on to just before a call that begins with one of `words`; whether it is done."""
        return self._go(1_000_000, lambda doing: doing.startswith(words))

    def _go(self, count: int, stop: Callable[[str], bool] | None) -> bool:
        if not self.is_done:
            self.gate.give(count, stop)
        if self.is_done:
            self._finish()
        return self.is_done

    def kill(self) -> None:
        """The machine dies where it stands."""
        self.gate.kill()
        self._finish()

    def _finish(self) -> None:
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
        if self._storage.gate is self.gate:
            self._storage.gate = None

"""Forked children under a time limit: one that hangs is killed, and shows where it hung."""

from __future__ import annotations

import faulthandler
import os
import pickle
import select
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage, Value

LIMIT_SECONDS = 60


class ForkedChild:
    """
    `work` in a forked child; `result` gives its value, and fails the test for a hang.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, work: Callable[[], Any], *, seconds: float = LIMIT_SECONDS) -> None:
        self._seconds = seconds
        self._stacks = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `result`
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # Not `dump_traceback_later`: it waits for the thread of pytest's own, which
            # is not there.
            faulthandler.register(signal.SIGUSR1, file=self._stacks)
            try:
                answer = (True, work())
            except BaseException:  # noqa: BLE001 - travels to the parent
                answer = (False, traceback.format_exc())
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(answer, stream)
            os._exit(0)
        os.close(writer)

    def result(self) -> Any:
        """What `work` returned."""
        if not self._answers_within(self._seconds):
            os.kill(self.pid, signal.SIGUSR1)
            self._answers_within(2)
            os.kill(self.pid, signal.SIGKILL)
        with os.fdopen(self._reader, "rb") as stream:
            data = stream.read()
        os.waitpid(self.pid, 0)
        with self._stacks as file:
            file.seek(0)
            stacks = file.read().decode()
        assert data, f"a forked child hung for {self._seconds} s:\n{stacks}"
        is_ok, answer = pickle.loads(data)
        assert is_ok, f"a forked child failed:\n{answer}"
        return answer

    def _answers_within(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return bool(ready)


class PausingStorage(PassingStorage):
    """
    `inner`, which stops one thread in the middle of a create until it is let go.

    Args:
        prefix: of the key at which to stop.
    """

    def __init__(self, inner: Storage, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix
        self.thread: threading.Thread | None = None
        self.is_there = threading.Event()
        self.may_go_on = threading.Event()

    @property
    def inner(self) -> Storage:
        return self._inner

    def create(self, key: str, value: Value) -> None:
        if key.startswith(self._prefix) and self._is_stopped_here():
            self.is_there.set()
            assert self.may_go_on.wait(LIMIT_SECONDS)
        self.inner.create(key, value)

    def _is_stopped_here(self) -> bool:
        # Uploads run in threads of their own; those of a child are not stopped.
        in_parent = self.thread is not None and self.thread.is_alive()
        return in_parent and not self.is_there.is_set()

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        for key, value in items:
            self.create(key, value)

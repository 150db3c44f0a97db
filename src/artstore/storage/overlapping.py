"""
Requests to a bucket that overlap: bounded in number and in bytes, answered in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from artstore import limits
from artstore.digest import Buffer
from artstore.storage.protocol import Span, Value

__all__ = ["Overlap", "RequestOptions"]

_UNKNOWN_BYTES: Final = 1 * limits.MIB
"""What a whole value counts: most that are read whole are log entries and roots."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """
    Patience and parallelism.

    Attributes:
        connect_seconds: until a connection stands.
        read_seconds: without a byte of an answer.
        send_seconds: for a whole request with a large body. While it is sent there is no
            answer to wait for, so a slow line and a dead one look the same until then.
        parallel_count: requests at once in `read_many` and `create_many`.
        parallel_bytes: of answers that `read_many` asked for and nobody took yet.
    """

    connect_seconds: float = 10
    read_seconds: float = 60
    send_seconds: float = 600
    parallel_count: int = 16
    parallel_bytes: int = 64 * limits.MIB


class Overlap:
    """
    Threads for the requests of one storage, started when they are first needed.

    The parent's threads are not there after a fork: a child makes one of its own.
    """

    def __init__(self, options: RequestOptions) -> None:
        self._parallel_count = options.parallel_count
        self._parallel_bytes = options.parallel_bytes
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def read_many(
        self,
        read: Callable[[str, Span | None], Buffer],
        requests: Sequence[tuple[str, Span | None]],
    ) -> Iterator[Buffer]:
        """The answers to n reads in the order asked; the first error in that order ends them."""
        if len(requests) <= 1:
            for key, span in requests:
                yield read(key, span)
            return
        pool = self._threads()
        waiting: deque[tuple[Future[Buffer], int]] = deque()
        asked, held_bytes = 0, 0
        try:
            while asked < len(requests) or waiting:
                while asked < len(requests) and len(waiting) < self._parallel_count:
                    key, span = requests[asked]
                    size = max(0, span.length_bytes) if span else _UNKNOWN_BYTES
                    if waiting and held_bytes + size > self._parallel_bytes:
                        break
                    waiting.append((pool.submit(read, key, span), size))
                    asked, held_bytes = asked + 1, held_bytes + size
                future, size = waiting.popleft()
                held_bytes -= size
                yield future.result()
        finally:
            for future, _ in waiting:
                future.cancel()

    def create_many(
        self, create: Callable[[str, Value], None], items: Sequence[tuple[str, Value]]
    ) -> None:
        """Create n values; on the first error nothing more is begun, what was begun is ended."""
        if len(items) <= 1:
            for key, value in items:
                create(key, value)
            return
        pool, waiting = self._threads(), deque[Future[None]]()
        try:
            for key, value in items:
                if len(waiting) == self._parallel_count:
                    waiting.popleft().result()
                waiting.append(pool.submit(create, key, value))
            while waiting:
                waiting.popleft().result()
        finally:
            # Nothing is written after this call.
            for future in waiting:
                if not future.cancel():
                    future.exception()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    self._parallel_count, thread_name_prefix="artstore-bucket"
                )
            return self._pool

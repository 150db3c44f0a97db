"""
Storing packs and other content in the background, a few at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from artstore import limits
from artstore.digest import Buffer
from artstore.errors import AlreadyExistsError
from artstore.storage.protocol import Storage

__all__ = ["Uploads"]


class Uploads:
    """
    A bounded queue in front of `storage.create`.

    `submit` blocks while too much is in flight, and raises what an earlier
    upload raised; `barrier` waits for all. Nothing that names an uploaded value
    may be written before the barrier (invariant O1).

    Args:
        on_storing: called from a worker with the key of each value, before it is stored.
        at_once: values in flight.
        in_flight_bytes: bytes they may have in all; one value always may.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        on_storing: Callable[[str], None],
        at_once: int = 3,
        in_flight_bytes: int = 3 * limits.PACK_MAX_BYTES,
    ) -> None:
        self._storage = storage
        self._on_storing = on_storing
        self._at_once = at_once
        self._in_flight_bytes = in_flight_bytes
        self._pool: ThreadPoolExecutor | None = None
        self._change = threading.Condition()
        self._count = self._bytes = 0
        self._futures: list[Future[None]] = []
        self.stored_bytes = 0
        self.keys: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, key: str, parts: list[Buffer]) -> None:
        """Store `parts` under `key`, soon."""
        self._raise_failed()
        size_bytes = sum(map(len, parts))
        self.stored_bytes += size_bytes
        self.keys.append(key)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, "artstore-upload")
        self._enter(size_bytes)
        self._futures.append(self._pool.submit(self._store, key, parts, size_bytes))

    def barrier(self) -> None:
        """Return when everything submitted is durable. Raises the first failure."""
        for future in self._futures:
            future.result()
        self._futures.clear()

    def _enter(self, size_bytes: int) -> None:
        with self._change:
            self._change.wait_for(
                lambda: (
                    not self._count
                    or (
                        self._count < self._at_once
                        and self._bytes + size_bytes <= self._in_flight_bytes
                    )
                )
            )
            self._count += 1
            self._bytes += size_bytes

    def _leave(self, size_bytes: int) -> None:
        with self._change:
            self._count -= 1
            self._bytes -= size_bytes
            self._change.notify_all()

    def _store(self, key: str, parts: list[Buffer], size_bytes: int) -> None:
        try:
            self._on_storing(key)
            self._storage.create(key, parts)
        except AlreadyExistsError:
            # Keys carry this push's id: who else could have made it. The
            # answer to our own first try was lost.
            if self._storage.stat(key).size_bytes != size_bytes:
                raise
        finally:
            self._leave(size_bytes)

    def _raise_failed(self) -> None:
        pending: list[Future[None]] = []
        for future in self._futures:
            if future.done():
                future.result()
            else:
                pending.append(future)
        self._futures = pending

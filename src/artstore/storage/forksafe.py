"""
A storage that goes on working in a forked child.

obstore runs threads of its own, which a fork does not copy: in a child whose
parent had used it, it hangs, even with a client opened there (tried with 0.12).
Whatever was opened before a fork is therefore dropped in the child, and what is
opened there is another client if obstore was loaded in the parent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from artstore import forks
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage

__all__ = ["ForkSafeStorage", "obstore_works"]

_generation_of_obstore: int | None = None


def obstore_works() -> bool:
    """Whether obstore can be used in this process; to be asked before each first use."""
    global _generation_of_obstore  # noqa: PLW0603 - where a library was loaded is of the process
    now = forks.generation()
    if _generation_of_obstore is None and (now == 0 or "obstore" not in sys.modules):
        _generation_of_obstore = now
    return _generation_of_obstore == now


class ForkSafeStorage(PassingStorage):
    """
    Opens the storage when it is first used, and again in each forked child.

    Args:
        url: of the storage.
        open_threaded: opens the client that has threads, for most processes.
        open_after_fork: opens the one that works where that one does not.
    """

    def __init__(
        self,
        url: str,
        open_threaded: Callable[[], Storage],
        open_after_fork: Callable[[], Storage],
    ) -> None:
        self._url = url
        self._open_threaded = open_threaded
        self._open_after_fork = open_after_fork
        # By generation. What a parent opened is never touched again, not even to be
        # freed: that might wait for threads which are not there.
        self._opened: dict[int, Storage] = {}

    @property
    def url(self) -> str:
        """Where this is."""
        return self._url

    def __repr__(self) -> str:
        return f"ForkSafeStorage({self._url!r})"

    @property
    def inner(self) -> Storage:
        """The storage of this process."""
        generation = forks.generation()
        storage = self._opened.get(generation)
        if storage is None:
            opened = self._open_threaded() if obstore_works() else self._open_after_fork()
            # Of two threads that come here at once both get the same one.
            storage = self._opened.setdefault(generation, opened)
        return storage

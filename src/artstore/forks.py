"""
What has to be known about forks: whether one has happened, and when none may.

A forked child has the memory of its parent and one thread of it. A lock that
another thread held stays locked, a connection is shared with the parent, a
thread pool has no threads. So whoever keeps such things asks `generation`
before it uses them, and makes them anew when the number has changed.
"""

from __future__ import annotations

# These two prepare for forks themselves when they are imported. Imported later, while
# another thread waits to fork, they would be told of the end of a fork and not of its
# beginning, and let go of locks that nobody took.
import concurrent.futures.thread  # noqa: F401 - as above
import logging  # noqa: F401 - as above
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Generic, TypeVar, overload

__all__ = [
    "LazyValue",
    "close_in_child",
    "generation",
    "held_off",
    "import_late",
    "is_child_of_fork",
    "keep_in_child",
    "new_lock",
]

_Owner = TypeVar("_Owner")
_Value = TypeVar("_Value")

_LONGEST_WAIT_SECONDS: Final = 10.0
"""A fork waits no longer for `held_off`: better a child that may hang than a parent that does."""

_generation = 0
_gate = threading.Condition()
_inside: dict[int, int] = {}
_forking = 0
_imported: set[str] = set()
_importing = threading.RLock()
_descriptors: dict[int, tuple[int, int]] = {}
_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()


def generation() -> int:
    """How many forks lie between this process and the one that loaded the package: 0 in that."""
    return _generation


def is_child_of_fork() -> bool:
    """Whether this process was forked by one that had loaded the package."""
    return _generation > 0


@contextmanager
def held_off() -> Iterator[None]:
    """
    Let no other thread fork within the block, for at most 10 seconds.

    For short blocks in libraries that hold locks of the whole process: SQLite
    (a child would find its mutexes locked, and its list of file locks untrue)
    and the import of a module (a child would wait for it for ever).
    """
    me = threading.get_ident()
    with _gate:
        # Whoever comes later waits for the fork, else it might never find the moment.
        _gate.wait_for(lambda: not _forking or me in _inside)
        _inside[me] = _inside.get(me, 0) + 1
    began = _generation
    try:
        yield
    finally:
        # In a child that was forked inside the block the note is gone already.
        if began == _generation:
            with _gate:
                _inside[me] -= 1
                if not _inside[me]:
                    del _inside[me]
                    _gate.notify_all()


def import_late(modules: Sequence[str]) -> None:
    """
    Import now, if other threads are alive, what is else imported when it is first needed.

    A child that is forked while a thread is importing a module waits for it for
    ever; with one thread alone there is nobody who could fork meanwhile.
    """
    if threading.active_count() == 1 or _imported.issuperset(modules):
        return
    import importlib

    # Modules that import each other look half made to a second thread that imports them.
    with _importing, held_off():
        for module in modules:
            importlib.import_module(module)
    _imported.update(modules)


def new_lock() -> threading.Lock:
    """
    A lock that is free in a forked child, whoever held it in the parent.

    For what outlives a fork and guards little: what it guards must be sound
    between any two steps of Python. All else is made anew with its locks.
    """
    lock = threading.Lock()
    _locks.add(lock)
    return lock


class LazyValue(Generic[_Owner, _Value]):
    """
    A property that is computed once and then kept in the instance.

    Python 3.11 computes `functools.cached_property` under a lock of the class, for
    which a child forked meanwhile waits for ever. Here there is none: of two threads
    that come at once both compute, and both get what the first one kept.
    """

    def __init__(self, compute: Callable[[_Owner], _Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type[_Owner], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: Any = None) -> LazyValue[_Owner, _Value]: ...

    @overload
    def __get__(self, instance: _Owner, owner: Any = None) -> _Value: ...

    def __get__(
        self, instance: _Owner | None, owner: Any = None
    ) -> LazyValue[_Owner, _Value] | _Value:
        if instance is None:
            return self
        # From now on the instance answers by itself: this is not called again.
        value: _Value = vars(instance).setdefault(self._name, self._compute(instance))
        return value


def close_in_child(descriptor: int) -> None:
    """
    Have a descriptor closed in every child that is forked from now on.

    A lock of `flock` belongs to the open file: a child that keeps it open would
    keep the lock of a parent that has died.
    """
    _descriptors[descriptor] = _file_behind(descriptor)


def keep_in_child(descriptor: int) -> None:
    """Take `close_in_child` back, before the descriptor is closed."""
    _descriptors.pop(descriptor, None)


def _file_behind(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _before() -> None:
    global _forking  # noqa: PLW0603 - as below
    # Held until the fork is done, so that nobody enters a block in between.
    _gate.acquire()
    _forking += 1
    me = threading.get_ident()
    _gate.wait_for(lambda: not _inside.keys() - {me}, _LONGEST_WAIT_SECONDS)


def _after_in_parent() -> None:
    global _forking  # noqa: PLW0603 - as below
    _forking -= 1
    _gate.notify_all()
    _gate.release()


def _after_in_child() -> None:
    global _forking, _gate, _generation, _importing  # noqa: PLW0603 - what this module is for
    _generation += 1
    _forking = 0
    _gate = threading.Condition()
    _importing = threading.RLock()
    _inside.clear()
    for lock in _locks:
        # As the standard library does with its own.
        lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001
    for descriptor, file in _descriptors.items():
        # What was closed and not taken back may be somebody else's number now.
        with suppress(OSError):
            if _file_behind(descriptor) == file:
                os.close(descriptor)
    _descriptors.clear()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)

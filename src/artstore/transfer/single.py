"""
Pulls of one machine that would do the same work wait for each other.

Eight workers that start at the same moment and want the same version fetch its
bytes once: the first works, the others wait, and then find that nothing is
left to do. The locks are advisory locks of this machine (`flock`): whoever dies
lets go, and where a disk has no locks pulls go on without, each safe by itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from artstore import forks
from artstore.catalog.state import VersionState
from artstore.digest import digest_of
from artstore.errors import ArtstoreError
from artstore.manifests.entry import FILE, LINK
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.transfer.selection import Selection

__all__ = ["FileLock", "single_flight"]

_FOLDER: Final = "locks"


@contextmanager
def single_flight(
    place: StorePlace,
    checkouts: Checkouts,
    version: VersionState,
    *,
    root: Path,
    selection: Selection,
    uses_cache: bool,
    on_progress: OnProgress | None,
) -> Iterator[None]:
    """
    Run a pull while no other process of this machine writes into `root`.

    With `uses_cache` one process at a time fills the cache with this version;
    those that waited go on together once it is there. What is right already has
    to be looked for inside the block.

    Cost: an open file or two. Who had to wait looks for each file in the cache.
    """

    def tell() -> None:
        ProgressMeter("waiting for another pull", on_progress).finish()

    def is_cached() -> bool:
        try:
            return all(
                place.content_cache.has(entry.digest, executable=entry.executable)
                for entry in place.manifest(version).entries(selection.prefix)
                if entry.kind in (FILE, LINK) and selection.covers(entry.path)
            )
        except ArtstoreError:
            # The pull comes upon it too, and tells of it in its own words.
            return True

    with ExitStack() as held:
        # Always in this order, and nobody shares a target for long: no two can
        # wait for each other.
        target = FileLock(checkouts.directory / _FOLDER / _name("target", os.path.realpath(root)))
        held.enter_context(target)
        target.take(tell)
        if uses_cache:
            name = _name("content", f"{place.store_id} {version.root}")
            cache = FileLock(place.cache_directory / _FOLDER / name)
            held.enter_context(cache)
            _lead_or_follow(cache, is_cached, tell)
        yield


def _lead_or_follow(lock: FileLock, is_done: Callable[[], bool], tell: Callable[[], None]) -> None:
    """Return with the lock when the work is to be done, and without it when another did it."""
    if lock.try_take():
        return
    tell()
    # Shared, so that all who wait look at the same time, and then work at the same time.
    lock.wait_for_holder()
    if not is_done():
        # The holder died, or pulled a part: the next one leads.
        lock.take(tell)
        if is_done():
            lock.let_go()


class FileLock:
    """
    A lock that processes of this machine and threads of this process share by its file.

    Where it cannot be made or taken (a read-only home, a network disk without
    locks) every call behaves as if nobody else were there.

    Args:
        file: made with its directory; it stays, empty, when the lock is let go.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = -1
        self._generation = forks.generation()

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # A child that inherited it would hold the lock for as long as it lives.
            with forks.held_off():
                self._descriptor = os.open(self._file, flags, 0o600)
                forks.close_in_child(self._descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0 and self._generation == forks.generation():
            self.let_go()
            with forks.held_off():
                forks.keep_in_child(self._descriptor)
                os.close(self._descriptor)
        self._descriptor = -1

    def try_take(self) -> bool:
        """Take the lock if it is free; whether it is ours, or there is none to be had."""
        try:
            self._flock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take(self, on_wait: Callable[[], None]) -> None:
        """Take the lock; `on_wait` is called if somebody else has it."""
        if not self.try_take():
            on_wait()
            self._flock(fcntl.LOCK_EX)

    def wait_for_holder(self) -> None:
        """Return when nobody has the lock alone; it is not ours then."""
        self._flock(fcntl.LOCK_SH)
        self.let_go()

    def let_go(self) -> None:
        """Let others take it."""
        # Said outright: closing does not do it while a child still has the file open.
        self._flock(fcntl.LOCK_UN)

    def _flock(self, operation: int) -> None:
        if self._descriptor < 0:
            return
        try:
            fcntl.flock(self._descriptor, operation)
        except BlockingIOError:
            raise
        except OSError:
            # ENOLCK, EOPNOTSUPP: a disk without locks. Two pulls then do the same work.
            return


def _name(kind: str, text: str) -> str:
    return f"{kind}-{digest_of(os.fsencode(text)).hex()[:32]}.lock"

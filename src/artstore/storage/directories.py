"""
The directories of a local store: made when needed, shared as the root says, durable by name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from artstore.errors import DeniedError
from artstore.storage import durable

__all__ = ["DirectoryTree"]


class DirectoryTree:
    """
    Args:
        root: the directory of the store, which may be missing.
        temporary: the directory of unfinished writes, just below it.
        sync: whether names are made durable.
    """

    def __init__(self, root: str, temporary: str, *, sync: bool) -> None:
        self._root = root
        self._temporary = temporary
        self._sync = sync
        # Directories whose own name is known to be durable. Someone else may have
        # made one a moment ago and not synced it yet, so "it exists" is not enough.
        self._durable: set[str] = set()

    def is_known(self, path: str) -> bool:
        """Whether `path` was there, and its name durable, at an earlier write."""
        return path in self._durable

    def forget(self) -> None:
        """Know nothing any more: a directory that was there is gone."""
        self._durable.clear()

    def sync(self, directories: Iterable[str]) -> None:
        """
        Make the names in `directories` durable, and the names of new ones in theirs.

        Raises:
            StorageError: as `durable.sync_directory`.
        """
        if not self._sync:
            return
        pending = dict.fromkeys(directories)
        fresh = {name for directory in pending for name in self._not_durable(directory)}
        # L5: the name of a new directory must be durable too, up to the root's.
        outside = os.path.dirname(self._root)
        pending.update((os.path.dirname(name), None) for name in fresh)
        for directory in pending:
            try:
                durable.sync_directory(directory)
            except DeniedError as error:
                # What holds a mounted root may be read-only or closed to us.
                if directory != outside or error.code != "storage-denied":
                    raise
        self._durable.update(fresh)

    def _not_durable(self, directory: str) -> Iterator[str]:
        """`directory` and those above it up to the root, until one is known to be durable."""
        while directory not in self._durable:
            yield directory
            if len(directory) <= len(self._root):
                return
            directory = os.path.dirname(directory)

    def make(self, path: str) -> None:
        """Make `path` and what is missing above it, with the modes of a shared store."""
        if os.path.isdir(path):
            return
        parent = os.path.dirname(path)
        if not os.path.isdir(parent) and parent != path:
            self.make(parent)
        if len(path) <= len(self._root):
            with suppress(FileExistsError):
                os.mkdir(path)
                if self._sync:
                    # The root and what is above it: nobody else will sync these names.
                    durable.sync_directory(parent)
        elif shared := self.shared_bits():
            self._make_shared_directory(path, shared)
        else:
            with suppress(FileExistsError):
                os.mkdir(path)

    def _make_shared_directory(self, path: str, shared: int) -> None:
        # Made aside and renamed: between mkdir and chmod the other users of the
        # group would be denied. A rename replaces an empty directory only, and
        # whoever was about to link into that one gets ENOENT and tries again.
        place = self._root if path == self._temporary else self._temporary
        if place == self._temporary:
            self.make(self._temporary)
        aside = os.path.join(place, f".{durable.temporary_name()}")
        os.mkdir(aside)
        try:
            os.chmod(aside, stat.S_IMODE(os.stat(aside).st_mode) | shared)
            os.rename(aside, path)
        except OSError:
            with suppress(OSError):
                os.rmdir(aside)
            if not os.path.isdir(path):
                raise

    def shared_bits(self) -> int:
        """Group and other bits of a root that is marked as shared by setgid, else 0."""
        mode = os.stat(self._root).st_mode
        return stat.S_IMODE(mode) & 0o2077 if mode & stat.S_ISGID else 0

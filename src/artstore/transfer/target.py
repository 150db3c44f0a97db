"""
Write below one directory and never outside of it.

Every parent is opened component by component, without following symlinks, and
all work happens relative to the descriptor so found: whatever a hostile
manifest says, or another process swaps in meanwhile, lands below the root or
not at all. Files are written beside their place and renamed over it, so a kill
at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from artstore import clock
from artstore.digest import Buffer
from artstore.errors import ArtstoreError, DeniedError, InvalidInputError, StateError, StorageError
from artstore.names import check_entry_path
from artstore.storage.durable import write_all
from artstore.transfer.folding import PathClaims, folds_names

__all__ = ["BACKDATE_NS", "CREATE_FLAGS", "TEMPORARY_PREFIX", "TargetDirectory", "is_temporary"]

TEMPORARY_PREFIX: Final = ".art-"
"""Files that a killed checkout leaves behind begin like this."""

_TEMPORARY_NAME: Final = re.compile(re.escape(TEMPORARY_PREFIX) + "[0-9a-f]{12}-[0-9]+")

_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: a fifo that stands there must not stop us."""
_HELD_DIRECTORIES: Final = 32
"""Directories that one thread keeps open; macOS grants 256 files to a process."""
_ATTEMPTS: Final = 20
"""Tries to get a directory where others keep putting something else."""
BACKDATE_NS: Final = 20_000_000
"""
Two ticks of the slowest kernel clock (100 Hz). A file's mtime is set back by
this, so that any change after ours has another mtime, see `statcache`.
"""

_WRITE_BYTES: Final = 1024 * 1024
_WRITE_BACK_BYTES: Final = 32 * 1024 * 1024

Make = Callable[[int, str], None]
"""Makes a file under the name given, below the directory descriptor given."""


def is_temporary(path: str) -> bool:
    """Whether a file has a name that only a checkout that was killed leaves behind."""
    return _TEMPORARY_NAME.fullmatch(path.rpartition("/")[2]) is not None


class TargetDirectory:
    """
    The directory of a checkout; safe to use from several threads at once.

    Args:
        root: made with its parents if it is not there; may be a symlink itself.
        delete: whether a directory that is not empty gives way to a file.
        folds: whether names that differ in case or Unicode form are one name
            here; None finds out by trying.
    Raises:
        DeniedError: `target-denied`, `target-full`.
        InvalidInputError: `path-invalid` when `root` is no directory.
    """

    def __init__(self, root: Path, *, delete: bool = False, folds: bool | None = None) -> None:
        self.root = Path(os.path.abspath(root))
        self._delete = delete
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # The user named the root: a symlink there is meant.
            self._root_fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.folds = folds_names(self._root_fd) if folds is None else folds
            except BaseException:
                os.close(self._root_fd)
                raise
        except OSError as error:
            raise self._translate(error, "") from error
        self.can_clone = True
        """Until a clone from the cache has failed here, see `links`."""
        self._claims = PathClaims() if self.folds else None
        self._temporary = f"{TEMPORARY_PREFIX}{clock.random_bytes(6).hex()}-"
        self._numbers = itertools.count()
        self._held = threading.local()
        self._all_held: list[OrderedDict[str, int]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is held open; no other thread may still be writing."""
        with self._lock:
            for held in self._all_held:
                for fd in held.values():
                    os.close(fd)
                held.clear()
            if self._root_fd >= 0:
                os.close(self._root_fd)
                self._root_fd = -1

    def claim(self, path: str) -> None:
        """
        Refuse `path` when it would be one file with a path claimed before.

        Every write claims its path; claiming all of them first refuses a
        version before anything is written.

        Raises:
            InvalidInputError: `path-invalid`; `path-collision`, naming both.
        """
        check_entry_path(path)
        if self._claims is not None:
            with self._lock:
                self._claims.add(path)

    def write_file(
        self, path: str, buffers: Iterable[Buffer], *, executable: bool = False
    ) -> os.stat_result:
        """
        Write a file and rename it into place; the umask decides its mode.

        Args:
            buffers: its bytes in order, made without calling this target; what
                raises out of it leaves the old file as it was and nothing else.
        Returns:
            Its status after the rename, for `StatCache.record_written`.
        Raises:
            InvalidInputError: `path-invalid`, `path-collision`.
            StateError: `target-occupied` by a directory that is not empty.
            DeniedError: `target-full`, `target-denied`, naming the path.
        Cost: six system calls; no check whether anything stands there.
        """
        mode = 0o777 if executable else 0o666
        try:
            parent, name = self._parent_of(path)
            temporary = self._temporary + str(next(self._numbers))
            try:
                fd = os.open(temporary, CREATE_FLAGS, mode, dir_fd=parent)
            except FileNotFoundError:
                parent, name = self._parent_again(path)
                fd = os.open(temporary, CREATE_FLAGS, mode, dir_fd=parent)
            try:
                started = total = 0
                for group in _groups(buffers):
                    write_all(fd, group)
                    total += sum(map(len, group))
                    if total - started >= _WRITE_BACK_BYTES:
                        _begin_write_back(fd, started, total - started, parent, name)
                        started = total
                changed_ns = int(clock.now_seconds() * 1e9) - BACKDATE_NS
                os.utime(fd, ns=(changed_ns, changed_ns))
                self._move(parent, temporary, name)
                return os.fstat(fd)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise
            finally:
                os.close(fd)
        except OSError as error:
            raise self._translate(error, path) from error

    def place(self, path: str, make: Make) -> os.stat_result:
        """
        Put in place what `make` makes under a temporary name: a link or a clone.

        Raises:
            As `write_file`.
        """
        try:
            parent, name = self._parent_of(path)
            temporary = self._temporary + str(next(self._numbers))
            try:
                try:
                    make(parent, temporary)
                except FileNotFoundError:
                    parent, name = self._parent_again(path)
                    make(parent, temporary)
                self._move(parent, temporary, name)
            finally:
                # Also after success: rename does nothing at all when both names
                # are hard links to one file.
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            raise self._translate(error, path) from error

    def make_symlink(self, path: str, text: str) -> os.stat_result:
        """
        Put a symlink with this text in place; it is never followed from here.

        Raises:
            As `write_file`; `path-invalid` also for a text no symlink can have.
        """
        if not text or "\0" in text:
            raise InvalidInputError(
                f"symlink {path!r} has the text {text!r}, which none can have",
                code="path-invalid",
                path=path,
            )
        return self.place(path, lambda parent, name: os.symlink(text, name, dir_fd=parent))

    def make_directory(self, path: str) -> None:
        """
        Make a directory and its parents, or keep the one that is there.

        Raises:
            As `write_file`.
        """
        self.claim(path)
        try:
            self._directory(path)
        except OSError as error:
            raise self._translate(error, path) from error

    def set_executable(self, path: str, *, executable: bool) -> os.stat_result:
        """
        Give a file the mode that `write_file` would, and leave its bytes alone.

        Raises:
            As `open_file`.
        """
        fd = self.open_file(path)
        try:
            # Who may read it may run it, which is what the umask makes of 0o777.
            mode = stat.S_IMODE(os.fstat(fd).st_mode) & ~0o111
            os.fchmod(fd, mode | (mode & 0o444) >> 2 if executable else mode)
            return os.fstat(fd)
        except OSError as error:
            raise self._translate(error, path) from error
        finally:
            os.close(fd)

    def open_file(self, path: str) -> int:
        """
        A descriptor to read the file at `path`, for the caller to close.

        Raises:
            StateError: `target-occupied` when no regular file stands there.
            DeniedError, InvalidInputError: as `write_file`.
        """
        check_entry_path(path)
        parent_path, _, name = path.rpartition("/")
        try:
            parent = self._existing_directory(parent_path)
            fd = os.open(name, _READ_FLAGS, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                raise _occupied(self._shown(path), "is not a file") from error
            raise self._translate(error, path) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise _occupied(self._shown(path), "is not a file")
        return fd

    def remove(self, path: str) -> bool:
        """
        Remove a file, symlink or empty directory; says whether one was there.

        Raises:
            StateError: `target-occupied` for a directory that is not empty.
            DeniedError, InvalidInputError: as `write_file`.
        """
        check_entry_path(path)
        parent_path, _, name = path.rpartition("/")
        try:
            parent = self._existing_directory(parent_path)
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                self._release(path)
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return False
            raise self._translate(error, path) from error
        return True

    def prune_parents(self, path: str) -> None:
        """Remove the directories above `path` that are empty now, the root never."""
        parent_path = path.rpartition("/")[0]
        while parent_path:
            try:
                if not self.remove(parent_path):
                    return
            except ArtstoreError:
                return
            parent_path = parent_path.rpartition("/")[0]

    def _parent_of(self, path: str) -> tuple[int, str]:
        if self._claims is None:
            check_entry_path(path)
        else:
            self.claim(path)
        parent_path, _, name = path.rpartition("/")
        return (self._directory(parent_path) if parent_path else self._root_fd), name

    def _parent_again(self, path: str) -> tuple[int, str]:
        # A directory held open was removed meanwhile, by a prune in another
        # thread or by somebody else: what is held is worth nothing then.
        held = self._held_here()
        while held:
            os.close(held.popitem()[1])
        return self._parent_of(path)

    def _held_here(self) -> OrderedDict[str, int]:
        # One collection a thread: a descriptor that another thread could close
        # might be a different directory by the time it is used.
        try:
            held: OrderedDict[str, int] = self._held.directories
        except AttributeError:
            held = self._held.directories = OrderedDict()
            with self._lock:
                self._all_held.append(held)
        return held

    def _hold(self, held: OrderedDict[str, int], path: str, fd: int) -> int:
        if len(held) >= _HELD_DIRECTORIES:
            os.close(held.popitem(last=False)[1])
        held[path] = fd
        return fd

    def _directory(self, path: str) -> int:
        """The descriptor of a directory, made with its parents where need be."""
        held = self._held_here()
        fd = held.get(path)
        if fd is not None:
            held.move_to_end(path)
            return fd
        parent_path, _, name = path.rpartition("/")
        parent = self._directory(parent_path) if parent_path else self._root_fd
        return self._hold(held, path, _enter_or_make(parent, name))

    def _existing_directory(self, path: str) -> int:
        if not path:
            return self._root_fd
        held = self._held_here()
        fd = held.get(path)
        if fd is not None:
            return fd
        parent_path, _, name = path.rpartition("/")
        parent = self._existing_directory(parent_path)
        return self._hold(held, path, os.open(name, _DIRECTORY_FLAGS, dir_fd=parent))

    def _release(self, path: str) -> None:
        fd = self._held_here().pop(path, None)
        if fd is not None:
            os.close(fd)

    def _move(self, parent: int, temporary: str, name: str) -> None:
        try:
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Only here does it matter what stands there: a directory.
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as reason:
                if not self._delete or reason.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                shutil.rmtree(name, dir_fd=parent)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)

    def _shown(self, path: str) -> str:
        return repr(str(self.root / path).encode("utf-8", "backslashreplace").decode())

    def _translate(self, error: OSError, path: str) -> ArtstoreError:
        shown = self._shown(path)
        reason = error.strerror or str(error)
        number = error.errno
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DeniedError(
                f"cannot write {shown}: {reason}",
                code="target-full",
                hint="Make room there or choose another directory, then run the command again.",
                path=path,
            )
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            return DeniedError(f"cannot write {shown}: {reason}", code="target-denied", path=path)
        if number in (errno.ENOTEMPTY, errno.EISDIR, errno.EEXIST):
            return _occupied(shown, "is a directory that is not empty")
        if number in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR):
            return InvalidInputError(
                f"cannot write {shown}: {reason}", code="path-invalid", path=path
            )
        return StorageError(f"cannot write {shown}: {reason}", code="target-failed", path=path)


def _enter_or_make(parent: int, name: str) -> int:
    """Open the directory `name`; what else stands there gives way to a new one."""
    for _ in range(_ATTEMPTS):
        try:
            return os.open(name, _DIRECTORY_FLAGS, dir_fd=parent)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=parent)
        except OSError as error:
            # A symlink is ENOTDIR on Linux and ELOOP on macOS; unlink never
            # removes a directory that came in its place meanwhile.
            if error.errno not in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
                raise
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(name, dir_fd=parent)
    raise OSError(errno.EBUSY, "another process keeps replacing the directory", name)


def _groups(buffers: Iterable[Buffer]) -> Iterator[list[Buffer]]:
    """Buffers for one call: chunks end anywhere, and a page written twice costs twice."""
    group: list[Buffer] = []
    size_bytes = 0
    for buffer in buffers:
        group.append(buffer)
        size_bytes += len(buffer)
        if size_bytes >= _WRITE_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group


def _occupied(shown: str, reason: str) -> StateError:
    return StateError(
        f"{shown} {reason}",
        code="target-occupied",
        hint="Move it away, or pull with --delete.",
    )


def _begin_write_back(fd: int, offset: int, length: int, parent: int, name: str) -> None:
    """
    Let the kernel start writing a large file that will take another one's place.

    ext4 writes all of a file that is renamed over another before the rename is
    done: for 2 GiB that was 1.5 s in which nothing else happened. A file in a new
    place is left to the kernel, as `cp` does.
    """
    advise = getattr(os, "posix_fadvise", None)
    if advise is None:
        return
    with suppress(OSError):
        os.stat(name, dir_fd=parent, follow_symlinks=False)
        advise(fd, offset, length, os.POSIX_FADV_DONTNEED)

"""
Put a cached file into a checkout without copying its bytes, where the disk can.

reflink: a file of its own that shares its blocks until one of the two changes ·
hard: the cached file itself, read-only · sym: a link to it, read-only ·
copy: its bytes once more.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from artstore import clock, limits
from artstore.errors import InvalidInputError, NotFoundError
from artstore.transfer.contentcache import cache_error
from artstore.transfer.target import BACKDATE_NS, CREATE_FLAGS, TargetDirectory

__all__ = ["LinkMode", "materialise"]

LinkMode = Literal["copy", "reflink", "hard", "sym"]

_FICLONE: Final = 0x40049409
_CLONE_NOFOLLOW: Final = 1
_UNSUPPORTED: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS}
)


def materialise(
    cache_file: Path,
    target: TargetDirectory,
    path: str,
    mode: LinkMode,
    *,
    executable: bool = False,
    on_warning: Callable[[str], None],
) -> os.stat_result:
    """
    Make `path` below `target` hold what `cache_file` holds.

    Args:
        on_warning: told once for a target whose disk cannot share blocks.
    Returns:
        The status of the file, for `sym` of the one behind the link, for
        `StatCache.record_written`.
    Raises:
        NotFoundError: `cache-evicted`, another process made room meanwhile:
            add it again.
        InvalidInputError: `link-unsupported` for hard links to another disk.
        DeniedError, StateError: as `TargetDirectory.write_file`.
    """
    if mode == "sym":
        target.make_symlink(path, str(cache_file))
        try:
            return os.stat(cache_file)
        except FileNotFoundError as error:
            raise _evicted(cache_file) from error
    try:
        if mode == "hard":
            return _link_hard(cache_file, target, path)
        if mode == "reflink" and target.can_clone:
            return _reflink(cache_file, target, path, executable=executable)
    except _CannotLinkError as error:
        if mode == "reflink" and target.can_clone:
            # From now on copies, and one warning is enough.
            target.can_clone = False
            on_warning(
                f"the disk of {str(target.root)!r} cannot share blocks with the cache ({error}): "
                "files are copied"
            )
    source = _open(cache_file)
    try:
        return target.write_file(path, _blocks(source, cache_file), executable=executable)
    finally:
        os.close(source)


def _link_hard(cache_file: Path, target: TargetDirectory, path: str) -> os.stat_result:
    def make(parent: int, name: str) -> None:
        try:
            os.link(cache_file, name, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            # Or the parent went, which `place` tries again.
            if not cache_file.exists():
                raise _evicted(cache_file) from None
            raise
        except OSError as error:
            # ext4 grants 65,000 links to a file; equal files can be more.
            if error.errno == errno.EMLINK:
                raise _CannotLinkError(error.strerror) from error
            if error.errno in _UNSUPPORTED or error.errno == errno.EPERM:
                raise _unsupported(cache_file, path, error) from error
            raise

    return target.place(path, make)


def _reflink(
    cache_file: Path, target: TargetDirectory, path: str, *, executable: bool
) -> os.stat_result:
    source = _open(cache_file)

    def make(parent: int, name: str) -> None:
        fd = _clone(source, parent, name, 0o777 if executable else 0o666)
        try:
            changed_ns = int(clock.now_seconds() * 1e9) - BACKDATE_NS
            os.utime(fd, ns=(changed_ns, changed_ns))
        finally:
            os.close(fd)

    try:
        return target.place(path, make)
    finally:
        os.close(source)


class _CannotLinkError(Exception):
    """This file needs a copy; never leaves this module."""


def _open(cache_file: Path) -> int:
    try:
        return os.open(cache_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _evicted(cache_file) from error
    except OSError as error:
        raise cache_error(error, cache_file) from error


def _blocks(source: int, cache_file: Path) -> Iterator[bytes]:
    try:
        while block := os.read(source, limits.MIB):
            yield block
    except OSError as error:
        # Or it would be told as an error of the target.
        raise cache_error(error, cache_file) from error


def _clone(source: int, parent: int, name: str, mode: int) -> int:
    """
    A new file that shares all blocks of `source`, open for writing.

    Raises:
        _CannotLinkError: this disk, or these two disks, cannot.
    """
    try:
        if sys.platform == "darwin":
            return _clone_darwin(source, parent, name, mode)
        return _clone_linux(source, parent, name, mode)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise _CannotLinkError(error.strerror) from error
        raise


def _clone_linux(source: int, parent: int, name: str, mode: int) -> int:
    import fcntl

    fd = os.open(name, CREATE_FLAGS, mode, dir_fd=parent)
    try:
        fcntl.ioctl(fd, _FICLONE, source)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _clone_darwin(source: int, parent: int, name: str, mode: int) -> int:
    import ctypes

    # Made empty first: that is how the umask, which cannot be read without
    # changing it for all threads, decides the mode.
    fd = os.open(name, CREATE_FLAGS, mode, dir_fd=parent)
    try:
        granted = os.fstat(fd).st_mode & 0o777
    finally:
        os.close(fd)
    os.unlink(name, dir_fd=parent)
    system = ctypes.CDLL(None, use_errno=True)
    if system.fclonefileat(source, parent, os.fsencode(name), _CLONE_NOFOLLOW) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    # The clone has the mode of the cached file, which nobody may write.
    os.chmod(name, granted | 0o200, dir_fd=parent, follow_symlinks=False)
    fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    os.fchmod(fd, granted)
    return fd


def _evicted(cache_file: Path) -> NotFoundError:
    return NotFoundError(
        f"{str(cache_file)!r} is no longer in the cache",
        code="cache-evicted",
        hint="Another command made room there; run this one again.",
    )


def _unsupported(cache_file: Path, path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(
        f"cannot make {path!r} a hard link of {str(cache_file)!r}: {error.strerror}",
        code="link-unsupported",
        hint="Set ARTSTORE_CACHE_DIR to a directory on the same disk, or pull with --link copy.",
        path=path,
    )

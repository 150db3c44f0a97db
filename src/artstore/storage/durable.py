"""
Files that survive power loss: write, sync, publish under a name nobody has.

The order is PROTOCOL L5: the bytes are synced before the name exists, the name
is synced before anybody is told, and so are the names of new directories.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

from artstore import clock
from artstore.digest import Buffer
from artstore.errors import (
    ArtstoreError,
    DeniedError,
    StorageError,
    UnavailableError,
)

__all__ = [
    "begin_sync",
    "drop_cached",
    "flush_file",
    "is_cached",
    "is_regular",
    "publish",
    "remove_quietly",
    "sync_directory",
    "sync_file",
    "temporary_name",
    "translate",
    "write_all",
]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TRANSIENT = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
# What file systems answer that have no hard links: FAT and many FUSE ones say
# EPERM, which may also mean "not yours" (protected_hardlinks).
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_DIRECTORY_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
_MAY_BE_OURS = _TRANSIENT | {errno.EEXIST, errno.EIO}
_BUFFERS_A_CALL = 1024  # IOV_MAX of Linux and macOS

_counter = itertools.count()
# The seams of this module: fault tests put a wrapper here, never a mock.
_link = os.link
_fsync = os.fsync


def temporary_name() -> str:
    """A name that no other write of any process on any host uses."""
    # The counter keeps names apart where a test fixes the random bytes.
    return f"{os.getpid()}-{next(_counter)}-{clock.random_bytes(8).hex()}"


def write_all(descriptor: int, buffers: Sequence[Buffer], *, written_bytes: int = 0) -> None:
    """
    Write every byte of `buffers`; nothing is joined or copied in this process.

    Args:
        written_bytes: bytes of their start that are in the file already.
    """
    buffers = _without(buffers, written_bytes) if written_bytes else buffers
    for start in range(0, len(buffers), _BUFFERS_A_CALL):
        pending = [memoryview(b).cast("B") for b in buffers[start : start + _BUFFERS_A_CALL]]
        while pending:
            written = os.writev(descriptor, pending)
            # A write is cut at 2 GiB, by signals and by a disk that fills up.
            while pending and written >= len(pending[0]):
                written -= len(pending.pop(0))
            if written:
                pending[0] = pending[0][written:]


def _without(buffers: Sequence[Buffer], written_bytes: int) -> list[Buffer]:
    """The end of `buffers`, from that byte on."""
    rest: list[Buffer] = []
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        rest.append(view[min(written_bytes, len(view)) :])
        written_bytes = max(0, written_bytes - len(view))
    return rest


def begin_sync(descriptor: int) -> None:
    """
    Let the kernel start writing a file that will be synced soon; promises nothing.

    Twenty files of 20 kB are durable in 4 ms instead of 8 when all are started
    before the first is waited for (ext4, measured).
    """
    # Linux starts the write-back of dirty pages on this advice; they stay cached.
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def drop_cached(descriptor: int, offset: int = 0, length: int = 0) -> None:
    """
    Give back the memory that a range of a file (0, 0: all of it) takes in the page cache.

    A pack that was just stored, or copied out, is not read again soon. Without
    this, 2 GiB pushed or pulled push as much out of the cache, and the kernel
    has to find fresh pages for them: 9 s of system time fell to 2.5 s.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def is_cached(descriptor: int, offset: int = 0) -> bool:
    """Whether a byte of a file is in the page cache; True where that cannot be asked."""
    nowait = getattr(os, "RWF_NOWAIT", None)
    if nowait is None:
        return True
    try:
        os.preadv(descriptor, [bytearray(1)], offset, nowait)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def flush_file(descriptor: int) -> None:
    """
    Hear what `close` would say of an open file, without the wait of a sync.

    A network disk may tell only then that it is full (L5), and a value must be
    whole before it gets its name.
    """
    os.close(os.dup(descriptor))


def sync_file(descriptor: int) -> None:
    """Bring the bytes of an open file to the medium, through the drive's cache."""
    if sys.platform == "darwin":
        import fcntl

        # fsync of macOS stops at the drive's cache. Network disks know only fsync;
        # any other refusal is a failed sync and must not be tried again.
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
    _fsync(descriptor)


def sync_directory(path: str) -> None:
    """
    Bring the names in a directory to the medium.

    Raises:
        StorageError: `storage-failed`, `-full`, `-denied`. Never UnavailableError:
            a second sync would succeed without having written anything, so a
            retry must not follow.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_file(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NO_DIRECTORY_SYNC:
            return  # the file system has nothing to sync here (some FUSE, SMB)
        message = f"cannot make the names in {path} durable: {error.strerror}"
        if error.errno in _FULL:
            raise DeniedError(message, code="storage-full", path=path) from error
        if error.errno in _DENIED:
            raise DeniedError(message, code="storage-denied", path=path) from error
        raise StorageError(message, code="storage-failed", path=path) from error


def publish(temporary: str, descriptor: int, final: str) -> None:
    """
    Give the written file `temporary` (open as `descriptor`) the name `final`, if it is free.

    The temporary name may remain. Raises FileExistsError if `final` is someone
    else's, other OSErrors as they come, StorageError `storage-unsuitable` where
    the file system has no way to create only.
    """
    try:
        _link(temporary, final)
    except OSError as error:
        # L3: on NFS a lost reply makes our own success look like EEXIST or a timeout.
        if error.errno in _MAY_BE_OURS and _is_ours(descriptor, final):
            return
        if error.errno in _NO_LINKS:
            _rename_to_new(temporary, final, error)
            return
        if error.errno == errno.EXDEV:
            raise StorageError(
                f"{final} lies on another file system than {temporary}",
                code="storage-unsuitable",
                hint="a store is one directory on one file system; mount it as a whole",
            ) from error
        raise


def _is_ours(descriptor: int, final: str) -> bool:
    ours = os.fstat(descriptor)
    try:
        return os.path.samestat(os.lstat(final), ours)
    except OSError:
        # A stale negative entry of an NFS client hides the name. Only `publish`
        # links a temporary file, so a second link is the one it asked for.
        return ours.st_nlink == 2


def _rename_to_new(temporary: str, final: str, link_error: OSError) -> None:
    """L4: no hard links here (exFAT, SMB, FUSE), but perhaps a rename that never replaces."""
    number = _rename_exclusive(temporary, final)
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
        raise StorageError(
            f"{os.path.dirname(final)} has neither hard links nor a rename that never replaces: "
            "two writers could take one name",
            code="storage-unsuitable",
            hint="keep the store on a local disk, NFS or another file system with hard links",
        ) from link_error
    if number:
        raise OSError(number, os.strerror(number), final)


def _rename_exclusive(source: str, target: str) -> int:
    """Rename without replacing, by the call that Python does not offer; 0 or an errno."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(source), os.fsencode(target)
    if sys.platform == "darwin":
        renamex_np, rename_excl = getattr(libc, "renamex_np", None), 0x4
        result = renamex_np(*paths, rename_excl) if renamex_np else None
    else:
        renameat2, rename_noreplace, at_cwd = getattr(libc, "renameat2", None), 0x1, -100
        result = (
            renameat2(at_cwd, paths[0], at_cwd, paths[1], rename_noreplace) if renameat2 else None
        )
    if result is None:
        return errno.ENOSYS
    return ctypes.get_errno() if result else 0


def remove_quietly(path: str) -> None:
    """Remove a temporary file if it is there; one left behind is swept by upkeep."""
    with suppress(OSError):
        os.unlink(path)


def is_regular(status: os.stat_result) -> bool:
    """Whether this is a file: a pipe or a directory under a key is no value."""
    return stat.S_ISREG(status.st_mode)


def translate(error: OSError, doing: str, root: str) -> ArtstoreError:
    """
    What an error of the operating system means for a store.

    Args:
        doing: what was being done, to what: `write packs/ab/...`.
        root: the directory of the store, named in the message.
    """
    reason = error.strerror or str(error)
    message = f"cannot {doing} in {root}: {reason}"
    if error.errno == errno.EFBIG:
        return DeniedError(
            f"{message} (a limit on the size of files, see `ulimit -f`)", code="storage-full"
        )
    if error.errno in _FULL:
        return DeniedError(
            message,
            code="storage-full",
            hint=f"free space or quota for {root}, or keep the store elsewhere (ARTSTORE_URL)",
            path=root,
        )
    if error.errno in _DENIED:
        return DeniedError(
            message,
            code="storage-denied",
            hint=f"check who owns {root}, its mode, and whether it is mounted read-only",
            path=root,
        )
    if error.errno in _TRANSIENT:
        return UnavailableError(message, code="storage-unavailable", path=root)
    return StorageError(message, code="storage-failed", path=root)

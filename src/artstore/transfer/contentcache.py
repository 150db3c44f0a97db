"""
One read-only whole file a digest, for checkouts that link instead of copying.

Everything here can be fetched again from a store. A file is hashed again
whenever it leaves: a program that wrote through a hard link is found out. What
checkouts still link to is never evicted: hard links would free nothing, and
symlinks would dangle.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from artstore import clock, limits
from artstore.digest import Buffer, Hasher
from artstore.errors import ArtstoreError, DamagedDataError, DeniedError, StorageError
from artstore.transfer.target import BACKDATE_NS

__all__ = ["CacheStats", "ContentCache", "PruneReport", "cache_error"]

_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory is a cache of artstore: it can be deleted at any time, and\n"
    "# backups may leave it out. See https://bford.info/cachedir/\n"
)
_STALE_SECONDS: Final = 24 * 3600
_RECENT_COUNT: Final = 256
"""Files just handed out, which a link may be about to be made to: not evicted."""
_LOW_WATER: Final = 0.9
"""Eviction goes a little further than it must, so that it runs seldom."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """
    Attributes:
        linked_bytes: part of `size_bytes` that checkouts link to.
    """

    file_count: int
    size_bytes: int
    linked_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What was removed from the cache, and what is left."""

    removed_count: int
    removed_bytes: int
    kept_bytes: int


class _CachedFile(NamedTuple):
    used_ns: int
    size_bytes: int
    link_count: int
    name: str


class ContentCache:
    """
    Whole files by digest, below one directory; safe to use from threads and processes.

    Args:
        directory: made at the first `add`.
        max_bytes: of files that no checkout links to; kept by evicting the least
            recently used at each `add`.
    """

    def __init__(self, directory: Path, max_bytes: int = limits.CACHE_MAX_BYTES) -> None:
        self.directory = Path(os.path.abspath(directory))
        self.files_directory = self.directory / "files"
        self._pins_directory = self.directory / "pins"
        self._temporary_directory = self.directory / "tmp"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._size_bytes = -1
        self._recent: OrderedDict[str, None] = OrderedDict()

    def has(self, digest: bytes, *, executable: bool = False) -> bool:
        """Whether there is a file of this content; its bytes are not looked at. Cost: a stat."""
        return (self.files_directory / _name(digest, executable=executable)).exists()

    def find(self, digest: bytes, *, executable: bool = False) -> Path | None:
        """
        The file of this content, its bytes verified now; None if it is not there.

        A damaged file is removed.

        Raises:
            DeniedError: `cache-denied`.
        Cost: reads and hashes the file.
        """
        name = _name(digest, executable=executable)
        file = self.files_directory / name
        # Before it is opened: from here on no other thread evicts it.
        self._note_recent(name)
        try:
            fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise cache_error(error, file) from error
        try:
            hasher = Hasher()
            for block in _read_blocks(fd):
                hasher.update(block)
            status = os.fstat(fd)
        except OSError as error:
            raise cache_error(error, file) from error
        finally:
            os.close(fd)
        if hasher.digest() != digest:
            with suppress(FileNotFoundError):
                self._remove(name)
            return None
        # A hard link shares its times with the cached file: changing them would
        # make the stat cache doubt every checkout; and it is not evicted anyway.
        if status.st_nlink == 1:
            with suppress(OSError):
                _stamp(file)
        return file

    def add(self, digest: bytes, buffers: Iterable[Buffer], *, executable: bool = False) -> Path:
        """
        Keep a content and return its read-only file.

        Args:
            digest: what the bytes must hash to.
            executable: such files are kept apart, since linked ones share their mode.
        Raises:
            DamagedDataError: `content-digest-mismatch`; nothing is kept.
            DeniedError: `cache-full`, `cache-denied`.
        """
        name = _name(digest, executable=executable)
        file = self.files_directory / name
        self._note_recent(name)
        temporary = self._temporary_directory / clock.random_bytes(12).hex()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._prepare(file.parent)
            fd = os.open(temporary, flags, 0o555 if executable else 0o444)
            try:
                found, size_bytes = _write_hashed(fd, buffers)
                if found != digest:
                    raise DamagedDataError(
                        f"content for the cache has the digest {found.hex()}, not {digest.hex()}",
                        code="content-digest-mismatch",
                        expected=digest.hex(),
                        found=found.hex(),
                    )
                _stamp(fd)
                os.rename(temporary, file)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
            finally:
                os.close(fd)
            self._grow(size_bytes)
        except OSError as error:
            raise cache_error(error, file) from error
        return file

    def pin(self, digest: bytes, location: str, *, executable: bool = False) -> None:
        """
        Note that a symlink at `location` leads to this content: it stays while the link does.

        Raises:
            DeniedError: `cache-full`, `cache-denied`.
        """
        file = self._pins_directory / _name(digest, executable=executable)
        line = json.dumps(os.path.abspath(location)) + "\n"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(file, flags, 0o600)
            try:
                os.write(fd, line.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise cache_error(error, file) from error

    def prune(self, max_bytes: int) -> PruneReport:
        """
        Remove least recently used files until at most `max_bytes` are left.

        What checkouts link to is kept, and may leave more than that.

        Raises:
            DeniedError: `cache-denied`.
        Cost: a stat for each cached file.
        """
        with self._lock:
            self._recent.clear()
            try:
                self._sweep_temporary()
                return self._evict(max_bytes, counts_linked=True)
            except OSError as error:
                raise cache_error(error, self.directory) from error

    def forget(self, digests: Iterable[bytes]) -> int:
        """Remove the files of these digests but those a checkout links to; how many there were."""
        wanted = {_name(digest, executable=one) for digest in digests for one in (False, True)}
        found = [file for file in self._scan() if file.name in wanted and not self._is_linked(file)]
        for file in found:
            with suppress(FileNotFoundError):
                self._remove(file.name)
        return len(found)

    def stats(self) -> CacheStats:
        """
        What lies in the cache now.

        Cost: a stat for each cached file.
        """
        try:
            files = list(self._scan())
            linked_bytes = sum(file.size_bytes for file in files if self._is_linked(file))
        except OSError as error:
            raise cache_error(error, self.directory) from error
        size_bytes = sum(file.size_bytes for file in files)
        return CacheStats(len(files), size_bytes, linked_bytes, self._max_bytes)

    def _prepare(self, parent: Path) -> None:
        if parent.is_dir() and self._temporary_directory.is_dir():
            return
        for directory in (self._temporary_directory, parent):
            directory.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(self.directory / "CACHEDIR.TAG", "x") as tag:
            tag.write(_TAG)

    def _note_recent(self, name: str) -> None:
        with self._lock:
            self._recent[name] = None
            self._recent.move_to_end(name)
            if len(self._recent) > _RECENT_COUNT:
                self._recent.popitem(last=False)

    def _grow(self, size_bytes: int) -> None:
        with self._lock:
            if self._size_bytes < 0:
                self._sweep_temporary()
                self._size_bytes = sum(file.size_bytes for file in self._scan())
            else:
                self._size_bytes += size_bytes
            if self._size_bytes > self._max_bytes:
                self._evict(int(self._max_bytes * _LOW_WATER), counts_linked=False)

    def _evict(self, max_bytes: int, *, counts_linked: bool) -> PruneReport:
        # Scanned anew: other processes add and evict too.
        files = sorted(self._scan())
        linked = {file.name for file in files if self._is_linked(file)}
        linked_bytes = sum(file.size_bytes for file in files if file.name in linked)
        size_bytes = sum(file.size_bytes for file in files)
        wanted_bytes = max_bytes if counts_linked else max_bytes + linked_bytes
        removed_count, removed_bytes = 0, 0
        for file in files:
            if size_bytes - removed_bytes <= wanted_bytes:
                break
            if file.name in self._recent or file.name in linked:
                continue
            with suppress(FileNotFoundError):
                self._remove(file.name)
                removed_count += 1
            removed_bytes += file.size_bytes
        kept_bytes = size_bytes - removed_bytes
        self._size_bytes = kept_bytes - linked_bytes
        return PruneReport(removed_count, removed_bytes, kept_bytes)

    def _remove(self, name: str) -> None:
        os.unlink(self.files_directory / name)
        with suppress(FileNotFoundError):
            os.unlink(self._pins_directory / name)

    def _is_linked(self, file: _CachedFile) -> bool:
        if file.link_count > 1:
            return True
        try:
            with open(self._pins_directory / file.name, encoding="utf-8") as pins:
                locations = [json.loads(line) for line in pins]
        except (OSError, ValueError):
            return False
        target = str(self.files_directory / file.name)
        return any(_leads_to(location, target) for location in locations)

    def _scan(self) -> Iterator[_CachedFile]:
        for folder in _listing(self.files_directory):
            for item in _listing(Path(folder.path)):
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    name = f"{folder.name}/{item.name}"
                    yield _CachedFile(status.st_mtime_ns, status.st_size, status.st_nlink, name)

    def _sweep_temporary(self) -> None:
        oldest = clock.now_seconds() - _STALE_SECONDS
        for item in _listing(self._temporary_directory):
            with suppress(FileNotFoundError):
                if item.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(item.path)


def cache_error(error: OSError, file: Path) -> ArtstoreError:
    """What went wrong in the cache, with the setting that moves it."""
    reason = error.strerror or str(error)
    hint = (
        "Set ARTSTORE_CACHE_DIR to another disk, run `art cache prune`, or pull with --link copy."
    )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DeniedError(f"cannot cache {str(file)!r}: {reason}", code="cache-full", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DeniedError(f"cannot use {str(file)!r}: {reason}", code="cache-denied", hint=hint)
    return StorageError(f"cannot use {str(file)!r}: {reason}", code="cache-denied", hint=hint)


def _name(digest: bytes, *, executable: bool) -> str:
    text = digest.hex()
    return f"{text[:2]}/{text}{'.x' if executable else ''}"


def _listing(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listing:
            return list(listing)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_blocks(fd: int) -> Iterator[bytes]:
    while block := os.read(fd, limits.MIB):
        yield block


def _write_hashed(fd: int, buffers: Iterable[Buffer]) -> tuple[bytes, int]:
    hasher, size_bytes = Hasher(), 0
    for buffer in buffers:
        hasher.update(buffer)
        view = memoryview(buffer).cast("B")
        size_bytes += len(view)
        while view:
            view = view[os.write(fd, view) :]
    return hasher.digest(), size_bytes


def _stamp(file: int | Path) -> None:
    # The time of use; set back like those of checkouts, because a hard link of
    # this file is a checkout.
    used_ns = int(clock.now_seconds() * 1e9) - BACKDATE_NS
    os.utime(file, ns=(used_ns, used_ns))


def _leads_to(location: object, target: str) -> bool:
    try:
        return isinstance(location, str) and os.readlink(location) == target
    except (OSError, ValueError):
        return False

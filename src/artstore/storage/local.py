"""
A store in a directory of this machine or of a network disk.

A key is a path below the root, a value one read-only file. Values are written
to `tmp/`, synced, and linked to their name: the link is what creates, and it
fails if the name is taken (PROTOCOL L3 to L5).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from artstore import limits, names
from artstore.digest import Buffer
from artstore.errors import ArtstoreError, InvalidInputError, UnavailableError
from artstore.storage import durable
from artstore.storage.direct import BufferPool, read_direct, write_direct
from artstore.storage.directories import DirectoryTree
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.storage.values import (
    TEMPORARY,
    buffers_of,
    check_new_key,
    check_prefix,
    clashing_key,
    key_exists,
    key_not_found,
    locate,
    range_missing,
    size_of,
)

__all__ = ["LocalStorage"]

_GROUP_COUNT = 64
_GROUP_BYTES = 8 * limits.MIB
"""A group of `create_many` is synced together; a large value gains nothing from company."""
_LARGE_BYTES = 4 * 1024 * 1024
"""Values of this size leave the page cache when they are durable; none but packs are so large."""
_LARGE_READ_BYTES = 1024 * 1024
"""A range of this size is read to be copied elsewhere: it is not left in the page cache."""
_BUFFER_BYTES = limits.READ_WINDOW_BYTES + 8 * limits.KIB
"""The largest range that is read at once, begun and ended at the block of a disk."""
_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a planted pipe must not block
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class _Written:
    """A synced temporary file, open until it has its name."""

    key: str
    path: str
    descriptor: int


class LocalStorage:
    """
    Values as files below one directory, which is made at the first write.

    Files are made with mode 0444 and directories with 0777, less the umask. A
    root with the setgid bit says that a group shares the store: directories and
    files below it then keep the group and other bits of the root whatever the
    umask, else one user could not write where another made a directory.

    Args:
        path: the root; a relative one is of the directory at this moment.
        sync: False gives up S4 (power loss) for speed: for tests and copies.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        self._root = os.path.abspath(os.fspath(path))
        self._temporary = os.path.join(self._root, TEMPORARY)
        self._sync = sync
        self._directories = DirectoryTree(self._root, self._temporary, sync=sync)
        self._buffers = BufferPool(_BUFFER_BYTES)

    @property
    def path(self) -> str:
        """The root directory."""
        return self._root

    @property
    def url(self) -> str:
        """`file:///data/store`."""
        from pathlib import Path

        return Path(self._root).as_uri()

    def __repr__(self) -> str:
        return f"LocalStorage({self._root!r})"

    # --- reading ----------------------------------------------------------------

    def read(self, key: str, span: Span | None = None) -> bytes:
        """
        The bytes of `key`, or of a range of it.

        Raises:
            NotFoundError: `key-not-found`.
            DamagedDataError: `range-missing`.
        Cost: open, fstat, pread, close.
        """
        try:
            descriptor, size = self._open(key)
            try:
                return _read_span(descriptor, key, span, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._translate(error, f"read {key}") from error

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """
        The answers to n reads in the order asked. Errors as `read`.

        Cost: one pread a range; a file stays open while its ranges follow one another.
        """
        open_key, descriptor, size = "", -1, 0
        try:
            for key, span in requests:
                try:
                    if key != open_key:
                        if descriptor >= 0:
                            os.close(descriptor)
                            descriptor = -1
                        descriptor, size = self._open(key)
                        open_key = key
                    data = self._read_part(descriptor, key, span, size)
                except OSError as error:
                    raise self._translate(error, f"read {key}") from error
                yield data
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _read_part(self, descriptor: int, key: str, span: Span | None, size: int) -> Buffer:
        offset, length = locate(key, span, size)
        if length >= _LARGE_READ_BYTES and not durable.is_cached(descriptor, offset):
            direct = read_direct(descriptor, offset, length, self._buffers)
            if direct is not None:
                return direct
        return _read_range_once(descriptor, key, span, offset, length)

    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError `key-not-found`."""
        names.check_key(key)
        try:
            status = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise key_not_found(self.url, key) from error
        except OSError as error:
            raise self._translate(error, f"stat {key}") from error
        if not durable.is_regular(status) or _is_temporary(key):
            raise key_not_found(self.url, key)
        return KeyInfo(key, status.st_size, status.st_mtime)

    def _open(self, key: str) -> tuple[int, int]:
        names.check_key(key)
        if _is_temporary(key):
            raise key_not_found(self.url, key)
        try:
            descriptor = os.open(self._path(key), _READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise key_not_found(self.url, key) from error
        except OSError as error:
            if error.errno == errno.ENXIO:  # a socket
                raise key_not_found(self.url, key) from error
            raise
        status = os.fstat(descriptor)
        if not durable.is_regular(status):
            os.close(descriptor)
            raise key_not_found(self.url, key)
        return descriptor, status.st_size

    # --- listing ----------------------------------------------------------------

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """
        Every key that starts with `prefix` and sorts after `after`, in byte order.

        Cost: one listing a directory that can hold such keys, one stat a key.
        """
        check_prefix(prefix)
        directory, _, start = prefix.rpartition("/")
        return self._scan(f"{directory}/" if directory else "", start, after)

    def _scan(self, directory: str, start: str, after: str) -> Iterator[KeyInfo]:
        rest = after[len(directory) :] if after.startswith(directory) else ""
        for name, is_directory in self._list(directory, start, rest):
            key = f"{directory}{name}"
            if is_directory:
                # All keys below share `key/`; none sorts after `after` if that is past them.
                below = f"{key}/"
                if below > after or after.startswith(below):
                    yield from self._scan(below, "", after)
            elif key > after:
                try:
                    status = os.stat(self._path(key))
                except FileNotFoundError:
                    continue  # deleted since it was listed
                except OSError as error:
                    raise self._translate(error, f"stat {key}") from error
                yield KeyInfo(key, status.st_size, status.st_mtime)

    def scan_names(self, prefix: str) -> Iterator[str]:
        """The distinct next parts of keys below `prefix`, in order of their bytes."""
        check_prefix(prefix)
        for name, is_directory in sorted(self._list(prefix, "")):
            # A crash may leave a directory without a key in it.
            if not is_directory or self._has_key(f"{prefix}{name}/"):
                yield name

    def _has_key(self, directory: str) -> bool:
        """Whether there is a key below; looks no further than the first."""
        if _is_temporary(directory):
            return False
        below = []
        try:
            with os.scandir(self._path(directory)) as entries:
                for entry in entries:
                    if not _is_key_part(entry.name):
                        continue
                    if entry.is_dir():
                        below.append(f"{directory}{entry.name}/")
                    elif entry.is_file():
                        return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._translate(error, f"list {directory}") from error
        return any(map(self._has_key, below))

    def _list(self, directory: str, start: str, after: str = "") -> list[tuple[str, bool]]:
        """
        Names in `directory` that can be of keys, in the order of whole keys.

        Args:
            after: what is not after it in `directory`, nor above it, may be left out.
        """
        found: list[tuple[str, bool]] = []
        if _is_temporary(directory):
            return found
        try:
            with os.scandir(self._path(directory)) as entries:
                for entry in entries:
                    name = entry.name
                    # Cheap first: a log is listed for what came after its thousands of entries.
                    if name <= after and not (
                        (below := f"{name}/") > after or after.startswith(below)
                    ):
                        continue
                    if name.startswith(start) and _is_key_part(name):
                        is_directory = entry.is_dir()
                        if is_directory or entry.is_file():
                            found.append((name, is_directory))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._translate(error, f"list {directory or 'the store'}") from error
        if not directory:
            found = [item for item in found if item[0] != TEMPORARY]
        # S5: "a-b" < "a/b", so a directory sorts as if its name ended in a slash.
        found.sort(key=lambda item: f"{item[0]}/" if item[1] else item[0])
        return found

    # --- writing ----------------------------------------------------------------

    def create(self, key: str, value: Value) -> None:
        """
        Store `value` under a new key; durable on return, and so is a key that exists.

        Raises:
            AlreadyExistsError: `key-exists`.
            DeniedError: `storage-denied`, `storage-full`.
            StorageError: `storage-failed` where a sync failed, `storage-unsuitable`.
        Cost: one file sync and one directory sync; the first write below a
            directory also syncs the directories above it.
        """
        self.create_many([(key, value)])

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """
        Store n values; on return all are durable. On an error any of them may exist.

        Errors as `create`.
        Cost: one file sync a value, one directory sync a directory.
        """
        for key, _ in items:
            check_new_key(key)
        directories: dict[str, None] = {}
        for group in _groups(items):
            self._create_group(group, directories)
        self._directories.sync(directories)

    def _create_group(
        self, items: Sequence[tuple[str, Value]], directories: dict[str, None]
    ) -> None:
        written: list[_Written] = []
        key = ""
        try:
            for key, value in items:
                written.append(self._write(key, value))
            self._sync_files(written)
            for file in written:
                key = file.key
                directories[os.path.dirname(self._path(key))] = None
                self._publish(file)
        except OSError as error:
            raise self._translate(error, f"write {key}") from error
        finally:
            for file in written:
                with suppress(OSError):  # synced or flushed: closing can tell nothing new
                    os.close(file.descriptor)
                durable.remove_quietly(file.path)

    def _sync_files(self, written: Sequence[_Written]) -> None:
        if not self._sync:
            for file in written:
                durable.flush_file(file.descriptor)
            return
        if len(written) > 1:
            for file in written:
                durable.begin_sync(file.descriptor)
        for file in written:
            try:
                durable.sync_file(file.descriptor)
                if os.fstat(file.descriptor).st_size >= _LARGE_BYTES:
                    durable.drop_cached(file.descriptor)
            except OSError as error:
                # The pages count as clean now: this file is thrown away, never synced again.
                raise self._translate(error, f"make {file.key} durable") from error

    def _write(self, key: str, value: Value) -> _Written:
        path = os.path.join(self._temporary, durable.temporary_name())
        try:
            descriptor = os.open(path, _WRITE_FLAGS, 0o444)
        except FileNotFoundError:
            self._directories.make(self._temporary)
            descriptor = os.open(path, _WRITE_FLAGS, 0o444)
        try:
            shared = self._directories.shared_bits()
            if shared:
                mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
                os.fchmod(descriptor, mode | (shared & 0o444))
            buffers = buffers_of(value)
            # What is not synced is better left to the cache.
            is_large = self._sync and size_of(value) >= _LARGE_BYTES
            written = write_direct(descriptor, buffers) if is_large else 0
            durable.write_all(descriptor, buffers, written_bytes=written)
        except BaseException:
            os.close(descriptor)
            durable.remove_quietly(path)
            raise
        return _Written(key, path, descriptor)

    def _publish(self, file: _Written) -> None:
        final = self._path(file.key)
        directory = os.path.dirname(final)
        try:
            if not self._directories.is_known(directory):
                self._directories.make(directory)
            try:
                durable.publish(file.path, file.descriptor, final)
            except FileNotFoundError:
                # Someone removed the directory (a store emptied and used again).
                self._directories.forget()
                self._directories.make(directory)
                durable.publish(file.path, file.descriptor, final)
        except FileExistsError as error:
            raise self._taken(file.key, final) from error
        except NotADirectoryError as error:
            raise clashing_key(file.key, "a key that is the start of its path") from error
        except FileNotFoundError as error:
            raise UnavailableError(
                f"cannot write {file.key} in {self._root}: its temporary file was removed",
                code="storage-unavailable",
                key=file.key,
            ) from error

    def _taken(self, key: str, final: str) -> ArtstoreError:
        if os.path.isdir(final):
            return clashing_key(key, f"{key}/...")
        if self._sync:
            # Whoever made it may not have synced the name yet. A caller that finds
            # its own earlier attempt here goes on to say "done": let that be true.
            self._directories.sync({os.path.dirname(final): None})
        return key_exists(self.url, key)

    # --- removing ---------------------------------------------------------------

    def delete(self, keys: Iterable[str]) -> None:
        """
        Remove keys; absent ones are no error. Directories stay.

        Raises:
            DeniedError: `storage-denied`.
        Cost: one unlink a key, one directory sync a directory.
        """
        directories: dict[str, None] = {}
        for key in keys:
            path = self._path(check_new_key(key))
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except OSError as error:
                if os.path.isdir(path):
                    continue  # macOS answers EPERM for a directory
                raise self._translate(error, f"delete {key}") from error
            directories[os.path.dirname(path)] = None
        self._directories.sync(directories)

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """
        Remove unfinished writes of that age; only upkeep calls this. Gives their bytes.

        The age is by the clock of the file system, never by this machine's. A
        writer whose file is taken away gets UnavailableError and writes again.
        """
        try:
            probe = self._write("", b"")
        except OSError as error:
            raise self._translate(error, "write a temporary file") from error
        try:
            now = os.fstat(probe.descriptor).st_mtime
        finally:
            os.close(probe.descriptor)
            durable.remove_quietly(probe.path)
        freed = 0
        with os.scandir(self._temporary) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # finished or swept meanwhile
                    status = entry.stat(follow_symlinks=False)
                    if now - status.st_mtime <= older_than_seconds:
                        continue
                    if durable.is_regular(status):
                        os.unlink(entry.path)
                        freed += status.st_size
                    elif stat.S_ISDIR(status.st_mode):
                        with suppress(OSError):  # not ours if there is something in it
                            os.rmdir(entry.path)
        return freed

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _translate(self, error: OSError, doing: str) -> ArtstoreError:
        return durable.translate(error, doing, self._root)


def _groups(items: Sequence[tuple[str, Value]]) -> Iterator[Sequence[tuple[str, Value]]]:
    start, group_bytes = 0, 0
    for position, (_, value) in enumerate(items):
        group_bytes += size_of(value)
        if group_bytes >= _GROUP_BYTES or position - start + 1 >= _GROUP_COUNT:
            yield items[start : position + 1]
            start, group_bytes = position + 1, 0
    if start < len(items):
        yield items[start:]


def _read_span(descriptor: int, key: str, span: Span | None, size: int) -> bytes:
    offset, length = locate(key, span, size)
    return _read_range_once(descriptor, key, span, offset, length)


def _read_range_once(
    descriptor: int, key: str, span: Span | None, offset: int, length: int
) -> bytes:
    """A range; what is large and not cached is not cached by this either."""
    is_kept = length < _LARGE_READ_BYTES or durable.is_cached(descriptor, offset)
    data = _read_range(descriptor, key, span, offset, length)
    if not is_kept:
        durable.drop_cached(descriptor, offset, length)
    return data


def _read_range(descriptor: int, key: str, span: Span | None, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset) if length else b""
    if len(data) == length:
        return data
    # One call gives at most 2 GiB.
    parts, position = [data], offset + len(data)
    while position < offset + length:
        data = os.pread(descriptor, offset + length - position, position)
        if not data:
            raise range_missing(key, span, position)
        parts.append(data)
        position += len(data)
    return b"".join(parts)


def _is_temporary(key: str) -> bool:
    return key.startswith(TEMPORARY) and (key == TEMPORARY or key[len(TEMPORARY)] == "/")


def _is_key_part(name: str) -> bool:
    """What people and tools leave in directories (`.DS_Store`, `.nfs000`) is no key."""
    try:
        names.check_key(name)
    except InvalidInputError:
        return False
    return True

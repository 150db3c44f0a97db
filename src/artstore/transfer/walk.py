"""
Walk a directory in the order of a manifest, one stat a file.

Entries come sorted by their whole path as text, which is also the order of its
UTF-8 bytes: `a-b` before `a/b` before `a.b`. Memory is bounded by the names of
the directories from the root down to the one being read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.names import check_entry_path

__all__ = ["DirectoryRules", "Found", "FoundKind", "look", "walk"]

FoundKind = Literal["file", "directory", "symlink"]
Warn = Callable[[str], None]

_TYPE_BITS: Final = 0o170000
_REGULAR: Final = 0o100000
_EXECUTABLE: Final = 0o100
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Found(NamedTuple):
    """What stands at one path; a tuple, because a million of them are made."""

    path: str
    """Relative to the root, `/` between parts."""
    kind: FoundKind
    """`directory` only for one that is empty."""
    location: str
    """Absolute path to open."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    executable: bool
    target: str
    """Text of a symlink, else empty."""


class DirectoryRules(Protocol):
    """What the walk asks of ignore rules; `ignore.IgnoreRules` answers."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left out in this directory."""

    def enter(self, location: str, prefix: str, names: list[str]) -> DirectoryRules:
        """Rules for this directory, which holds `names` beside other directories."""

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        """Whether `path` is left out."""

    def ignores_empty(self, path: str) -> bool:
        """Whether an empty directory that `ignores` lets pass is left out."""


def walk(
    root: Path,
    *,
    rules: DirectoryRules | None = None,
    follow_links: bool = False,
    content_root: str = "",
    keep_going: bool = False,
    on_warning: Warn | None = None,
) -> Iterator[Found]:
    """
    Yield files, symlinks and empty directories below `root`, in manifest order.

    `root` itself may be a symlink; below it, symlinks are entries of their own
    unless `follow_links`. Directories that hold only ignored entries, or only
    sockets, fifos and devices, are not yielded.

    Args:
        root: an existing directory.
        rules: what is left out; None keeps everything.
        follow_links: yield what symlinks lead to, also outside of `root`. One
            that dangles or leads back to a directory above stays a symlink.
        content_root: symlinks into this directory (the files of the content
            cache) stand for the files that they name.
        keep_going: skip what could not be stored (names that are not UTF-8) or
            read, with a warning; for the comparison of a checkout.
        on_warning: told about everything that is skipped or kept as a link.
    Raises:
        InvalidInputError: `source-vanished` when something listed is gone or was
            replaced, `source-unreadable`, and `path-invalid` for names that are
            not UTF-8 or too long.
    Cost: one scandir a directory, one stat a file.
    """
    tree = _Tree(follow_links, content_root, keep_going, on_warning or _ignore_warning)
    location = os.path.abspath(os.fspath(root))
    stack = [_Frame(location.rstrip("/") + "/", "", None, follow=True)]
    try:
        stack[0].list_children(tree, rules, frozenset())
        while stack:
            frame = stack[-1]
            for name in frame.pending:
                try:
                    if name[-1] == "/":
                        child = frame.descend(tree, name)
                        if child is not None:
                            stack.append(child)
                            break
                        continue
                    found = frame.look_at(tree, name)
                except InvalidInputError as error:
                    if not keep_going:
                        raise
                    tree.warn(f"{error}: skipped")
                    continue
                if found is not None:
                    yield found
            else:
                stack.pop().close()
                if frame.is_empty and frame.prefix:
                    path = frame.prefix[:-1]
                    if frame.rules is None or not frame.rules.ignores_empty(path):
                        yield _found(path, "directory", frame.location[:-1], frame.status, "")
    finally:
        for frame in stack:
            frame.close()


def look(location: str, path: str) -> Found:
    """
    A single file, or what a symlink to one leads to, as an entry named `path`.

    Raises:
        InvalidInputError: `source-vanished`, `source-unreadable`, or
            `path-invalid` for what is neither file nor directory.
    """
    location = os.path.abspath(location)
    check_entry_path(path)
    try:
        found = os.stat(location)
    except OSError as error:
        raise source_error(error, location) from error
    if stat.S_ISDIR(found.st_mode):
        return _found(path, "directory", location, found, "")
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInputError(
            f"{location!r} is {_name_type(found.st_mode)}, which cannot be stored",
            code="path-invalid",
            path=path,
        )
    return _found(path, "file", location, found, "")


class _Tree(NamedTuple):
    """What holds for the whole of one walk."""

    follow_links: bool
    content_root: str
    keep_going: bool
    warn: Warn


class _Frame:
    """One directory on the way from the root to where the walk stands."""

    __slots__ = (
        "above",
        "fd",
        "follow",
        "identity",
        "is_empty",
        "location",
        "pending",
        "prefix",
        "rules",
        "status",
    )

    def __init__(self, location: str, prefix: str, parent: _Frame | None, *, follow: bool) -> None:
        self.location = location
        self.prefix = prefix
        self.follow = follow
        self.fd = -1
        self.rules: DirectoryRules | None = None
        self.is_empty = False
        self.pending: Iterator[str] = iter(())
        self.above: frozenset[tuple[int, int]] = parent.above if parent else frozenset()
        self.status = self.open()
        self.identity = (self.status.st_dev, self.status.st_ino)

    def open(self) -> os.stat_result:
        # Without O_NOFOLLOW a directory that was swapped for a symlink after it
        # was listed would lead the walk out of the tree.
        flags = _OPEN_FLAGS if self.follow else _OPEN_FLAGS | os.O_NOFOLLOW
        try:
            self.fd = os.open(self.location.rstrip("/") or "/", flags)
            return os.fstat(self.fd)
        except OSError as error:
            raise source_error(error, self.location) from error

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def ready_fd(self) -> int:
        # Only the deepest directory is held open, so that deep trees do not run
        # out of descriptors; on the way back up a directory is opened again.
        if self.fd < 0:
            status = self.open()
            if (status.st_dev, status.st_ino) != self.identity:
                raise _vanished(self.location, "was replaced while it was read")
        return self.fd

    def list_children(
        self, tree: _Tree, rules: DirectoryRules | None, above: frozenset[tuple[int, int]]
    ) -> None:
        """Set `pending`: names in manifest order, those of directories with `/` behind."""
        self.above = above | {self.identity} if tree.follow_links else above
        follow = tree.follow_links
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(self.fd) as listing:
                for item in listing:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(item.name)
                    else:
                        names.append(item.name)
                        if follow and item.is_symlink() and self.leads_to_directory(item.name):
                            folders.append(names.pop())
        except OSError as error:
            raise source_error(error, self.location) from error
        self.is_empty = not names and not folders
        if rules is not None:
            rules = rules.enter(self.location, self.prefix, names)
        if rules is not None and not rules.is_idle:
            prefix, ignores = self.prefix, rules.ignores
            names = [n for n in names if not ignores(prefix + n, is_directory=False)]
            folders = [n for n in folders if not ignores(prefix + n, is_directory=True)]
        self.rules = rules
        keys = sorted(names + [name + "/" for name in folders]) if folders else sorted(names)
        self.pending = iter(self.move_empty_folders(keys) if folders else keys)

    def leads_to_directory(self, name: str) -> bool:
        try:
            status = os.stat(name, dir_fd=self.fd)
        except OSError:
            return False  # Dangling or a loop: `look_at` keeps it as a symlink.
        is_loop = (status.st_dev, status.st_ino) in self.above
        return stat.S_ISDIR(status.st_mode) and not is_loop

    def move_empty_folders(self, keys: list[str]) -> list[str]:
        # An empty directory sorts as `a`, one with children as `a/`. That makes a
        # difference only beside a sibling such as `a-b`, which sorts between.
        empty = set()
        for position, key in enumerate(keys):
            is_doubtful = key[-1] == "/" and position > 0 and keys[position - 1] > key[:-1]
            if is_doubtful and _is_empty_directory(self.location + key):
                empty.add(key)
        return sorted(keys, key=lambda key: key[:-1] if key in empty else key) if empty else keys

    def descend(self, tree: _Tree, name: str) -> _Frame | None:
        child = _Frame(self.location + name, self.prefix + name, self, follow=tree.follow_links)
        if child.identity in self.above:
            child.close()
            tree.warn(f"{child.location[:-1]!r} leads back to a directory above it: skipped")
            return None
        try:
            _check_path(child.prefix[:-1], child.location)
            child.list_children(tree, self.rules, self.above)
        except BaseException:
            child.close()
            raise
        self.close()
        return child

    def look_at(self, tree: _Tree, name: str) -> Found | None:
        fd = self.fd
        if fd < 0:
            fd = self.ready_fd()
        path = self.prefix + name
        location = self.location + name
        if not path.isascii() or len(path) > 255:
            _check_path(path, location)
        try:
            # By name below the open directory: 15 % faster here than by whole
            # path, and a parent that is swapped meanwhile changes nothing.
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            raise source_error(error, location) from error
        mode = status.st_mode
        if mode & _TYPE_BITS == _REGULAR:
            # `tuple.__new__` spares the generated `__new__`: a tenth of the walk.
            return tuple.__new__(
                Found,
                (
                    path,
                    "file",
                    location,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    status.st_ino,
                    status.st_dev,
                    mode & _EXECUTABLE != 0,
                    "",
                ),
            )
        if stat.S_ISLNK(mode):
            return self.look_at_link(tree, name, status)
        if stat.S_ISDIR(mode):
            raise _vanished(location, "became a directory while the tree was read")
        tree.warn(f"{location!r} is {_name_type(mode)}: skipped")
        return None

    def look_at_link(self, tree: _Tree, name: str, status: os.stat_result) -> Found | None:
        path, location = self.prefix + name, self.location + name
        try:
            target = os.readlink(name, dir_fd=self.fd)
        except OSError as error:
            raise source_error(error, location) from error
        is_cached = bool(tree.content_root) and target.startswith(tree.content_root + "/")
        if tree.follow_links or is_cached:
            try:
                behind = os.stat(name, dir_fd=self.fd)
            except OSError:
                if is_cached and not tree.keep_going:
                    raise _vanished(location, "links to a file that the cache lost") from None
                tree.warn(f"{location!r} leads nowhere: kept as a symlink")
            else:
                if stat.S_ISREG(behind.st_mode):
                    return _found(path, "file", location, behind, "")
                if not stat.S_ISDIR(behind.st_mode):
                    tree.warn(f"{location!r} is {_name_type(behind.st_mode)}: skipped")
                    return None
                tree.warn(f"{location!r} leads back to a directory above it: kept as a symlink")
        if not target.isascii():
            _check_text(target, location)
        return _found(path, "symlink", location, status, target)


def _found(path: str, kind: FoundKind, location: str, status: os.stat_result, target: str) -> Found:
    return Found(
        path=path,
        kind=kind,
        location=location,
        size_bytes=status.st_size if kind == "file" else 0,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        device=status.st_dev,
        executable=kind == "file" and status.st_mode & _EXECUTABLE != 0,
        target=target,
    )


def _is_empty_directory(location: str) -> bool:
    try:
        with os.scandir(location) as listing:
            return next(listing, None) is None
    except OSError:
        return False  # The walk reports it when it gets there.


def _check_path(path: str, location: str) -> None:
    try:
        check_entry_path(path)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"cannot store {_shown(location)}: {error}",
            code="path-invalid",
            hint="Rename it, or leave it out with an .artignore file.",
            path=_shown(path),
        ) from error


def _check_text(target: str, location: str) -> None:
    try:
        target.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"cannot store the symlink {_shown(location)}: its text {_shown(target)} is not "
            "valid UTF-8",
            code="path-invalid",
            path=_shown(location),
        ) from error


def source_error(error: OSError, location: str) -> ArtstoreError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return _vanished(location, "is not there, or no longer")
    if isinstance(error, PermissionError):
        reason = "may not be read by this user"
    else:
        # ELOOP is how O_NOFOLLOW says that a symlink stands there now.
        reason = f"cannot be read: {error.strerror or error}"
    return InvalidInputError(
        f"{_shown(location)} {reason}", code="source-unreadable", location=_shown(location)
    )


def _vanished(location: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"{_shown(location)} {reason}",
        code="source-vanished",
        hint="Run the command again when nothing else changes the directory.",
        location=_shown(location),
    )


def _name_type(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a fifo"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"


def _shown(text: str) -> str:
    text = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "'" + "".join(char if char.isprintable() else repr(char)[1:-1] for char in text) + "'"


def _ignore_warning(message: str) -> None:
    del message

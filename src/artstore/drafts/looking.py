"""
What a draft holds at a path, before anything was read or logged.
"""

from __future__ import annotations

import os
import stat

from artstore.drafts.added import AddedDirectory, AddedFile, AdditionList, DraftOrigin
from artstore.errors import NotFoundError
from artstore.manifests.entry import FILE, LINK, SYMLINK, Entry
from artstore.transfer.ignore import IGNORE_NAME, IgnoreRules
from artstore.transfer.walk import Found, look, source_error

__all__ = ["at_path", "has_below", "in_directory", "in_origin", "same_content"]


def at_path(additions: AdditionList, origin: DraftOrigin | None, path: str) -> Entry | Found | None:
    """
    The file, link or entry at a path; None if there is none, or only a directory.

    What the newest version has, to which a draft adds, is not known before it is logged.
    """
    found = additions.at(path)
    if isinstance(found, AddedFile):
        return _looked_at(found)
    if found is not None:
        return found if isinstance(found, Entry) else found.entry
    for directory in additions.directories():
        here = in_directory(directory, path)
        if here is not None and here.kind != "directory":
            return here
    return None if origin is None else in_origin(origin, path)


def in_origin(origin: DraftOrigin, path: str) -> Entry | None:
    """What the version that a draft begins with has at a path; None if that is not known."""
    if origin.version is None or path in origin.without:
        return None
    try:
        return origin.version.files().tree.entry(path)
    except NotFoundError:
        return None


def has_below(origin: DraftOrigin, path: str) -> bool:
    """Whether the version that a draft begins with has a directory at `path`."""
    if origin.version is None or path in origin.without:
        return False
    children = origin.version.files().tree.children(path)
    return any(child.path not in origin.without for child in children)


def in_directory(directory: AddedDirectory, path: str) -> Found | None:
    """
    What a directory that was added brings to a path of the artifact.

    A directory in it is found as such, empty or not. Cost: a stat for each part of the path.
    """
    inner = directory.relative(path)
    if inner is None or path in directory.without:
        return None
    rules = IgnoreRules.for_push(
        directory.location, include=directory.include, exclude=directory.exclude
    )
    location, above = os.fspath(directory.location), ""
    *parents, last = inner.split("/")
    for name in (*parents, None):
        is_marked = os.path.lexists(os.path.join(location, IGNORE_NAME))
        rules = rules.enter(location, above, [IGNORE_NAME] if is_marked else [])
        if name is None:
            break
        above += name
        location = os.path.join(location, name)
        if not _is_directory(location, follow=directory.follow_links):
            return None
        if rules.ignores(above, is_directory=True):
            return None
        above += "/"
    return _found(directory, rules, os.path.join(location, last), path)


def _found(directory: AddedDirectory, rules: IgnoreRules, location: str, path: str) -> Found | None:
    inner = directory.relative(path)
    assert inner is not None
    try:
        status = os.lstat(location)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise source_error(error, location) from error
    is_directory = _is_directory(location, follow=directory.follow_links)
    if rules.ignores(inner, is_directory=is_directory):
        return None
    if stat.S_ISLNK(status.st_mode) and not directory.follow_links:
        return _look_at_link(location, path)
    return look(location, path)


def _look_at_link(location: str, path: str) -> Found:
    """A symlink as such."""
    status = os.lstat(location)
    return Found(
        path=path,
        kind="symlink",
        location=location,
        size_bytes=0,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        device=status.st_dev,
        executable=False,
        target=os.readlink(location),
    )


def same_content(one: Entry | Found, other: Entry | Found) -> bool:
    """
    Whether two files, links or entries would be the same at one path.

    Cost: files of the same size are read.
    """
    first, second = _identity(one), _identity(other)
    if first != second:
        return False
    return first[0] != FILE or _digest(one) == _digest(other)


def _identity(one: Entry | Found) -> tuple[object, ...]:
    if isinstance(one, Found):
        if one.kind == "symlink":
            return SYMLINK, one.target
        return one.kind, one.size_bytes, one.executable
    if one.kind in (FILE, LINK):
        return FILE, one.size_bytes, one.executable
    if one.kind == SYMLINK:
        return SYMLINK, one.target
    return one.kind, one.digest


def _digest(one: Entry | Found) -> bytes:
    from artstore.transfer.hashing import entry_of_found

    return one.digest if isinstance(one, Entry) else entry_of_found(one).digest


def _looked_at(added: AddedFile) -> Found:
    found = look(os.fspath(added.location), added.path)
    if added.noted is not None:
        added.noted.check_found(found)
    return found


def _is_directory(location: str, *, follow: bool) -> bool:
    try:
        status = os.stat(location, follow_symlinks=follow)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode)

"""
Try the promises of storage on this very place: `art doctor` prints the findings.

The suite tests our code; the probe tests the disk, mount or bucket a person
has. It writes a few small values under `probe/<random>/` and removes them again
where it may.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from artstore import clock
from artstore.errors import AlreadyExistsError, ArtstoreError, NotFoundError
from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span, Storage
from artstore.storage.values import TEMPORARY

__all__ = ["Finding", "probe"]

_RACERS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was tried.

    `is_required` says whether a store is unsafe without it; the others are told
    for a person to know.
    """

    name: str
    is_ok: bool
    is_required: bool
    detail: str


class _ProbeFailureError(Exception):
    """A promise was broken; the text says how."""


def probe(storage: Storage) -> list[Finding]:
    """
    Try every promise once. Raises nothing that the storage raises: it becomes a finding.

    Cost: about thirty small values, removed at the end if deleting is allowed.
    """
    directory = f"probe/{clock.random_bytes(8).hex()}"
    checks: list[tuple[str, Callable[[Storage, str], str]]] = [
        ("visible", _check_visible),
        ("create-only", _check_create_only),
        ("race", _check_race),
        ("order", _check_order),
        ("ranges", _check_ranges),
    ]
    findings = [_try(name, partial(check, storage, directory)) for name, check in checks]
    findings.append(_clean(storage, directory))
    if isinstance(storage, LocalStorage) and os.path.isdir(storage.path):
        findings.extend(_probe_directory(storage.path))
    return findings


def _try(name: str, check: Callable[[], str], *, is_required: bool = True) -> Finding:
    try:
        return Finding(name, is_ok=True, is_required=is_required, detail=check())
    except (_ProbeFailureError, ArtstoreError, OSError) as error:
        return Finding(name, is_ok=False, is_required=is_required, detail=str(error))


def _check_visible(storage: Storage, directory: str) -> str:
    key, value = f"{directory}/visible", b"written by the probe"
    storage.create(key, [value[:7], value[7:]])
    _expect(storage.read(key) == value, "a created value reads back differently")
    _expect(storage.stat(key).size_bytes == len(value), "stat tells another size")
    listed = [info.key for info in storage.scan(f"{directory}/")]
    _expect(key in listed, "a created key is not listed")
    return "a created value is read and listed at once"


def _check_create_only(storage: Storage, directory: str) -> str:
    key = f"{directory}/create-only"
    storage.create(key, b"first")
    try:
        storage.create(key, b"other")
    except AlreadyExistsError:
        _expect(storage.read(key) == b"first", "a refused create changed the value")
        return "a taken key is refused"
    raise _ProbeFailureError("a key was created twice: writers would overwrite each other")


def _check_race(storage: Storage, directory: str) -> str:
    barrier = threading.Barrier(_RACERS)
    wins: list[int] = []
    failures: list[ArtstoreError] = []

    def race(me: int) -> None:
        barrier.wait()
        try:
            storage.create(f"{directory}/race", b"%d" % me)
            wins.append(me)
        except AlreadyExistsError:
            return
        except ArtstoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=race, args=(me,)) for me in range(_RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    _expect(len(wins) == 1, f"{len(wins)} of {_RACERS} racing creators won")
    _expect(storage.read(f"{directory}/race") == b"%d" % wins[0], "a loser's value stands")
    return f"of {_RACERS} racing creators one won"


def _check_order(storage: Storage, directory: str) -> str:
    keys = [f"{directory}/order/{part}" for part in ("a!b", "a-b", "a.b", "a/b", "a0", "a_b")]
    storage.create_many([(key, b"") for key in reversed(keys)])
    found = [info.key for info in storage.scan(f"{directory}/order/")]
    _expect(found == keys, f"keys are listed as {found}")
    after = [info.key for info in storage.scan(f"{directory}/order/", after=keys[2])]
    _expect(after == keys[3:], f"keys after {keys[2]} are listed as {after}")
    return "keys are listed in the order of their bytes"


def _check_ranges(storage: Storage, directory: str) -> str:
    storage.create(f"{directory}/ranges", b"0123456789")
    spans = {Span(2, 3): b"234", Span(-3, 2): b"78", Span(0, 0): b""}
    for span, expected in spans.items():
        found = storage.read(f"{directory}/ranges", span)
        _expect(found == expected, f"{span} gives {found!r}")
    return "ranges are read exactly, also from the end"


def _clean(storage: Storage, directory: str) -> Finding:
    def clean() -> str:
        keys = [info.key for info in storage.scan(f"{directory}/")]
        storage.delete(keys)
        for key in keys:
            with suppress(NotFoundError):
                storage.read(key)
                raise _ProbeFailureError(f"{key} is still there after it was deleted")
        if isinstance(storage, LocalStorage):
            for left in ("order/a", "order", "", ".."):  # the empty directories
                with suppress(OSError):
                    os.rmdir(os.path.normpath(os.path.join(storage.path, directory, left)))
        return "values can be deleted"

    # Pushing needs no right to delete; what the probe wrote stays then.
    return _try("delete", clean, is_required=False)


def _probe_directory(root: str) -> Iterator[Finding]:
    temporary = os.path.join(root, TEMPORARY)
    yield _try("names", lambda: _check_names(temporary))
    yield _try("sync", lambda: _check_sync(temporary))
    yield _try("case", lambda: _describe_case(temporary), is_required=False)
    yield _try("sharing", lambda: _describe_sharing(root), is_required=False)
    yield _try("space", lambda: _describe_space(root), is_required=False)


def _check_names(temporary: str) -> str:
    source, target = (os.path.join(temporary, durable.temporary_name()) for _ in range(2))
    descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        durable.publish(source, descriptor, target)
        linked = os.fstat(descriptor).st_nlink == 2
    finally:
        os.close(descriptor)
        durable.remove_quietly(source)
        durable.remove_quietly(target)
    return "names are created by hard links" if linked else "names are created by exclusive renames"


def _check_sync(temporary: str) -> str:
    path = os.path.join(temporary, durable.temporary_name())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        durable.sync_file(descriptor)
        durable.sync_directory(temporary)
    finally:
        os.close(descriptor)
        durable.remove_quietly(path)
    return "files and directories can be synced"


def _describe_case(temporary: str) -> str:
    path = os.path.join(temporary, f"case-{durable.temporary_name()}")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        folds = os.path.exists(os.path.join(temporary, os.path.basename(path).upper()))
    finally:
        durable.remove_quietly(path)
    if folds:
        return "capitals and small letters are one (keys are safe: they have no capitals)"
    return "capitals and small letters differ"


def _describe_sharing(root: str) -> str:
    mode = os.stat(root).st_mode
    if mode & stat.S_ISGID:
        return f"shared with the group of {root}: new files keep its permissions"
    return f"permissions follow the umask; to share with a group: chmod -R g+rws {root}"


def _describe_space(root: str) -> str:
    status = os.statvfs(root)
    return f"{status.f_bavail * status.f_frsize // 10**6} MB are free"


def _expect(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like assert
    if not is_so:
        raise _ProbeFailureError(otherwise)

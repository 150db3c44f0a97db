"""
Try the promises of storage on this very place: `art doctor` prints the findings.

The suite tests our code; the probe tests the disk, mount or bucket a person
has. It writes a few small values under `probe/<random>/` and removes them again
where it may.
"""

from __future__ import annotations

import os
import stat
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from artstore import clock
from artstore.errors import (
    AlreadyExistsError,
    ArtstoreError,
    NotFoundError,
    StorageError,
    UnavailableError,
)
from artstore.storage import durable
from artstore.storage.findings import Finding, ProbeError, expect, find, unknown
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span, Storage, Value
from artstore.storage.retry import RetryingStorage
from artstore.storage.values import TEMPORARY

if TYPE_CHECKING:
    from artstore.storage.bucket import Bucket

__all__ = ["GUARDS", "Finding", "probe"]

GUARDS: Final = frozenset({"create-only", "race"})
"""What a store for one writer at a time does without."""

_RACERS: Final = 16
_ROUNDS_IN_A_BUCKET: Final = 3
_ROUNDS: Final = 2
_SKEW_MAX_SECONDS: Final = 60.0
_SPEED_BYTES: Final = 4 * 1024 * 1024
_LATENCY_TRIES: Final = 5
_ORDERED: Final = ("a!b", "a-b", "a.b", "a/b", "a0", "a_b")


def probe(
    storage: Storage, *, bucket: Bucket | None = None, with_speed: bool = False
) -> list[Finding]:
    """
    Try every promise. Raises nothing that the storage raises: it becomes a finding.

    Args:
        bucket: the bucket that `storage` is in, asked what only a bucket can tell.
        with_speed: measure it too, with a value of 4 MiB.
    Cost: about fifty requests for small values in a directory, eighty in a bucket;
        what was written is removed at the end if deleting is allowed.
    """
    missing = _missing_directories(storage.path) if isinstance(storage, LocalStorage) else []
    findings = _probe(storage, bucket, with_speed=with_speed)
    for path in missing:  # a place that was not there is not made by looking at it
        with suppress(OSError):
            os.rmdir(path)
    return findings


def _probe(storage: Storage, bucket: Bucket | None, *, with_speed: bool) -> list[Finding]:
    directory = f"probe/{clock.random_bytes(8).hex()}"
    rounds = _ROUNDS if bucket is None else _ROUNDS_IN_A_BUCKET
    checks: list[tuple[str, Callable[[Storage, str], str]]] = [
        ("visible", _check_visible),
        ("create-only", _check_create_only),
        ("race", partial(_check_race, rounds=rounds)),
        ("lost-answer", _check_lost_answer),
        ("order", _check_order),
        ("ranges", _check_ranges),
    ]
    try:
        storage.create(f"{directory}/may-write", b"")
    except ArtstoreError as error:
        if error.code == "storage-denied":
            return _probe_reading(storage, error, [name for name, _ in checks], bucket)
        # Every other check would try as often, and wait as long.
        return [_refused(error, is_required=True)]
    findings = [find(name, partial(check, storage, directory)) for name, check in checks]
    findings.append(find("clock", partial(_check_clock, storage, directory), is_required=False))
    if with_speed:
        findings.append(_try_speed(storage, directory))
    if bucket is not None:
        findings.extend(bucket.findings(directory))
    findings.append(_clean(storage, directory, rounds=rounds))
    if isinstance(storage, LocalStorage) and os.path.isdir(storage.path):
        findings.extend(_probe_directory(storage.path))
    return _advised(findings, storage)


def _probe_reading(
    storage: Storage, error: ArtstoreError, untried: list[str], bucket: Bucket | None
) -> list[Finding]:
    """What can be told to somebody who may only read, and needs no more to pull."""
    hint = "pulling needs no more than reading; a push will be refused"
    findings = [_refused(error, is_required=False, hint=hint)]
    findings.append(find("read", partial(_check_readable, storage)))
    findings += [unknown(name, "not tried: nothing may be written") for name in untried]
    if bucket is not None:
        findings.extend(bucket.findings(None))
    return findings


def _refused(error: ArtstoreError, *, is_required: bool, hint: str | None = None) -> Finding:
    return Finding(
        "write",
        is_ok=False,
        is_required=is_required,
        detail=str(error),
        hint=hint or error.hint,
        error=error,
    )


def _advised(findings: list[Finding], storage: Storage) -> list[Finding]:
    """The findings, with what to do about a server that does not do as S3 does."""
    if isinstance(storage, LocalStorage):
        return findings
    hint = "use a server that honours If-None-Match: *"
    if {finding.name for finding in findings if finding.verdict == "failed"} <= GUARDS:
        hint += (
            f", or make a store for one writer at a time: art init {storage.url} --single-writer"
        )
    hints = {"ranges": "use a server that answers ranges of bytes"} | dict.fromkeys(GUARDS, hint)
    return [
        replace(finding, hint=hints[finding.name])
        if finding.name in hints and finding.is_ok is False
        else finding
        for finding in findings
    ]


def _check_readable(storage: Storage) -> str:
    for info in storage.scan("collections/"):
        storage.read(info.key)
        return "the store can be listed and read"
    return "nothing is there that could be read"


def _check_visible(storage: Storage, directory: str) -> str:
    key, value = f"{directory}/visible", b"written by the probe"
    try:
        # A cache that remembers "absent" would hide what is created next.
        storage.read(key)
        raise ProbeError("a key that was never created can be read")
    except NotFoundError:
        storage.create(key, [value[:7], value[7:]])
    expect(storage.read(key) == value, "a created value reads back differently")
    expect(storage.stat(key).size_bytes == len(value), "stat tells another size")
    listed = [info.key for info in storage.scan(f"{directory}/")]
    expect(key in listed, "a created key is not listed")
    return "a created value is read and listed at once"


def _check_create_only(storage: Storage, directory: str) -> str:
    key = f"{directory}/create-only"
    storage.create(key, b"first")
    try:
        storage.create(key, b"other")
    except AlreadyExistsError:
        expect(storage.read(key) == b"first", "a refused create changed the value")
        return "a taken key is refused"
    raise ProbeError("a key was created twice: writers would overwrite each other")


def _check_race(storage: Storage, directory: str, *, rounds: int) -> str:
    for number in range(rounds):
        _race_once(storage, f"{directory}/race-{number}")
    return f"of {_RACERS} racing creators one won, {rounds} times"


def _race_once(storage: Storage, key: str) -> None:
    barrier = threading.Barrier(_RACERS)
    wins: list[int] = []
    failures: list[ArtstoreError] = []

    def race(me: int) -> None:
        barrier.wait()
        try:
            storage.create(key, b"%d" % me)
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
    expect(len(wins) == 1, f"{len(wins)} of {_RACERS} racing creators won")
    expect(storage.read(key) == b"%d" % wins[0], "a loser's value stands")


class _AnswerLost(RetryingStorage):
    """The inner storage; the answer to the first `create` never arrives."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner, attempts=1)
        self._is_lost = False

    def create(self, key: str, value: Value) -> None:
        super().create(key, value)
        if not self._is_lost:
            self._is_lost = True
            raise UnavailableError("the answer was lost", code="storage-unavailable")


def _check_lost_answer(storage: Storage, directory: str) -> str:
    key, value = f"{directory}/lost-answer", clock.random_bytes(16)
    RetryingStorage(_AnswerLost(storage), first_delay_seconds=0).create(key, value)
    expect(storage.read(key) == value, "a repeated create left another value")
    return "a create whose answer was lost can be repeated"


def _check_order(storage: Storage, directory: str) -> str:
    keys = [f"{directory}/order/{part}" for part in _ORDERED]
    storage.create_many([(key, b"") for key in reversed(keys)])
    found = [info.key for info in storage.scan(f"{directory}/order/")]
    expect(found == keys, f"keys are listed as {found}")
    after = [info.key for info in storage.scan(f"{directory}/order/", after=keys[2])]
    expect(after == keys[3:], f"keys after {keys[2]} are listed as {after}")
    return "keys are listed in the order of their bytes"


def _check_ranges(storage: Storage, directory: str) -> str:
    storage.create(f"{directory}/ranges", b"0123456789")
    spans = {Span(2, 3): b"234", Span(-3, 2): b"78", Span(-3, 3): b"789", Span(0, 0): b""}
    for span, expected in spans.items():
        found = storage.read(f"{directory}/ranges", span)
        expect(found == expected, f"{span} gives {found!r}")
    return "ranges are read exactly, also from the end"


def _check_clock(storage: Storage, directory: str) -> str:
    before = clock.now_seconds()
    storage.create(f"{directory}/clock", b"")
    after = clock.now_seconds()
    there = storage.stat(f"{directory}/clock").modified_seconds
    # Many storages tell whole seconds.
    behind, ahead = int(before) - there, there - after
    skew = max(behind, ahead, 0.0)
    if skew < 1:
        return "the clocks of this machine and of the storage agree"
    side = "behind" if behind > ahead else "ahead of"
    said = f"the clock of the storage is {skew:.0f} s {side} this machine's"
    if skew > _SKEW_MAX_SECONDS:
        raise ProbeError(
            said,
            hint="set the clock of this machine; S3 refuses requests that are 15 minutes off",
        )
    return said


def _try_speed(storage: Storage, directory: str) -> Finding:
    try:
        storage.delete([f"{directory}/may-write"])
    except ArtstoreError:
        # Small values may be left behind, large ones may not.
        return unknown("speed", "not measured: nothing may be removed again", is_required=False)
    return find("speed", partial(_measure, storage, directory), is_required=False)


def _measure(storage: Storage, directory: str) -> str:
    key = f"{directory}/speed"
    began = time.monotonic()
    storage.create(key, clock.random_bytes(_SPEED_BYTES))
    written = time.monotonic()
    storage.read(key)
    read = time.monotonic()
    waits = []
    for _ in range(_LATENCY_TRIES):
        start = time.monotonic()
        storage.stat(key)
        waits.append(time.monotonic() - start)
    return (
        f"an answer takes {statistics.median(waits) * 1000:.1f} ms, one writer stores "
        f"{_rate(written - began)}, one reader gets {_rate(read - written)}"
    )


def _rate(seconds: float) -> str:
    return f"{_SPEED_BYTES / max(seconds, 1e-6) / 1e6:,.0f} MB/s"


def _clean(storage: Storage, directory: str, *, rounds: int) -> Finding:
    listed: list[str] = []

    def clean() -> str:
        try:
            listed.extend(info.key for info in storage.scan(f"{directory}/"))
        except StorageError as error:
            # A listing that is out of order ends there: the rest of the keys is known.
            if error.code != "storage-unsuitable":
                raise
        keys = sorted({*listed, *_keys_written(directory, rounds)})
        storage.delete(keys)
        for key in keys:
            with suppress(NotFoundError):
                storage.read(key)
                raise ProbeError(f"{key} is still there after it was deleted")
        del listed[:]
        listed.extend(info.key for info in storage.scan(f"{directory}/"))
        expect(not listed, f"{len(listed)} keys are still listed after they were deleted")
        if isinstance(storage, LocalStorage):
            _remove_directories(storage.path, directory)
        return "values can be deleted"

    # Pushing needs no right to delete; what the probe wrote stays then.
    kept = "pushing and pulling need no right to delete; remove probe/ when you may"
    finding = find("delete", clean, is_required=False, hint=kept)
    if finding.is_ok or finding.error is None:
        return finding
    return replace(
        finding, detail=f"{finding.detail}; {len(listed)} small values stay below {directory}/"
    )


def _keys_written(directory: str, rounds: int) -> list[str]:
    names = ["may-write", "visible", "create-only", "lost-answer", "ranges", "clock", "speed"]
    names += [f"race-{number}" for number in range(rounds)]
    names += [f"order/{part}" for part in _ORDERED]
    return [f"{directory}/{name}" for name in (*names, "unguarded")]


def _missing_directories(root: str) -> list[str]:
    """What a first write would make, the deepest first."""
    found, path = [os.path.join(root, TEMPORARY)], os.path.abspath(root)
    while not os.path.lexists(path):
        found.append(path)
        path = os.path.dirname(path)
    return found if len(found) > 1 else []


def _remove_directories(root: str, directory: str) -> None:
    for left in ("order/a", "order", "", ".."):  # the empty directories
        with suppress(OSError):
            os.rmdir(os.path.normpath(os.path.join(root, directory, left)))


def _probe_directory(root: str) -> Iterator[Finding]:
    temporary = os.path.join(root, TEMPORARY)
    yield find("names", lambda: _check_names(temporary))
    yield find("sync", lambda: _check_sync(temporary))
    yield find("case", lambda: _describe_case(temporary), is_required=False)
    yield find("sharing", lambda: _describe_sharing(root), is_required=False)
    yield find("space", lambda: _describe_space(root), is_required=False)


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

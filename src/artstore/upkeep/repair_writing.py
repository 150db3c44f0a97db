"""
Writing what a repair has in hand: a damaged value makes room for the good one, no other does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from artstore import clock
from artstore.catalog import log
from artstore.catalog.format import (
    COLLECTION_KINDS,
    UPKEEP_KINDS,
    Body,
    Kinds,
    RawEntry,
    encode_entry,
    entry_key,
    parse_entry_key,
)
from artstore.catalog.runs import activity
from artstore.catalog.runs.format import RUN_KINDS
from artstore.catalog.runs.survey import name_in_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.errors import (
    AlreadyExistsError,
    ConflictError,
    DamagedDataError,
    DeniedError,
    NotFoundError,
)
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_logs import MendedEntry

__all__ = ["EntryWriter", "write_value"]


def write_value(storage: Storage, key: str, good: bytes) -> None:
    """
    Make `good` the value of `key`. It must be durable elsewhere when this is called.

    Raises:
        ConflictError: `commit-contended`, somebody else puts other bytes there.
        DeniedError: `storage-denied`, one may not delete; `storage-full`.
    """
    try:
        # Whatever lies there may be huge.
        if storage.stat(key).size_bytes == len(good) and storage.read(key) == good:
            return
        storage.delete([key])
    except NotFoundError:
        pass
    try:
        storage.create(key, good)
    except AlreadyExistsError as error:
        # Another repair was as fast.
        if storage.read(key) != good:
            raise ConflictError(
                f"somebody else has written {key} meanwhile", code="commit-contended", key=key
            ) from error


class EntryWriter(NamedTuple):
    """
    Puts entries of one log back.

    The newest entry needs care. While it is gone, a writer could take its number, or
    continue the damaged bytes, and a version would be lost. So before it is touched, an
    entry without effect is appended that continues the *good* bytes: then every
    reader sees that an entry below is not what was written, and no writer goes on
    (L5) until it is back. A crash anywhere leaves the log in that state.

    Attributes:
        top_n: the newest entry that the store holds.
        author: `user@host`.
    """

    storage: Storage
    prefix: str
    top_n: int
    author: str

    def write(self, mended: Mapping[int, MendedEntry]) -> dict[int, str]:
        """Write entries from below; by number, why one was not."""
        failed: dict[int, str] = {}
        try:
            if self.top_n in mended:
                self._guard(mended[self.top_n].raw)
        except (ConflictError, DeniedError) as error:
            return dict.fromkeys(mended, error.message)
        for n in sorted(mended):
            try:
                self._write_one(n, mended[n].raw)
            except (ConflictError, DamagedDataError, DeniedError) as error:
                failed[n] = error.message
        return failed

    def _write_one(self, n: int, raw: RawEntry) -> None:
        assert raw.data is not None
        key = entry_key(self.prefix, n)
        if n == self.top_n:
            damaged = self._take_away(key, n)
            if damaged is not None:
                self.storage.create(key, damaged)
                raise _contended(key)
        write_value(self.storage, key, raw.data)

    def _take_away(self, key: str, n: int) -> bytes | None:
        """Delete the newest entry; its bytes if others have gone on nevertheless."""
        damaged = self.storage.read(key)
        self.storage.delete([key])
        # Behind bytes that look like an entry a writer sees no damage before they are gone.
        later = [
            number
            for info in self.storage.scan(f"{self.prefix}0", after=entry_key(self.prefix, n + 1))
            if (number := parse_entry_key(self.prefix, info.key)) is not None
        ]
        return damaged if later else None

    def _guard(self, good: RawEntry) -> None:
        n = good.n + 1
        body, kinds = self._guard_body(good)
        data = encode_entry(
            body,
            n=n,
            previous=good.digest,
            write=clock.random_bytes(8).hex(),
            time=clock.format_time(clock.now_seconds()),
            by=self.author,
            kinds=kinds,
        )
        if log.append(self.storage, self.prefix, n, data) is not None:
            raise _contended(entry_key(self.prefix, good.n))

    def _guard_body(self, good: RawEntry) -> tuple[Body, Kinds]:
        """An entry that has no effect; that of a run makes readers ask for the run again."""
        if self.prefix == UPKEEP_PREFIX:
            return ("prune", {}), UPKEEP_KINDS
        run = name_in_key(self.prefix)
        if run is None:
            said = {"target": good.n, "digest": good.digest.hex()}
            return ("attest", {**said, "signature": "art check --repair"}), COLLECTION_KINDS
        project, run_id = run
        activity.announce(self.storage, project, run_id, good.n + 1, clock.now_seconds())
        # Without the state after it, which nobody knows yet.
        return ("edit", {"run": run_id, "project": project, "changes": {}}), RUN_KINDS


def _contended(key: str) -> ConflictError:
    return ConflictError(
        f"somebody else has continued the log behind {key} meanwhile",
        code="commit-contended",
        hint="run the repair again",
        key=key,
    )

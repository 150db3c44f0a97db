"""Small things that the tests of the catalog share: requests, entries, a clock."""

from __future__ import annotations

import json
import threading
from typing import Any

from artstore.catalog.catalog import Catalog
from artstore.catalog.fold import Fold
from artstore.catalog.format import (
    COLLECTION_KINDS,
    UPKEEP_KINDS,
    RawEntry,
    encode_entry,
    entry_key,
)
from artstore.catalog.replica import Replica
from artstore.catalog.requests import PublishRequest
from artstore.catalog.state import CollectionState
from artstore.clock import Clock
from artstore.digest import checksum64
from artstore.storage.protocol import Storage

TIME = "2026-01-31T12:00:00Z"
PREFIX = "collections/p/c/"


class FixedClock(Clock):
    """Time stands still but for `sleep`; random bytes are a counter."""

    def __init__(self, seconds: float = 1_769_860_800.0) -> None:
        self.seconds = seconds
        self.slept: list[float] = []
        self._drawn = 0
        self._lock = threading.Lock()

    def now_seconds(self) -> float:
        return self.seconds

    def random_bytes(self, count: int) -> bytes:
        with self._lock:
            self._drawn += 1
            return self._drawn.to_bytes(count, "big")

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def resealed(value: dict[str, Any]) -> bytes:
    """Any JSON object at all with the check that belongs to it, as another writer may write."""
    plain = json.dumps({key: item for key, item in value.items() if key != "check"}).encode()
    return b'{"check":"%s",' % checksum64(plain).hex().encode() + plain[1:]


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit of it turned over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def root_of(i: int) -> str:
    digest = f"{i:064x}"
    return f"manifests/{digest[:2]}/{digest}-{i:016x}"


def publish(i: int, **changes: Any) -> PublishRequest:
    """A push of content number i."""
    values: dict[str, Any] = {
        "type": "dataset",
        "digest": f"{i:064x}",
        "root": root_of(i),
        "push": f"{i:016x}",
        "size_bytes": 10 * i,
        "file_count": i,
        "entry_count": i,
    }
    return PublishRequest(**(values | changes))


def version_fields(version: int, **changes: Any) -> dict[str, Any]:
    """The fields of a publish entry that makes `version` of content number `version`."""
    return {
        "version": version,
        "digest": f"{version:064x}",
        "root": root_of(version),
        "push": f"{version:016x}",
        "size_bytes": 1,
        "file_count": 1,
        "entry_count": 1,
        "aliases": [],
        "tags": [],
    } | changes


def catalog_of(storage: Storage, replica: Replica | None = None, store_id: str = "s") -> Catalog:
    return Catalog(storage, store_id=store_id, replica=replica, author="ann@host")


class LogWriter:
    """Writes entries of any kind behind one another, as another client would."""

    def __init__(
        self, storage: Storage | None = None, prefix: str = PREFIX, by: str = "bob@there"
    ) -> None:
        self.storage = storage
        self.prefix = prefix
        self.by = by
        self.kinds = UPKEEP_KINDS if prefix == "upkeep/" else COLLECTION_KINDS
        self.raws: list[RawEntry] = []

    @property
    def n(self) -> int:
        return len(self.raws)

    @property
    def head_digest(self) -> bytes:
        return self.raws[-1].digest if self.raws else bytes(32)

    def entry(self, kind: str, **fields: Any) -> bytes:
        """The bytes of the next entry."""
        return encode_entry(
            (kind, fields),
            n=self.n,
            previous=self.head_digest,
            write=f"{self.n:016x}",
            time=TIME,
            by=self.by,
            kinds=self.kinds,
        )

    def add(self, kind: str, **fields: Any) -> RawEntry:
        return self.add_raw(self.entry(kind, **fields))

    def add_raw(self, data: bytes) -> RawEntry:
        raw = RawEntry.of(self.n, data)
        if self.storage is not None:
            self.storage.create(entry_key(self.prefix, raw.n), data)
        self.raws.append(raw)
        return raw

    def damage(self, n: int, bit: int = 400) -> None:
        """Flip a bit of entry n, long after it was written."""
        data = flipped(self.raws[n].data or b"", bit)
        self.raws[n] = RawEntry.of(n, data)
        if self.storage is not None:
            key = entry_key(self.prefix, n)
            self.storage.delete([key])
            self.storage.create(key, data)

    def create(self) -> RawEntry:
        return self.add("create", project="p", name="c", type="dataset")

    def publish(self, version: int, **changes: Any) -> RawEntry:
        return self.add("publish", **version_fields(version, **changes))

    def continue_from(self, storage: Storage) -> LogWriter:
        """Take over what a storage holds."""
        self.storage = storage
        for info in storage.scan(f"{self.prefix}0"):
            self.raws.append(RawEntry.of(self.n, storage.read(info.key)))
        return self

    def state(self) -> CollectionState:
        return fold_of(self.raws)


def fold_of(raws: list[RawEntry]) -> CollectionState:
    fold = Fold(CollectionState("p", "c"))
    for raw in raws:
        if raw.n > fold.head_n + 1:
            fold.skip_hole(fold.head_n + 1, raw.n - 1)
        fold.apply(raw)
    return fold.state()

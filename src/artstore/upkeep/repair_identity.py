"""
Putting `artstore.json` back. No digest names it, so it takes a copy of this very store to have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from artstore.catalog.format import RawEntry, entry_key
from artstore.catalog.identity import IDENTITY_KEY, Identity, read_identity
from artstore.catalog.replica import Replica
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError, StorageError
from artstore.storage.protocol import Storage

__all__ = ["find_identity"]

_LOGS_COMPARED_COUNT = 100


def find_identity(
    storage: Storage, sources: Sequence[Storage], replica: Replica
) -> tuple[Identity, str | None]:
    """
    What the store says it is; if that is damaged, what its copies say, and which one.

    A copy is taken for one if it has an entry of a log in the same bytes, where
    a random number is in each; and if this machine has seen the store, the id must
    be the one it knows.

    Raises:
        NotFoundError: `store-not-found`, nothing of a store is there.
        DamagedDataError: `store-damaged`, and no source is a copy.
    """
    try:
        return read_identity(storage), None
    except DamagedDataError as error:
        lost = error
    found: dict[bytes, tuple[Identity, str]] = {}
    for source in sources:
        with suppress(NotFoundError, DamagedDataError):
            identity = read_identity(source)
            if _is_copy(storage, source) and _is_remembered(storage, replica, identity):
                found.setdefault(identity.data, (identity, source.url))
    if len(found) != 1:
        raise DamagedDataError(
            f"{IDENTITY_KEY} of {storage.url} is damaged or lost"
            + (", and the copies have different ones" if found else ", and no copy of it is known"),
            code="store-damaged",
            hint="name a copy of this store with --from",
            key=IDENTITY_KEY,
        ) from lost
    return next(iter(found.values()))


def _is_copy(storage: Storage, source: Storage) -> bool:
    for key, data in _first_entries(storage):
        try:
            if source.read(key) == data:
                return True
        except StorageError:
            raise
        except ArtstoreError:
            continue
    return False


def _is_remembered(storage: Storage, replica: Replica, identity: Identity) -> bool:
    """False only if this machine knows the store, and by another id."""
    known = dict(_first_entries(storage))
    for store_id in replica.stores():
        for prefix in replica.logs(store_id):
            key = entry_key(prefix, 0)
            entries, _ = replica.load(store_id, prefix)
            if key in known and entries and entries[0].digest == RawEntry.of(0, known[key]).digest:
                return store_id == identity.store_id
    return True


def _first_entries(storage: Storage) -> Iterator[tuple[str, bytes]]:
    for project in storage.scan_names("collections/"):
        for name in islice(storage.scan_names(f"collections/{project}/"), _LOGS_COMPARED_COUNT):
            key = entry_key(f"collections/{project}/{name}/", 0)
            try:
                yield key, storage.read(key)
            except StorageError:
                raise
            except ArtstoreError:
                continue

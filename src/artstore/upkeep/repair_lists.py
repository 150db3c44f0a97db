"""
The lists of gc: values that an open plan names, and what it is about to delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from artstore import limits
from artstore.catalog.upkeeplog import UpkeepLog
from artstore.digest import digest_of
from artstore.errors import ArtstoreError, StorageError
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_sources import read_value

__all__ = ["condemned_now", "find_lists"]


def condemned_now(storage: Storage) -> frozenset[str] | None:
    """
    The keys that open plans of gc delete; None if that is not known.

    Raises:
        StorageError: the storage fails.
    """
    log = UpkeepLog(storage, None, "")
    try:
        return frozenset[str]().union(*map(log.condemned, log.refresh().open_plans))
    except StorageError:
        raise
    except ArtstoreError:
        return None


def find_lists(
    storage: Storage, keys: Iterable[str], sources: Sequence[tuple[str, Storage]]
) -> Iterator[tuple[str, bytes, str]]:
    """
    Of lists that are lost or damaged the bytes, proven by the plan, and who had them.

    One whose digest the plan does not tell is taken from nowhere: what it names gets deleted.

    Raises:
        StorageError: the storage or a source fails.
        DamagedDataError, UnsupportedFormatError: the log of gc cannot be read.
    """
    state = UpkeepLog(storage, None, "").refresh()
    digests = {key: digest for k in state.open_plans for key, digest in state.lists_of(k).items()}
    for key in keys:
        for label, source in sources if digests.get(key) else ():
            data = read_value(source, key, max_bytes=limits.ROOT_MAX_BYTES)
            if data is not None and digest_of(data).hex() == digests[key]:
                yield key, data, label
                break

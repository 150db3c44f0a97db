"""
Finding moved records again, in copies of a store.

A record is not named by its digest: its checksum tells of accidents, and the check that
judges a repair compares what it leads to with the digests that versions state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from artstore.errors import ArtstoreError
from artstore.packs.moved import MOVED_MAX_BYTES, decode_moved, moved_prefix
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_sources import SecondStore, read_value

__all__ = ["find_record", "find_records"]


def find_record(
    key: str, journal: tuple[str, Storage], stores: Sequence[SecondStore]
) -> tuple[bytes, str] | None:
    """
    The bytes of a record and who had them, None if nobody has it whole.

    Raises:
        StorageError: a source fails.
    """
    label, storage = journal
    for source, data in (
        (label, read_value(storage, key, max_bytes=MOVED_MAX_BYTES)),
        *((store.label, store.value(key, max_bytes=MOVED_MAX_BYTES)) for store in stores),
    ):
        if data is not None and _is_sound(key, data):
            return data, source
    return None


def find_records(pack: bytes, stores: Sequence[SecondStore]) -> Iterator[tuple[str, bytes, str]]:
    """
    Every record of a pack that other stores have: key, bytes, and who had it.

    Raises:
        StorageError: a source fails.
    """
    for store in stores:
        for info in store.storage.scan(moved_prefix(pack)):
            data = store.value(info.key, max_bytes=MOVED_MAX_BYTES)
            if data is not None and _is_sound(info.key, data):
                yield info.key, data, store.label


def _is_sound(key: str, data: bytes) -> bool:
    try:
        decode_moved(data, key=key)
    except ArtstoreError:
        return False
    return True

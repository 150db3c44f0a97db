"""
How much of a transfer goes on at once, and how much memory that may take.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from artstore import limits
from artstore.catalog.guard import is_guarded_here

__all__ = ["Concurrency", "concurrency_for"]

_REMOTE_JOBS: Final = 16
"""A bucket gives about 100 MB/s a connection and hundreds of answers at once."""
_WORKERS_MAX: Final = 8
_IN_FLIGHT_BYTES: Final = 96 * limits.MIB
_BATCH_BYTES: Final = 4 * limits.MIB


class Concurrency(NamedTuple):
    """
    Attributes:
        readers: threads that read, cut and hash what is pushed.
        uploads: values on their way into the storage.
        upload_bytes: how many bytes these may have in all; one value always may.
        writers: threads that fetch and write what is pulled.
        batch_bytes, batch_files: small files that one of them fetches in one go.
        windows: parts of large files, of 8 MiB, that are fetched ahead in all.
        large_files: large files pulled side by side.
    """

    readers: int
    uploads: int
    upload_bytes: int
    writers: int
    batch_bytes: int
    batch_files: int
    windows: int
    large_files: int


def concurrency_for(url: str, jobs: int | None) -> Concurrency:
    """
    What suits a storage: a disk is kept busy by few threads, a bucket wants many requests.

    Args:
        url: of the storage.
        jobs: requests at once, if the user says how many.
    """
    processors = os.cpu_count() or 1
    readers = min(_WORKERS_MAX, 2 * processors)
    if is_guarded_here(url):
        return Concurrency(
            readers=jobs or readers,
            uploads=min(jobs or 3, 3),
            upload_bytes=3 * limits.PACK_MAX_BYTES,
            writers=jobs or readers,
            batch_bytes=_BATCH_BYTES // 2,
            batch_files=64,
            windows=2,
            large_files=1,
        )
    jobs = jobs or _REMOTE_JOBS
    return Concurrency(
        readers=readers,
        uploads=jobs,
        upload_bytes=_IN_FLIGHT_BYTES,
        writers=jobs,
        batch_bytes=min(_BATCH_BYTES, _IN_FLIGHT_BYTES // jobs),
        batch_files=256,
        windows=min(jobs, 10),
        large_files=min(jobs, 3),
    )

"""
Checkouts by link: each file once in the cache, then a link or a clone of it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from artstore.digest import Buffer
from artstore.errors import NotFoundError
from artstore.manifests.entry import Entry
from artstore.transfer.contentcache import ContentCache
from artstore.transfer.links import LinkMode, materialise
from artstore.transfer.statcache import StatCache
from artstore.transfer.target import TargetDirectory

__all__ = ["CacheFiller"]

_ATTEMPTS: Final = 3


class CacheFiller:
    """
    Puts files in place through the cache; safe for several threads.

    Args:
        link: `reflink`, `hard` or `sym`.
    """

    def __init__(
        self,
        cache: ContentCache,
        statcache: StatCache,
        target: TargetDirectory,
        link: LinkMode,
        warn: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._statcache = statcache
        self._target = target
        self._link = link
        self._warn = warn

    def write_cached(self, entry: Entry) -> bool:
        """
        As `write`, if the content is in the cache; False, and nothing is done, if it is not.

        Raises: as `write`.
        """
        return self._write(entry, None)

    def write(self, entry: Entry, read: Callable[[], Iterator[Buffer]]) -> None:
        """
        Make the entry's path a link to the cached file, which `read` fills if it is not there.

        Raises:
            DamagedDataError: from `read`, or `content-digest-mismatch`.
            InvalidInputError: `link-unsupported`.
            DeniedError: of cache or target.
        """
        self._write(entry, read)

    def _write(self, entry: Entry, read: Callable[[], Iterator[Buffer]] | None) -> bool:
        for attempt in range(_ATTEMPTS):
            file = self._cache.find(entry.digest, executable=entry.executable)
            if file is None:
                if read is None:
                    return False
                file = self._cache.add(entry.digest, read(), executable=entry.executable)
            location = f"{self._target.root}/{entry.path}"
            if self._link == "sym":
                self._cache.pin(entry.digest, location, executable=entry.executable)
            try:
                status = materialise(
                    file,
                    self._target,
                    entry.path,
                    self._link,
                    executable=entry.executable,
                    on_warning=self._warn,
                )
            except NotFoundError:
                # Another process made room in the cache meanwhile.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            if self._link != "sym":
                self._statcache.record_written(location, status, entry.digest)
            return True
        raise AssertionError("the last attempt returns or raises")

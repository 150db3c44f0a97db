"""
Checkouts by link: each file once in the cache, then a link or a clone of it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from artstore.digest import Buffer
from artstore.manifests.entry import Entry
from artstore.transfer.contentcache import ContentCache
from artstore.transfer.links import materialise
from artstore.transfer.target import TargetDirectory

__all__ = ["CacheFiller"]


class CacheFiller:
    """Puts entries in place through the cache."""

    def __init__(
        self,
        cache: ContentCache,
        target: TargetDirectory,
        link: str,
        warn: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._target = target
        self._link = link
        self._warn = warn

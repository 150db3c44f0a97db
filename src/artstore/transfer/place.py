"""
A store as transfers see it: its storage, its logs, and what this machine keeps beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from artstore import clock
from artstore.catalog.catalog import Catalog
from artstore.catalog.operations import DescribeRequest
from artstore.catalog.state import CollectionState, VersionState
from artstore.digest import digest_of
from artstore.manifests.reader import Manifest, root_key
from artstore.manifests.root import Root, encode_root
from artstore.packs.locator import PUSH_ID_BYTES
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage
from artstore.transfer.contentcache import ContentCache
from artstore.transfer.statcache import StatCache

__all__ = ["StorePlace"]

_WORKERS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class StorePlace:
    """
    Attributes:
        cache_directory: stat cache, journals and whole files; may be deleted.
        content_cache: read-only whole files, for links only.
    """

    storage: Storage
    store_id: str
    catalog: Catalog
    packs: PackReader
    statcache: StatCache
    content_cache: ContentCache
    cache_directory: Path

    @property
    def journal_directory(self) -> Path:
        """Where pushes into this store note what they have stored."""
        return self.cache_directory / "journals" / self.store_id

    @property
    def content_root(self) -> str:
        """Symlinks into it are checkouts made with `--link sym`."""
        return str(self.content_cache.files_directory)

    @property
    def workers(self) -> int:
        """Threads that read sources or write targets: reading waits more than it computes."""
        return min(_WORKERS_MAX, 2 * (os.cpu_count() or 1))

    def manifest(self, version: VersionState) -> Manifest:
        """The file list of a version. Raises as `Manifest.open`."""
        return Manifest.open(self.storage, self.packs, version.root)

    def header(self, version: VersionState) -> Mapping[str, Any]:
        """type, description, message and metadata; what a later `describe` wrote comes first."""
        header = dict(self.manifest(version).header)
        if version.meta is not None:
            later = Manifest.open(self.storage, self.packs, version.meta).header
            header.pop("description", None)
            header.pop("metadata", None)
            header.update(later)
        return header

    def describe(
        self, project: str, name: str, version: int, header: Mapping[str, Any]
    ) -> CollectionState:
        """
        Replace description and metadata of a version.

        They lie in a value of their own, under gc; log entries never hold free
        text, which could not be deleted from them (PROTOCOL P1).
        """
        kept = {key: value for key, value in header.items() if value}
        data = encode_root(Root(kept))
        key = root_key(digest_of(data), clock.random_bytes(PUSH_ID_BYTES))
        self.storage.create(key, data)
        return self.catalog.commit(project, name, DescribeRequest(version, key)).state

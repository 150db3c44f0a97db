"""
A store as transfers see it: its storage, its logs, and what this machine keeps beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artstore import clock
from artstore.catalog.catalog import Catalog
from artstore.catalog.guard import is_guarded_here
from artstore.catalog.state import CollectionState, VersionState
from artstore.forks import LazyValue
from artstore.storage.protocol import Storage
from artstore.transfer.concurrency import concurrency_for
from artstore.transfer.statcache import StatCache

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.versionindex import KnownVersion, VersionIndex
    from artstore.errors import ArtstoreError
    from artstore.manifests.reader import Manifest
    from artstore.packs.reader import PackReader
    from artstore.transfer.contentcache import ContentCache
    from artstore.transfer.fetched import FetchedContent

__all__ = ["StorePlace"]


class StorePlace:
    """
    What is needed first is opened first: a push that changes nothing reads no manifest.

    Attributes:
        cache_directory: stat cache, journals and whole files; may be deleted.
        concurrency: how much a transfer does at once.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        store_id: str,
        catalog: Catalog,
        statcache: StatCache,
        cache_directory: Path,
        cache_max_bytes: int,
        jobs: int | None = None,
    ) -> None:
        self.storage = storage
        self.store_id = store_id
        self.catalog = catalog
        self.statcache = statcache
        self.cache_directory = cache_directory
        self._cache_max_bytes = cache_max_bytes
        self.concurrency = concurrency_for(storage.url, jobs)

    @LazyValue
    def packs(self) -> PackReader:
        """Reads chunks."""
        from artstore.packs.reader import PackReader

        return PackReader(self.storage, on_missing=self._taken)

    def _taken(self, error: ArtstoreError) -> ArtstoreError:
        from artstore.catalog.taken import taken_error

        return taken_error(self.catalog, error)

    @LazyValue
    def version_index(self) -> VersionIndex:
        """What this machine knows of the collections of the store."""
        from artstore.catalog.versionindex import VersionIndex

        url = self.storage.url
        # A store in memory is of one process, and so is what is known of it.
        file = None if url.startswith("memory:") else VersionIndex.file_in(self.cache_directory)
        near = is_guarded_here(url)
        return VersionIndex(self.catalog, self.store_id, file, is_near=near)

    @LazyValue
    def run_index(self) -> RunIndex:
        """What this machine knows of the runs of the store."""
        from artstore.catalog.runs.index import RunIndex

        is_kept = not self.storage.url.startswith("memory:")
        file = RunIndex.file_in(self.cache_directory) if is_kept else None
        return RunIndex(self.storage, self.store_id, file, self.catalog.author)

    @LazyValue
    def index_cache(self) -> Storage | None:
        """Index segments of this store on this machine; None where the store itself lies here."""
        if is_guarded_here(self.storage.url):
            return None
        from artstore.storage.local import LocalStorage

        return LocalStorage(self.cache_directory / "segments" / self.store_id, sync=False)

    @LazyValue
    def content_cache(self) -> ContentCache:
        """Read-only whole files, for checkouts by link only."""
        from artstore.transfer.contentcache import ContentCache

        return ContentCache(self.cache_directory, self._cache_max_bytes)

    @LazyValue
    def fetched(self) -> FetchedContent:
        """What references had when they were fetched."""
        from artstore.transfer.fetched import FetchedContent
        from artstore.transfer.statcache import host_file

        name = host_file(self.cache_directory).stem.replace("stat-", "references-", 1)
        return FetchedContent(self.cache_directory / f"{name}.log")

    @property
    def content_root(self) -> str:
        """Symlinks into it are checkouts made with `--link sym`."""
        return os.path.join(os.path.abspath(self.cache_directory), "files")

    @property
    def journal_directory(self) -> Path:
        """Where pushes into this store note what they have stored."""
        return self.cache_directory / "journals" / self.store_id

    def manifest(self, version: VersionState | KnownVersion) -> Manifest:
        """The file list of a version. Raises as `Manifest.open`."""
        return self._manifest_under(version.root)

    def header(self, version: VersionState) -> Mapping[str, Any]:
        """type, description, message and metadata; what a later `describe` wrote comes first."""
        header = dict(self.manifest(version).header)
        if version.meta is not None:
            header.pop("description", None)
            header.pop("metadata", None)
            header.update(self._manifest_under(version.meta).header)
        return header

    def _manifest_under(self, key: str) -> Manifest:
        from artstore.manifests.reader import Manifest

        return Manifest.open(self.storage, self.packs, key)

    def describe(
        self, project: str, name: str, version: int, header: Mapping[str, Any]
    ) -> CollectionState:
        """
        Replace description and metadata of a version.

        They lie in a value of their own, under gc; log entries never hold free
        text, which could not be deleted from them (PROTOCOL P1).
        """
        from artstore.catalog.requests import DescribeRequest
        from artstore.digest import digest_of
        from artstore.manifests.reader import root_key
        from artstore.manifests.root import Root, encode_root
        from artstore.packs.locator import PUSH_ID_BYTES

        kept = {key: value for key, value in header.items() if value}
        data = encode_root(Root(kept))
        key = root_key(digest_of(data), clock.random_bytes(PUSH_ID_BYTES))
        _, start = self.catalog.begin_push(project, name)
        self.storage.create(key, data)
        request = DescribeRequest(version, key)
        return self.catalog.commit(project, name, request, start=start).state

"""
Labels of versions that are in both stores: the target's follow the source's, nothing is taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import ArtstoreError, StorageError
from artstore.syncing.report import SyncTally
from artstore.syncing.syncplace import SyncPlace
from artstore.syncing.versionmap import VersionMap

if TYPE_CHECKING:
    from artstore.catalog.requests import Request

__all__ = ["LabelSync"]


class LabelSync:
    """
    Aliases, tags, descriptions and ttl of collections, after their versions.

    Args:
        dry_run: changes are counted only.
    """

    def __init__(
        self,
        source: SyncPlace,
        target: SyncPlace | None,
        versions: VersionMap,
        tally: SyncTally,
        *,
        dry_run: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._map = versions
        self._tally = tally
        self._dry_run = dry_run

    def settle(self, project: str, name: str) -> None:
        """
        Bring the labels of one collection.

        Raises:
            StorageError: one of the stores does not answer.
        Cost: one log entry for each version whose aliases, tags, ttl or description differ.
        """
        try:
            state = self._map.source_state(project, name)
            target = self._map.target_state(project, name)
            if state is None or target is None:
                return
            state.check_whole()
            self._settle(state, target)
        except StorageError:
            raise
        except ArtstoreError as error:
            self._tally.fail(f"{project}/{name}", error)

    def _settle(self, state: CollectionState, target: CollectionState) -> None:
        own = (state.project, state.name)
        pairs = [
            (version, target.versions[found.version])
            for version, found in self._map.found_in(state)
            if found.collection == own and found.version in target.versions
        ]
        for version, there in pairs:
            if not (version.is_live and there.is_live):
                continue
            for request in self._requests(version, there, target):
                self._commit(target, request)
            if version.meta is not None:
                self._describe(state, version, target, there)

    def _requests(
        self,
        version: VersionState,
        there: VersionState,
        target: CollectionState,
    ) -> list[Request]:
        from artstore.catalog.requests import AliasRequest, TagRequest, TtlRequest

        requests: list[Request] = []
        aliases = []
        for alias in version.aliases:
            holder = target.aliases.get(alias)
            if holder == there.version:
                continue
            if holder is not None and alias in target.protected:
                self._tally.warnings.append(
                    f"the alias {alias} of {target.qualified_name} is protected and stays on "
                    f"v{holder}; in {self._source.url} it is on v{version.version}"
                )
            elif holder is None or self._map.is_from_source(target, holder):
                aliases.append(alias)
            else:
                self._tally.warnings.append(
                    f"the alias {alias} of {target.qualified_name} stays on v{holder}, which did "
                    f"not come from {self._source.url}; there it is on v{version.version}"
                )
        if aliases:
            requests.append(AliasRequest(there.version, add=tuple(aliases)))
        tags = tuple(tag for tag in version.tags if tag not in there.tags)
        if tags:
            requests.append(TagRequest(there.version, add=tags))
        if version.ttl_seconds is not None and there.ttl_seconds is None:
            requests.append(TtlRequest(there.version, version.ttl_seconds))
        return requests

    def _commit(self, target: CollectionState, request: Request) -> None:
        self._tally.label_count += 1
        if self._dry_run or self._target is None:
            return
        committed = self._target.place.catalog.commit(target.project, target.name, request)
        self._map.note(target.project, target.name, committed.state)

    def _describe(
        self,
        state: CollectionState,
        version: VersionState,
        target: CollectionState,
        there: VersionState,
    ) -> None:
        """Description and metadata as they were changed after the version was made."""
        from artstore.manifests.reader import root_digest_of_key

        assert version.meta is not None
        wanted = root_digest_of_key(version.meta)
        has = None if there.meta is None else root_digest_of_key(there.meta)
        if has == wanted:
            return
        if has is not None and has not in self._earlier(state, version):
            self._tally.warnings.append(
                f"the description of {target.qualified_name}:v{there.version} was changed there, "
                "and stays"
            )
            return
        self._tally.label_count += 1
        if not self._dry_run:
            self._store_description(target, there, version.meta, wanted)

    def _store_description(
        self, target: CollectionState, there: VersionState, meta: str, digest: bytes
    ) -> None:
        from artstore import clock, limits
        from artstore.catalog.requests import DescribeRequest
        from artstore.digest import digest_of
        from artstore.errors import DamagedDataError
        from artstore.manifests.reader import root_key
        from artstore.packs.locator import PUSH_ID_BYTES
        from artstore.storage.bounded import read_at_most

        assert self._target is not None
        data = read_at_most(self._source.place.storage, meta, limits.ROOT_MAX_BYTES)
        if data is None or digest_of(data) != digest:
            raise DamagedDataError(
                f"{meta} of {self._source.url} is damaged: its bytes are not those of its name",
                code="manifest-damaged",
                key=meta,
            )
        # The same bytes: so the next sync sees by the keys alone that nothing differs.
        key = root_key(digest, clock.random_bytes(PUSH_ID_BYTES))
        place = self._target.place
        place.storage.create(key, data)
        self._tally.read_bytes += len(data)
        self._tally.stored_bytes += len(data)
        request = DescribeRequest(there.version, key)
        committed = place.catalog.commit(target.project, target.name, request)
        self._map.note(target.project, target.name, committed.state)

    def _earlier(self, state: CollectionState, version: VersionState) -> set[bytes]:
        """What the source said of a version before. Cost: reads its log."""
        from artstore.catalog.format import LogEntry
        from artstore.manifests.reader import root_digest_of_key

        return {
            root_digest_of_key(str(entry.fields["meta"]))
            for entry in self._source.place.catalog.history(state.project, state.name)
            if isinstance(entry, LogEntry)
            and entry.kind == "describe"
            and entry.fields["version"] == version.version
        }

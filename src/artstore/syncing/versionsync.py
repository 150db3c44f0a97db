"""
Bringing versions: each after those that it names, with the content that the target lacks.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from artstore import clock, limits
from artstore.errors import ArtstoreError, DamagedDataError, StateError, StorageError
from artstore.syncing.report import SyncedVersion, SyncTally
from artstore.syncing.syncentries import mapped_items, named_versions
from artstore.syncing.syncplace import SyncPlace, VersionKey
from artstore.syncing.versionmap import VersionMap, origin_of

if TYPE_CHECKING:
    from artstore.catalog.state import CollectionState, Source, VersionState
    from artstore.manifests.reader import Manifest
    from artstore.syncing.runmap import RunMap
    from artstore.transfer.progress import OnProgress

__all__ = ["VersionSync"]

_KEPT_BYTES: Final = 32 * limits.MIB
"""Lists of files are read twice: for the versions that they name, and to copy them."""


class VersionSync:
    """
    Args:
        target: None for a trial into a store that is not there.
        runs: which run of the target is which.
        dry_run: nothing is written; what would go over is noted.
    """

    def __init__(
        self,
        source: SyncPlace,
        target: SyncPlace | None,
        versions: VersionMap,
        runs: RunMap,
        tally: SyncTally,
        *,
        dry_run: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self._source = source
        self._target = target
        self._map = versions
        self._runs = runs
        self._tally = tally
        self._dry_run = dry_run
        self._on_progress = on_progress
        self._failed: set[VersionKey] = set()
        self._manifests: dict[VersionKey, Manifest] = {}
        self.touched: dict[tuple[str, str], None] = {}

    def bring(self, key: VersionKey) -> VersionKey | None:
        """
        Have a version of the source in the target, and before it those that it names.

        What cannot be brought is noted in the tally.

        Returns:
            its place in the target; None if it is deleted in the source and was never brought.
        Raises:
            StorageError: one of the stores does not answer.
        """
        try:
            found = self._map.find(key)
            if found is None:
                self._bring_all([key])
                found = self._map.find(key)
            version = self._map.version(key)
        except StorageError:
            raise
        except ArtstoreError as error:
            # A log that cannot be read hides its own versions and no others.
            self._fail(key, error)
            return None
        if found is not None and version is not None:
            self.touched[key.collection] = None
            self._tally.add(SyncedVersion(*key, found.version, version.size_bytes, is_new=False))
        return found

    def _bring_all(self, stack: list[VersionKey]) -> None:
        opened: set[VersionKey] = set()
        while stack:
            key = stack[-1]
            if not self._is_wanted(key):
                stack.pop()
            elif key not in opened:
                opened.add(key)
                stack += [one for one in self._named_by(key) if one not in opened]
            else:
                stack.pop()
                self._try_copy(key)
                self._manifests.pop(key, None)

    def _is_wanted(self, key: VersionKey) -> bool:
        if key in self._failed:
            return False
        try:
            version = self._map.version(key)
            return version is not None and version.is_live and self._map.find(key) is None
        except StorageError:
            raise
        except ArtstoreError as error:
            self._fail(key, error)
            return False

    def _named_by(self, key: VersionKey) -> list[VersionKey]:
        """Versions of the source that a version names; those in its own collection first."""
        version = self._map.version(key)
        assert version is not None
        logged = (*version.inputs, *((version.source,) if version.source else ()))
        named = [VersionKey(one.project, one.name, one.version) for one in logged if not one.store]
        if not self._dry_run:
            try:
                named += named_versions(self._manifest(key, version), self._source.id)
            except StorageError:
                raise
            except ArtstoreError as error:
                self._fail(key, error)
        # The last of a stack comes first: lower numbers before higher ones.
        return sorted(set(named) - {key}, reverse=True)

    def _manifest(self, key: VersionKey, version: VersionState) -> Manifest:
        manifest = self._manifests.get(key)
        if manifest is None:
            manifest = self._manifests[key] = self._source.place.manifest(version)
            manifest.keep_segments(_KEPT_BYTES)
        return manifest

    def _try_copy(self, key: VersionKey) -> None:
        state, version = self._map.source_state(*key.collection), self._map.version(key)
        assert state is not None
        assert version is not None
        missed = self._failed.intersection(self._named_by(key)) if self._failed else None
        try:
            if missed:
                names = ", ".join(map(str, sorted(missed)))
                raise StateError(
                    f"{key} names {names}, which could not be brought", code="sync-incomplete"
                )
            if self._dry_run:
                self._map.plan(key)
            else:
                self._copy(key, state, version)
        except StorageError:
            raise
        except ArtstoreError as error:
            self._fail(key, error)
            return
        found = self._map.find(key)
        if found is None:
            # Whoever else syncs has brought it and deleted it meanwhile.
            return
        self.touched[key.collection] = None
        self._tally.add(SyncedVersion(*key, found.version, version.size_bytes, is_new=True))

    def _fail(self, key: VersionKey, error: ArtstoreError) -> None:
        if key not in self._failed:
            self._failed.add(key)
            self._tally.fail(str(key), error)

    # --- one version --------------------------------------------------------------------------

    def _copy(self, key: VersionKey, state: CollectionState, version: VersionState) -> None:
        from artstore.transfer.copying import CopySource
        from artstore.transfer.versioncopy import CopySpec, copy_version

        assert self._target is not None
        if version.source is not None and self._link(key, state, version):
            return
        manifest = self._manifest(key, version)
        place = self._source.place
        spec = CopySpec(
            project=key.project,
            name=key.name,
            type=state.type or "",
            digest=version.digest,
            header=manifest.header,
            origin=origin_of(self._source.id, state, version),
            labels=partial(self._labels, version),
            inputs=tuple(map(self._mapped, version.inputs)),
            run=self._runs.name_of(version.run),
            file_count=version.file_count,
            size_bytes=version.size_bytes,
        )
        items = partial(
            mapped_items,
            manifest,
            CopySource(place.storage, place.packs),
            self._map.find,
            self._target.id,
        )
        try:
            copied = copy_version(self._target.place, spec, items, self._on_progress)
        except DamagedDataError as error:
            error.message = f"{key} of {self._source.url}: {error.message}"
            raise
        self._map.note(key.project, key.name, copied.committed.state)
        self._tally.read_bytes += copied.read_bytes
        self._tally.stored_bytes += copied.stored_bytes

    def _link(self, key: VersionKey, state: CollectionState, version: VersionState) -> bool:
        """Publish a link as a link to the version that it was made from, if that is there."""
        from artstore.catalog.requests import PublishRequest
        from artstore.packs.locator import PUSH_ID_BYTES
        from artstore.versions.linking import content_use

        assert self._target is not None
        assert version.source is not None
        source = self._mapped(version.source)
        home = None if source.store else self._map.target_state(source.project, source.name)
        linked = None if home is None else home.versions.get(source.version)
        if linked is None or not linked.is_live or linked.digest != version.digest:
            return False
        place = self._target.place
        aliases, tags = self._labels(version, place.catalog.state_or_none(*key.collection))
        request = PublishRequest(
            type=state.type or "",
            digest=version.digest,
            root=linked.root,
            push=clock.random_bytes(PUSH_ID_BYTES).hex(),
            size_bytes=linked.size_bytes,
            file_count=linked.file_count,
            entry_count=linked.entry_count,
            aliases=aliases,
            tags=tags,
            uses=content_use(place, replace(linked, meta=None)),
            source=source,
            run=self._runs.name_of(version.run),
            inputs=tuple(map(self._mapped, version.inputs)),
            origin=origin_of(self._source.id, state, version),
        )
        committed = place.catalog.commit(key.project, key.name, request)
        self._map.note(key.project, key.name, committed.state)
        return True

    def _mapped(self, source: Source) -> Source:
        """What a version names, by the number that it has in the target."""
        if source.store:
            is_home = self._target is not None and source.store == self._target.id
            return replace(source, store="") if is_home else source
        found = self._map.find(VersionKey(source.project, source.name, source.version))
        if found is None:
            # Deleted, and never brought: the number means nothing in the target.
            return replace(source, store=self._source.id)
        return replace(source, project=found.project, name=found.name, version=found.version)

    def _labels(
        self, version: VersionState, target: CollectionState | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Aliases and tags that a version begins with: those that may move to it."""
        if target is None:
            return version.aliases, version.tags
        aliases = tuple(
            alias
            for alias in version.aliases
            if alias not in target.aliases
            or (
                alias not in target.protected
                and self._map.is_from_source(target, target.aliases[alias])
            )
        )
        return aliases, version.tags

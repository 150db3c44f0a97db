"""
The public face of a store: open it, log artifacts, find them again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import forks, names
from artstore.additions import sources_of
from artstore.artifact import AddedDirectory, Artifact
from artstore.catalog.catalog import Catalog
from artstore.catalog.guard import GuardCache, guarded, is_guarded_here, make_store
from artstore.catalog.identity import Identity, read_identity
from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import DamagedDataError, InvalidInputError, NotFoundError
from artstore.logged import LoggedArtifact, PullResult, PushSummary
from artstore.settings import Settings, parse_jobs, parse_rate, resolve
from artstore.storage.opener import open_storage
from artstore.storage.pace import PacedStorage
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, Progress, ProgressMeter
from artstore.transfer.statcache import StatCache, host_file

if TYPE_CHECKING:
    from artstore.manifests.diff import Diff
    from artstore.transfer.push import PushOutcome
    from artstore.upkeep.check import CheckReport
    from artstore.upkeep.repair import RepairReport
    from artstore.upkeep.usage import UsageReport
    from artstore.upkeep.verify import VerifyReport

__all__ = [
    "CollectionInfo",
    "LoggedArtifact",
    "Progress",
    "PullResult",
    "PushSummary",
    "Store",
    "VersionState",
    "open_store",
]

LATE_MODULES: Final = (
    *("artstore.catalog.fences", "artstore.catalog.operations", "artstore.manifests.diff"),
    *("artstore.transfer.cachefill", "artstore.transfer.contentcache", "artstore.transfer.fetch"),
    *("artstore.transfer.hashing", "artstore.transfer.links", "artstore.transfer.oldfile"),
    *("artstore.transfer.pull", "artstore.transfer.push", "artstore.transfer.selection"),
    *("artstore.transfer.sending", "artstore.transfer.space", "artstore.transfer.verifydir"),
    "artstore.transfer.versionfiles",
    *("artstore.upkeep.check", "artstore.upkeep.usage", "artstore.upkeep.verify"),
    *("difflib", "pyfastcdc", "sqlite3", "unicodedata", "zstandard"),
)
"""What a store imports when it first needs it; see `forks.import_late`."""


class CollectionInfo(NamedTuple):
    """One artifact name and its newest version."""

    project: str
    name: str
    type: str
    latest_version: int | None
    version_count: int
    size_bytes: int
    aliases: tuple[str, ...]
    updated: str


def open_store(
    url: str | None = None,
    *,
    project: str | None = None,
    jobs: int | None = None,
    limit_rate: int | str | None = None,
) -> Store:
    """
    Open the store at `url`, or the one that environment, artstore.toml or settings name.

    Nothing is read or written yet; a store that does not exist is made by the
    first write (or by `Store.create`).

    Args:
        url: `file:///data/store` or a directory; None as the command line finds it.
        project: where names without a project are looked for.
        jobs: requests at once, 1 to 256; what suits the storage if None.
        limit_rate: bytes a second to and from the store, all threads together: a
            number, or a size such as `10MB`.
    Raises:
        InvalidInputError: `settings-invalid`, `storage-scheme`, `name-invalid`,
            `value-invalid`, `size-invalid`.
    """
    settings = resolve(url, project)
    if jobs is not None:
        settings = replace(settings, jobs=parse_jobs(jobs))
    if limit_rate is not None:
        settings = replace(settings, limit_rate_bytes=parse_rate(limit_rate))
    return Store(settings)


class Store:
    """
    A store, opened. Safe to use from several threads, and in forked children.

    Pickled, it is the settings it was opened with: where it is unpickled it is
    opened anew.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage = open_storage(settings.url)
        self._identity: Identity | None = None
        # By `forks.generation`: what a parent opened is neither used nor closed in a child.
        self._places: dict[int, StorePlace] = {}

    def __getstate__(self) -> Settings:
        return self._settings

    def __setstate__(self, settings: Settings) -> None:
        self.__init__(settings)  # type: ignore[misc]  # unpickled, it is opened

    def __repr__(self) -> str:
        return f"Store({self.url!r}, project={self.project!r})"

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._storage.url

    @property
    def project(self) -> str:
        """The project of names that state none."""
        return self._settings.project

    @property
    def id(self) -> str:
        """32 hex digits that no other store has. Raises NotFoundError `store-not-found`."""
        return self._known_identity().store_id

    @property
    def has_one_writer(self) -> bool:
        """Whether it was made for one writer at a time. Raises NotFoundError `store-not-found`."""
        return self._known_identity().has_one_writer

    def create(self, *, single_writer: bool = False) -> bool:
        """
        Make the store if it is not there; whether it was made just now.

        Args:
            single_writer: for a place that cannot keep writers apart: one at a time.
        Raises:
            StorageError: `storage-unsuitable`, such a place without `single_writer`.
        """
        try:
            self._known_identity()
        except NotFoundError:
            make_store(self._storage, self._guards(), has_one_writer=single_writer)
            self._known_identity()
            return True
        return False

    # writing -------------------------------------------------------------------------

    def log_artifact(
        self,
        artifact: Artifact,
        *,
        aliases: Sequence[str] = (),
        tags: Sequence[str] = (),
        message: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> LoggedArtifact:
        """
        Store a draft as the next version of its name.

        The same content as the newest version makes no new one; aliases, tags
        and metadata that are new are then noted on it. `LoggedArtifact.push`
        tells what was done.

        Args:
            aliases: names to move onto the version.
            message: why this version was made.
            on_progress: called at most 20 times a second.
        Raises:
            InvalidInputError: `type-mismatch`, `path-twice`, `path-invalid`,
                `nothing-to-push`, `source-vanished`, `source-unreadable`.
            StateError: `source-changed`.
            DeniedError: `storage-full`, `storage-denied`.
            ConflictError: `commit-contended`, `content-condemned`.
        Cost: a stat a file when nothing changed; else what changed is read once.
        """
        from artstore.transfer.push import push
        from artstore.transfer.pushspec import PushSpec

        began = time.monotonic()
        self.create()
        place = self._place()
        spec = PushSpec(
            project=self.project,
            name=artifact.name,
            type=artifact.type,
            sources=sources_of(artifact, self._settings, self._storage),
            description=artifact.description,
            metadata=artifact.metadata,
            message=message,
            aliases=tuple(names.check_alias(alias) for alias in aliases if alias != "latest"),
            tags=tuple(names.check_tag(tag) for tag in tags),
        )
        outcome = push(place, spec, on_progress=on_progress)
        self._remember_checkout(artifact, outcome)
        summary = PushSummary(
            is_new=outcome.is_new,
            stored_bytes=outcome.stored_bytes,
            read_bytes=outcome.read_bytes,
            seconds=time.monotonic() - began,
            warnings=outcome.warnings,
        )
        return self._logged(outcome.state, outcome.version, push=summary)

    def set_aliases(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Move aliases onto a version, and take others from it. One entry in its log."""
        from artstore.catalog.operations import AliasRequest

        state, version = self._resolve(name)
        request = AliasRequest(version.version, tuple(add), tuple(remove))
        self._place().catalog.commit(state.project, state.name, request)

    def set_tags(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to a version, and take others from it."""
        from artstore.catalog.operations import TagRequest

        state, version = self._resolve(name)
        request = TagRequest(version.version, tuple(add), tuple(remove))
        self._place().catalog.commit(state.project, state.name, request)

    def delete(self, name: str, *, force: bool = False) -> None:
        """
        Delete a version: a tombstone, which `restore` takes back. Frees nothing by itself.

        Raises:
            StateError: `version-aliased`, `version-pinned`, unless `force`.
        """
        from artstore.catalog.operations import DeleteRequest

        state, version = self._resolve(name)
        request = DeleteRequest(version.version, force=force)
        self._place().catalog.commit(state.project, state.name, request)

    def restore(self, name: str) -> None:
        """
        Take back the deletion of `name:vN`.

        Raises:
            InvalidInputError: `name-invalid`, no version number is given.
            ConflictError: `content-vanished`, gc has removed what it held.
        """
        from artstore.catalog.operations import RestoreRequest

        parsed = self._parse(name)
        if parsed.version is None:
            raise InvalidInputError(
                f"{name!r} names no version",
                code="name-invalid",
                hint="a deleted version has only its number: NAME:v3",
            )
        place = self._place()
        project = parsed.project or self.project
        request = RestoreRequest(parsed.version, self._content_of)
        place.catalog.commit(project, parsed.name, request)

    # reading -------------------------------------------------------------------------

    def artifact(self, name: str, *, type: str | None = None) -> LoggedArtifact:  # noqa: A002
        """
        Find a version: `[project/]name[:vN|:alias|@digest]`, the newest if none is named.

        Raises:
            NotFoundError: `collection-not-found`, `version-not-found`, `alias-not-found`.
            InvalidInputError: `name-invalid`, `digest-ambiguous`, `type-mismatch`.
        """
        state, version = self._resolve(name)
        if type is not None and state.type != type:
            raise InvalidInputError(
                f"{state.qualified_name} is of type {state.type}, not {type}",
                code="type-mismatch",
            )
        return self._logged(state, version)

    def projects(self) -> list[str]:
        """Projects with artifacts, by name."""
        return self._place().catalog.projects()

    def collections(self, project: str | None = None) -> list[CollectionInfo]:
        """The artifacts of a project, by name. Cost: one scan each."""
        catalog = self._place().catalog
        project = project or self.project
        infos = []
        for name in catalog.collections(project):
            state = catalog.state_or_none(project, name)
            if state is not None:
                infos.append(_info(state))
        return infos

    def versions(self, name: str) -> list[VersionState]:
        """Every version of a name, deleted ones too, oldest first."""
        parsed = self._parse(name)
        catalog = self._place().catalog
        state = catalog.state(parsed.project or self.project, parsed.name)
        return [state.versions[number] for number in sorted(state.versions)]

    def history(self, name: str) -> list[dict[str, Any]]:
        """The log of a name, oldest entry first (docs/format/log.md)."""
        from artstore.catalog.format import LogEntry

        parsed = self._parse(name)
        entries = self._place().catalog.history(parsed.project or self.project, parsed.name)
        return [
            {
                "n": entry.n,
                "kind": entry.kind,
                "time": entry.time,
                "by": entry.by,
                **entry.fields,
            }
            for entry in entries
            if isinstance(entry, LogEntry)
        ]

    def diff(self, a: str, b: str) -> Diff:
        """What changed from version `a` to version `b`; reads what is not in both."""
        from artstore.manifests.diff import diff

        place = self._place()
        before, after = (place.manifest(self._resolve(name)[1]) for name in (a, b))
        return diff(before, after)

    # upkeep --------------------------------------------------------------------------

    def verify(
        self,
        name: str,
        directory: str | os.PathLike[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> VerifyReport:
        """
        Read every byte of a version, in the store or in a checkout, and compare digests.

        Raises:
            DamagedDataError: the version's list of files cannot be read.
        """
        from artstore.upkeep.verify import EntryProblem, VerifyReport, verify_version

        began = time.monotonic()
        state, version = self._resolve(name)
        place = self._place()
        manifest = place.manifest(version)
        meter = ProgressMeter(
            "verify",
            on_progress,
            total_files=version.file_count,
            total_bytes=version.size_bytes,
        )
        problems: list[EntryProblem]
        if directory is None:
            _, _, problems = verify_version(
                manifest,
                place.packs,
                digest=version.digest,
                on_verified=lambda size: meter.add(1, size),
            )
        else:
            from artstore.transfer.verifydir import verify_directory

            problems = [
                EntryProblem(path, message)
                for path, message in verify_directory(
                    manifest, Path(directory), content_root=place.content_root, meter=meter
                )
            ]
        meter.finish()
        return VerifyReport(
            name=f"{state.project}/{state.name}:v{version.version}",
            directory=None if directory is None else Path(directory),
            checked_files=meter.files,
            checked_bytes=meter.bytes,
            problems=tuple(problems),
            seconds=time.monotonic() - began,
        )

    def check(
        self, *, read_data: float | None = None, on_progress: OnProgress | None = None
    ) -> CheckReport:
        """
        Check every log, manifest and pack; `read_data` (0 to 1) also reads that part of the data.

        Changes nothing. Damage is reported with the versions that it hits, not raised.
        """
        from artstore.upkeep.check import check_store

        place = self._place()
        meter = ProgressMeter("check", on_progress)
        report = check_store(
            place.storage, place.catalog, read_data=read_data, on_checked=meter.add
        )
        meter.finish()
        return report

    def repair(
        self,
        sources: Sequence[str] = (),
        *,
        read_data: float | None = None,
        dry_run: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RepairReport:
        """
        Check, and put back what is damaged or lost: from this machine, then from other stores.

        Nothing is written that its name or the log does not prove (docs/how-to/
        restore-a-damaged-store.md). What cannot be had is reported, not raised.

        Args:
            sources: URLs of copies of this store, or of others with the same content.
            read_data: as `check`: damage inside of packs is found only by reading.
            dry_run: change nothing, tell what would be done.
        Raises:
            NotFoundError: `store-not-found`.
            DamagedDataError: `store-damaged`, `artstore.json` is lost, and no source is a copy.
            DeniedError: `storage-full`, the cache has no room for what is put back.
        """
        from artstore.transfer.localfiles import LocalFiles
        from artstore.upkeep.repair import RepairMaterial, repair_store

        directory, storage = self._settings.cache_dir, self._storage
        with suppress(DamagedDataError):  # artstore.json may be what is to be repaired
            storage = self._place().storage
        material = RepairMaterial(
            sources=[open_storage(url) for url in sources],
            replica=Replica(Replica.file_in(directory)),
            journal_directory=directory / "repairs",
            find_files=lambda store_id: (
                LocalFiles(directory / "files", self._checkouts().known(store_id)).find
            ),
            author=_author(),
        )
        meter = ProgressMeter("repair", on_progress)
        report = repair_store(
            storage, material, read_data=read_data, dry_run=dry_run, on_checked=meter.add
        )
        meter.finish()
        # What is known of the store so far may be of the damaged one.
        self._places.pop(forks.generation(), None)
        return report

    def usage(self, name: str | None = None) -> UsageReport:
        """What the store, an artifact or one version takes (`UsageReport`)."""
        from artstore.upkeep.usage import measure_usage

        place = self._place()
        if name is None:
            return measure_usage(place.storage, place.catalog, None)
        parsed = self._parse(name)
        chosen, version = self._resolve(name)

        def is_meant(state: CollectionState, candidate: VersionState) -> bool:
            same = (state.project, state.name) == (chosen.project, chosen.name)
            return same and (not parsed.is_exact or candidate.version == version.version)

        return measure_usage(place.storage, place.catalog, is_meant)

    # inside --------------------------------------------------------------------------

    def _known_identity(self) -> Identity:
        if self._identity is None:
            identity = read_identity(self._storage)
            if identity.has_one_writer and not is_guarded_here(self.url):
                self._storage = open_storage(self._settings.url, unguarded=True)
            self._identity = identity
        return self._identity

    def _guards(self) -> GuardCache:
        return GuardCache(self._settings.cache_dir, self._settings.url)

    def _place(self) -> StorePlace:
        forks.import_late(LATE_MODULES)
        generation = forks.generation()
        place = self._places.get(generation)
        if place is None:
            # Of two threads that come here at once both get the same one.
            place = self._places.setdefault(generation, self._open_place())
        return place

    def _open_place(self) -> StorePlace:
        settings, store_id = self._settings, self.id
        cache = settings.cache_dir
        storage = guarded(self._storage, self._known_identity(), self._guards())
        if settings.limit_rate_bytes is not None:
            storage = PacedStorage(storage, bytes_per_second=settings.limit_rate_bytes)
        # A store in memory is of one process, and so is what is known of it.
        is_shared = not settings.url.startswith("memory:")
        replica = Replica(Replica.file_in(cache)) if is_shared else None
        return StorePlace(
            storage=storage,
            store_id=store_id,
            catalog=Catalog(
                storage,
                store_id=store_id,
                replica=replica,
                author=_author(),
            ),
            statcache=StatCache(host_file(cache)),
            cache_directory=cache,
            cache_max_bytes=settings.cache_max_bytes,
            jobs=settings.jobs,
        )

    def _checkouts(self) -> Checkouts:
        return Checkouts(self._settings.state_dir)

    def _logged(
        self, state: CollectionState, version: VersionState, *, push: PushSummary | None = None
    ) -> LoggedArtifact:
        return LoggedArtifact(self._place, self._checkouts(), state, version, push=push)

    def _parse(self, name: str) -> names.ArtifactName:
        return names.parse_artifact_name(name)

    def _resolve(self, name: str) -> tuple[CollectionState, VersionState]:
        parsed = self._parse(name)
        state = self._place().catalog.state(parsed.project or self.project, parsed.name)
        return state, state.resolve_name(parsed)

    def _content_of(self, version: VersionState) -> frozenset[str]:
        from artstore.packs.locator import pack_key
        from artstore.upkeep.survey import version_refs

        place = self._place()
        manifest = place.manifest(version)
        keys = {pack_key(ref.pack) for _, ref in version_refs(manifest, place.packs)}
        return frozenset(keys | {version.root})

    def _remember_checkout(self, artifact: Artifact, outcome: PushOutcome) -> None:
        """A directory that was pushed whole is a checkout: pulling into it may update it."""
        additions = artifact.additions
        if len(additions) != 1 or not isinstance(additions[0], AddedDirectory):
            return
        if additions[0].prefix:
            return
        state = outcome.state
        self._checkouts().mark_done(
            additions[0].location, self.id, state.project, state.name, outcome.version.version
        )


def _info(state: CollectionState) -> CollectionInfo:
    latest = None if state.is_in_doubt else state.latest
    return CollectionInfo(
        project=state.project,
        name=state.name,
        type=state.type or "",
        latest_version=None if latest is None else latest.version,
        version_count=len(state.live),
        size_bytes=0 if latest is None else latest.size_bytes,
        aliases=tuple(sorted(state.aliases)),
        updated="" if latest is None else latest.created,
    )


@cache
def _author() -> str:
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

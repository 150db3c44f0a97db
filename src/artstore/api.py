"""
The public face of a store: open it, log artifacts, find them again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import forks, names
from artstore.artifact import Artifact, texts
from artstore.catalog.catalog import Catalog
from artstore.catalog.replica import Replica
from artstore.catalog.retention import Retention
from artstore.catalog.state import CollectionState, VersionState
from artstore.drafts.added import AddedDirectory
from artstore.errors import InvalidInputError
from artstore.logged import LoggedArtifact, PullResult, PushSummary
from artstore.settings import Settings, parse_jobs, parse_rate, resolve
from artstore.storeconnection import StoreConnection, author
from artstore.storegarbage import StoreGarbage
from artstore.storelineage import StoreLineage
from artstore.storeretention import StoreRetention
from artstore.storeruns import StoreRuns
from artstore.storetables import StoreTables
from artstore.storeupkeep import StoreUpkeep
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, Progress
from artstore.transfer.statcache import StatCache, host_file
from artstore.versions.version import LoggedVersion

if TYPE_CHECKING:
    from artstore.catalog.fences import ContentUse
    from artstore.manifests.diff import Diff
    from artstore.transfer.push import PushOutcome

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
    *("artstore.additions", "artstore.drafts.frompath", "artstore.drafts.looking"),
    *("artstore.versions.linking", "artstore.versions.listing", "artstore.versions.onefile"),
    "artstore.versions.showing",
    *("artstore.catalog.runs.index", "artstore.catalog.versionindex", "artstore.lineagesource"),
    *("artstore.catalog.fences", "artstore.catalog.operations", "artstore.manifests.diff"),
    *("artstore.garbage.deleting", "artstore.garbage.pruning", "artstore.garbage.storetime"),
    "artstore.runs.history",
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
    tags: tuple[str, ...] = ()
    """Those of the newest version."""
    retention: Retention = Retention()
    """What is kept when it is pruned."""
    protected_aliases: tuple[str, ...] = ()
    """Aliases, set or not, that stay where they are."""


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


class Store(
    StoreConnection, StoreRuns, StoreUpkeep, StoreTables, StoreLineage, StoreRetention, StoreGarbage
):
    """
    A store, opened. Safe to use from several threads, and in forked children.

    Pickled, it is the settings it was opened with: where it is unpickled it is
    opened anew.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        # By `forks.generation`: what a parent opened is neither used nor closed in a child.
        self._places: dict[int, StorePlace] = {}

    def __getstate__(self) -> Settings:
        return self._settings

    def __setstate__(self, settings: Settings) -> None:
        self.__init__(settings)  # type: ignore[misc]  # unpickled, it is opened

    def __repr__(self) -> str:
        return f"Store({self.url!r}, project={self.project!r})"

    # writing -------------------------------------------------------------------------

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
        *,
        message: str | None = None,
        run: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> LoggedArtifact:
        """
        Store a draft as the next version of its name; from then on it is that version.

        The same content as the newest version makes no new one; aliases, tags
        and metadata that are new are then noted on it. `LoggedArtifact.push`
        tells what was done. A version that is given gets the aliases and tags.

        Args:
            artifact_or_path: a draft; or a file, directory or URL, which makes one.
            name: of what a path makes; the last part of the path if left out.
            type: of what a path makes.
            aliases: names to move onto the version, with those of the draft.
            tags: marks on it, with those of the draft.
            message: why this version was made.
            run: `project/run id` of the run that makes it, noted in the log of the collection.
            on_progress: called at most 20 times a second.
        Raises:
            InvalidInputError: `type-mismatch`, `path-twice`, `path-invalid`,
                `nothing-to-push`, `source-vanished`, `source-unreadable`, `entry-exists`,
                `link-elsewhere`.
            NotFoundError: `entry-not-found`, what a draft that adds to the newest
                version leaves out of it is not there.
            StateError: `source-changed`.
            DeniedError: `storage-full`, `storage-denied`.
            ConflictError: `commit-contended`, `content-condemned`, `version-superseded`.
        Cost: a stat a file when nothing changed; else what changed is read once.
        """
        from artstore.drafts.frompath import draft_of_path

        if isinstance(artifact_or_path, LoggedArtifact):
            return self._label(artifact_or_path, texts(aliases), texts(tags))
        if isinstance(artifact_or_path, Artifact):
            artifact = artifact_or_path
        else:
            artifact = draft_of_path(artifact_or_path, name, type)
        labels = (texts(aliases), texts(tags))
        return self._log(artifact, labels, message, run, on_progress)

    def _log(
        self,
        artifact: Artifact,
        labels: tuple[Sequence[str], Sequence[str]],
        message: str | None,
        run: str | None,
        on_progress: OnProgress | None,
    ) -> LoggedArtifact:
        from artstore.transfer.push import push

        began = time.monotonic()
        self.create()
        place = self._place()
        spec = artifact._push_spec(  # noqa: SLF001 - a draft and its store are one matter
            self._settings, self._storage, place.store_id, labels, message=message, run=run
        )
        outcome = push(place, spec, on_progress=on_progress)
        if spec.kept is None:
            self._remember_checkout(artifact, outcome)
        version = LoggedVersion(self._place, self._checkouts(), outcome.state, outcome.version)
        summary = PushSummary(
            is_new=outcome.is_new,
            stored_bytes=outcome.stored_bytes,
            read_bytes=outcome.read_bytes,
            seconds=time.monotonic() - began,
            warnings=outcome.warnings,
        )
        artifact._become(version, push=summary)  # noqa: SLF001 - as above
        return LoggedArtifact(version, push=summary)

    def _label(
        self, artifact: LoggedArtifact, aliases: Sequence[str], tags: Sequence[str]
    ) -> LoggedArtifact:
        """Aliases and tags for a version that is there already."""
        if artifact.store_id != self.id:
            raise InvalidInputError(
                f"{artifact.qualified_name} is a version in another store than {self.url}",
                code="link-elsewhere",
                hint="download it there and log the directory here",
            )
        artifact.aliases += list(aliases)
        artifact.tags += list(tags)
        artifact.save()
        return artifact

    def set_aliases(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Move aliases onto a version, and take others from it. One entry in its log."""
        from artstore.catalog.requests import AliasRequest

        state, version = self._resolve(name)
        request = AliasRequest(version.version, tuple(add), tuple(remove))
        self._place().catalog.commit(state.project, state.name, request)

    def set_tags(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to a version, and take others from it."""
        from artstore.catalog.requests import TagRequest

        state, version = self._resolve(name)
        request = TagRequest(version.version, tuple(add), tuple(remove))
        self._place().catalog.commit(state.project, state.name, request)

    def delete(self, name: str, *, force: bool = False) -> None:
        """
        Delete a version: a tombstone, which `restore` takes back. Frees nothing by itself.

        Args:
            force: although it has aliases, is pinned, or a run that goes on uses it.
        Raises:
            StateError: `alias-protected`; unless `force`: `version-aliased`, `version-pinned`,
                `version-in-use`, with the `runs`.
        Cost: one scan and one create; without force two scans more where there are runs,
            one for each further project with runs and for each run that goes on.
        """
        from artstore.garbage.deleting import delete_version

        state, version = self._resolve(name)
        delete_version(self._place(), state, version.version, force=force)

    def restore(self, name: str) -> None:
        """
        Take back the deletion of `name:vN`.

        Raises:
            InvalidInputError: `name-invalid`, no version number is given.
            ConflictError: `content-vanished`, gc has removed what it held, and says when;
                `content-condemned`, it is about to.
            StateError: `version-purged`.
        """
        from artstore.garbage.deleting import restore_version

        parsed = self._parse(name)
        if parsed.version is None:
            raise InvalidInputError(
                f"{name!r} names no version",
                code="name-invalid",
                hint="a deleted version has only its number: NAME:v3",
            )
        place = self._place()
        project = parsed.project or self.project
        restore_version(place, project, parsed.name, parsed.version, self._content_of)

    # reading -------------------------------------------------------------------------

    def artifact(self, name: str, *, type: str | None = None) -> LoggedArtifact:  # noqa: A002
        """
        Find a version: `[project/]name[:vN|:alias|@digest]`, the newest if none is named.

        Raises:
            NotFoundError: `collection-not-found`, `version-not-found`, `alias-not-found`.
            InvalidInputError: `name-invalid`, `digest-ambiguous`, `type-mismatch`.
        """
        state, version = self._resolve(name)
        self._check_type(state.qualified_name, state.type, type)
        return self._logged(state, version)

    def use_artifact(
        self,
        artifact_or_name: Artifact | str,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
    ) -> LoggedArtifact:
        """
        Find a version: as `artifact`, with names as scripts written for W&B have them.

        Args:
            artifact_or_name: a name as `artifact` takes it, `team/project/name:v3`, whose
                team is left out, or `art://project/name:v3`. A version stays what it is;
                a draft is logged first.
            type: what the artifact must be.
            aliases: names to move onto the version.
        Raises:
            As `artifact`, and for a draft as `log_artifact`.
        """
        if isinstance(artifact_or_name, LoggedArtifact):
            found = artifact_or_name
            self._check_type(found.collection.qualified_name, found.type, type)
        elif isinstance(artifact_or_name, Artifact):
            version = artifact_or_name._version  # noqa: SLF001 - as in log_artifact
            found = (
                self.log_artifact(artifact_or_name) if version is None else LoggedArtifact(version)
            )
        else:
            name = artifact_or_name.removeprefix("art://")
            parts = name.split("/")
            found = self.artifact("/".join(parts[-2:]) if len(parts) == 3 else name, type=type)
        names_to_move = texts(aliases)
        return self._label(found, names_to_move, ()) if names_to_move else found

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

    def collection_names(self, project: str | None = None) -> list[str]:
        """The names of the artifacts of a project, sorted. Cost: one listing."""
        return self._place().catalog.collections(project or self.project)

    def collection(self, name: str) -> CollectionInfo:
        """
        One artifact and its newest version, as `collections` tells it. Cost: one scan.

        Raises:
            NotFoundError: `collection-not-found`.
        """
        parsed = self._parse(name)
        return _info(self._place().catalog.state(parsed.project or self.project, parsed.name))

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

    # inside --------------------------------------------------------------------------

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
        storage = self._guarded_storage()
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
                author=author(),
            ),
            statcache=StatCache(host_file(cache)),
            cache_directory=cache,
            cache_max_bytes=settings.cache_max_bytes,
            jobs=settings.jobs,
        )

    def _checkouts(self) -> Checkouts:
        return Checkouts(self._settings.state_dir)

    def _writes_as(self) -> str:
        return author()

    def _logged(self, state: CollectionState, version: VersionState) -> LoggedArtifact:
        return LoggedArtifact(LoggedVersion(self._place, self._checkouts(), state, version))

    @staticmethod
    def _check_type(name: str, found: str | None, wanted: str | None) -> None:
        if wanted is not None and found != wanted:
            raise InvalidInputError(
                f"{name} is of type {found}, not {wanted}", code="type-mismatch"
            )

    def _parse(self, name: str) -> names.ArtifactName:
        return names.parse_artifact_name(name)

    def _resolve(self, name: str) -> tuple[CollectionState, VersionState]:
        parsed = self._parse(name)
        state = self._place().catalog.state(parsed.project or self.project, parsed.name)
        return state, state.resolve_name(parsed)

    def _content_of(self, version: VersionState) -> ContentUse:
        from artstore.versions.linking import content_use

        return content_use(self._place(), version)

    def _remember_checkout(self, artifact: Artifact, outcome: PushOutcome) -> None:
        """A directory that was pushed whole is a checkout: pulling into it may update it."""
        additions = artifact.additions
        if len(additions) != 1 or not isinstance(additions[0], AddedDirectory):
            return
        if additions[0].prefix or additions[0].without.paths:
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
        tags=() if latest is None else latest.tags,
        retention=state.retention,
        protected_aliases=tuple(sorted(state.protected)),
    )

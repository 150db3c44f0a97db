"""
Artifacts that W&B's SDK or `wandb artifact get` downloaded, made versions of a store.

    from artstore.integrations.wandb_import import import_wandb

    import_wandb("artifacts/digits:v3")
    import_wandb("artifacts")

A directory is one version, and becomes one or nothing. One that was imported before is
found by what its metadata say, and makes no version:

    {"wandb": [{"name": "digits", "version": "v3", "digest": "<32 hex>", "digest_of": "manifest"}]}

The digest is the one that W&B shows, which covers the digests of all files, if the
manifest lies in the directory; else what W&B would give for just the files in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from artstore.artifact import Artifact, texts
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError
from artstore.integrations.placing import placed
from artstore.integrations.wandb_draft import ImportedTable, ImportSummary, fill_draft
from artstore.integrations.wandb_files.digests import MD5, artifact_digest, entry_digest
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.integrations.wandb_files.failures import damaged_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.manifest import FULL, MANIFESTS
from artstore.names import check_collection_name
from artstore.transfer.progress import OnProgress

if TYPE_CHECKING:
    import artstore
    from artstore.api import Store

__all__ = ["ImportSummary", "ImportedTable", "ImportedVersion", "import_wandb"]

_VERSIONED: Final = re.compile(r"(.+):v(0|[1-9][0-9]{0,8})", re.DOTALL)
_KEY: Final = "wandb"
"""Of the metadata that tell where a version came from."""
_SHOWN_COUNT: Final = 5


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """
    What one directory came to.

    Attributes:
        directory: as it was given, or found in what was given.
        name: of the artifact here.
        artifact: the version; None in a dry run, if there is none yet.
        is_new: whether it was made just now, or with `dry_run` would be.
        wandb_name, wandb_version: `digits` and `v3`, as the directory is called; None if it
            says no version.
        wandb_digest: as in the metadata.
        verified_count: files that were compared with the manifest; None if there is none,
            or nothing was to be compared.
        summary: what it was made of; empty if it was there already.
    """

    directory: str
    name: str
    artifact: artstore.LoggedArtifact | None
    is_new: bool
    wandb_name: str
    wandb_version: str | None
    wandb_digest: str
    verified_count: int | None
    summary: ImportSummary


def import_wandb(
    path: str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - the name users of W&B know
    aliases: Sequence[str] | str | None = None,
    *,
    store: Store | None = None,
    verify: bool = True,
    clip_boxes: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> list[ImportedVersion]:
    """
    Make a version of each artifact of W&B that lies in a directory.

    A directory called `name:v3` is one version, and so is any other, unless all that
    lies in it are directories called like that: those are versions, which are imported
    in the order of their numbers, each under its own name.

    Args:
        path: to where the SDK or `wandb artifact get` downloaded.
        name: of the artifact here; that of the directory, without `:v3`, if left out.
        type: what kind of thing it is; as for `Artifact` if left out.
        aliases: for the version, of several for the newest of each name.
        store: where to; the default store if left out.
        verify: compare all files with the manifest, if it lies there, and media with the
            digests that tables tell of them.
        clip_boxes: cut boxes off at the edges of their image; they are else refused.
        dry_run: read everything, and log nothing.
        on_progress: called at most 20 times a second.
    Returns:
        What became of each directory, in that order.
    Raises:
        DamagedDataError: `wandb-digest-mismatch`, `wandb-file-damaged`,
            `wandb-cell-damaged`, and those of media. The message names the file.
        NotFoundError: `wandb-file-missing`.
        InvalidInputError: `wandb-path-refused`, `wandb-directory-mixed`, `name-invalid`,
            `type-mismatch`, `box-outside`, `nothing-to-push`, and others of media.
        ArtstoreError: as `Store.log_artifact`.
    Cost: reads every file twice, without a manifest three times; memory for some rows.
        All directories are verified before the first is imported. Each is logged whole or
        not at all; after an error those that came before it stay, and are found next time.
    """
    if store is None:
        from artstore.defaultstore import default_store

        store = default_store()
    found = _directories(os.fspath(path), name)
    sources = [
        _opened(one, is_one_of_several=len(found) > 1, verify=verify, clip_boxes=clip_boxes)
        for one in found
    ]
    newest = {source.name: source.place for source in sources}
    collections = {source.name: _Collection(store, source.name, type) for source in sources}
    imported: list[ImportedVersion] = []
    for source in sources:
        to_move = texts(aliases) if newest[source.name] == source.place else ()
        run = _Import(source, collections[source.name], to_move, on_progress)
        try:
            imported.append(run.tried() if dry_run else run.done())
        except ArtstoreError as error:
            _tell_done(error, imported)
            raise
    return imported


def _tell_done(error: ArtstoreError, imported: Sequence[ImportedVersion]) -> None:
    """That what came before an error is in the store."""
    done = [one.artifact.qualified_name for one in imported if one.artifact and one.is_new]
    if done:
        error.context["imported"] = done
        told = f"{len(done)} directories before it were imported and stay, the last as {done[-1]}"
        error.hint = told if error.hint is None else f"{error.hint}\n{told}"


# what lies there --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory, and what its name says."""

    path: str
    name: str
    wandb_name: str
    wandb_version: str | None


def _directories(path: str, name: str | None) -> list[_Place]:
    """The artifact that a directory is, or those that lie in it, in the order of versions."""
    base = os.path.basename(os.path.abspath(path))
    below = [] if _VERSIONED.fullmatch(base) else _versions_below(path)
    if not below:
        return [_place(path, base, name)]
    places = [_place(os.path.join(path, one), one, name) for one in below]
    if name is not None and len({place.wandb_name for place in places}) > 1:
        told = ", ".join(sorted({place.wandb_name for place in places})[:_SHOWN_COUNT])
        raise InvalidInputError(
            f"{path!r} holds versions of several artifacts ({told}), and one name is given",
            code="value-invalid",
            hint="import them under their own names, or one directory after the other",
        )
    return sorted(places, key=lambda place: (place.name, int((place.wandb_version or "v0")[1:])))


def _versions_below(path: str) -> list[str]:
    """The names of directories that are versions; none if `path` is an artifact itself."""
    try:
        with os.scandir(path) as entries:
            found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError:
        # Told by who opens it.
        return []
    versions = [one for one, is_dir in found.items() if is_dir and _VERSIONED.fullmatch(one)]
    others = sorted(one for one in found if one not in versions and not one.startswith("."))
    if not versions or not MANIFESTS.keys().isdisjoint(others):
        return []
    if others:
        raise InvalidInputError(
            f"{path!r} holds versions of artifacts, such as {min(versions)!r}, and beside them"
            f" {', '.join(map(repr, others[:_SHOWN_COUNT]))}: it is not clear what is meant",
            code="wandb-directory-mixed",
            hint="import the directories one after the other; if all of it is one artifact, the"
            " directory has to be called like one, such as name:v0",
            others=others[:_SHOWN_COUNT],
        )
    return versions


def _place(path: str, base: str, name: str | None) -> _Place:
    match = _VERSIONED.fullmatch(base)
    own = base if match is None else match[1]
    try:
        checked = check_collection_name(own if name is None else name)
    except InvalidInputError as error:
        if name is None:
            error.hint = "the directory is not called like an artifact: give a name"
        raise
    return _Place(path, checked, own, None if match is None else f"v{match[2]}")


@dataclass(frozen=True, slots=True)
class _Source:
    """
    A directory that was looked into and verified.

    Attributes:
        directory: None if it is to be opened again: of several, one at a time is held.
        record: of the metadata of its version.
    """

    place: _Place
    directory: WandbDirectory | None
    record: Mapping[str, Any]
    verified_count: int | None
    options: Mapping[str, bool]

    @property
    def name(self) -> str:
        return self.place.name

    def opened(self) -> WandbDirectory:
        if self.directory is not None:
            return self.directory
        return WandbDirectory(self.place.path, **self.options)


def _opened(place: _Place, *, is_one_of_several: bool, verify: bool, clip_boxes: bool) -> _Source:
    options = {"check_digests": verify, "clip_boxes": clip_boxes}
    try:
        directory = WandbDirectory(place.path, **options)
        verified_count = None
        if verify and directory.manifest is not None:
            verified_count = directory.verify().file_count
        # Whatever is cut short or not there is told before anything is logged.
        for path in directory.tables():
            directory.table(path)
        directory.joined_tables()
        directory.partitioned_tables()
        directory.plain_files()
        record = _record(place, directory, clip_boxes=clip_boxes)
    except ArtstoreError as error:
        if is_one_of_several:
            raise placed(error, place.path) from error
        raise
    kept = None if is_one_of_several else directory
    return _Source(place, kept, record, verified_count, options)


def _record(place: _Place, directory: WandbDirectory, *, clip_boxes: bool) -> dict[str, Any]:
    manifest = directory.manifest
    is_told = manifest is not None and manifest.kind == FULL
    record: dict[str, Any] = {
        "name": place.wandb_name,
        "version": place.wandb_version,
        "digest": manifest.artifact_digest() if manifest and is_told else _digest_of(place.path),
        "digest_of": "manifest" if is_told else "files",
    }
    return {**record, "clip_boxes": True} if clip_boxes else record


def _digest_of(path: str) -> str:
    """What W&B would give an artifact of these files, which is what it has if it has no others."""
    files = WandbFiles(path)
    pairs = []
    for one in files.places:
        if one in MANIFESTS:
            continue
        try:
            with files.open(one) as file:
                pairs.append((one, entry_digest(file, MD5)))
        except OSError as error:
            raise damaged_file(one, error.strerror or str(error)) from error
    return artifact_digest(pairs, MD5)


# what is there already --------------------------------------------------------------------


class _Collection:
    """The versions of an artifact, with what their metadata say of W&B."""

    def __init__(self, store: Store, name: str, type_name: str | None) -> None:
        self.store = store
        self.name = name
        self.type_name = type_name
        self._known: list[artstore.LoggedArtifact] | None = None

    def find(self, record: Mapping[str, Any]) -> artstore.LoggedArtifact | None:
        """
        The version that was made of the same directory; of several the newest.

        Raises:
            InvalidInputError: `type-mismatch`.
        Cost: a read for each version, the first time.
        """
        for artifact in reversed(self._versions()):
            if any(_is_same(record, other) for other in _records(artifact)):
                return artifact
        return None

    def before(self, artifact: artstore.LoggedArtifact) -> artstore.LoggedArtifact | None:
        """The same version as it was when it was looked up; None if it was not."""
        return next((one for one in self._versions() if one.version == artifact.version), None)

    def note(self, artifact: artstore.LoggedArtifact) -> None:
        """A version that is there now."""
        rest = [one for one in self._versions() if one.version != artifact.version]
        self._known = [*rest, artifact]

    def _versions(self) -> list[artstore.LoggedArtifact]:
        if self._known is None:
            try:
                states = self.store.versions(self.name)
            except NotFoundError:
                states = []
            self._known = [
                self.store.artifact(f"{self.name}:v{state.version}", type=self.type_name)
                for state in states
                if state.is_live
            ]
        return self._known


def _records(artifact: Artifact) -> list[Mapping[str, Any]]:
    """What metadata say of W&B: whatever they hold, they may be of anybody."""
    found = artifact.metadata.get(_KEY)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    versions = one.get("version"), other.get("version")
    return (
        one["digest"] == other.get("digest")
        # W&B may have the same content again, after another one.
        and (None in versions or versions[0] == versions[1])
        and one.get("clip_boxes") == other.get("clip_boxes")
    )


# importing --------------------------------------------------------------------------------


class _Import:
    def __init__(
        self,
        source: _Source,
        collection: _Collection,
        aliases: Sequence[str],
        on_progress: OnProgress | None,
    ) -> None:
        self._source = source
        self._collection = collection
        self._aliases = aliases
        self._on_progress = on_progress

    def tried(self) -> ImportedVersion:
        """What would be done."""
        known = self._collection.find(self._source.record)
        if known is not None:
            return self._told(known, is_new=False)
        return replace(self._told(None, is_new=True), summary=self._draft()[1])

    def done(self) -> ImportedVersion:
        """The version, made or found."""
        source, collection = self._source, self._collection
        known = collection.find(source.record)
        if known is not None:
            if self._aliases:
                known = collection.store.log_artifact(known, aliases=self._aliases)
            return self._told(known, is_new=False)
        draft, summary = self._draft()
        place = source.place
        version = f":{place.wandb_version}" if place.wandb_version else ""
        logged = collection.store.log_artifact(
            draft,
            aliases=self._aliases,
            message=f"imported from {place.wandb_name}{version} of W&B",
            on_progress=self._on_progress,
        )
        if not logged.push.is_new:
            self._add_record(logged)
        collection.note(logged)
        summary = replace(summary, warnings=(*summary.warnings, *logged.push.warnings))
        return replace(self._told(logged, is_new=logged.push.is_new), summary=summary)

    def _draft(self) -> tuple[Artifact, ImportSummary]:
        source = self._source
        draft = Artifact(
            source.name, self._collection.type_name, metadata={_KEY: [dict(source.record)]}
        )
        try:
            summary = fill_draft(draft, source.opened(), self._on_progress)
        except ArtstoreError as error:
            if source.directory is None:
                raise placed(error, source.place.path) from error
            raise
        if not draft.additions:
            raise InvalidInputError(
                f"there is nothing in {source.place.path!r} to import",
                code="nothing-to-push",
                hint="give the directory that an artifact of W&B was downloaded to",
            )
        return draft, summary

    def _add_record(self, logged: artstore.LoggedArtifact) -> None:
        """Two versions of W&B are one here: it keeps what is said of it, and of both."""
        before = self._collection.before(logged)
        if before is not None:
            records = [*_records(before), dict(self._source.record)]
            logged.metadata = {**before.metadata, _KEY: records}
            logged.save()

    def _told(self, artifact: artstore.LoggedArtifact | None, *, is_new: bool) -> ImportedVersion:
        source = self._source
        return ImportedVersion(
            directory=source.place.path,
            name=source.name,
            artifact=artifact,
            is_new=is_new,
            wandb_name=source.place.wandb_name,
            wandb_version=source.place.wandb_version,
            wandb_digest=source.record["digest"],
            verified_count=source.verified_count,
            summary=ImportSummary(),
        )

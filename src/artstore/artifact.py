"""
An artifact: put together as a draft, then a version that can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from artstore import names
from artstore.drafts.added import DraftOrigin
from artstore.drafts.builder import DraftBuilder
from artstore.errors import InvalidInputError, NotFoundError, StateError
from artstore.manifests.entry import FILE, LINK, TABLE, Entry
from artstore.settings import Settings
from artstore.storage.protocol import Storage
from artstore.transfer.sources import PathSet
from artstore.versions.entries import ArtifactEntry
from artstore.versions.labels import ArtifactTTL, Labels, VersionLabels
from artstore.versions.reader import PushSummary, VersionReader
from artstore.versions.version import LoggedVersion

if TYPE_CHECKING:
    from artstore.catalog.state import Pin
    from artstore.logged import LoggedArtifact
    from artstore.transfer.pushspec import PushSpec
    from artstore.versions.listing import ManifestView

__all__ = ["Artifact", "texts"]


_FILES: Final = frozenset((FILE, LINK, TABLE))


class _NotLoggedError(StateError, AttributeError):
    # Then `hasattr` says no, as of anything that is not there.
    pass


class Artifact(DraftBuilder, VersionReader):
    """
    A draft: add what belongs to it, then log it. From then on it is that version.

    Nothing is read before it is logged, except where `add_file` and `add_reference`
    say so.

    Args:
        name: `[A-Za-z0-9_.-]`, not first a dot, at most 128 characters.
        type: what kind of thing this is (`dataset`, `model`); fixed for all
            versions of a name. None: that of the versions before, or `dataset`.
        description: free text.
        metadata: JSON values under at most 100 names.
        incremental: what is added comes on top of what the newest version holds when
            this is logged; of that nothing is read or stored again.
        use_as: kept, as W&B has it; without effect.
    Raises:
        InvalidInputError: `name-invalid`, `value-invalid`.
    """

    def __init__(  # noqa: PLR0917 - W&B's
        self,
        name: str,
        type: str | None = None,  # noqa: A002 - the name users of W&B know
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        incremental: bool = False,  # noqa: FBT001, FBT002 - W&B's
        use_as: str | None = None,
    ) -> None:
        super().__init__()
        self._name = names.check_collection_name(name)
        self._type = None if type is None else names.check_type_name(type)
        self._project: str | None = None
        self._draft_labels = Labels()
        if description is not None:
            self._draft_labels.description = description
        if metadata is not None:
            self._draft_labels.give_metadata(metadata)
        self._use_as = use_as
        self._is_incremental = incremental
        if incremental:
            self._origin = DraftOrigin(None, PathSet())
        self._is_final = False
        self._version: LoggedVersion | None = None
        self._version_labels: VersionLabels | None = None
        self._push: PushSummary | None = None

    def __repr__(self) -> str:
        if self._version is None:
            return f"<artifact {self._name}, a draft>"
        return f"<artifact {self.qualified_name} {self.digest[:12]}>"

    # draft or version ------------------------------------------------------------------

    def is_draft(self) -> bool:
        """Whether it has no version yet."""
        return self._version is None

    def finalize(self) -> None:
        """Let nothing more be added or removed; logging does the same."""
        self._is_final = True

    def wait(self, timeout: float | None = None) -> Artifact:  # noqa: ARG002 - W&B's
        """The artifact itself: what was logged is there when the call that logs it returns."""
        return self

    @property
    def state(self) -> str:
        """`PENDING` for a draft, `COMMITTED` for a version, `DELETED` for a deleted one."""
        if self._version is None:
            return "PENDING"
        return "COMMITTED" if self._version.version.is_live else "DELETED"

    @property
    def incremental(self) -> bool:
        """Whether it is a draft that adds to the newest version."""
        return self._is_incremental

    @property
    def use_as(self) -> str | None:
        """As it was given."""
        return self._use_as

    @property
    def push(self) -> PushSummary:
        """What logging it did. Raises StateError `artifact-not-logged`, if it was looked up."""
        if self._push is None:
            raise _NotLoggedError(
                f"{self!r} was not logged here, so that nothing is known of it",
                code="artifact-not-logged",
            )
        return self._push

    def _logged(self) -> LoggedVersion:
        if self._version is None:
            raise _NotLoggedError(
                f"artifact {self._name} is a draft: it has no version to ask",
                code="artifact-not-logged",
                hint="log it first: art.log_artifact(artifact), or artifact.save()",
            )
        return self._version

    def _check_open(self) -> None:
        if self._version is not None or self._is_final:
            what = "finalized" if self._version is None else f"version {self.qualified_name}"
            raise StateError(
                f"artifact {self._name} is {what}: what it holds cannot be changed",
                code="artifact-finalized",
                hint="new_draft() of a version makes a draft of the next one",
            )

    def _become(self, version: LoggedVersion, *, push: PushSummary | None) -> None:
        """It has a version from now on, with the ttl that the draft was given."""
        seconds = self._draft_labels.ttl_seconds
        if seconds is not None and seconds != version.version.ttl_seconds:
            from artstore.catalog.requests import TtlRequest

            version.commit(TtlRequest(version.number, seconds))
        self._is_final = True
        self._version = version
        self._version_labels = VersionLabels(version)
        self._push = push

    def _push_spec(
        self,
        settings: Settings,
        storage: Storage,
        store_id: str,
        labels: tuple[Sequence[str], Sequence[str]],
        *,
        message: str | None,
        run: str | None,
    ) -> PushSpec:
        """What a push of the draft is to do, with further aliases and tags."""
        from artstore.additions import kept_version, sources_of
        from artstore.transfer.pushspec import PushSpec

        origin, own = self._origin, self._draft_labels
        if origin is not None and origin.version is not None:
            _check_same_store(origin.version, store_id)
        aliases, tags = dict.fromkeys([*own.aliases, *labels[0]]), [*own.tags, *labels[1]]
        return PushSpec(
            project=self._project or settings.project,
            name=self._name,
            type=self._type,
            sources=sources_of(self._additions, settings, storage),
            description=own.description,
            metadata=own.given_metadata,
            message=message,
            aliases=tuple(names.check_alias(alias) for alias in aliases if alias != "latest"),
            tags=tuple(names.check_tag(tag) for tag in dict.fromkeys(tags)),
            kept=kept_version(origin),
            run=run,
        )

    # what is said of it ----------------------------------------------------------------

    @property
    def name(self) -> str:
        """`mnist` of a draft, which may be changed; `mnist:v3` of a version."""
        if self._version is None:
            return self._name
        return f"{self._version.state.name}:{self.version}"

    @name.setter
    def name(self, name: str) -> None:
        self._check_unlogged("name")
        self._name = names.check_collection_name(name)

    @property
    def type(self) -> str | None:
        """`dataset`, `model`, ...; may be changed in a draft, where None means as before."""
        return self._type if self._version is None else self._version.state.type

    @type.setter  # noqa: A003 - as above
    def type(self, type: str | None) -> None:  # noqa: A002 - as above
        self._check_unlogged("type")
        self._type = None if type is None else names.check_type_name(type)

    @property
    def description(self) -> str | None:
        """What this is; of a version changed by `save`."""
        return self._labels.description

    @description.setter
    def description(self, text: str | None) -> None:
        self._labels.description = text

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values by name, to be changed in place too; of a version changed by `save`."""
        return self._labels.metadata

    @metadata.setter
    def metadata(self, values: Mapping[str, Any] | None) -> None:
        self._labels.metadata = values

    @property
    def aliases(self) -> list[str]:
        """
        Names it also has, to be changed in place too; of a version changed by `save`.

        `latest` comes first, if it is the newest version; it is computed and never set.
        """
        return self._labels.aliases

    @aliases.setter
    def aliases(self, texts: Iterable[str]) -> None:
        self._labels.aliases = texts

    @property
    def tags(self) -> list[str]:
        """Marks on this version, to be changed in place too; of a version changed by `save`."""
        return self._labels.tags

    @tags.setter
    def tags(self, texts: Iterable[str]) -> None:
        self._labels.tags = texts

    @property
    def ttl(self) -> timedelta | ArtifactTTL | None:
        """
        How long the version is to be kept after it was made; None: for ever.

        `art prune` and `Store.prune` delete it then, unless it is the newest one, has an alias, is
        pinned, or in use by a run; nothing else does. Of a version changed by `save`.
        """
        return self._labels.ttl

    @ttl.setter
    def ttl(self, ttl: timedelta | ArtifactTTL | None) -> None:
        self._labels.ttl = ttl

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Who keeps the version, and until when, over or not; of a draft nobody: `Store.pin`."""
        return () if self._version is None else self._version.version.pins

    @property
    def protected_aliases(self) -> list[str]:
        """Those of its aliases that stay where they are, and it with them: `Store.protect`."""
        version = self._version
        return [] if version is None else list(version.state.protected_aliases(version.version))

    @property
    def _labels(self) -> Labels:
        return self._draft_labels if self._version_labels is None else self._version_labels

    def _check_unlogged(self, what: str) -> None:
        if self._version is not None:
            raise StateError(
                f"the {what} of version {self.qualified_name} cannot be changed",
                code="artifact-finalized",
            )

    # what it holds ---------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes of all files. Cost: of a draft, a stat for each."""
        if self._version is not None:
            return self._version.version.size_bytes
        return sum(entry.size for entry in self._draft_entries() if entry.kind in _FILES)

    @property
    def file_count(self) -> int:
        """
        How many files it has.

        Of a draft those that are known: not what the newest version has, to which it adds.
        """
        if self._version is not None:
            return self._version.version.file_count
        return sum(entry.kind in _FILES for entry in self._draft_entries())

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """
        Files, symlinks, empty directories and references as stored records, by path.

        Cost: of a draft, every file is read; `manifest.entries` spares that.
        """
        if self._version is not None:
            return self._version.manifest().entries(prefix)
        return (e.stored for e in self._draft_entries() if e.path.startswith(prefix))

    def get_entry(self, name: str) -> ArtifactEntry:
        """
        The entry at a path.

        Raises:
            NotFoundError: `entry-not-found`.
        Cost: one segment; of a draft, a stat for each directory that was added.
        """
        if self._version is not None:
            return ArtifactEntry(self.entry(name), self, self._logged)
        found = self._at(name)
        if found is None:
            raise NotFoundError(
                f"{name!r} is not in this artifact", code="entry-not-found", path=name
            )
        return self._as_entry(found)

    def get_path(self, name: str) -> ArtifactEntry:
        """As `get_entry`."""
        return self.get_entry(name)

    def __getitem__(self, name: str) -> Any:
        # What was added as a value is given as one, by a version; a file as its entry.
        value = None if self._version is None else self.get(name)
        return self.get_entry(name) if value is None else value

    @property
    def manifest(self) -> ManifestView:
        """What it holds: `manifest.entries` is a mapping of paths to entries."""
        from artstore.versions.listing import EntryView, ManifestView

        return ManifestView(EntryView(self.get_entry, self._all_entries, self._entry_count))

    def _all_entries(self) -> Iterator[ArtifactEntry]:
        if self._version is None:
            return self._draft_entries()
        found = self._version.manifest().entries()
        return (ArtifactEntry(entry, self, self._logged) for entry in found)

    def _entry_count(self) -> int:
        if self._version is None:
            return sum(1 for _ in self._draft_entries())
        return self._version.version.entry_count

    def _draft_entries(self) -> Iterator[ArtifactEntry]:
        from artstore.additions import items_of

        return map(self._as_entry, items_of(self._additions, self._origin))

    # changing a version ----------------------------------------------------------------

    def save(self, project: str | None = None) -> None:
        """
        Log a draft into the default store; of a version, write what was changed.

        Args:
            project: where to, of a draft; that of the settings if left out.
        Raises:
            As `Store.log_artifact`; of a version `name-invalid`, `value-invalid`,
            NotFoundError `version-deleted`.
        Cost: of a version, one log entry each for description with metadata, aliases,
            tags and ttl.
        """
        if self._version_labels is not None:
            self._version_labels.save()
            return
        from artstore.defaultstore import default_store

        self._project = project or self._project
        default_store(project).log_artifact(self)

    def link(self, target_path: str, aliases: Sequence[str] | None = None) -> LoggedArtifact:
        """
        Make this version the next one of another name too, without copying anything.

        The link is a version by itself: it stays when this one is deleted. The newest
        version of that name stays as it is if it has the same content.

        Args:
            target_path: `name` in the same project, or `project/name`.
            aliases: names to move onto the link.
        Returns:
            The link.
        Raises:
            StateError: `artifact-not-logged`.
            InvalidInputError: `name-invalid`, `type-mismatch`.
            ConflictError: `content-condemned`, `content-vanished`.
        Cost: reads the list of files, one look for each pack they lie in, one log entry.
        """
        from artstore.logged import LoggedArtifact
        from artstore.versions.linking import link_version

        return LoggedArtifact(link_version(self._logged(), target_path, texts(aliases)))

    def unlink(self) -> None:
        """
        Delete a version that is a link, with its aliases; what it was made from stays.

        Raises:
            StateError: `artifact-not-logged`; `artifact-not-linked`, it is no link.
        """
        version = self._logged()
        if version.version.source is None:
            raise StateError(
                f"{version.qualified_name} is no link",
                code="artifact-not-linked",
                hint="delete() deletes a version",
            )
        self._delete(force=True)

    def delete(self, delete_aliases: bool = False) -> None:  # noqa: FBT001, FBT002 - W&B's
        """
        Delete the version: a tombstone, which `Store.restore` takes back. Frees nothing by itself.

        Args:
            delete_aliases: delete it although it has aliases, is pinned, or in use.
        Raises:
            StateError: `artifact-not-logged`, `alias-protected`; unless `delete_aliases`:
                `version-aliased`, `version-pinned`, `version-in-use`.
        """
        self._delete(force=delete_aliases)

    def _delete(self, *, force: bool) -> None:
        from artstore.garbage.deleting import delete_version

        version = self._logged()
        version.take(
            delete_version(version.place, version.state, version.number, force=force).state
        )
        assert self._version_labels is not None
        self._version_labels.forget()

    def new_draft(self) -> Artifact:
        """
        A draft of the next version, which begins with all that this one holds.

        Nothing is downloaded, and nothing of it is stored again.

        Raises:
            StateError: `artifact-not-logged`.
        Cost: one read, for description and metadata.
        """
        version = self._logged()
        draft = Artifact(version.state.name, version.state.type, self.description, self.metadata)
        draft._project = version.state.project
        draft._origin = DraftOrigin(version, PathSet())
        return draft

    # showing it --------------------------------------------------------------------------

    @property
    def json(self) -> dict[str, Any]:
        """
        All that a version tells of itself, as JSON values.

        Raises:
            StateError: `artifact-not-logged`.
        """
        from artstore.versions.showing import artifact_json

        return artifact_json(self)

    def json_encode(self) -> dict[str, Any]:
        """
        How a version is named in other JSON: id, name and number.

        Raises:
            StateError: `artifact-not-logged`.
        """
        return {
            "_type": "artifactVersion",
            "_version": "v0",
            "id": self.id,
            "version": self.version,
            "sequenceName": self.collection.name,
            "usedAs": self._use_as,
            "qualifiedName": self.qualified_name,
            "digest": self.digest,
        }

    def _repr_html_(self) -> str:
        from artstore.versions.showing import SHOWN_ENTRIES, artifact_facts, artifact_html

        first = list(islice(self._all_entries(), SHOWN_ENTRIES))
        facts = artifact_facts(self, is_logged=self._version is not None)
        return artifact_html(facts, first, self._entry_count())


def texts(values: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names as they are given: several, one, or none."""
    if values is None:
        return ()
    return (values,) if isinstance(values, str) else tuple(values)


def _check_same_store(version: LoggedVersion, store_id: str) -> None:
    if version.place.store_id != store_id:
        raise InvalidInputError(
            f"the draft begins with {version.qualified_name}, a version in another store",
            code="link-elsewhere",
            hint="log it into that store, or download the version and add the directory",
        )

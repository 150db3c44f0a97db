"""
Collections, types and projects of a store, as W&B's public API has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from artstore.catalog.retention import Retention
from artstore.errors import NotFoundError, StateError
from artstore.publicapi.listed import Listed
from artstore.publicapi.unoffered import Unoffered

if TYPE_CHECKING:
    from artstore.api import CollectionInfo, Store
    from artstore.catalog.state import VersionState
    from artstore.logged import LoggedArtifact

__all__ = ["ArtifactCollection", "ArtifactType", "PublicProject", "versions_of"]


def versions_of(store: Store, name: str, tags: tuple[str, ...] = ()) -> Listed[LoggedArtifact]:
    """The versions of `project/name` that are not deleted, the newest first."""

    def find() -> list[VersionState]:
        wanted = set(tags)
        live = [state for state in store.versions(name) if state.is_live]
        return [state for state in reversed(live) if wanted <= set(state.tags)]

    def open_one(state: VersionState) -> LoggedArtifact | None:
        try:
            return store.artifact(f"{name}:v{state.version}")
        except NotFoundError:
            return None

    return Listed(find, open_one)


class ArtifactCollection(Unoffered):
    """A named sequence of versions, as it was when it was looked up."""

    _instead: ClassVar = {
        "change_type": "the type of a collection stays what it is",
        "save": "a collection has no description and tags of its own; its versions have",
        "description": "its versions have one each",
    }

    def __init__(self, store: Store, info: CollectionInfo) -> None:
        self._store = store
        self._info = info

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.qualified_name} ({self.type})>"

    @property
    def id(self) -> str:
        """`project/name`."""
        return self.qualified_name

    @property
    def qualified_name(self) -> str:
        """`project/name`."""
        return f"{self.project}/{self.name}"

    @property
    def entity(self) -> str:
        """Empty: a store has no teams."""
        return ""

    @property
    def project(self) -> str:
        """Its project."""
        return self._info.project

    @property
    def name(self) -> str:
        """Its name."""
        return self._info.name

    @property
    def type(self) -> str:
        """What all of its versions are."""
        return self._info.type

    @property
    def tags(self) -> list[str]:
        """Those of the newest version."""
        return list(self._info.tags)

    @property
    def aliases(self) -> list[str]:
        """Names that are given to one of its versions now."""
        return list(self._info.aliases)

    @property
    def created_at(self) -> str:
        """When the first version was made. Cost: one scan."""
        return self._store.versions(self.qualified_name)[0].created

    @property
    def updated_at(self) -> str:
        """When the newest version was made."""
        return self._info.updated

    @property
    def retention(self) -> Retention:
        """
        What is kept when it is pruned; an empty rule keeps all.

        Setting it, to None for an empty one, writes it at once: one scan and one create.
        """
        return self._info.retention

    @retention.setter
    def retention(self, retention: Retention | None) -> None:
        self._store.set_retention(self.qualified_name, retention)
        self._info = self._info._replace(retention=retention or Retention())

    @property
    def protected_aliases(self) -> list[str]:
        """Aliases, set or not, that stay where they are: `Store.protect`."""
        return list(self._info.protected_aliases)

    def is_sequence(self) -> bool:
        """Whether versions are logged into it: always, a link makes a version here too."""
        return True

    def artifacts(self, per_page: int = 50) -> Listed[LoggedArtifact]:
        """Its versions, the newest first."""
        del per_page
        return versions_of(self._store, self.qualified_name)

    versions = artifacts

    def delete(self) -> None:
        """
        Delete all of its versions, aliases or not. `Store.restore` takes each back.

        Raises:
            StateError: `alias-protected`, before anything is deleted.
        """
        info = self._store.collection(self.qualified_name)
        for alias in info.aliases:
            if alias in info.protected_aliases:
                raise StateError(
                    f"{self.qualified_name} cannot be deleted: its alias {alias} is protected",
                    code="alias-protected",
                    hint=f"store.protect({self.qualified_name!r}, remove=[{alias!r}])",
                    alias=alias,
                )
        for version in self._store.versions(self.qualified_name):
            if version.is_live:
                self._store.delete(f"{self.qualified_name}:v{version.version}", force=True)


class ArtifactType(Unoffered):
    """What collections of a project are: `dataset`, `model`."""

    def __init__(self, store: Store, project: str, name: str) -> None:
        self._store = store
        self.project = project
        self.name = name

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name}>"

    @property
    def id(self) -> str:
        """The name."""
        return self.name

    def collections(self, per_page: int = 50) -> Listed[ArtifactCollection]:
        """Collections of this type, by name."""
        del per_page
        store = self._store
        return Listed(
            lambda: [one for one in store.collections(self.project) if one.type == self.name],
            lambda info: ArtifactCollection(store, info),
        )

    def collection(self, name: str) -> ArtifactCollection:
        """
        One of them.

        Raises:
            NotFoundError: `collection-not-found`.
        """
        return ArtifactCollection(self._store, self._store.collection(f"{self.project}/{name}"))


class PublicProject(Unoffered):
    """A project: a name, under which there are runs and artifacts."""

    _instead: ClassVar = {"sweeps": "sweeps are not part of a store"}

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def __repr__(self) -> str:
        return f"<Project {self.name}>"

    @property
    def id(self) -> str:
        """The name."""
        return self.name

    @property
    def entity(self) -> str:
        """Empty: a store has no teams."""
        return ""

    @property
    def path(self) -> list[str]:
        """`[entity, name]`, as W&B has it."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """Where the page shows it, below the address of `art serve`."""
        return f"/p/{self.name}"

    def artifacts_types(self, per_page: int = 50) -> Listed[ArtifactType]:
        """The types of its artifacts, by name."""
        del per_page
        store, name = self._store, self.name
        return Listed(
            lambda: sorted({one.type for one in store.collections(name)}),
            lambda kind: ArtifactType(store, name, kind),
        )

    def collections(self, per_page: int = 50) -> Listed[ArtifactCollection]:
        """All of its collections, by name."""
        del per_page
        store = self._store
        return Listed(
            lambda: store.collections(self.name), lambda info: ArtifactCollection(store, info)
        )

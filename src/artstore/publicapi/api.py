"""
`art.Api`: reading a store with the names of W&B's public API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from artstore.defaultstore import default_store
from artstore.errors import InvalidInputError, NotFoundError
from artstore.publicapi.artifactcollections import (
    ArtifactCollection,
    ArtifactType,
    PublicProject,
    versions_of,
)
from artstore.publicapi.listed import Listed
from artstore.publicapi.publicrun import PublicRun
from artstore.publicapi.unoffered import Unoffered

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.logged import LoggedArtifact

__all__ = ["Api"]

_PATH_PARTS = 3
_RUN_NAMES = ("run", "runs", "r")


class Api(Unoffered):
    """
    A store, as scripts written for W&B look at it.

    Paths may begin with a team, which is left out: `team/project/name:v3`, `team/project/run`.

    Args:
        overrides: `project`, where names without one are looked for; `url` of the store,
            if not that of the settings. Others are taken and mean nothing.
        timeout: taken, and means nothing; nor does `api_key`.
    """

    _instead: ClassVar = {
        "sweep": "sweeps are not part of a store",
        "reports": "reports are not part of a store; art serve shows tables and comparisons",
        "registries": "link versions into a collection: Artifact.link",
        "registry": "link versions into a collection: Artifact.link",
        "create_registry": "link versions into a collection: Artifact.link",
        "automations": "a store runs nothing by itself; alerts of a run can be sent",
        "automation": "a store runs nothing by itself; alerts of a run can be sent",
        "queue": "launch is not part of a store",
        "job": "launch is not part of a store",
        "create_run": "artstore.init begins a run",
        "create_project": "a project is there as soon as something is logged into it",
        "user": "a store has no accounts",
        "users": "a store has no accounts",
        "team": "a store has no teams",
    }

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        api_key: str | None = None,
    ) -> None:
        del timeout, api_key
        self._overrides = dict(overrides or {})

    def __repr__(self) -> str:
        return f"Api({self.store.url!r}, project={self.store.project!r})"

    @property
    def store(self) -> Store:
        """The store that is looked at."""
        from artstore.defaultstore import store_of
        from artstore.settings import resolve

        url, project = self._overrides.get("url"), self._overrides.get("project")
        return store_of(resolve(url, project)) if url else default_store(project)

    @property
    def settings(self) -> dict[str, Any]:
        """`entity`, `project` and `base_url`."""
        return {"entity": None, "project": self.store.project, "base_url": self.store.url}

    @property
    def default_entity(self) -> None:
        """None: a store has no teams."""
        return

    @property
    def viewer(self) -> None:
        """None: a store has no accounts."""
        return

    @property
    def api_key(self) -> None:
        """None: there is nothing to log in to."""
        return

    def flush(self) -> None:
        """Nothing is kept here that would have to be forgotten."""

    # artifacts -------------------------------------------------------------------------

    def artifact(self, name: str, type: str | None = None) -> LoggedArtifact:  # noqa: A002 - W&B's
        """
        Find a version. Raises as `Store.use_artifact`.
        """
        return self.store.use_artifact(name, type)

    def artifacts(
        self,
        type_name: str | None = None,
        name: str | None = None,
        order: str | None = None,
        per_page: int = 50,  # noqa: ARG002 - W&B's
        tags: Sequence[str] | str | None = None,
    ) -> Listed[LoggedArtifact]:
        """
        The versions of an artifact, the newest first.

        Args:
            order: `+created_at` for the oldest first.
            tags: only versions that have all of these.
        Raises:
            InvalidInputError: `value-invalid`, `type-mismatch`.
            NotFoundError: `collection-not-found`.
        """
        if name is None:
            raise InvalidInputError(
                "artifacts wants the name of an artifact",
                code="value-invalid",
                hint="artifact_collections(project, type) lists the names",
            )
        info = self._collection(name, type_name)
        wanted = (tags,) if isinstance(tags, str) else tuple(tags or ())
        found = versions_of(self.store, info.qualified_name, wanted)
        field = (order or "-created_at").lstrip("+-")
        if field not in ("created_at", "createdAt"):
            raise InvalidInputError(
                f"order={order!r} is neither +created_at nor -created_at", code="value-invalid"
            )
        if order is None or order.startswith("-"):
            return found
        return Listed(lambda: list(reversed(found)))

    artifact_versions = artifacts

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 - W&B's
        """Whether there is such a version, of that type."""
        return _is_found(lambda: self.artifact(name, type))

    def artifact_types(self, project: str | None = None) -> Listed[ArtifactType]:
        """The types of the artifacts of a project, by name."""
        return self.project(project).artifacts_types()

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """One type; nothing is asked of the store."""
        return ArtifactType(self.store, self._project(project), type_name)

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        per_page: int = 50,
    ) -> Listed[ArtifactCollection]:
        """The collections of a type, by name."""
        return self.artifact_type(type_name, project_name).collections(per_page)

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """
        One collection.

        Raises:
            NotFoundError: `collection-not-found`.
            InvalidInputError: `type-mismatch`.
        """
        return self._collection(name, type_name)

    def artifact_collection_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 - W&B's
        """Whether there is such a collection, of that type."""
        return _is_found(lambda: self._collection(name, type))

    def _collection(self, name: str, type_name: str | None) -> ArtifactCollection:
        store = self.store
        info = store.collection("/".join(_without_team(name)))
        store._check_type(f"{info.project}/{info.name}", info.type, type_name)  # noqa: SLF001 - one rule
        return ArtifactCollection(store, info)

    # runs ------------------------------------------------------------------------------

    def run(self, path: str = "") -> PublicRun:
        """
        One run: `id`, `project/id`, `team/project/id`.

        Raises:
            NotFoundError: `run-not-found`, with ids that are close.
            InvalidInputError: `name-invalid`.
        """
        parts = [part for part in _without_team(path) if part not in _RUN_NAMES]
        store = self.store
        return PublicRun(lambda: store, store.run("/".join(parts)))

    def runs(  # noqa: PLR0917 - W&B's
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str | None = "+created_at",
        per_page: int = 50,  # noqa: ARG002 - W&B's
        include_sweeps: bool = True,  # noqa: ARG002, FBT001, FBT002 - W&B's
        lazy: bool = True,  # noqa: ARG002, FBT001, FBT002 - W&B's
    ) -> Listed[PublicRun]:
        """
        The runs of a project.

        Args:
            path: `project` or `team/project`; that of the settings if left out.
            filters: in Mongo: `{"config.lr": {"$lt": 0.1}, "state": "finished"}`. `name` is
                the id or the name.
            order: a name with `+` or `-`: `-summary_metrics.acc`.
        Raises:
            When it is first looked at, as `Store.runs`.
        """
        store = self.store
        project = self._project(path)
        where = _named(filters) if filters else None
        return Listed(
            lambda: store.runs(project, where=where, sort=order or None),
            lambda stored: PublicRun(lambda: store, stored),
        )

    # projects --------------------------------------------------------------------------

    def projects(self, entity: str | None = None, per_page: int = 200) -> Listed[PublicProject]:
        """Projects with artifacts or runs, by name."""
        del entity, per_page
        store = self.store
        return Listed(
            lambda: sorted({*store.projects(), *store.run_projects()}),
            lambda name: PublicProject(store, name),
        )

    def project(self, name: str | None = None, entity: str | None = None) -> PublicProject:
        """One project; nothing is asked of the store."""
        del entity
        return PublicProject(self.store, self._project(name))

    def from_path(self, path: str) -> Any:
        """
        What stands at a path: `project`, `team/project/runs/id`, `team/project/name:v3`.

        Raises:
            NotFoundError: `run-not-found`, `collection-not-found`, `version-not-found`.
        """
        parts = path.strip("/").split("/")
        if ":" in parts[-1]:
            return self.artifact(path)
        if len(parts) == 1:
            return self.project(parts[0])
        if len(parts) == _PATH_PARTS - 1 and parts[0] in self.store.run_projects():
            return self.run(path)
        if len(parts) == _PATH_PARTS - 1:
            return self.project(parts[1])
        return self.run(path)

    def _project(self, path: str | None) -> str:
        parts = [part for part in (path or "").split("/") if part]
        return parts[-1] if parts else self.store.project


def _is_found(find: Callable[[], object]) -> bool:
    """Whether there is something, and of the type that was asked for."""
    try:
        find()
    except NotFoundError:
        return False
    except InvalidInputError as error:
        if error.code != "type-mismatch":
            raise
        return False
    return True


def _without_team(path: str) -> list[str]:
    """The last two parts of `team/project/name`; run paths may have `runs` between."""
    parts = [part for part in path.removeprefix("art://").split("/") if part]
    parts = [
        part
        for at, part in enumerate(parts)
        if not (0 < at < len(parts) - 1 and part in _RUN_NAMES)
    ]
    return parts[-2:]


def _named(filters: Any) -> Any:
    """W&B has a run's id as `name`: either is meant."""
    if isinstance(filters, Mapping):
        plain: dict[str, Any] = {}
        either: list[Any] = []
        for key, value in filters.items():
            if key == "name":
                either.append({"$or": [{"id": value}, {"name": value}]})
            else:
                plain[key] = _named(value) if key.startswith("$") else value
        if not either:
            return plain
        return {"$and": [*([plain] if plain else []), *either]}
    if isinstance(filters, (list, tuple)):
        return [_named(one) for one in filters]
    return filters

"""
What a sync is asked for: collections, versions and runs by name, or everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from artstore.catalog.runs.format import check_run_id
from artstore.errors import NotFoundError
from artstore.names import PLUMBING_TYPES, check_project_name, parse_artifact_name
from artstore.syncing.runmap import RunMap
from artstore.syncing.syncplace import SyncPlace, VersionKey
from artstore.syncing.versionmap import VersionMap

__all__ = ["RUN_PREFIX", "WantedNames", "wanted_by_name", "wanted_of_projects"]

RUN_PREFIX = "run:"


@dataclass(slots=True)
class WantedNames:
    """
    What is to be brought, in the order in which it is brought.

    Attributes:
        collections: of which every live version is wanted.
        versions: single ones.
        runs: project and id.
    """

    collections: dict[tuple[str, str], None] = field(default_factory=dict)
    versions: dict[VersionKey, None] = field(default_factory=dict)
    runs: dict[tuple[str, str], None] = field(default_factory=dict)


def wanted_by_name(
    names: Sequence[str], project: str, versions: VersionMap, runs: RunMap
) -> WantedNames:
    """
    What names mean: `[project/]name`, `[project/]name:v3`, `run:[project/]id`.

    Args:
        project: of names that state none.
    Raises:
        NotFoundError: `collection-not-found`, `version-not-found`, `alias-not-found`,
            `run-not-found`.
        InvalidInputError: `name-invalid`, `digest-ambiguous`.
    Cost: one scan a collection; one a project of runs.
    """
    wanted = WantedNames()
    for text in names:
        if text.startswith(RUN_PREFIX):
            *before, run_id = text.removeprefix(RUN_PREFIX).split("/")
            found = check_project_name(before[-1] if before else project), check_run_id(run_id)
            if found[1] not in runs.source_runs(found[0]):
                raise NotFoundError(
                    f"there is no run {found[0]}/{found[1]} in the source", code="run-not-found"
                )
            wanted.runs[found] = None
            continue
        parsed = parse_artifact_name(text)
        name = (parsed.project or project, parsed.name)
        state = versions.source_state(*name)
        if state is None:
            raise NotFoundError(
                f"there is no collection {name[0]}/{name[1]} in the source",
                code="collection-not-found",
            )
        if parsed.is_exact:
            wanted.versions[VersionKey(*name, state.resolve_name(parsed).version)] = None
        else:
            wanted.collections[name] = None
    return wanted


def wanted_of_projects(
    source: SyncPlace,
    projects: Iterable[str] | None,
    versions: VersionMap,
    runs: RunMap,
    *,
    with_plumbing: bool,
) -> WantedNames:
    """
    Every collection and every run.

    Args:
        projects: only these; all if None.
        with_plumbing: also views of the page, and what runs keep for themselves. Without it
            the latter come with the runs that made them.
    Cost: one scan of names a project, one scan a collection in each store.
    """
    wanted = WantedNames()
    catalog = source.place.catalog
    chosen = None if projects is None else list(projects)
    names = [
        (project, name)
        for project in (catalog.projects() if chosen is None else chosen)
        for name in catalog.collections(project)
    ]
    versions.preload(names)
    for name in names:
        if versions.is_redirect(*name):
            # Its versions are those of the collection that it leads to.
            continue
        if with_plumbing or versions.source_type(*name) not in PLUMBING_TYPES:
            wanted.collections[name] = None
    for project in source.runs.projects() if chosen is None else chosen:
        facts = runs.source_runs(project)
        for run_id in sorted(facts, key=lambda one: (str(facts[one]["created"]), one)):
            wanted.runs[project, run_id] = None
    return wanted

"""
The first page, and one project: which artifacts there are.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import NotFoundError
from artstore.names import PLUMBING_TYPES
from artstore.web.artifacts.records import collection_record, page_record
from artstore.web.artifacts.retained import garbage_record
from artstore.web.artifacts.versionruns import run_counts
from artstore.web.listing import cut_page, new_bytes, together
from artstore.web.routing import Answer, Page, Visit

if TYPE_CHECKING:
    from artstore.api import CollectionInfo, VersionState
    from artstore.web.site import Site

__all__ = ["PAGES", "show_project", "show_projects"]

_PAGE_SIZE: Final = 100
_RECENT_COUNT: Final = 12
_LOOKED_AT: Final = 200
"""Of more artifacts than that the first page does not find out which are recent."""


def show_projects(visit: Visit) -> Answer:
    """The projects of the store, the artifacts that were pushed to last, what gc is about to do."""
    store = visit.site.store
    names = sorted({*store.projects(), *store.run_projects()})
    if not names:
        visit.site.check_there()
    cut = cut_page(visit, len(names), _PAGE_SIZE)
    shown = names[cut.start : cut.stop]
    found = dict(zip(shown, together(store.collection_names, shown), strict=True))
    recent: list[CollectionInfo] | None = None
    if cut.page_count == 1 and sum(map(len, found.values())) <= _LOOKED_AT:
        pairs = [f"{project}/{name}" for project in shown for name in found[project]]
        infos = [info for info in _infos(visit.site, pairs) if info.updated and _is_listed(info)]
        recent = sorted(infos, key=lambda info: info.updated, reverse=True)[:_RECENT_COUNT]
    value = {
        "projects": [
            {"project": project, "collection_count": len(found[project]), "run_count": runs}
            for project, runs in zip(shown, run_counts(visit.site, shown), strict=True)
        ],
        "recent": None if recent is None else [collection_record(info, None) for info in recent],
        "garbage": garbage_record(visit.site) if names else None,
        "pages": page_record(*cut[:3]),
    }
    return Answer("artifacts/projects.html", value)


def show_project(visit: Visit) -> Answer:
    """
    The artifacts of one project, by type and name, and how many runs it has.

    Raises:
        NotFoundError: `project-not-found`.
    """
    site, project = visit.site, visit.params["project"]
    names = site.store.collection_names(project)
    if not names and project not in site.store.run_projects():
        raise NotFoundError(
            f"the store has no project {project!r}",
            code="project-not-found",
            hint="the first page lists those there are",
        )
    cut = cut_page(visit, len(names), _PAGE_SIZE)
    infos = _infos(site, [f"{project}/{name}" for name in names[cut.start : cut.stop]])
    infos = [info for info in infos if _is_listed(info)]
    infos.sort(key=lambda info: (info.type, info.name))
    records = [
        collection_record(info, brought)
        for info, brought in zip(infos, together(_brought(site), infos), strict=True)
    ]
    (run_count,) = run_counts(site, [project])
    value = {
        "project": project,
        "collections": records,
        "run_count": run_count,
        "pages": page_record(*cut[:3]),
    }
    by_type: list[tuple[str, list[dict[str, Any]]]] = [
        (kind, list(group)) for kind, group in groupby(records, lambda record: record["type"])
    ]
    return Answer("artifacts/project.html", value, shown={"by_type": by_type})


def _infos(site: Site, names: list[str]) -> list[CollectionInfo]:
    def info(name: str) -> CollectionInfo | None:
        try:
            return site.store.collection(name)
        except NotFoundError:
            # Begun, and never pushed to.
            return None

    return [found for found in together(info, names) if found is not None]


def _is_listed(info: CollectionInfo) -> bool:
    """Saved views have a list of their own, and so has what runs keep for themselves."""
    return info.type not in PLUMBING_TYPES


def _brought(site: Site) -> Any:
    """What the newest version of an artifact brought into the store."""

    def brought(info: CollectionInfo) -> int | None:
        if info.latest_version is None:
            return None
        name = f"{info.project}/{info.name}"
        newest: list[VersionState] = [
            state for state in site.store.versions(name) if state.version == info.latest_version
        ]
        return new_bytes(site, name, newest)[0] if newest else None

    return brought


PAGES: Final = (
    Page("/", show_projects, "projects"),
    Page("/p/{project}", show_project, "project"),
)

"""
Which runs made and used a version, and how many runs projects have: for pages of artifacts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.errors import ArtstoreError
from artstore.storeaccess import run_index_of
from artstore.web.listing import together

if TYPE_CHECKING:
    from artstore.catalog.state import VersionState
    from artstore.web.routing import Visit
    from artstore.web.site import Site

__all__ = ["made_by", "run_counts", "run_links", "version_runs"]

_SHOWN_MAX: Final = 50


def run_counts(site: Site, projects: list[str]) -> list[int]:
    """How many runs each project has, deleted ones left out. Cost: one scan each."""
    index = run_index_of(site.store)

    def counted(project: str) -> int:
        index.refresh(project)
        rows = index.members(project, [("run",), ("deleted",)])
        return sum(not deleted for _, deleted in rows)

    return together(counted, projects)


def made_by(state: VersionState) -> dict[str, str] | None:
    """The run that made a version, as the version itself says."""
    project, slash, run_id = (state.run or "").rpartition("/")
    return {"project": project, "id": run_id} if slash and project and run_id else None


def version_runs(site: Site, project: str, collection: str, state: VersionState) -> dict[str, Any]:
    """
    `run`, `inputs`, `used_by` and `used_by_count` of a version, as JSON gives them.

    Cost: one scan for each project with runs.
    """
    index = run_index_of(site.store)
    together(index.refresh, index.projects())
    edges = index.edges_of_versions([(f"{project}/{collection}", state.version)])
    used = {(one.project, one.run_id): None for one in edges if one.direction == "used"}
    now = clock.now_seconds()
    told = []
    for run_project, run_id in list(used)[:_SHOWN_MAX]:
        known = index.run(run_project, run_id)
        if known is not None:
            told.append(
                {
                    "project": run_project,
                    "id": run_id,
                    "name": known.whole["name"],
                    "state": current_state(known.whole, now),
                }
            )
    return {
        "run": made_by(state),
        "inputs": [
            {"project": one.project, "name": one.name, "version": f"v{one.version}"}
            for one in state.inputs
        ],
        "used_by": told,
        "used_by_count": len(used),
    }


def run_links(visit: Visit, project: str, run_id: str) -> str | None:
    """The page of a run, if it can have one: what a version says of its run may be anything."""
    from artstore.catalog.runs.format import check_run_id
    from artstore.names import check_project_name

    try:
        check_project_name(project)
        check_run_id(run_id)
    except ArtstoreError:
        return None
    if not visit.site.routes.has("run"):
        return None
    return visit.link("run", project=project, run=run_id)

"""
One artifact: its versions, or its log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from artstore.records import history_record, retention_record
from artstore.web.artifacts.historywords import history_details
from artstore.web.artifacts.records import listed_version, page_record
from artstore.web.artifacts.retained import collection_state, deleted_records
from artstore.web.artifacts.versionchoices import version_choices
from artstore.web.artifacts.versionruns import run_links
from artstore.web.listing import cut_page, messages, new_bytes
from artstore.web.routing import Answer, Page, Visit

if TYPE_CHECKING:
    from artstore.api import VersionState

__all__ = ["PAGES", "show_collection"]

_PAGE_SIZE: Final = 50
_HISTORY: Final = "history"


def show_collection(visit: Visit) -> Answer:
    """
    The versions of an artifact, the newest first; with `?show=history` what happened to it.

    Raises:
        NotFoundError: `collection-not-found`.
    """
    if visit.query.get("show") == _HISTORY:
        return _history(visit)
    site, name = visit.site, _name(visit)
    info = site.store.collection(name)
    log = collection_state(site, visit.params["project"], visit.params["collection"])
    states = [log.versions[number] for number in sorted(log.versions, reverse=True)]
    cut = cut_page(visit, len(states), _PAGE_SIZE)
    shown = states[cut.start : cut.stop]
    records = [
        listed_version(state, info.latest_version, message, brought, deleted)
        for state, message, brought, deleted in zip(
            shown,
            messages(site, name, shown),
            new_bytes(site, name, shown),
            deleted_records(site, log, shown),
            strict=True,
        )
    ]
    value = {
        **_head(visit, info.type),
        "latest_version": None if info.latest_version is None else f"v{info.latest_version}",
        "version_count": info.version_count,
        "deleted_count": sum(not state.is_live for state in states),
        "retention": retention_record(log.retention),
        "protected_aliases": sorted(log.protected),
        "versions": records,
        "pages": page_record(*cut[:3]),
    }
    links = [
        one["run"] and run_links(visit, one["run"]["project"], one["run"]["id"]) for one in records
    ]
    aliases = _aliases(states)
    shown_names = {
        "aliases": aliases,
        "choices": version_choices(states),
        "rule": "" if log.retention.is_empty else str(log.retention),
        "unset_protected": sorted(log.protected.difference(alias for alias, _ in aliases)),
        "run_links": links,
        "has_runs": any(links),
    }
    return Answer("artifacts/collection.html", value, shown=shown_names)


def _history(visit: Visit) -> Answer:
    name = _name(visit)
    info = visit.site.store.collection(name)
    entries = visit.site.store.history(name)[::-1]
    cut = cut_page(visit, len(entries), _PAGE_SIZE)
    value = {
        **_head(visit, info.type),
        "history": [history_record(entry) for entry in entries[cut.start : cut.stop]],
        "pages": page_record(*cut[:3]),
    }
    told = [history_details(item["kind"], item["details"]) for item in value["history"]]
    return Answer("artifacts/history.html", value, shown={"told": told})


def _head(visit: Visit, kind: str) -> dict[str, Any]:
    params = visit.params
    return {"project": params["project"], "name": params["collection"], "type": kind}


def _name(visit: Visit) -> str:
    return f"{visit.params['project']}/{visit.params['collection']}"


def _aliases(states: list[VersionState]) -> list[tuple[str, str]]:
    """(alias, version), the newest version first: whatever page they are on."""
    return [
        (alias, f"v{state.version}")
        for state in states
        if state.is_live
        for alias in sorted(state.aliases)
    ]


PAGES: Final = (Page("/p/{project}/c/{collection}", show_collection, "collection"),)

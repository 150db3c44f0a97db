"""
What is kept and what may go: pins, protected aliases, restore windows, the open plan of gc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore.errors import ArtstoreError
from artstore.garbage.restoring import (
    condemned_here,
    open_plan,
    recent_plans,
    restorable_until,
)
from artstore.records import pin_records
from artstore.storeaccess import place_of
from artstore.web.listing import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artstore.catalog.state import CollectionState, VersionState
    from artstore.web.site import Site

__all__ = ["collection_state", "deleted_records", "garbage_record", "kept_record"]


def collection_state(site: Site, project: str, collection: str) -> CollectionState:
    """
    All that the log of a collection says. Cost: one scan.

    Raises:
        NotFoundError: `collection-not-found`.
    """
    return place_of(site.store).catalog.state(project, collection)


def kept_record(state: VersionState, protected: Sequence[str]) -> dict[str, Any]:
    """What keeps a version, and how long: as `art show --json` tells it."""
    return {
        "ttl_seconds": state.ttl_seconds,
        "pins": pin_records(state.pins),
        "protected_aliases": [alias for alias in state.aliases if alias in protected],
    }


def deleted_records(
    site: Site, state: CollectionState, versions: Sequence[VersionState]
) -> list[dict[str, Any] | None]:
    """
    Who deleted each version, when, and until when it can be restored; None of those that live.

    Cost: one or two stats for each that is deleted, several at once; where gc came by, one scan.
    """
    place = place_of(site.store)
    has_deleted = any(not version.is_live for version in versions)
    condemned = condemned_here(place.storage, state) if has_deleted else {}

    def told(version: VersionState) -> dict[str, Any] | None:
        gone = version.deleted
        if gone is None:
            return None
        return {
            "by": gone.by,
            "time": gone.time,
            "is_purged": gone.is_purged,
            "restorable_until": restorable_until(place.storage, state, version, condemned),
        }

    return together(told, versions)


def garbage_record(site: Site) -> dict[str, Any] | None:
    """
    The open plan of gc and the last one that was carried out.

    Returns:
        None where gc never planned anything, or its log cannot be read: `art check` tells.
    Cost: one scan and one batch of reads; one stat if a plan is open.
    """
    storage = place_of(site.store).storage
    try:
        found = recent_plans(storage)
        plan = None if found.open is None else open_plan(storage, found.open)
    except ArtstoreError:
        return None
    swept = found.swept
    if plan is None and swept is None:
        return None
    return {
        "open_plan": None
        if plan is None
        else {
            "number": plan.number,
            "created_at": plan.time,
            "created_by": plan.by,
            "key_count": plan.key_count,
            "sweep_after": plan.sweep_after,
        },
        "last_sweep": None
        if swept is None
        else {"number": swept.number, "time": swept.time, "by": swept.by},
    }

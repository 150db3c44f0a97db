"""
What became of a value that a reader missed: which plan of gc took it, and whose versions went.

A pull or a training run that began before its version was deleted may read on until gc
comes by. Then it is told so by name, and not that the store were damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from artstore.catalog.catalog import Catalog
from artstore.catalog.state import CollectionState, VersionState
from artstore.catalog.upkeeplog import Plan
from artstore.errors import ArtstoreError, NotFoundError

__all__ = ["taken_error"]

_SHOWN_COUNT: Final = 3


def taken_error(catalog: Catalog, error: ArtstoreError) -> ArtstoreError:
    """
    The error to raise instead of `error`, which says that a value of a version is missing.

    Returns:
        NotFoundError `content-swept` if gc deleted it, naming the plan and the versions that
        this process has looked up and that were deleted before; else `error` itself.
    Cost: one scan of the log of gc and of each log that was looked at; for a missing value only.
    """
    key = error.context.get("key")
    if not isinstance(key, str):
        return error
    try:
        plan = _plan_of(catalog, key)
        gone = [] if plan is None else list(_deleted_before(catalog, plan))
    except ArtstoreError:
        return error
    if plan is None:
        return error
    told = ""
    if gone:
        state, version = gone[0]
        deleted = version.deleted
        assert deleted is not None
        told = (
            f"{state.qualified_name}:v{version.version} was deleted by {deleted.by} "
            f"at {deleted.time}, and "
        )
    return NotFoundError(
        f"{told}gc has taken {key}: plan {plan.k}, made by {plan.by} at {plan.time}",
        code="content-swept",
        hint="keep what is read for long: art pin NAME:V --until 30d; "
        "if the version that you read is not deleted: art check --repair",
        key=key,
        plan=plan.k,
        versions=[
            f"{state.qualified_name}:v{version.version}" for state, version in gone[:_SHOWN_COUNT]
        ],
    )


def _plan_of(catalog: Catalog, key: str) -> Plan | None:
    """The last plan that deleted a key, as far as its list is still there."""
    upkeep = catalog.upkeep
    state = upkeep.refresh()
    for k in sorted(state.sweeps, reverse=True):
        plan, sweep = state.plans[k], state.sweeps[k]
        try:
            if key in upkeep.condemned(k) and key not in upkeep.spared(sweep):
                return plan
        except ArtstoreError:
            continue  # its list was too old to be kept
    return None


def _deleted_before(catalog: Catalog, plan: Plan) -> Iterator[tuple[CollectionState, VersionState]]:
    """Versions of collections looked at here whose tombstones the plan may have counted."""
    for state in catalog.known_states():
        for version in reversed(state.versions.values()):  # type: ignore[call-overload]
            if version.deleted is not None and version.deleted.time <= plan.time:
                yield state, version

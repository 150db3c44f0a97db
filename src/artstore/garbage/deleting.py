"""
Deleting one version, and taking that back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from artstore import clock
from artstore.catalog.operations import evaluate
from artstore.catalog.requests import DeleteRequest, RestoreRequest
from artstore.errors import ArtstoreError, ConflictError, StateError
from artstore.garbage.running import RunInputs
from artstore.garbage.storetime import store_now

if TYPE_CHECKING:
    from artstore.catalog.catalog import Committed
    from artstore.catalog.fences import ContentUse
    from artstore.catalog.state import CollectionState, VersionState
    from artstore.transfer.place import StorePlace

__all__ = ["delete_version", "restore_version"]

_GONE: Final = frozenset(
    [
        "content-condemned",
        "content-swept",
        "content-vanished",
        "manifest-missing",
        "pack-missing",
    ]
)
"""What restoring meets where gc came by."""


def delete_version(
    place: StorePlace, state: CollectionState, number: int, *, force: bool
) -> Committed:
    """
    Write a tombstone.

    Args:
        state: of the collection, as it was looked up.
        force: although it has aliases, is pinned, or a running run uses it.
    Raises:
        StateError: `alias-protected`; without force `version-aliased`, `version-pinned`,
            `version-in-use`, with `runs`.
        NotFoundError: `version-not-found`.
    Cost: one scan and one create. Without force also one scan of names, and where there are
        runs what `RunInputs.users` costs, and one create and one stat.
    """
    request = DeleteRequest(number, force=force)
    if not force:
        request = _checked(place, state, request)
    return place.catalog.commit(state.project, state.name, request)


def _checked(place: StorePlace, state: CollectionState, request: DeleteRequest) -> DeleteRequest:
    now = None
    version = state.versions.get(request.version)
    if version is not None and version.pins:
        # Only the store can say whether they are over.
        now = store_now(place.storage)
        request = DeleteRequest(request.version, now=clock.format_time(now))
    # What the log refuses is refused before anybody asks for runs.
    evaluate(request, state)
    if version is None or not version.is_live or not place.run_index.projects():
        return request
    now = store_now(place.storage) if now is None else now
    runs = RunInputs(place.storage, place.run_index, now).users(state, [request.version])
    if runs:
        text = f"{state.qualified_name}:v{request.version}"
        shown = runs[request.version]
        raise StateError(
            f"{text} is in use by run {', '.join(shown)}, which "
            + ("still runs" if len(shown) == 1 else "still run"),
            code="version-in-use",
            hint=f"art rm {text} --force",
            runs=list(shown),
        )
    return request


def restore_version(
    place: StorePlace,
    project: str,
    name: str,
    number: int,
    content_of: Callable[[VersionState], ContentUse],
) -> Committed:
    """
    Take a tombstone back.

    Args:
        content_of: what the version references, as of `RestoreRequest`.
    Raises:
        ConflictError: `content-condemned`, `content-vanished`: gc came by; the message says
            who deleted the version and when, and which plan took its content.
        StateError: `version-purged`.
        NotFoundError: `version-not-found`.
    Cost: one scan and one create; if gc came by since, reads the list of files, and one stat
        for each key that it names.
    """
    try:
        return place.catalog.commit(project, name, RestoreRequest(number, content_of))
    except ArtstoreError as error:
        if error.code not in _GONE:
            raise
        raise _too_late(place, project, name, number, error) from error


def _too_late(
    place: StorePlace, project: str, name: str, number: int, error: ArtstoreError
) -> ArtstoreError:
    """What happened, and when."""
    state = place.catalog.state(project, name)
    version = state.versions.get(number)
    if version is None or version.deleted is None:
        return error
    gone = version.deleted
    plans = place.catalog.upkeep_state().plans
    behind = [
        plans[fence.plan] for fence in state.fences if fence.n > gone.n and fence.plan in plans
    ]
    told = "gc has deleted its content"
    if error.code == "content-condemned":
        told = "gc is about to delete its content"
    if behind:
        told += f": plan {behind[0].k}, made by {behind[0].by} at {behind[0].time}"
    is_condemned = error.code == "content-condemned"
    return ConflictError(
        f"{state.qualified_name}:v{number} was deleted by {gone.by} at {gone.time} and cannot be "
        f"restored: {told}",
        code="content-condemned" if is_condemned else "content-vanished",
        hint=f"push the files again; its digest is {version.digest[:12]}",
        digest=version.digest,
    )

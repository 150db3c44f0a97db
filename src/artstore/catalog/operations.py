"""
What a commit decides: pure functions (state at n-1, request) -> entry or refusal.

They are evaluated again on the new state after every lost race (C4), so that a
rule that held at 12 also holds when the entry lands at 14. What deletes, restores and keeps
versions stands in `keeping.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import singledispatch
from typing import Any

from artstore import names
from artstore.catalog import keeping
from artstore.catalog.format import VERSION_MAX, Body
from artstore.catalog.requests import (
    AliasRequest,
    Applied,
    CreateRequest,
    DeleteRequest,
    DescribeRequest,
    FenceRequest,
    PinRequest,
    ProtectRequest,
    PruneRequest,
    Published,
    PublishRequest,
    PurgeRequest,
    RestoreRequest,
    RetentionRequest,
    Settled,
    Step,
    TagRequest,
    TtlRequest,
    Unchanged,
    UnpinRequest,
    Write,
)
from artstore.catalog.state import CollectionState, Origin, Source, VersionState
from artstore.errors import (
    ConflictError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    StateError,
)

__all__ = ["evaluate"]

# --- Decisions ----------------------------------------------------------------------


@singledispatch
def evaluate(request: Any, state: CollectionState) -> Step:  # noqa: ARG001
    """
    Decide what `request` writes after `state`.

    No clock takes part: what depends on a time states it in the request.

    Raises:
        NotFoundError: `collection-not-found`, `version-not-found`,
            `version-deleted`, `alias-not-found`, `pin-not-found`.
        StateError: `version-aliased`, `version-pinned`, `version-purged`, `draft-not-open`,
            `alias-protected`, `version-not-deleted`.
        ConflictError: `version-superseded`.
        InvalidInputError: `type-mismatch`, `name-invalid`.
    """
    raise TypeError(f"not a request: {request!r}")


@evaluate.register
def _create(request: CreateRequest, state: CollectionState) -> Step:
    if state.exists:
        _check_type(request.type, state)
        return Settled(Unchanged(None))
    return Write(_creation(request.type, state), Applied())


@evaluate.register
def _publish(request: PublishRequest, state: CollectionState) -> Step:
    for alias in request.aliases:
        names.check_alias(alias)
    for tag in request.tags:
        names.check_tag(tag)
    if not state.exists:
        return Write(_creation(request.type, state), None)
    _check_type(request.type, state)
    made = _made_before(request, state)
    if made is not None:
        return Settled(Published(made.version, is_repeated=True))
    # Whether a newer one was lost is not known: then the same content is published again.
    newest = None if state.is_in_doubt else state.latest
    if request.follows is not None:
        _check_follows(request.follows, state)
    state.check_movable(request.aliases, newest)
    is_same = newest is not None and newest.digest == request.digest
    if newest is not None and is_same and request.draft is None and request.origin is None:
        return _label_newest(request, newest)
    if request.draft is not None and state.drafts.get(request.draft, -1) is not None:
        raise StateError(
            f"draft {request.draft} of {state.qualified_name} is not open",
            code="draft-not-open",
        )
    state.check_movable(request.aliases, None)
    number = state.highest + 1
    if request.origin is not None:
        number = max(number, request.origin.version)
    if number > VERSION_MAX:
        raise LimitExceededError(
            f"{state.qualified_name} has used up its version numbers", code="limit-exceeded"
        )
    fields = _version_fields(request, number)
    kind = "publish" if request.source is None else "link"
    return Write((kind, fields), Published(number), needs_content=True)


def _version_fields(request: PublishRequest, number: int) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "version": number,
        "digest": request.digest,
        "root": request.root,
        "push": request.push,
        "size_bytes": request.size_bytes,
        "file_count": request.file_count,
        "entry_count": request.entry_count,
        "aliases": _distinct(request.aliases),
        "tags": _distinct(request.tags),
    }
    if request.draft is not None:
        fields["draft"] = request.draft
    if request.run is not None:
        fields["run"] = request.run
    if request.inputs:
        fields["inputs"] = [_source_fields(source) for source in request.inputs]
    if request.origin is not None:
        fields["origin"] = _origin_fields(request.origin)
    if request.source is not None:
        fields["source"] = _source_fields(request.source)
    return fields


def _source_fields(source: Source) -> dict[str, Any]:
    return {name: value for name, value in asdict(source).items() if value != ""}


def _origin_fields(origin: Origin) -> dict[str, Any]:
    return {
        "store": origin.store,
        "artifact": f"{origin.project}/{origin.name}",
        "version": origin.version,
        "time": origin.created,
        "by": origin.by,
    }


def _check_follows(number: int, state: CollectionState) -> None:
    found = -1 if state.latest is None else state.latest.version
    if found != number:
        raise ConflictError(
            f"{state.qualified_name}:v{found} came before what was to follow "
            + (f"v{number}" if number >= 0 else "nothing"),
            code="version-superseded",
            hint="run the same command again",
        )


def _made_before(request: PublishRequest, state: CollectionState) -> VersionState | None:
    # C5: a lost answer, or a second finisher of a draft. What was deleted since
    # counts for this very push only: a push made again is to be there again.
    made = state.find_push(request.push)
    if made is None and request.origin is not None:
        # Deleted since or not: what was taken away here is not brought again.
        made = state.find_origin(request.origin.identity)
    if made is not None:
        return made
    if request.draft is not None and (number := state.drafts.get(request.draft)) is not None:
        return state.versions.get(number)  # none for one that was abandoned
    if not request.earlier_pushes:
        return None
    return next(
        (
            version
            for version in reversed(state.live)
            if version.push in request.earlier_pushes and version.digest == request.digest
        ),
        None,
    )


def _label_newest(request: PublishRequest, newest: VersionState) -> Step:
    """Same content as the newest live version (C8): new aliases and tags are their own entries."""
    aliases = [alias for alias in _distinct(request.aliases) if alias not in newest.aliases]
    if aliases:
        fields = {"version": newest.version, "add": aliases, "remove": []}
        return Write(("alias", fields), None)
    tags = [tag for tag in _distinct(request.tags) if tag not in newest.tags]
    if tags:
        fields = {"version": newest.version, "add": tags, "remove": []}
        return Write(("tag", fields), None)
    return Settled(Unchanged(newest.version))


@evaluate.register
def _alias(request: AliasRequest, state: CollectionState) -> Step:
    version = _live(request.version, state)
    for alias in (*request.add, *request.remove):
        names.check_alias(alias)
    _check_disjoint(request.add, request.remove)
    for alias in request.remove:
        if alias not in version.aliases:
            where = state.aliases.get(alias)
            raise NotFoundError(
                f"{state.qualified_name}:v{version.version} has no alias {alias!r}"
                + (f"; v{where} has it" if where is not None else ""),
                code="alias-not-found",
            )
    state.check_movable(request.add, version)
    state.check_movable(request.remove, None)
    add = [alias for alias in _distinct(request.add) if alias not in version.aliases]
    return _labels("alias", version.version, add, _distinct(request.remove))


@evaluate.register
def _tag(request: TagRequest, state: CollectionState) -> Step:
    version = _live(request.version, state)
    for tag in (*request.add, *request.remove):
        names.check_tag(tag)
    _check_disjoint(request.add, request.remove)
    add = [tag for tag in _distinct(request.add) if tag not in version.tags]
    remove = [tag for tag in _distinct(request.remove) if tag in version.tags]
    return _labels("tag", version.version, add, remove)


def _labels(kind: str, version: int, add: list[str], remove: list[str]) -> Step:
    if not add and not remove:
        return Settled(Unchanged(version))
    return Write((kind, {"version": version, "add": add, "remove": remove}), Applied(version))


@evaluate.register
def _describe(request: DescribeRequest, state: CollectionState) -> Step:
    version = _live(request.version, state)
    if version.meta == request.meta:
        return Settled(Unchanged(version.version))
    fields = {"version": version.version, "meta": request.meta}
    # Nothing names the value before this entry: who slept since it was written may have lost it.
    return Write(("describe", fields), Applied(version.version), needs_content=True)


@evaluate.register
def _ttl(request: TtlRequest, state: CollectionState) -> Step:
    version = _live(request.version, state)
    if version.ttl_seconds == request.seconds:
        return Settled(Unchanged(version.version))
    fields = {"version": version.version, "seconds": request.seconds}
    return Write(("ttl", fields), Applied(version.version))


@evaluate.register
def _fence(request: FenceRequest, state: CollectionState) -> Step:
    if any(fence.plan == request.plan and fence.n > request.after for fence in state.fences):
        return Settled(Unchanged(None))
    return Write(("fence", {"plan": request.plan}), Applied())


evaluate.register(DeleteRequest)(keeping.delete)
evaluate.register(PruneRequest)(keeping.prune)
evaluate.register(RestoreRequest)(keeping.restore)
evaluate.register(PurgeRequest)(keeping.purge)
evaluate.register(PinRequest)(keeping.pin)
evaluate.register(UnpinRequest)(keeping.unpin)
evaluate.register(RetentionRequest)(keeping.retain)
evaluate.register(ProtectRequest)(keeping.protect)


def _creation(type_name: str, state: CollectionState) -> Body:
    names.check_type_name(type_name)
    return "create", {"project": state.project, "name": state.name, "type": type_name}


def _check_type(wanted: str, state: CollectionState) -> None:
    if state.type != wanted:
        raise InvalidInputError(
            f"{state.qualified_name} has artifacts of type {state.type}, not {wanted}",
            code="type-mismatch",
            hint=f"use --type {state.type}, or another name",
        )


def _check_disjoint(add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    both = sorted(set(add) & set(remove))
    if both:
        raise InvalidInputError(
            f"{', '.join(both)} cannot be added and removed at once", code="name-invalid"
        )


def _live(number: int, state: CollectionState) -> VersionState:
    state.check_exists()
    return state.version(number)


def _distinct(items: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(items))

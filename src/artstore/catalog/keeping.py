"""
What a commit decides of deleting and keeping versions: tombstones, pins, protection, rules.

Pure, as all of `operations.py`, which registers them.
"""

from __future__ import annotations

from typing import Any

from artstore import names
from artstore.catalog.choosing import choose
from artstore.catalog.requests import (
    Applied,
    DeleteRequest,
    PinRequest,
    ProtectRequest,
    PruneRequest,
    PurgeRequest,
    RestoreRequest,
    RetentionRequest,
    Settled,
    Step,
    Unchanged,
    UnpinRequest,
    Write,
)
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import NotFoundError, StateError

__all__ = ["delete", "pin", "protect", "prune", "purge", "restore", "retain", "unpin"]


def delete(request: DeleteRequest, state: CollectionState) -> Step:
    """A tombstone, unless aliases or pins keep the version."""
    state.check_exists()
    version = state.versions.get(request.version)
    if version is not None and not version.is_live:
        # The same rm again, perhaps after a lost answer: what was wanted is so.
        return Settled(Unchanged(version.version))
    version = state.version(request.version)
    text = f"{state.qualified_name}:v{version.version}"
    _check_unprotected(state, version, "deleted")
    if version.aliases and not request.force:
        raise StateError(
            f"{text} has the alias{'es' if len(version.aliases) > 1 else ''} "
            f"{', '.join(version.aliases)}",
            code="version-aliased",
            hint=f"art rm {text} --force",
        )
    pins = [one for one in version.pins if request.now is None or one.until > request.now]
    if pins and not request.force:
        raise StateError(
            f"{text} is pinned by {', '.join(f'{one.holder} until {one.until}' for one in pins)}",
            code="version-pinned",
            hint=f"art rm {text} --force",
        )
    return _tombstone(version)


def prune(request: PruneRequest, state: CollectionState) -> Step:
    """A tombstone, if the rule gives the version up in this very state (G4)."""
    version = state.versions.get(request.version)
    if version is None or not version.is_live:
        return Settled(Unchanged(request.version))
    if state.head_n != request.decided_at:
        rule = state.retention if request.rule is None else request.rule
        verdicts = choose(state, rule, request.times, request.now_seconds, request.held)
        if not any(one.goes for one in verdicts if one.version == version.version):
            return Settled(Unchanged(version.version))
    return _tombstone(version)


def restore(request: RestoreRequest, state: CollectionState) -> Step:
    """The tombstone is taken back; what the version references is checked then."""
    state.check_exists()
    version = state.versions.get(request.version)
    if version is None or version.is_live:
        # Unknown numbers are refused in the words of every other look-up.
        return Settled(Unchanged(state.version(request.version).version))
    if version.deleted is not None and version.deleted.is_purged:
        raise StateError(
            f"{state.qualified_name}:v{version.version} was purged by {version.deleted.by}; "
            "its content is gone for good",
            code="version-purged",
        )
    fields = {"version": version.version}
    return Write(("restore", fields), Applied(version.version), needs_content=True)


def purge(request: PurgeRequest, state: CollectionState) -> Step:
    """What is deleted is given up for good; what is live is not touched."""
    state.check_exists()
    version = state.versions.get(request.version)
    if version is None or version.deleted is None:
        version = state.version(request.version)
        _check_unprotected(state, version, "purged")
        raise StateError(
            f"{state.qualified_name}:v{version.version} is not deleted, and only what is deleted "
            "is purged",
            code="version-not-deleted",
            hint=f"art rm {state.qualified_name}:v{version.version}",
        )
    if version.deleted.is_purged:
        return Settled(Unchanged(version.version))
    return Write(("purge", {"version": version.version}), Applied(version.version))


def pin(request: PinRequest, state: CollectionState) -> Step:
    """A pin, unless the holder has it to that moment already."""
    version = _live(request.version, state)
    names.check_holder(request.holder)
    if any((one.holder, one.until) == (request.holder, request.until) for one in version.pins):
        return Settled(Unchanged(version.version))
    fields = {"version": version.version, "until": request.until, "holder": request.holder}
    return Write(("pin", fields), Applied(version.version))


def unpin(request: UnpinRequest, state: CollectionState) -> Step:
    """The pin of one holder goes."""
    version = _live(request.version, state)
    names.check_holder(request.holder)
    holders = [one.holder for one in version.pins]
    if request.holder not in holders:
        others = f"; others have: {', '.join(holders)}" if holders else ""
        raise NotFoundError(
            f"{request.holder} has no pin on {state.qualified_name}:v{version.version}{others}",
            code="pin-not-found",
            holders=holders,
        )
    fields = {"version": version.version, "holder": request.holder}
    return Write(("unpin", fields), Applied(version.version))


def retain(request: RetentionRequest, state: CollectionState) -> Step:
    """The rule is another one from now on; what is protected stays so."""
    state.check_exists()
    if state.retention == request.rule:
        return Settled(Unchanged(None))
    return Write(("retention", request.rule.fields(state.protected)), Applied())


def protect(request: ProtectRequest, state: CollectionState) -> Step:
    """Other aliases are protected from now on; the rule stays."""
    state.check_exists()
    for alias in (*request.add, *request.remove):
        names.check_alias(alias)
    protected = (state.protected | set(request.add)) - set(request.remove)
    if protected == state.protected:
        return Settled(Unchanged(None))
    return Write(("retention", state.retention.fields(protected)), Applied())


def _tombstone(version: VersionState) -> Step:
    fields: dict[str, Any] = {"version": version.version}
    return Write(("delete", fields), Applied(version.version))


def _check_unprotected(state: CollectionState, version: VersionState, what: str) -> None:
    protected = state.protected_aliases(version)
    if protected:
        raise StateError(
            f"{state.qualified_name}:v{version.version} cannot be {what}: its alias "
            f"{protected[0]} is protected",
            code="alias-protected",
            hint=f"art protect {state.qualified_name} {protected[0]} --remove",
            alias=protected[0],
            version=version.version,
        )


def _live(number: int, state: CollectionState) -> VersionState:
    state.check_exists()
    return state.version(number)

"""
What can be asked of a collection's log, and what comes of it: records.

`operations.evaluate` decides what each of them writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from artstore.catalog.fences import ContentUse
from artstore.catalog.format import Body
from artstore.catalog.retention import Retention
from artstore.catalog.state import Origin, Source, VersionState

__all__ = [
    "AliasRequest",
    "Applied",
    "CreateRequest",
    "DeleteRequest",
    "DescribeRequest",
    "FenceRequest",
    "Outcome",
    "PinRequest",
    "ProtectRequest",
    "PruneRequest",
    "PublishRequest",
    "Published",
    "PurgeRequest",
    "Request",
    "RestoreRequest",
    "RetentionRequest",
    "Settled",
    "Step",
    "TagRequest",
    "TtlRequest",
    "Unchanged",
    "UnpinRequest",
    "Write",
]

# --- Requests -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """Make the collection if it is not there."""

    type: str


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """
    Make a version, or find that it is there.

    Args:
        digest: of the artifact, hex: what "same content" compares.
        root: key of the manifest root.
        push: the id of this push, 16 hex digits; the entry states it.
        earlier_pushes: ids of attempts whose outcome is unknown (the journal).
        uses: what must not be about to be deleted.
        draft: the draft this finishes.
        follows: the version that must be the newest one, -1 for none; None: any may be.
        source: the version that this is a link to.
        run: `project/run id` of the run that makes it.
        inputs: versions that it names: by links, in joined tables, of queries.
        origin: the version of another store that it is a copy of: published once, whatever
            the newest one holds, under the number it has there if that is free.
    """

    type: str
    digest: str
    root: str
    push: str
    size_bytes: int
    file_count: int
    entry_count: int
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    uses: ContentUse = field(default_factory=ContentUse)
    earlier_pushes: frozenset[str] = frozenset()
    draft: str | None = None
    follows: int | None = None
    source: Source | None = None
    run: str | None = None
    inputs: tuple[Source, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class AliasRequest:
    """Move aliases onto a version and take others from it."""

    version: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagRequest:
    """Add tags to a version and take others from it."""

    version: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeRequest:
    """Replace a version's description and metadata by those stored under `meta`."""

    version: int
    meta: str


@dataclass(frozen=True, slots=True)
class TtlRequest:
    """Note how long a version is to be kept, for upkeep; None: for ever."""

    version: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """
    Write a tombstone.

    Args:
        force: also delete what has aliases or is pinned; not what has a protected alias.
        now: the time of the store, as text, with which the ends of pins are compared; None:
            no pin is over.
    """

    version: int
    force: bool = False
    now: str | None = None


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """
    Write a tombstone if the rule still gives the version up; else it stays, and is `Unchanged`.

    Args:
        rule: None for that of the collection.
        times: when each entry of the log was written, by the clock of the store.
        now_seconds: what that clock says now.
        held: by version the running runs that use it.
        decided_at: the entry behind which the rule is known to give the version up: there it
            is not asked again.
    """

    version: int
    rule: Retention | None
    times: Mapping[int, float]
    now_seconds: float
    held: Mapping[int, tuple[str, ...]]
    decided_at: int = -1


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """Give a deleted version up for good: it cannot be restored, and caches drop its content."""

    version: int


@dataclass(frozen=True, slots=True)
class PinRequest:
    """Keep a version for `holder` until a moment; a second pin of one holder replaces the first."""

    version: int
    until: str
    holder: str


@dataclass(frozen=True, slots=True)
class UnpinRequest:
    """Take the pin of `holder` from a version."""

    version: int
    holder: str


@dataclass(frozen=True, slots=True)
class RetentionRequest:
    """Replace what the collection keeps. Aliases that are protected stay so."""

    rule: Retention


@dataclass(frozen=True, slots=True)
class ProtectRequest:
    """Protect aliases of the collection, set or not, and lift the protection of others."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """
    Take a tombstone back.

    Args:
        content_of: every key that the version references, its root among them, as
            `relied`, and the chunks of its packs.
            Asked only if gc came by since the version was deleted.
    """

    version: int
    content_of: Callable[[VersionState], ContentUse]


@dataclass(frozen=True, slots=True)
class FenceRequest:
    """
    Append the fence of plan `plan`, unless it stands behind entry `after`.

    Args:
        after: the last entry that the plan knew: a fence at or before it is of another
            plan of that number, made before the store was restored from a copy.
    """

    plan: int
    after: int = -1


Request = (
    CreateRequest
    | PublishRequest
    | AliasRequest
    | TagRequest
    | DescribeRequest
    | TtlRequest
    | DeleteRequest
    | PruneRequest
    | PurgeRequest
    | PinRequest
    | UnpinRequest
    | RetentionRequest
    | ProtectRequest
    | RestoreRequest
    | FenceRequest
)

# --- Outcomes -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Published:
    """The version exists because of this push; `is_repeated`: an earlier attempt had made it."""

    version: int
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing had to be written, or only aliases and tags of that version."""

    version: int | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The request was written."""

    version: int | None = None


Outcome = Published | Unchanged | Applied


@dataclass(frozen=True, slots=True)
class Write:
    """
    Write `body` as entry n. Without an outcome the request is evaluated again behind it.

    `needs_content`: only after the check of the fences.
    """

    body: Body
    outcome: Outcome | None
    needs_content: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """There is nothing to write."""

    outcome: Outcome


Step = Write | Settled

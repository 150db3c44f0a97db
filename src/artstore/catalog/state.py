"""
What a collection is after some entry of its log: immutable records, and how to ask them.

`CollectionState.apply` continues a state by one entry; the rules of each kind
stand in `fold.py`. Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from artstore.catalog.format import NO_DIGEST, RawEntry, UnknownEntry
from artstore.catalog.retention import Retention
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    StateError,
    UnsupportedFormatError,
)
from artstore.names import ArtifactName

__all__ = [
    "CollectionState",
    "Fence",
    "LogWarning",
    "Origin",
    "Pin",
    "Source",
    "Tombstone",
    "VersionState",
]

_SHOWN_COUNT: Final = 8


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Who deleted a version, when, and in which entry."""

    n: int
    time: str
    by: str
    is_purged: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """Until `until` (text, UTC) prune and rm leave the version alone for `holder`."""

    holder: str
    until: str


@dataclass(frozen=True, slots=True)
class Source:
    """
    The version that a linked one was made from. It keeps nothing alive: see C7.

    `store` is the id of another store, if the version is not in this one.
    """

    project: str
    name: str
    version: int
    store: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """
    The version of another store that a version was brought from.

    Attributes:
        store: the id of the store in which it was made.
        created: when it was made there, and `by` whom.
    """

    store: str
    project: str
    name: str
    version: int
    created: str
    by: str

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What no other version has: a log takes each only once."""
        return self.store, self.project, self.name, self.version

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`, as it is called there."""
        return f"{self.project}/{self.name}:v{self.version}"


@dataclass(frozen=True, slots=True)
class Fence:
    """Entry n is the fence of gc's plan `plan`."""

    n: int
    plan: int


@dataclass(frozen=True, slots=True)
class LogWarning:
    """Something about a log that a person should hear of. `code` is one of errors.CODES."""

    code: str
    n: int
    message: str


@dataclass(frozen=True, slots=True)
class VersionState:
    """
    One version, live or deleted.

    `digest` and `push` are hex, `root` and `meta` are keys, `run` is `project/run id`.
    `created` and `by` tell of the making, wherever that was; `n` of the entry here.
    """

    version: int
    digest: str
    root: str
    push: str
    size_bytes: int
    file_count: int
    entry_count: int
    created: str
    by: str
    n: int
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deleted: Tombstone | None = None
    meta: str | None = None
    ttl_seconds: int | None = None
    pins: tuple[Pin, ...] = ()
    source: Source | None = None
    draft: str | None = None
    run: str | None = None
    inputs: tuple[Source, ...] = ()
    origin: Origin | None = None

    @property
    def is_live(self) -> bool:
        """Whether the version can be read; deleted ones keep their number for ever."""
        return self.deleted is None


@dataclass(frozen=True, slots=True)
class CollectionState:
    """
    The fold of a log up to entry `head_n`.

    `project` and `name` are what the log was opened as; `now_named` is what it
    was renamed to, `redirect` where its versions really lie. `damage` is the
    warning that forbids writing, if there is one.
    """

    project: str
    name: str
    type: str | None = None
    head_n: int = -1
    head_digest: bytes = NO_DIGEST
    versions: Mapping[int, VersionState] = field(default_factory=_nothing)
    aliases: Mapping[str, int] = field(default_factory=_nothing)
    fences: tuple[Fence, ...] = ()
    drafts: Mapping[str, int | None] = field(default_factory=_nothing)
    """The version that each draft became: None while it is open, -1 if it was abandoned."""
    now_named: tuple[str, str] | None = None
    redirect: tuple[str, str] | None = None
    warnings: tuple[LogWarning, ...] = ()
    unknown: tuple[UnknownEntry, ...] = ()
    damage: LogWarning | None = None
    highest: int = -1
    """The highest version number that may ever have been given; the next one is one more."""
    damaged: tuple[int, ...] = ()
    """Entries that are not what was written, or never were any: each may have been a fence."""
    lost: int = 0
    """How many of the numbers up to `highest` only damaged entries may have given."""
    has_damaged_tail: bool = False
    """Whether the newest entry is not what was written: nobody can tell what it changed."""
    retention: Retention = field(default_factory=Retention)
    """What `art prune` keeps."""
    protected: frozenset[str] = frozenset()
    """Aliases that stay where they are, and their versions with them, until this is lifted."""

    @property
    def exists(self) -> bool:
        """Whether the log has a valid `create` entry."""
        return self.type is not None

    @property
    def qualified_name(self) -> str:
        """`project/name`."""
        return f"{self.project}/{self.name}"

    @property
    def latest(self) -> VersionState | None:
        """The highest live version: computed, never assigned (C8)."""
        return next((v for v in reversed(self.versions.values()) if v.is_live), None)  # type: ignore[call-overload]

    @property
    def live(self) -> tuple[VersionState, ...]:
        """Live versions, lowest first."""
        return tuple(v for v in self.versions.values() if v.is_live)

    @property
    def tags(self) -> Mapping[str, tuple[int, ...]]:
        """The live versions that carry each tag."""
        found: dict[str, list[int]] = {}
        for version in self.live:
            for tag in version.tags:
                found.setdefault(tag, []).append(version.version)
        return {tag: tuple(found[tag]) for tag in sorted(found)}

    def apply(self, raw: RawEntry) -> CollectionState:
        """The state after one more entry; O(versions), for single entries (a lost race)."""
        from artstore.catalog.fold import Fold

        fold = Fold(self)
        fold.apply(raw)
        return fold.state()

    @property
    def is_in_doubt(self) -> bool:
        """
        Whether a damaged entry may say what is newest, or where an alias is.

        The next version settles it: whoever publishes one has seen the damage.
        """
        return self.has_damaged_tail or self.lost > 0 or self._damage_of_entry is not None

    @property
    def _damage_of_entry(self) -> LogWarning | None:
        return next((w for w in self.warnings if w.code == "log-entry-damaged"), None)

    def check_exists(self) -> None:
        """Refuse a log that no collection has begun. Raises NotFoundError."""
        if not self.exists:
            raise NotFoundError(
                f"there is no collection {self.qualified_name}", code="collection-not-found"
            )

    def check_movable(self, aliases: Iterable[str], to: VersionState | None) -> None:
        """
        Refuse to take protected aliases from where they are.

        Args:
            to: the version that they are to be on; None for another one than now.
        Raises:
            StateError: `alias-protected`.
        """
        for alias in aliases:
            where = self.aliases.get(alias)
            if (
                alias in self.protected
                and where is not None
                and (to is None or to.version != where)
            ):
                raise StateError(
                    f"the alias {alias} of {self.qualified_name} is protected and on v{where}",
                    code="alias-protected",
                    hint=f"art protect {self.qualified_name} {alias} --remove",
                    alias=alias,
                    version=where,
                )

    def check_readable(self) -> None:
        """
        Refuse what only a newer release can read.

        Raises:
            UnsupportedFormatError: `entry-kind-unknown`.
        """
        if self.unknown:
            first = self.unknown[0]
            raise UnsupportedFormatError(
                f"entry {first.n} of collection {self.qualified_name} is {first.kind!r}, "
                "which this release does not know; it may change what every version is",
                code="entry-kind-unknown",
                hint="install a newer artstore",
                n=first.n,
                kind=first.kind,
            )

    def check_writable(self) -> None:
        """
        Refuse to continue a log that is damaged or that a newer release began.

        Raises:
            UnsupportedFormatError: `entry-kind-unknown`.
            DamagedDataError: `log-hole`, `log-rolled-back`, `log-entry-damaged`.
        """
        self.check_readable()
        if self.damage is not None:
            raise DamagedDataError(
                f"collection {self.qualified_name} cannot be written: {self.damage.message}",
                code=self.damage.code,
                hint="`art check` shows what is missing",
                n=self.damage.n,
            )

    def protected_aliases(self, version: VersionState) -> tuple[str, ...]:
        """Those of the aliases of a version that are protected."""
        return tuple(alias for alias in version.aliases if alias in self.protected)

    def find_push(self, push: str) -> VersionState | None:
        """The version that a push made, None if it made none (C5)."""
        return next((v for v in self.versions.values() if v.push == push), None)

    def find_origin(self, identity: tuple[str, str, str, int]) -> VersionState | None:
        """The version, live or deleted, that was brought from there; None if none was."""
        return next(
            (
                version
                for version in self.versions.values()
                if version.origin is not None and version.origin.identity == identity
            ),
            None,
        )

    def version(self, number: int) -> VersionState:
        """
        Version `number`, which must be live.

        Raises:
            NotFoundError: `version-not-found`, never given; `version-deleted`,
                with author and time.
        """
        found = self.versions.get(number)
        if found is None:
            # Behind a lost entry, or without the first, other entries may be void that were not.
            is_lost = self._damage_of_entry is not None or not self.exists
            if number <= self.highest or is_lost:
                self.check_whole()
            raise NotFoundError(
                f"{self.qualified_name} has no version v{number}; {self._what_exists()}",
                code="version-not-found",
            )
        if found.deleted is not None:
            raise NotFoundError(
                f"{self.qualified_name}:v{number} was deleted by {found.deleted.by} "
                f"at {found.deleted.time}; {self._what_exists()}",
                code="version-deleted",
                hint=None
                if found.deleted.is_purged
                else f"art restore {self.qualified_name}:v{number}",
            )
        return found

    def resolve(
        self,
        *,
        version: int | None = None,
        alias: str | None = None,
        digest_prefix: str | None = None,
    ) -> VersionState:
        """
        The live version that a number, an alias or the start of a digest means; `latest` without.

        Raises:
            NotFoundError: `version-not-found`, `version-deleted`,
                `alias-not-found`; the message names what exists.
            InvalidInputError: `digest-ambiguous`.
            UnsupportedFormatError: `entry-kind-unknown`.
            DamagedDataError: `log-entry-damaged`, for all but an exact version.
        """
        self.check_readable()
        if version is not None:
            return self.version(version)
        self.check_whole()
        if digest_prefix is not None:
            return self._by_digest(digest_prefix)
        if alias is None or alias == "latest":
            if (latest := self.latest) is None:
                raise NotFoundError(
                    f"{self.qualified_name} has no version; {self._what_exists()}",
                    code="version-not-found",
                )
            return latest
        number = self.aliases.get(alias)
        if number is None:
            raise NotFoundError(
                f"{self.qualified_name} has no alias {alias!r}; {self._what_exists()}",
                code="alias-not-found",
            )
        return self.version(number)

    def check_whole(self) -> None:
        """
        Refuse to say what is newest, or not there, while an entry that may say so is damaged.

        Raises:
            DamagedDataError: `log-entry-damaged`.
        """
        if not self.is_in_doubt:
            return
        warning = self._damage_of_entry
        n = self.damaged[-1] if warning is None else warning.n
        way_out = "put the entry back from a copy"
        raise DamagedDataError(
            f"entry {n} of the log of {self.qualified_name} is damaged: which version is meant "
            f"cannot be told; {self._what_exists()}",
            code="log-entry-damaged",
            hint=f"name a version by its number, {self.name}:vN; {way_out}"
            + ("" if warning is not None else ", or push the newest content again"),
            n=n,
        )

    def resolve_name(self, name: ArtifactName) -> VersionState:
        """`resolve` for a parsed name."""
        return self.resolve(
            version=name.version, alias=name.alias, digest_prefix=name.digest_prefix
        )

    def _by_digest(self, prefix: str) -> VersionState:
        found = [version for version in self.live if version.digest.startswith(prefix)]
        if not found:
            raise NotFoundError(
                f"no version of {self.qualified_name} has a digest that starts with {prefix}; "
                f"{self._what_exists()}",
                code="version-not-found",
            )
        if len({version.digest for version in found}) > 1:
            numbers = _in_words([f"v{version.version}" for version in found])
            raise InvalidInputError(
                f"the digests of {numbers} of {self.qualified_name} start with {prefix}",
                code="digest-ambiguous",
                hint="write more digits",
            )
        # The same content may have been published twice with others between; the newest is meant.
        return found[-1]

    def _what_exists(self) -> str:
        numbers = [f"v{version.version}" for version in reversed(self.live)]
        text = f"its versions are {_in_words(numbers)}" if numbers else "it has no live version"
        if self.aliases:
            text += f", its aliases {_in_words(sorted(self.aliases))}"
        return text


def _in_words(items: list[str]) -> str:
    shown = ", ".join(items[:_SHOWN_COUNT])
    more = len(items) - _SHOWN_COUNT
    return f"{shown} and {more} more" if more > 0 else shown

"""
The rules of each kind of entry: how a log becomes a state. Pure, no I/O, no clock.

An entry that is well formed but makes no sense where it stands (a version
number that is not the next one, an alias for a version that never was) is void
like one that cannot be parsed: every reader sees the same, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Final

from artstore.catalog.format import (
    COLLECTION_KINDS,
    NO_DIGEST,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    decode_again,
    decode_entry,
)
from artstore.catalog.retention import Retention
from artstore.catalog.state import (
    CollectionState,
    Fence,
    LogWarning,
    Origin,
    Pin,
    Source,
    Tombstone,
    VersionState,
)

__all__ = ["Fold"]

_ABANDONED: Final = -1
_NOT_LIVE: Final = "names a version that is not live"
_BEGINNINGS: Final = frozenset(["create", "redirect"])
_ANYWHERE: Final = frozenset(["fence", "attest"])


class Fold:
    """
    Builds a state entry by entry.

    Args:
        start: the state to continue; it is copied, never changed.
    """

    def __init__(self, start: CollectionState) -> None:
        self._start = start
        self._type = start.type
        self._head_n = start.head_n
        self._head_digest: bytes | None = start.head_digest
        self._versions = dict(start.versions)
        self._aliases = dict(start.aliases)
        self._fences = list(start.fences)
        self._drafts = dict(start.drafts)
        self._now_named = start.now_named
        self._redirect = start.redirect
        self._warnings = list(start.warnings)
        self._unknown = list(start.unknown)
        self._damage = start.damage
        self._damaged = list(start.damaged)
        self._lost = start.lost
        self._highest = start.highest - start.lost
        self._has_damaged_tail = start.has_damaged_tail
        self._retention = start.retention
        self._protected = start.protected
        self._origins: set[tuple[str, str, str, int]] | None = None
        self._state: CollectionState | None = None

    @property
    def head_n(self) -> int:
        """The number of the last entry applied, -1 for none."""
        return self._head_n

    @property
    def is_damaged(self) -> bool:
        """Whether something forbids to write the log."""
        return self._damage is not None

    @property
    def has_damaged_tail(self) -> bool:
        """Whether the last entry applied is not what was written."""
        return self._has_damaged_tail

    def apply(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        """
        Continue by entry `raw`, whose number must be the next one or behind a told hole.

        Returns:
            what the entry was taken as.
        """
        assert raw.n == self._head_n + 1, f"entry {raw.n} does not follow {self._head_n}"
        entry = self._decode(raw)
        if self._has_damaged_tail and isinstance(entry, VoidEntry) and not entry.is_chained:
            entry = self._decode_behind_damage(raw)
        if isinstance(entry, LogEntry):
            refused = self._take(entry)
            if refused is not None:
                entry = VoidEntry(entry.n, refused)
        if isinstance(entry, VoidEntry):
            told = "what it changed is not known" if entry.is_damaged else "it is ignored"
            self._warnings.append(
                LogWarning("log-void-entry", raw.n, f"entry {raw.n} {entry.reason}; {told}")
            )
        elif isinstance(entry, UnknownEntry) and entry.must_understand:
            self._unknown.append(entry)
        self._has_damaged_tail = isinstance(entry, VoidEntry) and entry.is_damaged
        if self._has_damaged_tail:
            self._damaged.append(raw.n)
            # It may have been a publish: its number is never given again (C2). No log begins so.
            self._lost += raw.n > 0
        self._head_n, self._head_digest = raw.n, raw.digest
        self._state = None
        return entry

    def _decode_behind_damage(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        """
        An entry that continues another one than the damaged bytes before it.

        Then those were sound when it was written and were damaged since: a log
        with a lost entry, as with a hole. An entry that was written behind
        garbage continues the garbage, and all is well (C3).
        """
        assert raw.data is not None
        lost = self._head_n
        self.mark_damage(
            LogWarning("log-entry-damaged", lost, f"entry {lost} is not what was written")
        )
        return decode_entry(raw.data, raw.n, None, COLLECTION_KINDS)

    def skip_hole(self, first: int, last: int) -> None:
        """Entries first..last are lost: what follows is read without its chain (C1)."""
        assert first == self._head_n + 1 <= last + 1
        gone = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self.mark_damage(LogWarning("log-hole", first, f"{gone} missing"))
        self._head_n, self._head_digest = last, None

    def mark_damage(self, warning: LogWarning) -> None:
        """Remember a warning that forbids writing."""
        if warning not in self._warnings:
            self._warnings.append(warning)
        self._damage = self._damage or warning
        self._state = None

    def state(self) -> CollectionState:
        """The state now; later entries do not change it. Cost: O(versions) after a change."""
        if self._state is None:
            self._state = CollectionState(
                project=self._start.project,
                name=self._start.name,
                type=self._type,
                head_n=self._head_n,
                head_digest=self._head_digest or NO_DIGEST,
                versions=MappingProxyType(self._versions.copy()),
                aliases=MappingProxyType(self._aliases.copy()),
                fences=tuple(self._fences),
                drafts=MappingProxyType(self._drafts.copy()),
                now_named=self._now_named,
                redirect=self._redirect,
                warnings=tuple(self._warnings),
                unknown=tuple(self._unknown),
                damage=self._damage,
                highest=self._highest + self._lost,
                damaged=tuple(self._damaged),
                lost=self._lost,
                has_damaged_tail=self._has_damaged_tail,
                retention=self._retention,
                protected=self._protected,
            )
        return self._state

    def _decode(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        if raw.data is None:
            reason = f"has {raw.size_bytes} bytes, too many for an entry"
            return VoidEntry(raw.n, reason, is_damaged=True)
        if raw.is_sound:
            entry = decode_again(raw.data, raw.n)
            # A newer release, to which the replica belongs as well, may know more kinds.
            if entry.kind in COLLECTION_KINDS:
                return entry
        return decode_entry(raw.data, raw.n, self._head_digest, COLLECTION_KINDS)

    def _take(self, entry: LogEntry) -> str | None:
        """Change the state; the reason why not if the entry makes no sense here."""
        kind = entry.kind
        # A fence counts from the first byte of a log on; `create` and `redirect` begin it.
        if kind not in _ANYWHERE:
            begun = self._type is not None or self._redirect is not None
            if begun == (kind in _BEGINNINGS):
                return f"cannot {kind} a collection that is {'there' if begun else 'not there'}"
            if self._redirect is not None:
                return f"cannot {kind} a collection that lies under another name"
        return self._rules[kind](self, entry)

    # --- Beginnings and names -----------------------------------------------------

    def _create(self, entry: LogEntry) -> str | None:
        fields = entry.fields
        if (fields["project"], fields["name"]) != (self._start.project, self._start.name):
            return "creates a collection of another name"
        self._type = fields["type"]
        return None

    def _redirect_to(self, entry: LogEntry) -> str | None:
        self._redirect = (entry.fields["project"], entry.fields["name"])
        return None

    def _name(self, entry: LogEntry) -> str | None:
        self._now_named = (entry.fields["project"], entry.fields["name"])
        return None

    # --- Versions -------------------------------------------------------------------

    def _publish(self, entry: LogEntry) -> str | None:
        fields = entry.fields
        number, draft = fields["version"], fields.get("draft")
        expected = self._highest + 1
        # C2: numbers are stated. Behind lost entries a higher one is all that can be asked for.
        may_be_higher = self._damage is not None or number <= expected + self._lost
        origin = _origin(fields)
        # What was brought from another store keeps its number: gaps are no fault there.
        may_be_higher = may_be_higher or origin is not None
        if number != expected and not (may_be_higher and number > expected):
            return f"states version v{number} where v{expected} is next"
        if origin is not None and origin.identity in self._known_origins():
            return f"brings {origin.qualified_name} of store {origin.store} a second time"
        if draft is not None and self._drafts.get(draft, -1) is not None:
            return f"publishes draft {draft}, which is not open"
        source = fields.get("source") if entry.kind == "link" else None
        self._versions[number] = VersionState(
            version=number,
            digest=fields["digest"],
            root=fields["root"],
            push=fields["push"],
            size_bytes=fields["size_bytes"],
            file_count=fields["file_count"],
            entry_count=fields["entry_count"],
            created=entry.time if origin is None else origin.created,
            by=entry.by if origin is None else origin.by,
            n=entry.n,
            tags=tuple(fields["tags"]),
            source=None
            if source is None
            else Source(source["project"], source["name"], source["version"]),
            draft=draft,
            run=fields.get("run"),
            inputs=tuple(
                Source(one["project"], one["name"], one["version"], one.get("store") or "")
                for one in fields.get("inputs") or ()
            ),
            origin=origin,
        )
        if origin is not None:
            self._known_origins().add(origin.identity)
        self._highest = number
        self._lost = 0
        if draft is not None:
            self._drafts[draft] = number
        if fields["aliases"]:
            self._move_aliases(number, fields["aliases"], ())
        return None

    def _known_origins(self) -> set[tuple[str, str, str, int]]:
        if self._origins is None:
            self._origins = {
                version.origin.identity
                for version in self._versions.values()
                if version.origin is not None
            }
        return self._origins

    def _alias(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        self._move_aliases(version.version, entry.fields["add"], entry.fields["remove"])
        return None

    def _move_aliases(self, number: int, add: list[str], remove: list[str] | tuple[()]) -> None:
        for alias in remove:
            if self._aliases.get(alias) == number:
                self._drop_alias(alias)
        for alias in add:
            if self._aliases.get(alias) != number:
                self._drop_alias(alias)
                self._aliases[alias] = number
                version = self._versions[number]
                self._versions[number] = replace(version, aliases=(*version.aliases, alias))

    def _drop_alias(self, alias: str) -> None:
        number = self._aliases.pop(alias, None)
        if number is not None:
            version = self._versions[number]
            left = tuple(a for a in version.aliases if a != alias)
            self._versions[number] = replace(version, aliases=left)

    def _tag(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        removed = frozenset(entry.fields["remove"])
        left = tuple(tag for tag in version.tags if tag not in removed)
        added = tuple(tag for tag in entry.fields["add"] if tag not in left)
        self._versions[version.version] = replace(version, tags=left + added)
        return None

    def _delete(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        for alias in version.aliases:
            self._drop_alias(alias)
        self._versions[version.version] = replace(
            self._versions[version.version],
            deleted=Tombstone(entry.n, entry.time, entry.by),
            pins=(),
        )
        return None

    def _restore(self, entry: LogEntry) -> str | None:
        version = self._versions.get(entry.fields["version"])
        if version is None or version.deleted is None or version.deleted.is_purged:
            return "restores a version that is not deleted, or purged"
        self._versions[version.version] = replace(version, deleted=None)
        return None

    def _purge(self, entry: LogEntry) -> str | None:
        version = self._versions.get(entry.fields["version"])
        if version is None or version.deleted is None:
            return "purges a version that is not deleted"
        tombstone = replace(version.deleted, is_purged=True)
        self._versions[version.version] = replace(version, deleted=tombstone)
        return None

    def _describe(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        self._versions[version.version] = replace(version, meta=entry.fields["meta"])
        return None

    def _ttl(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        # Only prune looks at this, and writes a tombstone: a clock decides nothing here (G4).
        seconds = entry.fields.get("seconds")
        self._versions[version.version] = replace(version, ttl_seconds=seconds)
        return None

    def _pin(self, entry: LogEntry) -> str | None:
        version = self._live(entry)
        if version is None:
            return _NOT_LIVE
        holder = entry.fields["holder"]
        left = tuple(pin for pin in version.pins if pin.holder != holder)
        if entry.kind == "pin":
            left += (Pin(holder, entry.fields["until"]),)
        self._versions[version.version] = replace(version, pins=left)
        return None

    def _live(self, entry: LogEntry) -> VersionState | None:
        version = self._versions.get(entry.fields["version"])
        return version if version is not None and version.deleted is None else None

    # --- Fences, drafts, the rest -----------------------------------------------------

    def _retain(self, entry: LogEntry) -> str | None:
        # It binds those who write. What was written all the same takes effect: the kind is
        # optional, and who does not know it must come to the same versions.
        self._retention = Retention.of(entry.fields)
        self._protected = frozenset(entry.fields.get("protected") or ())
        return None

    def _fence(self, entry: LogEntry) -> str | None:
        self._fences.append(Fence(entry.n, entry.fields["plan"]))
        return None

    def _draft(self, entry: LogEntry) -> str | None:
        draft = entry.fields["draft"]
        if entry.kind == "draft_open":
            if draft in self._drafts:
                return f"opens draft {draft} a second time"
            self._drafts[draft] = None
            return None
        if self._drafts.get(draft, -1) is not None:
            return f"abandons draft {draft}, which is not open"
        # Its id stays taken: parts of a draft that gc has deleted must not be made again.
        self._drafts[draft] = _ABANDONED
        return None

    def _attest(self, entry: LogEntry) -> str | None:  # noqa: ARG002 - one signature for all rules
        return None

    _rules: ClassVar[Mapping[str, Callable[[Fold, LogEntry], str | None]]] = {
        "create": _create,
        "publish": _publish,
        "link": _publish,
        "alias": _alias,
        "tag": _tag,
        "describe": _describe,
        "delete": _delete,
        "restore": _restore,
        "purge": _purge,
        "ttl": _ttl,
        "pin": _pin,
        "unpin": _pin,
        "retention": _retain,
        "fence": _fence,
        "redirect": _redirect_to,
        "named": _name,
        "draft_open": _draft,
        "draft_abandon": _draft,
        "attest": _attest,
    }


def _origin(fields: Mapping[str, Any]) -> Origin | None:
    stated = fields.get("origin")
    if stated is None:
        return None
    project, _, name = stated["artifact"].partition("/")
    return Origin(stated["store"], project, name, stated["version"], stated["time"], stated["by"])

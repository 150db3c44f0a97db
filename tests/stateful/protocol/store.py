"""
What a store is in the model: logs, things that lie there, plans; and what follows from them.

A pack is a text such as `P:ab`: a name, and the chunks in it. What a version names is a
place, `P:ab/a`: chunk a in that very pack. A moved record, `moved/P:ab/1/P1:a`, says that
repack 1 put into `P1:a` what that pack has of `P:ab`. All else (manifest roots, fragments,
descriptions) is a pack of one chunk here: it is referenced and deleted in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

__all__ = [
    "NOTHING",
    "Entry",
    "Keys",
    "Log",
    "Part",
    "Plan",
    "State",
    "Version",
    "World",
    "appended",
    "done_plans",
    "fold",
    "gone_packs_behind",
    "keys_of",
    "open_plans",
    "pack_of",
    "record",
    "resolve",
    "target_of",
    "with_object",
]

Keys = frozenset[str]
NOTHING: Keys = frozenset()


class Entry(NamedTuple):
    """
    One entry of a log; `number` is a version, of a fence the plan.

    Kinds: create, publish, delete, restore, purge, describe, fence, open, abandon.
    """

    kind: str
    number: int = -1
    refs: Keys = NOTHING


Log = tuple[Entry, ...]


class Version(NamedTuple):
    """`refs` are places of content, `meta` of its description; `deleted` is an entry, -1: live."""

    refs: Keys
    meta: Keys = NOTHING
    deleted: int = -1
    is_purged: bool = False

    @property
    def all_refs(self) -> Keys:
        return self.refs | self.meta


class State(NamedTuple):
    """The fold of a log. `draft` is "", "open" or "closed"."""

    versions: tuple[Version, ...] = ()
    fences: tuple[tuple[int, int], ...] = ()
    draft: str = ""


class Plan(NamedTuple):
    """
    A plan of gc: what goes, and how long each log was at its mark.

    `spared` is None before the sweep record; `is_readable` until its list is trimmed.
    """

    condemned: Keys
    heads: tuple[Log, ...]
    spared: Keys | None = None
    is_done: bool = False
    is_readable: bool = True


class Part(NamedTuple):
    """A part of a version that many writers make together."""

    name: str
    refs: Keys


class World(NamedTuple):
    """
    A store and everybody who works on it.

    `expired` are deleted versions, (log, version, entry of the tombstone), whose restore
    window is over; `made` counts repacks; `backup` is what a copy of the store holds so far.
    """

    logs: tuple[Log, ...]
    objects: Keys
    plans: tuple[Plan, ...] = ()
    writers: tuple[Any, ...] = ()
    collectors: tuple[Any, ...] = ()
    expired: frozenset[tuple[int, int, int]] = frozenset()
    parts: frozenset[Part] = frozenset()
    made: int = 0
    backup: Any = None


# --- Logs ---------------------------------------------------------------------------------


@cache
def fold(log: Log) -> State:
    if not log:
        return State()
    before, entry, n = fold(log[:-1]), log[-1], len(log) - 1
    versions = list(before.versions)
    if entry.kind == "publish":
        versions.append(Version(entry.refs))
        draft = "closed" if entry.number == _OF_DRAFT else before.draft
        return before._replace(versions=tuple(versions), draft=draft)
    if entry.kind == "fence":
        return before._replace(fences=(*before.fences, (n, entry.number)))
    if entry.kind in {"open", "abandon"}:
        return before._replace(draft="open" if entry.kind == "open" else "closed")
    if entry.kind == "create":
        return before
    version = versions[entry.number]
    versions[entry.number] = {
        "delete": version._replace(deleted=n),
        "restore": version._replace(deleted=-1),
        "purge": version._replace(is_purged=True),
        "describe": version._replace(meta=entry.refs),
    }[entry.kind]
    return before._replace(versions=tuple(versions))


_OF_DRAFT = 0
"""The `number` of a publish that finishes the draft."""


def appended(world: World, log: int, entry: Entry) -> World:
    logs = world.logs
    return world._replace(logs=(*logs[:log], (*logs[log], entry), *logs[log + 1 :]))


# --- Plans --------------------------------------------------------------------------------


def done_plans(world: World) -> int:
    """As bits."""
    return sum(1 << k for k, plan in enumerate(world.plans) if plan.is_done)


def open_plans(world: World) -> int:
    """As bits; there is at most one."""
    return sum(1 << k for k, plan in enumerate(world.plans) if not plan.is_done)


# --- Places -------------------------------------------------------------------------------


@cache
def pack_of(ref: str) -> str:
    return ref.partition("/")[0]


@cache
def keys_of(refs: Keys) -> Keys:
    """The packs of places."""
    return frozenset(map(pack_of, refs))


def record(old: str, repack: int, new: str) -> str:
    return f"moved/{old}/{repack}/{new}"


@cache
def target_of(moved: str) -> tuple[str, str]:
    """The pack that is gone, and where its chunks are now."""
    _, old, _, new = moved.split("/")
    return old, new


@cache
def _records(objects: Keys) -> dict[str, list[tuple[str, str]]]:
    """By old pack, newest first: records and their targets."""
    found: dict[str, list[tuple[str, str]]] = {}
    for key in sorted((key for key in objects if key.startswith("moved")), reverse=True):
        old, new = target_of(key)
        found.setdefault(old, []).append((key, new))
    return found


@cache
def resolve(objects: Keys, ref: str, rule: str = "") -> tuple[str, ...]:
    """
    Where a place is found: every pack and record on the way, the pack that has it last; or nothing.

    A pack that exists is never looked up. Of one that is gone, the newest record counts that
    covers the chunk and leads to something that exists.
    """
    pack, _, chunk = ref.partition("/")
    if pack in objects:
        return (pack,)
    for key, new in _records(objects).get(pack, ()):
        if chunk not in new.partition(":")[2] and rule != "by pack":
            continue
        if below := resolve(objects, f"{new}/{chunk}", rule):
            return (pack, key, *below)
        if rule == "newest record only":
            break
    return ()


def gone_packs_behind(objects: Keys, condemned: Keys) -> Keys:
    """
    Gone packs of which some record leads to what is condemned, or is condemned itself (D6).

    Over chains: what is behind a pack that is gone and named is named too.
    """
    moved = [(key, *target_of(key)) for key in objects if key.startswith("moved")]
    named = set(condemned)
    while more := {
        old
        for key, old, new in moved
        if old not in objects and old not in named and (new in named or key in named)
    }:
        named |= more
    return frozenset(named) - condemned


def with_object(world: World, key: str, *, may_exist: bool = False) -> World:
    """Create a key. None is ever made twice, after its deletion neither (I2)."""
    if not may_exist:
        was_there = key in world.objects or any(key in plan.condemned for plan in world.plans)
        assert not was_there, f"{key} is made a second time"
    return world._replace(objects=world.objects | {key})


def union(sets: Iterable[Keys]) -> Keys:
    return NOTHING.union(*sets)

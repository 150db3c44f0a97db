"""
The worlds that are explored: who works on which store, and what must hold in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.stateful.protocol.collectors import (
    Collector,
    Habits,
    collect_steps,
    is_protected,
)
from tests.stateful.protocol.search import Found, explore
from tests.stateful.protocol.store import (
    NOTHING,
    Entry,
    Keys,
    Plan,
    World,
    appended,
    fold,
    keys_of,
    resolve,
)
from tests.stateful.protocol.writers import Writer, write_steps

__all__ = ["Scene", "explore_scene"]


class Scene(NamedTuple):
    """
    Where a search starts, and what people do besides.

    `deletes` and `purges` are how many of them there may be in all; `trims`: lists of plans
    that are done may go; `loses`: those of open ones, too; `copies`: the store may be copied
    and the copy put back.
    """

    logs: tuple[tuple[Entry, ...], ...]
    objects: Keys
    writers: tuple[Writer, ...]
    habits: Habits = Habits()
    collectors: tuple[Collector, ...] = (Collector(), Collector())
    plans: tuple[Plan, ...] = ()
    deletes: int = 1
    purges: int = 0
    trims: bool = False
    loses: bool = False
    copies: str = ""
    abandons: bool = False
    parts: frozenset[Any] = frozenset()
    log_max: int = 8

    def world(self) -> World:
        return World(
            self.logs,
            self.objects,
            writers=tuple(sorted(self.writers)),
            collectors=tuple(sorted(self.collectors)),
            plans=self.plans,
            parts=self.parts,
            made=sum(key[1].isdigit() for key in self.objects),
        )


def explore_scene(scene: Scene, mutant: str = "") -> Found:
    return explore(
        scene.world(),
        lambda world: _successors(scene, world, mutant),
        lambda world: _complaint(scene, world, mutant),
    )


def _successors(scene: Scene, world: World, mutant: str) -> Iterator[World]:
    yield from _people(scene, world)
    for i, writer in enumerate(world.writers):
        for after, moved in write_steps(world, writer, mutant):
            if max(map(len, after.logs)) <= scene.log_max:
                yield after._replace(writers=_replaced(world.writers, i, moved))
    for i, gc in enumerate(world.collectors):
        for after, acted in collect_steps(world, gc, scene.habits, mutant):
            if max(map(len, after.logs)) <= scene.log_max:
                yield after._replace(collectors=_replaced(world.collectors, i, acted))


def _replaced(processes: tuple[Any, ...], i: int, moved: Any) -> tuple[Any, ...]:
    # Processes that are alike are not told apart: it does not matter which of them stalls.
    return tuple(sorted((*processes[:i], moved, *processes[i + 1 :])))


def _people(scene: Scene, world: World) -> Iterator[World]:
    """Deletions by hand, time that passes, plans that are trimmed, copies of the store."""
    deletes = sum(entry.kind == "delete" for log in world.logs for entry in log)
    purges = sum(entry.kind == "purge" for log in world.logs for entry in log)
    for at, log in enumerate(world.logs):
        for number, version in enumerate(fold(log).versions):
            if version.deleted < 0:
                if deletes < scene.deletes:
                    yield appended(world, at, Entry("delete", number))
                continue
            if not version.is_purged and purges < scene.purges:
                yield appended(world, at, Entry("purge", number))
            tombstone = (at, number, version.deleted)
            if scene.habits.window != "no" and tombstone not in world.expired:
                yield world._replace(expired=world.expired | {tombstone})
    if scene.abandons:
        for at, log in enumerate(world.logs):
            if fold(log).draft == "open":
                yield appended(world, at, Entry("abandon"))
    if scene.trims or scene.loses:
        for k, plan in enumerate(world.plans):
            if plan.is_readable and (plan.is_done or scene.loses):
                trimmed = plan._replace(is_readable=False)
                yield world._replace(plans=(*world.plans[:k], trimmed, *world.plans[k + 1 :]))
    if scene.copies:
        yield from _copying(scene, world)


def _copying(scene: Scene, world: World) -> Iterator[World]:
    """One part after the other, then all is put back and everybody begins anew."""
    step = world.backup[0] if world.backup else ""
    if not step:
        yield world._replace(backup=("first", *_content(world)))
    elif step == "first":
        _, logs, objects, plans = world.backup
        if scene.copies == "gc":
            yield world._replace(backup=("all", world.logs, world.objects, plans))
        elif objects <= world.objects:
            # In the order of keys. With a sweep meanwhile it would be no copy.
            yield world._replace(backup=("all", logs, world.objects, world.plans))
    elif step == "all":
        _, logs, objects, plans = world.backup
        copy = scene.world()._replace(logs=logs, objects=objects, plans=plans, made=world.made)
        # Another push has another push id.
        again = tuple(
            writer._replace(own=f"again {writer.own}") if writer.own else writer
            for writer in copy.writers
        )
        yield copy._replace(writers=again, backup=("used",))


def _content(world: World) -> tuple[Any, ...]:
    return world.logs, world.objects, world.plans


# --- What must hold -----------------------------------------------------------------------


def _complaint(scene: Scene, world: World, mutant: str) -> str:
    rule = mutant if mutant == "newest record only" else ""
    for at, log in enumerate(world.logs):
        state = fold(log)
        for number, version in enumerate(state.versions):
            is_kept = version.deleted < 0
            if scene.habits.window == "yes":
                is_kept = is_protected(world, at, number)
            refs = version.all_refs
            if mutant == "late parts are read" and state.draft == "closed":
                refs |= NOTHING.union(*(part.refs for part in world.parts))
            if is_kept and (lost := _lost(world, refs, rule)):
                what = "live" if version.deleted < 0 else "restorable"
                return f"version {number} of log {at} is {what} and lacks {', '.join(lost)}"
        if state.draft == "open":
            for part in scene.parts:
                if lost := _lost(world, part.refs, rule):
                    return f"a part of an open draft lacks {', '.join(lost)}"
    if scene.purges:
        return _what_purges_left(scene, world)
    return ""


def _lost(world: World, refs: Keys, rule: str) -> list[str]:
    return [ref for ref in sorted(refs) if not resolve(world.objects, ref, rule)]


def _what_purges_left(scene: Scene, world: World) -> str:
    """After a plan that was begun after a purge, what nothing else names is gone, or spared."""
    for plan in world.plans:
        if not plan.is_done or plan.spared is None:
            continue
        for head in plan.heads:
            for version in fold(head).versions:
                if not version.is_purged:
                    continue
                for ref in version.refs:
                    chunk = ref.partition("/")[2]
                    for pack in scene.objects & world.objects - plan.spared:
                        if chunk in pack.partition(":")[2] and not _is_named(world, plan, chunk):
                            return f"{pack} still has the purged chunk {chunk}"
    return ""


def _is_named(world: World, plan: Any, chunk: str) -> bool:
    logs = (*world.logs, *plan.heads)
    return any(
        ref.endswith(f"/{chunk}")
        for log in logs
        for version in fold(log).versions
        if not version.is_purged
        for ref in version.all_refs
    )


def created(*refs: Keys) -> tuple[Entry, ...]:
    """A log with a version for each set of places."""
    return (Entry("create"), *(Entry("publish", -1, these) for these in refs))


def places(*refs: str) -> Keys:
    return frozenset(refs)


__all__ += ["NOTHING", "created", "keys_of", "places"]

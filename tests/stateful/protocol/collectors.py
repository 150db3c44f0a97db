"""
What gc does: mark, plan, fence, sweep, with repacks between; each step is one request.

A collector finishes the open plan, or makes one. Several may be at work, and each of them may
stall for ever between any two steps. A mutant is the name of one thing that is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.stateful.protocol.store import (
    NOTHING,
    Entry,
    Keys,
    Log,
    Plan,
    World,
    appended,
    fold,
    gone_packs_behind,
    pack_of,
    record,
    resolve,
    target_of,
    with_object,
)

__all__ = ["Collector", "Habits", "collect_steps", "is_protected"]


class Habits(NamedTuple):
    """
    What collectors of a scene do.

    `repack_max`: repacks in all; `leaves_young`: what they made may be too young to go.
    `window`: what was deleted counts as live until its time is over; "some" collectors only.
    """

    plan_max: int = 2
    repacks: bool = False
    repack_max: int = 2
    leaves_young: bool = False
    window: str = "no"
    purges: bool = False


class Collector(NamedTuple):
    """
    One gc process.

    `marks` are places that are live, records by which they are found among them; `made` is
    what its repack has written and still has to write (`todo`), of the pack `old`. `keeps` is
    what it sees to be needed though the record of somebody else's sweep does not spare it.
    """

    step: str = "idle"
    plan: int = -1
    at: int = 0
    heads: tuple[Log, ...] = ()
    marks: Keys = NOTHING
    old: str = ""
    made: Keys = NOTHING
    todo: tuple[str, ...] = ()
    condemned: Keys = NOTHING
    listed: tuple[int, ...] = ()
    spares: Keys = NOTHING
    keeps: Keys = NOTHING
    has_window: bool = False
    is_last: bool = False


Steps = Iterator[tuple[World, Collector]]


def is_protected(world: World, log: int, number: int) -> bool:
    """Whether a version is live, or deleted and inside the restore window."""
    version = fold(world.logs[log]).versions[number]
    if version.deleted < 0:
        return True
    return not version.is_purged and (log, number, version.deleted) not in world.expired


def collect_steps(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    """What a gc process may do next."""
    if gc.step == "end":
        return
    if gc.step == "idle":
        yield from _begin(world, habits, mutant)
    elif gc.step in _PLANNING:
        yield from _PLANNING[gc.step](world, gc, habits, mutant)
    else:
        yield from _SWEEPING[gc.step](world, gc, mutant)


def _begin(world: World, habits: Habits, mutant: str) -> Steps:
    unfinished = [k for k, plan in enumerate(world.plans) if not plan.is_done]
    if unfinished:
        yield from _list(world, Collector("list", unfinished[0]), mutant)
        if habits.window == "some":
            # Of another machine, with the longer window: it proves the plan.
            yield from _list(world, Collector("list", unfinished[0], has_window=True), mutant)
    may_mark = not unfinished or mutant == "a second open plan"
    if mutant != "a fence below the mark counts" and _is_gc_rolled_back(world):
        # The log of gc is older than the others: its numbers would come a second time.
        may_mark = False
    if may_mark and len(world.plans) < habits.plan_max:
        if habits.window != "yes":
            yield from _mark(world, Collector("mark", len(world.plans)), habits, mutant)
        if habits.window != "no":
            gc = Collector("mark", len(world.plans), has_window=True)
            yield from _mark(world, gc, habits, mutant)


def _is_gc_rolled_back(world: World) -> bool:
    return any(k >= len(world.plans) for log in world.logs for _, k in fold(log).fences)


# --- Mark, repack, plan -------------------------------------------------------------------


def _mark(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    """Read one log, the last one first: what its versions name is marked where it is found."""
    at = len(world.logs) - 1 - gc.at
    log = world.logs[at]
    refs = set[str]()
    for number, version in enumerate(fold(log).versions):
        is_kept = version.deleted < 0
        if gc.has_window and mutant != "mark without the window":
            is_kept = is_protected(world, at, number)
        if is_kept:
            refs |= version.refs if mutant == "descriptions are not marked" else version.all_refs
    if fold(log).draft == "open" and mutant != "parts are no roots":
        for part in world.parts:
            refs |= part.refs
    marks = set(gc.marks)
    for ref in refs:
        marks |= _marked(world, ref, mutant)
    gc = gc._replace(at=gc.at + 1, heads=(log, *gc.heads), marks=frozenset(marks))
    if at:
        yield world, gc
    else:
        yield from _choose(world, gc._replace(at=0), habits, mutant)


def _marked(world: World, ref: str, mutant: str) -> set[str]:
    path = resolve(world.objects, ref)
    if mutant == "mark does not follow moved records" and len(path) > 1:
        return {ref}
    if mutant == "mark looks at moved records of packs that are there":
        moved = resolve(world.objects - {pack_of(ref)}, ref)
        path = moved or path
    if not path:
        return {ref}
    records = {key for key in path if key.startswith("moved")}
    chunk = ref.partition("/")[2]
    return {f"{path[-1]}/{chunk}"} | records


def _choose(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    """Repack one pack of which some chunks are dead, or none."""
    candidates = []
    if habits.repacks and world.made < habits.repack_max:
        for pack in sorted(key for key in world.objects if not key.startswith("moved")):
            chunks = pack.partition(":")[2]
            live = "".join(c for c in chunks if f"{pack}/{c}" in gc.marks)
            if live and live != chunks:
                candidates.append((pack, live))
    must = habits.purges and mutant != "purge leaves packs that are mostly live"
    if not (candidates and must):
        yield from _look_around(world, gc, habits, mutant)
    for pack, live in candidates:
        yield _repacking(world, gc, pack, live, mutant)


def _repacking(
    world: World, gc: Collector, pack: str, live: str, mutant: str
) -> tuple[World, Collector]:
    repack = world.made + 1
    new = f"{pack.partition(':')[0][0]}{repack}:{live}"
    todo = [new, record(pack, repack, new)]
    if mutant == "record before the pack is durable":
        todo.reverse()
    # D8: what was moved into this pack before is told its new place straight.
    for key in sorted(world.objects):
        if not key.startswith("moved") or mutant == "chains are neither told straight nor followed":
            continue
        old, target = target_of(key)
        if target == pack and old not in world.objects:
            todo.append(record(old, repack, new))
    return world._replace(made=repack), gc._replace(
        step="repack", old=pack, made=frozenset(todo), todo=tuple(todo)
    )


def _repack(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    key, *rest = gc.todo
    if not key.startswith("moved") and gc.old not in world.objects:
        # Read before it was deleted, written late; or not read in time.
        yield world, Collector()
    if mutant != "plan before the record is durable" or not key.startswith("moved"):
        world = with_object(world, key)
        gc = gc._replace(todo=tuple(rest))
        if rest:
            yield world, gc
            return
    yield from _look_around(world, gc, habits, mutant)


def _look_around(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    """List what lies there; condemn what is not marked."""
    unmarked = set[str]()
    for key in world.objects:
        if key.startswith("moved"):
            if key not in gc.marks:
                unmarked.add(key)
        elif not any(f"{key}/{chunk}" in gc.marks for chunk in key.partition(":")[2]):
            unmarked.add(key)
    if mutant != "a plan condemns what its own repack made":
        unmarked -= gc.made
    young = {key for key in unmarked if _is_made_by_repack(key)}
    for left in {frozenset(), frozenset(young)} if habits.leaves_young else {frozenset()}:
        condemned = frozenset(unmarked) - left
        if gc.old:
            condemned |= {gc.old}
        if mutant == "chains are neither told straight nor followed":
            gone = {target_of(key) for key in world.objects if key.startswith("moved")}
            condemned |= {old for old, new in gone if new in condemned} - world.objects
        elif mutant != "gone packs are not condemned with their targets":
            condemned |= gone_packs_behind(world.objects, condemned)
        if condemned & world.objects:
            yield world, gc._replace(step="plan", condemned=condemned, marks=NOTHING)
    if not unmarked and not gc.old:
        yield world, Collector()


def _is_made_by_repack(key: str) -> bool:
    return key.startswith("moved") or key[1].isdigit()


def _plan(world: World, gc: Collector, habits: Habits, mutant: str) -> Steps:
    """D5: the number is that of the mark's begin, or there is no plan."""
    is_free = len(world.plans) == gc.plan
    if mutant == "plan number taken late":
        is_free = len(world.plans) < habits.plan_max and all(p.is_done for p in world.plans)
    if mutant == "a second open plan":
        is_free = len(world.plans) < habits.plan_max
    if not is_free:
        yield world, Collector("end" if gc.is_last else "idle")
        return
    k = len(world.plans)
    world = world._replace(plans=(*world.plans, Plan(gc.condemned, gc.heads)))
    if gc.todo:
        # Only the mutant has something left: its record comes behind the plan.
        yield world, gc._replace(step="late record", plan=k)
    else:
        yield world, Collector("list", k)


_PLANNING = {
    "mark": _mark,
    "repack": _repack,
    "plan": _plan,
}


# --- Fences, sweep ------------------------------------------------------------------------


def _list(world: World, gc: Collector, mutant: str) -> Steps:
    plan = world.plans[gc.plan]
    if not plan.is_readable:
        if plan.spared is None or mutant == "a plan is given up though its sweep has begun":
            yield _closed(world, gc.plan), Collector()
        return
    is_trusted = mutant in {"heads are not compared", "a fence below the mark counts"} or (
        mutant == "a sweep record is trusted" and plan.spared is not None
    )
    if not is_trusted and not _fits(world, gc.plan):
        # A copy of the store that was put back: the plan is of another history.
        yield _closed(world, gc.plan), Collector()
        return
    gc = gc._replace(step="fence", listed=_logs_there(world))
    if mutant == "fence after the live set":
        gc = gc._replace(spares=_spared(world, gc, mutant))
    yield world, gc


def _fits(world: World, k: int) -> bool:
    """Whether the logs are those that the plan was made from, and its fences stand above them."""
    plan = world.plans[k]
    for at, log in enumerate(world.logs):
        head = plan.heads[at]
        if log[: len(head)] != head:
            return False
        fence = _fence_of(log, k)
        if 0 <= fence < len(head) or (plan.spared is not None and fence < 0 and head):
            return False
    return True


def _closed(world: World, k: int) -> World:
    return _changed(world, k, world.plans[k]._replace(is_done=True))


def _logs_there(world: World) -> tuple[int, ...]:
    return tuple(at for at, log in enumerate(world.logs) if log)


def _fence(world: World, gc: Collector, mutant: str) -> Steps:
    """One log: append the fence unless it stands; who loses the number tries the next."""
    for at in gc.listed:
        if mutant != "no fence" and _fence_of(world.logs[at], gc.plan) < 0:
            yield appended(world, at, Entry("fence", gc.plan)), gc
            return
    yield from _spare(world, gc, mutant)


def _fence_of(log: Log, k: int) -> int:
    return next((n for n, plan in fold(log).fences if plan == k), -1)


def _spare(world: World, gc: Collector, mutant: str) -> Steps:
    """The sweep record: which of what is condemned stays after all."""
    plan = world.plans[gc.plan]
    spares = gc.spares
    if mutant != "fence after the live set":
        spares = _spared(world, gc, mutant)
    if plan.spared is None:
        if plan.is_done and mutant != "a sweep record behind done counts":
            yield world, Collector()
            return
        plan = plan._replace(spared=spares)
        world = _changed(world, gc.plan, plan)
    assert plan.spared is not None
    keeps = spares - plan.spared if gc.has_window else NOTHING
    step = "done" if mutant == "done before the last delete" else "delete"
    yield world, gc._replace(step=step, spares=NOTHING, keeps=keeps, listed=())


def _spared(world: World, gc: Collector, mutant: str) -> Keys:
    """What is named between mark and fence, and found nowhere but by what is condemned."""
    if mutant == "nothing is spared":
        return NOTHING
    plan = world.plans[gc.plan]
    left = world.objects - plan.condemned
    spared = set[str]()
    for ref in _named(world, gc, mutant):
        is_moved = bool(resolve(left, ref))
        if mutant == "only packs that are condemned are looked at":
            is_moved = is_moved or pack_of(ref) not in plan.condemned
        if mutant == "any record counts as moved":
            pack, _, chunk = ref.partition("/")
            moved = [target_of(key) for key in world.objects if key.startswith("moved")]
            is_moved = any(old == pack and chunk in new for old, new in moved) or (
                pack not in plan.condemned
            )
        if mutant == "moved packs are let go whole":
            pack = pack_of(ref)
            moved = [target_of(key)[0] for key in left if key.startswith("moved")]
            is_moved = is_moved or pack in moved
        if not is_moved:
            spared.update(resolve(world.objects, ref))
    return frozenset(spared) & plan.condemned


def _named(world: World, gc: Collector, mutant: str) -> set[str]:
    """Every place that an entry between the mark and the fence names, and parts of the draft."""
    plan, refs = world.plans[gc.plan], set[str]()
    for at, whole in enumerate(world.logs):
        if at not in gc.listed:
            continue
        fence = _fence_of(whole, gc.plan)
        log = whole[:fence] if fence >= 0 else whole
        state = fold(log)
        numbers = _touched(log, len(plan.heads[at]), mutant)
        for number, which in numbers:
            version = state.versions[number]
            if version.is_purged or (version.deleted >= 0 and mutant == "only what is live"):
                continue
            refs |= which or version.all_refs
        if state.draft == "open" and mutant != "parts are no roots":
            refs |= {ref for part in world.parts for ref in part.refs}
        if gc.has_window:
            for number, version in enumerate(state.versions):
                if is_protected(world, at, number):
                    refs |= version.all_refs
    return refs


def _touched(log: Log, head: int, mutant: str) -> Iterator[tuple[int, Keys]]:
    """Versions that entries from `head` on bring to life, or describe."""
    for n in range(head, len(log)):
        entry = log[n]
        if entry.kind == "publish":
            yield len(fold(log[:n]).versions), entry.refs
        elif entry.kind == "restore" and mutant != "sweep looks at new versions only":
            yield entry.number, NOTHING
        elif entry.kind == "describe" and mutant != "sweep overlooks descriptions":
            yield entry.number, entry.refs


def _delete(world: World, gc: Collector, mutant: str) -> Steps:
    """One after the other; what is gone already is no fault. Behind the last one: done."""
    plan = world.plans[gc.plan]
    assert plan.spared is not None
    there = sorted((plan.condemned - plan.spared - gc.keeps) & world.objects)
    if there:
        yield world._replace(objects=world.objects - {there[0]}), gc
    elif gc.keeps & world.objects and mutant != "done though something is kept":
        # Who wrote the record may be asleep between two deletes.
        yield world, Collector()
    else:
        yield _closed(world, gc.plan), Collector()


def _done(world: World, gc: Collector, mutant: str) -> Steps:
    """Only of a mutant: deletes follow."""
    yield _closed(world, gc.plan), gc._replace(step="delete")


def _late_record(world: World, gc: Collector, mutant: str) -> Steps:
    """Only of a mutant: the plan was first."""
    key, *rest = gc.todo
    left = gc._replace(todo=tuple(rest)) if rest else Collector("list", gc.plan)
    yield with_object(world, key), left


def _changed(world: World, k: int, plan: Plan) -> World:
    return world._replace(plans=(*world.plans[:k], plan, *world.plans[k + 1 :]))


_SWEEPING = {
    "list": _list,
    "fence": _fence,
    "spare": _spare,
    "delete": _delete,
    "done": _done,
    "late record": _late_record,
}

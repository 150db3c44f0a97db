"""
The commit protocol as an explicit-state model: every interleaving of writers and gc is visited.

One object X, known from the index. Log L exists and its version v0 references
X; log N is new. Writers want to publish versions that reference X, tombstones
appear, gc processes plan and sweep, and each of them may stall for ever between
any two of its steps. The one property: a live version never lacks its object.

The model follows what `artstore.catalog` does: `ContentCheck` is the function
`check` below, `PushStart` the fields `head` and `done` of a writer. A mutant
leaves one step of the protocol out, and each must be caught: a model that
cannot fail proves nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

LOG_MAX = 8
PLAN_MAX = 2
TOMBSTONE_MAX = 2


class Writer(NamedTuple):
    """
    A push that relies on X.

    `log` is 0 for L and 1 for N. `mode` tells where it knows X from: "index";
    "version", a live version of its own log; "blind", the index, but it did not
    read the log of gc when it began.
    """

    log: int
    mode: str
    step: str = "read log"
    is_new: bool = False
    """Whether there was no log when the push began."""
    known: int = 0
    """How many entries it has read by now: it tries to create this number."""
    done: int = 0
    """Plans known as done, as bits."""
    feared: int = 0
    """Plans that count as fenced though no fence stands in the log, as bits."""
    has_looked: bool = False


class Collector(NamedTuple):
    """A gc process: continues the open plan, or makes one."""

    step: str = "idle"
    plan: int = -1
    marked: bool = False
    lists_new: bool = False
    spares: bool = False


class Plan(NamedTuple):
    """A plan that condemns X; `spared` is None before its sweep record."""

    spared: bool | None = None
    is_done: bool = False


class World(NamedTuple):
    """`logs` hold P (publishes X), T (tombstone of the oldest), C (create), 0 and 1 (fences)."""

    logs: tuple[str, str]
    has_object: bool
    plans: tuple[Plan, ...]
    writers: tuple[Writer, ...]
    collectors: tuple[Collector, ...]


def live_count(log: str) -> int:
    return log.count("P") - log.count("T")


def is_safe(world: World) -> bool:
    return world.has_object or not any(live_count(log) > 0 for log in world.logs)


def done_plans(world: World) -> int:
    return sum(1 << k for k, plan in enumerate(world.plans) if plan.is_done)


def open_plans(world: World) -> int:
    return sum(1 << k for k, plan in enumerate(world.plans) if not plan.is_done)


# --- Writers ----------------------------------------------------------------------------


def write_steps(world: World, writer: Writer, mutant: str) -> Iterator[tuple[World, Writer]]:
    """What a writer may do next; one atomic request each."""
    log = world.logs[writer.log]
    stop = writer._replace(step="end", is_new=False, known=0, done=0, feared=0, has_looked=False)
    step = writer.step
    if step == "read log":
        if mutant == "HEAD before the log is read" and not writer.has_looked:
            yield world, writer._replace(has_looked=True) if world.has_object else stop
            return
        if writer.mode == "version":
            if live_count(log) > 0:
                yield world, writer._replace(is_new=not log, known=len(log), step="create")
            return
        following = "read gc" if writer.mode == "index" else "create"
        yield world, writer._replace(is_new=not log, known=len(log), step=following)
    elif step == "read gc":
        # Step 1 and 2: what is done, and nothing that an open plan condemns.
        if open_plans(world) and mutant != "relying on what an open plan condemns":
            yield world, stop
        else:
            yield world, writer._replace(done=done_plans(world), step="create")
    elif step == "look at gc":
        yield world, look_at_gc(world, writer, stop, mutant)
    elif step == "HEAD":
        if world.has_object or mutant == "index hit without HEAD":
            yield world, writer._replace(has_looked=True, step="create")
        elif mutant == "a deleted key made again":
            yield (
                world._replace(has_object=True),
                writer._replace(has_looked=True, step="create"),
            )
        else:
            yield world, stop
    elif step == "create":
        yield create(world, writer, log, stop, mutant)


def look_at_gc(world: World, writer: Writer, stop: Writer, mutant: str) -> Writer:
    """`ContentCheck._look`: the log of gc once n-1 is known, if that is needed."""
    done = writer.done
    if writer.mode != "index":
        done = done_plans(world)
        if open_plans(world):
            return stop
    feared = done_plans(world) | open_plans(world) if writer.is_new else 0
    if mutant == "new collection without the look at gc":
        feared = 0
    return writer._replace(done=done, feared=feared & ~done, step="HEAD")


def create(
    world: World, writer: Writer, log: str, stop: Writer, mutant: str
) -> tuple[World, Writer]:
    """Evaluate on what is known; then win the number, or read who did."""
    seen = log[: writer.known]
    if not seen:
        # C9: entry 0 only makes the log; everything is checked behind it.
        if log:
            return world, writer._replace(known=1)
        return appended(world, writer.log, "C"), writer._replace(known=1)
    is_free = writer.mode == "version" and live_count(seen) > 0
    if not is_free and not writer.has_looked:
        needs_gc = writer.is_new or writer.mode != "index"
        return world, writer._replace(step="look at gc" if needs_gc else "HEAD")
    if mutant == "done looked up late":
        writer = writer._replace(done=done_plans(world))
    if not is_free and not check(seen, writer, mutant):
        return world, stop
    if len(log) == writer.known:
        return appended(world, writer.log, "P"), stop
    return world, writer._replace(known=writer.known + 1)


def check(seen: str, writer: Writer, mutant: str) -> bool:
    """`ContentCheck.check`: no fence below n is of a plan that may delete X."""
    if mutant == "fence not looked at":
        return not writer.feared
    fenced = sum(1 << k for k in range(PLAN_MAX) if str(k) in seen)
    return not (fenced & ~writer.done) and not writer.feared


def appended(world: World, log: int, entry: str) -> World:
    logs = list(world.logs)
    logs[log] += entry
    return world._replace(logs=(logs[0], logs[1]))


# --- gc -----------------------------------------------------------------------------------


def collect_steps(world: World, gc: Collector, mutant: str) -> Iterator[tuple[World, Collector]]:
    """What a gc process may do next."""
    step, k = gc.step, gc.plan
    if step == "idle":
        unfinished = [k for k, plan in enumerate(world.plans) if not plan.is_done]
        if unfinished:
            yield world, gc._replace(step="list", plan=unfinished[0])
        elif len(world.plans) < PLAN_MAX and world.has_object:
            yield world, gc._replace(step="mark N", plan=len(world.plans))
    elif step == "mark N":
        yield world, gc._replace(step="mark L", marked=live_count(world.logs[1]) > 0)
    elif step == "mark L":
        marked = gc.marked or live_count(world.logs[0]) > 0
        # What is marked is not condemned, and a plan without X is of no interest here.
        yield world, Collector() if marked else gc._replace(step="plan")
    elif step == "plan":
        if len(world.plans) == k and world.has_object:
            yield (
                world._replace(plans=(*world.plans, Plan())),
                gc._replace(step="list", marked=False),
            )
        else:
            yield world, Collector()
    elif step == "list":
        gc = gc._replace(lists_new=bool(world.logs[1]), step="fence N")
        if mutant == "fence after the live set":
            gc = gc._replace(spares=is_referenced(world, gc))
        yield world, gc
    elif step in {"fence N", "fence L"}:
        yield fence(world, gc, mutant)
    elif step == "sweep":
        plan = world.plans[k]
        # Below the fences nothing changes any more: looking there is no step of its own.
        spares = gc.spares if mutant == "fence after the live set" else is_referenced(world, gc)
        if plan.spared is None:
            world = changed(world, k, plan._replace(spared=spares))
        yield world, gc._replace(step="delete", spares=False, lists_new=False)
    elif step == "delete":
        gone = not world.plans[k].spared
        yield (
            world._replace(has_object=world.has_object and not gone),
            gc._replace(step="done"),
        )
    elif step == "done":
        yield changed(world, k, world.plans[k]._replace(is_done=True)), Collector()


def fence(world: World, gc: Collector, mutant: str) -> tuple[World, Collector]:
    """Append the fence unless it stands; lost races are retried, so this is one step."""
    log = 1 if gc.step == "fence N" else 0
    following = gc._replace(step="fence L" if log == 1 else "sweep")
    is_listed = log == 0 or gc.lists_new
    if mutant == "no fence" or not is_listed or str(gc.plan) in world.logs[log]:
        return world, following
    return appended(world, log, str(gc.plan)), following


def is_referenced(world: World, gc: Collector) -> bool:
    """Whether a log references X *at its fence*; what comes later has seen the fence."""
    logs = world.logs if gc.lists_new else world.logs[:1]
    return any(live_count(log.partition(str(gc.plan))[0]) > 0 for log in logs)


def changed(world: World, k: int, plan: Plan) -> World:
    return world._replace(plans=(*world.plans[:k], plan, *world.plans[k + 1 :]))


# --- Exploration --------------------------------------------------------------------------


def next_worlds(world: World, mutant: str) -> Iterator[World]:
    for log, entries in enumerate(world.logs):
        tombstones = world.logs[0].count("T") + world.logs[1].count("T")
        if live_count(entries) > 0 and tombstones < TOMBSTONE_MAX:
            yield appended(world, log, "T")
    for i, writer in enumerate(world.writers):
        for after, moved in write_steps(world, writer, mutant):
            yield after._replace(writers=replaced(world.writers, i, moved))
    for i, gc in enumerate(world.collectors):
        for after, acted in collect_steps(world, gc, mutant):
            yield after._replace(collectors=replaced(world.collectors, i, acted))


def replaced(processes: tuple, i: int, moved: NamedTuple) -> tuple:
    # Processes that are alike are not told apart: it does not matter which of them stalls.
    return tuple(sorted((*processes[:i], moved, *processes[i + 1 :])))


def explore(start: World, mutant: str = "") -> tuple[int, World | None]:
    """Visit every world; how many there are, and the first in which a version lacks its object."""
    seen = {start}
    waiting = deque([start])
    while waiting:
        for world in next_worlds(waiting.popleft(), mutant):
            if world in seen or max(map(len, world.logs)) > LOG_MAX:
                continue
            if not is_safe(world):
                return len(seen), world
            seen.add(world)
            waiting.append(world)
    return len(seen), None


def world_with(*writers: Writer) -> World:
    return World(("CP", ""), True, (), tuple(sorted(writers)), (Collector(), Collector()))


L, N = 0, 1
BIG = "two writers of a log, one of a new one"
SCENES: dict[str, Callable[[], World]] = {
    BIG: lambda: world_with(Writer(L, "index"), Writer(L, "index"), Writer(N, "index")),
    "a writer that knows X from a version": lambda: world_with(
        Writer(L, "version"), Writer(L, "index")
    ),
    "writers that did not read the log of gc": lambda: world_with(
        Writer(L, "blind"), Writer(N, "blind")
    ),
    "two writers of a new log": lambda: world_with(Writer(N, "index"), Writer(N, "index")),
}

MUTANTS = {
    "no fence": BIG,
    "fence not looked at": BIG,
    "fence after the live set": BIG,
    "index hit without HEAD": BIG,
    "new collection without the look at gc": BIG,
    "HEAD before the log is read": BIG,
    "done looked up late": BIG,
    "a deleted key made again": "a writer that knows X from a version",
    "relying on what an open plan condemns": "two writers of a new log",
}


@pytest.mark.parametrize("scene", SCENES)
def test_no_interleaving_leaves_a_live_version_without_its_object(scene: str) -> None:
    count, broken = explore(SCENES[scene]())
    assert broken is None
    assert count > 1_000


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_protocol_that_lacks_one_step_loses_data(mutant: str) -> None:
    _, broken = explore(SCENES[MUTANTS[mutant]](), mutant)
    assert broken is not None
    assert not is_safe(broken)

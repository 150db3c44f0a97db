"""
What writers do: each step is one request, and any of them may be the last.

The check before an entry is that of `artstore.catalog.fences`. A mutant is the name of one
thing that a writer leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.stateful.protocol.store import (
    NOTHING,
    Entry,
    Keys,
    Part,
    State,
    World,
    appended,
    done_plans,
    fold,
    keys_of,
    open_plans,
    pack_of,
    resolve,
    union,
    with_object,
)

__all__ = ["Writer", "write_steps"]


class Writer(NamedTuple):
    """
    One command that wants to write one entry to log `log`.

    `mode` tells what it relies on:

    - "index": `wants`, which an index names; looked for in the storage
    - "own": what the newest live version of its own log names
    - "other": what a live version of log `source` names, read after the log of gc
    - "link": the same, but the log of gc is read only before the entry
    - "alone": only what it writes itself
    - "restore", "describe": one entry about version `version`
    - "part": writes a part of the draft; "finish": publishes the draft

    `own` is what it stores first. `known` entries of its log are known by now, `start` when it
    began. `done` and `feared` are plans, as bits. `gone` are packs whose chunks were found
    elsewhere: whatever a plan names, they are looked for again without what it condemns.
    """

    mode: str
    log: int = 0
    wants: Keys = NOTHING
    own: str = ""
    source: int = 0
    version: int = -1
    step: str = "begin"
    start: int = 0
    known: int = 0
    done: int = 0
    feared: int = 0
    refs: Keys = NOTHING
    has_looked: bool = False
    gone: Keys = NOTHING

    def stopped(self) -> Writer:
        return Writer(self.mode, self.log, own=self.own, step="end")

    @property
    def own_keys(self) -> Keys:
        return frozenset([self.own]) if self.own else NOTHING

    @property
    def own_refs(self) -> Keys:
        """Every chunk of what it stored."""
        chunks = self.own.partition(":")[2]
        return frozenset(f"{self.own}/{chunk}" for chunk in chunks)

    @property
    def is_blind(self) -> bool:
        """Whether the log of gc is read only when the entry is about to be written."""
        return self.mode in {"link", "finish"}


Steps = Iterator[tuple[World, Writer]]

_ORDER = {
    "index": ("read log", "read gc", "store", "create"),
    "own": ("read log", "read gc", "store", "create"),
    "other": ("read log", "read gc", "read source", "store", "create"),
    "alone": ("read log", "read gc", "store", "create"),
    "link": ("read source", "read log", "create"),
    "restore": ("read log", "create"),
    "describe": ("read log", "read gc", "store", "create"),
    "part": ("read log", "read gc", "store", "put part"),
    "finish": ("read log", "read parts", "create"),
}


def write_steps(world: World, writer: Writer, mutant: str) -> Steps:
    """What a writer may do next."""
    step = writer.step
    if step == "end":
        return
    if step == "begin":
        writer = _next(writer, mutant)
        step = writer.step
    if step == "create":
        yield from _create(world, writer, mutant)
    else:
        yield from _STEPS[step](world, writer, mutant)


def _next(writer: Writer, mutant: str) -> Writer:
    order = _ORDER[writer.mode]
    if mutant == "gc read before the log" and order[1] == "read gc":
        order = ("read gc", "read log", *order[2:])
    if mutant == "HEAD before the log is read" and writer.mode == "index":
        order = ("HEAD", *order)
    at = -1 if writer.step == "begin" else order.index(writer.step)
    if order[at + 1] == "store" and not writer.own:
        at += 1
    return writer._replace(step=order[at + 1])


# --- Before the entry ---------------------------------------------------------------------


def _read_log(world: World, writer: Writer, mutant: str) -> Steps:
    log = world.logs[writer.log]
    state = fold(log)
    writer = writer._replace(start=len(log), known=len(log))
    if writer.mode == "own":
        live = [v for v, version in enumerate(state.versions) if version.deleted < 0]
        if not live:
            return
        # Which of them it is taken from: the newest, or one that is named.
        for number in live:
            refs = state.versions[number].refs
            yield world, _next(writer._replace(version=number, refs=refs), mutant)
        return
    if writer.mode == "restore":
        for number, version in enumerate(state.versions):
            if version.deleted >= 0 and not version.is_purged:
                yield world, _next(writer._replace(version=number), mutant)
        return
    if writer.mode == "describe":
        writer = writer._replace(version=0)
        if not _is_live(state, 0):
            return
    if writer.mode in {"part", "finish"} and state.draft != "open":
        return
    if writer.mode in {"index", "part"}:
        writer = writer._replace(refs=writer.wants)
    yield world, _next(writer, mutant)


def _head(world: World, writer: Writer, mutant: str) -> Steps:
    """Only of a mutant: looked for too early, and never again."""
    if keys_of(writer.wants) <= world.objects:
        yield world, _next(writer._replace(has_looked=True), mutant)


def _read_gc(world: World, writer: Writer, mutant: str) -> Steps:
    # Never on what was condemned when it began; the fence of that plan may stand already,
    # or never come into a log that is younger.
    feared = open_plans(world)
    if mutant == "relying on what an open plan condemns":
        feared = 0
    yield world, _next(writer._replace(done=done_plans(world), feared=feared), mutant)


def _read_source(world: World, writer: Writer, mutant: str) -> Steps:
    for version in fold(world.logs[writer.source]).versions:
        if version.deleted < 0:
            yield world, _next(writer._replace(refs=version.refs), mutant)


def _store(world: World, writer: Writer, mutant: str) -> Steps:
    if writer.own:
        world = with_object(world, writer.own)
    yield world, _next(writer, mutant)


def _put_part(world: World, writer: Writer, mutant: str) -> Steps:
    part = Part(writer.own, writer.refs | writer.own_refs)
    yield world._replace(parts=world.parts | {part}), writer.stopped()


def _read_parts(world: World, writer: Writer, mutant: str) -> Steps:
    if not world.parts:
        return
    refs = union(part.refs for part in world.parts)
    yield world, _next(writer._replace(refs=refs), mutant)


# --- The check and the entry --------------------------------------------------------------


def _create(world: World, writer: Writer, mutant: str) -> Steps:
    """Decide on what is known; then win the number, or read who did."""
    log = world.logs[writer.log]
    seen = log[: writer.known]
    if not seen:
        # C9: entry 0 only makes the log; everything is checked behind it.
        if not log:
            world = appended(world, writer.log, Entry("create"))
        yield world, writer._replace(known=1)
        return
    state = fold(seen)
    if writer.mode == "restore":
        writer = _restoring(writer, state)
    entry = _entry(writer, state)
    if entry is None:
        yield world, writer.stopped()
        return
    if _has_to_look(writer, state, mutant):
        is_gc_read = writer.mode != "restore" and not (writer.is_blind or writer.start == 0)
        yield from (_look if is_gc_read else _look_at_gc)(world, writer, mutant)
        return
    if mutant == "done looked up late":
        writer = writer._replace(done=done_plans(world))
    gone = _check(world, writer, state, mutant)
    if gone is None:
        yield world, writer.stopped()
    elif gone != writer.gone:
        # It looked around; whatever happens before its create.
        yield world, writer._replace(step="commit", gone=gone)
    else:
        yield _committed(world, writer, entry)


def _commit(world: World, writer: Writer, mutant: str) -> Steps:
    state = fold(world.logs[writer.log][: writer.known])
    entry = _entry(writer, state)
    assert entry is not None
    yield _committed(world, writer._replace(step="create"), entry)


def _committed(world: World, writer: Writer, entry: Entry) -> tuple[World, Writer]:
    """The number is won, or the entry of who won it is read."""
    if len(world.logs[writer.log]) == writer.known:
        return appended(world, writer.log, entry), writer.stopped()
    looked = writer.has_looked and writer.mode != "restore"
    return world, writer._replace(known=writer.known + 1, has_looked=looked)


def _is_live(state: State, number: int) -> bool:
    return number < len(state.versions) and state.versions[number].deleted < 0


def _entry(writer: Writer, state: State) -> Entry | None:
    """What is to be written; None if the rules refuse it now (C4)."""
    if writer.mode == "restore":
        version = state.versions[writer.version]
        return (
            None if version.deleted < 0 or version.is_purged else Entry("restore", writer.version)
        )
    if writer.mode == "describe":
        is_live = _is_live(state, writer.version)
        return Entry("describe", writer.version, writer.own_refs) if is_live else None
    if writer.mode == "finish":
        return Entry("publish", 0, writer.refs) if state.draft == "open" else None
    return Entry("publish", -1, writer.refs | writer.own_refs)


def _restoring(writer: Writer, state: State) -> Writer:
    return writer._replace(refs=state.versions[writer.version].all_refs)


def _foreign(writer: Writer, state: State, mutant: str) -> Keys:
    """What it relies on and its own log does not name: places."""
    if writer.mode == "own" and _is_live(state, writer.version):
        return NOTHING
    if mutant == "own version taken as live for ever" and writer.mode == "own":
        return NOTHING
    return writer.refs


def _fences_since(writer: Writer, state: State) -> list[tuple[int, int]]:
    since = state.versions[writer.version].deleted
    return [(n, k) for n, k in state.fences if n > since]


def _has_to_look(writer: Writer, state: State, mutant: str) -> bool:
    if writer.has_looked:
        return False
    if writer.mode == "restore":
        # C6: without a fence since the tombstone nothing was touched.
        is_checked = mutant != "restore without a check"
        return is_checked and bool(_fences_since(writer, state))
    if writer.mode == "own":
        is_orphan = bool(_foreign(writer, state, mutant))
        return is_orphan and mutant != "orphans are not looked for"
    # What a live version of another log named after the log of gc was read needs no look.
    is_hint = bool(writer.refs) and writer.mode == "index"
    return writer.start == 0 or writer.is_blind or is_hint


def _look_at_gc(world: World, writer: Writer, mutant: str) -> Steps:
    """The log of gc, once n-1 is known."""
    if writer.is_blind or writer.mode == "restore":
        writer = writer._replace(done=done_plans(world))
    if mutant == "restore trusts what is there" and writer.mode == "restore":
        writer = writer._replace(done=done_plans(world) | open_plans(world))
    if writer.mode != "restore" and (writer.is_blind or writer.start == 0):
        now = done_plans(world) | open_plans(world)
        feared = writer.feared | (now & ~writer.done)
        if mutant != "new collection without the look at gc":
            writer = writer._replace(feared=feared)
    yield world, writer._replace(step="look")


def _look(world: World, writer: Writer, mutant: str) -> Steps:
    """Is it there? Asked for every place, once n-1 is known."""
    refs = writer.refs
    if writer.is_blind:
        refs |= writer.own_refs
    gone = set[str]()
    if not _is_skipped(writer, mutant):
        rule = "by pack" if mutant == "look by pack, not by chunk" else ""
        for ref in refs:
            found = resolve(world.objects, ref, rule)
            # A hint that leads nowhere by itself is no hint.
            is_hint = writer.mode == "index" and mutant != "look by pack, not by chunk"
            if not found or (is_hint and len(found) > 1):
                if mutant == "a deleted key made again":
                    world = with_object(world, pack_of(ref), may_exist=True)
                    continue
                yield world, writer.stopped()
                return
            if len(found) > 1:
                gone.add(pack_of(ref))
    if mutant == "gone packs are compared by name":
        gone = set()
    yield world, writer._replace(step="create", has_looked=True, gone=frozenset(gone))


def _is_skipped(writer: Writer, mutant: str) -> bool:
    return mutant == {
        "index": "index hit without HEAD",
        "link": "link without a look",
        "restore": "restore does not look whether it is there",
        "finish": "parts are not looked for",
    }.get(writer.mode, "-")


def _check(world: World, writer: Writer, state: State, mutant: str) -> Keys | None:
    """
    Whether no plan of a fence below n, or that is feared, deletes what is needed.

    Returns:
        the packs whose chunks were found elsewhere; None: something would be lost.
    """
    if mutant == {
        "describe": "description without a check",
        "finish": "parts are not compared",
        "restore": "restore without a check",
    }.get(writer.mode):
        return writer.gone
    is_restore = writer.mode == "restore"
    fences = _fences_since(writer, state) if is_restore else list(state.fences)
    if mutant == "fence not looked at":
        fences = []
    # What was written after a plan it does not condemn.
    old = {k for n, k in fences if n < writer.start and not is_restore}
    feared = {k for k in range(len(world.plans)) if writer.feared >> k & 1}
    refs = _foreign(writer, state, mutant)
    gone = writer.gone
    for k in sorted(feared | {k for _, k in fences}):
        if writer.done >> k & 1:
            continue
        own = NOTHING if k in old or mutant == "own objects not compared" else writer.own_keys
        found = _uncondemned(world, k, own, refs, gone=gone, mutant=mutant)
        if found is None:
            return None
        if mutant != "what was found elsewhere is forgotten":
            gone |= found
    return gone


def _uncondemned(
    world: World, k: int, own: Keys, refs: Keys, *, gone: Keys, mutant: str
) -> Keys | None:
    """Packs that a plan deletes and of which what is needed stays elsewhere; None: not all."""
    if not own and not refs:
        return NOTHING
    if k >= len(world.plans):
        return None
    plan = world.plans[k]
    if not plan.is_readable:
        # Its list is gone: whatever it deleted, this push did not compare it.
        return NOTHING if mutant == "a trimmed plan counts as empty" else None
    if own & plan.condemned:
        return None
    left = world.objects - plan.condemned
    if mutant == "condemned records are followed":
        left |= frozenset(key for key in world.objects if key.startswith("moved"))
    moved = set[str]()
    for ref in refs:
        pack = pack_of(ref)
        if pack not in plan.condemned and pack not in gone:
            continue
        rule = "by pack" if mutant == "look by pack, not by chunk" else ""
        if not resolve(left, ref, rule):
            return None
        moved.add(pack)
    return frozenset(moved)


_STEPS = {
    "commit": _commit,
    "HEAD": _head,
    "read log": _read_log,
    "read gc": _read_gc,
    "read source": _read_source,
    "store": _store,
    "put part": _put_part,
    "read parts": _read_parts,
    "look": _look,
}

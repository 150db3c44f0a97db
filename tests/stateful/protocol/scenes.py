"""
The scenes: small stores in which everything that may go wrong between a few processes does.

`SCENES` are visited wholly in seconds each; `LARGE_SCENES` take minutes.
"""

from __future__ import annotations

from tests.stateful.protocol.collectors import Collector, Habits
from tests.stateful.protocol.store import Entry, Log, Part, Plan, record
from tests.stateful.protocol.worlds import Scene, created, places
from tests.stateful.protocol.writers import Writer

__all__ = ["LARGE_SCENES", "MUTANTS", "SCENES"]

ONE = (Collector(),)
TWO = (Collector(), Collector())

# --- One thing that lies there: X -----------------------------------------------------------

X = places("X:x/x")
HAS_X = frozenset({"X:x"})
NAMED = created(X)
EMPTY = created()
NO_LOG: Log = ()
DRAFT: Log = (Entry("create"), Entry("open"))


def from_index(log: int = 0) -> Writer:
    return Writer("index", log, X)


def with_x(*writers: Writer, logs: tuple[Log, ...] = (NAMED,), **how: object) -> Scene:
    return Scene(logs, HAS_X, writers)._replace(**how)


SCENES: dict[str, Scene] = {
    "a writer of a log and one of a new log": with_x(
        from_index(0), from_index(1), logs=(NAMED, NO_LOG)
    ),
    "two writers of a new log": with_x(from_index(1), from_index(1), logs=(NAMED, NO_LOG)),
    "two writers of a log": with_x(from_index(), Writer("own")),
    "a writer stalls over two plans": with_x(from_index(), deletes=2),
    "content of its own version": with_x(Writer("own"), deletes=2),
    "a link": with_x(Writer("link", 1), logs=(NAMED, EMPTY)),
    "a link in a new log": with_x(Writer("link", 1), logs=(NAMED, NO_LOG)),
    "content of a version of another log": with_x(Writer("other", 1), logs=(NAMED, EMPTY)),
    "a restore": with_x(Writer("restore"), logs=(NAMED, EMPTY), deletes=2),
    "a restore beside a push": with_x(Writer("restore"), from_index(), deletes=2),
    "a restore inside the window": with_x(
        Writer("restore"), habits=Habits(window="yes"), deletes=2
    ),
    "published and deleted before the fence": with_x(
        from_index(), logs=(EMPTY,), habits=Habits(window="yes")
    ),
    "collectors with windows of their own": with_x(
        Writer("restore"), habits=Habits(window="some"), deletes=2
    ),
    "a long push": with_x(Writer("alone", own="O:o"), logs=(EMPTY,)),
    "a long first push": with_x(Writer("alone", own="O:o"), logs=(NO_LOG,)),
    "a description": with_x(Writer("describe", own="M:m")),
    "a list that is trimmed": with_x(from_index(), trims=True),
    "a list that is lost": with_x(from_index(), loses=True),
    "a list that is lost, a new log": with_x(from_index(1), logs=(NAMED, NO_LOG), loses=True),
    "a list that is lost, a restore": with_x(Writer("restore"), loses=True, deletes=2),
    "parts of a draft": with_x(
        Writer("part", 0, X, own="A:a"),
        Writer("finish"),
        logs=(DRAFT,),
        deletes=0,
        abandons=True,
    ),
    "a part that comes late": with_x(
        Writer("part", 0, X, own="A:a"),
        Writer("finish"),
        logs=(DRAFT,),
        deletes=0,
        objects=frozenset({"X:x", "B:b"}),
        parts=frozenset({Part("B:b", places("B:b/b"))}),
    ),
    "a draft that stays open": with_x(
        Writer("finish"),
        logs=(DRAFT,),
        deletes=0,
        objects=frozenset({"X:x", "A:a", "G:g"}),
        parts=frozenset({Part("A:a", X | places("A:a/a"))}),
    ),
    "a copy put back, logs first": with_x(from_index(), collectors=ONE, copies="logs"),
    "a copy put back, log of gc first": with_x(
        Writer("alone", own="O:o"), collectors=ONE, copies="gc"
    ),
}

# --- A pack of which chunks die: repacks ------------------------------------------------------

A, B = "P:ab/a", "P:ab/b"
HAS_P = frozenset({"P:ab"})
BOTH = created(places(A), places(B))
REPACKS = Habits(repacks=True)


def with_p(*writers: Writer, logs: tuple[Log, ...] = (BOTH,), **how: object) -> Scene:
    return Scene(logs, HAS_P, writers, REPACKS, collectors=ONE)._replace(**how)


SCENES |= {
    "a repack beside a push": with_p(Writer("index", 0, places(B))),
    "a repack beside a push, two collectors": with_p(Writer("index", 0, places(B)), collectors=TWO),
    "a repack beside a restore": with_p(Writer("restore"), deletes=2),
    "a repack beside a link": with_p(Writer("link", 1), logs=(BOTH, EMPTY), deletes=2),
    "a repack beside another log": with_p(Writer("other", 1), logs=(BOTH, EMPTY), deletes=2),
    "a repack beside its own log": with_p(Writer("own"), deletes=2),
    "a purge": with_p(
        Writer("index", 0, places(B)),
        objects=frozenset({"P:ab", "G:g"}),
        habits=REPACKS._replace(purges=True),
        purges=1,
    ),
}

# One has marked a and b, and written its new pack, when b's version is deleted.
_WIDE = created(places("P:abc/a"), places("P:abc/b"))
_LATE = record("P:abc", 1, "P1:ab")
_STALLED = Collector(
    "repack",
    0,
    heads=(_WIDE,),
    marks=places("P:abc/a", "P:abc/b"),
    old="P:abc",
    made=frozenset({_LATE, "P1:ab"}),
    todo=(_LATE,),
    is_last=True,
)


def late(*writers: Writer) -> Scene:
    return Scene(
        (_WIDE,),
        frozenset({"P:abc", "P1:ab"}),
        writers,
        REPACKS._replace(leaves_young=True),
        collectors=(Collector(), _STALLED),
    )


SCENES |= {
    "a record that comes late": late(Writer("restore")),
    "a record that comes late, a push": late(Writer("index", 0, places("P:abc/b"))),
}

# P:abc is gone, P1:ab has what was live of it; now that is repacked.
_FENCE = (Entry("fence", 0),)
_MOVED = (_WIDE + _FENCE, EMPTY + _FENCE)


def moved(*writers: Writer, plan_max: int = 2, **how: object) -> Scene:
    plan = Plan(frozenset({"P:abc"}), (_WIDE, EMPTY), frozenset(), is_done=True)
    objects = frozenset({"P1:ab", record("P:abc", 1, "P1:ab")})
    habits = Habits(plan_max, repacks=True, repack_max=plan_max)
    scene = Scene(_MOVED, objects, writers, habits, collectors=ONE, plans=(plan,))
    return scene._replace(**how)


SCENES |= {
    "a pack of a repack is repacked": moved(Writer("own")),
    "moved content of another log": moved(Writer("other", 1)),
    "a link to moved content": moved(Writer("link", 1)),
    "moved content is restored": moved(Writer("restore")),
    "moved twice, restored": moved(Writer("restore"), plan_max=3, deletes=2),
    "moved twice, another log": moved(Writer("other", 1), plan_max=3, deletes=2),
    "moved beside what lives": moved(
        Writer("other", 1),
        logs=(created(places("P:abc/a"), places("P1:ab/b")) + _FENCE, EMPTY + _FENCE),
    ),
}

LARGE_SCENES: dict[str, Scene] = {
    "a log, a new log, many deletions": with_x(
        from_index(0), from_index(1), logs=(NAMED, NO_LOG), deletes=2
    ),
    "a list that is lost, a push and a restore": with_x(
        from_index(), Writer("restore"), loses=True
    ),
    "two descriptions": with_x(Writer("describe", own="M:m"), Writer("describe", own="N:n")),
    "two parts": with_x(
        Writer("part", 0, X, own="A:a"),
        Writer("part", 0, own="B:b"),
        Writer("finish"),
        logs=(DRAFT,),
        deletes=0,
    ),
    "a repack, young packs": with_p(
        Writer("index", 0, places(B)),
        collectors=TWO,
        habits=REPACKS._replace(leaves_young=True),
    ),
    "a repack and a link, two collectors": with_p(
        Writer("link", 1), logs=(BOTH, EMPTY), collectors=TWO
    ),
    "moved content restored, two collectors": moved(
        Writer("restore"), plan_max=3, deletes=2, collectors=TWO
    ),
}

# --- What is left out, and where that is seen -------------------------------------------------

MUTANTS: dict[str, str] = {
    # of PROTOCOL, section 1
    "no fence": "a writer stalls over two plans",
    "fence not looked at": "a writer stalls over two plans",
    "fence after the live set": "a writer stalls over two plans",
    "index hit without HEAD": "a writer stalls over two plans",
    "HEAD before the log is read": "a writer of a log and one of a new log",
    "new collection without the look at gc": "a writer of a log and one of a new log",
    "a deleted key made again": "two writers of a log",
    # of the commit
    "done looked up late": "a writer of a log and one of a new log",
    "relying on what an open plan condemns": "two writers of a new log",
    "gc read before the log": "two writers of a new log",
    "orphans are not looked for": "content of its own version",
    "own version taken as live for ever": "content of its own version",
    "own objects not compared": "a long push",
    "a trimmed plan counts as empty": "a list that is trimmed",
    # of the sweep
    "nothing is spared": "a writer stalls over two plans",
    "done before the last delete": "a writer stalls over two plans",
    "a second open plan": "a repack beside a push, two collectors",
    "plan number taken late": "a repack beside a push, two collectors",
    "heads are not compared": "a copy put back, logs first",
    "a sweep record is trusted": "a copy put back, logs first",
    "a fence below the mark counts": "a copy put back, log of gc first",
    # of restore, links, descriptions, drafts
    "restore without a check": "a restore",
    "restore trusts what is there": "a restore",
    "restore does not look whether it is there": "a restore",
    "sweep looks at new versions only": "a restore",
    "mark without the window": "a restore inside the window",
    "only what is live": "published and deleted before the fence",
    "done though something is kept": "collectors with windows of their own",
    "a plan is given up though its sweep has begun": "a list that is lost",
    "a sweep record behind done counts": "a list that is lost, a restore",
    "link without a look": "a link",
    "description without a check": "a description",
    "descriptions are not marked": "a description",
    "sweep overlooks descriptions": "a description",
    "parts are not looked for": "parts of a draft",
    "parts are not compared": "parts of a draft",
    "late parts are read": "a part that comes late",
    "parts are no roots": "a draft that stays open",
    # of repacks
    "look by pack, not by chunk": "a repack beside a restore",
    "moved packs are let go whole": "a repack beside a push",
    "any record counts as moved": "a repack beside another log",
    "a plan condemns what its own repack made": "a repack beside a push",
    "plan before the record is durable": "a repack beside a push, two collectors",
    "mark does not follow moved records": "a pack of a repack is repacked",
    "gone packs are not condemned with their targets": "moved content of another log",
    "chains are neither told straight nor followed": "moved twice, another log",
    "gone packs are compared by name": "a record that comes late",
    "what was found elsewhere is forgotten": "a record that comes late, a push",
    "only packs that are condemned are looked at": "a record that comes late",
    "condemned records are followed": "moved beside what lives",
    "newest record only": "a record that comes late",
    "purge leaves packs that are mostly live": "a purge",
}

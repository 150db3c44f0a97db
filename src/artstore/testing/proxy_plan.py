"""
What a fault proxy does to which request: by a seed, or exactly as told.

A seeded fault is decided by seed, method, target and how often the proxy has
seen just this pair, never by the order of requests to different keys. So a run
of several threads meets the same faults each time, as far as the client makes
the same requests: keys with random ids in them need a fixed clock
(`artstore.clock.use`), and a request that the client repeats because of its own
timer is one more.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

__all__ = ["Fault", "FaultCursor", "PlannedFault", "ProxyPlan", "ScriptedFault", "target_of"]


class Fault(StrEnum):
    """
    What can go wrong with one request.

    "Applied" means that the server got the whole request and did what it says,
    whatever the client hears of it.
    """

    RESET = "reset"
    """The connection is reset; the server never hears of the request."""
    CUT_REQUEST = "cut-request"
    """The server gets a part of the request, then both connections end."""
    LATE = "late"
    """The connection is reset at once; the request is applied some requests later."""
    LOSE_ANSWER = "lose-answer"
    """Applied; the connection is closed without an answer."""
    CUT_ANSWER = "cut-answer"
    """Applied; the answer ends in the middle."""
    FLIP = "flip"
    """Applied; one bit of the answer's body is another."""
    ERROR_500 = "500"
    """InternalError; not applied."""
    ERROR_503 = "503"
    """SlowDown; not applied."""
    ERROR_409 = "409"
    """ConditionalRequestConflict; not applied."""
    ERROR_500_APPLIED = "500-applied"
    ERROR_503_APPLIED = "503-applied"
    ERROR_409_APPLIED = "409-applied"
    DELAY = "delay"
    """Forwarded after a while."""
    DELAY_ANSWER = "delay-answer"
    """Applied at once, answered after a while."""
    DUPLICATE = "duplicate"
    """Applied twice; the client gets the second answer."""
    LATE_DUPLICATE = "late-duplicate"
    """Applied and answered; applied again some requests later."""


_WRITES: Final = frozenset(["PUT", "POST", "DELETE"])
# What a fault needs to make sense, by seed; a script may ask for anything.
_METHODS: Final[Mapping[Fault, frozenset[str]]] = {
    Fault.CUT_REQUEST: frozenset(["PUT", "POST"]),
    Fault.LATE: _WRITES,
    Fault.FLIP: frozenset(["GET"]),
    Fault.ERROR_409: frozenset(["PUT"]),
    Fault.ERROR_409_APPLIED: frozenset(["PUT"]),
    Fault.DUPLICATE: _WRITES,
    Fault.LATE_DUPLICATE: _WRITES,
}


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """
    A fault at an exact place: the 3rd PUT of a key that matches `/packs/`.

    Args:
        fault: what happens.
        method: only requests of this method; empty for all.
        key: a regular expression that is searched for in the target (`target_of`).
        first: which of the requests that match is the first to meet the fault,
            counted from 1 in the order in which they came.
        count: how many in a row meet it.
    """

    fault: Fault
    method: str = ""
    key: str = ""
    first: int = 1
    count: int = 1

    def matches(self, method: str, target: str) -> bool:
        """Whether it counts this request."""
        return self.method in ("", method) and re.search(self.key, target) is not None


@dataclass(frozen=True, slots=True)
class ProxyPlan:
    """
    Args:
        seed: another seed, other faults.
        rates: how likely each fault is for one request it fits, 0 to 1; together
            at most 1. Bits are flipped only in values, not in listings.
        script: exact faults; they come before the seeded ones.
        delay_seconds: how long a delayed request or answer waits, by the machine's clock.
        late_requests: after how many more requests a late one is applied.
    """

    seed: int = 0
    rates: Mapping[Fault, float] | None = None
    script: Sequence[ScriptedFault] = ()
    delay_seconds: float = 0.05
    late_requests: int = 3

    def __post_init__(self) -> None:
        if sum((self.rates or {}).values()) > 1:
            raise ValueError("the rates of all faults together are more than 1")


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """
    What was decided for one request.

    Attributes:
        target: the key, or the listing (`target_of`).
        nth: which request of this method for this target it was, counted from 1.
        fault: None if it goes through as it is.
        fraction: a number in [0, 1) of its own: where a body is cut or flipped.
    """

    method: str
    target: str
    nth: int
    fault: Fault | None
    fraction: float


class FaultCursor:
    """Walks a plan, request by request. Not safe between threads: callers hold a lock."""

    def __init__(self, plan: ProxyPlan) -> None:
        self.plan = plan
        self._seen: Counter[tuple[str, str]] = Counter()
        self._matched = [0] * len(plan.script)

    def decide(self, method: str, target: str) -> PlannedFault:
        """What happens to the next request of `method` for `target`."""
        self._seen[method, target] += 1
        nth = self._seen[method, target]
        scripted = self._scripted(method, target)
        fault = scripted or self._seeded(method, target, nth)
        fraction = self._draw("where", method, target, nth)
        return PlannedFault(method, target, nth, fault, fraction)

    def _scripted(self, method: str, target: str) -> Fault | None:
        chosen: Fault | None = None
        # All of them count the request, whichever of them has its way.
        for index, item in enumerate(self.plan.script):
            if item.matches(method, target):
                self._matched[index] += 1
                behind = self._matched[index] - item.first
                if chosen is None and 0 <= behind < item.count:
                    chosen = item.fault
        return chosen

    def _seeded(self, method: str, target: str, nth: int) -> Fault | None:
        if not self.plan.rates:
            return None
        drawn = self._draw("which", method, target, nth)
        for fault, rate in _in_order(self.plan.rates):
            drawn -= rate
            if drawn < 0:
                return fault if _fits(fault, method, target) else None
        return None

    def _draw(self, purpose: str, method: str, target: str, nth: int) -> float:
        text = f"{self.plan.seed}\0{purpose}\0{method}\0{target}\0{nth}"
        drawn = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=7).digest()
        # 53 bits are what a float holds.
        return (int.from_bytes(drawn) >> 3) / 2**53


def _in_order(rates: Mapping[Fault, float]) -> Iterable[tuple[Fault, float]]:
    return sorted((Fault(fault), rate) for fault, rate in rates.items())


def _fits(fault: Fault, method: str, target: str) -> bool:
    if fault is Fault.FLIP and "?" in target:
        return False
    return method in _METHODS.get(fault, (method,))


def target_of(raw_target: str) -> str:
    """
    The key a request is for, as a script names it: `/bucket/packs/0f/...`.

    Of a query only what says which listing is meant is kept (`?prefix=...`, with
    `&start-after=...` behind it where that is given), and names without a value
    (`?delete`): tokens and signatures differ from run to run.
    """
    path, _, query = raw_target.partition("?")
    named = dict(parse_qsl(query, keep_blank_values=True))
    kept = [f"{name}={named[name]}" for name in ("prefix", "start-after") if named.get(name)]
    kept += sorted(name for name, value in named.items() if not value and name != "prefix")
    if not kept and "list-type" in named:
        kept = ["prefix="]
    return unquote(path) + ("?" + "&".join(kept) if kept else "")

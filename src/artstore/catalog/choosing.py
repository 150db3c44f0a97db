"""
Which versions of a collection go and which stay, and why: pure, no I/O, no clock.

Whatever is asked, the newest version stays, and what somebody holds: by an alias, a pin, or
a run that goes on. A ttl that is over comes before the rule of the collection, which
names what else stays. What goes by now goes again after any part of it has gone: so a pass
that was killed, or two at once, end where one would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from artstore import clock
from artstore.catalog.retention import Retention
from artstore.catalog.state import CollectionState, VersionState
from artstore.durations import duration_text

__all__ = ["Reason", "Verdict", "choose"]

_TEXTS: Final = {
    "newest": "newest",
    "protected": "protected alias {}",
    "alias": "alias {}",
    "pinned": "pinned by {}",
    "in-use": "used by run {}",
    "last": "among the last {}",
    "within": "younger than {}",
    "no-rule": "no rule",
    "ttl": "outlived its ttl of {}",
    "rule": "no rule keeps it",
}


class Reason(NamedTuple):
    """Why a version stays or goes: a word for programs, and what or who it is."""

    code: str
    detail: str = ""

    def __str__(self) -> str:
        return _TEXTS[self.code].format(self.detail)


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What becomes of one live version.

    Attributes:
        age_seconds: since its entry was written, by the clock of the store.
        goes: whether it is given up.
    """

    version: int
    size_bytes: int
    age_seconds: float
    goes: bool
    reasons: tuple[Reason, ...]


def choose(
    state: CollectionState,
    rule: Retention,
    times: Mapping[int, float],
    now_seconds: float,
    held: Mapping[int, tuple[str, ...]],
) -> tuple[Verdict, ...]:
    """
    What becomes of each live version, the oldest first.

    Args:
        times: when each entry of the log was written; one that is not told is as of now.
        held: by version the running runs that use it.
    Cost: no request; a few us a version.
    """
    live = sorted(state.live, key=lambda version: version.version)
    if not live:
        return ()
    ages = {one.version: max(0.0, now_seconds - times.get(one.n, now_seconds)) for one in live}
    newest = live[-1]
    # Ranks do not depend on who holds what: then to keep more never makes another one go.
    lasting = [one for one in live if one is newest or not _is_outlived(one, ages)]
    ranked = {one.version: rank for rank, one in enumerate(reversed(lasting), 1)}
    now = clock.format_time(now_seconds)
    verdicts = []
    for one in live:
        age = ages[one.version]
        reasons = [Reason("newest")] if one is newest else []
        reasons += _holds(state, rule, one, held, now)
        if one.version in ranked:
            reasons += _keeps(rule, ranked[one.version], age)
        goes = not reasons
        if goes and one.version not in ranked:
            reasons = [Reason("ttl", duration_text(one.ttl_seconds or 0))]
        elif goes and not rule.is_empty:
            reasons = [Reason("rule")]
        elif goes:
            goes, reasons = False, [Reason("no-rule")]
        verdicts.append(Verdict(one.version, one.size_bytes, age, goes, tuple(reasons)))
    return tuple(verdicts)


def _is_outlived(version: VersionState, ages: Mapping[int, float]) -> bool:
    return version.ttl_seconds is not None and ages[version.version] > version.ttl_seconds


def _holds(
    state: CollectionState,
    rule: Retention,
    version: VersionState,
    held: Mapping[int, tuple[str, ...]],
    now: str,
) -> list[Reason]:
    """What keeps a version whose ttl is over, too."""
    protected = state.protected_aliases(version)
    reasons = [Reason("protected", alias) for alias in protected]
    counting = rule.counting(version.aliases)
    reasons += [Reason("alias", alias) for alias in counting if alias not in protected]
    reasons += [
        Reason("pinned", f"{pin.holder} until {pin.until}")
        for pin in version.pins
        if pin.until > now
    ]
    reasons += [Reason("in-use", run) for run in held.get(version.version, ())]
    return reasons


def _keeps(rule: Retention, rank: int, age_seconds: float) -> list[Reason]:
    reasons = []
    if rule.keep_last is not None and rank <= rule.keep_last:
        reasons.append(Reason("last", str(rule.keep_last)))
    if rule.within_seconds is not None and age_seconds < rule.within_seconds:
        reasons.append(Reason("within", duration_text(rule.within_seconds)))
    return reasons

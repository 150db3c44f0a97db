"""
What is out of date: versions that were built on something that is not what one would take today.

Here it is said what counts as a cause; how causes reach other versions stands in `spreading.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError
from artstore.lineage.graph import Walk, facts_of
from artstore.lineage.records import (
    BAD_MARK,
    CollectionFacts,
    CollectionName,
    Edge,
    NodeName,
    VersionFacts,
    VersionName,
)
from artstore.lineage.source import Source
from artstore.lineage.spreading import Cause, CauseKind, Seed, Spread

__all__ = ["CAUSE_LIMIT", "StaleReport", "StaleVersion", "stale"]

CAUSE_LIMIT: Final = 8
"""Causes of one version and kind; the nearest ones tell what to do."""


@dataclass(frozen=True, slots=True)
class StaleVersion:
    """
    A version and why it is out of date, the nearest cause first.

    Args:
        is_current: whether it is the newest of its collection, or has an alias: what people take.
        has_more: whether there may be causes beside these.
    """

    version: VersionFacts
    is_current: bool
    causes: tuple[Cause, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class StaleReport:
    """
    What `stale` found.

    Args:
        versions: those that are out of date, by name.
        checked_count: how many versions were looked at.
    """

    versions: tuple[StaleVersion, ...]
    checked_count: int

    def to_json(self) -> dict[str, Any]:
        """One JSON value. Source: docs/reference/json.md, `stale`."""
        from artstore.lineage.staleprinting import report_value

        return report_value(self)

    def to_text(self) -> list[str]:
        """Lines for a terminal, without colours and control characters."""
        from artstore.lineage.staleprinting import report_lines

        return report_lines(self)


def stale(
    source: Source,
    *,
    project: str | None = None,
    roots: Iterable[VersionName] | None = None,
    only_current: bool = False,
    cause_limit: int | None = CAUSE_LIMIT,
) -> StaleReport:
    """
    Find versions that are out of date.

    A version is built on what the runs that logged it used, on what it is a link to, and on what
    it depends on; on what those are built on, and so on. It is out of date if one of these

    - is marked bad (tag or alias `bad`), deleted, or not in the store;
    - has a newer version. If it was asked for by an alias that is still set, the newer one is
      what the alias points at now, higher or lower; else it is the highest live version of the
      collection that is not bad, if that is higher. `latest` counts as no alias.

    Versions of one collection do not make each other out of date by being newer.

    Args:
        project: look at its live versions; with neither this nor `roots` at all of the store.
        roots: look at these instead, those of them that are live.
        only_current: look only at the newest version of each collection and at those with aliases.
        cause_limit: causes of one version and kind; None: all.

    Raises:
        InvalidInputError: `value-invalid`, for a limit below 1, or project and roots both.
    Cost: one question for each level of the graph, and three; time by edges times causes.
    """
    if cause_limit is not None and cause_limit < 1:
        raise InvalidInputError(
            f"a limit of causes is 1 or more, not {cause_limit}", code="value-invalid"
        )
    if roots is not None and project is not None:
        raise InvalidInputError(
            "either the versions of a project are looked at, or those that are named",
            code="value-invalid",
        )
    given = source.live_versions(project) if roots is None else roots
    walk = Walk(source, given, None)
    walk.run(("up",), None)
    names = [name for name in walk.levels if isinstance(name, VersionName)]
    facts = {
        one.name: one for one in facts_of(source, names).values() if isinstance(one, VersionFacts)
    }
    collections = list(dict.fromkeys(name.collection for name in names if not name.store))
    offers = source.collections(collections) if collections else {}
    checked = [
        facts[name]
        for name in walk.roots
        if isinstance(name, VersionName)
        and facts[name].state == "live"
        and (not only_current or _is_current(facts[name], offers))
    ]
    seeds = _seeds(walk.edges, facts, offers)
    spread = Spread(walk.edges, seeds, cause_limit, is_thorough=False)
    if any(spread.is_unsure_of(one.name) for one in checked):
        spread = Spread(walk.edges, seeds, cause_limit, is_thorough=True)
    found = []
    for one in sorted(checked, key=lambda one: one.name):
        causes = spread.causes_of(one.name)
        if causes:
            has_more = spread.is_short_of_causes(one.name)
            found.append(StaleVersion(one, _is_current(one, offers), causes, has_more))
    return StaleReport(tuple(found), len(checked))


def _is_current(facts: VersionFacts, offers: Mapping[CollectionName, CollectionFacts]) -> bool:
    offer = offers.get(facts.name.collection)
    is_named = any(alias != BAD_MARK for alias in facts.aliases)
    return is_named or (offer is not None and offer.latest == facts.name.version)


def _seeds(
    edges: Iterable[Edge],
    facts: dict[VersionName, VersionFacts],
    offers: Mapping[CollectionName, CollectionFacts],
) -> list[tuple[NodeName, Seed]]:
    """What is wrong with each input, at the node that it went into."""
    seeds: dict[tuple[NodeName, Seed], None] = {}
    for edge in edges:
        name = edge.before
        if not isinstance(name, VersionName) or name.store:
            continue
        one = facts[name]
        newer = _newer(edge, name, offers.get(name.collection))
        kind: CauseKind
        if one.is_bad:
            kind = "bad"
        elif one.state == "deleted":
            kind = "deleted"
        elif one.state == "missing":
            kind = "missing"
        elif newer is not None:
            kind = "newer"
        else:
            continue
        seeds[edge.after, Seed(kind, name, newer, edge.asked)] = None
    return list(seeds)


def _newer(edge: Edge, name: VersionName, offer: CollectionFacts | None) -> VersionName | None:
    if offer is None:
        return None
    if edge.asked is not None and edge.asked != "latest" and edge.asked in offer.aliases:
        number = offer.aliases[edge.asked]
        return None if number == name.version else name._replace(version=number)
    if offer.latest is None or offer.latest <= name.version:
        return None
    return name._replace(version=offer.latest)

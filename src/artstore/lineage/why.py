"""
Why a file, or a version, is what it is: which run wrote it, from what, how that came about.

An answer is a list of steps: the version asked for, then what went into it, nearest
first. Each version stands in it once, however often it was used.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from artstore.errors import InvalidInputError, NotFoundError
from artstore.lineage.graph import NODE_LIMIT, Graph, edge_key, facts_of, graph
from artstore.lineage.records import (
    Edge,
    NodeFacts,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
    sort_key,
)
from artstore.lineage.source import FileSource

__all__ = ["WHY_DEPTH", "Step", "Traced", "WhyReport", "why"]

WHY_DEPTH: Final = 8
"""Levels of inputs; few pipelines have more."""

How: TypeAlias = Literal["asked", "unchanged", "linked"]


@dataclass(frozen=True, slots=True)
class Traced:
    """
    A place that a file was followed to.

    Args:
        how: `asked` for; `unchanged` since this version, which brought the content;
            `linked`: the entry before is a link to this one.
    """

    version: VersionName
    path: str
    how: How


@dataclass(frozen=True, slots=True)
class Step:
    """
    A version, and what made it.

    Args:
        level: how many levels of inputs lie between it and the version asked for.
        run: that logged it first; None if no run did.
        also: other runs that logged the same version.
        inputs: edges from versions: into the run, and into the version itself.
        is_truncated: whether inputs of it are named here and not among the steps.
    """

    version: VersionFacts
    level: int
    run: RunFacts | None
    also: tuple[RunName, ...]
    inputs: tuple[Edge, ...]
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class WhyReport:
    """
    The answer.

    Args:
        version: that was asked for.
        path: of the file that was asked for; None for the version as a whole.
        digest: of the file.
        trail: from where the file was asked for to where its content came in; empty
            without a path. The steps begin with the version of the last of them.
    """

    version: VersionFacts
    path: str | None
    digest: str | None
    trail: tuple[Traced, ...]
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON value. Source: docs/reference/json.md, `why`."""
        from artstore.lineage.whyprinting import why_value

        return why_value(self)

    def to_text(self) -> list[str]:
        """Lines for a terminal, without colours and control characters."""
        from artstore.lineage.whyprinting import why_lines

        return why_lines(self)


def why(
    source: FileSource, version: VersionName, path: str | None = None, *, depth: int = WHY_DEPTH
) -> WhyReport:
    """
    Explain a version, or one file of it.

    A file is followed to the version that brought its content into the collection, and through
    links to other versions; from there on versions as a whole are explained.

    Args:
        depth: how many levels of inputs; 0 tells of the run alone.

    Raises:
        NotFoundError: `version-not-found`, `entry-not-found`.
        InvalidInputError: `value-invalid`.
    Cost: two questions to the source for each level; with a path two for each link followed.
    """
    if depth < 0:
        raise InvalidInputError(f"a depth is 0 or more, not {depth}", code="value-invalid")
    asked = facts_of(source, [version])[version]
    assert isinstance(asked, VersionFacts)
    if asked.state == "missing":
        raise NotFoundError(f"there is no version {version}", code="version-not-found")
    trail, digest = ([], None) if path is None else _follow(source, version, path)
    start = trail[-1].version if trail else version
    # A level of inputs is two edges, or one for a link; one more each to name what is beyond.
    found = graph(source, [start], direction="up", depth=2 * depth + 2, node_limit=NODE_LIMIT)
    return WhyReport(asked, path, digest, tuple(trail), tuple(_steps(found, start, depth)))


def _follow(source: FileSource, version: VersionName, path: str) -> tuple[list[Traced], str]:
    trail = [Traced(version, path, "asked")]
    file = source.file(version, path)
    if file is None:
        raise NotFoundError(
            f"{version} has no entry {path!r} that can be read",
            code="entry-not-found",
            hint=f"`art ls {version}` lists its entries",
        )
    digest = file.digest
    seen = {(version, path)}
    while file is not None:
        first = source.first_version_with(version, path, file.digest)
        if first != version:
            version = first
            trail.append(Traced(version, path, "unchanged"))
            file = source.file(version, path) or file
        if file.link is None or file.link in seen:
            break
        seen.add(file.link)
        version, path = file.link
        trail.append(Traced(version, path, "linked"))
        file = source.file(version, path)
    return trail, digest


def _steps(found: Graph, start: VersionName, depth: int) -> list[Step]:
    """The versions within `depth` levels, nearest first, each level by name."""
    facts = {one.name: one for one in found.nodes}
    into: dict[NodeName, list[Edge]] = defaultdict(list)
    for edge in found.edges:
        into[edge.after].append(edge)
    more = {one.name for one in found.truncated}
    levels: dict[NodeName, int] = {start: 0}
    made: list[Step] = []
    level: list[NodeName] = [start]
    for number in range(depth + 1):
        steps = [_step(facts, into, name, number) for name in level]
        made += steps
        news = {edge.before for step in steps for edge in step.inputs} - levels.keys()
        level = sorted(news, key=sort_key) if number < depth else []
        levels.update(dict.fromkeys(level, number + 1))
    return [_with_truth(step, levels, more) for step in made]


def _step(
    facts: dict[NodeName, NodeFacts], into: dict[NodeName, list[Edge]], name: NodeName, level: int
) -> Step:
    version = facts[name]
    assert isinstance(version, VersionFacts)
    logged = sorted(
        (edge for edge in into[name] if edge.kind == "logged"),
        # Without a time nobody knows whether it was the first.
        key=lambda edge: (not edge.is_new, edge.time is None, edge.time or "", edge_key(edge)),
    )
    runs = list(dict.fromkeys(edge.before for edge in logged))
    run = facts[runs[0]] if runs else None
    inputs = [edge for edge in into[name] if edge.kind != "logged"]
    if run is not None:
        inputs += [edge for edge in into[run.name] if edge.before != name]
    return Step(
        version,
        level,
        run if isinstance(run, RunFacts) else None,
        tuple(one for one in runs[1:] if isinstance(one, RunName)),
        tuple(
            edge for edge in sorted(inputs, key=edge_key) if isinstance(edge.before, VersionName)
        ),
        is_truncated=False,
    )


def _with_truth(step: Step, levels: dict[NodeName, int], more: set[NodeName]) -> Step:
    is_truncated = (
        any(edge.before not in levels for edge in step.inputs)
        or step.version.name in more
        or (step.run is not None and step.run.name in more)
    )
    return Step(step.version, step.level, step.run, step.also, step.inputs, is_truncated)

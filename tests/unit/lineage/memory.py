"""A source of lineage in memory, and the little that tests say to fill it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from artstore.lineage.records import (
    CollectionFacts,
    CollectionName,
    Edge,
    EdgeKind,
    FileFacts,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
)


def version(text: str) -> VersionName:
    """`m:v1` in project `p`, or `q/m:v1`."""
    path, _, number = text.rpartition(":v")
    project, _, name = path.rpartition("/")
    return VersionName(project or "p", name, int(number))


def node(text: str) -> NodeName:
    return version(text) if ":v" in text else RunName("p", text)


class MemorySource:
    """Implements the whole protocol, and counts the questions it was asked."""

    def __init__(self) -> None:
        self.known: dict[VersionName, VersionFacts] = {}
        self.known_runs: dict[RunName, RunFacts] = {}
        self.into: dict[NodeName, list[Edge]] = defaultdict(list)
        self.out_of: dict[NodeName, list[Edge]] = defaultdict(list)
        self.files: dict[tuple[VersionName, str], FileFacts] = {}
        self.aliases: dict[CollectionName, dict[str, int]] = defaultdict(dict)
        self.asked: Counter[str] = Counter()

    # --- filling ------------------------------------------------------------------------

    def add(self, text: str, **facts: Any) -> NodeName:
        name = node(text)
        if isinstance(name, VersionName):
            self.known[name] = VersionFacts(name, **facts)
            for alias in facts.get("aliases", ()):
                self.aliases[name.collection][alias] = name.version
        else:
            self.known_runs[name] = RunFacts(name, **facts)
        return name

    def join(self, text: str, **fields: Any) -> None:
        """`raw:v0 used r1` and `r1 logged m:v0`: add the edge, and ends that are not there."""
        before, kind, after = text.split()
        for end in (before, after):
            known = self.known if ":v" in end else self.known_runs
            if node(end) not in known:
                self.add(end)
        self.put(Edge(_kind(kind), node(before), node(after), **fields))

    def put(self, edge: Edge) -> None:
        self.into[edge.after].append(edge)
        self.out_of[edge.before].append(edge)

    def step(self, run: str, inputs: str, outputs: str) -> None:
        """A run that used and logged versions."""
        self.add(run)
        for one in inputs.split():
            self.join(f"{one} used {run}")
        for one in outputs.split():
            self.join(f"{run} logged {one}")

    def mark(self, text: str, **facts: Any) -> None:
        name = version(text)
        self.known[name] = replace(self.known[name], **facts)

    def forget(self, name: NodeName) -> None:
        """As if it had never been told of, though edges name it."""
        self.known.pop(name, None)  # type: ignore[call-overload]
        self.known_runs.pop(name, None)  # type: ignore[call-overload]

    # --- the protocol -------------------------------------------------------------------

    def versions(self, names: Collection[VersionName], /) -> Mapping[VersionName, VersionFacts]:
        self.asked["versions"] += 1
        return {name: self.known[name] for name in names if name in self.known}

    def runs(self, names: Collection[RunName], /) -> Mapping[RunName, RunFacts]:
        self.asked["runs"] += 1
        return {name: self.known_runs[name] for name in names if name in self.known_runs}

    def edges_into(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        self.asked["edges"] += 1
        assert len(set(names)) == len(names)
        return [edge for name in names for edge in self.into.get(name, ())]

    def edges_out_of(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        self.asked["edges"] += 1
        assert len(set(names)) == len(names)
        return [edge for name in names for edge in self.out_of.get(name, ())]

    def collections(
        self, names: Collection[CollectionName], /
    ) -> Mapping[CollectionName, CollectionFacts]:
        self.asked["collections"] += 1
        latest: dict[CollectionName, int] = {}
        for one in self.known.values():
            if one.state == "live" and not one.is_bad:
                key = one.name.collection
                latest[key] = max(one.name.version, latest.get(key, -1))
        return {name: CollectionFacts(latest.get(name), self.aliases[name]) for name in names}

    def live_versions(self, project: str | None, /) -> Iterable[VersionName]:
        return [
            one.name
            for one in self.known.values()
            if one.state == "live" and project in (None, one.name.project)
        ]

    def file(self, name: VersionName, path: str, /) -> FileFacts | None:
        found = self.known.get(name)
        if found is None or found.state != "live":
            return None
        return self.files.get((name, path))

    def first_version_with(self, name: VersionName, path: str, digest: str, /) -> VersionName:
        first = name
        for number in range(name.version - 1, -1, -1):
            before = name._replace(version=number)
            file = self.file(before, path)
            if file is not None and file.digest == digest:
                first = before
            elif before in self.known and self.known[before].state == "live":
                break
        return first


def _kind(text: str) -> EdgeKind:
    kinds: tuple[EdgeKind, ...] = ("used", "logged", "linked", "depends", "derived")
    return kinds[kinds.index(text)]  # type: ignore[arg-type]


def pipeline() -> MemorySource:
    """raw -> clean -> features -> model, which is linked into a registry and evaluated."""
    source = MemorySource()
    source.step("ingest", "", "raw:v0")
    source.step("clean", "raw:v0", "clean:v0 stats:v0")
    source.step("featurize", "clean:v0", "features:v0")
    source.step("train", "features:v0 clean:v0", "model:v0")
    source.join("model:v0 linked registry/best:v0")
    source.step("evaluate", "registry/best:v0 raw:v0", "report:v0")
    return source

"""
What a graph of lineage is made of: names of versions and runs, what is known of them, edges.

Names are tuples, since walks put tens of thousands of them into sets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = [
    "BAD_MARK",
    "CollectionFacts",
    "CollectionName",
    "Edge",
    "EdgeKind",
    "FileFacts",
    "NodeFacts",
    "NodeName",
    "RunFacts",
    "RunName",
    "VersionFacts",
    "VersionName",
    "VersionPresence",
    "is_marked_bad",
    "sort_key",
]

BAD_MARK: Final = "bad"
"""The tag, or the alias, that marks a version as one that nothing should be built on."""

EdgeKind: TypeAlias = Literal["used", "logged", "linked", "depends", "derived"]
"""
`used`: version -> run. `logged`: run -> version. `linked`: version -> its link in another
collection. `depends`: version -> version that reads it (a joined table, a link to one of its
files, the rows of a query). `derived`: version -> its copy, made by a sync.
"""
VersionPresence: TypeAlias = Literal["live", "deleted", "missing", "elsewhere"]
"""`missing`: something names it and the store does not have it. `elsewhere`: of another store."""


class CollectionName(NamedTuple):
    """`project/name`."""

    project: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"


class VersionName(NamedTuple):
    """`project/name:v3`; `store` is the id of another store, empty for this one."""

    project: str
    name: str
    version: int
    store: str = ""

    @property
    def collection(self) -> CollectionName:
        """Without the number."""
        return CollectionName(self.project, self.name)

    def __str__(self) -> str:
        text = f"{self.project}/{self.name}:v{self.version}"
        return f"{self.store}//{text}" if self.store else text


class RunName(NamedTuple):
    """`project/run id`."""

    project: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.project}/{self.run_id}"


NodeName: TypeAlias = VersionName | RunName


def sort_key(name: NodeName) -> tuple[bool, NodeName]:
    """Orders versions and runs: versions first, by project, name and number."""
    # Tuples of both kinds cannot be compared with each other: a number meets no text.
    return isinstance(name, RunName), name


def is_marked_bad(tags: Collection[str], aliases: Collection[str]) -> bool:
    """Whether a version with these tags and aliases is marked bad, in exactly these letters."""
    return BAD_MARK in tags or BAD_MARK in aliases


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is known of a version without reading its content. Times are texts, UTC."""

    name: VersionName
    state: VersionPresence = "live"
    type: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    created: str | None = None
    created_by: str | None = None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Whether somebody gave it the tag or the alias `bad`, in exactly these letters."""
        return is_marked_bad(self.tags, self.aliases)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """
    What is known of a run. `state` is that of the run, `deleted`, or `missing` if it is gone.

    Args:
        title: what its user called it.
        commit: of the code; `repository` the URL that it came from, `is_changed` whether
            there were changes that were not committed.
        command: the command line, secrets masked.
        group: what its user put together with it.
    """

    name: RunName
    state: str = "finished"
    title: str | None = None
    job_type: str | None = None
    started: str | None = None
    ended: str | None = None
    author: str | None = None
    commit: str | None = None
    repository: str | None = None
    is_changed: bool = False
    command: str | None = None
    group: str | None = None


NodeFacts: TypeAlias = VersionFacts | RunFacts


@dataclass(frozen=True, slots=True)
class Edge:
    """
    Something went from `before` into `after`.

    Args:
        time: when, as text, UTC.
        asked: `used`: the alias by which the version was asked for, `best` or `latest`;
            None if it was asked for by its number, or nobody knows.
        through: `used`: by which call or command (`use_artifact`, `pull`, `table`, ...).
        is_new: `logged`: whether the run made the version; False if it logged content that
            the newest version had already.
    """

    kind: EdgeKind
    before: NodeName
    after: NodeName
    time: str | None = None
    asked: str | None = None
    through: str | None = None
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """
    What a collection offers now.

    Args:
        latest: the highest version that is live and not marked bad; None if there is none.
        aliases: those that are set, with the live version each points at.
    """

    latest: int | None = None
    aliases: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class FileFacts:
    """An entry of a version: its digest and, of a link, which path of which version it names."""

    digest: str
    link: tuple[VersionName, str] | None = None

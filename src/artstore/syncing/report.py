"""
What a sync did: the map of versions and runs, what could not be brought, and totals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from artstore.errors import ArtstoreError

__all__ = ["SyncProblem", "SyncReport", "SyncTally", "SyncedRun", "SyncedVersion"]


@dataclass(frozen=True, slots=True)
class SyncedVersion:
    """
    A version of the source that is in the target.

    Attributes:
        version: its number in the source; `target_version` that in the target.
        is_new: whether this sync brought it; of a trial, whether it would.
    """

    project: str
    name: str
    version: int
    target_version: int
    size_bytes: int
    is_new: bool

    @property
    def is_renumbered(self) -> bool:
        """Whether the two numbers differ."""
        return self.version != self.target_version

    def to_json(self) -> dict[str, Any]:
        """As `art sync --json` prints it."""
        return {
            "project": self.project,
            "name": self.name,
            "version": f"v{self.version}",
            "target_version": f"v{self.target_version}",
            "size_bytes": self.size_bytes,
            "is_new": self.is_new,
        }


@dataclass(frozen=True, slots=True)
class SyncedRun:
    """
    A run of the source that is in the target, perhaps under another id.

    Attributes:
        is_new: whether this sync brought it, or what was new of it.
    """

    project: str
    run_id: str
    target_project: str
    target_id: str
    is_new: bool

    def to_json(self) -> dict[str, Any]:
        """As `art sync --json` prints it."""
        return {
            "project": self.project,
            "run": self.run_id,
            "target_project": self.target_project,
            "target_run": self.target_id,
            "is_new": self.is_new,
        }


@dataclass(frozen=True, slots=True)
class SyncProblem:
    """What could not be brought, and why; `name` is `project/name:v3` or `run:project/id`."""

    name: str
    code: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """As `art sync --json` prints it."""
        return {"name": self.name, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """
    What one sync came to.

    Attributes:
        source, target: URLs of the stores.
        versions: all that were asked for and are in the target now, those that were there too.
        runs: likewise.
        label_count: changes of aliases, tags, descriptions and ttl that were written.
        problems: what could not be brought; everything else was.
        warnings: what is not as in the source, and stays so.
        read_bytes: of content read in the source; `stored_bytes` written to the target.
        is_dry_run: nothing was written; `is_new` and numbers tell what would be.
    """

    source: str
    target: str
    versions: tuple[SyncedVersion, ...]
    runs: tuple[SyncedRun, ...]
    label_count: int
    problems: tuple[SyncProblem, ...]
    warnings: tuple[str, ...]
    read_bytes: int
    stored_bytes: int
    seconds: float
    is_dry_run: bool

    @property
    def new_versions(self) -> tuple[SyncedVersion, ...]:
        """Those that this sync brought."""
        return tuple(version for version in self.versions if version.is_new)

    @property
    def renumbered(self) -> tuple[SyncedVersion, ...]:
        """Those that have another number in the target, whenever they came."""
        return tuple(version for version in self.versions if version.is_renumbered)

    @property
    def new_runs(self) -> tuple[SyncedRun, ...]:
        """Those that this sync brought, or brought further."""
        return tuple(run for run in self.runs if run.is_new)

    def to_json(self) -> dict[str, Any]:
        """As `art sync --json` prints it: docs/reference/json.md."""
        return {
            "source": self.source,
            "target": self.target,
            "dry_run": self.is_dry_run,
            "versions": [version.to_json() for version in self.versions],
            "runs": [run.to_json() for run in self.runs],
            "label_count": self.label_count,
            "problems": [problem.to_json() for problem in self.problems],
            "warnings": list(self.warnings),
            "read_bytes": self.read_bytes,
            "stored_bytes": self.stored_bytes,
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class SyncTally:
    """Counts while a sync goes on."""

    versions: dict[tuple[str, str, int], SyncedVersion] = field(default_factory=dict)
    runs: dict[tuple[str, str], SyncedRun] = field(default_factory=dict)
    label_count: int = 0
    problems: list[SyncProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    read_bytes: int = 0
    stored_bytes: int = 0

    def fail(self, name: str, error: ArtstoreError) -> None:
        """Note what could not be brought."""
        self.problems.append(SyncProblem(name, error.code, error.message))

    def add(self, version: SyncedVersion) -> None:
        """Note a version that is in the target; that it is new is not forgotten."""
        self.versions.setdefault((version.project, version.name, version.version), version)

"""
What runs take: by project, by what it is, and how much of it nobody needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from artstore.catalog.runs.format import RUN_OBJECTS
from artstore.catalog.runs.survey import LOG, OTHER, RunKeys, kind_of, last_states, runs_in
from artstore.catalog.runs.survey import named_segments as segments_of
from artstore.storage.protocol import KeyInfo, Storage

__all__ = ["RunUsage", "measure_runs"]

_KINDS = (LOG, *RUN_OBJECTS, OTHER)


@dataclass(frozen=True, slots=True)
class RunUsage:
    """
    What the runs of a project take.

    Attributes:
        run_count: with deleted ones.
        log_bytes, history_bytes, system_bytes, console_bytes, media_bytes: of what was written.
        other_bytes: of keys that no release of this format writes.
        deleted_bytes: the part of all that which is of deleted runs.
        abandoned_bytes: segments of other runs that no log names: what was written anew since, or
            of a step that was cut short.
    """

    project: str
    run_count: int
    deleted_count: int
    log_bytes: int
    history_bytes: int
    system_bytes: int
    console_bytes: int
    media_bytes: int
    other_bytes: int
    deleted_bytes: int
    abandoned_bytes: int

    @property
    def stored_bytes(self) -> int:
        """All that they take."""
        written = self.log_bytes + self.history_bytes + self.system_bytes + self.console_bytes
        return written + self.media_bytes + self.other_bytes


@dataclass(slots=True)
class _Sum:
    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    run_count: int = 0
    deleted_count: int = 0
    deleted_bytes: int = 0
    abandoned_bytes: int = 0

    def add(self, run: RunKeys, named: set[str] | None) -> None:
        """A run with the segments that it names; None if it is deleted."""
        self.run_count += 1
        self.sizes[LOG] += sum(info.size_bytes for info in run.entries.values())
        self.sizes[OTHER] += run.other_bytes
        abandoned = 0
        for key, info in run.objects.items():
            kind = kind_of(run.prefix, key)
            self.sizes[kind] += info.size_bytes
            if named is not None and kind != "media" and key not in named:
                abandoned += info.size_bytes
        self.abandoned_bytes += abandoned
        if named is None:
            self.deleted_count += 1
            self.deleted_bytes += run.stored_bytes

    def told(self, project: str) -> RunUsage:
        """The record of it."""
        return RunUsage(
            project=project,
            run_count=self.run_count,
            deleted_count=self.deleted_count,
            **{f"{kind}_bytes": size for kind, size in self.sizes.items()},
            deleted_bytes=self.deleted_bytes,
            abandoned_bytes=self.abandoned_bytes,
        )


def measure_runs(storage: Storage, scanned: Iterable[KeyInfo]) -> tuple[RunUsage, ...]:
    """
    Add up what runs take, by project.

    Args:
        scanned: keys below `runs/`, in order.
    Raises:
        StorageError: the storage fails.
    Cost: a read for each run, in batches; those of a run that goes on: one for each entry.
    """
    sums: dict[str, _Sum] = {}
    for run, state in last_states(storage, runs_in(scanned)):
        whole = state.whole
        named = None if whole["deleted"] else {one.key for one in segments_of(run, whole)}
        if named is not None and state.warnings:
            # What damaged entries named is not known.
            named |= run.objects.keys()
        sums.setdefault(run.project, _Sum()).add(run, named)
    return tuple(found.told(project) for project, found in sorted(sums.items()))

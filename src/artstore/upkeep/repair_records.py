"""
What a repair is given, and what it tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from artstore.catalog.replica import Replica
from artstore.storage.protocol import Storage
from artstore.upkeep.check import CheckReport, Problem
from artstore.upkeep.check_runs import RunMaterial
from artstore.upkeep.repair_runs import FindMedia
from artstore.upkeep.repair_sources import FindFiles

__all__ = ["RepairMaterial", "RepairReport", "Repaired"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """
    One value that is whole again.

    Attributes:
        action: `restored`, or `removed` where nothing needs it.
        sources: where its bytes came from.
    """

    key: str
    action: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """
    Attributes:
        found: the check before.
        repaired: what was done; with `dry_run` what would be.
        problems: what is, or would be, left.
    """

    found: CheckReport
    repaired: tuple[Repaired, ...]
    problems: tuple[Problem, ...]
    dry_run: bool
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether nothing in the store is damaged now."""
        return not self.problems and not (self.dry_run and self.repaired)


@dataclass(frozen=True, slots=True)
class RepairMaterial:
    """
    What a repair may take from.

    Attributes:
        sources: second stores, only read.
        journal_directory: for good bytes until they are in the store.
        find_files: by the id of a store, how to find files of its versions here.
        find_media: by the id of a run, directories here with what its steps logged.
        runs: what a check of runs uses that is not in the store.
        author: `user@host`, for the entry that guards a log while its newest is put back.
    """

    sources: Sequence[Storage]
    replica: Replica
    journal_directory: Path
    find_files: Callable[[str], FindFiles]
    find_media: FindMedia
    runs: RunMaterial
    author: str

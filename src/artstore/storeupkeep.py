"""
What looks after a store as a whole: verify, check, repair, and what it takes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from artstore import forks, names
from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.settings import Settings
from artstore.storage.opener import open_storage
from artstore.storage.protocol import Storage
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.logged import LoggedArtifact
    from artstore.runs.storedrun import StoredRun
    from artstore.upkeep.check import CheckReport
    from artstore.upkeep.check_runs import RunMaterial
    from artstore.upkeep.repair import RepairReport
    from artstore.upkeep.usage import UsageReport
    from artstore.upkeep.verify import VerifyReport

__all__ = ["StoreUpkeep"]

_RUN: Final = "run:"
"""What tells the name of a run from that of a version."""


class StoreUpkeep:
    """The part of `Store` that reads all of it, or puts it right."""

    _settings: Settings
    _storage: Storage
    _places: dict[int, StorePlace]

    def _place(self) -> StorePlace:
        raise NotImplementedError

    def _checkouts(self) -> Checkouts:
        raise NotImplementedError

    def _parse(self, name: str) -> names.ArtifactName:
        raise NotImplementedError

    def _resolve(self, name: str) -> tuple[CollectionState, VersionState]:
        raise NotImplementedError

    def _run_index(self) -> RunIndex:
        """As `StoreConnection._run_index`."""
        raise NotImplementedError

    def run(self, name: str) -> StoredRun:
        """As `StoreRuns.run`."""
        raise NotImplementedError

    def _writes_as(self) -> str:
        """`user@host`, written into log entries."""
        raise NotImplementedError

    def verify(
        self,
        name: str,
        directory: str | os.PathLike[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> VerifyReport:
        """
        Read every byte of a version, in the store or in a checkout, and compare digests.

        Args:
            name: of a version; or `run:[project/]id`: then all that the log of a run names.
        Raises:
            DamagedDataError: the version's list of files cannot be read.
            InvalidInputError: `name-invalid`, a directory for a run.
        """
        if name.startswith(_RUN):
            return self._verify_run(name, directory, on_progress)
        from artstore.transfer.fragmentfiles import FragmentFiles
        from artstore.upkeep.verify import EntryProblem, VerifyReport, verify_version

        began = time.monotonic()
        state, version = self._resolve(name)
        place = self._place()
        manifest = place.manifest(version)
        meter = ProgressMeter(
            "verify",
            on_progress,
            total_files=version.file_count,
            total_bytes=version.size_bytes,
        )
        problems: list[EntryProblem]
        if directory is None:
            _, _, problems = verify_version(
                manifest,
                place.packs,
                digest=version.digest,
                fragment_paths=FragmentFiles(place).paths,
                on_verified=lambda size: meter.add(1, size),
            )
        else:
            from artstore.transfer.verifydir import verify_directory

            problems = [
                EntryProblem(path, message)
                for path, message in verify_directory(
                    manifest, Path(directory), content_root=place.content_root, meter=meter
                )
            ]
        meter.finish()
        return VerifyReport(
            name=f"{state.project}/{state.name}:v{version.version}",
            directory=None if directory is None else Path(directory),
            checked_files=meter.files,
            checked_bytes=meter.bytes,
            problems=tuple(problems),
            seconds=time.monotonic() - began,
        )

    def _verify_run(
        self,
        name: str,
        directory: str | os.PathLike[str] | None,
        on_progress: OnProgress | None,
    ) -> VerifyReport:
        from artstore.upkeep.check_runs import verify_run
        from artstore.upkeep.verify import EntryProblem, VerifyReport

        began = time.monotonic()
        project, run_id = self._run_named(name)
        if directory is not None:
            raise InvalidInputError(
                f"{name} is a run: it has no checkouts that could be read", code="name-invalid"
            )
        meter = ProgressMeter("verify", on_progress)
        storage = self._place().storage
        check, found = verify_run(storage, self._run_material(), project, run_id, meter.add)
        meter.finish()
        if not check.run_count:
            self.run(f"{project}/{run_id}")  # raises, with what is close
        return VerifyReport(
            name=f"{_RUN}{project}/{run_id}",
            directory=None,
            checked_files=check.value_count,
            checked_bytes=check.read_bytes,
            problems=tuple(EntryProblem(path, problem.message) for path, problem in found),
            seconds=time.monotonic() - began,
        )

    def _run_named(self, name: str) -> tuple[str, str]:
        """Project and id of `run:[project/]id`; whether there is such a run is not asked."""
        from artstore.catalog.runs.format import check_run_id

        *before, run_id = name.removeprefix(_RUN).split("/")
        project = before[-1] if before else self._settings.project
        return names.check_project_name(project), check_run_id(run_id)

    def _run_material(self) -> RunMaterial:
        from artstore.runs.history import segment_facts
        from artstore.upkeep.check_runs import RunMaterial

        def look(data: bytes, has_steps: bool, is_proven: bool) -> tuple[int, frozenset[str]]:  # noqa: FBT001 - as told
            return segment_facts(data, has_steps=has_steps, is_proven=is_proven)

        with suppress(DamagedDataError):  # artstore.json may be what is to be repaired
            return RunMaterial(look, self._run_index().all_heads())
        return RunMaterial(look)

    def check(
        self, *, read_data: float | None = None, on_progress: OnProgress | None = None
    ) -> CheckReport:
        """
        Check every log, manifest, pack and run; `read_data` (0 to 1) also reads that part of the
        data.

        Changes nothing. Damage is reported with the versions and runs that it hits, not raised.
        """
        from artstore.upkeep.check import check_store

        place = self._place()
        meter = ProgressMeter("check", on_progress)
        report = check_store(
            place.storage,
            place.catalog,
            runs=self._run_material(),
            read_data=read_data,
            on_checked=meter.add,
        )
        meter.finish()
        return report

    def repair(
        self,
        sources: Sequence[str] = (),
        *,
        read_data: float | None = None,
        dry_run: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RepairReport:
        """
        Check, and put back what is damaged or lost: from this machine, then from other stores.

        Nothing is written that its name or the log does not prove (docs/how-to/
        restore-a-damaged-store.md). What cannot be had is reported, not raised.

        Args:
            sources: URLs of copies of this store, or of others with the same content.
            read_data: as `check`: damage inside of packs is found only by reading.
            dry_run: change nothing, tell what would be done.
        Raises:
            NotFoundError: `store-not-found`.
            DamagedDataError: `store-damaged`, `artstore.json` is lost, and no source is a copy.
            DeniedError: `storage-full`, the cache has no room for what is put back.
        """
        from artstore.transfer.localfiles import LocalFiles
        from artstore.upkeep.repair import RepairMaterial, repair_store

        directory, storage = self._settings.cache_dir, self._storage
        with suppress(DamagedDataError):  # artstore.json may be what is to be repaired
            storage = self._place().storage
        material = RepairMaterial(
            sources=[open_storage(url) for url in sources],
            replica=Replica(Replica.file_in(directory)),
            journal_directory=directory / "repairs",
            find_files=lambda store_id: (
                LocalFiles(directory / "files", self._checkouts().known(store_id)).find
            ),
            find_media=self._media_directories,
            runs=self._run_material(),
            author=self._writes_as(),
        )
        meter = ProgressMeter("repair", on_progress)
        report = repair_store(
            storage, material, read_data=read_data, dry_run=dry_run, on_checked=meter.add
        )
        meter.finish()
        # What is known of the store so far may be of the damaged one.
        self._places.pop(forks.generation(), None)
        return report

    def _media_directories(self, run_id: str) -> list[Path]:
        """What sessions of a run on this machine have kept beside their journals."""
        journals = self._settings.state_dir / "journals"
        return sorted(journals.glob(f"{run_id}-*/media"))

    def usage(self, name: str | None = None) -> UsageReport:
        """What the store, an artifact, one version or `run:[project/]id` takes (`UsageReport`)."""
        from artstore.upkeep.usage import measure_run, measure_usage

        place = self._place()
        if name is None:
            return measure_usage(place.storage, place.catalog, None)
        if name.startswith(_RUN):
            project, run_id = self._run_named(name)
            report = measure_run(place.storage, project, run_id)
            if not report.runs:
                self.run(f"{project}/{run_id}")  # raises, with what is close
            return report
        parsed = self._parse(name)
        chosen, version = self._resolve(name)

        def is_meant(state: CollectionState, candidate: VersionState) -> bool:
            same = (state.project, state.name) == (chosen.project, chosen.name)
            return same and (not parsed.is_exact or candidate.version == version.version)

        return measure_usage(place.storage, place.catalog, is_meant)

    def new_bytes(self, name: str | LoggedArtifact) -> int:
        """
        What a version brought into the store: chunks, fragments and lists that nobody had before.

        Args:
            name: of a version, or the version, which is then not looked for.
        Raises:
            NotFoundError: as `artifact`.
            DamagedDataError: its list of files cannot be read.
        Cost: reads its list of files, and the descriptions of its tables.
        """
        from artstore.upkeep.usage import measure_new

        if isinstance(name, str):
            _, version = self._resolve(name)
        else:
            version = name._logged().version  # noqa: SLF001 - a version and its store are one matter
        if version.source is not None:
            return 0
        place = self._place()
        return measure_new(place.storage, place.manifest(version), place.packs, version)

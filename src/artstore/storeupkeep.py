"""
What looks after a store as a whole: verify, check, repair, and what it takes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from artstore import forks, names
from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import DamagedDataError
from artstore.settings import Settings
from artstore.storage.opener import open_storage
from artstore.storage.protocol import Storage
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter

if TYPE_CHECKING:
    from artstore.logged import LoggedArtifact
    from artstore.upkeep.check import CheckReport
    from artstore.upkeep.repair import RepairReport
    from artstore.upkeep.usage import UsageReport
    from artstore.upkeep.verify import VerifyReport

__all__ = ["StoreUpkeep"]


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

        Raises:
            DamagedDataError: the version's list of files cannot be read.
        """
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

    def check(
        self, *, read_data: float | None = None, on_progress: OnProgress | None = None
    ) -> CheckReport:
        """
        Check every log, manifest and pack; `read_data` (0 to 1) also reads that part of the data.

        Changes nothing. Damage is reported with the versions that it hits, not raised.
        """
        from artstore.upkeep.check import check_store

        place = self._place()
        meter = ProgressMeter("check", on_progress)
        report = check_store(
            place.storage, place.catalog, read_data=read_data, on_checked=meter.add
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

    def usage(self, name: str | None = None) -> UsageReport:
        """What the store, an artifact or one version takes (`UsageReport`)."""
        from artstore.upkeep.usage import measure_usage

        place = self._place()
        if name is None:
            return measure_usage(place.storage, place.catalog, None)
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

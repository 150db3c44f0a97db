"""
What frees the space of a store: garbage collection, and versions that are to be gone for good.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from artstore import names
from artstore.errors import InvalidInputError
from artstore.settings import Settings
from artstore.storage.protocol import Storage
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress

if TYPE_CHECKING:
    from artstore.garbage.planning import GarbageWork
    from artstore.garbage.purging import PurgeReport
    from artstore.garbage.records import GarbageReport
    from artstore.garbage.settings import GarbageSettings

__all__ = ["StoreGarbage"]


class StoreGarbage:
    """The part of `Store` that deletes what nothing needs."""

    _settings: Settings
    _storage: Storage

    @property
    def project(self) -> str:
        """As `Store.project`."""
        raise NotImplementedError

    def _parse(self, name: str) -> names.ArtifactName:
        raise NotImplementedError

    def _place(self) -> StorePlace:
        raise NotImplementedError

    def _writes_as(self) -> str:
        """`user@host`, written into log entries."""
        raise NotImplementedError

    def collect_garbage(
        self,
        *,
        dry_run: bool = False,
        grace: timedelta = timedelta(hours=24),
        restore_window: timedelta = timedelta(days=7),
        repack_above: float = 0.5,
        limit_rate: int | None = None,
        force: bool = False,
        purged_too: bool = False,
        wait: bool = False,
        give_up: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> GarbageReport:
        """
        Free what no version needs: end the plan that is open, if it is ripe, and make the next.

        What a plan names is deleted by a later run, when the grace is over. Any machine may
        run this at any time, beside pushes and pulls, and be killed anywhere.

        Args:
            dry_run: only say what would go; nothing is written.
            grace: content that nothing names stays for so long after it was written, and for
                so long after a plan; an hour at least.
            restore_window: so long after its deletion a version can be restored.
            repack_above: packs of which more than this part is dead are repacked.
            limit_rate: bytes a second that repacking may read and write together.
            force: plan however little would go.
            purged_too: also what was purged less than the restore window ago. Without it a
                purge has to wait as long as any deletion, since who may write may purge.
            wait: for the grace, and delete, instead of leaving that to the next run.
            give_up: the number of an open plan. It is ended without a delete, and nothing else
                is done. Only if no machine carries it out any more: one that does would
                delete what may be needed again by then. A plan that nobody has begun to
                carry out, and that nobody can, is given up without being told.
        Raises:
            StateError: `gc-refused`: something that may be needed cannot be read or is not
                known to this release, or these credentials may not write or delete. Nothing
                is deleted then. `context["cause"]` is the code of what it was.
            InvalidInputError: `value-invalid`; the plan to be given up is not open.
        Cost: reads all logs, lists all content, reads the lists of all versions once.
        """
        from artstore.garbage.collecting import collect_garbage
        from artstore.garbage.ending import end_given_up
        from artstore.garbage.records import GarbageReport
        from artstore.garbage.settings import GarbageSettings

        settings = GarbageSettings(
            grace_seconds=grace.total_seconds(),
            restore_window_seconds=restore_window.total_seconds(),
            repack_above=repack_above,
            bytes_per_second=limit_rate,
            is_forced=force,
            honours_purges=purged_too,
        )
        work = self._garbage_work(settings, on_progress)
        if give_up is not None and not dry_run:
            return GarbageReport(end_given_up(work, give_up))
        return collect_garbage(work, is_dry_run=dry_run, waits=wait)

    def purge(
        self,
        name: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        grace: timedelta = timedelta(hours=24),
        restore_window: timedelta = timedelta(days=7),
        wait: bool = False,
    ) -> PurgeReport:
        """
        Give a version up for good: it cannot be restored, and its bytes go with the next plan.

        Every pack that holds a chunk that only this version needs is repacked, however much
        of it lives. `collect_garbage` deletes when the grace is over. What other versions hold
        of the same content stays, and is told; so do digests in logs.

        Args:
            name: `[project/]name:vN`, of a version that is live or deleted.
            force: although it has aliases, is pinned, or a run that goes on uses it.
            dry_run: only say what would be done.
            grace, restore_window: as of `collect_garbage`; the window is that of other versions.
            wait: for the grace, and delete.
        Raises:
            InvalidInputError: `name-invalid`, no version number is given.
            NotFoundError: `version-not-found`.
            StateError: `alias-protected`; unless `force` `version-aliased`, `version-pinned`,
                `version-in-use`; `gc-refused`.
        Cost: reads the lists of all versions.
        """
        from artstore.garbage.purging import purge_version
        from artstore.garbage.settings import GarbageSettings

        parsed = self._parse(name)
        if parsed.version is None:
            raise InvalidInputError(
                f"{name!r} names no version",
                code="name-invalid",
                hint="what is to be gone for good is named by its number: NAME:v3",
            )
        place = self._place()
        state = place.catalog.state(parsed.project or self.project, parsed.name)
        version = state.versions.get(parsed.version) or state.version(parsed.version)
        settings = GarbageSettings(
            grace_seconds=grace.total_seconds(),
            restore_window_seconds=restore_window.total_seconds(),
        )
        work = self._garbage_work(settings, None)
        return purge_version(
            place, work, state, version, force=force, is_dry_run=dry_run, waits=wait
        )

    def _garbage_work(
        self, settings: GarbageSettings, on_progress: OnProgress | None
    ) -> GarbageWork:
        from artstore.garbage.ownplans import OwnPlans
        from artstore.garbage.planning import GarbageWork
        from artstore.packs.reader import PackReader
        from artstore.storage.local import LocalStorage

        place, own = self._place(), self._storage
        return GarbageWork(
            storage=place.storage,
            catalog=place.catalog,
            packs=PackReader(place.storage),
            author=self._writes_as(),
            settings=settings,
            on_progress=on_progress,
            own_plans=OwnPlans(place.cache_directory / "plans" / place.store_id),
            runs=place.run_index,
            sweep_temporary=own.sweep_temporary if isinstance(own, LocalStorage) else None,
        )

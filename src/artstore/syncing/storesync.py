"""
Syncing one store to another: versions, their labels, then runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from artstore import clock
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError, StorageError
from artstore.syncing.labelsync import LabelSync
from artstore.syncing.report import SyncReport, SyncTally
from artstore.syncing.runmap import RunMap
from artstore.syncing.runsync import RunSync
from artstore.syncing.syncplace import SyncPlace, VersionKey
from artstore.syncing.versionmap import VersionMap
from artstore.syncing.versionsync import VersionSync
from artstore.syncing.wanted import WantedNames, wanted_by_name, wanted_of_projects

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.transfer.progress import OnProgress

__all__ = ["sync"]


def sync(
    source: Store | str,
    target: Store | str,
    names: Sequence[str] = (),
    *,
    project: str | None = None,
    with_plumbing: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> SyncReport:
    """
    Bring versions, runs and lineage that `target` lacks from `source`; never the other way.

    What is there already is found by the origin that its log states: a second sync
    writes nothing. Nothing is deleted or taken back in the target.

    Args:
        source, target: stores, or their URLs. A target that is not there is made.
        names: `[project/]name`, `[project/]name:v3`, `run:[project/]id`. With a run come the
            versions that it used and made, with a version those that it names.
            All projects if empty.
        project: of names without one; without names, the only one that is synced.
        with_plumbing: without names, also views of the page and collections that runs keep.
        dry_run: write nothing, and tell what would be brought.
        on_progress: called at most 20 times a second.
    Returns:
        the map of versions and runs; what could not be brought is in `problems`.
    Raises:
        InvalidInputError: `sync-same-store`, `name-invalid`, and those of `open_store`.
        NotFoundError: `store-not-found`, `collection-not-found`, `version-not-found`,
            `alias-not-found`, `run-not-found`, of what was named.
        StorageError: a store does not answer; what was brought stays, and is not brought again.
    Cost: one scan a collection in each store, and one of markers a project; chunks that the
        target has are not read.
    """
    began = clock.monotonic_seconds()
    from_store, to_store = _opened(source, project), _opened(target, project)
    tally = SyncTally()
    here = _sync_place(from_store)
    there = _target_place(to_store, here, dry_run=dry_run)
    versions, runs = VersionMap(here, there), RunMap(here, there)
    if names:
        wanted = wanted_by_name(names, project or from_store.project, versions, runs)
    else:
        only = None if project is None else [project]
        wanted = wanted_of_projects(here, only, versions, runs, with_plumbing=with_plumbing)
    bringing = VersionSync(
        here, there, versions, runs, tally, dry_run=dry_run, on_progress=on_progress
    )
    labels = LabelSync(here, there, versions, tally, dry_run=dry_run)
    running = RunSync(here, there, runs, bringing, tally, versions=versions, dry_run=dry_run)
    _bring(wanted, versions, bringing, tally)
    for run in wanted.runs:
        running.bring(*run)
    for name in dict.fromkeys((*wanted.collections, *bringing.touched)):
        labels.settle(*name)
    return SyncReport(
        source=here.url,
        target=to_store.url,
        versions=tuple(tally.versions[key] for key in sorted(tally.versions)),
        runs=tuple(tally.runs[key] for key in sorted(tally.runs)),
        label_count=tally.label_count,
        problems=tuple(tally.problems),
        warnings=tuple(dict.fromkeys(tally.warnings)),
        read_bytes=tally.read_bytes,
        stored_bytes=tally.stored_bytes,
        seconds=clock.monotonic_seconds() - began,
        is_dry_run=dry_run,
    )


def _bring(
    wanted: WantedNames, versions: VersionMap, bringing: VersionSync, tally: SyncTally
) -> None:
    for name in wanted.collections:
        try:
            state = versions.source_state(*name)
            versions.target_state(*name)
        except StorageError:
            raise
        except ArtstoreError as error:
            tally.fail("/".join(name), error)
            continue
        for version in () if state is None else state.live:
            bringing.bring(VersionKey(*name, version.version))
    for key in wanted.versions:
        bringing.bring(key)


def _opened(store: Store | str, project: str | None) -> Store:
    from artstore.api import Store, open_store

    return store if isinstance(store, Store) else open_store(store, project=project)


def _sync_place(store: Store) -> SyncPlace:
    return SyncPlace(store._place(), store._run_index())  # noqa: SLF001 - the way below a store


def _target_place(target: Store, source: SyncPlace, *, dry_run: bool) -> SyncPlace | None:
    """The target, made if it is not there; None if it is not to be made."""
    try:
        target_id = target.id
    except NotFoundError:
        if dry_run:
            return None
        target.create()
        target_id = target.id
    if target_id == source.id:
        raise InvalidInputError(
            f"{source.url} and {target.url} are the same store",
            code="sync-same-store",
            hint="name another store as the target",
        )
    return _sync_place(target)

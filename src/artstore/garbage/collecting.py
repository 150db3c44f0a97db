"""
One run of gc: end the open plan if it is ripe, then make the next.

Any machine may run it at any time, several at once too, and each may be killed anywhere: what
one leaves undone the next goes on with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from artstore import clock
from artstore.errors import (
    ArtstoreError,
    ConflictError,
    DamagedDataError,
    NotFoundError,
    StateError,
    StorageError,
    UnavailableError,
)
from artstore.garbage.ending import lost_list
from artstore.garbage.planning import GarbageWork, make_plan, preview_plan
from artstore.garbage.records import GarbagePlan, GarbageReport, RunGarbage, SweepReport
from artstore.garbage.runsweeping import RunSweep
from artstore.garbage.storetime import store_now
from artstore.garbage.sweeping import ripe_at, sweep

__all__ = ["collect_garbage"]

_ROUNDS_COUNT: Final = 8
_MAY_BE_LATE: Final = (ConflictError, DamagedDataError, NotFoundError)


def collect_garbage(
    work: GarbageWork,
    *,
    is_dry_run: bool = False,
    waits: bool = False,
    as_purged: tuple[str, str, int] | None = None,
) -> GarbageReport:
    """
    Free what nothing needs any more.

    Args:
        is_dry_run: only say what would go: nothing is written or deleted.
        waits: for the grace of a plan, and carries it out, instead of leaving that to the next run.
        as_purged: project, collection and number of a version that is taken for purged.
    Raises:
        StateError: `gc-refused`, something cannot be read or is not known here: nothing was
            planned or deleted. `cause` is its code.
        ConflictError: `commit-contended`, others wrote gc's log again and again.
        StorageError: the storage fails, or refuses; run it again.
    Cost: as `planning.make_plan` and `sweeping.sweep`.
    """
    try:
        report = _preview(work, as_purged) if is_dry_run else _collect(work, as_purged, waits=waits)
    except (StorageError, ConflictError, StateError) as error:
        if isinstance(error, UnavailableError | ConflictError) or error.code == "gc-refused":
            raise
        raise _refused(error) from error
    except ArtstoreError as error:
        raise _refused(error) from error
    # Whatever is wrong with a run is told there, and is no reason to refuse.
    runs = None if as_purged else _sweep_runs(work, is_dry_run=is_dry_run)
    return replace(report, runs=runs)


def _sweep_runs(work: GarbageWork, *, is_dry_run: bool) -> RunGarbage | None:
    if work.runs is None or not work.runs.projects():
        return None
    work.tell("runs")
    settings = work.settings
    quiet = max(settings.restore_window_seconds, settings.grace_seconds)
    # A dry run writes nothing, so "now" is by the clock of this machine.
    now = clock.now_seconds() if is_dry_run else store_now(work.storage)
    return RunSweep(
        work.storage,
        work.runs,
        author=work.author,
        quiet_since=now - quiet,
        is_dry_run=is_dry_run,
    ).sweep()


def _preview(work: GarbageWork, as_purged: tuple[str, str, int] | None) -> GarbageReport:
    for rest in reversed(range(_ROUNDS_COUNT)):
        state = work.upkeep.refresh()
        try:
            plan = preview_plan(work, as_purged)
            break
        except _MAY_BE_LATE:
            if not rest or work.upkeep.refresh().head_n == state.head_n:
                raise
    for k in state.open_plans:
        until = ripe_at(work, state.plans[k])
        return GarbageReport(plan=plan, waiting=k, waits_until=clock.format_time(until))
    return GarbageReport(plan=plan)


def _collect(
    work: GarbageWork, as_purged: tuple[str, str, int] | None, *, waits: bool
) -> GarbageReport:
    swept: SweepReport | None = None
    plan: GarbagePlan | None = None
    for _ in range(_ROUNDS_COUNT):
        state = work.upkeep.refresh()
        try:
            if state.open_plans:
                k = state.open_plans[0]
                until = ripe_at(work, state.plans[k])
                left = until - store_now(work.storage)
                # One that nobody can carry out is not waited for.
                if left > 0 and lost_list(work.upkeep, k) is None:
                    if not waits:
                        return GarbageReport(
                            swept, plan, waiting=k, waits_until=clock.format_time(until)
                        )
                    work.tell("wait")
                    clock.sleep(left)
                swept = sweep(work, k) or swept
                if swept is not None and swept.reason == "held":
                    return GarbageReport(swept, plan, waiting=k, waits_until=swept.held_until)
                if waits and plan is not None:
                    return GarbageReport(swept, plan, temporary_bytes=_temporary(work))
                continue
            plan = make_plan(work, state.head_n, as_purged)
            if plan is not None and not (waits and plan.number is not None):
                return GarbageReport(swept, plan, temporary_bytes=_temporary(work))
        except _MAY_BE_LATE:
            # What is missing may have been deleted by somebody who went on meanwhile, and what
            # the logs said when they were read may be long past.
            if work.upkeep.refresh().head_n == state.head_n:
                raise
    raise ConflictError(
        f"others wrote the log of gc {_ROUNDS_COUNT} times while a plan was made",
        code="commit-contended",
        hint="they may be collecting at this moment; run it again later",
    )


def _temporary(work: GarbageWork) -> int:
    """Unfinished writes on a local disk, of processes that were killed; gives their bytes."""
    if work.sweep_temporary is None:
        return 0
    return work.sweep_temporary(work.settings.grace_seconds)


def _refused(error: ArtstoreError) -> StateError:
    version = error.context.get("version")
    where = f"{version}: " if version else ""
    # A storage may refuse a delete behind others that it did.
    stops = "gc stops" if isinstance(error, StorageError) else "gc stops, and deletes nothing"
    return StateError(
        f"{stops}: {where}{error.message}",
        code="gc-refused",
        hint=error.hint or "art check",
        cause=error.code,
        **{name: value for name, value in error.context.items() if name != "cause"},
    )

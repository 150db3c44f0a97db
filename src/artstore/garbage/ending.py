"""
The end of a plan: carried out, or given up without a delete.

`done` says that no delete of the plan is still to come. As long as no record of a sweep stands
nobody has begun: a sweeper writes that record before its first delete, finds `done` instead,
and stops. So until then anybody may give a plan up. Afterwards a sweeper may sleep between
two deletes, and only who knows that there is none may say so
(docs/explanation/garbage-collection.md).
"""

from __future__ import annotations

from artstore import clock
from artstore.catalog.format import entry_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, Plan, UpkeepLog
from artstore.errors import ConflictError, InvalidInputError, StateError
from artstore.garbage.planning import GarbageWork
from artstore.garbage.records import SweepReport

__all__ = ["end_given_up", "end_lost", "end_plan", "lost_list", "report_of"]


def end_plan(
    work: GarbageWork, plan: Plan, *, deleted: int = 0, spared: int = 0, reason: str = ""
) -> SweepReport:
    """Write that a plan is done; the values say what is told of it."""
    state = work.upkeep.refresh()
    while plan.k not in state.done:
        work.upkeep.append_at(state.head_n + 1, ("done", {"plan": plan.k}), work.author)
        state = work.upkeep.refresh()
    return report_of(work, plan, deleted=deleted, spared=spared, reason=reason)


def report_of(
    work: GarbageWork, plan: Plan, *, deleted: int = 0, spared: int = 0, reason: str = ""
) -> SweepReport:
    """What is told of a plan. Cost: one stat."""
    made = clock.format_time(work.storage.stat(entry_key(UPKEEP_PREFIX, plan.k)).modified_seconds)
    return SweepReport(plan.k, made, plan.by, deleted, spared, reason)


def lost_list(upkeep: UpkeepLog, k: int) -> ConflictError | None:
    """Why an open plan cannot be carried out, if it cannot. Cost: reads its lists."""
    state = upkeep.refresh()
    try:
        upkeep.condemned(k)
        for _ in upkeep.heads(state.plans[k]):
            pass
        if k in state.sweeps:
            upkeep.spared(state.sweeps[k])
    except ConflictError as error:
        return error
    return None


def end_lost(work: GarbageWork, plan: Plan, lost: ConflictError) -> SweepReport | None:
    """
    End a plan of which a list is lost, if nobody has begun to carry it out.

    Returns:
        None if somebody else ended it meanwhile.
    Raises:
        StateError: `gc-refused`: its deletes have begun, and what they were is not known.
    """
    state = work.upkeep.refresh()
    while plan.k not in state.done:
        sweep = state.sweeps.get(plan.k)
        if sweep is not None:
            raise StateError(
                f"plan {plan.k} of gc cannot be ended: its list {lost.context['key']} is "
                f"{lost.context['problem']}, and {sweep.by}, who began to delete what it names at "
                f"{sweep.time}, may not be through",
                code="gc-refused",
                hint="put the list back: art check --repair --from COPY; or, if that gc runs "
                f"nowhere any more: art gc --give-up {plan.k}",
                cause=lost.code,
                **lost.context,
            )
        if work.upkeep.append_at(state.head_n + 1, ("done", {"plan": plan.k}), work.author):
            return report_of(work, plan, reason="list-lost")
        state = work.upkeep.refresh()
    return None


def end_given_up(work: GarbageWork, k: int) -> SweepReport:
    """
    End an open plan because a person says that nobody carries it out.

    Raises:
        InvalidInputError: `value-invalid`, it is not open.
    """
    state = work.upkeep.refresh()
    if k not in state.open_plans:
        open_ = ", ".join(map(str, state.open_plans))
        raise InvalidInputError(
            f"plan {k} of gc is not open; {f'plan {open_} is' if open_ else 'no plan is'}",
            code="value-invalid",
        )
    return end_plan(work, state.plans[k], reason="given-up")

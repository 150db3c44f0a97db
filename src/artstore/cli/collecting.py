"""`art gc`, and what `art rm --purge` and `art du --reclaimable` show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import count, format_bytes, printable
from artstore.cli.session import Session
from artstore.durations import parse_duration
from artstore.settings import parse_size

if TYPE_CHECKING:
    from artstore.garbage.purging import PurgeReport
    from artstore.garbage.records import GarbagePlan, GarbageReport, RunGarbage, SweepReport

__all__ = ["gc_command", "grace_option", "plan_lines", "purge_lines", "read_length", "run_lines"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_VERSIONS_SHOWN = 8
_HOLDERS_SHOWN = 20
_ONE = {
    "packs": ("pack", "packs"),
    "fragments": ("table fragment", "table fragments"),
    "manifests": ("manifest", "manifests"),
    "moved": ("moved record", "moved records"),
    "index": ("index segment", "index segments"),
    "upkeep": ("value of gc", "values of gc"),
}

_GIVEN_UP = {
    "list-lost": "a list that it needs is lost",
    "other-history": "it was made from other logs than are here, so a copy was put back",
    "given-up": "as was asked for",
}


def read_length(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """A length of time such as `24h`; `0` is none at all."""
    del ctx, param
    if value is None:
        return None
    return timedelta(seconds=0 if value.strip() in {"0", "0s"} else parse_duration(value))


def grace_option(text: str) -> Callable[[_Decorated], _Decorated]:
    """Add `--grace`; `text` says what it is of this command."""
    return click.option(
        "--grace",
        metavar="TIME",
        default="24h",
        show_default=True,
        callback=read_length,
        help=text,
    )


@click.command(
    "gc",
    cls=Command,
    examples=("art gc --dry-run", "art gc", "art gc --grace 1h --wait", "art gc --limit-rate 50MB"),
)
@click.option("--dry-run", is_flag=True, help="Show what would go and why; write nothing.")
@grace_option("Age that content must have, and time from plan to delete; at least 1h.")
@click.option(
    "--restore-window",
    metavar="TIME",
    default="7d",
    show_default=True,
    callback=read_length,
    help="Time for which deleted versions can be restored.",
)
@click.option(
    "--repack-above",
    metavar="PERCENT",
    type=click.IntRange(1, 100),
    default=50,
    show_default=True,
    help="Repack packs of which more than this is dead.",
)
@click.option("--limit-rate", metavar="SIZE", help="Bytes a second that repacking may move: 50MB.")
@click.option("--force", is_flag=True, help="Plan however little would go.")
@click.option(
    "--purged-too",
    is_flag=True,
    help="Also delete what was purged, by anybody, within the restore window.",
)
@click.option("--wait", is_flag=True, help="Wait for the grace, then delete, in this run.")
@click.option(
    "--give-up",
    metavar="PLAN",
    type=click.IntRange(0),
    help="End this open plan without a delete; only if no machine carries it out any more.",
)
@shared_options
@click.pass_obj
def gc_command(
    session: Session,
    *,
    dry_run: bool,
    grace: timedelta,
    restore_window: timedelta,
    repack_above: int,
    limit_rate: str | None,
    force: bool,
    purged_too: bool,
    wait: bool,
    give_up: int | None,
) -> None:
    """
    Free what no version needs: delete what the last plan named, then make the next plan.

    A plan says what goes; its deletes wait for the grace and are done by the next 'art gc', on any
    machine. Run it once a day, beside pushes and pulls as they come; it can be interrupted
    anywhere and run again. Packs that are mostly dead are repacked first. What cannot be read
    may be needed: then nothing is planned, and the exit status is 7.
    """
    store = session.open_store()
    with session.progress() as bar:
        report = store.collect_garbage(
            dry_run=dry_run,
            grace=grace,
            restore_window=restore_window,
            repack_above=repack_above / 100,
            limit_rate=None if limit_rate is None else parse_size(limit_rate),
            force=force,
            purged_too=purged_too,
            wait=wait,
            give_up=give_up,
            on_progress=bar.on_progress,
        )
    session.output.result(report.to_json(), _report_lines(report, is_dry_run=dry_run))


def _report_lines(report: GarbageReport, *, is_dry_run: bool) -> Iterator[str]:
    if report.swept is not None:
        yield from _swept_lines(report.swept)
    if report.temporary_bytes:
        yield f"{format_bytes(report.temporary_bytes)} of unfinished writes removed"
    if report.plan is not None:
        yield from plan_lines(report.plan)
    if report.runs is not None:
        yield from run_lines(report.runs, is_done=not is_dry_run)
    if report.waiting is not None and not (report.swept and report.swept.reason == "held"):
        yield f"plan {report.waiting} is open: 'art gc' after {report.waits_until} deletes it"


def _swept_lines(swept: SweepReport) -> Iterator[str]:
    plan = f"plan {swept.plan} of {printable(swept.planned_by)}, made {swept.planned}"
    deleted = f"{count(swept.deleted_keys, 'value')} deleted"
    stay = f", {count(swept.spared_keys, 'value')} needed again" if swept.spared_keys else ""
    if swept.reason == "held":
        yield f"{plan}: {deleted}{stay}"
        yield (
            f"it stays open until {swept.held_until}: another machine has begun to carry it out, "
            "and may still delete what can be restored by the restore window of this run"
        )
        yield (
            "sooner: 'art gc' on that machine, or here with its --restore-window; if it never goes "
            f"on: 'art gc --give-up {swept.plan}'"
        )
    elif swept.reason:
        yield f"{plan}: given up without a delete: {_GIVEN_UP[swept.reason]}"
    else:
        yield f"{plan}: {deleted}{stay}"


def plan_lines(plan: GarbagePlan) -> Iterator[str]:
    """What goes, why, and when; one line for each collection."""
    kinds = ", ".join(count(kind.count, *_ONE[kind.kind]) for kind in plan.kinds)
    if plan.deleted_bytes:
        done = "would go" if plan.number is None else f"go by plan {plan.number}"
        yield (
            f"{format_bytes(plan.freed_bytes)} of {format_bytes(plan.store_bytes)} {done}: {kinds}"
        )
        for one in plan.collections:
            numbers = [f"v{number}" for number in one.versions[-_VERSIONS_SHOWN:]]
            more = len(one.versions) - len(numbers)
            named = ("... " if more > 0 else "") + ", ".join(numbers)
            name = printable(f"{one.project}/{one.name}")
            yield f"  {format_bytes(one.size_bytes):>9}  {name}  {named} deleted"
        if plan.unnamed_bytes:
            yield f"  {format_bytes(plan.unnamed_bytes):>9}  named by no version"
        if plan.repacked_packs:
            yield (
                f"{format_bytes(plan.moved_bytes)} that live in "
                f"{count(plan.repacked_packs, 'pack')} of these "
                + ("would be copied first" if plan.number is None else "were copied first")
            )
    yield from _staying_lines(plan)
    if plan.reason == "nothing" or (plan.reason == "dry-run" and not plan.deleted_bytes):
        yield "nothing to delete"
    elif plan.reason == "too-little":
        yield "too little for a plan, which costs an entry in every log: --force makes one"
    elif plan.sweep_after is not None:
        yield f"'art gc' after {plan.sweep_after} deletes them"


def _staying_lines(plan: GarbagePlan) -> Iterator[str]:
    stays = (
        (plan.restorable_bytes, "of deleted versions that can still be restored"),
        (plan.young_bytes, "that no version names, too young to go"),
        (plan.waste_bytes, "dead in packs that are mostly needed"),
    )
    for size_bytes, why in stays:
        # Every pack has a few bytes that are no chunk.
        if size_bytes * 1000 > plan.store_bytes:
            yield f"  {format_bytes(size_bytes):>9}  stay: {why}"
    for key, why in plan.kept:
        yield f"  {key} stays: {printable(why)}"
    if plan.unknown_count:
        yield f"  {count(plan.unknown_count, 'key')} of no known form stay"


def run_lines(runs: RunGarbage, *, is_done: bool) -> Iterator[str]:
    """What went of runs, and which of them could not be looked at."""
    gone = "deleted" if is_done else "would go"
    if runs.objects:
        what = [
            count(runs.deleted_runs, "deleted run") if runs.deleted_runs else "",
            f"{count(runs.segments, 'segment')} written anew" if runs.segments else "",
        ]
        told = " and ".join(filter(None, what))
        yield f"{format_bytes(runs.size_bytes)} of runs {gone}: {told}"
    for name, why in runs.kept[:_VERSIONS_SHOWN]:
        yield f"  run {printable(name)} is left as it is: {printable(why)}"
    if len(runs.kept) > _VERSIONS_SHOWN:
        yield f"  and {count(len(runs.kept) - _VERSIONS_SHOWN, 'run')} more"


def purge_lines(report: PurgeReport, *, is_dry_run: bool) -> Iterator[str]:
    """What a purge did, who else holds the content, what stays in logs, when it is gone."""
    name = printable(report.name)
    yield f"{name} would be given up for good" if is_dry_run else f"{name} is given up for good"
    for holder in report.holders[:_HOLDERS_SHOWN]:
        deleted = " (deleted, can be restored)" if holder.is_deleted else ""
        yield (
            f"  {printable(holder.name)}{deleted} holds {count(holder.file_count, 'file')} of it, "
            f"{format_bytes(holder.size_bytes)}: {printable(', '.join(holder.paths))}"
        )
    if len(report.holders) > _HOLDERS_SHOWN:
        yield f"  and {count(len(report.holders) - _HOLDERS_SHOWN, 'version')} more hold some of it"
    if report.holders:
        yield "what they hold stays: purge them too to be rid of it"
    yield f"these digests stay in the log: {', '.join(one[:16] for one in report.left_digests)}"
    if report.cached_files:
        yield f"{count(report.cached_files, 'file')} removed from the cache of this machine"
    plan, swept = report.garbage.plan, report.garbage.swept
    for key, why in plan.kept if plan is not None else ():
        yield f"  {key} stays: {printable(why)}"
    if report.is_gone:
        yield "its bytes are gone"
    elif swept is not None and report.is_swept:
        needed = count(swept.spared_keys, "value")
        yield f"its bytes are gone but for what stays; {needed} came to be needed meanwhile"
    elif report.gone_after is not None:
        yield f"its bytes are gone when 'art gc' has run here after {report.gone_after}"
    elif report.garbage.waiting is not None and not is_dry_run:
        yield (
            f"plan {report.garbage.waiting} comes first: run 'art gc' after "
            f"{report.garbage.waits_until}, then purge again"
        )
    yield "copies elsewhere are not touched: backups, versioned buckets, caches of other machines"

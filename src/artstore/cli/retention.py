"""`art prune`, `art pin`, `art unpin`, `art protect`: what is kept, and what goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count, format_bytes, printable, table
from artstore.cli.session import Session
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.records import pin_records, retention_record, version_name

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.catalog.choosing import Verdict
    from artstore.catalog.retention import Retention
    from artstore.garbage.pruning import PrunedCollection, PruneReport

__all__ = ["pin_command", "protect_command", "prune_command", "unpin_command"]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


@click.command(
    "prune",
    cls=Command,
    examples=(
        "art prune mnist --keep-last 5 --keep-alias best --keep-within 30d --dry-run",
        "art prune mnist --keep-last 5 --save",
        "art prune",
    ),
)
@click.argument("name", metavar="[NAME | PROJECT/]", required=False, shell_complete=complete_name)
@click.option("--keep-last", metavar="N", type=int, help="Keep the N newest versions.")
@click.option(
    "--keep-within",
    metavar="TIME",
    help="Keep versions younger than this: 30d, 12h; by the clock of the store.",
)
@click.option(
    "--keep-alias",
    "keep_aliases",
    metavar="PATTERN",
    multiple=True,
    help="Keep versions with such an alias, such as 'prod-*' (many); without it, any alias keeps.",
)
@click.option("--save", is_flag=True, help="Make this the rule of the artifact, then apply it.")
@click.option("--forget", is_flag=True, help="Drop the rule of the artifact; delete nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would go and what stays, and why.")
@shared_options
@click.pass_obj
def prune_command(
    session: Session,
    *,
    name: str | None,
    keep_last: int | None,
    keep_within: str | None,
    keep_aliases: tuple[str, ...],
    save: bool,
    forget: bool,
    dry_run: bool,
) -> None:
    """
    Delete the versions that a rule gives up, and those that have outlived their ttl.

    With options the rule is theirs, this once; without, it is the one that --save noted. Without a
    NAME: all artifacts that have a rule or a ttl; PROJECT/: those of a project. 'art restore'
    takes a deletion back, and 'art gc' frees the bytes.

    The newest version always stays, and what is pinned, used by a run that goes on, or has a
    protected alias.
    """
    rule = _stated_rule(keep_last, keep_within, keep_aliases)
    is_one = name is not None and not name.endswith("/")
    _check_options(session, rule, is_one=is_one, save=save, forget=forget)
    if name is not None and is_one:
        parsed = session.name(name)
        if parsed.is_exact:
            meant = session.corrected(replace=(name, str(parsed).split(":")[0].split("@")[0]))
            raise InvalidInputError(
                f"prune looks at all versions of an artifact, and {name!r} names one",
                code="usage-invalid",
                hint=f"write: {meant}",
                correction=meant,
            )
    store = session.open_store()
    if name is not None and ((save and not dry_run) or forget):
        store.set_retention(name, rule)
        rule = None
    report = store.prune(name, retention=rule, dry_run=dry_run or forget)
    is_saved = forget or (save and not dry_run)
    _print_report(session, report, is_one=is_one, is_saved=is_saved)
    if report.problems:
        raise DamagedDataError(
            f"{count(len(report.problems), 'artifact')} could not be pruned: "
            f"{', '.join(problem.name for problem in report.problems)}",
            code="prune-incomplete",
        )


def _stated_rule(
    keep_last: int | None, keep_within: str | None, keep_aliases: tuple[str, ...]
) -> Retention | None:
    if keep_last is None and keep_within is None and not keep_aliases:
        return None
    from artstore.catalog.retention import Retention
    from artstore.durations import parse_duration

    within = None if keep_within is None else timedelta(seconds=parse_duration(keep_within))
    return Retention(keep_last, within, keep_aliases)


def _check_options(
    session: Session, rule: Retention | None, *, is_one: bool, save: bool, forget: bool
) -> None:
    problem = None
    if (rule is not None or save or forget) and not is_one:
        problem = "a rule is that of one artifact, and no NAME says which"
    elif forget and (rule is not None or save):
        problem = "--forget drops the rule, and the other options state one"
    elif save and rule is None:
        problem = "--save needs a rule: --keep-last, --keep-within or --keep-alias"
    if problem is not None:
        hint = f"for one artifact: {session.corrected('NAME')}" if not is_one else None
        raise InvalidInputError(problem, code="usage-invalid", hint=hint)


def _print_report(session: Session, report: PruneReport, *, is_one: bool, is_saved: bool) -> None:
    from artstore.clock import format_time

    value = {
        "dry_run": report.is_dry_run,
        "saved": is_saved,
        "time": format_time(report.now_seconds),
        "removed_count": report.removed_count,
        "going_count": sum(len(one.going) for one in report.collections),
        "going_bytes": report.going_bytes,
        "collections": [_collection_record(one) for one in report.collections],
        "problems": [
            {"name": problem.name, "code": problem.code, "message": problem.message}
            for problem in report.problems
        ],
    }
    removed = [
        session.short_name(one.project, one.name, f"v{number}")
        for one in report.collections
        for number in (
            [verdict.version for verdict in one.going] if report.is_dry_run else one.removed
        )
    ]
    lines = _report_lines(session, report, with_kept=is_one and report.is_dry_run)
    session.output.result(value, lines, names=removed)
    if is_one and not is_saved:
        pruned = report.collections[0]
        if pruned.rule.is_empty:
            session.output.note(
                f"{pruned.qualified_name} has no rule; --keep-last, --keep-within and --keep-alias "
                "state one"
            )
    for problem in report.problems:
        session.output.warn(f"{problem.name}: {problem.message}")


def _collection_record(pruned: PrunedCollection) -> dict[str, Any]:
    return {
        "project": pruned.project,
        "name": pruned.name,
        "rule": retention_record(pruned.rule),
        "versions": [
            {
                "version": version_name(one.version),
                "size_bytes": one.size_bytes,
                "age_seconds": int(one.age_seconds),
                "goes": one.goes,
                "removed": one.version in pruned.removed,
                "reasons": [
                    {"code": reason.code, "detail": reason.detail} for reason in one.reasons
                ],
            }
            for one in reversed(pruned.verdicts)
        ],
    }


def _report_lines(session: Session, report: PruneReport, *, with_kept: bool) -> Iterator[str]:
    for pruned in report.collections:
        shown = [one for one in reversed(pruned.verdicts) if with_kept or one.goes]
        name = session.short_name(pruned.project, pruned.name)
        if shown:
            yield f"{name}: {printable(str(pruned.rule))}"
            heads = ("VERSION", "SIZE", "AGE", "ACTION", "WHY")
            yield from table(heads, [_row(pruned, one) for one in shown], right="SIZE AGE")
        kept = len(pruned.verdicts) - len(pruned.going)
        going = f"{count(len(pruned.going), 'version')}, {format_bytes(_going_bytes(pruned))}"
        did = "would go" if report.is_dry_run else "removed"
        if not pruned.going:
            yield f"{name}: nothing goes, {count(kept, 'version')} kept"
        else:
            yield f"{name}: {going} {did}, {kept} kept"
        if pruned.spared:
            spared = ", ".join(f"v{number}" for number in pruned.spared)
            yield f"{name}: {spared} changed meanwhile and stays until the next prune"
    if not report.collections and not report.problems:
        yield "no artifact has a rule, and no version a ttl"


def _going_bytes(pruned: PrunedCollection) -> int:
    return sum(one.size_bytes for one in pruned.going)


def _row(pruned: PrunedCollection, one: Verdict) -> tuple[str, ...]:
    action = "remove" if one.goes else "keep"
    if one.version in pruned.spared:
        action = "changed"
    return (
        f"v{one.version}",
        format_bytes(one.size_bytes),
        _age(one.age_seconds),
        action,
        ", ".join(map(str, one.reasons)),
    )


def _age(seconds: float) -> str:
    """The largest unit of which there are two, whole: `45s`, `90m`, `36h`, `400d`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)}{name}"
    return f"{int(seconds)}s"


# --- pins ---------------------------------------------------------------------------------


@click.command(
    "pin",
    cls=Command,
    examples=("art pin mnist:v3 --until 30d", "art pin mnist:best --until 2027-06-30"),
)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.option(
    "--until",
    metavar="DATE|TIME",
    required=True,
    help="A date (to its end, in UTC), a moment, or a length of time from now: 30d.",
)
@click.option("--holder", metavar="NAME", help="Who holds it; user and host if left out.")
@shared_options
@click.pass_obj
def pin_command(session: Session, *, name: str, until: str, holder: str | None) -> None:
    """
    Keep a version until a date: prune leaves it alone, and rm refuses without --force.

    V is the newest version if left out. A second pin of one holder replaces the first.
    """
    session.name(name)
    store = session.open_store()
    # By its number: what an alias means may change meanwhile.
    exact = store.artifact(name).qualified_name
    store.pin(exact, until, holder=holder)
    _print_pins(session, store, exact)


@click.command("unpin", cls=Command)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.option("--holder", metavar="NAME", help="Whose pin; your own if left out.")
@shared_options
@click.pass_obj
def unpin_command(session: Session, *, name: str, holder: str | None) -> None:
    """Take a pin of a version away."""
    session.name(name)
    store = session.open_store()
    exact = store.artifact(name).qualified_name
    store.unpin(exact, holder=holder)
    _print_pins(session, store, exact)


def _print_pins(session: Session, store: Store, exact: str) -> None:
    artifact = store.artifact(exact)
    short = session.short_name(artifact.project, artifact.collection.name, artifact.version)
    value = {
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "pins": pin_records(artifact.pins),
    }
    listed = ", ".join(f"{pin.holder} until {pin.until}" for pin in artifact.pins)
    session.output.result(value, [f"{short}  pins: {printable(listed) or 'none'}"], names=[short])


@click.command("protect", cls=Command, examples=("art protect mnist prod",))
@click.argument("name", metavar="NAME", shell_complete=complete_name)
@click.argument("aliases", metavar="[ALIAS]...", nargs=-1)
@click.option("--remove", is_flag=True, help="Lift the protection instead.")
@shared_options
@click.pass_obj
def protect_command(session: Session, name: str, *, aliases: tuple[str, ...], remove: bool) -> None:
    """
    Protect ALIASes of an artifact; without any, list those that are.

    A protected alias is neither moved nor taken away, and its version is neither pruned nor
    deleted, by --force neither. One that no version has yet can still be set.
    """
    parsed = session.name(name)
    store = session.open_store()
    if remove and not aliases:
        raise InvalidInputError("no ALIAS says which", code="usage-invalid")
    now = store.protect(name, **{"remove" if remove else "add": list(aliases)})
    project = parsed.project or session.settings.project
    short = session.short_name(project, parsed.name)
    value = {"project": project, "name": parsed.name, "protected_aliases": list(now)}
    session.output.result(value, [f"{short}  protected: {', '.join(now) or 'none'}"], names=now)

"""`art alias`, `art tag`, `art rm`, `art restore`: what can change about a version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import click

from artstore.cli.collecting import grace_option, purge_lines
from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.session import Session
from artstore.errors import ArtstoreError, InvalidInputError

__all__ = ["alias_command", "restore_command", "rm_command", "tag_command"]

_FORCED: Final = ("version-aliased", "version-pinned", "version-in-use")
"""What --force overrules."""


@click.command("alias", cls=Command)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.argument("aliases", metavar="ALIAS...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the aliases away instead.")
@shared_options
@click.pass_obj
def alias_command(session: Session, *, name: str, aliases: tuple[str, ...], remove: bool) -> None:
    """
    Give a version ALIASes; one that another version of the artifact has moves here.

    V is the newest version if left out. 'latest' always is the newest and cannot be given.
    """
    _change_labels(session, name, aliases, "aliases", remove=remove)


@click.command("tag", cls=Command)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags away instead.")
@shared_options
@click.pass_obj
def tag_command(session: Session, *, name: str, tags: tuple[str, ...], remove: bool) -> None:
    """Give a version TAGs; unlike an alias, a tag may stand on many versions."""
    _change_labels(session, name, tags, "tags", remove=remove)


def _change_labels(
    session: Session, name: str, labels: tuple[str, ...], key: str, *, remove: bool
) -> None:
    session.name(name)
    store = session.open_store()
    # By its number: a push in between must not move the labels, and `x:best` is gone after
    # `--remove best`.
    exact = store.artifact(name).qualified_name
    change = store.set_aliases if key == "aliases" else store.set_tags
    change(exact, **{"remove" if remove else "add": list(labels)})
    artifact = store.artifact(exact)
    now = artifact.aliases if key == "aliases" else artifact.tags
    short = session.short_name(artifact.project, artifact.collection.name, artifact.version)
    value = {
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "aliases": list(artifact.aliases),
        "tags": list(artifact.tags),
    }
    listed = ", ".join(now) if now else "none"
    session.output.result(value, [f"{short}  {key}: {listed}"], names=[short])


@click.command("rm", cls=Command)
@click.argument("name", metavar="NAME:V", shell_complete=complete_name)
@click.option(
    "--force",
    is_flag=True,
    help="Delete it although it has aliases, is pinned, or in use.",
)
@click.option(
    "--purge",
    "is_purge",
    is_flag=True,
    help="For good: no restore, and its bytes go with the next plan of 'art gc'.",
)
@click.option("--dry-run", is_flag=True, help="With --purge: show what would be done; do nothing.")
@grace_option("With --purge: time until its bytes may go; at least 1h.")
@click.option("--wait", is_flag=True, help="With --purge: wait for that, and delete.")
@shared_options
@click.pass_obj
def rm_command(
    session: Session,
    *,
    name: str,
    force: bool,
    is_purge: bool,
    dry_run: bool,
    grace: timedelta,
    wait: bool,
) -> None:
    """
    Delete one version; 'art restore' brings it back as long as its bytes are there.

    Its number is never used again. A version that has aliases, is pinned, or is used by a run that
    goes on is refused without --force; one with a protected alias always.

    With --purge, for what must really go: every pack that holds some of it is repacked. Shown are
    other versions that hold the same content, the digests that stay in the log, and when the
    bytes are gone. A version that is deleted already can be purged too, by its number.
    """
    parsed = session.name(name)
    if not parsed.is_exact:
        raise _needs_version(session, name, "rm deletes one version")
    if (dry_run or wait) and not is_purge:
        raise InvalidInputError("--dry-run and --wait go with --purge", code="usage-invalid")
    if is_purge:
        _purge(session, name, force=force, is_dry_run=dry_run, grace=grace, wait=wait)
        return
    store = session.open_store()
    artifact = store.artifact(name)
    try:
        store.delete(artifact.qualified_name, force=force)
    except ArtstoreError as error:
        _explain_force(session, error)
        raise
    short = session.short_name(artifact.project, artifact.collection.name, artifact.version)
    value = _changed_record(artifact.project, artifact.collection.name, artifact.version)
    lines = [f"{short} deleted; 'art restore {short}' brings it back"]
    session.output.result(value, lines, names=[short])


def _purge(
    session: Session, name: str, *, force: bool, is_dry_run: bool, grace: timedelta, wait: bool
) -> None:
    store = session.open_store()
    parsed = session.name(name)
    if parsed.version is None:
        name = store.artifact(name).qualified_name
    try:
        report = store.purge(name, force=force, dry_run=is_dry_run, grace=grace, wait=wait)
    except ArtstoreError as error:
        _explain_force(session, error)
        raise
    session.output.result(report.to_json(), purge_lines(report, is_dry_run=is_dry_run))


def _explain_force(session: Session, error: ArtstoreError) -> None:
    if error.code in _FORCED:
        error.context["correction"] = session.corrected("--force")
        error.hint = f"to delete it all the same: {error.context['correction']}"


@click.command("restore", cls=Command)
@click.argument("name", metavar="NAME:vN")
@shared_options
@click.pass_obj
def restore_command(session: Session, name: str) -> None:
    """Bring a deleted version back under its number."""
    parsed = session.name(name)
    if parsed.version is None:
        raise InvalidInputError(
            f"restore needs the number of a version, and {name!r} has none",
            code="usage-invalid",
            hint=f"'art ls {parsed.name} --all' lists deleted versions; then: "
            f"art restore {parsed.name}:vN",
        )
    store = session.open_store()
    store.restore(name)
    artifact = store.artifact(name)
    short = session.short_name(artifact.project, artifact.collection.name, artifact.version)
    value = _changed_record(artifact.project, artifact.collection.name, artifact.version)
    session.output.result(value, [f"{short} restored"], names=[short])
    rule = store.retention(f"{artifact.project}/{artifact.collection.name}")
    if artifact.ttl is not None or not rule.is_empty:
        session.output.note(f"the next prune may take it again: art pin {short} --until 30d")


def _changed_record(project: str, name: str, version: str) -> dict[str, Any]:
    return {"project": project, "name": name, "version": version}


def _needs_version(session: Session, name: str, reason: str) -> InvalidInputError:
    meant = session.corrected(replace=(name, f"{name}:vN"))
    return InvalidInputError(
        f"{reason}, and {name!r} names none",
        code="usage-invalid",
        hint=f"write: {meant}",
        correction=meant,
    )

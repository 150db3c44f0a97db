"""`art import`: what another program versioned becomes versions here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, CommandGroup, shared_options
from artstore.cli.options import transfer_options
from artstore.cli.output import count, printable
from artstore.cli.session import Session

if TYPE_CHECKING:
    from artstore.integrations.wandb_import import ImportedTable, ImportedVersion

__all__ = ["import_command"]

_SHOWN_COUNT = 20
"""Tables of one version that are told in text; JSON has all."""


@click.group("import", cls=CommandGroup, invoke_without_command=True)
@shared_options
@click.pass_context
def import_command(ctx: click.Context) -> None:
    """Make versions of what another program versioned, with tables and images intact."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _set_format(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value == "json":
        session = ctx.find_object(Session)
        assert session is not None
        session.as_json = True


@import_command.command(
    "wandb",
    cls=Command,
    examples=(
        "art import wandb artifacts/digits:v3",
        "art import wandb artifacts/digits:v3 --name mnist --alias best",
        "art import wandb artifacts --dry-run",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option("--name", metavar="NAME", help="The artifact; what DIR is called if left out.")
@click.option(
    "--type",
    "type_name",
    metavar="TYPE",
    help="What it is: dataset, model, ... Of a new name dataset if left out, and then fixed.",
)
@click.option("--alias", "aliases", metavar="ALIAS", multiple=True, help="Name it so too (many).")
@click.option("--no-verify", is_flag=True, help="Do not compare files with the digests of W&B.")
@click.option("--clip-boxes", is_flag=True, help="Cut boxes off at the edges of their image.")
@click.option("--dry-run", is_flag=True, help="Read everything and say what would be made.")
@click.option(
    "--format",
    type=click.Choice(("text", "json")),
    is_eager=True,
    expose_value=False,
    callback=_set_format,
    help="How the result is printed: json is the same as --json.",
)
@transfer_options
@shared_options
@click.pass_obj
def wandb_command(
    session: Session,
    *,
    directory: str,
    name: str | None,
    type_name: str | None,
    aliases: tuple[str, ...],
    no_verify: bool,
    clip_boxes: bool,
    dry_run: bool,
) -> None:
    """
    Import an artifact that W&B's SDK or 'wandb artifact get' downloaded into DIR.

    Tables, joined tables, media, files and references become one version, under the names that
    they have. DIR is called NAME:vN, or as you like; or it holds nothing but directories called
    NAME:vN, which become versions in their order. W&B itself is not needed.

    Files are compared with the manifest first, if it lies in DIR; what is damaged is told, and
    nothing is stored. The same directory again makes no new version.
    """
    from artstore.integrations.wandb_import import import_wandb

    parsed = None if name is None else session.name(name)
    if parsed is not None and parsed.is_exact:
        raise click.UsageError("--name names an artifact, not a version of it")
    store = session.open_store(project=None if parsed is None else parsed.project)
    with session.progress() as bar:
        imported = import_wandb(
            directory,
            None if parsed is None else parsed.name,
            type_name,
            aliases,
            store=store,
            verify=not no_verify,
            clip_boxes=clip_boxes,
            dry_run=dry_run,
            on_progress=bar.on_progress,
        )
    _report(session, imported, store.project, dry_run=dry_run)


def _report(
    session: Session, imported: list[ImportedVersion], project: str, *, dry_run: bool
) -> None:
    output = session.output
    for one in imported:
        for warning in one.summary.warnings:
            output.warn(warning)
    names = [
        session.short_name(project, one.name, one.artifact.version if one.artifact else None)
        for one in imported
    ]
    value = {"dry_run": dry_run, "versions": [_record(one, project) for one in imported]}
    lines = (line for name, one in zip(names, imported, strict=True) for line in _lines(name, one))
    output.result(value, lines, names=names)


def _record(one: ImportedVersion, project: str) -> dict[str, Any]:
    artifact, summary = one.artifact, one.summary
    return {
        "directory": one.directory,
        "project": project,
        "name": one.name,
        "version": None if artifact is None else artifact.version,
        "digest": None if artifact is None else artifact.digest,
        "is_new": one.is_new,
        "wandb_name": one.wandb_name,
        "wandb_version": one.wandb_version,
        "wandb_digest": one.wandb_digest,
        "verified_files": one.verified_count,
        "tables": [_table_record(table) for table in summary.tables],
        "joined_tables": list(summary.joined_tables),
        "partitioned_tables": list(summary.partitioned_tables),
        "image_count": summary.image_count,
        "media_count": summary.media_count,
        "file_count": summary.file_count,
        "reference_count": summary.reference_count,
        "warnings": list(summary.warnings),
    }


def _table_record(table: ImportedTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "row_count": table.row_count,
        "column_count": table.column_count,
        "image_count": table.image_count,
        "media_count": table.media_count,
    }


def _lines(name: str, one: ImportedVersion) -> Iterator[str]:
    source = printable(f"{one.wandb_name}:{one.wandb_version or '?'}")
    if not one.is_new:
        yield f"{name} is {source} of W&B already: no new version"
    elif one.artifact is None:
        yield f"{name} would get a version, {source} of W&B"
    else:
        yield f"{name} is {source} of W&B"
        yield f"  digest  {one.artifact.digest}"
    shown = list(_members(one))
    width = max((len(member) for member, _ in shown), default=0)
    for member, what in shown[:_SHOWN_COUNT]:
        yield f"  {member:<{width}}  {what}"
    if len(shown) > _SHOWN_COUNT:
        yield f"  and {len(shown) - _SHOWN_COUNT:,} more"
    told = list(_numbers(one))
    if told:
        yield f"  {', '.join(told)}"
    if one.verified_count is None:
        yield "  no file was compared with a manifest of W&B"
    else:
        yield f"  {count(one.verified_count, 'file')} compared with the manifest of W&B"


def _members(one: ImportedVersion) -> Iterator[tuple[str, str]]:
    summary = one.summary
    for table in summary.tables:
        words = ["table", count(table.row_count, "row")]
        if table.image_count:
            words.append(count(table.image_count, "image"))
        if table.media_count > table.image_count:
            words.append(f"{table.media_count - table.image_count:,} other media")
        yield printable(table.name), ", ".join(words)
    for name in summary.partitioned_tables:
        yield printable(name), "partitioned table"
    for name in summary.joined_tables:
        yield printable(name), "joined table"


def _numbers(one: ImportedVersion) -> Iterator[str]:
    summary = one.summary
    if summary.image_count:
        yield count(summary.image_count, "image")
    if summary.media_count > summary.image_count:
        yield f"{summary.media_count - summary.image_count:,} other media"
    if summary.file_count:
        yield count(summary.file_count, "file")
    if summary.reference_count:
        yield count(summary.reference_count, "reference")

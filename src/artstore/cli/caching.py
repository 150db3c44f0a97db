"""`art cache`: the whole files that `--link reflink|hard|sym` keep on this machine."""

from __future__ import annotations

import click

from artstore.cli.command import Command, CommandGroup, shared_options
from artstore.cli.output import count, format_bytes, printable
from artstore.cli.session import Session
from artstore.settings import parse_size

__all__ = ["cache_command"]


@click.group("cache", cls=CommandGroup, invoke_without_command=True, subcommand_metavar="[COMMAND]")
@shared_options
@click.pass_context
def cache_command(ctx: click.Context) -> None:
    """
    Show the local cache: where it is, how full, how large it may become.

    It holds one read-only copy of each file that a pull with --link reflink, hard or sym made;
    a copying pull leaves nothing there. The files used longest ago go first when it is full; what
    checkouts link to stays.
    """
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.find_object(Session)
    assert session is not None
    settings = session.settings
    stats = session.open_cache().stats()
    value = {
        "directory": str(settings.cache_dir),
        "directory_origin": settings.cache_dir_origin,
        "file_count": stats.file_count,
        "size_bytes": stats.size_bytes,
        "linked_bytes": stats.linked_bytes,
        "max_bytes": settings.cache_max_bytes,
        "max_origin": settings.cache_max_origin,
    }
    held = f"{count(stats.file_count, 'file')}, {format_bytes(stats.size_bytes)}"
    lines = [
        f"{printable(str(settings.cache_dir))} ({settings.cache_dir_origin})",
        f"  {held}, {format_bytes(stats.linked_bytes)} of it linked to by checkouts",
        f"  at most {format_bytes(settings.cache_max_bytes)} ({settings.cache_max_origin})",
    ]
    session.output.result(value, lines, names=[str(settings.cache_dir)])


@cache_command.command("prune", cls=Command, examples=("art cache prune 5GB",))
@click.argument("size", metavar="SIZE")
@shared_options
@click.pass_obj
def prune_command(session: Session, size: str) -> None:
    """
    Remove the files used longest ago until at most SIZE is left: 5GB, 500MB, 0.

    What checkouts link to stays, and may be more than SIZE.
    """
    pruned = session.open_cache().prune(parse_size(size))
    value = {
        "removed_files": pruned.removed_count,
        "removed_bytes": pruned.removed_bytes,
        "kept_bytes": pruned.kept_bytes,
    }
    removed = f"{count(pruned.removed_count, 'file')}, {format_bytes(pruned.removed_bytes)}"
    lines = [f"{removed} removed, {format_bytes(pruned.kept_bytes)} left"]
    session.output.result(value, lines)

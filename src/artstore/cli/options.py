"""What commands share in reading their arguments, and their completion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from artstore.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_name", "read_percentage"]


_PERCENTAGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


def read_percentage(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Callback of an option: `5%` or `0.1%` as a number above 0 and at most 1."""
    if value is None:
        return None
    match = _PERCENTAGE.fullmatch(value)
    fraction = float(match[1]) / 100 if match else 0
    if not 0 < fraction <= 1:
        said = f"{value!r} is not a percentage above 0% and up to 100%, like 5%"
        raise click.BadParameter(said, ctx, param)
    return fraction


def complete_name(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """
    Names of artifacts for the shell's completion; beside them, files and directories.

    Nothing but files if the store cannot be read: an error printed here would destroy the
    line that is being typed.
    """
    from click.shell_completion import CompletionItem

    from artstore.errors import ArtstoreError

    session = ctx.find_object(Session) or Session()
    items = [CompletionItem(incomplete, type="file")] if ctx.info_name == "push" else []
    try:
        store = session.open_store()
        names = [info.name for info in store.collections()]
        if ":" in incomplete:
            name = incomplete.partition(":")[0]
            names = [f"{name}:v{state.version}" for state in store.versions(name)]
    except (ArtstoreError, OSError):
        return items
    return items + [CompletionItem(name) for name in names if name.startswith(incomplete)]

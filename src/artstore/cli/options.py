"""What commands share in reading their arguments, and their completion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from artstore.cli.session import Session
from artstore.errors import ArtstoreError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_name", "read_percentage", "transfer_options"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def transfer_options(command: _Decorated) -> _Decorated:
    """Add `--jobs` and `--limit-rate`; their values land in the session."""
    for option in reversed(_TRANSFER):
        command = option(command)
    return command


def _remember_number(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None or param.name is None:
        return
    from artstore.settings import parse_jobs, parse_rate

    parse = parse_jobs if param.name == "jobs" else parse_rate
    try:
        setattr(ctx.find_object(Session), param.name, parse(value))
    except ArtstoreError as error:
        raise click.BadParameter(error.message, ctx, param) from error


_TRANSFER: Final = (
    click.option(
        "--jobs",
        metavar="N",
        expose_value=False,
        callback=_remember_number,
        help="Requests at once. What suits the store if left out (ARTSTORE_JOBS).",
    ),
    click.option(
        "--limit-rate",
        metavar="SIZE",
        expose_value=False,
        callback=_remember_number,
        help="Move no more bytes a second than this, such as 10MB (ARTSTORE_LIMIT_RATE).",
    ),
)

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

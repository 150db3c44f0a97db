"""
What every command has: the shared options, and a help page with examples.

The shared options are taken before and after the command's name; what stands
nearer to the command wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from artstore.cli.session import Session

__all__ = ["SHARED_NAMES", "Command", "CommandGroup", "is_shared", "shared_options"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class _HelpPage(click.Command):
    """Own options first, then those of every command, then examples."""

    examples: Sequence[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        options = (param for param in self.get_params(ctx) if isinstance(param, click.Option))
        for param in options:
            record = param.get_help_record(ctx)
            if record is not None:
                (shared if is_shared(param) else own).append(record)
        for title, records in (("Options", own), ("Options of every command", shared)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        super().format_epilog(ctx, formatter)


class Command(_HelpPage):
    """
    A command of `art`.

    Args:
        examples: command lines for the end of the help page.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = examples


class CommandGroup(_HelpPage, click.Group):
    """A command of `art` with commands below it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def shared_options(command: _Decorated) -> _Decorated:
    """Add the options of every command; their values land in the session."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name is not None:
        setattr(ctx.find_object(Session), param.name, value)


def _shared(*names: str, **settings: Any) -> Callable[[_Decorated], _Decorated]:
    return click.option(*names, expose_value=False, callback=_remember, **settings)


_SHARED: Final = (
    _shared("--store", "store", metavar="URL", help="The store: a URL or a directory."),
    _shared("--project", "project", metavar="P", help="The project of names without one."),
    _shared("--json", "as_json", is_flag=True, help="Print one JSON value on stdout."),
    _shared("-q", "--quiet", "quiet", is_flag=True, help="Print names only, no progress."),
    _shared("-v", "--verbose", "verbose", is_flag=True, help="Say which store and project."),
    _shared("--debug", "debug", is_flag=True, help="Show the traceback of an error."),
)
SHARED_NAMES: Final = frozenset({"store", "project", "as_json", "quiet", "verbose", "debug"})


def is_shared(option: click.Parameter) -> bool:
    """Whether every command has this option; click makes `--help` itself."""
    return option.name in SHARED_NAMES or "--help" in option.opts

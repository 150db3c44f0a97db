"""
The command group `art`: names and one line of every command, their modules loaded when used.
"""

from __future__ import annotations

import importlib
from typing import Final, NamedTuple

import click

from artstore.cli.command import CommandGroup, shared_options

__all__ = ["COMPLETION_VARIABLE", "PROGRAM", "SECTIONS", "Listed", "Program", "program"]

PROGRAM: Final = "art"
COMPLETION_VARIABLE: Final = "_ART_COMPLETE"
"""Set by the shell's completion script when it asks for words."""


class Listed(NamedTuple):
    """Where a command lives, and its line in `art --help`."""

    module: str
    summary: str


SECTIONS: Final[dict[str, dict[str, Listed]]] = {
    "Everyday": {
        "push": Listed("push", "Store files or directories as a new version."),
        "pull": Listed("pull", "Write a version into a directory."),
        "ls": Listed("listing", "List artifacts, versions or entries."),
        "show": Listed("showing", "Show one version: digest, size, aliases, metadata."),
        "log": Listed("showing", "Show what happened to an artifact, newest first."),
        "cat": Listed("showing", "Write the bytes of one entry to stdout."),
        "diff": Listed("comparing", "Show what differs between two versions."),
        "serve": Listed("serve", "Show the store in a browser."),
    },
    "Tables": {
        "table": Listed("table", "Show, query, join and compare the tables in versions."),
    },
    "Runs": {
        "runs": Listed("runlist", "List runs, chosen by config, summary and state."),
        "run": Listed("running", "Show, compare, label, delete and repair runs."),
        "lineage": Listed("lineage", "Show what versions and runs came from, and went into."),
        "why": Listed("lineage", "Show which run made a version, or brought a file of it."),
        "stale": Listed("lineage", "List versions whose inputs are out of date or bad."),
    },
    "Versions": {
        "alias": Listed("labels", "Give or take aliases of a version."),
        "tag": Listed("labels", "Give or take tags of a version."),
        "pin": Listed("retention", "Keep a version until a date."),
        "unpin": Listed("retention", "Take a pin of a version away."),
        "protect": Listed("retention", "Keep aliases, and their versions, where they are."),
        "rm": Listed("labels", "Delete a version; its number is never used again."),
        "restore": Listed("labels", "Bring a deleted version back."),
    },
    "Care": {
        "verify": Listed("health", "Check every byte of a version, or of a checkout of it."),
        "check": Listed("health", "Check the whole store: logs, manifests, packs."),
        "prune": Listed("retention", "Delete versions that no rule keeps, or past their ttl."),
        "gc": Listed("collecting", "Free what no version needs; show what would go, and why."),
        "du": Listed("health", "Show what artifacts take: logical, stored, unique, shared."),
        "doctor": Listed("doctor", "Try what a store needs on the very place, and tell versions."),
        "sync": Listed("syncing", "Bring versions and runs from one store to another."),
        "cache": Listed("caching", "Show the local cache of whole files, or make it smaller."),
    },
    "Setting up": {
        "init": Listed("setup", "Make a store and remember it for this directory."),
        "config": Listed("setup", "Show settings and where each came from, or set your own."),
        "completion": Listed("setup", "Print the completion script of a shell."),
        "import": Listed("importing", "Bring in what W&B versioned, tables and images intact."),
        "demo": Listed("demo", "Try everything once on small real data, offline."),
    },
}

COMMANDS: Final = {name: item for section in SECTIONS.values() for name, item in section.items()}


class Program(CommandGroup):
    """A group that knows its commands by name and imports a command's module when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        module = importlib.import_module(f"artstore.cli.{listed.module}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` start with; a slip is answered with the nearest names."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=3)
            said = f" Did you mean: {', '.join(near)}?" if near else " See: art --help"
            raise click.UsageError(f"there is no command {args[0]!r}.{said}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of the help page from the table above: nothing is imported."""
        del ctx
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, item.summary) for name, item in section.items()])


def _print_version(ctx: click.Context, _param: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        from artstore._version import __version__

        click.echo(f"artstore {__version__}")
        ctx.exit()


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Names are [project/]name[:vN|:alias|@digest]. 'art COMMAND --help' tells more.",
)
@shared_options
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version of artstore.",
)
def program() -> None:
    """Versions of data sets, models and tables, in a directory or a bucket and nothing else."""

"""`art run`: one run. Each command below it stands in a module with its like."""

from __future__ import annotations

import click

from artstore.cli.command import CommandGroup, shared_options
from artstore.cli.runchanging import repair_command, restore_command, rm_command, tag_command
from artstore.cli.runexec import exec_command
from artstore.cli.runhistory import history_command
from artstore.cli.runshowing import compare_command, log_command, show_command

__all__ = ["run_command"]


@click.group("run", cls=CommandGroup, invoke_without_command=True)
@shared_options
@click.pass_context
def run_command(ctx: click.Context) -> None:
    """
    Look into runs: what they were given, logged, used and made; and label, delete, repair them.

    A RUN is its id, the beginning of it, or its name, with PROJECT/ in front if it is another one.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (
    exec_command,
    show_command,
    history_command,
    log_command,
    compare_command,
    tag_command,
    rm_command,
    restore_command,
    repair_command,
):
    run_command.add_command(_command)

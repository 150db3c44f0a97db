"""`art table`: the tables in versions. Each command below it has a module of its own."""

from __future__ import annotations

import click

from artstore.cli.command import CommandGroup, shared_options
from artstore.cli.tablediff import diff_command
from artstore.cli.tableformats import export_command, import_command
from artstore.cli.tablequery import join_command, query_command
from artstore.cli.tableshowing import head_command, show_command

__all__ = ["table_command"]


@click.group("table", cls=CommandGroup, invoke_without_command=True)
@shared_options
@click.pass_context
def table_command(ctx: click.Context) -> None:
    """
    Look into the tables of versions: rows, queries, joins, and what changed between two.

    A table is named NAME[:V]/TABLE, such as digits:v3/examples; without V the newest is meant.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (
    show_command,
    head_command,
    query_command,
    join_command,
    diff_command,
    import_command,
    export_command,
):
    table_command.add_command(_command)

"""`art run exec`: a command becomes a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.metadata import parse_metadata
from artstore.cli.session import Session
from artstore.errors import InvalidInputError

if TYPE_CHECKING:
    from artstore.tracking.executing import Output

__all__ = ["exec_command"]


@click.command(
    "exec",
    cls=Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples=(
        "art run exec -- python train.py --lr 0.1",
        "art run exec --use digits:best --log model.pt:net:model -- ./train.sh",
        "art run exec --as-wandb -- python train.py",
    ),
)
@click.argument("command", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.option("--name", metavar="TEXT", help="What people call the run; drawn if left out.")
@click.option("--job-type", metavar="TEXT", help="What it does: train, eval, ...")
@click.option("--group", metavar="TEXT", help="What it is one of several runs of.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Mark the run so (many).")
@click.option(
    "--config",
    "config_items",
    metavar="K=V|@FILE",
    multiple=True,
    help="A value of its config, read as JSON if it is JSON; or a JSON file (many).",
)
@click.option("--use", "used", metavar="NAME", multiple=True, help="It uses this version (many).")
@click.option(
    "--log",
    "outputs",
    metavar="PATH[:NAME[:TYPE]]",
    multiple=True,
    help="Store this when the command has succeeded (many).",
)
@click.option(
    "--as-wandb", is_flag=True, help="Let 'import wandb' in Python below it write this run."
)
@shared_options
@click.pass_obj
def exec_command(
    session: Session,
    *,
    command: tuple[str, ...],
    name: str | None,
    job_type: str | None,
    group: str | None,
    tags: tuple[str, ...],
    config_items: tuple[str, ...],
    used: tuple[str, ...],
    outputs: tuple[str, ...],
    as_wandb: bool,
) -> None:
    """
    Run COMMAND as a run: what it prints, its exit code and what it used and made are kept.

    The exit status is that of the command. 'art push' and 'art pull' below it, and Python that
    uses and logs artifacts, are noted on the run; a program that calls artstore.init() joins it.
    """
    from artstore.tracking.executing import Execution, execute

    if not command:
        raise InvalidInputError(
            "exec needs a command", code="usage-invalid", hint="art run exec -- COMMAND..."
        )
    settings = session.settings
    # The run, and all that the command starts, belong where these options say.
    os.environ["ARTSTORE_URL"] = settings.url
    os.environ["ARTSTORE_PROJECT"] = settings.project
    if session.quiet:
        os.environ["ARTSTORE_SILENT"] = "1"
    wanted = Execution(
        command=command,
        name=name,
        job_type=job_type,
        group=group,
        tags=tags,
        config=parse_metadata(config_items, what="config") or {},
        used=[(session.open_store().artifact(one), one) for one in used],
        outputs=[_output(one) for one in outputs],
        python_path=_as_wandb() if as_wandb else None,
    )
    _, code = execute(wanted)
    raise click.exceptions.Exit(code)


def _output(text: str) -> Output:
    from artstore.tracking.executing import Output

    path, _, rest = text.partition(":")
    name, _, kind = rest.partition(":")
    named = name or Path(path).stem
    if not path or not named:
        raise InvalidInputError(
            f"--log {text!r} is not PATH[:NAME[:TYPE]]",
            code="usage-invalid",
            hint="such as --log model.pt:net:model",
        )
    return Output(Path(path), named, kind or None)


def _as_wandb() -> Path:
    from artstore.integrations import as_wandb

    return Path(as_wandb.__file__).parent

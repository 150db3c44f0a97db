"""
One run of the command line, from its arguments to its exit status.

All that can end a command comes together here: results, errors of ours and of
others, Ctrl-C, a closed pipe. STYLE: a message on stderr, a traceback only with
`--debug`, exit status by the class of the error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from artstore.cli.program import COMPLETION_VARIABLE, PROGRAM, program
from artstore.cli.session import Session
from artstore.errors import INTERRUPTED

__all__ = ["BROKEN_PIPE", "INTERRUPTED", "run"]

BROKEN_PIPE = 141


def run(arguments: Sequence[str]) -> int:
    """
    Run `art` with `arguments`; what it says goes to stdout and stderr.

    Returns:
        The exit status, as STYLE section 4 lists it.
    """
    session = Session(arguments=tuple(arguments))
    _prepare_streams()
    try:
        _dispatch(list(arguments) or ["--help"], session)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except KeyboardInterrupt:
        _finish_stdout()
        sys.stderr.write("\nart: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # `art ls | head` is no error.
        _finish_stdout()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence, told to the user
        from artstore.cli.failures import tell

        _finish_stdout()
        return tell(error, session)
    return 0


def _finish_stdout() -> None:
    """What was said comes before the error; where it cannot be said, it is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes, and would fail, once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str], session: Session) -> None:
    if COMPLETION_VARIABLE in os.environ:
        program.main(arguments, prog_name=PROGRAM, obj=session)
        return
    # Not `program.main`: it turns a closed pipe into exit status 1, and Ctrl-C into its own error.
    with program.make_context(PROGRAM, arguments, obj=session) as context:
        program.invoke(context)


def _prepare_streams() -> None:
    # A name that the terminal's encoding cannot show is shown escaped, never a crash.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")

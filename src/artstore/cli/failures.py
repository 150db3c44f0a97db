"""
How an error is told: sentences on stderr, or one JSON value there, and the exit status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from artstore.cli.output import has_colour, printable
from artstore.cli.session import Session
from artstore.errors import ArtstoreError, NotFoundError

__all__ = ["tell"]

USAGE_STATUS = 2
UNEXPECTED_STATUS = 1


def tell(error: Exception, session: Session) -> int:
    """
    Print `error` to stderr as STYLE section 4 asks.

    Returns:
        The exit status that belongs to it.
    """
    if session.debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    described = _describe(error, session)
    if session.wants_json:
        sys.stderr.write(json.dumps({"error": described}, ensure_ascii=False, default=str) + "\n")
    else:
        _write_sentences(described)
    status = described["exit_status"]
    assert isinstance(status, int)
    return status


def _describe(error: Exception, session: Session) -> dict[str, Any]:
    if isinstance(error, ArtstoreError):
        context = dict(error.context)
        if isinstance(error, NotFoundError):
            from artstore.cli.suggestions import surroundings

            context |= surroundings(session)
        return _described(error.code, error.message, error.hint, error.exit_status, context)
    if isinstance(error, click.ClickException):
        hint = None
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"see: {error.ctx.command_path} --help"
        return _described("usage-invalid", error.format_message(), hint, USAGE_STATUS, {})
    if isinstance(error, OSError):
        message = str(error) or type(error).__name__
        return _described("unexpected", message, None, UNEXPECTED_STATUS, {})
    return _described(
        "unexpected",
        f"unexpected {type(error).__name__}: {error}",
        "this is a bug in artstore: run the command again with --debug and report what it prints",
        UNEXPECTED_STATUS,
        {},
    )


def _described(
    code: str, message: str, hint: str | None, exit_status: int, context: dict[str, Any]
) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "hint": hint,
        "exit_status": exit_status,
        "context": context,
    }


def _write_sentences(described: dict[str, Any]) -> None:
    label = "error:"
    if has_colour(sys.stderr):
        label = f"\x1b[31m{label}\x1b[0m"
    lines = [f"art: {label} {printable(described['message'])}"]
    context = described["context"]
    if "store" in context and "store_origin" in context:
        lines += _surroundings(context)
    if described["hint"]:
        lines += [f"  {printable(line)}" for line in described["hint"].splitlines()]
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _surroundings(context: dict[str, Any]) -> Iterator[str]:
    for key in ("store", "project"):
        yield f"  {key:<8} {printable(context[key])} ({printable(context[f'{key}_origin'])})"
    if context["close"]:
        yield f"  close    {', '.join(context['close'])}"
    for found in context["elsewhere"]:
        yield f"  but      {found['name']} is in the store {printable(found['store'])}"

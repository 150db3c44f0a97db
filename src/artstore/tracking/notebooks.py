"""
What a notebook is to a run: cells that are run again, each with streams of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["in_notebook", "on_each_cell", "write_below_cell"]


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook."""
    shell = _shell()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def on_each_cell(call: Callable[[], None]) -> Callable[[], None]:
    """
    Have `call` called whenever a cell of IPython begins, if there are cells.

    Returns:
        What ends that.
    """
    shell = _shell()

    def begun(*_: Any) -> None:
        with suppress(Exception):
            call()

    def end() -> None:
        with suppress(Exception):
            shell.events.unregister("pre_run_cell", begun)

    with suppress(Exception):
        shell.events.register("pre_run_cell", begun)
    return end


def write_below_cell(write: Any) -> Any:
    """
    What `write` of a stream is apart from the cell that runs.

    While a cell runs IPython stands in front of it, and puts back afterwards what was there
    before: whoever came in between is gone.
    """
    names = getattr(getattr(write, "__code__", None), "co_freevars", ())
    if "original_write" not in names:
        return write
    return write.__closure__[names.index("original_write")].cell_contents


def _shell() -> Any:
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()

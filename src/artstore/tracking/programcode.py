"""
The source files of a program, as an artifact.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from artstore import limits
from artstore.names import spelled

if TYPE_CHECKING:
    from artstore.artifact import Artifact

__all__ = ["CODE_TYPE", "code_draft"]

CODE_TYPE: Final = "code"
_LEFT_OUT: Final = frozenset(["__pycache__", "node_modules", "site-packages", "venv", "artifacts"])

Choice = Callable[..., bool]


def code_draft(
    root: str | os.PathLike[str],
    name: str | None,
    project: str,
    include: Choice | None,
    exclude: Choice | None,
) -> Artifact | None:
    """Source files below `root`, as a draft; None if there are none."""
    from artstore.artifact import Artifact

    root = os.path.abspath(root)
    included = _is_source if include is None else include
    draft = Artifact(name or _usual_name(project, root), CODE_TYPE)
    count = 0
    for path in _files_below(root):
        if _says(included, path, root) and not (exclude and _says(exclude, path, root)):
            draft.add_file(path, os.path.relpath(path, root))
            count += 1
    return draft if count else None


def _usual_name(project: str, root: str) -> str:
    program = getattr(sys.modules.get("__main__"), "__file__", None) or "interactive"
    told = os.path.relpath(program, root)
    if told.startswith(os.pardir):
        told = os.path.basename(program)
    return spelled(f"source-{project}-{told}", "_")[: limits.NAME_MAX_CHARS].rstrip(".")


def _files_below(root: str) -> Iterator[str]:
    for directory, directories, files in os.walk(root):
        directories[:] = sorted(
            one
            for one in directories
            if one[0] != "."
            and one not in _LEFT_OUT
            and not os.path.exists(os.path.join(directory, one, "pyvenv.cfg"))
        )
        for file in sorted(files):
            yield os.path.join(directory, file)


def _is_source(path: str) -> bool:
    base = os.path.basename(path)
    return base.endswith(".py") or base.startswith("Dockerfile")


def _says(choice: Choice, path: str, root: str) -> bool:
    """Ask a function of one argument, or of two: older scripts have the former."""
    code = getattr(choice, "__code__", None)
    takes_two = code is not None and code.co_argcount - _bound(choice) > 1
    return bool(choice(path, root) if takes_two else choice(path))


def _bound(choice: Choice) -> int:
    return 0 if getattr(choice, "__self__", None) is None else 1

"""
Which preview a file gets: by the ending of its path, then by its first bytes.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from artstore import forks
from artstore.errors import ArtstoreError
from artstore.web.previews.preview import (
    HEAD_BYTES,
    Preview,
    PreviewKind,
    PreviewSource,
    first_bytes,
)

__all__ = ["kinds", "preview_of"]


@cache
def kinds() -> tuple[PreviewKind, ...]:
    """All kinds of preview, as they are tried: every module beside this one may have one."""
    here = Path(__file__).parent
    package = __name__.rpartition(".")[0]
    names = sorted(found.name for found in pkgutil.iter_modules([str(here)]))
    modules = [f"{package}.{name}" for name in names]
    forks.import_late(modules)
    found = [getattr(import_module(module), "PREVIEW", None) for module in modules]
    return tuple(
        sorted(
            (kind for kind in found if isinstance(kind, PreviewKind)),
            key=lambda kind: kind.priority,
        )
    )


def preview_of(source: PreviewSource) -> Preview:
    """
    The preview of a file; of what nothing is known the first bytes.

    A file that cannot be read, or is not what it says, never fails the page: the
    next kind is tried, and what went wrong is told in `note`.

    Cost: what each kind says, never the whole of a large file.
    """
    if not source.size_bytes:
        return Preview("empty", note="The file is empty.")
    try:
        head = first_bytes(source, HEAD_BYTES)
    except ArtstoreError as error:
        return Preview("unreadable", note=f"Not shown: {error.message}")
    notes: list[str] = []
    for kind in _fitting(source.path, head):
        made = _made(kind, source, notes)
        if made is not None:
            return made
    return Preview("none", note=" ".join(notes))


def _fitting(path: str, head: bytes) -> list[PreviewKind]:
    name = path.rpartition("/")[2].lower()
    by_name = [kind for kind in kinds() if kind.endings and name.endswith(kind.endings)]
    by_bytes = [kind for kind in kinds() if kind.begins and head.startswith(kind.begins)]
    last = [kind for kind in kinds() if not kind.endings and not kind.begins]
    return list({kind.name: kind for kind in (*by_name, *by_bytes, *last)}.values())


def _made(kind: PreviewKind, source: PreviewSource, notes: list[str]) -> Preview | None:
    try:
        made = kind.make(source)
    except ArtstoreError as error:
        notes.append(f"Not shown as {kind.name}: {error.message}")
        return None
    except Exception as error:  # noqa: BLE001 - parsers of others raise anything on hostile bytes
        notes.append(f"Not shown as {kind.name}: it cannot be read ({type(error).__name__}).")
        return None
    if made is None or not notes:
        return made
    return replace(made, note=" ".join((*notes, made.note)).strip())

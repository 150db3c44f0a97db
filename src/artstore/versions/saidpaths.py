"""
Which entry of a version somebody means who says a path.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator
from itertools import islice
from typing import Final

from artstore.errors import NotFoundError
from artstore.manifests.reader import Manifest
from artstore.versions.values import TABLE_SUFFIX, plain_name

__all__ = ["meant_path"]

_LOOKED_AT_COUNT: Final = 5_000
"""Entries among which one with a name like it is looked for: some milliseconds."""
_SHOWN_COUNT: Final = 3


def meant_path(manifest: Manifest, said: str, *, where: str) -> str:
    """
    The path of the entry that is meant: `a//b`, `./a/b` and the name of a table are understood.

    Args:
        where: the version, for messages.
    Raises:
        NotFoundError: `entry-not-found`; it tells what is there under such a name.
    Cost: one segment; if it is not there, those of the first some thousand entries.
    """
    path = posixpath.normpath(said)
    for candidate in (said, path, plain_name(path) + TABLE_SUFFIX):
        if _has(manifest, candidate):
            return candidate
    inside = list(islice(manifest.entries(f"{path}/"), _LOOKED_AT_COUNT))
    if inside:
        shown = [entry.path for entry in inside[:_SHOWN_COUNT]]
        raise NotFoundError(
            f"{said!r} is a directory of {where}, and no entry",
            code="entry-not-found",
            hint=f"name an entry of it: {_listed(shown, is_cut=len(inside) > len(shown))}",
            path=said,
        )
    near = _near(manifest, path)
    told = f"near it is {_listed(near)}; " if near else ""
    raise NotFoundError(
        f"{where} has no entry {said!r}",
        code="entry-not-found",
        hint=f"{told}`art ls {where}` lists its entries",
        path=said,
    )


def _has(manifest: Manifest, path: str) -> bool:
    try:
        manifest.entry(path)
    except NotFoundError:
        return False
    return True


def _near(manifest: Manifest, path: str) -> list[str]:
    """Entries of the same name elsewhere, of which one is a part of the other, or spelled alike."""
    names = [entry.path for entry in islice(manifest.entries(), _LOOKED_AT_COUNT)]
    found = dict.fromkeys(_parts_of(names, path))
    found.update(dict.fromkeys(difflib.get_close_matches(path, names, _SHOWN_COUNT)))
    return list(found)[:_SHOWN_COUNT]


def _parts_of(names: list[str], path: str) -> Iterator[str]:
    last = posixpath.basename(path)
    for name in names:
        if f"/{path}".endswith(f"/{name}") or path.startswith(name):
            yield name
    for name in names:
        if posixpath.basename(name) == last:
            yield name


def _listed(names: list[str], *, is_cut: bool = False) -> str:
    return ", ".join(names) + (", ..." if is_cut else "")

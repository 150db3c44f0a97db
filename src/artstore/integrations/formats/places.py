"""
Which files an import reads: one that was named, or those of a directory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from artstore.errors import NotFoundError
from artstore.integrations.formats.failures import damaged
from artstore.integrations.formats.localfiles import files_below
from artstore.integrations.formats.provenance import FILE_NAME, Provenance, read_provenance

__all__ = ["Source", "file_source", "require_place", "told_of_directory"]


@dataclass(frozen=True, slots=True)
class Source:
    """
    A file with rows.

    Attributes:
        root: what paths in it are relative to.
        told: what is said of it beside.
    """

    file: str
    root: str
    told: Provenance | None


def require_place(place: str) -> str:
    """
    The absolute path of what is to be read.

    Raises:
        NotFoundError: `exchange-file-missing`.
    """
    path = os.path.abspath(place)
    if not os.path.exists(path):
        raise NotFoundError(
            f"there is nothing to import at {place}", code="exchange-file-missing", path=path
        )
    return path


def told_of_directory(root: str) -> Provenance | None:
    """What is said of the export in a directory."""
    return read_provenance(os.path.join(root, FILE_NAME))


def file_source(place: str, own_name: str, endings: Sequence[str]) -> Source:
    """
    The one file of rows at `place`.

    Args:
        own_name: what an export into a directory calls it.
        endings: of files that are read, with dots.
    Raises:
        NotFoundError: `exchange-file-missing`.
        DamagedDataError: `exchange-file-damaged`: a directory with several such files.
    """
    path = require_place(place)
    if not os.path.isdir(path):
        return Source(path, os.path.dirname(path), read_provenance(f"{path}.{FILE_NAME}"))
    own = os.path.join(path, own_name)
    if os.path.exists(own):
        return Source(own, path, told_of_directory(path))
    names = [name for name in files_below(path) if name.endswith(tuple(endings))]
    names = [name for name in names if not name.endswith(FILE_NAME)]
    if not names:
        raise NotFoundError(
            f"there is no file that ends in {' or '.join(endings)} in {place}",
            code="exchange-file-missing",
            path=path,
        )
    if len(names) > 1:
        raise damaged(place, f"it has several such files, name one: {', '.join(names[:5])}")
    file = os.path.join(path, names[0])
    return Source(file, os.path.dirname(file), read_provenance(f"{file}.{FILE_NAME}"))

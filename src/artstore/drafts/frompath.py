"""
A draft out of a path alone: a file, a directory, or what lies under a URL.
"""

from __future__ import annotations

import os

from artstore.artifact import Artifact
from artstore.names import proposed_name

__all__ = ["draft_of_path"]


def draft_of_path(
    path: str | os.PathLike[str], name: str | None, type_name: str | None
) -> Artifact:
    """
    The draft that holds a file, the contents of a directory, or references.

    Args:
        name: of the artifact; the last part of the path if left out, with `-` for
            what no name may have.
    Raises:
        InvalidInputError: `name-invalid`, `source-missing`, `reference-invalid`.
        StorageError and others: `reference-unreadable`.
    """
    text = os.fspath(path)
    draft = Artifact(_proposed_name(text) if name is None else name, type_name)
    if "://" in text:
        draft.add_reference(text)
    elif os.path.isdir(text):
        draft.add_dir(text)
    else:
        draft.add_file(text, policy="immutable")
    return draft


def _proposed_name(text: str) -> str:
    last = (
        text.rstrip("/").rpartition("/")[2]
        if "://" in text
        else os.path.basename(os.path.abspath(text))
    )
    return proposed_name(last) or "data"

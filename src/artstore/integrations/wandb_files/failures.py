"""What is wrong with files of W&B, told with the file, and with row and column where there are."""

from __future__ import annotations

from typing import Any

from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
)

__all__ = ["Misfit", "damaged_cell", "damaged_file", "missing_file", "refused_path"]


class Misfit(ValueError):  # noqa: N818 - never leaves this room
    """A value that its type does not allow; who knows the row and the column tells it."""


def damaged_file(path: str, why: str) -> DamagedDataError:
    """That a file does not hold what its name says."""
    return DamagedDataError(
        f"{path} cannot be read: {why}",
        code="wandb-file-damaged",
        hint="download the artifact again; it was perhaps not copied in full",
        file=path,
    )


def damaged_cell(place: str, why: str, **context: Any) -> DamagedDataError:
    """That one cell of a table cannot be what it is said to be."""
    return DamagedDataError(f"{place}: {why}", code="wandb-cell-damaged", **context)


def missing_file(path: str, named_by: str, why: str = "it is not there") -> NotFoundError:
    """That a file is named and not there."""
    return NotFoundError(
        f"{named_by} names the file {path!r}: {why}",
        code="wandb-file-missing",
        hint="download the artifact in full, with everything that it refers to",
        file=path,
    )


def refused_path(path: str, named_by: str, why: str) -> InvalidInputError:
    """That a path leads out of the directory, or to something that is no file."""
    return InvalidInputError(
        f"{named_by} names {path!r}, which {why}",
        code="wandb-path-refused",
        hint="only files below the directory are read; look where this one comes from",
        file=path,
    )

"""What is wrong with files that tables are read from or written to, told with file and place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from artstore.errors import (
    AlreadyExistsError,
    DamagedDataError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)

__all__ = [
    "damaged",
    "missing",
    "occupied",
    "reading",
    "refused_path",
    "unsupported",
    "writing",
]

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_DENIED: Final = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


def damaged(place: str, why: str, **context: Any) -> DamagedDataError:
    """That a file, or a member of it, does not hold what its name says."""
    return DamagedDataError(
        f"{place} cannot be read: {why}",
        code="exchange-file-damaged",
        hint="was it copied in full, and is it of this format?",
        place=place,
        **context,
    )


def missing(path: str, named_by: str) -> NotFoundError:
    """That a file is named and not there."""
    return NotFoundError(
        f"{named_by} names the file {path!r}, which is not there",
        code="exchange-file-missing",
        path=path,
    )


def refused_path(path: str, named_by: str, why: str) -> InvalidInputError:
    """That a path leads out of the place that is read, or to what is no file."""
    return InvalidInputError(
        f"{named_by} names {path!r}, which {why}",
        code="exchange-path-refused",
        hint="only files below the directory that is imported are read",
        path=path,
    )


def unsupported(what: str, hint: str, **context: Any) -> InvalidInputError:
    """That a format does not hold a column, or needs one."""
    return InvalidInputError(what, code="exchange-column-unsupported", hint=hint, **context)


def occupied(place: str) -> AlreadyExistsError:
    """That something stands where a table is to be written."""
    return AlreadyExistsError(
        f"{place} is there already, and nothing is replaced",
        code="export-target-exists",
        hint="name another place, or move it away first",
        path=place,
    )


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Errors of the system and of Arrow within the block are those of a file that is read."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise missing(place, "the import") from error
    except OSError as error:
        # Arrow raises it, too, for a file of Parquet that is none.
        raise damaged(place, error.strerror or str(error)) from error
    except UnicodeError as error:
        raise damaged(place, "it is not UTF-8") from error
    except pa.ArrowException as error:
        raise damaged(place, str(error)) from error


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Errors of the system within the block are those of a place that is written to."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        told = f"cannot write {place}: {reason}"
        if error.errno in _FULL:
            raise DeniedError(
                told, code="target-full", hint="make room there", path=place
            ) from error
        if error.errno in _DENIED:
            raise DeniedError(told, code="target-denied", path=place) from error
        raise StorageError(told, code="target-failed", path=place) from error

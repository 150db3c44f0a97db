"""
Zip archives: what their directory lists. Nothing in them is unpacked.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Final, cast

from artstore import limits
from artstore.errors import DamagedDataError
from artstore.web.previews.bounded import BudgetFile
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource
from artstore.web.visible import size_text, visible

__all__ = ["PREVIEW", "opened_zip"]

_READ_BYTES: Final = 4 * limits.MIB
"""A directory of about 50,000 files."""
_ROWS_MAX: Final = 500
_NAME_CHARS: Final = 300
_METHODS: Final = {0: "stored", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd"}


@contextmanager
def opened_zip(source: PreviewSource) -> Iterator[zipfile.ZipFile]:
    """
    The archive, its directory read; at most 4 MiB are read of it in all.

    Raises:
        DamagedDataError: `preview-damaged`.
        LimitExceededError: `preview-too-large`.
    """
    try:
        with zipfile.ZipFile(cast("IO[bytes]", BudgetFile(source, _READ_BYTES))) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise DamagedDataError(
            f"{source.path!r} is not a zip archive that can be read: {error}",
            code="preview-damaged",
            path=source.path,
        ) from error


def _archive(source: PreviewSource) -> Preview:
    with opened_zip(source) as archive:
        members = archive.infolist()
    rows = tuple(_row(member) for member in islice(members, _ROWS_MAX))
    is_cut = len(members) > _ROWS_MAX
    # What the directory says: nobody has looked whether it is so.
    plain = sum(member.file_size for member in members)
    facts = (("files", f"{len(members):,}"), ("unpacked", size_text(plain)))
    note = f"The first {_ROWS_MAX} of {len(members):,} are shown." if is_cut else ""
    grid = Grid(("path", "size", "stored", "method"), rows, len(members))
    return Preview("zip", facts, grid=grid, note=note, is_cut=is_cut)


def _row(member: zipfile.ZipInfo) -> tuple[str, ...]:
    return (
        visible(member.filename, _NAME_CHARS, lines=False),
        size_text(member.file_size),
        size_text(member.compress_size),
        _METHODS.get(member.compress_type, str(member.compress_type)),
    )


PREVIEW = PreviewKind("zip", _archive, (".zip", ".whl", ".jar"), (b"PK\x03\x04", b"PK\x05\x06"), 60)

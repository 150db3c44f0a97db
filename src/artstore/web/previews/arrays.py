"""
NumPy arrays: type and shape from the header of each; no number is read.
"""

from __future__ import annotations

import ast
import math
from itertools import islice
from typing import Final, NamedTuple

from artstore import limits
from artstore.errors import DamagedDataError
from artstore.web.previews.archives import opened_zip
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource, first_bytes
from artstore.web.visible import visible

__all__ = ["PREVIEW", "read_array_header"]

_MAGIC: Final = b"\x93NUMPY"
_HEADER_BYTES: Final = 16 * limits.KIB
_TEXT_CHARS: Final = 1_000
_MEMBERS_MAX: Final = 100


class _ArrayHeader(NamedTuple):
    dtype: str
    shape: str
    order: str
    numbers: str


def read_array_header(data: bytes, what: str) -> _ArrayHeader:
    """Type and shape out of the first bytes of a .npy file. Raises DamagedDataError."""
    if not data.startswith(_MAGIC) or len(data) < 12:
        raise _damaged(what, "it does not begin as arrays do")
    # Version 1 tells the length in two bytes, later ones in four.
    start, width = (10, 2) if data[6] == 1 else (12, 4)
    length = int.from_bytes(data[8 : 8 + width], "little")
    if start + length > len(data) or length > _HEADER_BYTES:
        raise _damaged(what, f"its header has {length:,} bytes")
    try:
        header = ast.literal_eval(data[start : start + length].decode("utf-8").strip())
        dtype, shape = str(header["descr"]), tuple(int(size) for size in header["shape"])
        order = "Fortran" if header["fortran_order"] else "C"
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise _damaged(what, f"its header cannot be read: {type(error).__name__}") from error
    count = math.prod(shape) if len(shape) <= 64 else 0
    return _ArrayHeader(
        visible(dtype, _TEXT_CHARS, lines=False),
        visible(" x ".join(map(str, shape)) or "one number", _TEXT_CHARS),
        order,
        f"{count:,}" if count < 1 << 63 else "too many",
    )


def _array(source: PreviewSource) -> Preview:
    if source.path.lower().endswith(".npz"):
        return _arrays(source)
    header = read_array_header(first_bytes(source, _HEADER_BYTES), source.path)
    facts = (
        ("dtype", header.dtype),
        ("shape", header.shape),
        ("numbers", header.numbers),
        ("order", header.order),
    )
    return Preview("npy", facts, note="Type and shape are from the header.")


def _arrays(source: PreviewSource) -> Preview:
    rows = []
    with opened_zip(source) as archive:
        members = archive.infolist()
        for member in islice(members, _MEMBERS_MAX):
            name = visible(member.filename, _TEXT_CHARS, lines=False)
            try:
                with archive.open(member) as file:
                    header = read_array_header(file.read(_HEADER_BYTES), member.filename)
                rows.append((name, header.dtype, header.shape, header.numbers))
            except DamagedDataError:
                rows.append((name, "not an array", "", ""))
    is_cut = len(members) > _MEMBERS_MAX
    note = f"The first {_MEMBERS_MAX} of {len(members):,} are shown." if is_cut else ""
    grid = Grid(("name", "dtype", "shape", "numbers"), tuple(rows), len(members))
    return Preview("npz", (("arrays", f"{len(members):,}"),), grid=grid, note=note, is_cut=is_cut)


def _damaged(what: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{what!r} is not an array that can be read: {found}", code="preview-damaged", path=what
    )


PREVIEW = PreviewKind("npy", _array, (".npy", ".npz"), (_MAGIC,))

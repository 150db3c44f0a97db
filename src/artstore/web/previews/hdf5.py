"""
HDF5: which version of the format it is, and whether the file is whole. Nothing in it is listed.
"""

from __future__ import annotations

from typing import Final

from artstore.errors import DamagedDataError
from artstore.web.previews.preview import Preview, PreviewKind, PreviewSource
from artstore.web.visible import size_text

__all__ = ["PREVIEW"]

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_HEAD_BYTES: Final = 64
_USER_BLOCKS: Final = (0, 512, 1024, 2048, 4096, 8192)
"""Where the superblock may begin: what stands before it belongs to whoever wrote the file."""
_NOTE: Final = (
    "The groups and data sets in an HDF5 file are not listed here: download it and open it with "
    "h5py or h5ls."
)


def _hdf5(source: PreviewSource) -> Preview:
    for start in _USER_BLOCKS:
        head = source.read(start, min(start + _HEAD_BYTES, source.size_bytes))
        if head.startswith(_SIGNATURE) and len(head) == _HEAD_BYTES:
            break
        if start + _HEAD_BYTES >= source.size_bytes:
            raise _damaged(source)
    else:
        raise _damaged(source)
    version = head[8]
    # How many bytes an address has, and where the address of the end stands.
    width, end_at = (head[13], 24 if version == 0 else 28) if version < 2 else (head[9], 12)
    facts = [("superblock", f"version {version}")]
    note = _NOTE
    if version <= 3 and width in (2, 4, 8):
        place = end_at + 2 * width
        end = int.from_bytes(head[place : place + width], "little")
        facts.append(("length by its own word", size_text(end)))
        if end > source.size_bytes:
            note = f"The file is cut: it says that it is longer than it is. {_NOTE}"
    return Preview("hdf5", tuple(facts), note=note, is_cut=True)


def _damaged(source: PreviewSource) -> DamagedDataError:
    return DamagedDataError(
        f"{source.path!r} has no superblock of HDF5", code="preview-damaged", path=source.path
    )


PREVIEW = PreviewKind("hdf5", _hdf5, (".h5", ".hdf5", ".he5", ".h5ad"), (_SIGNATURE,))

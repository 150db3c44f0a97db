"""Molecules: files of the formats that chemists exchange, kept as they are."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Final

from artstore.errors import InvalidInputError
from artstore.media.filemedia import FileMedia, ending_in, source_of_bytes, source_of_path
from artstore.media.values import text_or_none, unknown_input

__all__ = ["Molecule"]

_ENDINGS: Final = ("cif", "gro", "mcif", "mmcif", "mmtf", "mol2", "pdb", "pqr", "sd", "sdf")


class Molecule(FileMedia):
    """
    A molecule.

    Args:
        data_or_path: a file, a URL (kept as a reference), or an open file.
        caption: text shown with it.
        file_type: the format, if no name says it: `pdb`, `sdf`, ...
    Raises:
        InvalidInputError: `media-format-unknown`, `media-input-unknown`,
            `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "molecule-file"
    folder: ClassVar[str] = "molecules"

    def __init__(
        self, data_or_path: Any, caption: object = None, file_type: str | None = None
    ) -> None:
        kind = text_or_none(file_type, "a file type")
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _ENDINGS, "a molecule", kind)
        elif hasattr(data_or_path, "read"):
            name = kind or getattr(data_or_path, "name", None)
            if not isinstance(name, str):
                raise InvalidInputError(
                    "a molecule cannot be made from a stream without a name",
                    code="media-format-unknown",
                    hint="say what it is with file_type='pdb'",
                )
            data = data_or_path.read()
            data = data.encode("utf-8") if isinstance(data, str) else data
            source = source_of_bytes(data, ending_in(name, _ENDINGS, "a molecule"))
        else:
            raise unknown_input("a molecule", data_or_path, "a path, a URL or an open file")
        self._take(source, caption)

"""Figures of Plotly, as the JSON that its viewers read."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from artstore import canonical
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.filemedia import FileMedia, source_of_bytes, source_of_path
from artstore.media.values import unknown_input

__all__ = ["Plotly"]

_ENDING = "plotly.json"


class Plotly(FileMedia):
    """
    A figure of Plotly.

    A figure is written as canonical JSON, so the same figure has the same bytes; a
    file is kept as it is.

    Args:
        val: a figure (whatever has `to_json`), or the path of a JSON file.
    Raises:
        InvalidInputError: `figure-invalid`, `media-input-unknown`,
            `media-format-unknown`, `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "plotly-file"
    folder: ClassVar[str] = "figures"

    def __init__(self, val: Any) -> None:
        if isinstance(val, (str, os.PathLike)):
            source = source_of_path(val, (_ENDING, "json"), "a figure")
            if source.size_bytes is not None:
                _decoded(source.content.read(), "the file of a figure")
        elif hasattr(val, "to_json"):
            figure = _decoded(str(val.to_json()).encode("utf-8"), "a figure")
            source = source_of_bytes(canonical.encode(figure, what="a figure"), _ENDING)
        else:
            raise unknown_input("a figure", val, "a figure of Plotly or the path of a JSON file")
        self._take(source)


def _decoded(data: bytes, what: str) -> Any:
    try:
        figure = canonical.decode(data, what=what)
    except DamagedDataError as error:
        raise InvalidInputError(str(error), code="figure-invalid") from error
    if not isinstance(figure, dict) or "data" not in figure:
        raise InvalidInputError(
            f"{what} is not a JSON object with 'data'",
            code="figure-invalid",
            hint="write it with figure.to_json()",
        )
    return figure

"""Documents of Bokeh, as the JSON that its viewers read."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, ClassVar

from artstore import canonical, forks
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.filemedia import FileMedia, source_of_bytes, source_of_path
from artstore.media.values import unknown_input

__all__ = ["Bokeh"]

_ENDING = "bokeh.json"


class Bokeh(FileMedia):
    """
    A document of Bokeh.

    A figure is written as JSON without white space, in the order that Bokeh gives
    and needs to read it; models are numbered as they stand there, since Bokeh counts
    them through the life of a process. So the same figure has the same bytes with
    one release of Bokeh. A file is kept as it is.

    Args:
        data_or_path: a figure or another model of Bokeh, a document of it, or the
            path or URL of a file of JSON.
    Raises:
        InvalidInputError: `figure-invalid`, `media-input-unknown`,
            `media-format-unknown`, `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "bokeh-file"
    folder: ClassVar[str] = "bokeh"

    def __init__(self, data_or_path: Any) -> None:
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, (_ENDING, "json"), "a document of Bokeh")
            if source.size_bytes is not None:
                _check_file(source.content.read())
        else:
            document = _numbered(_document_json(data_or_path), {})
            source = source_of_bytes(_encoded(document), _ENDING)
        self._take(source)


def _document_json(value: Any) -> Any:
    """What Bokeh makes of a model or a document of its own; without Bokeh loaded nothing is one."""
    known = {name: sys.modules.get(name) for name in ("bokeh.document", "bokeh.model")}
    if None in known.values():
        raise _unknown(value)
    forks.import_late(("bokeh.embed.util",))
    from bokeh.document import Document
    from bokeh.embed.util import OutputDocumentFor
    from bokeh.model import Model

    if not isinstance(value, (Document, Model)):
        raise _unknown(value)
    try:
        if isinstance(value, Document):
            return value.to_json(deferred=False)
        # A model has one document. This one is put back when the block ends.
        with OutputDocumentFor([value], always_new=True) as document:
            return document.to_json(deferred=False)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _invalid(f"Bokeh does not write it: {error}") from error


def _unknown(value: Any) -> InvalidInputError:
    return unknown_input(
        "a document of Bokeh", value, "a figure of Bokeh or the path of a file of JSON"
    )


def _numbered(value: Any, names: dict[str, str]) -> Any:
    """`value` with its models called p1, p2, ... in the order in which they are met."""
    if isinstance(value, dict):
        is_model = "id" in value and (len(value) == 1 or value.get("type") == "object")
        return {
            name: names.setdefault(str(item), f"p{len(names) + 1}")
            if is_model and name == "id"
            else _numbered(item, names)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_numbered(item, names) for item in value]
    return value


def _encoded(document: Any) -> bytes:
    # Sorted, as canonical JSON is, a model could be named before it is told.
    try:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise _invalid(f"it cannot be written as JSON: {error}") from error


def _check_file(data: bytes) -> None:
    try:
        document = canonical.decode(data, what="the file of a document of Bokeh")
    except DamagedDataError as error:
        raise _invalid(str(error)) from error
    if not isinstance(document, dict) or "roots" not in document:
        raise _invalid("its file is not a JSON object with 'roots'")


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"a document of Bokeh cannot be made: {why}",
        code="figure-invalid",
        hint="give the figure, or a file with what Document.to_json(deferred=False) returns",
    )

"""HTML: a page, kept as it was given."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from artstore.errors import InvalidInputError
from artstore.media.filemedia import FileMedia, source_of_bytes, source_of_path
from artstore.media.values import unknown_input

__all__ = ["Html"]


class Html(FileMedia):
    """
    A page of HTML.

    The bytes stay as they are. `inject` is kept beside them: whether who shows the
    page may add styles and make links open elsewhere.

    Args:
        data: the path of an `.html` file; a URL that ends so, kept as a reference;
            the text itself; an open file.
        inject: see above.
        data_is_not_path: text is never taken for a path.
    Raises:
        InvalidInputError: `media-input-unknown`, `media-file-missing`,
            `media-file-unreadable`, `media-format-unknown`, `value-invalid`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "html-file"
    folder: ClassVar[str] = "html"
    fact_names: ClassVar[tuple[str, ...]] = ("inject",)

    def __init__(
        self,
        data: Any,
        inject: bool = True,  # noqa: FBT001, FBT002 - the order that scripts know
        data_is_not_path: bool = False,  # noqa: FBT001, FBT002 - likewise
    ) -> None:
        if isinstance(data, os.PathLike) or (
            isinstance(data, str) and not data_is_not_path and _is_path(data)
        ):
            source = source_of_path(data, ("htm", "html"), "HTML")
        else:
            text = data.read() if hasattr(data, "read") else data
            if isinstance(text, str):
                try:
                    text = text.encode("utf-8")
                except UnicodeEncodeError as error:
                    raise InvalidInputError(
                        "the text of a page is not valid Unicode", code="value-invalid"
                    ) from error
            if not isinstance(text, bytes):
                raise unknown_input("HTML", data, "a path, text or an open file")
            source = source_of_bytes(text, "html")
        self._take(source, inject=bool(inject))


def _is_path(text: str) -> bool:
    """Markup has a `<`; a path of which the file is missing is still a path."""
    return "<" not in text and "\n" not in text and text.lower().endswith((".html", ".htm"))

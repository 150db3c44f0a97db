"""
Addresses of the files that cells of a table name, in whatever artifact they lie.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from artstore import forks
from artstore.errors import ArtstoreError
from artstore.web.content.thumbnails import THUMBNAIL_SIDES, gallery_side, thumbnails_of

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader
    from artstore.web.routing import Visit

__all__ = ["ClassNames", "ColumnLinks"]

_CLASSES_MAX: Final = 5_000


class ClassNames:
    """The class sets that cells of one table have named so far; a file is read once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}
        self._lock = forks.new_lock()

    def of(self, content: Any) -> dict[str, str]:
        """Names by id as text; empty if the file cannot be read."""
        with self._lock:
            found = self._names.get(content.path)
        if found is None:
            found = _read(content)
            with self._lock:
                self._names[content.path] = found
        return found


class ColumnLinks:
    """
    What the cells of one column lead to; see `celljson.MediaLinks`.

    Args:
        visit: the request that is answered.
        reader: the table.
        column: its column.
        classes: class sets that were read before.
    """

    def __init__(self, visit: Visit, reader: RowReader, column: str, classes: ClassNames) -> None:
        self._visit = visit
        self._open = reader.opener_of(column)
        self._classes = classes
        self._side = _wanted_side(visit)

    def content(self, path: str, digest: str | None) -> str | None:
        """The address of the bytes; None for what lies in no version."""
        return self._address("content", path, digest)

    def frame(self, path: str, digest: str | None) -> str | None:
        """The address at which a page that a user has logged may be shown in a frame."""
        return self._address("frame", path, digest)

    def thumbnail(self, path: str, digest: str | None) -> str | None:
        """The address of a thumbnail, to which `&size=` is added; None for references."""
        return None if digest is None else self._address("thumbnail", path, digest)

    def ready(self, path: str, digest: str | None) -> dict[str, Any] | None:
        """
        The thumbnail itself, if `?thumbs=` asks for it and it was made before.

        Of what stands in a page it is begun: the browser asks for it when it has read the page.
        """
        side = self._side
        if side is None or digest is None:
            return None
        desk = thumbnails_of(self._visit.site)
        with suppress(ArtstoreError, AttributeError):
            content: Any = self._open(path)
            if not self._visit.is_api:
                desk.make_ahead(content, digest, side)
            # The cache is that of all stores: what this version has not is not shown.
            elif content.digest.hex() == digest:
                found = desk.inlined(content.digest, side)
                return None if found is None else {"size": side, "src": found}
        return None

    def class_names(self, path: str) -> dict[str, str]:
        """Names by id as text; empty if the class set cannot be read."""
        try:
            return self._classes.of(self._open(path))
        except ArtstoreError:
            return {}

    def _address(self, page: str, path: str, digest: str | None) -> str | None:
        try:
            home = self._open(path).version.qualified_name  # type: ignore[attr-defined]
            name, _, number = home.rpartition(":")
            project, _, collection = name.partition("/")
            return self._visit.link(
                page,
                {} if digest is None else {"d": digest},
                project=project,
                collection=collection,
                version=number,
                path=path,
            )
        except (ArtstoreError, AttributeError, KeyError):
            # The file of a draft, or of a version that was deleted: the cell says so.
            return None


def _wanted_side(visit: Visit) -> int | None:
    query = visit.query
    if visit.is_api:
        asked = query.get("thumbs")
        return next((side for side in THUMBNAIL_SIDES if str(side) == asked), None)
    if query.get("mode") != "images":
        return THUMBNAIL_SIDES[0]
    size = query.get("size", "")
    return gallery_side(int(size) if size.isascii() and size.isdigit() and len(size) < 5 else None)


def _read(content: Any) -> dict[str, str]:
    from artstore.media.classes import Classes

    try:
        names = Classes.stored(content.digest, content.read).names
    except ArtstoreError:
        return {}
    return {str(key): name for key, name in list(names.items())[:_CLASSES_MAX]}

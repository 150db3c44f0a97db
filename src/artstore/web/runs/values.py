"""
What a run logged with files of its own, step by step: media, tables, figures.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from artstore import limits
from artstore.errors import ArtstoreError
from artstore.media.classes import Classes
from artstore.names import check_collection_name, check_project_name
from artstore.versions.values import plain_name
from artstore.web.cells.celljson import media_json
from artstore.web.runs.figures import FIGURE_BYTES, drawn_figure
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.live.run import LiveRun
    from artstore.web.routing import Visit

__all__ = ["MEDIA_NAME", "RunLinks", "place_of", "value_cells"]

MEDIA_NAME: Final = re.compile(r"(?P<digest>[0-9a-f]{64})(?:\.[A-Za-z0-9][A-Za-z0-9.]{0,39})?")
"""Files of a run's media: their digest, and what they are."""

_FOLDER: Final = "media/"
_DIGEST_CHARS: Final = 64
_ITEMS_MAX: Final = 24
"""Of a list of pictures that one step logged."""
_CLASSES_MAX: Final = 5_000
_CLASSES_BYTES: Final = limits.MIB
_TABLES: Final = ("table-file", "joined-table-file", "partitioned-table-file")
_VERSION: Final = re.compile(r"([^/:@]+)/([^/:@]+):(v[0-9]{1,12})")
_TEXT_CHARS: Final = 200


class RunLinks:
    """
    Where the files lie that values of a run name; see `celljson.MediaLinks`.

    Nothing else than files of this run gets an address: what is written in a run is of whoever
    logged it.
    """

    def __init__(self, visit: Visit, run: LiveRun) -> None:
        self._visit = visit
        self._run = run
        self._classes: dict[str, dict[str, str]] = {}

    def content(self, path: str, digest: str | None) -> str | None:
        """The address of the bytes; None for what lies elsewhere."""
        del digest
        return self._address("run-media", path)

    def frame(self, path: str, digest: str | None) -> str | None:
        """The address at which a page that a user has logged may be shown in a frame."""
        del digest
        return self._address("run-frame", path)

    def thumbnail(self, path: str, digest: str | None) -> str | None:
        """The address of a thumbnail, to which `&size=` is added."""
        del digest
        found = self._address("run-thumbnail", path)
        return found and f"{found}?d={path.removeprefix(_FOLDER)[:_DIGEST_CHARS]}"

    def ready(self, path: str, digest: str | None) -> dict[str, Any] | None:
        """None."""
        del path, digest
        return None

    def class_names(self, path: str) -> dict[str, str]:
        """Names by id as text; empty if the class set cannot be read."""
        if path not in self._classes:
            self._classes[path] = self._read_classes(path)
        return self._classes[path]

    def read(self, path: str, most: int) -> bytes | None:
        """The bytes of a file of the run; None if it is larger, or not there."""
        name = path.removeprefix(_FOLDER)
        if MEDIA_NAME.fullmatch(name) is None:
            return None
        try:
            data = self._run.media(name)
        except ArtstoreError:
            return None
        return data if len(data) <= most else None

    def _read_classes(self, path: str) -> dict[str, str]:
        data = self.read(path, _CLASSES_BYTES)
        if data is None:
            return {}
        try:
            names = Classes.stored(b"", lambda: data).names
        except ArtstoreError:
            return {}
        return {str(key): name for key, name in islice(names.items(), _CLASSES_MAX)}

    def _address(self, page: str, path: str) -> str | None:
        name = path.removeprefix(_FOLDER)
        if MEDIA_NAME.fullmatch(name) is None:
            return None
        return self._visit.link(page, {}, project=self._run.project, run=self._run.id, path=name)


def place_of(steps: Sequence[int], step: int | None) -> int:
    """The place of the last step that is not above `step`; of the first one if all are."""
    if step is None:
        return len(steps) - 1
    return max(bisect_right(steps, step) - 1, 0)


def value_cells(value: Any, links: RunLinks, visit: Visit) -> list[dict[str, Any]]:
    """
    What a row holds of media as cells of tables are told, and `$` = `run-table` of a table:
    `name`, `rows`, `columns`, `address`; `$` = `figure` of a figure of Plotly: `src`, `drawn`.

    What cannot be understood is `$` = `unknown`: anybody may have written it.
    """
    if isinstance(value, list):
        items: Sequence[Any] = value
    elif isinstance(value, dict) and isinstance(value.get("items"), list):
        items = value["items"]
    else:
        items = [value]
    return [_cell(item, links, visit) for item in items[:_ITEMS_MAX]]


def _cell(value: Any, links: RunLinks, visit: Visit) -> dict[str, Any]:
    kind = value.get("_type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return {"$": "unknown", "text": visible(str(value), _TEXT_CHARS, lines=False)}
    try:
        if kind in _TABLES:
            return _table(value, visit)
        if kind == "plotly-file":
            return _figure(value, links)
        cell: dict[str, Any] = media_json(kind, value, links)
    except Exception:  # noqa: BLE001 - what a stranger has written may be of any form
        return {"$": "unknown", "text": visible(kind, _TEXT_CHARS, lines=False)}
    return cell


def _table(value: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    name, path = str(value["artifact"]), str(value["path"])
    found = _VERSION.fullmatch(name)
    address = None
    if found is not None:
        # Raises for names such as `..`, which an address would not survive.
        project, collection = check_project_name(found[1]), check_collection_name(found[2])
        parts = {"project": project, "collection": collection, "version": found[3]}
        address = visit.link("table", **parts, path=plain_name(path))
    columns = value.get("columns")
    return {
        "$": "run-table",
        "name": visible(name, _TEXT_CHARS, lines=False),
        "rows": value["rows"] if type(value.get("rows")) is int else None,
        "columns": [visible(str(one), _TEXT_CHARS, lines=False) for one in columns[:100]]
        if isinstance(columns, list)
        else [],
        "address": address,
    }


def _figure(value: Mapping[str, Any], links: RunLinks) -> dict[str, Any]:
    path = str(value["path"])
    data = links.read(path, FIGURE_BYTES)
    return {
        "$": "figure",
        "kind": "plotly",
        "src": links.content(path, None),
        "drawn": None if data is None else drawn_figure(data),
        "caption": value["caption"] if isinstance(value.get("caption"), str) else None,
    }

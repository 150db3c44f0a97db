"""
What is told of one tile of a graph: a version, a run, or the members of a group.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.lineage.captions import visible
from artstore.lineage.records import RunFacts, VersionFacts, VersionName
from artstore.manifests.entry import TABLE
from artstore.versions.values import JOINED_SUFFIX, plain_name
from artstore.web.content.thumbnails import THUMBNAIL_SIDES
from artstore.web.failures import failure_value
from artstore.web.lineage.drawing import draw, node_marks
from artstore.web.lineage.records import cause_lines, node_json, page_of, tile_links
from artstore.web.previews.pictures import IMAGE_ENDINGS
from artstore.web.previews.versionfile import is_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artstore.api import LoggedArtifact
    from artstore.manifests.entry import Entry
    from artstore.web.lineage.found import LineageFound
    from artstore.web.routing import Visit

__all__ = ["card_json", "rows_json"]

_MEMBERS_MAX: Final = 200
_METRICS_MAX: Final = 40
_TEXT_CHARS: Final = 2_000
_LOOKED_AT: Final = 2_000
"""Entries of a version that are looked through for a table or pictures."""
_PICTURES_MAX: Final = 8
_ROWS_MAX: Final = 4
_COLUMNS_MAX: Final = 4
_SECONDS: Final = 3.0
_UNSTORED: Final = "Only this machine knows this run: the store has not heard of it yet."
_SIDE: Final = THUMBNAIL_SIDES[1]


def card_json(visit: Visit, found: LineageFound, key: str) -> dict[str, Any]:
    """
    The card of a tile.

    Raises:
        InvalidInputError: `request-invalid`: there is no such tile.
    Cost: of a version reads its root, of a run its log.
    """
    drawn = next((one for one in draw(visit.site, found).tiles if one.tile.key == key), None)
    if drawn is None:
        raise InvalidInputError(
            f"the graph has no tile {key[:20]!r}",
            code="request-invalid",
            hint="its tiles are told by /lineage",
        )
    nodes = drawn.tile.nodes
    facts = nodes[0]
    told: dict[str, Any] = {
        "tile": key,
        "kind": drawn.tile.kind,
        "name": drawn.name,
        "title": _shown(str(facts.name) if len(nodes) == 1 else drawn.tile.label or drawn.title),
        "detail": drawn.detail,
        "links": tile_links(visit, found, drawn),
        "marks": [words for _, words in drawn.marks],
        "more": list(drawn.more),
        "node": None,
        "causes": [],
        "message": None,
        "metrics": [],
        "rows": None,
        "members": [],
        "member_count": len(nodes),
    }
    if len(nodes) > 1:
        told["members"] = [
            {
                "title": _shown(_member_title(one)),
                "marks": node_marks(one, found.stale),
                "page": page_of(visit, one),
            }
            for one in nodes[:_MEMBERS_MAX]
        ]
        return told
    told["node"] = _visible_texts(node_json(visit, found, facts))
    told["causes"] = cause_lines(found, facts)
    if isinstance(facts, RunFacts):
        told["metrics"] = _metrics(visit, facts)
        if facts.name in found.unstored:
            told["message"] = _UNSTORED
    elif facts.state == "live":
        told["message"] = _message(visit, facts.name)
        told["rows"] = visit.api_link("lineage-rows", {"node": str(facts.name)})
    return told


def _shown(text: str) -> str:
    return visible(text, longest_chars=_TEXT_CHARS)


def _visible_texts(value: dict[str, Any]) -> dict[str, Any]:
    """Texts of strangers, fit to be shown; addresses hold nothing that is not."""
    return {name: _shown(one) if isinstance(one, str) else one for name, one in value.items()}


def _member_title(facts: RunFacts | VersionFacts) -> str:
    if isinstance(facts, RunFacts):
        return facts.title or facts.name.run_id
    aliases = f" ({', '.join(facts.aliases)})" if facts.aliases else ""
    return f"{facts.name}{aliases}"


def _message(visit: Visit, name: VersionName) -> str | None:
    try:
        artifact = visit.site.opened(name.project, name.name, f"v{name.version}")
        return None if artifact.message is None else _shown(artifact.message)
    except ArtstoreError:
        # Deleted since, or damaged: all else is told.
        return None


def _metrics(visit: Visit, facts: RunFacts) -> list[list[str]]:
    """Last values of the metrics of a run, as text, the shortest names first."""
    from artstore.web.cells.celltext import cell_text

    try:
        summary: Mapping[str, Any] = visit.site.live.run(*facts.name).summary
    except ArtstoreError:
        return []
    plain = {
        key: value
        for key, value in summary.items()
        if isinstance(value, (bool, int, float, str)) and not key.startswith("_")
    }
    chosen = sorted(plain, key=lambda key: (len(key), key))[:_METRICS_MAX]
    return [[_shown(key), visible(cell_text(plain[key]))] for key in chosen]


# first rows and pictures -------------------------------------------------------------------


def rows_json(visit: Visit, artifact: LoggedArtifact) -> dict[str, Any]:
    """
    The first pictures of a version, or the first rows of its first table.

    `told` is why there are none, where there might have been.

    Cost: 2,000 entries at most and one window of a table; 3 seconds at most.
    """
    from artstore.tables.exploring import QueryLimits, Ticket, interruptible

    value: dict[str, Any] = {"table": None, "columns": [], "rows": [], "pictures": [], "told": None}
    entries = list(islice(artifact.entries(), _LOOKED_AT))
    table = next((one for one in entries if one.kind == TABLE and "/" not in one.path), None)
    table = table or next((one for one in entries if one.path.endswith(JOINED_SUFFIX)), None)
    table = table or next((one for one in entries if one.kind == TABLE), None)
    try:
        if table is not None:
            ticket = Ticket(QueryLimits(min(_SECONDS, visit.site.settings.seconds or _SECONDS)))
            with visit.departure.calling(ticket.cancel), interruptible(ticket):
                return {**value, **_table_rows(visit, artifact, table)}
        return {**value, "pictures": _pictures(visit, artifact, entries)}
    except LimitExceededError:
        return {**value, "told": "Its first rows take too long to be read."}
    except ArtstoreError as error:
        return {**value, "told": failure_value(error, visit.site)["error"]["message"]}


def _table_rows(visit: Visit, artifact: LoggedArtifact, entry: Entry) -> dict[str, Any]:
    from artstore.tables.exploring import Selection
    from artstore.web.cells.celltext import cell_text
    from artstore.web.tables.desk import open_table
    from artstore.web.tables.gallery import gallery_columns, gallery_items
    from artstore.web.tables.state import TableState
    from artstore.web.tables.tablejson import column_json, window_json

    is_joined = entry.path.endswith(JOINED_SUFFIX)
    path = entry.path if is_joined else plain_name(entry.path)
    table = open_table(visit, artifact, path)
    columns = [column_json(one) for one in table.explored.columns(Selection())]
    wanted = gallery_columns(TableState(mode="images", size_pixels=_SIDE // 2), columns)
    names = [one["name"] for one in columns if one["role"] != "media"][:_COLUMNS_MAX]
    if wanted is not None:
        names = list(dict.fromkeys((wanted.image, *filter(None, wanted.captions))))
    count = _ROWS_MAX if wanted is None else _PICTURES_MAX
    window = table.explored.window(Selection(), 0, count, names)
    told = window_json(window, window.total, table.links_of(visit))
    params = {**_params(artifact), "path": path}
    found: dict[str, Any] = {
        "table": {"name": path, "row_count": window.total, "page": visit.link("table", **params)}
    }
    if wanted is None:
        found["columns"] = [visible(name) for name in names]
        found["rows"] = [
            [visible(cell_text(cells[at])) for cells in told["cells"]]
            for at in range(len(told["rows"]))
        ]
        return found
    found["pictures"] = [
        {
            "src": one.picture,
            "sharper": one.sharper,
            "page": visit.link("table", {"row": one.number}, **params),
            "told": visible(", ".join(text for _, text in one.lines)) or f"row {one.number}",
            "small": one.is_small,
        }
        for one in gallery_items(wanted, told)
        if one.picture is not None
    ]
    return found


def _pictures(visit: Visit, artifact: LoggedArtifact, entries: list[Entry]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for entry in entries:
        if len(found) == _PICTURES_MAX:
            break
        if not entry.path.lower().endswith(IMAGE_ENDINGS) or not is_content(entry):
            continue
        params = {**_params(artifact), "path": entry.path}
        query = {"d": entry.digest.hex()}
        found.append(
            {
                "src": visit.link("thumbnail", {**query, "size": _SIDE}, **params),
                "sharper": visit.link("thumbnail", {**query, "size": 2 * _SIDE}, **params),
                "page": visit.link("files", **params),
                "told": visible(entry.path),
                "small": False,
            }
        )
    return found


def _params(artifact: LoggedArtifact) -> dict[str, str]:
    return {
        "project": artifact.project,
        "collection": artifact.collection.name,
        "version": artifact.version,
    }

"""
The graph of what came from what: as a picture with links, as JSON, as files of other formats.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from artstore.errors import InvalidInputError
from artstore.lineage.captions import visible
from artstore.lineage.graph import NODE_LIMIT
from artstore.lineage.records import VersionName
from artstore.web.lineage.asked import LineageAsked, lineage_asked
from artstore.web.lineage.cards import card_json, rows_json
from artstore.web.lineage.drawing import TILE_WIDTH, draw
from artstore.web.lineage.found import LineageFound, find_lineage
from artstore.web.lineage.records import graph_json, lineage_link, page_of, tile_links
from artstore.web.routing import Answer, Page, Visit
from artstore.web.templating import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artstore.web.lineage.drawing import DrawnGraph
    from artstore.web.site import Site

__all__ = ["PAGES", "send_export", "show_card", "show_lineage", "show_rows"]

_HEADING_CHARS: Final = 100
_MATCHES_TOLD: Final = 20
_NEIGHBOURS_TOLD: Final = 12
_DEEPER: Final = 10
_NEAR: Final = 2
_TYPES: Final = {
    "svg": ("svg", "image/svg+xml"),
    "dot": ("dot", "text/vnd.graphviz; charset=utf-8"),
    "mermaid": ("mmd", "text/plain; charset=utf-8"),
    "openlineage": ("jsonl", "application/x-ndjson"),
}


def show_lineage(visit: Visit) -> Answer:
    """
    The graph around versions and runs.

    Raises:
        NotFoundError: `version-not-found`, `run-not-found`, `collection-not-found`, ...
        InvalidInputError: `request-invalid`, `name-invalid`.
    Cost: as `Store.lineage` and `Store.stale`; both are asked again after three seconds only.
    """
    asked = lineage_asked(visit.query)
    found = find_lineage(visit.site, asked)
    drawn = draw(visit.site, found)
    if visit.is_api:
        return Answer("", graph_json(visit, found, drawn))
    return Answer("lineage/graph.html", {}, shown=_shown(visit, found, drawn))


def show_card(visit: Visit) -> Answer:
    """
    What is told of the tile `tile` of the graph that the rest of the address asks for.

    Raises: as `show_lineage`; InvalidInputError `request-invalid` also if there is no such tile.
    """
    found = find_lineage(visit.site, lineage_asked(visit.query))
    return Answer("", card_json(visit, found, visit.query.get("tile", "")))


def show_rows(visit: Visit) -> Answer:
    """
    The first pictures or rows of the version `node`.

    Raises:
        NotFoundError: `version-not-found`, `version-deleted`, ...
    """
    name, colon, version = visit.query.get("node", "").rpartition(":")
    project, slash, collection = name.partition("/")
    if not (colon and slash):
        raise InvalidInputError(
            "rows are asked for with node=PROJECT/NAME:VERSION", code="request-invalid"
        )
    return Answer("", rows_json(visit, visit.site.opened(project, collection, version)))


def send_export(visit: Visit) -> Response:
    """
    The graph as a file: `format` is `svg`, `dot`, `mermaid` or `openlineage`.

    SVG is the picture as it is seen; the others have each node of it, folded or not.

    Raises: as `show_lineage`.
    """
    kind = visit.query.get("format", "svg")
    if kind not in _TYPES:
        raise InvalidInputError(
            f"a graph is exported as {', '.join(_TYPES)}, not as {kind[:20]!r}",
            code="request-invalid",
        )
    found = find_lineage(visit.site, lineage_asked(visit.query))
    ending, type_name = _TYPES[kind]
    text = _exported(visit, found, kind)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", found.asked.nodes[0])[:80]
    headers = {
        "Content-Disposition": f'attachment; filename="lineage-{plain}.{ending}"',
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(text.encode("utf-8", "replace"), headers=headers, media_type=type_name)


def _exported(visit: Visit, found: LineageFound, kind: str) -> str:
    if kind == "dot":
        return found.graph.to_dot()
    if kind == "mermaid":
        return found.graph.to_mermaid()
    if kind == "openlineage":
        events = found.graph.to_openlineage(_namespace(visit.site))
        return "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events)
    drawn = draw(visit.site, found)
    template = visit.site.templates.get_template("lineage/file.svg")
    return template.render(_picture(visit, found, drawn))


def _namespace(site: Site) -> str:
    """The id of the store: its URL names a place of this machine."""
    return site.store.id


def _picture(visit: Visit, found: LineageFound, drawn: DrawnGraph) -> dict[str, Any]:
    """What both the page and the file show."""
    return {
        "drawn": drawn,
        "tile_width": TILE_WIDTH,
        "tiles": [(one, tile_links(visit, found, one)) for one in drawn.tiles],
    }


def _shown(visit: Visit, found: LineageFound, drawn: DrawnGraph) -> dict[str, Any]:
    asked = found.asked
    titles = {one.tile.key: one.title for one in drawn.tiles}

    def link(**changes: Any) -> str:
        return lineage_link(visit, replace(asked, **changes))

    return {
        **_picture(visit, found, drawn),
        **_crumbs(visit, found),
        "asked": asked,
        "found": found,
        "titles": titles,
        "has_groups": any(len(one.tile.nodes) > 1 for one in drawn.tiles),
        "neighbours_told": _NEIGHBOURS_TOLD,
        "kept_parts": _kept_parts(asked),
        "told": list(_told(visit, found)),
        "trail": _trail(visit, found),
        "matched": _matched(found, titles),
        "addresses": {
            "here": visit.link("lineage"),
            "explode": lineage_link(visit, asked.exploded(is_exploded=True)),
            "collapse": lineage_link(visit, asked.exploded(is_exploded=False)),
            "whole": link(extract=None) if asked.extract else None,
            "card": visit.api_link("lineage-card", asked.query()),
        },
        "exports": [
            (label, visit.link("lineage-export", {**asked.query(), "format": kind}))
            for label, kind in (
                ("SVG", "svg"),
                ("DOT", "dot"),
                ("Mermaid", "mermaid"),
                ("OpenLineage", "openlineage"),
            )
        ]
        + [("JSON", visit.api_link("lineage", asked.query()))],
    }


def _kept_parts(asked: LineageAsked) -> list[tuple[str, Any]]:
    """What the form keeps of the address, beside its own fields."""
    own = {"direction", "depth", "search", "project"}
    parts = {name: value for name, value in asked.query().items() if name not in own}
    return [
        (name, one)
        for name, value in parts.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def _crumbs(visit: Visit, found: LineageFound) -> dict[str, Any]:
    """The heading, and the way to the first node that was asked for."""
    name = found.whole.roots[-1]
    facts = next(one for one in found.whole.nodes if one.name == name)
    crumbs = [(name.project, visit.link("project", project=name.project))]
    if isinstance(name, VersionName):
        params = {"project": name.project, "collection": name.name}
        crumbs.append((name.name, visit.link("collection", **params)))
        heading = f"{name.name}:v{name.version}"
        crumbs.append((f"v{name.version}", page_of(visit, facts) or ""))
    else:
        heading = f"run {getattr(facts, 'title', None) or name.run_id}"
        crumbs.append((name.run_id, page_of(visit, facts) or ""))
    others = len(found.asked.nodes) - 1
    more = f" and {others:,} more" if others else ""
    return {"crumbs": crumbs, "heading": visible(heading, longest_chars=_HEADING_CHARS) + more}


def _told(visit: Visit, found: LineageFound) -> Iterator[tuple[str, str | None, str]]:
    """What is not shown, in plain words: a sentence, an address that shows more, its words."""
    asked, graph = found.asked, found.graph

    def link(**changes: Any) -> str:
        return lineage_link(visit, replace(asked, **changes))

    by_depth = {one.name for one in graph.truncated if one.reason == "depth"}
    if by_depth:
        deeper = (asked.depth or 0) + _DEEPER
        steps, nodes = format_count(asked.depth or 0, "step"), format_count(len(by_depth), "node")
        told = f"The walk ends after {steps}; it would go on at {nodes}."
        yield told, link(depth=deeper), f"Go {deeper:,} steps"
    if any(one.reason == "nodes" for one in graph.truncated):
        told = f"The graph is cut: it has more than {NODE_LIMIT:,} nodes, these are the nearest."
        yield told, link(depth=_NEAR), f"Go {_NEAR} steps only"
    left_out = len(found.collapsed.left_out)
    if left_out:
        most = f"a picture has {asked.option.tile_limit:,} tiles at most, these are the nearest"
        collapsed = lineage_link(visit, asked.exploded(is_exploded=False))
        yield f"Not drawn: {format_count(left_out, 'node')}; {most}.", collapsed, "Collapse all"
    if found.hidden_count:
        which = "beside what was extracted" if asked.extract else "of other projects"
        told = f"Left out: {format_count(found.hidden_count, 'node')} {which}."
        yield told, link(extract=None, projects=()), "Show all"
    if found.stale is None:
        yield "There are too many versions here to find out which are out of date.", None, ""


def _trail(visit: Visit, found: LineageFound) -> list[dict[str, Any]]:
    """Where the file that was asked for comes from, a step a line."""
    words = {
        "asked": "{path} of {version}",
        "unchanged": "has not changed since {version}",
        "linked": "is a link to {path} of {version}",
    }
    steps = []
    for one in found.trail:
        text = words[one.how].format(path=one.path, version=one.version)
        params = {
            "project": one.version.project,
            "collection": one.version.name,
            "version": f"v{one.version.version}",
        }
        address = None if one.version.store else visit.link("files", **params, path=one.path)
        steps.append({"text": visible(text, longest_chars=5_000), "address": address})
    return steps


def _matched(found: LineageFound, titles: dict[str, str]) -> list[tuple[str, str]]:
    """Tiles with what the search found: key and title, those of the first matches."""
    keys = dict.fromkeys(found.collapsed.tile_of.get(name, "") for name in found.matches)
    return [(key, titles[key]) for key in keys if key][:_MATCHES_TOLD]


PAGES: Final = (
    Page("/lineage", show_lineage, "lineage"),
    Page("/lineage/card", show_card, "lineage-card", api_only=True),
    Page("/lineage/rows", show_rows, "lineage-rows", api_only=True),
    Page("/lineage/export", send_export, "lineage-export"),
)

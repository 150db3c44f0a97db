"""
Graphs of lineage pages as JSON, and the addresses in them; docs/reference/web-api.md tells them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from artstore.lineage.captions import visible
from artstore.lineage.jsonvalues import node_value
from artstore.lineage.records import NodeFacts, NodeName, RunFacts, RunName
from artstore.lineage.staleprinting import cause_line, cause_value
from artstore.web.lineage.asked import LineageAsked, node_text
from artstore.web.lineage.drawing import TILE_WIDTH, node_marks

if TYPE_CHECKING:
    from artstore.web.lineage.drawing import DrawnGraph, DrawnStrand, DrawnTile
    from artstore.web.lineage.found import LineageFound
    from artstore.web.routing import Visit

__all__ = ["cause_lines", "graph_json", "lineage_link", "node_json", "page_of", "tile_links"]


def lineage_link(visit: Visit, asked: LineageAsked) -> str:
    """The address of a view of a graph."""
    return visit.link("lineage", asked.query())


def page_of(visit: Visit, facts: NodeFacts) -> str | None:
    """The page of a version or run; None of what is gone or elsewhere."""
    if facts.state in {"deleted", "missing", "elsewhere"}:
        return None
    if isinstance(facts, RunFacts):
        if not visit.site.routes.has("run"):
            return None
        return visit.link("run", project=facts.name.project, run=facts.name.run_id)
    name = facts.name
    version = f"v{name.version}"
    return visit.link("version", project=name.project, collection=name.name, version=version)


def node_lineage(visit: Visit, name: NodeName) -> str | None:
    """The graph around one node; None if it is of another store."""
    if not isinstance(name, RunName) and name.store:
        return None
    return lineage_link(visit, LineageAsked((node_text(name),)))


def tile_links(visit: Visit, found: LineageFound, drawn: DrawnTile) -> dict[str, str | None]:
    """
    Where a tile leads: `main` to its page, or to the graph with it unfolded; `unfold`, `fold`,
    `extract`, `lineage` (the graph around it).
    """
    asked, tile = found.asked, drawn.tile
    is_group = len(tile.nodes) > 1
    unfold = lineage_link(visit, asked.unfolded(tile.key)) if is_group else None
    fold = None
    if tile.folds_into is not None:
        folded = asked.refolded(tile.folds_into)
        fold = None if folded == asked else lineage_link(visit, folded)
    extract = None
    if not tile.is_cluster and asked.extract != tile.key:
        extract = lineage_link(visit, replace(asked, extract=tile.key))
    around = None if is_group else node_lineage(visit, tile.nodes[0].name)
    page = None if is_group else page_of(visit, tile.nodes[0])
    return {
        "main": unfold or page or around,
        "page": page,
        "unfold": unfold,
        "fold": fold,
        "extract": extract,
        "lineage": around,
    }


def cause_lines(found: LineageFound, facts: NodeFacts) -> list[str]:
    """Why a version is out of date, in words that are fit to be shown."""
    one = (found.stale or {}).get(facts.name)
    if one is None:
        return []
    lines = [visible(cause_line(cause)) for cause in one.causes]
    return [*lines, "and for other reasons"] if one.has_more else lines


def node_json(visit: Visit, found: LineageFound, facts: NodeFacts) -> dict[str, Any]:
    """One node: what `art lineage --json` tells, and what the page adds."""
    one = (found.stale or {}).get(facts.name)
    return {
        **node_value(facts),
        "node": node_text(facts.name),
        "level": found.graph.levels[facts.name],
        "tile": found.collapsed.tile_of.get(facts.name),
        "is_stored": facts.name not in found.unstored,
        "marks": node_marks(facts, found.stale),
        "causes": [] if one is None else [cause_value(cause) for cause in one.causes],
        "page": page_of(visit, facts),
        "lineage": node_lineage(visit, facts.name),
    }


def graph_json(visit: Visit, found: LineageFound, drawn: DrawnGraph) -> dict[str, Any]:
    """The whole answer."""
    asked = found.asked
    return {
        "nodes_asked": list(asked.nodes),
        "direction": asked.direction,
        "depth": asked.depth,
        "exploded": asked.is_exploded,
        "opened": list(asked.opened),
        "folded": list(asked.folded),
        "wide": asked.widest,
        "extract": asked.extract,
        "projects": list(asked.projects),
        "search": asked.search,
        "path": asked.path,
        "row": asked.row,
        "column": asked.column,
        "roots": [node_text(name) for name in found.whole.roots],
        "known_projects": list(found.known_projects),
        "trail": [
            {"id": str(one.version), "path": one.path, "how": one.how} for one in found.trail
        ],
        "nodes": [node_json(visit, found, facts) for facts in found.graph.nodes],
        "tiles": [_tile_json(visit, found, one) for one in drawn.tiles],
        "edges": [_strand_json(one) for one in drawn.strands],
        "width": drawn.width,
        "height": drawn.height,
        "layer_count": drawn.layer_count,
        "matches": [node_text(name) for name in found.matches],
        "truncated": [
            {"id": str(one.name), "direction": one.direction, "reason": one.reason}
            for one in found.graph.truncated
        ],
        "hidden_count": found.hidden_count,
        "left_out_count": len(found.collapsed.left_out),
        "stale_known": found.stale is not None,
    }


def _tile_json(visit: Visit, found: LineageFound, drawn: DrawnTile) -> dict[str, Any]:
    tile = drawn.tile
    return {
        "tile": tile.key,
        "kind": tile.kind,
        "title": drawn.title,
        "detail": drawn.detail,
        "node_count": len(tile.nodes),
        "cluster": tile.is_cluster,
        "root": tile.is_root,
        "marks": [words for _, words in drawn.marks],
        "match_count": drawn.match_count,
        "inner_edge_count": tile.inner_count,
        "more": list(drawn.more),
        "layer": drawn.layer,
        "x": drawn.x,
        "y": drawn.y,
        "width": TILE_WIDTH,
        "height": drawn.height,
        "links": tile_links(visit, found, drawn),
    }


def _strand_json(drawn: DrawnStrand) -> dict[str, Any]:
    strand = drawn.strand
    return {
        "from": strand.before,
        "to": strand.after,
        "count": strand.count,
        "kinds": dict(strand.kinds),
        "spoiled_count": strand.spoiled_count,
        "back": drawn.is_back,
        "points": [list(point) for point in drawn.points],
    }

"""
Graphs for Graphviz.

Nodes are called n0, n1, ...: no name of a store is ever read as DOT, except inside quotes.
"""

from __future__ import annotations

from artstore.lineage.captions import caption, edge_caption, marks
from artstore.lineage.graph import Graph
from artstore.lineage.records import NodeFacts, RunFacts

__all__ = ["graph_dot"]


def graph_dot(graph: Graph) -> str:
    """A digraph, from inputs on the left to what came of them on the right."""
    ids = {facts.name: f"n{at}" for at, facts in enumerate(graph.nodes)}
    more = {one.name for one in graph.truncated}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    lines += [
        f"  {ids[one.name]} [{_attributes(one, has_more=one.name in more)}];" for one in graph.nodes
    ]
    lines += [
        f"  {ids[edge.before]} -> {ids[edge.after]} [label={_quoted([edge_caption(edge)])}];"
        for edge in graph.edges
    ]
    return "\n".join([*lines, "}", ""])


def _attributes(facts: NodeFacts, *, has_more: bool) -> str:
    is_run = isinstance(facts, RunFacts)
    label = [*caption(facts), *(["(more not shown)"] if has_more else [])]
    text = f"label={_quoted(label)}, shape={'ellipse' if is_run else 'box'}"
    wrong = marks(facts)
    if set(wrong) & {"deleted", "missing", "elsewhere"}:
        text += ", style=dashed"
    return f"{text}, color=red" if "bad" in wrong else text


def _quoted(lines: list[str]) -> str:
    # `\N` or `\G` would stand for names of the graph, and `&lt;` for `<`, even inside quotes.
    escaped = [
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines
    ]
    return '"' + "\\n".join(escaped) + '"'

"""
Graphs for Mermaid.

Nodes are called n0, n1, ...; what is in their labels is spelled with entities wherever
Mermaid could read it as something else: quotes, brackets, HTML, directives, Markdown.
"""

from __future__ import annotations

import re
from typing import Final

from artstore.lineage.captions import caption, edge_caption, marks
from artstore.lineage.graph import Graph
from artstore.lineage.records import NodeFacts, RunFacts

__all__ = ["graph_mermaid"]

# What a label may be without: Mermaid takes `_`, and a dot or dash before a space, for Markdown,
# a colon for an icon or, on a line with `style`, for a colour; and `ﬂ°°60¶ß` is what it turns
# `#60;` into on the way.
_ODD: Final = re.compile(r"[^\w /.,-]|[ﬂß_]|^ |[.-](?= )")


def graph_mermaid(graph: Graph) -> str:
    """A flowchart, from inputs on the left to what came of them on the right."""
    ids = {facts.name: f"n{at}" for at, facts in enumerate(graph.nodes)}
    more = {one.name for one in graph.truncated}
    lines = ["flowchart LR"]
    lines += [f"  {ids[one.name]}{_shape(one, has_more=one.name in more)}" for one in graph.nodes]
    lines += [
        f'  {ids[edge.before]} -->|"{_label([edge_caption(edge)])}"| {ids[edge.after]}'
        for edge in graph.edges
    ]
    gone, bad = [], []
    for facts in graph.nodes:
        wrong = marks(facts)
        if set(wrong) & {"deleted", "missing", "elsewhere"}:
            gone.append(ids[facts.name])
        if "bad" in wrong:
            bad.append(ids[facts.name])
    for name, style, members in (
        ("gone", "stroke-dasharray: 4 3", gone),
        ("bad", "stroke:red", bad),
    ):
        if members:
            lines += [f"  classDef {name} {style}", f"  class {','.join(members)} {name}"]
    return "\n".join([*lines, ""])


def _shape(facts: NodeFacts, *, has_more: bool) -> str:
    label = _label([*caption(facts), *(["(more not shown)"] if has_more else [])])
    return f'(["{label}"])' if isinstance(facts, RunFacts) else f'["{label}"]'


def _label(lines: list[str]) -> str:
    return "<br/>".join(_ODD.sub(lambda found: f"#{ord(found[0])};", line) for line in lines)

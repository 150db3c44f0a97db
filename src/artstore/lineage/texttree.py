"""
Graphs as trees of text, for terminals and logs.

Walked with a stack of its own: a chain may be longer than Python's.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from artstore.lineage.captions import caption, phrase, visible
from artstore.lineage.graph import Graph, edge_key
from artstore.lineage.records import Edge, NodeFacts, NodeName, sort_key

__all__ = ["describe", "graph_lines"]

_ABOVE = "(above)"
_MORE = "(more not shown)"


def graph_lines(graph: Graph) -> list[str]:
    """
    A tree for each root, upwards and downwards; what stood there already is not repeated.

    Behind a node `(above)` says that what it leads to was printed before, `(more not shown)`
    that the graph ends there and lineage does not.
    """
    facts = {one.name: one for one in graph.nodes}
    sides = ("up", "down") if graph.direction == "both" else (graph.direction,)
    more = {(one.name, one.direction) for one in graph.truncated}
    trees = {
        side: _Printer(facts, graph.edges, side, {name for name, where in more if where == side})
        for side in sides
    }
    lines: list[str] = []
    for root in graph.roots:
        lines += [""] if lines else []
        lines.append(describe(facts[root]))
        for side, tree in trees.items():
            if len(sides) == 1:
                lines += tree.below(root)
            else:
                branch = tree.below(root)
                lines += [f"{side}:", *branch] if branch else [f"{side}: nothing"]
    return lines


def describe(facts: NodeFacts) -> str:
    """A node on one line."""
    return "  ".join(caption(facts))


@dataclass(frozen=True, slots=True)
class _Branch:
    """What hangs below a node: edges of one kind between the same two nodes count once."""

    edge: Edge
    far: NodeName
    asked: tuple[str, ...]


class _Printer:
    """Prints what lies in one direction of nodes, each node's own branches once."""

    def __init__(
        self,
        facts: dict[NodeName, NodeFacts],
        edges: tuple[Edge, ...],
        direction: str,
        more: set[NodeName],
    ) -> None:
        self._facts = facts
        self._direction = direction
        self._more = more
        self._printed: set[NodeName] = set()
        self._edges: dict[NodeName, list[Edge]] = defaultdict(list)
        for edge in edges:
            self._edges[edge.after if direction == "up" else edge.before].append(edge)

    def below(self, root: NodeName) -> list[str]:
        """The lines below `root`, without its own; `(above)` if they were printed already."""
        if root in self._printed:
            return [f"└─ {_ABOVE}"] if self._edges.get(root) else []
        self._printed.add(root)
        lines: list[str] = []
        stack = [("", branch, is_last) for branch, is_last in self._branches(root)]
        if not stack and root in self._more:
            return [f"└─ {_MORE}"]
        while stack:
            indent, branch, is_last = stack.pop()
            note = self._note(branch.far)
            lines.append(f"{indent}{'└─' if is_last else '├─'} {self._line(branch)}{note}")
            if branch.far not in self._printed:
                self._printed.add(branch.far)
                deeper = indent + ("   " if is_last else "│  ")
                stack += [(deeper, one, last) for one, last in self._branches(branch.far)]
        return lines

    def _branches(self, name: NodeName) -> list[tuple[_Branch, bool]]:
        """The branches of a node, the last one first: a stack turns them round."""
        asked: dict[tuple[str, NodeName], list[str]] = {}
        first: dict[tuple[str, NodeName], Edge] = {}
        for edge in sorted(self._edges.get(name, ()), key=edge_key):
            far = edge.before if self._direction == "up" else edge.after
            key = edge.kind, far
            first.setdefault(key, edge)
            texts = asked.setdefault(key, [])
            if edge.asked is not None and edge.asked not in texts:
                texts.append(edge.asked)
        keys = sorted(first, key=lambda key: (sort_key(key[1]), key[0]))
        branches = [_Branch(first[key], key[1], tuple(asked[key])) for key in keys]
        return [(one, at == 0) for at, one in enumerate(reversed(branches))]

    def _line(self, branch: _Branch) -> str:
        asked = f"  (asked for: {', '.join(branch.asked)})" if branch.asked else ""
        words = phrase(branch.edge, self._direction)
        return f"{words} {describe(self._facts[branch.far])}{visible(asked)}"

    def _note(self, far: NodeName) -> str:
        if far in self._printed:
            return f"  {_ABOVE}" if self._edges.get(far) else ""
        return f"  {_MORE}" if far in self._more else ""

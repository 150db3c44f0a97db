"""Nodes of a graph by what people know of them: a name, an alias, a tag, a digest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from artstore.lineage.graph import Graph
from artstore.lineage.records import NodeFacts, NodeName, RunFacts

__all__ = ["matching_nodes"]

_DIGEST_MIN_CHARS: Final = 4
"""Fewer digits of a digest find too much."""


def matching_nodes(graph: Graph, text: str) -> list[NodeName]:
    """
    The nodes that a text speaks of, in the order of the graph.

    It may be a part of a name (`mnist:v3`), of an alias, a tag (`#raw`), a type, of the id, the
    name or the job type of a run, or the beginning of a digest. Letters match whatever their case.

    Cost: time by nodes.
    """
    wanted = text.strip().casefold()
    if not wanted:
        return []
    return [facts.name for facts in graph.nodes if _is_match(facts, wanted)]


def _is_match(facts: NodeFacts, wanted: str) -> bool:
    if any(wanted in words.casefold() for words in _words(facts)):
        return True
    digest = None if isinstance(facts, RunFacts) else facts.digest
    return digest is not None and len(wanted) >= _DIGEST_MIN_CHARS and digest.startswith(wanted)


def _words(facts: NodeFacts) -> Iterator[str]:
    yield str(facts.name)
    if isinstance(facts, RunFacts):
        yield from filter(None, (facts.title, facts.job_type, facts.group))
        return
    yield from facts.aliases
    yield from (f"#{tag}" for tag in facts.tags)
    yield from filter(None, (facts.type,))

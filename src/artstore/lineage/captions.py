"""
Versions and runs in words, for trees and pictures.

Names of a store are harmless, but titles, authors and commands are texts of strangers, and
records may come from anywhere: nothing here gives a control character, a line break or half
a character on.
"""

from __future__ import annotations

from typing import Final

from artstore.lineage.records import Edge, NodeFacts, RunFacts, VersionFacts

__all__ = ["caption", "edge_caption", "marks", "phrase", "visible"]

_LONGEST_CHARS: Final = 200
_UP: Final = {
    "used": "used",
    "logged": "logged by",
    "linked": "link to",
    "depends": "depends on",
    "derived": "copied from",
}
_DOWN: Final = {
    "used": "used by",
    "logged": "logged",
    "linked": "linked as",
    "depends": "needed by",
    "derived": "copied to",
}


def visible(text: str, *, longest_chars: int = _LONGEST_CHARS) -> str:
    r"""`text` on one line and not too long; what is not printable becomes `\x1b`."""
    if len(text) > longest_chars:
        text = text[: longest_chars - 1] + "\u2026"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def marks(facts: NodeFacts) -> list[str]:
    """What is wrong with it: `deleted`, `missing`, `elsewhere`, `bad`."""
    if isinstance(facts, RunFacts):
        return [facts.state] if facts.state in ("deleted", "missing") else []
    found: list[str] = [] if facts.state == "live" else [facts.state]
    return [*found, "bad"] if facts.is_bad else found


def caption(facts: NodeFacts) -> list[str]:
    """One to three short texts: the name, what it is, what is wrong with it."""
    lines = _run_caption(facts) if isinstance(facts, RunFacts) else _version_caption(facts)
    wrong = marks(facts)
    if wrong:
        lines.append(" ".join(f"[{mark}]" for mark in wrong))
    return [visible(line) for line in lines]


def _version_caption(facts: VersionFacts) -> list[str]:
    parts = [facts.type] if facts.type else []
    parts += [*facts.aliases, *(f"#{tag}" for tag in facts.tags)]
    return [str(facts.name), ", ".join(parts)] if parts else [str(facts.name)]


def _run_caption(facts: RunFacts) -> list[str]:
    parts = [f'"{facts.title}"'] if facts.title else []
    parts += [facts.job_type] if facts.job_type else []
    parts += [] if facts.state in ("deleted", "missing") else [facts.state]
    return [str(facts.name), ", ".join(parts)] if parts else [str(facts.name)]


def edge_caption(edge: Edge) -> str:
    """`used (latest)`: what an arrow is called."""
    return edge.kind if edge.asked is None else visible(f"{edge.kind} ({edge.asked})")


def phrase(edge: Edge, direction: str) -> str:
    """`logged by`: how the far end of an edge is introduced when one goes `up` or `down`."""
    return (_UP if direction == "up" else _DOWN)[edge.kind]

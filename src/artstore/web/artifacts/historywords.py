"""
What an entry of the log of an artifact says, in words for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from artstore.catalog.retention import Retention
from artstore.web.templating import format_bytes, format_count, format_duration, format_moment
from artstore.web.visible import visible

__all__ = ["history_details"]

_LIST_COUNT: Final = 20
_TEXT_CHARS: Final = 200
_DIGEST_DIGITS: Final = 12
_SEEN: Final = frozenset(
    [
        *("aliases", "tags", "add", "remove", "holder", "until", "seconds", "plan", "source"),
        *("size_bytes", "file_count", "digest", "run", "inputs", "origin", "protected"),
        *("keep_last", "keep_within_seconds", "keep_aliases"),
        # What only programs make use of.
        *("push", "entry_count", "meta"),
    ]
)


def history_details(kind: str, details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a word and a text; what this release does not know comes last, as it stands."""
    told: list[tuple[str, str]] = []
    if kind == "retention":
        told.append(("rule", str(Retention.of(details))))
    told += [
        (word, ", ".join(map(str, details[name][:_LIST_COUNT])))
        for name, word in (
            *(("aliases", "aliases"), ("tags", "tags"), ("add", "added"), ("remove", "removed")),
            ("protected", "protected"),
        )
        if details.get(name)
    ]
    if details.get("holder"):
        told.append(("for", details["holder"]))
    if details.get("until"):
        told.append(("until", format_moment(details["until"])))
    if kind == "ttl":
        seconds = details.get("seconds")
        told.append(("kept for", "ever" if seconds is None else format_duration(seconds)))
    if details.get("plan") is not None:
        told.append(("plan of gc", str(details["plan"])))
    told += _of_content(details)
    told += [(name, str(value)) for name, value in details.items() if name not in _SEEN]
    return [(word, visible(text, _TEXT_CHARS, lines=False)) for word, text in told]


def _of_content(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    for name, word in (("source", "link to"), ("origin", "from another store")):
        if details.get(name):
            told.append((word, _version(details[name])))
    if details.get("run"):
        told.append(("run", details["run"]))
    if details.get("inputs"):
        told.append(("made from", ", ".join(map(_version, details["inputs"][:_LIST_COUNT]))))
    if details.get("size_bytes") is not None:
        files = format_count(details.get("file_count") or 0, "file")
        told.append(("size", f"{format_bytes(details['size_bytes'])} in {files}"))
    if details.get("digest"):
        told.append(("digest", details["digest"][:_DIGEST_DIGITS]))
    return told


def _version(source: Mapping[str, Any]) -> str:
    return f"{source.get('project')}/{source.get('name')}:v{source.get('version')}"

"""
Which versions a version names: by links, by tables taken over, as sources of a query.
"""

from __future__ import annotations

from typing import Final

from artstore.catalog.state import Source
from artstore.manifests.entry import Entry
from artstore.names import parse_version_address

__all__ = ["INPUTS_MAX_COUNT", "NamedInputs"]

INPUTS_MAX_COUNT: Final = 1_000
"""They stand in a log entry; a version of links to more is told by its manifest alone."""


class NamedInputs:
    """Collects them while entries are listed."""

    def __init__(self) -> None:
        # A million links to one version say the same name a million times.
        self._names: dict[str, None] = {}

    def note(self, entry: Entry) -> None:
        """Take what an entry names."""
        source = entry.extra.get("source")
        if type(source) is str:
            self._names[source] = None
        for one in entry.extra.get("sources") or ():
            if type(one) is str:
                self._names[one] = None

    def sources(self, project: str, name: str) -> tuple[Source, ...]:
        """
        The versions, in the order in which they were named.

        Args:
            project: of the collection that is pushed into, like `name`: versions of its own
                that it keeps entries of are no inputs.
        """
        found: dict[Source, None] = {}
        for text in self._names:
            named = parse_version_address(text)
            if named is not None and named[:2] != (project, name):
                found[Source(*named)] = None
        return tuple(found)[:INPUTS_MAX_COUNT]

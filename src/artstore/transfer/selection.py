"""
Which entries of a version are meant: a prefix, globs, or all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["EVERYTHING", "Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Attributes:
        prefix: only paths that start with this text.
        globs: only paths that match one of these, if there are any: `*` and `?`
            stop at `/`, `**` does not; a directory stands for all below it.
    """

    prefix: str = ""
    globs: tuple[str, ...] = ()
    _spec: Any = field(default=None, compare=False)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.prefix and not self.globs

    def covers(self, path: str) -> bool:
        """Whether the entry at `path` is meant."""
        if self.prefix and not path.startswith(self.prefix):
            return False
        return not self.globs or bool(self._matcher().match_file(path))

    def _matcher(self) -> Any:
        if self._spec is None:
            import pathspec

            # Anchored at the root of the version: `*.png` means those at the top,
            # as a shell would read it; `**/*.png` means all.
            lines = [f"/{glob.lstrip('/')}" for glob in self.globs]
            object.__setattr__(self, "_spec", pathspec.GitIgnoreSpec.from_lines(lines))
        return self._spec


EVERYTHING = Selection()

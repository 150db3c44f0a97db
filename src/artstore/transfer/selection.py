"""
Which entries of a version are meant: a prefix, globs, or all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from artstore.forks import LazyValue
from artstore.transfer.globs import GlobList, parse_globs

__all__ = ["EVERYTHING", "Selection"]


@dataclass(frozen=True)
class Selection:
    """
    Attributes:
        prefix: only paths that start with this text.
        globs: only paths that match one of these, if there are any. Read from the
            root of the version, as a shell would read them there: `*.png` means
            those at the top, `**/*.png` all of them; a directory stands for all
            that is below it.
    """

    prefix: str = ""
    globs: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.prefix and not self.globs

    def covers(self, path: str) -> bool:
        """Whether the entry at `path` is meant. Raises InvalidInputError `ignore-invalid`."""
        if self.prefix and not path.startswith(self.prefix):
            return False
        return not self.globs or self._patterns.decide_below(path)

    @LazyValue
    def _patterns(self) -> GlobList:
        return parse_globs([f"/{glob.lstrip('/')}" for glob in self.globs], origin="--path")


EVERYTHING: Final = Selection()

"""
What a push leaves out: .artignore files, and globs of the command line and of artstore.toml.

.artignore files mean what .gitignore files mean: one may stand in any directory,
the deeper one decides, and nothing below an ignored directory can come back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from artstore.errors import InvalidInputError
from artstore.transfer.globs import GlobList, parse_globs

__all__ = ["IGNORE_NAME", "IgnoreRules"]

IGNORE_NAME: Final = ".artignore"
_MAX_BYTES: Final = 1024 * 1024


class _Level(NamedTuple):
    """Patterns, and how a path of the walk is written relative to where they stand."""

    prefix_length: int
    above: str
    globs: GlobList


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """
    The rules for one directory of a walk; see `walk.DirectoryRules`.

    Exclusion by `exclude` cannot be taken back by an .artignore file. With
    `include`, only what it matches is kept. Below these, the .artignore file of
    the deepest directory decides, and last of all `ignored`.
    """

    levels: tuple[_Level, ...] = ()
    """The root's first."""
    include: GlobList | None = None
    exclude: GlobList | None = None

    @classmethod
    def for_push(
        cls,
        root: Path,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        settings_file: Path | None = None,
        settings_rules: Sequence[str] = (),
    ) -> IgnoreRules:
        """
        Rules for the root of a walk.

        Args:
            root: the directory that is pushed.
            include: globs as in .gitignore files, relative to the root: `*.png`, `/a/b`, `a/**`.
            exclude: as `include`.
            settings_file: the artstore.toml; its rules are relative to its
                directory, or to `root` when that lies elsewhere.
            settings_rules: its patterns.
        Raises:
            InvalidInputError: `ignore-invalid`.
        """
        levels: tuple[_Level, ...] = ()
        if settings_rules:
            origin = str(settings_file or "settings")
            above = _path_between(settings_file.parent, root) if settings_file else ""
            levels = (_Level(0, above, parse_globs(settings_rules, origin=origin)),)
        return cls(
            levels,
            parse_globs(include, origin="--include") if include else None,
            parse_globs(exclude, origin="--exclude") if exclude else None,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing at all is left out here."""
        return not self.levels and self.include is None and self.exclude is None

    def enter(self, location: str, prefix: str, names: Sequence[str]) -> IgnoreRules:
        """
        The rules for a directory that holds `names`.

        Raises:
            InvalidInputError: `ignore-invalid`, `source-unreadable`.
        """
        if IGNORE_NAME not in names:
            return self
        globs = _read(os.path.join(location, IGNORE_NAME))
        level = _Level(len(prefix), "", globs)
        levels = (*self.levels, level) if globs.globs else self.levels
        return IgnoreRules(levels, self.include, self.exclude)

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        """Whether a path, relative to the root of the walk, is left out."""
        if self.exclude is not None and self.exclude.decide(path, is_directory=is_directory):
            return True
        if self.include is not None and not is_directory and not self._includes(path):
            return True
        for level in reversed(self.levels):
            relative = level.above + path[level.prefix_length :]
            decision = level.globs.decide(relative, is_directory=is_directory)
            if decision is not None:
                return decision
        return False

    def ignores_empty(self, path: str) -> bool:
        """Whether an empty directory, which `ignores` let pass, is left out nevertheless."""
        return self.include is not None and not self._includes(path, is_directory=True)

    def _includes(self, path: str, *, is_directory: bool = False) -> bool:
        # `--include images` means all that is in there: directories above count.
        assert self.include is not None
        return self.include.decide_below(path, is_directory=is_directory)


def _path_between(above: Path, below: Path) -> str:
    """`a/b/` when `below` is `above`/a/b; empty when it is not below."""
    try:
        path = below.resolve().relative_to(above.resolve()).as_posix()
    except (ValueError, OSError):
        return ""
    return "" if path == "." else path + "/"


def _read(location: str) -> GlobList:
    try:
        # Not blocking, so that a fifo of this name does not stop the push.
        fd = os.open(location, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {location!r}: {error.strerror}",
            code="source-unreadable",
            location=location,
        ) from error
    if len(data) > _MAX_BYTES:
        raise InvalidInputError(
            f"{location!r} is larger than {_MAX_BYTES} bytes",
            code="ignore-invalid",
            origin=location,
        )
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{location!r} is not UTF-8 text", code="ignore-invalid", origin=location
        ) from error
    return parse_globs(text.split("\n"), origin=location)

"""
Patterns of .gitignore files as regular expressions; pure.

pathspec is not used: it answers "does this or a directory above match", which
cannot say that `!*/` keeps a directory while `*` drops what is in it. The walk
asks directory by directory, as git does, and needs each path on its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from artstore.errors import InvalidInputError

__all__ = ["Glob", "GlobList", "escape_glob", "parse_globs"]

_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class Glob:
    """One pattern: does it match a path itself, relative to where the pattern stands."""

    regex: re.Pattern[str]
    is_negated: bool
    only_directories: bool


@dataclass(frozen=True, slots=True)
class GlobList:
    """
    The patterns of one file in order; the last one that matches decides.

    `any_regex` matches what any of them matches: most paths match none.
    """

    globs: tuple[Glob, ...]
    any_regex: re.Pattern[str]

    def decide(self, path: str, *, is_directory: bool) -> bool | None:
        """True: ignored. False: kept by a `!` pattern. None: nothing is said."""
        if self.any_regex.fullmatch(path) is None:
            return None
        for glob in reversed(self.globs):
            if glob.only_directories and not is_directory:
                continue
            if glob.regex.fullmatch(path) is not None:
                return not glob.is_negated
        return None

    def decide_below(self, path: str, *, is_directory: bool = False) -> bool:
        """As `decide`, where a pattern that matches a directory means all that is in it."""
        while path:
            decision = self.decide(path, is_directory=is_directory)
            if decision is not None:
                return decision
            path = path.rpartition("/")[0]
            is_directory = True
        return False


def parse_globs(lines: Iterable[str], *, origin: str) -> GlobList:
    """
    Read patterns as git does; empty lines and comments are left out.

    Args:
        origin: file or option they come from, for messages.
    Raises:
        InvalidInputError: `ignore-invalid`, with the number of the line, for a
            pattern that could never match anything.
    """
    globs = []
    for number, line in enumerate(lines, start=1):
        try:
            glob = _parse_glob(line)
        except (ValueError, re.error) as error:
            raise InvalidInputError(
                f"pattern {line!r} ({origin}, line {number}) cannot be understood: {error}",
                code="ignore-invalid",
                hint=r"Write \ before a character that is meant as itself.",
                origin=origin,
                line=number,
            ) from error
        if glob is not None:
            globs.append(glob)
    union = "|".join(f"(?:{glob.regex.pattern})" for glob in globs) or "(?!)"
    return GlobList(tuple(globs), re.compile(union, re.DOTALL))


def _parse_glob(line: str) -> Glob | None:
    text = line.rstrip("\r\n")
    # Spaces at the end do not count unless the last of them is escaped.
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    is_negated = text.startswith("!")
    text = text.removeprefix("!")
    only_directories = text.endswith("/")
    if only_directories:
        text = text[:-1]
    if not text:
        raise ValueError("it names nothing")
    is_anchored = "/" in text
    text = text.removeprefix("/")
    prefix = "" if is_anchored else "(?:.*/)?"
    regex = re.compile(prefix + _translate(text), re.DOTALL)
    return Glob(regex, is_negated, only_directories)


def _translate(text: str) -> str:
    parts = []
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char == "*":
            regex, at = _translate_stars(text, at)
        elif char == "?":
            regex, at = "[^/]", at + 1
        elif char == "[":
            regex, at = _translate_class(text, at + 1)
        elif char == "\\":
            if at + 1 == end:
                raise ValueError(r"nothing stands behind the last \ ")
            regex, at = re.escape(text[at + 1]), at + 2
        else:
            regex, at = re.escape(char), at + 1
        parts.append(regex)
    return "".join(parts)


def _translate_stars(text: str, at: int) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] == "*":
        at += 1
    is_whole_part = (start == 0 or text[start - 1] == "/") and (at == len(text) or text[at] == "/")
    if at - start == 1 or not is_whole_part:
        return "[^/]*", at
    if at == len(text):
        return ".*", at
    return "(?:.*/)?", at + 1


def _translate_class(text: str, at: int) -> tuple[str, int]:
    """A `[...]` from behind its bracket on; it never matches a slash."""
    is_negated = text[at : at + 1] in ("!", "^")
    at += is_negated
    members: list[str] = []
    is_first = True
    while is_first or text[at : at + 1] != "]":
        is_first = False
        if text.startswith("[:", at) and (close := text.find(":]", at)) > 0:
            name = text[at + 2 : close]
            if name not in _CLASSES:
                raise ValueError(f"[:{name}:] is no class of characters")
            members.append(_CLASSES[name])
            at = close + 2
            continue
        low, at = _class_char(text, at)
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high, at = _class_char(text, at + 1)
            if low <= high:
                members.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            members.append(re.escape(low))
    if not members:
        return ("[^/]" if is_negated else "(?!)"), at + 1
    return f"(?!/)[{'^' if is_negated else ''}{''.join(members)}]", at + 1


def _class_char(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] == "\\":
        at += 1
    if at >= len(text):
        raise ValueError("a [ is never closed")
    return text[at], at + 1


def escape_glob(path: str) -> str:
    """A pattern, without the slash in front, that matches this path and no other."""
    return re.sub(r"([\\*?\[\] !#])", r"\\\1", path)

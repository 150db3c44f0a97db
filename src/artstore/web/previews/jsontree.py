"""
JSON as a tree that folds: the beginning of a text, however long and however deep it is.

The text is not parsed as a whole: a value of 10 MB, or lists 100,000 deep, would
take seconds or the stack. What is shown is read token by token; what is not shown
is passed over by counting brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import decoder
from typing import Final

from artstore import limits
from artstore.web.previews.preview import Preview, PreviewKind, PreviewSource, TreeNode, first_bytes
from artstore.web.visible import decoded, size_text, visible

__all__ = ["PREVIEW", "read_tree"]

_READ_BYTES: Final = limits.MIB
_NODES_MAX: Final = 2_000
_LEVELS_MAX: Final = 24
_CHILDREN_MAX: Final = 200
_TEXT_CHARS: Final = 500

# What the standard library reads every string of JSON with.
_scan_string: Callable[[str, int, bool], tuple[str, int]] = vars(decoder)["scanstring"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,9})?|Infinity)")
_WORD: Final = re.compile(r"true|false|null|NaN|Infinity")
_BRACKET: Final = re.compile(r'["\[\]{}]')


class _EndError(Exception):
    """The text ends here: it was cut, or never was whole."""


class _NotJsonError(Exception):
    """This is something else."""


class _TreeReader:
    """Reads one text; what is built when it ends early is kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.left = _NODES_MAX
        self.is_over = False

    def value(self, key: str, level: int) -> TreeNode:
        self.left -= 1
        found = self._next()
        if found in "{[":
            return self._container(key, level)
        if found == '"':
            text = self._string()
            return TreeNode(key, "string", visible(text, _TEXT_CHARS), (), len(text) > _TEXT_CHARS)
        for kind, pattern in (("number", _NUMBER), ("word", _WORD)):
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return TreeNode(key, kind, match[0])
        if len(self.text) - self.at < len("Infinity"):
            raise _EndError
        raise _NotJsonError

    def _container(self, key: str, level: int) -> TreeNode:
        is_object = self.text[self.at] == "{"
        kind = "object" if is_object else "array"
        start = self.at
        self.at += 1
        if level >= _LEVELS_MAX or self.left <= 0:
            self._skip(start)
            return TreeNode(key, kind, is_cut=True)
        children: list[TreeNode] = []
        try:
            self._fill(children, level, is_object=is_object, start=start)
        except _EndError:
            self.is_over = True
        is_cut = self.is_over or len(children) > _CHILDREN_MAX or self.left <= 0
        return TreeNode(key, kind, "", tuple(children[:_CHILDREN_MAX]), is_cut)

    def _fill(self, children: list[TreeNode], level: int, *, is_object: bool, start: int) -> None:
        end = "}" if is_object else "]"
        if self._next() == end:
            self.at += 1
            return
        while True:
            if len(children) > _CHILDREN_MAX or self.left <= 0:
                self._skip(start, self.at, inside=1)
                return
            key = self._key() if is_object else str(len(children))
            children.append(self.value(key, level + 1))
            if self.is_over:
                return
            found = self._next()
            self.at += 1
            if found == end:
                return
            if found != ",":
                raise _NotJsonError

    def _key(self) -> str:
        if self._next() != '"':
            raise _NotJsonError
        key = visible(self._string(), _TEXT_CHARS, lines=False)
        if self._next() != ":":
            raise _NotJsonError
        self.at += 1
        return key

    def _string(self) -> str:
        try:
            text, self.at = _scan_string(self.text, self.at + 1, False)  # noqa: FBT003 - its signature
        except decoder.JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                raise _EndError from error
            raise _NotJsonError from error
        return text

    def _skip(self, start: int, begin: int | None = None, *, inside: int = 0) -> None:
        """Go behind the bracket that closes the one at `start`."""
        self.at = start if begin is None else begin
        while True:
            match = _BRACKET.search(self.text, self.at)
            if match is None:
                self.is_over = True
                return
            self.at = match.start()
            if match[0] == '"':
                try:
                    self._string()
                except _EndError:
                    self.is_over = True
                    return
                continue
            self.at += 1
            inside += 1 if match[0] in "[{" else -1
            if inside <= 0:
                return

    def _next(self) -> str:
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        if self.at >= len(self.text):
            raise _EndError
        return self.text[self.at]


def read_tree(text: str, *, is_whole: bool) -> tuple[TreeNode, bool] | None:
    """
    (tree, whether there is more) of the beginning of a JSON text; None if it is none.

    Args:
        is_whole: False: the text goes on behind this.
    Cost: one pass; at most 2,000 nodes of 24 levels are made.
    """
    reader = _TreeReader(text)
    try:
        tree = reader.value("", 0)
        rest = None if reader.is_over else text[reader.at :].strip()
    except (_EndError, _NotJsonError):
        return None
    if rest or (is_whole and reader.is_over):
        # Several values, one a line, are another format; a text that breaks off is none.
        return None
    return tree, reader.is_over or reader.left <= 0


def _json(source: PreviewSource) -> Preview | None:
    data = first_bytes(source, _READ_BYTES)
    is_whole = source.size_bytes == len(data)
    found = decoded(data, is_whole=is_whole)
    read = None if found is None else read_tree(found[0], is_whole=is_whole)
    if read is None:
        return None
    tree, is_cut = read
    note = "" if is_whole else f"Shown as far as the first {size_text(len(data))} tell."
    return Preview("json", tree=tree, note=note, is_cut=is_cut)


PREVIEW = PreviewKind("json", _json, (".json", ".geojson", ".ipynb", ".webmanifest"))

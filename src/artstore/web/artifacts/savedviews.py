"""
Saved views: the address of a page under a name, kept in the store for everybody who uses it.

A view is an artifact of type `view` with one file; docs/format/view.md. What that file says
is never trusted: anybody who may push can have written it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from artstore import canonical
from artstore.artifact import Artifact
from artstore.digest import digest_of
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.manifests.entry import FILE
from artstore.names import VIEW_TYPE

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, Store

__all__ = [
    "PREFIX",
    "VIEW_FILE",
    "VIEW_MAX_BYTES",
    "SavedView",
    "ViewedVersion",
    "decode_view",
    "encode_view",
    "kind_of_path",
    "read_view",
    "save_view",
    "view_name",
    "view_of_address",
]

PREFIX: Final = "view-"
"""How the collections of views begin: a view and a data set may have one name."""

VIEW_FILE: Final = "view.json"
VIEW_MAX_BYTES: Final = 1024 * 1024

_FORMAT: Final = 1
_TITLE_CHARS: Final = 200
_DESCRIPTION_CHARS: Final = 10_000
_PATH_CHARS: Final = 16_384
_QUERY_BYTES: Final = 256 * 1024
_PARTS_MAX: Final = 4_000
_NAME_CHARS: Final = 80
_NEVER_KEPT: Final = frozenset(("token",))
"""Parts of a query that are of who looks, not of what is seen."""

_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_RUN_PAGES: Final = (
    ("runs", re.compile(r"/p/[^/]+/runs")),
    ("compare", re.compile(r"/p/[^/]+/compare")),
    ("run", re.compile(r"/p/[^/]+/runs/.+")),
)
_OTHER_PAGE: Final = "page"
_PATH: Final = re.compile(r"/p/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})+")
_VERSION_PAGE: Final = re.compile(r"/p/([^/]+)/c/([^/]+)(?:/([^/]+)(?:/([^/]+)(?:/(.*))?)?)?")


class _UnfitError(Exception):
    """Why something is no view."""


@dataclass(frozen=True, slots=True)
class ViewedVersion:
    """
    What a view is of, as far as its path tells; None where it does not.

    Attributes:
        version: as in the address: `v3` for ever, an alias as it stands when the view is opened.
        page: `tables`, `files`, ...
        path: in the version.
    """

    project: str | None = None
    collection: str | None = None
    version: str | None = None
    page: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class SavedView:
    """
    A page and its state.

    Attributes:
        title: as somebody wrote it.
        path: of the page, below the root of the site, percent-encoded; begins with `/p/`.
        query: the parts of its query, decoded, in order.
        own_kind: what it is a view of, where its path does not tell; else empty.
    """

    title: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    description: str = ""
    own_kind: str = ""

    @property
    def kind(self) -> str:
        """`table`, `runs`, `compare`, `run`, `board`, `page`, ...; later releases have more."""
        return self.own_kind or kind_of_path(self.path)

    @property
    def address(self) -> str:
        """Path and query, below the root of the site."""
        text = urlencode(self.query, quote_via=quote, safe=":")
        return f"{self.path}?{text}" if text else self.path

    @property
    def shown(self) -> ViewedVersion:
        """What it is a view of."""
        found = _VERSION_PAGE.fullmatch(self.path)
        if found is None:
            return ViewedVersion()
        return ViewedVersion(*(None if part is None else unquote(part) for part in found.groups()))


def view_name(title: str) -> str:
    """
    What a view of this title is called in addresses: `Top errors` is `top-errors`.

    Titles that differ in more than case and spaces have different names.

    Raises:
        InvalidInputError: `view-invalid`.
    """
    try:
        told = " ".join(_checked_title(title).casefold().split())
    except _UnfitError as error:
        raise _invalid(str(error)) from error
    plain = re.sub(r"[^a-z0-9_.]+", "-", told).strip("-.")[:_NAME_CHARS].rstrip("-.")
    if plain == told.replace(" ", "-"):
        return plain
    mark = digest_of(told.encode()).hex()[:8]
    return f"{plain}-{mark}" if plain else mark


def kind_of_path(path: str) -> str:
    """
    What a view of a path is a view of: `table`, `runs`, `compare` or `run`; else `page`.

    Args:
        path: as `SavedView.path`.
    """
    for kind, pattern in _RUN_PAGES:
        if pattern.fullmatch(path):
            return kind
    version = _VERSION_PAGE.fullmatch(path)
    return "table" if version is not None and version[4] == "tables" else _OTHER_PAGE


def view_of_address(title: str, address: str, description: str = "", kind: str = "") -> SavedView:
    """
    The view of an address below the root of the site: `/p/demo/c/digits/v3/tables/rows?where=...`.

    Args:
        kind: where it is another one than `kind_of_path` tells.
    Raises:
        InvalidInputError: `view-invalid`: it is no address of a page, or too long to be kept.
    """
    path, _, query = address.partition("#")[0].partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_PARTS_MAX)
        return _checked(title, path, pairs, description, kind)
    except (_UnfitError, ValueError) as error:
        raise _invalid(str(error)) from error


def encode_view(view: SavedView) -> bytes:
    """The bytes of `view.json`: canonical JSON."""
    value = {
        "_type": VIEW_TYPE,
        "format": _FORMAT,
        "title": view.title,
        "description": view.description,
        "path": view.path,
        "query": [list(pair) for pair in view.query],
        **({"kind": view.own_kind} if view.own_kind else {}),
    }
    return canonical.encode(value, what=VIEW_FILE)


def decode_view(data: bytes, *, where: str) -> SavedView:
    """
    The view of a `view.json`, whoever wrote it.

    Raises:
        DamagedDataError: `view-damaged`.
        UnsupportedFormatError: `format-unsupported`.
    """
    try:
        value = canonical.decode(data, what=where)
        if not isinstance(value, dict) or value.get("_type") != VIEW_TYPE:
            raise _UnfitError("it describes no view")
        number = value.get("format")
        if type(number) is int and number > _FORMAT:
            raise UnsupportedFormatError(
                f"{where} has the format {number}: a newer release wrote it",
                code="format-unsupported",
                hint="update artstore",
            )
        texts = [value.get(name) for name in ("title", "path", "description")]
        texts.append(value.get("kind", ""))
        pairs = value.get("query")
        if (
            type(number) is not int
            or number != _FORMAT
            or not all(isinstance(text, str) for text in texts)
        ):
            raise _UnfitError("a member is missing or of another type")
        title, path, description, kind = map(str, texts)
        return _checked(title, path, _pairs(pairs), description, kind)
    except _UnfitError as error:
        raise _damaged(where, str(error)) from error
    except DamagedDataError as error:
        raise _damaged(where, error.message) from error


def save_view(store: Store, view: SavedView) -> LoggedArtifact:
    """
    Keep a view in the project of `store`; one of the same name gets a new version.

    Raises:
        InvalidInputError: `view-invalid`; `type-mismatch`: an artifact of another type has
            the name.
        As `Store.log_artifact`.
    """
    draft = Artifact(PREFIX + view_name(view.title), VIEW_TYPE, metadata={"title": view.title})
    data = encode_view(view)
    if len(data) > VIEW_MAX_BYTES:
        raise _invalid(f"it has more than {VIEW_MAX_BYTES:,} bytes")
    with draft.new_file(VIEW_FILE, "wb") as file:
        file.write(data)
    return store.log_artifact(draft)


def read_view(artifact: LoggedArtifact) -> SavedView:
    """
    The view that a version holds.

    Raises:
        NotFoundError: `view-not-found`: it is a version of something else.
        DamagedDataError: `view-damaged`.
        UnsupportedFormatError: `format-unsupported`.
    """
    name = artifact.qualified_name
    if artifact.type != VIEW_TYPE:
        raise NotFoundError(
            f"{name} is of type {artifact.type}, and no saved view", code="view-not-found"
        )
    entries = list(islice(artifact.children(), 2))
    if [entry.path for entry in entries] != [VIEW_FILE] or entries[0].kind != FILE:
        raise _damaged(name, f"it does not hold just the file {VIEW_FILE}")
    if entries[0].size_bytes > VIEW_MAX_BYTES:
        raise _damaged(name, f"its {VIEW_FILE} has more than {VIEW_MAX_BYTES:,} bytes")
    return decode_view(artifact.read(VIEW_FILE), where=f"{name}/{VIEW_FILE}")


def _pairs(value: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(value, list) or len(value) > _PARTS_MAX:
        raise _UnfitError(f"its query is no list of at most {_PARTS_MAX:,} parts")
    for pair in value:
        if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
            raise _UnfitError("a part of its query is no pair of texts")
        yield pair[0], pair[1]


def _checked(
    title: str, path: str, pairs: Iterable[tuple[str, str]], description: str, kind: str
) -> SavedView:
    query = tuple((name, text) for name, text in pairs if name not in _NEVER_KEPT)
    if sum(len(name) + len(text) + 2 for name, text in query) > _QUERY_BYTES:
        raise _UnfitError(f"its query has more than {_QUERY_BYTES:,} characters")
    if len(description) > _DESCRIPTION_CHARS:
        raise _UnfitError(f"its description has more than {_DESCRIPTION_CHARS:,} characters")
    for text in (description, *(text for pair in query for text in pair)):
        _check_unicode(text)
    path = _checked_path(path)
    if kind and _KIND.fullmatch(kind) is None:
        raise _UnfitError("its kind is no short word of small letters, digits and -")
    own_kind = "" if kind == kind_of_path(path) else kind
    return SavedView(_checked_title(title), path, query, description, own_kind)


def _checked_title(title: str) -> str:
    title = title.strip()
    _check_unicode(title)
    if not title or len(title) > _TITLE_CHARS:
        raise _UnfitError(f"a title has 1 to {_TITLE_CHARS} characters")
    if any(unicodedata.category(character) == "Cc" for character in title):
        raise _UnfitError("a title is one line without control characters")
    return title


def _checked_path(path: str) -> str:
    """A path of a page of this site; never one that leads to another site, or back to a view."""
    if len(path) > _PATH_CHARS or _PATH.fullmatch(path) is None:
        raise _UnfitError("its path is no address below /p/ of a page")
    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise _UnfitError("its path is not UTF-8") from error
    if any(ord(character) < 32 for character in plain) or "\\" in plain or "//" in path:
        raise _UnfitError("its path has characters or empty parts that no page has")
    parts = plain.split("/")
    if "." in parts or ".." in parts:
        raise _UnfitError("its path has a part . or ..")
    # ["", "p", project, "views", ...]
    if parts[3:4] == ["views"]:
        raise _UnfitError("a view leads to a page, not to another view")
    return path


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _UnfitError("a text is not valid Unicode") from error


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"the view cannot be saved: {why}", code="view-invalid")


def _damaged(where: str, why: str) -> DamagedDataError:
    return DamagedDataError(f"{where} is no view that can be opened: {why}", code="view-damaged")

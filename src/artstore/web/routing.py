"""
What stands at an address: one handler, answered as HTML there and as JSON under /api/v1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import ImmutableMultiDict, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.web.departures import Departure

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact
    from artstore.web.site import Site

__all__ = [
    "API_PREFIX",
    "Answer",
    "Page",
    "Query",
    "Routes",
    "Visit",
    "inner_path",
    "is_api_path",
    "json_response",
]

API_PREFIX: Final = "/api/v1"

Query = Mapping[str, str | int | Sequence[str]]
"""The part of an address behind `?`; a list stands for a name given several times."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_PARAMETER: Final = re.compile(r"{([a-z_]+)(:path)?}")
_PATH_SAFE: Final = "/"


class Answer(NamedTuple):
    """
    What a handler has found.

    Attributes:
        template: what renders it for people, a file of `templates/`.
        value: what JSON gives; the template sees it by its names.
        shown: what only the template sees.
    """

    template: str
    value: dict[str, Any]
    status: int = 200
    headers: Mapping[str, str] = _NOTHING
    shown: Mapping[str, Any] = _NOTHING


@dataclass(frozen=True, slots=True)
class Page:
    """
    One address and who answers for it.

    Attributes:
        path: as Starlette writes paths: `/p/{project}`, `.../files/{path:path}`.
        handler: runs in a thread.
        name: what links call it; of several pages of one path only one has the name.
        api_only: whether there is no HTML of it.
        is_write: whether other methods than GET change the store, and so need `--write`.
            Either way they need the token of a page of this server.
        body_max_bytes: how much a request may bring.
    """

    path: str
    handler: Callable[[Visit], Answer | Response]
    name: str
    methods: tuple[str, ...] = ("GET",)
    api_only: bool = False
    is_write: bool = True
    body_max_bytes: int = limits.MIB


class Routes:
    """Makes addresses from the names of pages; every part is percent-encoded."""

    def __init__(self, pages: Iterable[Page], root_path: str) -> None:
        self._root = root_path
        self._pages = {page.name: page for page in pages}

    def has(self, name: str) -> bool:
        """Whether there is a page of that name."""
        return name in self._pages

    def html(self, name: str, params: Mapping[str, str], query: Query | None = None) -> str:
        """The address for people; of a page that is only JSON, that one."""
        page = self._pages[name]
        prefix = API_PREFIX if page.api_only else ""
        return self._root + prefix + _filled(page.path, params) + _behind(query)

    def api(self, name: str, params: Mapping[str, str], query: Query | None = None) -> str:
        """The address of the JSON."""
        return self._root + API_PREFIX + _filled(self._pages[name].path, params) + _behind(query)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, as a handler sees it."""

    site: Site
    request: Request
    is_api: bool = False
    body: bytes = b""
    departure: Departure = field(default_factory=Departure)

    @property
    def params(self) -> Mapping[str, str]:
        """The parts of the path by name, decoded."""
        return self.request.path_params

    @property
    def query(self) -> QueryParams:
        """What stands behind `?`, decoded; names may be there several times."""
        return self.request.query_params

    def version(self) -> LoggedArtifact:
        """
        The version that the path names (`project`, `collection`, `version`), looked up now.

        Raises:
            NotFoundError: `version-not-found`, `version-deleted`, `alias-not-found`, ...
        """
        return self.site.version(*self._named())

    def opened(self) -> LoggedArtifact:
        """
        The same, looked up a few seconds ago at most: for content, which never changes.

        Its aliases, tags and description may be old.
        """
        return self.site.opened(*self._named())

    def _named(self) -> tuple[str, str, str]:
        params = self.params
        return params["project"], params["collection"], params["version"]

    def link(self, name: str, query: Query | None = None, /, **params: str) -> str:
        """The address of a page for people: `link("collection", project=..., collection=...)`."""
        return self.site.routes.html(name, params, query)

    def api_link(self, name: str, query: Query | None = None, /, **params: str) -> str:
        """The address of its JSON."""
        return self.site.routes.api(name, params, query)

    def form(self) -> ImmutableMultiDict[str, str]:
        """
        The fields that were sent: of an HTML form, or of a JSON object of texts and lists of them.

        Raises:
            InvalidInputError: `request-invalid`.
        """
        if _is_json(self.request):
            return ImmutableMultiDict(list(_text_items(self.json_body())))
        return ImmutableMultiDict(_form_items(self.body))

    def json_body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises InvalidInputError `request-invalid`."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise _invalid_body(str(error)) from error
        if not isinstance(value, dict):
            raise _invalid_body("it is no JSON object")
        return value

    def done(self, address: str, value: dict[str, Any]) -> Response:
        """The answer to a change: people are led to a page, programs get the value."""
        if self.is_api:
            return json_response(value)
        # 303: the page is then fetched by GET, and can be reloaded without asking again.
        return RedirectResponse(address, status_code=303)


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON, compact. NaN is no JSON and raises ValueError: it is told apart before."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half of a surrogate pair has no UTF-8.
    data = text.encode("utf-8", "replace")
    return Response(data, status, dict(headers or {}), media_type="application/json")


def inner_path(request: Request, root_path: str) -> str:
    """The path of an address without what a proxy put before it, if it did."""
    path: str = request.scope["path"]
    rest = path.removeprefix(root_path)
    return rest if rest.startswith("/") else path


def is_api_path(path: str) -> bool:
    """Whether JSON is asked for."""
    return path == API_PREFIX or path.startswith(f"{API_PREFIX}/")


def _filled(path: str, params: Mapping[str, str]) -> str:
    def encoded(match: re.Match[str]) -> str:
        return quote(params[match[1]], safe=_PATH_SAFE if match[2] else "")

    return _PARAMETER.sub(encoded, path)


def _behind(query: Query | None) -> str:
    text = urlencode(query or {}, doseq=True)
    return f"?{text}" if text else ""


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def _form_items(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise _invalid_body(str(error)) from error


def _text_items(value: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, item in value.items():
        for text in item if isinstance(item, list) else [item]:
            if not isinstance(text, str):
                raise _invalid_body(f"{name!r} is no text and no list of texts")
            yield name, text


def _invalid_body(found: str) -> InvalidInputError:
    return InvalidInputError(
        f"what was sent cannot be read: {found}",
        code="request-invalid",
        hint="send a form, or a JSON object with the content type application/json",
    )

"""
What a visitor is told when something fails: one shape, no path of this machine, no trace.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from starlette.responses import HTMLResponse, Response

from artstore import clock
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.web.routing import Answer, json_response
from artstore.web.templating import ERROR_TEMPLATE, render

if TYPE_CHECKING:
    from artstore.web.routing import Visit
    from artstore.web.site import Site

__all__ = ["failure_response", "failure_value", "unknown_failure", "without_paths"]

_LOG: Final = logging.getLogger("artstore.web")

_STATUS: Final = {
    "address-refused": HTTPStatus.MISDIRECTED_REQUEST,
    # The server is well: what was logged is damaged.
    "image-damaged": HTTPStatus.UNPROCESSABLE_ENTITY,
    "method-refused": HTTPStatus.METHOD_NOT_ALLOWED,
    "origin-refused": HTTPStatus.FORBIDDEN,
    "request-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "token-refused": HTTPStatus.UNAUTHORIZED,
    "watchers-too-many": HTTPStatus.SERVICE_UNAVAILABLE,
    "writing-refused": HTTPStatus.FORBIDDEN,
}
"""Of errors whose class says something else."""

# An absolute path, not the part of an address or of a path in a version.
_PATH: Final = re.compile(r"(?<![\w:/.~])/(?:[^\s/'\"`]+/)+([^\s/'\"`,;]*)")


def failure_value(error: ArtstoreError, site: Site) -> dict[str, Any]:
    """The record of an error: code, message, hint, and of expressions the position."""
    told: dict[str, Any] = {
        "code": error.code,
        "message": without_paths(error.message, error, site),
        "hint": None if error.hint is None else without_paths(error.hint, error, site),
    }
    position = error.context.get("position")
    if isinstance(position, int):
        told["position"] = position
    return {"error": told}


def failure_response(
    error: ArtstoreError, visit: Visit, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a visitor: JSON below /api/v1, else a page."""
    status = int(_STATUS.get(error.code, error.http_status))
    return _answered(visit, failure_value(error, visit.site), status, headers)


def unknown_failure(error: Exception, visit: Visit) -> Response:
    """The answer to what nobody expected; told with a number that stands in the log too."""
    number = clock.random_bytes(6).hex()
    _LOG.error("failure %s at %s", number, visit.request.url.path, exc_info=error)
    told = {
        "code": "unexpected",
        "message": "the server met an error that it does not know",
        "hint": f"what happened is told where the server was started, under {number}",
        "id": number,
    }
    return _answered(visit, {"error": told}, HTTPStatus.INTERNAL_SERVER_ERROR, None)


def without_paths(text: str, error: ArtstoreError, site: Site) -> str:
    """A message without the places of this machine."""
    if isinstance(error.context.get("position"), int):
        # All of it is what the visitor has written, with a mark below a character.
        return text
    for path, word in _known_paths(site):
        text = text.replace(path, word)
    if isinstance(error, InvalidInputError) or error.code == "page-not-found":
        # What the visitor has written: `a LIKE '/x/y'`, or an address.
        return text
    return _PATH.sub(r"…/\1", text)


def _known_paths(site: Site) -> Iterator[tuple[str, str]]:
    url = urlsplit(site.store.url)
    if url.scheme == "file":
        # The address of a store is its owner's business, but its words may stand in names.
        for path in dict.fromkeys((url.path, unquote(url.path))):
            if len(path) > 1:
                yield f"file://{path}", "the store"
                yield path, "the store"
    for directory, word in ((tempfile.gettempdir(), "…"), (str(Path.home()), "~")):
        if len(directory) > 1:
            yield directory, word


def _answered(
    visit: Visit, value: dict[str, Any], status: int, headers: Mapping[str, str] | None
) -> Response:
    if visit.is_api:
        return json_response(value, status, headers)
    answer = Answer(ERROR_TEMPLATE, value, shown={"status": status})
    return HTMLResponse(render(visit, answer), status, dict(headers or {}))

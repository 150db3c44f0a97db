"""
Who may come in, and what every answer carries.

The names by which the server is called are checked, since a foreign page can make a
name of its own mean this machine (DNS rebinding); then the token, if there is one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artstore.errors import ArtstoreError, DeniedError, InvalidInputError, StateError
from artstore.web.failures import failure_response
from artstore.web.routing import Page, Visit, inner_path, is_api_path
from artstore.web.settings import ServeSettings

if TYPE_CHECKING:
    from artstore.web.site import Site

__all__ = ["TOKEN_FIELD", "TOKEN_HEADER", "Guard", "check_change", "host_of", "is_loopback"]

TOKEN_HEADER: Final = "X-Artstore-Token"  # noqa: S105 - the name of a header
TOKEN_FIELD: Final = "artstore-token"  # noqa: S105 - the name of a field of a form

_QUERY_TOKEN: Final = "token"  # noqa: S105 - a part of an address
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self'; frame-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {ancestors}"
)


class Guard:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site
        self._headers = _headers(site.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            # Nothing here speaks WebSocket: it is closed unheard.
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        # Proxies that leave the prefix on and those that take it off are both understood.
        scope["root_path"] = self._site.settings.root_path
        answer = await self._met(Request(scope))
        await (answer or self._app)(scope, receive, send_guarded)

    async def _met(self, request: Request) -> Response | None:
        """An answer that ends it here; None lets the request in."""
        settings = self._site.settings
        path = inner_path(request, settings.root_path)
        visit = Visit(self._site, request, is_api=is_api_path(path))
        try:
            _check_host(request, settings)
            if settings.token is None or path.startswith("/static/"):
                return None
            return _check_token(request, settings.token, settings.root_path)
        except ArtstoreError as error:
            return await run_in_threadpool(failure_response, error, visit)


def check_change(visit: Visit, page: Page) -> None:
    """
    Let a change in only from a page of this server, and only where changes are allowed.

    Raises:
        StateError: `writing-refused`.
        DeniedError: `origin-refused`.
    """
    settings, request = visit.site.settings, visit.request
    if page.is_write and not settings.write:
        raise StateError(
            "this server only reads: it was started without --write",
            code="writing-refused",
            hint="start it with `art serve --write`",
        )
    came_from = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if came_from != "same-origin" or not (origin is None or _is_own(origin, request, settings)):
        raise _foreign(f"it comes from {origin or 'another site'}")
    if settings.token is not None and _bearer(request, settings.token):
        # No page can send this header to another site unless that site agrees.
        return
    if request.headers.get(TOKEN_HEADER) is not None:
        _check_secret(request.headers[TOKEN_HEADER], visit)


def check_field(visit: Visit) -> None:
    """The token of a form that was sent without the header. Raises DeniedError `origin-refused`."""
    settings, request = visit.site.settings, visit.request
    if TOKEN_HEADER in request.headers:
        return
    if settings.token is not None and _bearer(request, settings.token):
        return
    _check_secret(visit.form().get(TOKEN_FIELD, ""), visit)


def _check_secret(given: str, visit: Visit) -> None:
    if not _same(given, visit.site.secret):
        raise _foreign("the token of its page is missing or of another server")


def _foreign(why: str) -> DeniedError:
    return DeniedError(
        f"a change was refused: {why}",
        code="origin-refused",
        hint="open the page anew and try again; programs send the token of /api/v1/session "
        f"as {TOKEN_HEADER}",
    )


def _check_host(request: Request, settings: ServeSettings) -> None:
    """Raises InvalidInputError `address-refused`."""
    host = host_of(request.headers.get("host", ""))
    if host in settings.allowed_hosts or is_loopback(host):
        return
    if not settings.is_loopback and _is_numeric(host):
        return
    raise InvalidInputError(
        f"this server is not called {host!r}",
        code="address-refused",
        hint=f"start it with --allow-host {host}, if that name is meant" if host else None,
    )


def host_of(text: str) -> str:
    """The name in a Host header, in small letters, without port and brackets; '' if malformed."""
    try:
        parts = urlsplit(f"//{text}")
        # Raises for what is no number.
        _ = parts.port
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    return (parts.hostname or "").rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether a name or number can only mean the machine that uses it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own(origin: str, request: Request, settings: ServeSettings) -> bool:
    try:
        netloc = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    if netloc == request.headers.get("host", "").lower():
        return True
    # A proxy may have changed the Host header, but then its name was allowed.
    return host_of(netloc) in settings.allowed_hosts


def _check_token(request: Request, token: str, root_path: str) -> Response | None:
    """Raises DeniedError `token-refused`."""
    name = _cookie_name(token)
    if _bearer(request, token) or _same(request.cookies.get(name, ""), _cookie_value(token)):
        return None
    given = request.query_params.get(_QUERY_TOKEN)
    if given is None or not _same(given, token):
        raise DeniedError(
            "this server asks for a token",
            code="token-refused",
            hint="open the address that `art serve` has printed; programs send "
            "Authorization: Bearer TOKEN",
        )
    response = _without_token(request, root_path)
    response.set_cookie(
        name,
        _cookie_value(token),
        path=root_path or "/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _without_token(request: Request, root_path: str) -> Response:
    """Lead to the same address without the token, so that it stays in no history and no link."""
    rest = [(k, v) for k, v in request.query_params.multi_items() if k != _QUERY_TOKEN]
    # Two slashes in front would lead to another host.
    path = "/" + inner_path(request, root_path).lstrip("/")
    address = root_path + quote(path) + (f"?{urlencode(rest)}" if rest else "")
    if request.headers.get("sec-fetch-site") != "cross-site":
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)
    # After a link on a foreign site the browser keeps the cookie back on redirects; what
    # this page asks for is asked for by this site.
    return HTMLResponse(
        "<!doctype html><title>artstore</title>", headers={"Refresh": f"0; url={address}"}
    )


def _bearer(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and _same(given.strip(), token)


def _cookie_name(token: str) -> str:
    # Cookies know no ports: two servers of one machine must not take each other's.
    return f"artstore-{hashlib.blake2b(token.encode(), digest_size=4).hexdigest()}"


def _cookie_value(token: str) -> str:
    return hmac.new(token.encode(), b"artstore cookie", hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _headers(settings: ServeSettings) -> Mapping[str, str]:
    ancestors = settings.frame_ancestors
    headers = {
        "Content-Security-Policy": _POLICY.format(ancestors=" ".join(ancestors) or "'none'"),
        "X-Content-Type-Options": "nosniff",
        # Not `no-referrer`: with it browsers send forms with `Origin: null`.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "private, no-cache",
    }
    if not ancestors:
        headers["X-Frame-Options"] = "DENY"
    return headers

"""
The addresses of a site as one ASGI application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError, NotFoundError
from artstore.tables.enginelimits import EngineLimits, limited_engine
from artstore.web.departures import watch_departure
from artstore.web.failures import failure_response, unknown_failure
from artstore.web.guarding import Guard, check_change, check_field
from artstore.web.memorybound import renew_bound
from artstore.web.routing import (
    API_PREFIX,
    Answer,
    Page,
    Visit,
    inner_path,
    is_api_path,
    json_response,
)
from artstore.web.site import Site
from artstore.web.templating import render

__all__ = ["create_app"]

Endpoint = Callable[[Request], Awaitable[Response]]

_CLOSED: Final = 499
"""What servers note when the visitor has gone; nobody reads it."""


class _LinesConvertor(PathConvertor):
    """As `path`, which ends at a line feed; names of files may hold one."""

    regex = r"[\s\S]*"


register_url_convertor("lines", _LinesConvertor())


def create_app(site: Site) -> Starlette:
    """The application that serves `site`: HTML at each address, JSON below /api/v1."""

    async def failed(request: Request, error: Exception) -> Response:
        path = inner_path(request, site.settings.root_path)
        visit = Visit(site, request, is_api=is_api_path(path))
        if isinstance(error, HTTPException):
            return await run_in_threadpool(_refused, error, visit)
        return await run_in_threadpool(unknown_failure, error, visit)

    app = Starlette(
        routes=list(_routes(site)),
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={HTTPException: failed, Exception: failed},
    )
    # An address has one spelling: a redirect would be made from the Host header.
    app.router.redirect_slashes = False
    return app


def _routes(site: Site) -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for page in sorted(site.pages, key=_rank):
        methods = list(page.methods)
        own_path = page.path.replace(":path}", ":lines}")
        api_paths = [API_PREFIX + own_path] + ([API_PREFIX] if own_path == "/" else [])
        routes += [
            Route(path, _endpoint(site, page, is_api=True), methods=methods) for path in api_paths
        ]
        if not page.api_only:
            routes.append(Route(own_path, _endpoint(site, page, is_api=False), methods=methods))
    return routes


def _rank(page: Page) -> list[int]:
    """Words before parameters, and those before whole paths: `compare` is no version."""
    return [
        0 if not part.startswith("{") else 2 if part.endswith(":path}") else 1
        for part in page.path.split("/")
    ]


def _endpoint(site: Site, page: Page, *, is_api: bool) -> Endpoint:
    async def answered(request: Request) -> Response:
        visit = Visit(site, request, is_api=is_api)
        try:
            if request.method not in ("GET", "HEAD"):
                check_change(visit, page)
                visit = Visit(site, request, is_api, await _body(request, page.body_max_bytes))
                check_field(visit)
            watcher = asyncio.create_task(watch_departure(request, visit.departure))
            try:
                return await run_in_threadpool(_answer, visit, page)
            finally:
                watcher.cancel()
        except ClientDisconnect:
            return Response(status_code=_CLOSED)
        except ArtstoreError as error:
            return await run_in_threadpool(failure_response, error, visit)
        except Exception as error:  # noqa: BLE001 - as in `_answer`
            return await run_in_threadpool(unknown_failure, error, visit)

    return answered


def _answer(visit: Visit, page: Page) -> Response:
    try:
        answer = _handled(visit, page)
        if isinstance(answer, Response):
            return answer
        if visit.is_api:
            return json_response(answer.value, answer.status, answer.headers)
        return HTMLResponse(render(visit, answer), answer.status, dict(answer.headers))
    except ArtstoreError as error:
        return failure_response(error, visit)
    except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
        return unknown_failure(error, visit)


def _handled(visit: Visit, page: Page) -> Answer | Response:
    try:
        # Queries of the page take nothing from those of the program that shows it.
        with limited_engine(EngineLimits(visit.site.settings.memory_bytes)):
            return page.handler(visit)
    except LimitExceededError:
        renew_bound()
        raise
    except NotFoundError:
        # In a store that went away nothing is found either.
        visit.site.check_there()
        raise


async def _body(request: Request, most: int) -> bytes:
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > most:
            raise LimitExceededError(
                f"a request to {request.url.path} brings more than {most:,} bytes",
                code="request-too-large",
                limit=most,
            )
    return bytes(received)


def _refused(error: HTTPException, visit: Visit) -> Response:
    path = visit.request.url.path
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        refusal: ArtstoreError = InvalidInputError(
            f"{path} does not take {visit.request.method}", code="method-refused"
        )
    else:
        refusal = NotFoundError(
            f"there is no page at {path}", code="page-not-found", hint="begin at the first page"
        )
    return failure_response(refusal, visit, error.headers)

"""
What pages of runs ask for while they are open: lines of charts, and what has changed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from starlette.responses import Response

from artstore.errors import InvalidInputError
from artstore.names import check_project_name
from artstore.web.live.events import EventsAnswer
from artstore.web.live.run import surely
from artstore.web.live.series import read_points, read_request, series_text
from artstore.web.routing import Answer, Page, Visit
from artstore.web.runs.visit import shown_run

__all__ = ["PAGES", "show_events", "show_histograms", "show_keys", "show_series"]

_HISTOGRAMS_USUAL: Final = 100
_LARGEST_REVISION_CHARS: Final = 16


def show_series(visit: Visit) -> Response:
    """
    Lines of some keys of some runs, or bands of groups of them.

    Raises:
        NotFoundError: `run-not-found`.
        InvalidInputError: `request-invalid`, `column-unknown`, ...
        LimitExceededError: `limit-exceeded`.
    """
    request = read_request(visit.query)
    text = series_text(visit.site.live, visit.params["project"], request)
    return Response(text.encode("utf-8"), media_type="application/json")


def show_keys(visit: Visit) -> Answer:
    """What there is to draw of one run. Raises NotFoundError `run-not-found`."""
    run = shown_run(visit)
    return Answer(
        "",
        {
            "revision": run.revision,
            "keys": run.logged_keys(),
            "system": [key["key"] for key in run.system_keys()],
        },
    )


def show_histograms(visit: Visit) -> Answer:
    """
    The histograms that a run logged under one key.

    Raises:
        NotFoundError: `run-not-found`.
        InvalidInputError: `request-invalid`.
    """
    key = visit.query.get("key")
    if key is None:
        raise InvalidInputError("say with `key` which histograms", code="request-invalid")
    points = read_points(visit.query, _HISTOGRAMS_USUAL)
    live = visit.site.live
    run = live.run(visit.params["project"], visit.params["run"])
    from artstore.runs.histograms import logged_histograms

    found = surely(
        run, lambda one: logged_histograms(live.reader, one.sources("history"), key, points)
    )
    return Answer("", {"revision": run.revision, "key": key, **asdict(found)})


def show_events(visit: Visit) -> Response:
    """
    Server-sent events: what changes in a project from now on.

    Raises:
        LimitExceededError: `watchers-too-many`.
        InvalidInputError: `request-invalid`, `name-invalid`.
    """
    project = check_project_name(visit.params["project"])
    # Browsers that connect again say up to where they were told.
    told = visit.request.headers.get("last-event-id") or visit.query.get("since") or ""
    if told and not (told.isascii() and told.isdigit() and len(told) <= _LARGEST_REVISION_CHARS):
        raise InvalidInputError(f"a revision is a number, not {told!r}", code="request-invalid")
    if visit.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    visit.site.live.check_room()
    runs = visit.query.getlist("run")
    return EventsAnswer(
        visit.site.live,
        project,
        only=frozenset(runs) if runs else None,
        since=int(told) if told else None,
    )


PAGES: Final = (
    Page("/p/{project}/series", show_series, "series", api_only=True),
    Page("/p/{project}/events", show_events, "events", api_only=True),
    Page("/p/{project}/runs/{run}/keys", show_keys, "run-keys", api_only=True),
    Page("/p/{project}/runs/{run}/histograms", show_histograms, "run-histograms", api_only=True),
)

"""
What belongs to the server itself: files of the page, and what a program must know to change things.
"""

from __future__ import annotations

from typing import Final

from artstore._version import __version__
from artstore.web.assets import serve_asset
from artstore.web.routing import Answer, Page, Visit

__all__ = ["PAGES", "show_session"]


def show_session(visit: Visit) -> Answer:
    """
    What this server allows, and the token that changes need.

    Only who reads the page has it: foreign pages cannot read answers of this server.
    """
    site = visit.site
    return Answer(
        "",
        {
            "version": __version__,
            "store": site.store.id,
            "project": site.store.project,
            "write": site.settings.write,
            "token": site.secret,
        },
    )


PAGES: Final = (
    Page("/static/{name:path}", serve_asset, "static"),
    Page("/session", show_session, "session", api_only=True),
)

"""
The kinds of pages, one module each; every module lists its own in PAGES.
"""

from __future__ import annotations

from typing import Final

from artstore.web.pages import (
    collection,
    comparing,
    content,
    exporting,
    files,
    projects,
    saving,
    serving,
    tables,
    version,
    views,
)
from artstore.web.routing import Page

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (
    *serving.PAGES,
    *projects.PAGES,
    *collection.PAGES,
    *version.PAGES,
    *comparing.PAGES,
    *content.PAGES,
    *files.PAGES,
    *tables.PAGES,
    *exporting.PAGES,
    *saving.PAGES,
    *views.PAGES,
)
"""Everything that has an address. The order says nothing."""

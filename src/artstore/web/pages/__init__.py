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
    lineage,
    projects,
    run,
    runcompare,
    runmedia,
    runs,
    saving,
    series,
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
    *series.PAGES,
    *views.PAGES,
    *lineage.PAGES,
    *run.PAGES,
    *runmedia.PAGES,
    *runs.PAGES,
    *runcompare.PAGES,
)
"""Everything that has an address. The order says nothing."""

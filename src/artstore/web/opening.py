"""
The site of a store, with everything that has an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artstore.web.site import Site

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.web.settings import ServeSettings

__all__ = ["open_site"]


def open_site(store: Store, settings: ServeSettings | None = None) -> Site:
    """The site of a store with all pages that there are."""
    # Dear to import: whoever only asks what a site is need not.
    from artstore.web.pages import PAGES

    return Site(store, settings, pages=PAGES)

"""
The store that the settings name, for calls that name none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from artstore.api import Store
from artstore.settings import Settings, resolve

if TYPE_CHECKING:
    from artstore.tables.query import Query

__all__ = ["default_store", "sql", "store_of"]


def default_store(project: str | None = None) -> Store:
    """
    The store that environment, artstore.toml and settings name, as the command line finds it.

    Args:
        project: where names without a project are looked for, if not as the settings say.
    Raises:
        InvalidInputError: `settings-invalid`, `storage-scheme`, `name-invalid`.
    """
    return store_of(resolve(None, project))


def store_of(settings: Settings) -> Store:
    """The store of these settings: one for all who ask in this process."""
    return _opened(settings)


def sql(text: str) -> Query:
    """
    A SELECT over tables of the default store, as an Ibis expression. As `Store.sql`, which see.
    """
    return default_store().sql(text)


@lru_cache(maxsize=8)
def _opened(settings: Settings) -> Store:
    # One for all calls: connections and what is known of logs are used again. A store
    # finds out by itself when it is used in a forked child.
    return Store(settings)

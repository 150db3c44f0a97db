"""
The store that the settings name, for calls that name none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from artstore.api import Store
from artstore.artifact import Artifact
from artstore.logged import LoggedArtifact
from artstore.settings import Settings, resolve

if TYPE_CHECKING:
    from artstore.tables.query import Query

__all__ = ["default_store", "log_artifact", "sql", "use_artifact"]


def default_store(project: str | None = None) -> Store:
    """
    The store that environment, artstore.toml and settings name, as the command line finds it.

    Args:
        project: where names without a project are looked for, if not as the settings say.
    Raises:
        InvalidInputError: `settings-invalid`, `storage-scheme`, `name-invalid`.
    """
    return _opened(resolve(None, project))


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - W&B's
    aliases: Sequence[str] | str | None = None,
    tags: Sequence[str] | str | None = None,
) -> LoggedArtifact:
    """
    Log a draft, or a file, directory or URL, into the default store.

    As `Store.log_artifact`, which see.
    """
    return default_store().log_artifact(artifact_or_path, name, type, aliases, tags)


def use_artifact(
    artifact_or_name: Artifact | str,
    type: str | None = None,  # noqa: A002 - W&B's
    aliases: Sequence[str] | str | None = None,
) -> LoggedArtifact:
    """
    Find a version in the default store. As `Store.use_artifact`, which see.
    """
    return default_store().use_artifact(artifact_or_name, type, aliases)


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

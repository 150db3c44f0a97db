"""What `art push` and `art pull` tell the run of an `art run exec` above them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.logged import LoggedArtifact

__all__ = ["run_above", "tell_logged", "tell_used"]

_VARIABLE = "ARTSTORE_EXEC"


def run_above(store: Store) -> str | None:
    """`project/run id` of the run that the next version is made by; None without one."""
    # Asked first: without such a run nothing of tracking is imported.
    if _VARIABLE not in os.environ:
        return None
    from artstore.tracking.joining import made_by

    return made_by(store.url)


def tell_logged(store: Store, version: LoggedArtifact) -> None:
    """Note on that run that it made a version."""
    if _VARIABLE in os.environ:
        from artstore.tracking.joining import note_logged

        note_logged(version, store.url)


def tell_used(store: Store, version: LoggedArtifact, asked: str) -> None:
    """Note on that run that it used a version."""
    if _VARIABLE in os.environ:
        from artstore.tracking.joining import note_used

        note_used(version, store.url, "pull", asked=asked)

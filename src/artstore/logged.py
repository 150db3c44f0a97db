"""
An artifact that was looked up: a version, and what can be done with it.
"""

from __future__ import annotations

from artstore.artifact import Artifact
from artstore.versions.reader import Collection, PullResult, PushSummary
from artstore.versions.version import LoggedVersion

__all__ = ["Collection", "LoggedArtifact", "PullResult", "PushSummary"]


class LoggedArtifact(Artifact):
    """
    One version in a store. What it says was true when it was looked up.

    It can be handed to the workers of a data loader, forked or spawned: there
    it opens the store anew. `push` is set on what `Store.log_artifact` returns.
    What belongs to drafts alone raises StateError `artifact-finalized`.
    """

    def __init__(self, version: LoggedVersion, *, push: PushSummary | None = None) -> None:
        super().__init__(version.state.name, version.state.type)
        self._become(version, push=push)

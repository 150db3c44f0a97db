"""
What a run does with artifacts: uses, logs and links them, and notes that it did.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from artstore.errors import InvalidInputError
from artstore.names import spelled
from artstore.versions.runrecords import (
    linked_record,
    logged_changes,
    logged_record,
    used_record,
)

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.artifact import Artifact
    from artstore.logged import LoggedArtifact

__all__ = ["RunArtifacts"]

_MODEL_TYPE = "model"


class RunArtifacts:
    """The part of `Run` that reads and writes artifacts."""

    id: str
    project: str
    _is_recording: bool

    @property
    def group(self) -> str | None:
        """As `Run.group`."""
        raise NotImplementedError

    def _store(self) -> Store:
        raise NotImplementedError

    def _note(self, changes: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def use_artifact(
        self,
        artifact_or_name: Artifact | str,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
        use_as: str | None = None,
    ) -> LoggedArtifact:
        """
        Find a version and note that this run used it.

        Args:
            artifact_or_name: `name:v3`, `name:alias`, `project/name`, `team/project/name:v3`,
                an artifact; a draft is logged first.
            type: what it must be.
            aliases: names to move onto it.
            use_as: what for, in a word.
        Raises:
            As `Store.use_artifact`.
        """
        is_draft = not isinstance(artifact_or_name, str) and artifact_or_name.is_draft()
        if is_draft and not self._is_recording:
            return self._unlogged(artifact_or_name)
        found = self._store().use_artifact(artifact_or_name, type, aliases)
        asked = artifact_or_name if isinstance(artifact_or_name, str) else None
        record = used_record(found, "use_artifact", asked=asked, use_as=use_as)
        self._note({"used": [record]})
        return found

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
        *,
        message: str | None = None,
    ) -> LoggedArtifact:
        """
        Store an artifact and note that this run made it.

        Args:
            artifact_or_path: a draft; or a file, directory or URL, which makes one, called
                `run-<run id>-<its name>` if no name is given.
            name: likewise; of what a path makes.
        Returns:
            the version; by a run that is quiet the draft as it was given, and nothing is stored.
        Raises:
            As `Store.log_artifact`.
        """
        from artstore.artifact import Artifact

        if not self._is_recording:
            return self._unlogged(artifact_or_path, name, type)
        if not isinstance(artifact_or_path, Artifact) and name is None:
            base = os.path.basename(os.fspath(artifact_or_path).rstrip("/")) or "files"
            name = f"run-{self.id}-{_as_name(base)}"
            type = type or "unspecified"  # noqa: A001 - W&B's
        made = self._store().log_artifact(
            artifact_or_path, name, type, aliases, tags, message=message, run=self._made_by()
        )
        self._note(logged_changes(made))
        return made

    def link_artifact(
        self,
        artifact: Artifact,
        target_path: str,
        aliases: Sequence[str] | None = None,
    ) -> LoggedArtifact:
        """
        Make the next version of `target_path` out of a version, without copying.

        Args:
            artifact: a draft is logged first.
        Raises:
            As `Artifact.link`.
        """
        if not self._is_recording:
            return self._unlogged(artifact)
        if artifact.is_draft():
            artifact = self.log_artifact(artifact)
        linked = artifact.link(target_path, aliases)
        self._note({"linked": [linked_record(artifact, linked)]})
        return linked

    # many writers, and the program itself ----------------------------------------------

    def upsert_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
        distributed_id: str | None = None,
    ) -> LoggedArtifact:
        """
        Add a part to a version that several processes make together.

        Args:
            artifact_or_path: what this process has of it: a draft, or a file or directory.
            aliases: for the version; `finish_artifact` takes them.
            distributed_id: what all of them call it; the group of the run if left out.
        Returns:
            the part, a version of a hidden collection.
        Raises:
            InvalidInputError: `value-invalid`, neither id nor group.
            As `Store.log_artifact`.
        """
        from artstore.tracking.jointartifacts import add_part

        del aliases
        if not self._is_recording:
            return self._unlogged(artifact_or_path, name, type)
        together = self._together(distributed_id)
        draft = self._draft(artifact_or_path, name, type)
        part = add_part(self._store(), draft, together, self._made_by())
        self._note({"logged": [logged_record(part)]})
        return part

    def finish_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's
        aliases: Sequence[str] | str | None = None,
        distributed_id: str | None = None,
    ) -> LoggedArtifact:
        """
        Make a version of all parts that `upsert_artifact` added, and of this one.

        Nothing is stored again: its entries are links. Parts that are in a version are not
        in the next one.

        Args:
            artifact_or_path: the last part, which may be empty; its name, type, description
                and metadata are those of the version.
        Raises:
            InvalidInputError: `entry-exists`, two parts have different files at one path;
                `value-invalid`, neither id nor group.
            As `Store.log_artifact`.
        """
        from artstore.tracking.jointartifacts import joined_parts, note_joined

        if not self._is_recording:
            return self._unlogged(artifact_or_path, name, type)
        together = self._together(distributed_id)
        draft = self._draft(artifact_or_path, name, type)
        parts = joined_parts(self._store(), draft, together)
        made = self.log_artifact(draft, aliases=aliases)
        note_joined(self._store(), parts)
        return made

    def log_code(
        self,
        root: str | os.PathLike[str] | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> LoggedArtifact | None:
        """
        Store source files as an artifact of type `code`.

        Args:
            root: where they lie.
            name: `source-<project>-<program>` if left out.
            include_fn: given the path of a file, and the root if it takes two: whether to
                store it; Python files and Dockerfiles if left out.
            exclude_fn: likewise, whether to leave it out. What lies in hidden directories and
                in those of virtual environments is left out in any case.
        Returns:
            the version; None if there is no such file.
        Raises:
            As `Store.log_artifact`.
        """
        from artstore.tracking.programcode import code_draft

        draft = code_draft(root or ".", name, self.project, include_fn, exclude_fn)
        return None if draft is None else self.log_artifact(draft)

    # models ----------------------------------------------------------------------------

    def log_model(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> LoggedArtifact:
        """
        Store a file or directory as the next version of a model.

        Args:
            name: `<name of the file>-<run id>` if left out.
        """
        if name is None:
            name = f"{_as_name(os.path.basename(os.fspath(path).rstrip('/')))}-{self.id}"
        return self.log_artifact(path, name, _MODEL_TYPE, aliases)

    def use_model(self, name: str) -> str:
        """
        Download a model and give its path: that of the file, if it has only one.

        Raises:
            InvalidInputError: `type-mismatch`, it is no model.
        """
        found = self.use_artifact(name)
        if _MODEL_TYPE not in (found.type or ""):
            raise InvalidInputError(
                f"{found.qualified_name} is of type {found.type}, no model", code="type-mismatch"
            )
        root = Path(os.fspath(found.download()))
        entries = [entry.path for entry in found.entries()]
        return str(root / entries[0] if len(entries) == 1 else root)

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> LoggedArtifact:
        """Store a model and link it into `registered_model_name`."""
        return self.link_artifact(self.log_model(path, name), registered_model_name, aliases)

    # inside ----------------------------------------------------------------------------

    def _together(self, distributed_id: str | None) -> str:
        found = distributed_id or self.group
        if not found:
            raise InvalidInputError(
                "several processes that make one artifact need a name for that",
                code="value-invalid",
                hint="give distributed_id=, or init(group=...) in all of them",
            )
        return found

    @staticmethod
    def _draft(
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None,
        type: str | None,  # noqa: A002 - W&B's
    ) -> Artifact:
        from artstore.artifact import Artifact
        from artstore.drafts.frompath import draft_of_path

        if isinstance(artifact_or_path, Artifact):
            return artifact_or_path
        return draft_of_path(artifact_or_path, name, type)

    def _unlogged(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's
    ) -> LoggedArtifact:
        # A program that goes on with it finds what can be known of a draft.
        return cast("LoggedArtifact", self._draft(artifact_or_path, name, type))

    def _made_by(self) -> str | None:
        return f"{self.project}/{self.id}" if self._is_recording else None


def _as_name(text: str) -> str:
    return spelled(text, "-").lstrip(".") or "files"

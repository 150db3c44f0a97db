"""
Values with files of their own that a run logs: pictures beside its journal, tables as artifacts.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artstore import clock, limits
from artstore.digest import Hasher
from artstore.errors import InvalidInputError
from artstore.names import RUN_TABLE_TYPE, spelled
from artstore.tracking.mediajson import media_json, media_list_json
from artstore.tracking.values import Deferred

if TYPE_CHECKING:
    from artstore.tracking.run import Run

__all__ = ["keep_value", "value_collection"]

_MEDIA: Final = "media"


def keep_value(run: Run, directory: Path, key: str, deferred: Deferred) -> Any:
    """
    Keep a value of a row; the JSON that stands for it there.

    Args:
        directory: where pictures and the like wait for the store.
    Raises:
        As `Store.log_artifact`, for a table.
    Cost: a file; a table is pushed before this returns.
    """
    if deferred.kind == "media":
        return media_json(deferred.value, _Sink(directory))
    if deferred.kind == "media-list":
        return media_list_json(deferred.value, _Sink(directory))
    return _keep_table(run, key, deferred)


def value_collection(run_id: str, key: str) -> str:
    """The collection of what a run logs as `key`: `run-<id>-<key>`."""
    return f"run-{run_id}-{spelled(key, '-')}"[: limits.NAME_MAX_CHARS].rstrip(".")


def _keep_table(run: Run, key: str, deferred: Deferred) -> dict[str, Any]:
    from artstore.artifact import Artifact

    draft = Artifact(value_collection(run.id, key), RUN_TABLE_TYPE)
    entry = draft.add(deferred.value, _entry_name(key))
    made = run.log_artifact(draft)
    return {
        "_type": f"{deferred.kind}-file",
        "artifact": made.qualified_name,
        "path": getattr(entry, "path", _entry_name(key)),
        "rows": getattr(deferred.value, "row_count", None),
        "columns": [str(name) for name in getattr(deferred.value, "columns", ())][:1000],
    }


def _entry_name(key: str) -> str:
    parts = [part for part in key.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "table"


class _Sink:
    """Puts files of media beside the journal, under their digests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, content: bytes | Path, extension: str, digest: bytes) -> str:
        name = f"{digest.hex()}.{extension}" if extension else digest.hex()
        file = self._directory / name
        if not file.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            beside = self._directory / f".{clock.random_bytes(8).hex()}"
            try:
                if isinstance(content, bytes):
                    beside.write_bytes(content)
                else:
                    self._copy(content, beside, digest)
                os.replace(beside, file)
            finally:
                beside.unlink(missing_ok=True)
        return f"{_MEDIA}/{name}"

    @staticmethod
    def _copy(source: Path, target: Path, digest: bytes) -> None:
        shutil.copyfile(source, target)
        hasher = Hasher()
        with open(target, "rb") as file:
            while part := file.read(limits.READ_WINDOW_BYTES):
                hasher.update(part)
        if hasher.digest() != digest:
            raise InvalidInputError(
                f"{source} was changed while it was logged",
                code="media-file-changed",
                file=str(source),
            )

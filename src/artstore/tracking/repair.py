"""
Journals that dead processes left: brought to their stores, their runs closed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from artstore.errors import ArtstoreError, DamagedDataError, StateError
from artstore.runs.journalblocks import STORED
from artstore.tracking.journal import JOURNALS, JournalWriter, is_alive, unfinished
from artstore.tracking.recording import remove_session
from artstore.tracking.replayer import EndRecord, Replayer
from artstore.tracking.sessions import FILES, META, SessionMeta

__all__ = [
    "Repaired",
    "dead_sessions",
    "repair_all",
    "repair_in_background",
    "repair_run",
]


class Repaired(NamedTuple):
    """A session that was closed: its run, the state it got, or why it could not be."""

    path: str
    state: str | None
    error: ArtstoreError | None
    directory: Path


def dead_sessions(state_dir: Path, *, any_host: bool = False) -> Iterator[tuple[Path, SessionMeta]]:
    """
    Journals whose processes are gone.

    Args:
        any_host: also those of other machines that share the directory; a process there may
            live all the same, if the disk does not share locks.
    """
    for directory in unfinished(state_dir):
        if is_alive(directory):
            continue
        try:
            meta = SessionMeta.read(directory)
        except ArtstoreError:
            continue
        if any_host or meta.host == os.uname().nodename:
            yield directory, meta


def repair_all(
    state_dir: Path, *, url: str | None = None, any_host: bool = False
) -> Iterator[Repaired]:
    """
    Bring what dead processes left to the stores, and close their runs.

    Args:
        url: of the one store that is meant; all if None.
    """
    for directory, meta in dead_sessions(state_dir, any_host=any_host):
        if url is not None and meta.url != url:
            continue
        outcome = _repaired(directory, meta)
        if outcome is not None:
            yield outcome


def repair_run(state_dir: Path, url: str, project: str, run_id: str) -> None:
    """
    Likewise for one run of one store, before it is gone on with.

    Raises:
        StateError: `run-active`, another process of this machine is writing it.
        ArtstoreError: what the storage raises.
    """
    for directory in sorted((state_dir / JOURNALS).glob(f"{run_id}-*")):
        try:
            meta = SessionMeta.read(directory)
        except DamagedDataError:
            continue
        if meta.run_id != run_id or meta.url != url or meta.project != project:
            continue
        if is_alive(directory):
            raise StateError(
                f"run {meta.project}/{run_id} is going on in process {meta.pid}",
                code="run-active",
                hint="finish it there, or wait until it has ended",
            )
        outcome = _repaired(directory, meta)
        if outcome is not None and outcome.error is not None:
            raise outcome.error


def repair_in_background(state_dir: Path) -> None:
    """Close what others left, in a thread, whatever comes of it."""

    def repair() -> None:
        with suppress(Exception):
            for _ in repair_all(state_dir):
                continue

    if next(dead_sessions(state_dir), None) is not None:
        threading.Thread(target=repair, name="artstore-repair", daemon=True).start()


def _repaired(directory: Path, meta: SessionMeta) -> Repaired | None:
    """Close one; None if somebody else has done so meanwhile."""
    path = f"{meta.project}/{meta.run_id}"
    # Before the journal is opened for writing, which makes it look new.
    heard = _last_seconds(directory, meta)
    try:
        writer = JournalWriter(directory)
    except ArtstoreError as error:
        return Repaired(path, None, error, directory)
    try:
        # It is forgotten under the same lock.
        if not (directory / META).exists():
            remove_session(directory)
            return None
        replayer = Replayer(directory, meta, _noter(writer))
        _bring_files(directory, meta, replayer)
        replayer.finish(EndRecord("crashed", None, heard))
        state = replayer.end_record.state if replayer.end_record else "crashed"
        remove_session(directory)
    except ArtstoreError as error:
        return Repaired(path, None, error, directory)
    finally:
        writer.close()
    return Repaired(path, state, None, directory)


def _bring_files(directory: Path, meta: SessionMeta, replayer: Replayer) -> None:
    """Store what the program kept in `run.dir`, as it would have done at its end."""
    if not any((directory / FILES).glob("*")):
        return
    from artstore.defaultstore import store_of
    from artstore.tracking.runfiles import draft_of_files
    from artstore.versions.runrecords import logged_record

    draft = draft_of_files(meta.run_id, directory / FILES)
    if draft is not None:
        made = store_of(meta.settings()).log_artifact(draft, run=f"{meta.project}/{meta.run_id}")
        replayer.add({"logged": [logged_record(made)]})


def _noter(writer: JournalWriter) -> Any:
    def note(watermark: Mapping[str, Any]) -> None:
        writer.append(STORED, json.dumps(watermark).encode())

    return note


def _last_seconds(directory: Path, meta: SessionMeta) -> float:
    """When the process was heard of last."""
    try:
        return (directory / "journal.log").stat().st_mtime
    except OSError:
        return meta.started

"""
Which run resume='auto' goes on with.

A job that a scheduler runs again has a run whose id follows from the job, the project and
the program: whatever machine it comes to finds it in the store. A program that was started
by hand has a note on this machine, which is there until the run ended well.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from artstore.settings import Settings
from artstore.tracking import ranks

__all__ = ["remember", "resumed_id"]

_NOTES: Final = "resume"
_ID_CHARS: Final = 12


def resumed_id(state_dir: Path, settings: Settings) -> str | None:
    """The run of this job, or the one of this program that is not known to have ended well."""
    job = ranks.job()
    if job is not None:
        return f"job-{_told(settings, [job.key])[:_ID_CHARS]}"
    try:
        told = json.loads(_note_file(state_dir, settings).read_bytes())
        return str(told["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(state_dir: Path, settings: Settings, run_id: str | None) -> None:
    """Note the run of this program; None forgets it."""
    file = _note_file(state_dir, settings)
    with suppress(OSError):
        if run_id is None:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"run": run_id}), encoding="utf-8")


def _note_file(state_dir: Path, settings: Settings) -> Path:
    return state_dir / _NOTES / f"{_told(settings, [os.getcwd()])}.json"


def _told(settings: Settings, place: list[str]) -> str:
    told = json.dumps([settings.url, settings.project, *place, *sys.argv[:1]])
    return hashlib.sha256(told.encode()).hexdigest()[:32]

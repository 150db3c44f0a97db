"""Sessions of runs on this machine, of which every step is made by the test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from artstore import clock
from artstore.tracking.journal import JournalWriter
from artstore.tracking.recorder import Recorder
from artstore.tracking.recording import forget_session, remove_session
from artstore.tracking.replayer import EndRecord, Replayer
from artstore.tracking.sessions import SessionMeta, new_session_id

PROJECT = "demo"


class Session:
    """A session of a run, of which every step is made by the test."""

    def __init__(
        self, root: Path, run_id: str = "r1", *, state: Path | None = None, **given: Any
    ) -> None:
        self.root = root
        self.meta = SessionMeta(
            **{
                "url": str(root / "store"),
                "project": PROJECT,
                "run_id": run_id,
                "session": new_session_id(),
                "is_primary": True,
                "started": clock.now_seconds(),
                "host": os.uname().nodename,
                "user": "ada",
                "pid": os.getpid(),
                **given,
            }
        )
        self.directory = self.meta.directory(state or root / "state")
        self.meta.write(self.directory)
        self.recorder = Recorder(JournalWriter(self.directory), flush_seconds=3600)
        self.replayer = Replayer(self.directory, self.meta, self.recorder.add_stored)

    def log(self, *steps: int, key: str = "loss") -> None:
        for step in steps:
            self.recorder.log({key: step * 0.5}, step=step)
        self.recorder.flush()

    def store(self) -> None:
        self.replayer.step(15.0)
        self.recorder.flush()

    def finish(self) -> None:
        self.recorder.end("finished", 0)
        self.replayer.finish(EndRecord("finished", 0, clock.now_seconds()))
        forget_session(self.directory)
        self.recorder.close()
        remove_session(self.directory)

    def die(self) -> None:
        """As `kill -9` leaves it, a while ago."""
        self.recorder.close()
        os.utime(self.directory / "lock", (0, 0))

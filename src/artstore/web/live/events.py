"""
Server-sent events: which runs of a project changed, to everybody who watches it.

A watcher costs a place in a list and no memory of what it has not been told: it remembers up to
which revision it was, and what came since is looked up when it can take it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from artstore.web.live.project import Changed
    from artstore.web.live.runs import Live

__all__ = ["EventsAnswer"]

_BEAT_SECONDS: Final = 15.0
"""So that proxies do not take a quiet line for a dead one."""
_AGAIN_MILLISECONDS: Final = 1000
_TOLD_COUNT: Final = 1_000
"""Of more runs at once nothing is told but that they changed."""
_UNKNOWN: Final = -1


class EventsAnswer(StreamingResponse):
    """
    What changes in a project, until the visitor goes or the server ends.

    Args:
        only: ids of the runs that are meant; all if None.
        since: the revision up to which the visitor knows it; None: from now on.
    """

    def __init__(
        self, live: Live, project: str, *, only: frozenset[str] | None, since: int | None
    ) -> None:
        # Proxies that would gather an answer before they pass it on.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._events(), headers=headers, media_type="text/event-stream")
        self._live = live
        self._project = project
        self._only = only
        self._since = _UNKNOWN if since is None else since
        self._wanted: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        wanted = self._wanted = asyncio.Event()

        def wake() -> None:
            # The loop may have ended before the thread that looks.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(wanted.set)

        # However it ends, it is forgotten.
        with self._live.watch(self._project, wake):
            await super().__call__(scope, receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        wanted = self._wanted
        assert wanted is not None, "it is called before it is iterated"
        yield f"retry: {_AGAIN_MILLISECONDS}\n\n".encode()
        while not self._live.is_closed:
            event = self._event()
            if event is not None:
                yield event
            try:
                await asyncio.wait_for(wanted.wait(), _BEAT_SECONDS)
            except TimeoutError:
                yield b": beat\n\n"
            wanted.clear()

    def _event(self) -> bytes | None:
        """What is new for this visitor, if anything is."""
        changed = self._live.changes(self._project, max(self._since, 0))
        if changed is None:
            return None
        if self._since == _UNKNOWN:
            self._since = changed.revision
            return None
        if changed.revision <= self._since:
            return None
        self._since = changed.revision
        return _encoded(self._project, changed, self._only)


def _encoded(project: str, changed: Changed, only: frozenset[str] | None) -> bytes | None:
    runs = [one for one in changed.runs if only is None or one[0] in only]
    is_all = changed.is_whole and len(runs) <= _TOLD_COUNT
    if is_all and not runs:
        return None
    told = {
        "project": project,
        "revision": changed.revision,
        "is_all": is_all,
        "runs": [
            {"run": run_id, "revision": revision, "state": state}
            for run_id, revision, state in (runs if is_all else ())
        ],
    }
    data = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return f"event: runs\nid: {changed.revision}\ndata: {data}\n\n".encode()

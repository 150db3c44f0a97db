"""
Runs of one store that this machine knows more of than the store does: out of their journals.

A journal is a second old where the store is a quarter of a minute behind. It is there from the
first line of a run until the store has all of it; that of a process that was killed stays until
somebody brings it home. Whoever reads here changes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from artstore import clock
from artstore.catalog.runs.format import ENDED_STATES, check_run_id
from artstore.catalog.runs.state import applied, empty_whole
from artstore.errors import ArtstoreError
from artstore.names import check_project_name
from artstore.storage.opener import open_storage
from artstore.tracking.journal import JOURNALS, is_alive
from artstore.tracking.journalfollower import (
    JournalFollower,
    JournalStretch,
    JournalView,
    SessionEnd,
)
from artstore.tracking.sessions import MEDIA, META, SessionMeta

__all__ = ["LocalRun", "LocalRuns", "LocalSession"]

_SESSION: Final = re.compile(r"[0-9a-f]{16}")
_MEDIA_NAME: Final = re.compile(r"[0-9a-f]{64}(\.[A-Za-z0-9_.\-]{1,40})?")
_LOCK: Final = "lock"
_SETTLED_SECONDS: Final = 1.0
"""Of a lock that is younger, its process may not have taken it yet."""
_BEGINNING_SECONDS: Final = 10.0
"""Likewise of a session that has no lock yet."""
_SESSIONS_COUNT: Final = 1_000
_PROMISE_SECONDS: Final = 60.0
_LIFE_SECONDS: Final = 24 * 3600.0
"""A process that lives is heard of again, in whatever time: until then nobody takes it for dead."""
_INT_LIMIT: Final = 2**31


@dataclass(frozen=True, slots=True)
class LocalSession:
    """
    One session at one moment; nothing in it changes.

    Attributes:
        is_dead: whether its process is gone; False where nobody here can tell.
    """

    directory: Path
    meta: SessionMeta
    view: JournalView
    is_dead: bool

    @property
    def end(self) -> SessionEnd | None:
        """How it ended, if it did."""
        if self.view.end is not None:
            return self.view.end
        return SessionEnd("crashed", None, self.view.seconds) if self.is_dead else None


@dataclass(frozen=True, slots=True)
class LocalRun:
    """
    What this machine knows of a run beyond its log, at one moment; nothing in it changes.

    Attributes:
        sessions: in the order in which they began.
        revision: another one whenever something is different.
    """

    project: str
    run_id: str
    sessions: Sequence[LocalSession]
    revision: int

    @property
    def stored_mark(self) -> tuple[tuple[str, int], ...]:
        """How far the store had got: who reads its log after this was read misses nothing."""
        return tuple((one.meta.session, one.view.stored_offset) for one in self.sessions)

    def whole_of(self, stored: Mapping[str, Any] | None) -> dict[str, Any]:
        """
        What is said of the run.

        Args:
            stored: what its log says, read after this was; None if it has none.
        """
        whole = empty_whole(self.project, self.run_id) if stored is None else dict(stored)
        for session in self.sessions:
            view = session.view
            whole = applied(whole, view.changes)
            whole["segments"] = _with_segments(whole["segments"], session.meta.session, view)
            whole["sessions"] = _with_session(whole["sessions"], session)
            whole["created"] = whole["created"] or clock.format_time(session.meta.started)
            updated = clock.format_time(view.seconds)
            whole["updated"] = max(whole["updated"] or updated, updated)
        return whole

    def stretches(self, kind: str) -> dict[str, tuple[JournalStretch, ...]]:
        """Session to what its journal has and the store has not: `rows`, `system`, `console`."""
        return {one.meta.session: one.view.stretches[kind] for one in self.sessions}

    def media_file(self, path: str) -> Path | None:
        """The file of a value that a row names, `media/<digest>.png`; None if it is not here."""
        name = path.removeprefix(f"{MEDIA}/")
        if _MEDIA_NAME.fullmatch(name) is None:
            return None
        files = [session.directory / MEDIA / name for session in self.sessions]
        return next((file for file in files if file.is_file() and not file.is_symlink()), None)


class LocalRuns:
    """
    The runs of one store that have journals here. One thread at a time.

    Args:
        state_dir: below which journals lie; those that `init(dir=...)` put elsewhere are not seen.
        store_url: of the store that is meant, as `Settings.url`.
    """

    def __init__(self, state_dir: Path, store_url: str) -> None:
        self._root = state_dir / JOURNALS
        self._place = _place_of(store_url)
        self._host = os.uname().nodename
        self._followed: dict[str, _Followed] = {}
        self._others: dict[str, tuple[int, int]] = {}
        self._runs: dict[tuple[str, str], LocalRun] = {}
        self._revision = 0
        self.look_count = 0

    @property
    def runs(self) -> Mapping[tuple[str, str], LocalRun]:
        """Project and id to what is known of a run."""
        return self._runs

    def refresh(self) -> set[tuple[str, str]]:
        """
        Look again; the runs of which something is different, or which have no journal any more.

        Cost: three calls of the system a session, and what was logged since.
        """
        self.look_count += 1
        there = self._names()
        changed = {self._followed.pop(name).run for name in [*self._followed] if name not in there}
        for name in there:
            followed = self._followed.get(name) or self._taken_up(name)
            if followed is None:
                continue
            if not followed.is_kept():
                # The store has all of it.
                del self._followed[name]
                changed.add(followed.run)
            elif followed.look(self._host):
                changed.add(followed.run)
        self._put_together(changed)
        return changed

    def _names(self) -> dict[str, None]:
        try:
            with os.scandir(self._root) as found:
                names = sorted(entry.name for entry in found)
        except OSError:
            return {}
        self._others = {name: self._others[name] for name in names if name in self._others}
        return dict.fromkeys(names)

    def _taken_up(self, name: str) -> _Followed | None:
        """Follow a session, if it is one of this store."""
        directory = self._root / name
        try:
            status = os.stat(directory / META)
        except OSError:
            return None
        seen = (status.st_mtime_ns, status.st_size)
        if self._others.get(name) == seen or len(self._followed) >= _SESSIONS_COUNT:
            return None
        try:
            meta = SessionMeta.read(directory)
            is_ours = _is_sound(meta) and self._is_of_store(meta)
        except ArtstoreError:
            is_ours = False
        if not is_ours:
            self._others[name] = seen
            return None
        followed = self._followed[name] = _Followed(directory, meta)
        return followed

    def _is_of_store(self, meta: SessionMeta) -> bool:
        # A store in memory is of one process, whatever it is called in others.
        is_shared = not self._place.startswith("memory:") or meta.pid == os.getpid()
        return is_shared and _place_of(meta.url) == self._place

    def _put_together(self, changed: set[tuple[str, str]]) -> None:
        if not changed:
            return
        sessions: dict[tuple[str, str], list[LocalSession]] = {}
        for followed in self._followed.values():
            if followed.run in changed:
                sessions.setdefault(followed.run, []).append(followed.session())
        runs = dict(self._runs)
        for key in changed:
            self._revision += 1
            if key in sessions:
                ordered = sorted(sessions[key], key=lambda one: one.meta.started)
                runs[key] = LocalRun(*key, tuple(ordered), self._revision)
            else:
                runs.pop(key, None)
        # Who has the former one goes on with it.
        self._runs = runs


class _Followed:
    """A session that is followed."""

    def __init__(self, directory: Path, meta: SessionMeta) -> None:
        self._directory = directory
        self._meta = meta
        self._follower = JournalFollower(directory, meta)
        self._is_dead = False
        self._is_new = True

    @property
    def run(self) -> tuple[str, str]:
        return self._meta.project, self._meta.run_id

    def is_kept(self) -> bool:
        """False when the store has all of it: then it is forgotten, before anything else goes."""
        return os.path.lexists(self._directory / META)

    def look(self, host: str) -> bool:
        """Whether anything is different."""
        before, self._is_new = self._is_new, False
        # First: what a process wrote before it died is there when it is dead.
        is_dead = self._is_dead or (self._meta.host == host and self._has_died())
        is_other = before or is_dead != self._is_dead
        self._is_dead = is_dead
        return self._follower.read_on() or is_other

    def session(self) -> LocalSession:
        return LocalSession(self._directory, self._meta, self._follower.view(), self._is_dead)

    def _has_died(self) -> bool:
        # For good: who brings its journal home takes the lock as well.
        if is_alive(self._directory):
            return False
        now = clock.now_seconds()
        try:
            return now - os.stat(self._directory / _LOCK).st_mtime > _SETTLED_SECONDS
        except OSError:
            return now - self._meta.started > _BEGINNING_SECONDS


def _place_of(url: str) -> str:
    """One text for one place of a store, however it is spelled."""
    try:
        found = open_storage(url).url
    except ArtstoreError:
        return url
    return os.path.realpath(unquote(urlsplit(found).path)) if found.startswith("file:") else found


def _is_sound(meta: SessionMeta) -> bool:
    """Whether what a file says can be what a run has written."""
    texts = (meta.url, meta.project, meta.run_id, meta.session, meta.host, meta.user)
    numbers = (meta.pid, meta.rank)
    if not all(type(text) is str for text in texts) or type(meta.earlier) is not dict:
        return False
    if not all(type(number) is int and abs(number) < _INT_LIMIT for number in numbers):
        return False
    if type(meta.started) not in (int, float) or not 0 <= meta.started < 2**36:
        return False
    try:
        check_project_name(meta.project)
        check_run_id(meta.run_id)
    except ArtstoreError:
        return False
    return _SESSION.fullmatch(meta.session) is not None


def _with_segments(
    before: Mapping[str, Any], session: str, view: JournalView
) -> dict[str, dict[str, Any]]:
    """The segments of one session as its journal notes them, be the log behind or before that."""
    after = {kind: dict(by_session) for kind, by_session in before.items()}
    for kind in {*after, *view.segments}:
        after.setdefault(kind, {}).pop(session, None)
        if view.segments.get(kind):
            after[kind][session] = view.segments[kind]
    return after


def _with_session(before: Sequence[Any], session: LocalSession) -> list[Any]:
    """The sessions of a run, with what is known here of one of them."""
    meta, end = session.meta, session.end
    known = next((one for one in before if one.get("id") == meta.session), None)
    told = {
        "id": meta.session,
        "is_primary": bool(meta.is_primary),
        "started": clock.format_time(meta.started),
        "next_by": clock.format_time(session.view.seconds + _PROMISE_SECONDS),
        "ended": None,
        "state": None,
        "exit_code": None,
        "host": meta.host,
        "user": meta.user,
        "rank": meta.rank,
        **(known or {}),
    }
    if end is not None:
        state = end.state if end.state in ENDED_STATES else "crashed"
        ended = clock.format_time(end.seconds)
        told |= {"ended": ended, "state": state, "exit_code": end.exit_code}
    elif session.meta.host == os.uname().nodename:
        # It lives: that the store does not hear of it does not make it a dead one.
        next_by = clock.format_time(clock.now_seconds() + _LIFE_SECONDS)
        told |= {"ended": None, "state": None, "exit_code": None, "next_by": next_by}
    if known is not None:
        return [told if one is known else one for one in before]
    return sorted([*before, told], key=lambda one: str(one.get("started")))

"""
What this machine knows of the runs of a store: one row a run, one row an edge.

Kept in one SQLite file of the host, and brought up to date by one scan of the
markers of activity and a look at the runs that are going on. Everything in it is a
fold of what the store holds, and the file may vanish at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from artstore import clock
from artstore.catalog.format import VERSION_MAX, RawEntry
from artstore.catalog.hostdatabase import HostDatabase, file_of_host
from artstore.catalog.runs import activity
from artstore.catalog.runs.runlog import RunLog, RunState, decode_last, run_entry_key
from artstore.catalog.runs.state import Whole, empty_whole, is_open, seconds_of
from artstore.errors import DamagedDataError, NotFoundError, StateError
from artstore.storage.protocol import Storage

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Edge", "RunIndex", "run_edges"]

_SCHEMA_NUMBER: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    store TEXT NOT NULL, project TEXT NOT NULL, run TEXT NOT NULL,
    n INTEGER NOT NULL, watched_until REAL NOT NULL, facts TEXT NOT NULL, rest TEXT NOT NULL,
    PRIMARY KEY (store, project, run)
);
CREATE INDEX IF NOT EXISTS watched ON runs (store, project, watched_until);
CREATE TABLE IF NOT EXISTS edges (
    store TEXT NOT NULL, artifact TEXT NOT NULL, version INTEGER NOT NULL,
    direction TEXT NOT NULL, project TEXT NOT NULL, run TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS edges_of_version ON edges (store, artifact, version);
CREATE INDEX IF NOT EXISTS edges_of_run ON edges (store, project, run);
CREATE TABLE IF NOT EXISTS marks (
    store TEXT NOT NULL, project TEXT NOT NULL,
    seen_seconds REAL NOT NULL, listed_seconds REAL NOT NULL,
    PRIMARY KEY (store, project)
) WITHOUT ROWID;
"""

_FACTS_WITHOUT: Final = ("used", "logged", "linked", "segments", "environment")
"""What a list of runs does not show, and is large."""
_SKEW_SECONDS: Final = 3600.0
"""Clocks of writers may be that far apart; markers that young are listed again."""
_PENDING_SECONDS: Final = 24 * 3600.0
"""A marker whose entry does not come within a day belongs to a writer that died."""
_RELIST_SECONDS: Final = 24 * 3600.0
"""All markers are listed once a day, for writers with clocks that are still further off."""
_WATCHED_SECONDS: Final = 24 * 3600.0
"""A run that was to be heard of is asked for that long; who resumes it writes a marker."""
_BATCH_COUNT: Final = 512
_THREAD_COUNT: Final = 16
_LOGS_KEPT: Final = 1_000
_DIRECTIONS: Final = ("used", "logged", "linked")
_MEMBER_COUNT: Final = 100
"""Of one call of `json_extract`: SQLite takes 127 arguments at most."""
_JSON_SINCE: Final = (3, 38, 0)
"""The release of SQLite from which on it always can read JSON."""
_MEMORY: Final = Path(":memory:")
_FAILED: Final = object()
_Answer = TypeVar("_Answer")


class Edge(NamedTuple):
    """A run used, logged or linked a version; `detail` is what the run's log says of it."""

    direction: str
    project: str
    run_id: str
    artifact: str
    version: int
    detail: dict[str, Any]


class RunIndex:
    """
    The runs of one store as this machine knows them. Safe between threads.

    Args:
        file: None to remember nothing between processes.
    """

    def __init__(self, storage: Storage, store_id: str, file: Path | None, author: str) -> None:
        self._storage = storage
        self._store_id = store_id
        self.author = author
        self._is_kept = file is not None
        # Who reads one takes it out, so that no two threads have the same.
        self._logs: dict[tuple[str, str], RunLog] = {}
        self._database = HostDatabase(file or _MEMORY, _SCHEMA, _SCHEMA_NUMBER)

    @staticmethod
    def file_in(directory: Path) -> Path:
        """The index of this host inside a cache directory."""
        return file_of_host(directory, "runs")

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        self._database.close()

    # --- bringing it up to date ---------------------------------------------------------

    def projects(self) -> list[str]:
        """Projects with runs. Cost: one scan of names."""
        return list(activity.projects_with_runs(self._storage))

    def refresh(self, project: str) -> None:
        """
        Learn what happened in a project since.

        Cost: one scan of markers; one scan for each run that is going on; one read for
        each run that ended since.
        """
        now = clock.now_seconds()
        seen, listed = self._marks(project)
        is_whole_listing = now - listed > _RELIST_SECONDS
        since = 0.0 if is_whole_listing else max(0.0, seen - _SKEW_SECONDS)
        newest: dict[str, int] = {}
        marked: dict[str, float] = {}
        for marker in activity.read_markers(self._storage, project, since):
            newest[marker.run_id] = max(marker.n, newest.get(marker.run_id, -1))
            marked[marker.run_id] = marker.seconds
        known = self._known_of(project, list(newest), now)
        wanted = {run: n for run, n in newest.items() if n > known.get(run, (-1, 0.0))[0]}
        # One that has not ended and was not asked for in time is asked for once a day.
        asked_until = 0.0 if is_whole_listing else now
        watched = [
            run for run, (_, until) in known.items() if until > asked_until and run not in wanted
        ]
        pending = [marked[run] for run in self._read_marked(project, wanted)]
        self._read_watched(project, watched, known)
        # What was announced and is not there yet is looked at again, for a day.
        waiting = [seconds for seconds in pending if now - seconds < _PENDING_SECONDS]
        seen = min([now, *waiting])
        self._set_marks(project, seen, now if is_whole_listing else listed)

    def refresh_run(self, project: str, run_id: str) -> RunState:
        """One run as it is now. Cost: one scan; one batch of reads."""
        state = self._read_log(project, run_id)
        if state.exists:
            self._keep(project, [(run_id, state)])
        return state

    def accept(self, project: str, run_id: str, state: RunState) -> None:
        """Remember what this process has just written."""
        self._keep(project, [(run_id, state)])

    def _read_marked(self, project: str, wanted: dict[str, int]) -> list[str]:
        """Read runs whose entry `n` was announced; gives those that have no such entry yet."""
        missing: list[str] = []
        items = list(wanted.items())
        for start in range(0, len(items), _BATCH_COUNT):
            batch = items[start : start + _BATCH_COUNT]
            states: list[tuple[str, RunState]] = []
            folded: list[str] = []
            for (run_id, _), raw in zip(batch, self._entries(project, batch), strict=True):
                state = None if raw is None else decode_last(project, run_id, raw)
                if state is None:
                    folded.append(run_id)
                else:
                    states.append((run_id, state))
                if raw is None:
                    missing.append(run_id)
            states += [(run_id, state) for run_id, state in self._folded(project, folded)]
            self._keep(project, states)
        return missing

    def _entries(self, project: str, batch: Sequence[tuple[str, int]]) -> Iterator[RawEntry | None]:
        requests = [(run_entry_key(project, run_id, n), None) for run_id, n in batch]
        try:
            values: list[bytes | None] = [bytes(v) for v in self._storage.read_many(requests)]
        except (NotFoundError, DamagedDataError):
            values = [self._read_or_none(key) for key, _ in requests]
        for (_, n), value in zip(batch, values, strict=True):
            yield None if value is None else RawEntry.of(n, value)

    def _read_or_none(self, key: str) -> bytes | None:
        try:
            return self._storage.read(key)
        except NotFoundError:
            return None

    def _folded(self, project: str, runs: Iterable[str]) -> Iterator[tuple[str, RunState]]:
        runs = list(runs)
        if not runs:
            return

        def read(run_id: str) -> RunState:
            return self._read_log(project, run_id)

        if len(runs) == 1:
            states: Iterable[RunState] = [read(runs[0])]
        else:
            with ThreadPoolExecutor(min(_THREAD_COUNT, len(runs))) as pool:
                states = list(pool.map(read, runs))
        for run_id, state in zip(runs, states, strict=True):
            if state.exists:
                yield run_id, state

    def _read_log(self, project: str, run_id: str) -> RunState:
        # Of a run that goes on only what is new is read, again and again.
        log = self._logs.pop((project, run_id), None)
        log = log or RunLog(self._storage, project, run_id, self.author)
        state = log.refresh()
        if is_open(state.whole) and len(self._logs) < _LOGS_KEPT:
            self._logs[project, run_id] = log
        return state

    def _read_watched(
        self, project: str, watched: list[str], known: dict[str, tuple[int, float]]
    ) -> None:
        changed = [
            (run_id, state)
            for run_id, state in self._folded(project, watched)
            if state.n > known[run_id][0]
        ]
        self._keep(project, changed)

    # --- asking ---------------------------------------------------------------------------

    def runs(self, project: str, *, only: Sequence[str] | None = None) -> list[Whole]:
        """
        Every run of a project without its uses, outputs, segments and environment, oldest first.

        Args:
            only: ids of the runs that are wanted; all if None.
        Cost: no request; about 10 us a run.
        """

        def load(db: sqlite3.Connection) -> list[Whole]:
            query = "SELECT run, facts FROM runs WHERE store = ? AND project = ?"
            values: list[str] = [self._store_id, project]
            if only is not None and len(only) <= _BATCH_COUNT:
                query += f" AND run IN ({','.join('?' * len(only))})"
                values += only
            wanted = None if only is None else set(only)
            texts = [
                facts
                for run_id, facts in db.execute(query, values)
                if wanted is None or run_id in wanted
            ]
            # One parse for all: half the cost of one for each.
            found: list[Whole] = json.loads(f"[{','.join(texts)}]")
            return found

        return sorted(self._ask(load), key=lambda whole: (whole["created"] or "", whole["run"]))

    def members(self, project: str, wanted: Sequence[tuple[str, ...]]) -> list[list[Any]]:
        """
        Of every run of a project some members, in no order: far less is read than by `runs`.

        Args:
            wanted: at least two: `("name",)`, or `("config", "lr")` for one key of an object;
                what a run has not is None.
        Cost: no request; about 3 us a run, and 0.2 for each member.
        """
        paths = [_json_path(member) for member in wanted]
        if None in paths or len(paths) > _MEMBER_COUNT or not _has_json():
            return [[_member(whole, member) for member in wanted] for whole in self.runs(project)]

        def load(db: sqlite3.Connection) -> list[list[Any]]:
            query = (
                f"SELECT json_extract(facts, {', '.join('?' * len(paths))}) "  # noqa: S608
                "FROM runs WHERE store = ? AND project = ?"
            )
            rows = db.execute(query, (*paths, self._store_id, project)).fetchall()
            found: list[list[Any]] = json.loads(f"[{','.join(text for (text,) in rows)}]")
            return found

        return self._ask(load)

    def keys(self, project: str) -> dict[str, list[str]]:
        """The keys that the config and the summary of any run have. Cost: as `runs`."""
        found: dict[str, dict[str, None]] = {"config": {}, "summary": {}}
        for whole in self.runs(project):
            for name, known in found.items():
                known.update(dict.fromkeys(whole[name]))
        return {name: list(known) for name, known in found.items()}

    def run(self, project: str, run_id: str) -> RunState | None:
        """What is known of one run, None if nothing is. Cost: no request."""

        def load(db: sqlite3.Connection) -> RunState | None:
            row = db.execute(
                "SELECT n, facts, rest FROM runs WHERE store = ? AND project = ? AND run = ?",
                (self._store_id, project, run_id),
            ).fetchone()
            if row is None:
                return None
            whole = {**empty_whole(project, run_id), **json.loads(row[1]), **json.loads(row[2])}
            return RunState(whole, row[0])

        return self._ask(load)

    def heads(self, project: str) -> dict[str, int]:
        """The number of the last entry that is known of each run. Cost: no request."""
        return {run_id: n for run_id, (n, _) in self._known(project).items()}

    def all_heads(self) -> dict[tuple[str, str], int]:
        """As `heads`, by project and run id, of all runs but deleted ones. Cost: no request."""

        def load(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
            query = "SELECT project, run, n, facts FROM runs WHERE store = ?"
            return {
                (project, run): n
                for project, run, n, facts in db.execute(query, (self._store_id,))
                # Any run may have the text in its config: few are parsed.
                if '"deleted":true' not in facts or not json.loads(facts)["deleted"]
            }

        return self._ask(load)

    def edges_of_versions(self, versions: Sequence[tuple[str, int]]) -> list[Edge]:
        """The edges of versions `(project/name, number)`, in any project. Cost: no request."""
        return self._edges("artifact = ? AND version = ?", versions)

    def edges_of_runs(self, runs: Sequence[tuple[str, str]]) -> list[Edge]:
        """The edges of runs `(project, run id)`. Cost: no request."""
        return self._edges("project = ? AND run = ?", runs)

    def all_edges(self) -> list[Edge]:
        """Every edge of the store that is known. Cost: no request."""
        return self._edges("? = ?", [(1, 1)])

    def _edges(self, condition: str, values: Sequence[tuple[Any, Any]]) -> list[Edge]:
        query = (
            "SELECT direction, project, run, artifact, version, detail FROM edges "  # noqa: S608
            f"WHERE store = ? AND {condition} ORDER BY rowid"
        )

        def load(db: sqlite3.Connection) -> list[Edge]:
            return [
                Edge(direction, project, run_id, artifact, version, json.loads(detail))
                for pair in values
                for direction, project, run_id, artifact, version, detail in db.execute(
                    query, (self._store_id, *pair)
                )
            ]

        return self._ask(load)

    # --- inside -----------------------------------------------------------------------------

    def _marks(self, project: str) -> tuple[float, float]:
        def load(db: sqlite3.Connection) -> tuple[float, float]:
            row = db.execute(
                "SELECT seen_seconds, listed_seconds FROM marks WHERE store = ? AND project = ?",
                (self._store_id, project),
            ).fetchone()
            return (row[0], row[1]) if row else (0.0, 0.0)

        return self._ask(load)

    def _set_marks(self, project: str, seen: float, listed: float) -> None:
        row = (self._store_id, project, seen, listed)
        self._ask(lambda db: db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)", row))

    def _known(
        self, project: str, condition: str = "1", values: Sequence[Any] = ()
    ) -> dict[str, tuple[int, float]]:
        """Of some runs the number of the last entry, and until when they are asked for."""
        query = (
            "SELECT run, n, watched_until FROM runs "  # noqa: S608 - written here
            f"WHERE store = ? AND project = ? AND {condition}"
        )

        def load(db: sqlite3.Connection) -> dict[str, tuple[int, float]]:
            rows = db.execute(query, (self._store_id, project, *values))
            return {run: (n, until) for run, n, until in rows}

        return self._ask(load)

    def _known_of(
        self, project: str, runs: Sequence[str], now: float
    ) -> dict[str, tuple[int, float]]:
        """Of these runs, and of all that are asked for still; perhaps of others too."""
        if len(runs) > _BATCH_COUNT:
            return self._known(project)
        named = self._known(project, f"run IN ({','.join('?' * len(runs))})", runs)
        # Not both in one condition: then SQLite would look at every run.
        return named | self._known(project, "watched_until > ?", [now])

    def _keep(self, project: str, states: Sequence[tuple[str, RunState]]) -> None:
        if states:
            self._ask(lambda db: _keep(db, self._store_id, project, states))

    def _ask(self, action: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """
        `action` on the file; where that cannot be used, on a database in memory.

        Nothing may be answered from a file that failed: no run would look like no runs.
        """
        answer = self._database.attempt(action, cast("_Answer", _FAILED))
        if answer is not _FAILED:
            return answer
        if not self._is_kept:
            raise StateError(
                "SQLite cannot keep the runs of this store, not even in memory",
                code="replica-unusable",
            )
        self._is_kept = False
        self._database = HostDatabase(_MEMORY, _SCHEMA, _SCHEMA_NUMBER)
        for project in self.projects():
            self.refresh(project)
        return self._ask(action)


def _keep(
    db: sqlite3.Connection, store: str, project: str, states: Sequence[tuple[str, RunState]]
) -> None:
    db.execute("BEGIN IMMEDIATE")
    rows, edges = [], []
    for run_id, state in states:
        newer = db.execute(
            "SELECT 1 FROM runs WHERE store = ? AND project = ? AND run = ? AND n >= ?",
            (store, project, run_id, state.n),
        ).fetchone()
        if newer:
            continue
        whole = state.whole
        rest = {name: whole[name] for name in _FACTS_WITHOUT}
        facts = {name: value for name, value in whole.items() if name not in rest}
        until = _watched_until(whole)
        rows.append((store, project, run_id, state.n, until, _text(facts), _text(rest)))
        edges += [
            (
                store,
                edge.artifact,
                edge.version,
                edge.direction,
                project,
                run_id,
                _text(edge.detail),
            )
            for edge in run_edges(project, run_id, whole)
        ]
    taken = [row[:3] for row in rows]
    db.executemany("DELETE FROM edges WHERE store = ? AND project = ? AND run = ?", taken)
    db.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.executemany("INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?, ?)", edges)


def _has_json() -> bool:
    import sqlite3

    return sqlite3.sqlite_version_info >= _JSON_SINCE


def _json_path(member: tuple[str, ...]) -> str | None:
    """The path of SQLite; None if it cannot name such a key, which is stored with escapes."""
    if any('"' in part or "\\" in part or not part.isprintable() for part in member):
        return None
    return "$" + "".join(f'."{part}"' for part in member)


def _member(whole: Whole, member: tuple[str, ...]) -> Any:
    value: Any = whole
    for part in member:
        value = value.get(part) if type(value) is dict else None
    return value


def _watched_until(whole: Whole) -> float:
    # Whoever brings a run from another store writes a marker each time.
    if whole["origin"] or not is_open(whole):
        return 0.0
    news = [seconds_of(one.get("next_by")) for one in whole["sessions"] if one.get("ended") is None]
    return max(news) + _WATCHED_SECONDS


def run_edges(project: str, run_id: str, whole: Mapping[str, Any]) -> Iterator[Edge]:
    """The edges that all that is said of a run tells of."""
    for direction in _DIRECTIONS:
        for detail in whole[direction]:
            artifact, version = detail.get("artifact"), detail.get("version")
            is_number = type(version) is int and 0 <= version <= VERSION_MAX
            if type(artifact) is str and is_number:
                if type(store := detail.get("store")) is str:
                    # Of a store that this one has it not from: no version here is meant.
                    artifact = f"{store}//{artifact}"
                yield Edge(direction, project, run_id, artifact, version, detail)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

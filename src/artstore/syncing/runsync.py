"""
Bringing runs: what lies beside their logs, then one entry that says what each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.changes import split_changes
from artstore.catalog.runs.format import RUN_OBJECTS, object_key, run_prefix
from artstore.catalog.runs.mediapaths import media_digest
from artstore.catalog.runs.runlog import RunLog, RunState
from artstore.catalog.runs.state import empty_whole
from artstore.catalog.runs.survey import stated_segments
from artstore.digest import digest_of
from artstore.errors import (
    AlreadyExistsError,
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    StorageError,
)
from artstore.names import check_key
from artstore.syncing.report import SyncedRun, SyncTally
from artstore.syncing.runmap import RunIdentity, RunMap, identity_of
from artstore.syncing.runwhole import (
    RunNames,
    is_same_run,
    mapped_run,
    run_versions,
    with_edits,
)
from artstore.syncing.syncplace import SyncPlace

if TYPE_CHECKING:
    from artstore.catalog.format import Body
    from artstore.catalog.runs.state import Whole
    from artstore.storage.protocol import Storage
    from artstore.syncing.versionmap import VersionMap
    from artstore.syncing.versionsync import VersionSync

__all__ = ["RunSync"]

_THREAD_COUNT: Final = 8
_ATTEMPTS: Final = 3
_IN_PARTS: Final = (
    *("config", "summary", "metrics", "environment"),
    *("used", "logged", "linked", "alerts", "notes"),
)
_LATER: Final = (*_IN_PARTS, "segments")
_GOES_ON: Final = frozenset(["start", "update", "end"])


class _TakenError(Exception):
    """Another run has the id."""


class RunSync:
    """
    Args:
        target: None for a trial into a store that is not there.
        bringing: brings the versions that a run names.
        dry_run: nothing is written; what would go over is noted.
    """

    def __init__(
        self,
        source: SyncPlace,
        target: SyncPlace | None,
        runs: RunMap,
        bringing: VersionSync,
        tally: SyncTally,
        *,
        versions: VersionMap,
        dry_run: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._runs = runs
        self._versions = versions
        self._bringing = bringing
        self._tally = tally
        self._dry_run = dry_run

    def bring(self, project: str, run_id: str) -> None:
        """
        Have a run in the target as it is in the source now; its versions first.

        Raises:
            StorageError: one of the stores does not answer.
        Cost: nothing is asked for a run that is there as it is.
        """
        name = f"run:{project}/{run_id}"
        try:
            self._bring(project, run_id)
        except StorageError:
            raise
        except ArtstoreError as error:
            self._tally.fail(name, error)

    def _bring(self, project: str, run_id: str) -> None:
        facts = self._runs.source_runs(project)[run_id]
        if facts["deleted"]:
            return
        n = self._runs.head(project, run_id)
        identity = self._runs.identity(project, run_id)
        place = self._runs.find(project, run_id)
        is_home = self._target is not None and identity.store == self._target.id
        is_new = not (is_home or self._is_there(place, facts, n))
        if is_new:
            state = self._source.runs.run(project, run_id)
            assert state is not None
            if self._dry_run:
                self._bring_versions(state)
            else:
                place, is_new = self._store(project, run_id, state)
        self._tally.runs[project, run_id] = SyncedRun(project, run_id, *place, is_new=is_new)

    def _is_there(self, place: tuple[str, str], facts: Mapping[str, Any], n: int) -> bool:
        """Whether the target has just this, or what is newer. Cost: no request."""
        brought = self._runs.brought(*place)
        if brought.get(self._source.id, -1) >= n and not self._runs.is_partial(*place):
            return True
        known = None if self._target is None else self._target.runs.run(*place)
        if known is None:
            return False
        # Of a run that the source has from elsewhere: the target may have more of it.
        home = str((facts.get("origin") or {}).get("store", ""))
        if home and brought.get(home, -1) > (facts.get("brought") or {}).get(home, -1):
            return True
        state = self._source.runs.run(*self._split(facts))
        return state is not None and is_same_run(self._mapped(state, place, {}), known.whole)

    @staticmethod
    def _split(facts: Mapping[str, Any]) -> tuple[str, str]:
        return str(facts["project"]), str(facts["run"])

    def _mapped(self, state: RunState, place: tuple[str, str], brought: Mapping[str, int]) -> Whole:
        whole = state.whole
        own = run_prefix(str(whole["project"]), str(whole["run"]))
        names = RunNames(self._versions.find, self._source.id, self._id, (own, run_prefix(*place)))
        identity = self._identity(state)
        after = mapped_run(whole, names, now_seconds=clock.now_seconds())
        after["project"], after["run"] = place
        after["origin"] = {
            "store": identity.store,
            "project": identity.project,
            "run": identity.run_id,
        }
        missing = sum(self._versions.find(key) is None for key in set(run_versions(whole)))
        if missing:
            # It is looked at again: a version that could not be brought may be there later.
            after["origin"]["missing"] = missing
        after["brought"] = {**brought, **whole["brought"], self._source.id: state.n}
        return after

    # --- one run ------------------------------------------------------------------------------

    def _store(self, project: str, run_id: str, state: RunState) -> tuple[tuple[str, str], bool]:
        for attempt in range(1, _ATTEMPTS + 1):
            place = self._runs.find(project, run_id)
            log = self._log_at(place, state)
            if log is None:
                continue
            if self._goes_on(log):
                return place, False
            self._bring_versions(state)
            try:
                self._copy_objects((project, run_id), place, state.whole)
            except NotFoundError:
                # The end of a run writes its segments anew; the old ones may go then.
                if attempt == _ATTEMPTS:
                    raise
                state = self._source.runs.refresh_run(project, run_id)
                continue
            is_written = self._write(log, place, state)
            if is_written is not None:
                return place, is_written
        raise DamagedDataError(
            f"the run {project}/{run_id} finds no id in the target", code="run-exists"
        )

    def _bring_versions(self, state: RunState) -> None:
        for key in dict.fromkeys(run_versions(state.whole)):
            self._bringing.bring(key)

    def _log_at(self, place: tuple[str, str], state: RunState) -> RunLog | None:
        """The log in the target as it is now; None if another run has that id."""
        assert self._target is not None
        log = RunLog(self._target.place.storage, *place, self._target.runs.author)
        if log.refresh().exists:
            holder = identity_of(self._id, *place, log.state.whole)
            if holder != self._identity(state):
                self._runs.pass_over(*place, holder)
                return None
        return log

    def _write(self, log: RunLog, place: tuple[str, str], state: RunState) -> bool | None:
        """Say what the run is; whether anything had to be written, None if the id is taken."""
        assert self._target is not None
        target = self._target
        count = log.state.n
        try:
            after = log.append(lambda now: self._decide(log, place, state, now))
        except LimitExceededError:
            after = self._write_in_parts(log, place, state)
        except _TakenError:
            self._runs.pass_over(*place, identity_of(target.id, *place, log.state.whole))
            return None
        target.runs.accept(*place, after)
        return after.n != count

    @property
    def _id(self) -> str:
        assert self._target is not None
        return self._target.id

    def _identity(self, state: RunState) -> RunIdentity:
        whole = state.whole
        return identity_of(self._source.id, str(whole["project"]), str(whole["run"]), whole)

    def _goes_on(self, log: RunLog) -> bool:
        if not any(entry.kind in _GOES_ON for entry in log.added):
            return False
        self._tally.warnings.append(
            f"the run {log.project}/{log.run_id} goes on in the target, and is not brought further"
        )
        return True

    def _decide(
        self, log: RunLog, place: tuple[str, str], state: RunState, now: Whole
    ) -> Body | None:
        if log.state.exists and identity_of(self._id, *place, now) != self._identity(state):
            # Taken since it was looked at.
            raise _TakenError
        if now["brought"].get(self._source.id, -1) > state.n:
            # Somebody else has brought what is newer.
            return None
        whole = with_edits(self._mapped(state, place, now["brought"]), log.added)
        if is_same_run(whole, now):
            return None
        return "sync", {"origin": whole["origin"], "brought": whole["brought"], "whole": whole}

    def _write_in_parts(self, log: RunLog, place: tuple[str, str], state: RunState) -> RunState:
        """What one entry cannot hold in several, of which the last one says that all is there."""
        before = log.state.whole["brought"]
        whole = with_edits(self._mapped(state, place, before), log.added)
        first = {**whole, **{name: empty_whole(*place)[name] for name in _LATER}}
        earlier = {store: n for store, n in before.items() if store != self._source.id}
        first["brought"] = earlier
        told = {"origin": whole["origin"], "brought": earlier}
        log.append(lambda _: ("sync", {**told, "whole": first}))
        parts = split_changes({name: whole[name] for name in _IN_PARTS if whole[name]})
        parts += [
            {"segments": {kind: {session: segments}}}
            for kind, by_session in whole["segments"].items()
            for session, segments in by_session.items()
        ]
        for part in parts:
            log.append(lambda _, part=part: ("sync", {**told, "changes": part}))  # type: ignore[misc]
        done = {**told, "brought": whole["brought"]}
        return log.append(lambda _: ("sync", done))

    # --- what lies beside it ------------------------------------------------------------------

    def _copy_objects(
        self, source: tuple[str, str], target: tuple[str, str], whole: Mapping[str, Any]
    ) -> None:
        """
        Copy segments and media that are not there.

        Raises:
            NotFoundError: `key-not-found`, a segment is gone from the source.
            DamagedDataError: `history-damaged`, bytes of the source are not those of their digest,
                or other bytes lie there under the same name.
        """
        assert self._target is not None
        before, after = run_prefix(*source), run_prefix(*target)
        here, there = self._source.place.storage, self._target.place.storage
        sizes = {info.key: info.size_bytes for info in here.scan(before)}
        media = object_key(*source, "media", "")
        wanted = {key: media_digest(key[len(before) :]) for key in sizes if key.startswith(media)}
        # A hostile log must not have one of its entries taken for a segment.
        for _, stated in stated_segments(whole):
            digest = stated.get("digest")
            if _is_object(stated["key"], before):
                wanted[stated["key"]] = digest if type(digest) is str else None
        if not wanted:
            return
        have = {info.key: info.size_bytes for info in there.scan(after)}
        missing = []
        for key, digest in wanted.items():
            copy = after + key[len(before) :]
            if copy not in have:
                missing.append((key, copy, digest))
            elif key in sizes and have[copy] != sizes[key]:
                raise _other_bytes(copy, there)
        items = iter(missing)
        with ThreadPoolExecutor(_THREAD_COUNT, "artstore-sync") as pool:
            while batch := [*islice(items, _THREAD_COUNT)]:
                for size in pool.map(lambda item: _copy(here, there, *item), batch):
                    self._tally.read_bytes += size
                    self._tally.stored_bytes += size


def _is_object(key: str, prefix: str) -> bool:
    kind, _, name = key[len(prefix) :].partition("/")
    if not key.startswith(prefix) or kind not in RUN_OBJECTS or "/" in name:
        return False
    try:
        check_key(key)
    except InvalidInputError:
        return False
    return True


def _copy(source: Storage, target: Storage, key: str, copy: str, digest: str | None) -> int:
    data = source.read(key)
    if digest is not None and digest_of(data).hex() != digest:
        raise DamagedDataError(
            f"{key} of {source.url} is damaged: its bytes are not those of its digest",
            code="history-damaged",
            hint="`art check --repair --read-data --from COPY` puts it back from a copy",
            key=key,
        )
    try:
        target.create(copy, data)
    except AlreadyExistsError:
        if target.stat(copy).size_bytes != len(data):
            raise _other_bytes(copy, target) from None
    return len(data)


def _other_bytes(key: str, storage: Storage) -> DamagedDataError:
    return DamagedDataError(
        f"{key} of {storage.url} has other bytes than what is to be brought there",
        code="history-damaged",
        key=key,
    )

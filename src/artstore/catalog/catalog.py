"""
The collections of a store: what there is, in which state, and the commit of one change.

Every commit is the same loop: evaluate the request on the state after n-1,
check what gc is about to delete, try to create n; whoever loses reads n and
evaluates again. Winning n proves that nothing came between (PROTOCOL section 1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artstore import clock, names
from artstore.catalog import log, rollups
from artstore.catalog.fold import Fold
from artstore.catalog.follow import FollowedLog
from artstore.catalog.format import (
    COLLECTION_KINDS,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    collection_prefix,
    encode_entry,
)
from artstore.catalog.log import Head
from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState
from artstore.errors import (
    ConflictError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from artstore.forks import LazyValue
from artstore.storage.protocol import Storage

if TYPE_CHECKING:
    from artstore.catalog.fences import PushStart
    from artstore.catalog.requests import Outcome, Request, RestoreRequest
    from artstore.catalog.upkeeplog import UpkeepLog, UpkeepState

__all__ = ["Catalog", "Committed"]

_ROUND_COUNT = 10_000
_JITTER_SECONDS = 0.005
"""Does not grow: of two writers the one that has lost more often must not wait longer."""
_SHOWN_CLOSE_COUNT = 3

_Check = Callable[[CollectionState], None]


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a commit came to.

    `n` is the last entry it wrote, None if it wrote none; `state` is the state
    right after it.
    """

    n: int | None
    state: CollectionState
    outcome: Outcome


class Catalog:
    """
    The logs under `collections/`. Safe to use from several threads.

    Args:
        store_id: what the replica is keyed by.
        replica: None to remember nothing between processes.
        author: `user@host`, written into every entry.
    """

    def __init__(
        self, storage: Storage, *, store_id: str, replica: Replica | None, author: str
    ) -> None:
        self._storage = storage
        self._store_id = store_id
        self._replica = replica
        self.author = author
        self._lock = threading.Lock()
        self._followed: dict[str, FollowedLog[Fold]] = {}

    @LazyValue
    def upkeep(self) -> UpkeepLog:
        """The log of gc."""
        # Imported by whoever commits: a push that changes nothing saves 30 ms.
        from artstore.catalog.upkeeplog import UpkeepLog

        return UpkeepLog(self._storage, self._replica, self._store_id)

    # --- Reading ----------------------------------------------------------------------

    def projects(self) -> list[str]:
        """Projects that have collections, in the order of their keys. Cost: one scan."""
        return self._names("collections/", names.check_project_name)

    def collections(self, project: str) -> list[str]:
        """Collections of a project, in the order of their keys. Cost: one scan."""
        names.check_project_name(project)
        part = names.escape_for_key(project)
        return self._names(f"collections/{part}/", names.check_collection_name)

    def remembered(self) -> list[tuple[str, str]]:
        """(project, name) of logs that this machine has seen and that the store no longer lists."""
        return [log for log in self.seen() if not any(self._storage.scan_names(_prefix(*log)))]

    def seen(self) -> list[tuple[str, str]]:
        """(project, name) of all logs that this machine has seen. Asks nobody."""
        found = []
        for prefix in [] if self._replica is None else self._replica.logs(self._store_id):
            parts = prefix.split("/")
            if parts[0] == "collections":
                project, name = map(names.unescape_from_key, parts[1:3])
                found.append((project, name))
        return found

    def known_states(self) -> list[CollectionState]:
        """The collections that this process has looked at, as they are now. Cost: a scan each."""
        with self._lock:
            prefixes = list(self._followed)
        logs = [tuple(map(names.unescape_from_key, one.split("/")[1:3])) for one in prefixes]
        return [self.damaged_state(project, name) for project, name in logs]

    def state(self, project: str, name: str) -> CollectionState:
        """
        A collection as it is now; behind a redirect, where it lies.

        Raises:
            NotFoundError: `collection-not-found`.
            UnsupportedFormatError: `entry-kind-unknown`.
            DamagedDataError: `log-entry-damaged`, the entry that begins it cannot be read.
        Cost: one scan; one batch of reads if there is something new.
        """
        state = self._look(project, name)
        state.check_readable()
        if not state.exists:
            state.check_whole()
            raise self._not_found(project, name)
        return state

    def state_or_none(self, project: str, name: str) -> CollectionState | None:
        """As `state`, None for a collection that does not exist."""
        state = self._look(project, name)
        state.check_readable()
        return state if state.exists else None

    def state_since(
        self, project: str, name: str, known: Head | None
    ) -> tuple[Head | None, CollectionState | None]:
        """
        As `state_or_none`, for a caller who may know the collection up to some entry.

        Args:
            known: that entry of its log.
        Returns:
            the last entry of the log now, and the state; no state if that is `known` still.
            No entry either if the collection does not exist, or lies behind a redirect, or if
            something is damaged: what such a collection is nobody should remember.
        Raises:
            UnsupportedFormatError: `entry-kind-unknown`.
        Cost: one scan; the log is neither read nor folded if it still ends at `known`.
        """
        followed = self._follow(project, name)
        with followed.lock:
            head = None if known is None else followed.still_at(known)
            if head is not None:
                return head, None
            followed.refresh()
            head, state = followed.head, followed.fold.state()
        is_elsewhere = state.redirect is not None
        if is_elsewhere:
            root = self._renamed(state, refresh=True)
            with root.lock:
                state = root.fold.state()
        state.check_readable()
        if not state.exists:
            return None, None
        if is_elsewhere or state.damage is not None or state.is_in_doubt:
            return None, state
        is_known = known is not None and (known.n, known.digest) == (head.n, head.digest)
        return head, None if is_known else state

    def damaged_state(self, project: str, name: str) -> CollectionState:
        """As `state`, but never refused: what a check looks at, warnings and unknown kinds."""
        return self._look(project, name)

    def writable_state(self, project: str, name: str) -> CollectionState:
        """
        A collection as it is now, perhaps still without entries; refused if it cannot be written.

        Raises:
            UnsupportedFormatError, DamagedDataError: the log cannot be written.
        Cost: one scan.
        """
        state = self._look(project, name)
        state.check_writable()
        return state

    def begin_push(
        self, project: str, name: str, *, with_upkeep: bool = False
    ) -> tuple[CollectionState, PushStart]:
        """
        Step 1 of a push: the collection, perhaps still without entries, and what to commit with.

        Args:
            with_upkeep: also read the log of gc; needed by a push that relies
                on other collections or on the index, before it lists those.
        Raises:
            UnsupportedFormatError, DamagedDataError: the log cannot be written.
        Cost: one scan, two with upkeep.
        """
        from artstore.catalog.fences import PushStart

        state = self.writable_state(project, name)
        upkeep = self.upkeep_state() if with_upkeep else None
        return state, PushStart(state.head_n, upkeep)

    def upkeep_state(self) -> UpkeepState:
        """The log of gc as it is now. Cost: one scan."""
        return self.upkeep.refresh()

    def condemned(self, plan: int) -> frozenset[str]:
        """The keys that a plan of gc condemns: nothing new may rely on them."""
        return self.upkeep.condemned(plan)

    def history(self, project: str, name: str) -> list[LogEntry | VoidEntry | UnknownEntry]:
        """
        Every entry as it was taken, void ones too; missing ones are left out.

        Raises:
            NotFoundError: `collection-not-found`.
        Cost: reads the whole log.
        """
        state = self._look(project, name)
        fold = Fold(CollectionState(state.project, state.name))
        entries = []
        for raw in self.raw_entries(state.project, state.name):
            if raw.n > fold.head_n + 1:
                fold.skip_hole(fold.head_n + 1, raw.n - 1)
            entries.append(fold.apply(raw))
        if not entries:
            raise self._not_found(project, name)
        return entries

    def raw_entries(self, project: str, name: str) -> Iterator[RawEntry]:
        """
        What the store itself holds, from 0 on: neither replica nor rollups, no redirect.

        Missing numbers are left out.
        """
        entries, _, _ = log.read_all(self._storage, _prefix(project, name), with_rollups=False)
        yield from entries

    def forget(self, project: str, name: str) -> None:
        """Drop what this machine has seen of a log: after a restore from a backup."""
        followed = self._follow(project, name)
        with followed.lock:
            followed.forget()

    # --- Writing ----------------------------------------------------------------------

    def commit(
        self, project: str, name: str, request: Request, *, start: PushStart | None = None
    ) -> Committed:
        """
        Write one change, as one entry, or find that there is nothing to write.

        Args:
            start: what `begin_push` gave. The log is then not listed again:
                winning the next number proves that what is known is all.
        Raises:
            what `operations.evaluate` raises.
            ConflictError: `content-condemned`, `content-vanished`,
                `plan-unreadable`, `commit-contended`.
            UnavailableError: `commit-unknown`.
            DamagedDataError: `log-hole`, `log-rolled-back`.
            UnsupportedFormatError: `entry-kind-unknown`.
        Cost: one create, after one scan without `start`; a lost race costs a
            create, a scan and a batch of reads.
        """
        followed = self._follow_redirect(project, name, refresh=start is None)
        check = self._content_check(request, start)
        with followed.lock:
            return self._commit(followed, request, check)

    def _commit(self, followed: FollowedLog[Fold], request: Request, check: _Check) -> Committed:
        from artstore.catalog.operations import evaluate
        from artstore.catalog.requests import Settled

        written: int | None = None
        for _ in range(_ROUND_COUNT):
            state = followed.fold.state()
            state.check_writable()
            now = clock.format_time(clock.now_seconds())
            step = evaluate(request, state)
            if isinstance(step, Settled):
                return Committed(written, state, step.outcome)
            if step.needs_content:
                check(state)
            n = state.head_n + 1
            data = encode_entry(
                step.body,
                n=n,
                previous=state.head_digest,
                write=clock.random_bytes(8).hex(),
                time=now,
                by=self.author,
                kinds=COLLECTION_KINDS,
            )
            others = log.append_or_read(self._storage, followed.prefix, n, data)
            if others:
                followed.accept(others)
                # C12: the next try follows at once, spread so that n losers do not meet again.
                clock.sleep(_JITTER_SECONDS * clock.random_fraction())
                continue
            followed.accept([RawEntry.of(n, data)])
            self._roll_up(followed)
            written = n
            if step.outcome is not None:
                return Committed(n, followed.fold.state(), step.outcome)
        raise ConflictError(
            f"others were first at {_ROUND_COUNT} entries of {followed.prefix}",
            code="commit-contended",
            hint="run the same command again",
        )

    def _content_check(self, request: Request, start: PushStart | None) -> _Check:
        from artstore.catalog.fences import ContentCheck, ContentUse
        from artstore.catalog.requests import DescribeRequest, PublishRequest, RestoreRequest

        if isinstance(request, PublishRequest):
            return ContentCheck(self._storage, self.upkeep, start, request.uses).check
        if isinstance(request, RestoreRequest):
            return lambda state: self._check_restore(state, request)
        own = request.meta if isinstance(request, DescribeRequest) else None
        use = ContentUse(own=frozenset() if own is None else frozenset([own]))
        return ContentCheck(self._storage, self.upkeep, start, use).check

    def _check_restore(self, state: CollectionState, request: RestoreRequest) -> None:
        from artstore.catalog.fences import check_restorable

        version = state.versions[request.version]
        assert version.deleted is not None
        # Without a fence since the tombstone all is untouched by construction (C6).
        since = version.deleted.n
        plans = {fence.plan for fence in state.fences if fence.n > since}
        if any(n > since for n in state.damaged):
            plans.update(self.upkeep.refresh().plans)
        if plans:
            check_restorable(self._storage, self.upkeep, plans, lambda: request.content_of(version))

    def write_rollups(self, project: str, name: str) -> int:
        """
        Create the rollups that are missing, all levels; returns how many there are now.

        Commits create those of the first level on their way; this fills what
        was left out when a process was killed. Only upkeep needs to call it.
        """
        prefix = _prefix(project, name)
        entries = list(self.raw_entries(project, name))
        if entries and entries[-1].n != len(entries) - 1:
            raise DamagedDataError(
                f"the log of {project}/{name} has holes and is not rolled up", code="log-hole"
            )
        made = 0
        for start in range(0, len(entries) - rollups.FAN_OUT + 1, rollups.FAN_OUT):
            block = entries[start : start + rollups.FAN_OUT]
            made += rollups.create_from_entries(self._storage, prefix, block)
        for level in range(2, rollups.TOP_LEVEL + 1):
            for index in range(len(entries) // rollups.FAN_OUT**level):
                made += rollups.create_from_rollups(self._storage, prefix, level, index)
        return made

    def _roll_up(self, followed: FollowedLog[Fold]) -> None:
        n = followed.head.n
        if (n + 1) % rollups.FAN_OUT or len(followed.block) != rollups.FAN_OUT:
            return
        try:
            rollups.create_from_entries(self._storage, followed.prefix, followed.block)
            for level in range(2, rollups.TOP_LEVEL + 1):
                index, rest = divmod(n + 1, rollups.FAN_OUT**level)
                if rest == 0:
                    rollups.create_from_rollups(self._storage, followed.prefix, level, index - 1)
        except (StorageError, NotFoundError, DamagedDataError):
            # The entry is committed; a missing rollup costs readers time only.
            return

    # --- Inside -----------------------------------------------------------------------

    def _look(self, project: str, name: str) -> CollectionState:
        followed = self._follow_redirect(project, name, refresh=True)
        with followed.lock:
            return followed.fold.state()

    def _follow_redirect(self, project: str, name: str, *, refresh: bool) -> FollowedLog[Fold]:
        followed, state = self._known(project, name, refresh=refresh)
        return followed if state.redirect is None else self._renamed(state, refresh=refresh)

    def _renamed(self, state: CollectionState, *, refresh: bool) -> FollowedLog[Fold]:
        assert state.redirect is not None
        # C10: redirects point at the log itself, never at another redirect.
        root, root_state = self._known(*state.redirect, refresh=refresh)
        if root_state.redirect is not None or not root_state.exists:
            there = "/".join(state.redirect)
            raise DamagedDataError(
                f"{state.qualified_name} was renamed from {there}, where there is no collection",
                code="collection-redirected",
            )
        return root

    def _known(
        self, project: str, name: str, *, refresh: bool
    ) -> tuple[FollowedLog[Fold], CollectionState]:
        followed = self._follow(project, name)
        with followed.lock:
            if refresh or not followed.has_looked:
                followed.refresh()
            return followed, followed.fold.state()

    def _follow(self, project: str, name: str) -> FollowedLog[Fold]:
        prefix = _prefix(project, name)
        with self._lock:
            followed = self._followed.get(prefix)
            if followed is None:
                followed = FollowedLog(
                    self._storage,
                    self._replica,
                    self._store_id,
                    prefix,
                    lambda: Fold(CollectionState(project, name)),
                )
                self._followed[prefix] = followed
            return followed

    def _names(self, prefix: str, check: Callable[[str], str]) -> list[str]:
        found = []
        for part in self._storage.scan_names(prefix):
            name = names.unescape_from_key(part)
            try:
                check(name)
            except InvalidInputError:
                # Not ours: whatever else lies there is none of the collections.
                continue
            if names.escape_for_key(name) == part:
                found.append(name)
        return found

    def _not_found(self, project: str, name: str) -> NotFoundError:
        import difflib

        there = self.collections(project)
        close = difflib.get_close_matches(name, there, _SHOWN_CLOSE_COUNT)
        return NotFoundError(
            f"there is no collection {project}/{name} in {self._storage.url}",
            code="collection-not-found",
            hint=f"did you mean {' or '.join(close)}?" if close else None,
            project=project,
            name=name,
            close=close,
        )


def _prefix(project: str, name: str) -> str:
    names.check_project_name(project)
    names.check_collection_name(name)
    return collection_prefix(project, name)

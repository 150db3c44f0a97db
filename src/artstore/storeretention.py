"""
What of a store is kept: rules of collections, pins, protected aliases, and prune.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from artstore import clock, names
from artstore.catalog.retention import Retention
from artstore.durations import end_of_stated, seconds_of_time
from artstore.errors import InvalidInputError

if TYPE_CHECKING:
    from artstore.catalog.requests import Request
    from artstore.catalog.state import CollectionState, Pin, VersionState
    from artstore.garbage.pruning import PruneReport
    from artstore.transfer.place import StorePlace

__all__ = ["StoreRetention"]

_LAST_SECONDS = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp()


class StoreRetention:
    """The part of `Store` that says what is kept, and gives up the rest."""

    @property
    def project(self) -> str:
        """As `Store.project`."""
        raise NotImplementedError

    def _place(self) -> StorePlace:
        raise NotImplementedError

    def _parse(self, name: str) -> names.ArtifactName:
        raise NotImplementedError

    def _resolve(self, name: str) -> tuple[CollectionState, VersionState]:
        raise NotImplementedError

    def _writes_as(self) -> str:
        """`user@host`, written into log entries."""
        raise NotImplementedError

    # rules ---------------------------------------------------------------------------

    def retention(self, name: str) -> Retention:
        """
        What of an artifact is kept when it is pruned; an empty rule keeps all. Cost: one scan.

        Raises:
            NotFoundError: `collection-not-found`.
        """
        return self._collection_state(name).retention

    def set_retention(self, name: str, retention: Retention | None) -> None:
        """
        Say what of an artifact is kept from now on; nothing goes before somebody prunes.

        Args:
            retention: replaces the rule there was; None: everything is kept.
        Raises:
            NotFoundError: `collection-not-found`.
        Cost: one scan and one create.
        """
        from artstore.catalog.requests import RetentionRequest

        self._commit(self._collection_state(name), RetentionRequest(retention or Retention()))

    def prune(
        self, name: str | None = None, *, retention: Retention | None = None, dry_run: bool = False
    ) -> PruneReport:
        """
        Delete the versions that the rules of collections, and the ttl of versions, give up.

        Each gets a tombstone, which `restore` takes back; its bytes stay until gc removes
        them. The newest version always stays, and what is pinned, in use by a run that goes
        on, or has an alias that counts. All ages are by the clock of the store.

        Args:
            name: `[project/]name`; `project/` for all of a project; None for the whole
                store: there, what has a rule or a ttl.
            retention: of one artifact, this once instead of its rule.
            dry_run: write no tombstone. Tells what would go by the clock of this machine
                where nothing may be written.
        Raises:
            InvalidInputError: `name-invalid`, `value-invalid`.
            NotFoundError: `collection-not-found`.
            DamagedDataError: `log-entry-damaged`, `log-hole`, `log-rolled-back`, for one artifact;
                of many, such are told in the report.
            StorageError: the store, or its runs, cannot be asked.
        Cost: two scans of the log of the artifact, one create and one stat, and one create for
            each version that goes; if any goes, one scan for each project with runs and for
            each run that goes on. Of many artifacts: one scan each, and this for those that
            have a rule or a ttl.
        """
        from artstore.garbage.pruning import prune_collection, prune_collections

        place = self._place()
        if name is not None and not name.endswith("/"):
            state = self._collection_state(name)
            return prune_collection(
                place, state.project, state.name, rule=retention, dry_run=dry_run
            )
        if retention is not None:
            raise InvalidInputError(
                "a rule is given for one artifact, and no name says which",
                code="value-invalid",
                hint="set_retention gives each artifact a rule of its own",
            )
        catalog = place.catalog
        projects = catalog.projects() if name is None else [name.rstrip("/")]
        wanted = [(project, one) for project in projects for one in catalog.collections(project)]
        return prune_collections(place, wanted, dry_run=dry_run)

    # pins and protection -------------------------------------------------------------

    def pin(
        self, name: str, until: dt.datetime | dt.timedelta | str, *, holder: str | None = None
    ) -> Pin:
        """
        Keep a version from being pruned, and from being deleted without force, until a moment.

        Args:
            until: a moment; a length of time from now on, by the clock of the store; or a
                text: `2026-12-31` (to its end, in UTC), `2026-12-31T12:00:00Z`, `30d`.
            holder: who holds it, written like a name; this user and host if None. A second pin of
                one holder replaces the first.
        Raises:
            InvalidInputError: `duration-invalid`, `value-invalid`: it would be over already;
                `name-invalid`.
            NotFoundError: `version-not-found`, `version-deleted`, `alias-not-found`.
        Cost: one scan, two creates and one stat.
        """
        from artstore.catalog.requests import PinRequest
        from artstore.catalog.state import Pin
        from artstore.garbage.storetime import store_now

        state, version = self._resolve(name)
        now = store_now(self._place().storage)
        if isinstance(until, str):
            end = end_of_stated(until, now)
        elif isinstance(until, dt.timedelta):
            end = now + until.total_seconds()
        else:
            end = seconds_of_time(until)
        end = min(end, _LAST_SECONDS)
        if end <= now:
            raise InvalidInputError(
                f"a pin until {clock.format_time(max(end, 0))} would be over already: it is "
                f"{clock.format_time(now)} by the clock of the store",
                code="value-invalid",
            )
        pin = Pin(holder or self._holder(), clock.format_time(end))
        self._commit(state, PinRequest(version.version, pin.until, pin.holder))
        return pin

    def unpin(self, name: str, *, holder: str | None = None) -> None:
        """
        Take a pin away.

        Args:
            holder: whose; this user's on this host if None.
        Raises:
            NotFoundError: `pin-not-found`, with those who have `holders`; as `artifact`.
        Cost: one scan and one create.
        """
        from artstore.catalog.requests import UnpinRequest

        state, version = self._resolve(name)
        self._commit(state, UnpinRequest(version.version, holder or self._holder()))

    def protect(
        self, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """
        Protect aliases of an artifact, and lift the protection of others.

        A protected alias is neither moved nor taken away, and its version is neither deleted, by
        force neither, nor pruned. One that no version has yet can be set once.

        Returns:
            all that are protected now.
        Raises:
            NotFoundError: `collection-not-found`.
            InvalidInputError: `name-invalid`.
        Cost: one scan and one create.
        """
        from artstore.catalog.requests import ProtectRequest

        request = ProtectRequest(tuple(add), tuple(remove))
        state = self._commit(self._collection_state(name), request)
        return tuple(sorted(state.protected))

    # inside --------------------------------------------------------------------------

    def _holder(self) -> str:
        """Who writes, as an id: `ann-host`."""
        return names.proposed_name(self._writes_as()) or "somebody"

    def _collection_state(self, name: str) -> CollectionState:
        parsed = self._parse(name)
        if parsed.is_exact:
            raise InvalidInputError(
                f"{name!r} names one version, and this is said of all of an artifact",
                code="name-invalid",
                hint=f"write {str(parsed).partition(':')[0].partition('@')[0]}",
            )
        return self._place().catalog.state(parsed.project or self.project, parsed.name)

    def _commit(self, state: CollectionState, request: Request) -> CollectionState:
        return self._place().catalog.commit(state.project, state.name, request).state

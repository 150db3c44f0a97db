"""
The log of gc, `upkeep/`: plans, sweeps, and which of them are done (docs/format/upkeep.md).

Writers read it for what is about to be deleted; gc reads it to go on where another
machine stopped, and continues it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore import clock, limits, names
from artstore.catalog import log
from artstore.catalog.follow import FollowedLog
from artstore.catalog.format import (
    NO_DIGEST,
    UPKEEP_KINDS,
    Body,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    decode_entry,
    encode_entry,
    entry_key,
)
from artstore.catalog.replica import Replica
from artstore.catalog.state import LogWarning
from artstore.digest import digest_of
from artstore.errors import (
    ConflictError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.storage.bounded import read_at_most
from artstore.storage.protocol import Storage

__all__ = ["CONDEMNED_PREFIX", "UPKEEP_PREFIX", "Plan", "Sweep", "UpkeepLog", "UpkeepState"]

UPKEEP_PREFIX: Final = "upkeep/"
CONDEMNED_PREFIX: Final = "upkeep/condemned/"
"""Lists of keys and of heads that entries name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Plan k, made by `by` at `time`: the keys it condemns, and the keys of values that list more.

    Attributes:
        heads_in: the values that say up to where each log had been read when it was made.
        list_digests: of the values of `condemned_in` and `heads_in`, by key, in hex.
        grace_seconds: how long its deletes are to wait.
    """

    k: int
    condemned: tuple[str, ...]
    condemned_in: tuple[str, ...]
    time: str = ""
    by: str = ""
    heads_in: tuple[str, ...] | None = None
    grace_seconds: int | None = None
    list_digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def lists(self) -> tuple[str, ...]:
        """The keys of all values that it refers to."""
        return self.condemned_in + (self.heads_in or ())


@dataclass(frozen=True, slots=True)
class Sweep:
    """The record of a sweep: what it spares of its plan, and the values that list more of it."""

    plan: int
    spared: tuple[str, ...]
    spared_in: tuple[str, ...]
    time: str
    by: str
    list_digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpkeepState:
    """The fold of `upkeep/`. A plan is open until its `done` entry; its first sweep counts."""

    head_n: int = -1
    plans: Mapping[int, Plan] = field(default_factory=dict)
    done: frozenset[int] = frozenset()
    sweeps: Mapping[int, Sweep] = field(default_factory=dict)

    @property
    def open_plans(self) -> tuple[int, ...]:
        """Plans whose deletes may still come."""
        return tuple(k for k in self.plans if k not in self.done)

    def lists_of(self, k: int) -> dict[str, str | None]:
        """The keys of values that a plan and its sweep refer to, with their digests if told."""
        told: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = ()
        if k in self.plans:
            told += ((self.plans[k].lists, self.plans[k].list_digests),)
        if k in self.sweeps:
            told += ((self.sweeps[k].spared_in, self.sweeps[k].list_digests),)
        return {key: digests.get(key) for keys, digests in told for key in keys}


# --- The log of gc ---------------------------------------------------------------


class _UpkeepFold:
    # What is damaged here stops writers at once, newest or not.
    has_damaged_tail = False

    def __init__(self) -> None:
        self.head_n = -1
        self.is_damaged = False
        self._digest: bytes | None = NO_DIGEST
        self._plans: dict[int, Plan] = {}
        self._done: set[int] = set()
        self._sweeps: dict[int, Sweep] = {}
        self._refusal: Callable[[], Exception] | None = None

    def apply(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        entry: LogEntry | VoidEntry | UnknownEntry
        if raw.data is None:
            entry = VoidEntry(raw.n, "is too large", is_damaged=True)
        else:
            entry = decode_entry(raw.data, raw.n, self._digest, UPKEEP_KINDS)
        if isinstance(entry, LogEntry) and not self._take(entry):
            entry = VoidEntry(raw.n, "makes no sense here")
        if isinstance(entry, UnknownEntry) and entry.must_understand:
            self._refuse_unknown(entry)
        if isinstance(entry, VoidEntry) and entry.is_damaged:
            # It may have been a plan (G5).
            self.mark_damage(
                LogWarning("log-entry-damaged", raw.n, f"entry {raw.n} is not what was written")
            )
        self.head_n, self._digest = raw.n, raw.digest
        return entry

    def _take(self, entry: LogEntry) -> bool:
        fields = entry.fields
        if entry.kind == "plan":
            if fields["k"] != entry.n:
                return False
            self._plans[entry.n] = Plan(
                entry.n,
                tuple(fields["condemned"]),
                tuple(fields["condemned_in"]),
                entry.time,
                entry.by,
                None if fields.get("heads_in") is None else tuple(fields["heads_in"]),
                fields.get("grace_seconds"),
                _digests(fields, "condemned_in", "heads_in"),
            )
        elif entry.kind == "sweep":
            if fields["plan"] not in self._plans:
                return False
            self._sweeps.setdefault(
                fields["plan"],
                Sweep(
                    fields["plan"],
                    tuple(fields["spared"]),
                    tuple(fields.get("spared_in") or ()),
                    entry.time,
                    entry.by,
                    _digests(fields, "spared_in"),
                ),
            )
        elif entry.kind == "done":
            if fields["plan"] not in self._plans:
                return False
            self._done.add(fields["plan"])
        return True

    def skip_hole(self, first: int, last: int) -> None:
        self.mark_damage(LogWarning("log-hole", first, f"entries {first} to {last} are missing"))
        self.head_n, self._digest = last, None

    def mark_damage(self, warning: LogWarning) -> None:
        self.is_damaged = True
        self._refusal = self._refusal or (
            lambda: DamagedDataError(
                f"the log of gc is damaged: {warning.message}",
                code=warning.code,
                hint="`art check` shows what is missing",
                key=entry_key(UPKEEP_PREFIX, warning.n),
            )
        )

    def _refuse_unknown(self, entry: UnknownEntry) -> None:
        self._refusal = self._refusal or (
            lambda: UnsupportedFormatError(
                f"entry {entry.n} of the log of gc is {entry.kind!r}, "
                "which this release does not know; it may be about to delete what a push needs",
                code="entry-kind-unknown",
                hint="install a newer artstore",
            )
        )

    def state(self) -> UpkeepState:
        # Fail closed (G5): a plan that cannot be read may condemn anything.
        if self._refusal is not None:
            raise self._refusal()
        return UpkeepState(
            self.head_n, dict(self._plans), frozenset(self._done), dict(self._sweeps)
        )


class UpkeepLog:
    """`upkeep/`. Safe to use from several threads."""

    def __init__(self, storage: Storage, replica: Replica | None, store_id: str) -> None:
        self._storage = storage
        self._log = FollowedLog(storage, replica, store_id, UPKEEP_PREFIX, _UpkeepFold)
        self._condemned: dict[int, frozenset[str]] = {}

    def refresh(self) -> UpkeepState:
        """
        The log as it is now.

        Raises:
            DamagedDataError: `log-hole`, `log-rolled-back`, `log-entry-damaged`.
            UnsupportedFormatError: `entry-kind-unknown`.
        Cost: one scan, and one batch of reads if gc ran since.
        """
        with self._log.lock:
            self._log.refresh()
            return self._log.fold.state()

    @property
    def head_digest(self) -> bytes:
        """The digest of the bytes of the last entry that is known."""
        return self._log.head.digest

    def condemned(self, k: int) -> frozenset[str]:
        """
        The keys that plan k condemns.

        Raises:
            ConflictError: `plan-unreadable`, there is no such plan, or what it
                refers to is gone: the push must begin again.
        """
        with self._log.lock:
            found = self._condemned.get(k)
            if found is None:
                try:
                    found = self._condemned[k] = self._read_plan(k)
                except ConflictError as error:
                    raise self._told_of_plan(k, error) from error
            return found

    def _told_of_plan(self, k: int, error: ConflictError) -> ConflictError:
        is_open = k in self.refresh().open_plans
        gives_up = "`art gc` gives such a plan up, or says what to do"
        return ConflictError(
            f"plan {k} of gc{' is open, and' if is_open else ':'} {error.message}",
            code=error.code,
            hint=gives_up if is_open else error.hint,
            **{**error.context, "plan": k},
        )

    def spared(self, sweep: Sweep) -> frozenset[str]:
        """
        The keys that the record of a sweep spares.

        Raises:
            ConflictError: `plan-unreadable`.
        """
        return self._keys(sweep.spared, sweep.spared_in, sweep.list_digests)

    def heads(self, plan: Plan) -> Iterator[str]:
        """
        Line by line up to where each log was known to a plan.

        Raises:
            ConflictError: `plan-unreadable`.
        """
        for key in plan.heads_in or ():
            yield from self.lines_of(key, plan.list_digests.get(key))

    def append_at(self, n: int, body: Body, author: str) -> bool:
        """
        Write entry n, if it is the next one.

        Returns:
            whether it is ours; if not, somebody else's is there and has been read.
        Raises and cost: as `catalog.log.append_or_read`.
        """
        with self._log.lock:
            if n <= self._log.fold.head_n:
                return False
            assert n == self._log.fold.head_n + 1, f"entry {n} does not follow"
            data = encode_entry(
                body,
                n=n,
                previous=self._log.head.digest,
                write=clock.random_bytes(8).hex(),
                time=clock.format_time(clock.now_seconds()),
                by=author,
                kinds=UPKEEP_KINDS,
            )
            others = log.append_or_read(self._storage, UPKEEP_PREFIX, n, data)
            self._log.accept(others or [RawEntry.of(n, data)])
            return not others

    def _read_plan(self, k: int) -> frozenset[str]:
        plan = self._log.fold.state().plans.get(k) or self.refresh().plans.get(k)
        if plan is None:
            raise _unreadable(f"gc has no plan {k}", plan=k)
        return self._keys(plan.condemned, plan.condemned_in, plan.list_digests)

    def _keys(
        self, inline: Iterable[str], listed_in: Iterable[str], digests: Mapping[str, str]
    ) -> frozenset[str]:
        listed = (self._listed(key, digests.get(key)) for key in listed_in)
        return frozenset(inline).union(*listed)

    def lines_of(self, key: str, digest: str | None) -> list[str]:
        """
        The lines of a value that an entry names.

        Args:
            digest: of its bytes, in hex, if the entry tells it.
        Raises:
            ConflictError: `plan-unreadable`.
        """
        try:
            data = read_at_most(self._storage, key, limits.ROOT_MAX_BYTES)
        except NotFoundError:
            raise _lost(key, "missing") from None
        if data is None or (digest is not None and digest_of(data).hex() != digest):
            raise _lost(key, "damaged")
        try:
            return data.decode("ascii").splitlines()
        except UnicodeDecodeError:
            raise _lost(key, "damaged") from None

    def _listed(self, key: str, digest: str | None) -> frozenset[str]:
        try:
            return frozenset(names.check_key(line) for line in self.lines_of(key, digest))
        except InvalidInputError:
            raise _lost(key, "damaged") from None


def _digests(fields: Mapping[str, Any], *names_of_lists: str) -> dict[str, str]:
    """The digests of lists by their keys; none if they are not told one for one."""
    keys = [key for name in names_of_lists for key in fields.get(name) or ()]
    told = fields.get("list_digests") or ()
    return dict(zip(keys, told, strict=True)) if len(keys) == len(told) else {}


def _lost(key: str, problem: str) -> ConflictError:
    return _unreadable(f"its list {key} is {problem}", key=key, problem=problem)


def _unreadable(why: str, **context: Any) -> ConflictError:
    return ConflictError(
        f"what it deletes is not known: {why}",
        code="plan-unreadable",
        hint="run the same command again",
        **context,
    )

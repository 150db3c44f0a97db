"""
Check: is every byte that any version needs there, and is it what was stored?
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from artstore import clock
from artstore.catalog.catalog import Catalog
from artstore.catalog.format import (
    UPKEEP_KINDS,
    VoidEntry,
    collection_prefix,
    decode_entry,
    entry_key,
)
from artstore.catalog.identity import IDENTITY_KEY, read_identity
from artstore.catalog.log import read_all
from artstore.catalog.rollups import damaged_rollups
from artstore.catalog.runs.survey import RUNS_PREFIX, RunKeys, runs_in
from artstore.catalog.state import CollectionState, VersionState
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, UpkeepLog
from artstore.digest import digest_of
from artstore.errors import ArtstoreError, ConflictError
from artstore.manifests.reader import Manifest
from artstore.packs.format import HEADER, Footer
from artstore.packs.index import INDEX_PREFIX, decode_index
from artstore.packs.locator import ChunkRef, pack_id_of_key, pack_key
from artstore.packs.moved import MOVED_PREFIX, MovedRecord, parse_moved_key
from artstore.packs.movedpacks import read_moved
from artstore.packs.reader import PackReader, batches, decode_ref
from artstore.storage.protocol import KeyInfo, Span, Storage
from artstore.upkeep.check_runs import RunCheck, RunMaterial, RunProblem
from artstore.upkeep.survey import (
    all_collections,
    state_in_store,
    version_fragments,
    version_name,
    version_refs,
)

if TYPE_CHECKING:
    from artstore.tables.fragments import Fragment

__all__ = ["CheckReport", "Problem", "check_store", "problem_of"]

_PACKS: Final = "packs/"
_FRAGMENTS: Final = "fragments/"
_LOST_SHOWN_COUNT: Final = 100
OnChecked = Callable[[int, int], None]
"""Told (packs, bytes) as they are done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One damaged or missing value, and whom it hits.

    Attributes:
        versions: texts such as `project/name:v3`, perhaps with the path of a file behind.
        runs: likewise `project/run id`.
        code: what happened: one of errors.CODES.
        is_inside: of a run: only reading the values themselves shows it.
    """

    key: str
    message: str
    versions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    code: str = ""
    is_inside: bool = False


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at and what was wrong."""

    problems: tuple[Problem, ...]
    checked_collections: int
    checked_versions: int
    checked_packs: int
    read_bytes: int
    seconds: float
    checked_runs: int = 0


def check_store(
    storage: Storage,
    catalog: Catalog,
    *,
    runs: RunMaterial = RunMaterial(),  # noqa: B008 - it never changes
    read_data: float | None = None,
    on_checked: OnChecked | None = None,
) -> CheckReport:
    """
    Check every log, manifest, index segment, pack and run. Changes nothing, ever.

    Args:
        runs: what a check of runs uses that is not in the store.
        read_data: read and hash this part (0 to 1) of the packs, and of what runs wrote,
            picked at random; None reads only what lists them.
    Raises:
        StorageError: the storage itself fails; damage is reported, not raised.
    Cost: one scan, one small read a pack, all manifests, all entries of logs; with
        `read_data` the packs, and what runs wrote, as well.
    """
    began = clock.now_seconds()
    check = _Check(storage, catalog, on_checked)
    check.identity()
    check.packs(read_data)
    check.moved()
    check.fragments(read_data)
    check.manifests()
    check.index()
    check.collections()
    check.upkeep()
    check.runs(runs, read_data)
    return CheckReport(
        problems=check.problems(),
        checked_collections=check.collection_count,
        checked_versions=check.version_count,
        checked_packs=check.pack_count,
        read_bytes=check.read_bytes,
        seconds=clock.now_seconds() - began,
        checked_runs=check.run_count,
    )


class _Check:
    def __init__(self, storage: Storage, catalog: Catalog, on_checked: OnChecked | None) -> None:
        self._storage = storage
        self._catalog = catalog
        self._on_checked = on_checked
        self._reader = PackReader(storage)
        self._messages: dict[str, tuple[str, str]] = {}
        self._hit: dict[str, dict[str, None]] = defaultdict(dict)
        self._bad_chunks: dict[tuple[bytes, int], ArtstoreError] = {}
        self._bad_packs: set[bytes] = set()
        self._packs: set[bytes] = set()
        self._fragment_sizes: dict[str, int] = {}
        self._of_runs: dict[str, RunProblem] = {}
        self.collection_count = self.version_count = self.pack_count = self.read_bytes = 0
        self.run_count = 0

    def problems(self) -> tuple[Problem, ...]:
        found = [
            Problem(key, message, tuple(self._hit.get(key, ())), code=code)
            for key, (message, code) in self._messages.items()
        ]
        found += map(problem_of, self._of_runs.values())
        return tuple(sorted(found, key=attrgetter("key")))

    def _found(self, key: str, message: str, *versions: str, code: str) -> None:
        self._messages.setdefault(key, (message, code))
        self._hit[key].update(dict.fromkeys(versions))

    # packs -------------------------------------------------------------------------

    def packs(self, read_data: float | None) -> None:
        for info in self._storage.scan(_PACKS):
            self.pack_count += 1
            try:
                pack = pack_id_of_key(info.key)
                self._packs.add(pack)
                footer = self._reader.footer(pack)
            except ArtstoreError as error:
                self._found(info.key, error.message, code=error.code)
                continue
            if read_data is not None and clock.random_fraction() < read_data:
                self._read_pack(info, pack, footer)
            if self._on_checked is not None:
                self._on_checked(1, info.size_bytes)

    def _read_pack(self, info: KeyInfo, pack: bytes, footer: Footer) -> None:
        refs = [
            ChunkRef(digest, pack, ordinal, offset, stored, plain, codec, plain)
            for ordinal, (digest, offset, stored, plain, codec) in enumerate(footer.rows())
        ]
        self.read_bytes += info.size_bytes
        if self._storage.read(info.key, Span(0, len(HEADER))) != HEADER:
            self._found(info.key, "its first bytes are not those of a pack", code="pack-damaged")
        for batch in batches(refs):
            for ref, stored in zip(batch, self._reader.stored(batch), strict=True):
                try:
                    decode_ref(ref, stored)
                except ArtstoreError as error:
                    self._bad_chunks[pack, ref.ordinal] = error
                    self._found(info.key, error.message, code=error.code)

    # moved records -------------------------------------------------------------------

    def moved(self) -> None:
        keys = []
        for info in self._storage.scan(MOVED_PREFIX):
            try:
                parse_moved_key(info.key)
                keys.append(info.key)
            except ArtstoreError as error:
                self._found(info.key, error.message, code=error.code)
        self._reader.moved.adopt(keys, self._packs.__contains__)
        for key, record in read_moved(self._storage, keys):
            message = record.message if isinstance(record, ArtstoreError) else self._misled(record)
            if message is not None:
                self._found(key, message, code="moved-damaged")

    def _misled(self, record: MovedRecord) -> str | None:
        """Why a record does not say what is; one whose packs are gone is garbage, no more."""
        rows: dict[bytes, list[int]] = {}
        for pack in self._packs.intersection(record.targets):
            with suppress(ArtstoreError):
                rows[pack] = self._reader.footer(pack).offsets_bytes()
        for ordinal, place in record.moves():
            offsets = rows.get(place.pack)
            if offsets is not None and place.offset_bytes not in offsets[place.ordinal :][:1]:
                return f"chunk {ordinal} is not where it says in {pack_key(place.pack)}"
        return None

    def _moved_place(self, hit: str, ref: ChunkRef) -> ChunkRef | None:
        """Where a chunk of a pack that is gone lies now; None, and it is told, if nowhere."""
        start = (ref.pack, ref.ordinal)
        followed = self._reader.moved.follow([start], self._packs.__contains__)
        if start in followed.found:
            place = followed.found[start]
            return ref._replace(**place._asdict())
        error = followed.failures.get(start)
        if error is not None:
            self._found(str(error.context["key"]), error.message, hit, code=error.code)
            return None
        *before, last = map(pack_key, followed.tried[start])
        if before:
            message = f"it is missing; it has chunks that were in {before[0]}"
        else:
            message = f"it is missing, and no record tells where chunk {ref.ordinal} is"
        self._found(last, message, hit, code="pack-missing")
        return None

    # fragments of tables -------------------------------------------------------------

    def fragments(self, read_data: float | None) -> None:
        for info in self._storage.scan(_FRAGMENTS):
            self._fragment_sizes[info.key] = info.size_bytes
            if read_data is not None and clock.random_fraction() < read_data:
                self.read_bytes += info.size_bytes
                stated = info.key.rpartition("/")[2].partition("-")[0]
                if digest_of(self._storage.read(info.key)).hex() != stated:
                    message = "its bytes are not those of its name"
                    self._found(info.key, message, code="fragment-digest-mismatch")
            if self._on_checked is not None:
                self._on_checked(1, info.size_bytes)

    def _check_fragment(self, version: str, path: str, fragment: Fragment) -> None:
        size_bytes = self._fragment_sizes.get(fragment.key)
        hit = f"{version} {path}"
        if size_bytes is None:
            self._found(fragment.key, "it is missing", hit, code="fragment-missing")
        elif size_bytes != fragment.size_bytes:
            message = f"it has {size_bytes} bytes, not {fragment.size_bytes}"
            self._found(fragment.key, message, hit, code="fragment-damaged")
        elif fragment.key in self._messages:
            self._hit[fragment.key][hit] = None

    # identity, manifest roots, index -------------------------------------------------

    def identity(self) -> None:
        try:
            read_identity(self._storage)
        except ArtstoreError as error:
            self._found(IDENTITY_KEY, error.message, code=error.code)

    def manifests(self) -> None:
        # Those of deleted versions too: they may be restored.
        for info in self._storage.scan("manifests/"):
            try:
                Manifest.open(self._storage, self._reader, info.key)
            except ArtstoreError as error:
                self._found(str(error.context.get("key", info.key)), error.message, code=error.code)

    def index(self) -> None:
        for info in self._storage.scan(INDEX_PREFIX):
            try:
                decode_index(self._storage.read(info.key), key=info.key)
            except ArtstoreError as error:
                message = f"{error.message} (advisory: no version needs it)"
                self._found(info.key, message, code=error.code)

    # versions ----------------------------------------------------------------------

    def collections(self) -> None:
        in_store = dict.fromkeys(all_collections(self._catalog))
        self.collection_count = len(in_store)
        # Those of which nothing is left are missed by who has seen them only.
        for project, name in (*in_store, *self._catalog.remembered()):
            state = self._state_in_store(project, name)
            if state.redirect is not None:
                continue
            for version in state.live:
                self.version_count += 1
                self._check_version(state, version)

    def _state_in_store(self, project: str, name: str) -> CollectionState:
        """The state by the entries themselves: what this machine remembers would hide damage."""
        prefix = collection_prefix(project, name)
        state = state_in_store(self._catalog, project, name)
        hit = (f"{project}/{name}", *_lost_versions(state))
        for warning in state.warnings:
            key = entry_key(prefix, warning.n)
            self._found(key, f"{warning.code}: {warning.message}", *hit, code=warning.code)
        for unknown in state.unknown:
            message = f"is {unknown.kind}, not known here"
            self._found(entry_key(prefix, unknown.n), message, code="entry-kind-unknown")
        for key, message in damaged_rollups(self._storage, prefix):
            self._found(key, message, code="rollup-damaged")
        if state.redirect is None:
            self._compare_with_known(state, prefix)
        return state

    def _compare_with_known(self, state: CollectionState, prefix: str) -> None:
        try:
            known = self._catalog.damaged_state(state.project, state.name)
        except ArtstoreError as error:
            self._found(str(error.context.get("key", prefix)), error.message, code=error.code)
            return
        if known.damage is not None:
            key = entry_key(prefix, known.damage.n)
            hit = f"{state.project}/{state.name}"
            message = f"{known.damage.code}: {known.damage.message}"
            self._found(key, message, hit, code=known.damage.code)
        if known.head_n == state.head_n and known.head_digest != state.head_digest:
            message = "log-rolled-back: this machine has seen another"
            self._found(entry_key(prefix, known.head_n), message, code="log-rolled-back")

    def upkeep(self) -> None:
        # First by the entries themselves, as for collections.
        entries, _, _ = read_all(self._storage, UPKEEP_PREFIX, with_rollups=False)
        numbers = {raw.n for raw in entries}
        for n in range(max(numbers, default=-1)):
            if n not in numbers and len(self._messages) < _LOST_SHOWN_COUNT:
                message = "log-hole: it is missing"
                self._found(entry_key(UPKEEP_PREFIX, n), message, code="log-hole")
        for raw in entries:
            entry = decode_entry(raw.data or b"", raw.n, None, UPKEEP_KINDS)
            if isinstance(entry, VoidEntry) and entry.is_damaged:
                message = f"log-entry-damaged: {entry.reason}"
                self._found(entry_key(UPKEEP_PREFIX, raw.n), message, code="log-entry-damaged")
        try:
            log = UpkeepLog(self._storage, None, "")
            state = log.refresh()
            self._catalog.upkeep_state()
        except ArtstoreError as error:
            self._found(str(error.context.get("key", "upkeep/")), error.message, code=error.code)
            return
        for k in state.open_plans:
            for key, digest in state.lists_of(k).items():
                try:
                    log.lines_of(key, digest)
                except ConflictError as error:
                    message = f"it is {error.context['problem']}, and plan {k} of gc needs it"
                    self._found(key, message, code=error.code)

    # runs --------------------------------------------------------------------------

    def runs(self, material: RunMaterial, read_data: float | None) -> None:
        def told(run: RunKeys) -> None:
            if self._on_checked is not None:
                self._on_checked(1, run.stored_bytes)

        check = RunCheck(self._storage, material, read_data, told)
        for found in chain(check.problems(runs_in(self._storage.scan(RUNS_PREFIX))), check.lost()):
            self._of_runs.setdefault(found.key, found)
        self.run_count += check.run_count
        self.read_bytes += check.read_bytes

    # one version -------------------------------------------------------------------

    def _check_version(self, state: CollectionState, version: VersionState) -> None:
        name = version_name(state, version)
        try:
            manifest = Manifest.open(self._storage, self._reader, version.root)
            self._compare_with_header(name, version, manifest)
            for entry, ref in version_refs(manifest, self._reader):
                self._check_ref(name, ref, entry.path if entry is not None else None)
            for entry, fragment in version_fragments(manifest, self._reader):
                self._check_fragment(name, entry.path, fragment)
        except ArtstoreError as error:
            key = str(error.context.get("key", version.root))
            self._found(key, error.message, name, code=error.code)
        if version.meta is not None:
            try:
                Manifest.open(self._storage, self._reader, version.meta)
            except ArtstoreError as error:
                self._found(version.meta, error.message, name, code=error.code)

    def _compare_with_header(self, name: str, version: VersionState, manifest: Manifest) -> None:
        for field in ("digest", "size_bytes", "file_count", "entry_count"):
            stated, found = getattr(version, field), manifest.header.get(field)
            if stated != found:
                message = f"its {field} is {found}, the log says {stated}"
                self._found(version.root, message, name, code="manifest-damaged")

    def _check_ref(self, version: str, ref: ChunkRef, path: str | None) -> None:
        if self._reader.moved.is_gone(ref.pack):
            hit = version if path is None else f"{version} {path}"
            place = self._moved_place(hit, ref)
            if place is None:
                return
            ref = place
        key = pack_key(ref.pack)
        if key in self._messages and ref.pack not in self._bad_packs:
            bad = self._bad_chunks.get((ref.pack, ref.ordinal))
            if bad is not None:
                hit = version if path is None else f"{version} {path}"
                self._found(key, bad.message, hit, code=bad.code)
                return
        try:
            footer = self._reader.footer(ref.pack)
        except ArtstoreError as error:
            self._bad_packs.add(ref.pack)
            self._found(key, error.message, version, code=error.code)
            return
        if not _matches(footer, ref):
            message = f"chunk {ref.ordinal} is not the one that a manifest names"
            self._found(key, message, version, code="pack-damaged")


def problem_of(found: RunProblem) -> Problem:
    """As it is told."""
    return Problem(found.key, found.message, (), (found.run,), found.code, found.is_inside)


def _lost_versions(state: CollectionState) -> list[str]:
    """Versions that must have been, by the numbers of later ones, and are not there."""
    lost: list[int] = []
    expected = 0
    for number, version in state.versions.items():
        # What came from another store has its number there: what is left out was never here.
        if version.origin is None and number - expected > 0:
            lost += range(expected, min(number, expected + _LOST_SHOWN_COUNT))
        expected = number + 1
    return [f"{state.project}/{state.name}:v{number}" for number in lost[:_LOST_SHOWN_COUNT]]


def _matches(footer: Footer, ref: ChunkRef) -> bool:
    return (
        ref.ordinal < len(footer.digests)
        and footer.digests[ref.ordinal] == ref.digest
        and footer.stored_bytes[ref.ordinal] == ref.stored_bytes
        and footer.plain_bytes[ref.ordinal] == ref.plain_bytes
        and footer.codecs[ref.ordinal] == ref.codec
    )

"""
Pull: make a directory hold what a version holds, writing only what is not right yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Final

from artstore import clock, limits
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import InvalidInputError, StateError, UnsupportedFormatError
from artstore.forks import LazyValue
from artstore.manifests.entry import DIRECTORY, FILE, LINK, REFERENCE, SYMLINK, TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.transfer.checkouts import Checkout, Checkouts
from artstore.transfer.fetch import Fetcher
from artstore.transfer.knowndigest import KnownDigest
from artstore.transfer.links import LinkMode
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.transfer.selection import Selection
from artstore.transfer.single import single_flight
from artstore.transfer.target import TargetDirectory, is_temporary
from artstore.transfer.walk import Found, walk

__all__ = ["LINK_MODES", "PullOutcome", "PullSpec", "check_link_mode", "merge_with_found", "pull"]

LINK_MODES: Final[tuple[LinkMode, ...]] = ("copy", "reflink", "hard", "sym")
_KEPT_BYTES: Final = 32 * limits.MIB
"""Of the list of files, about 300,000 of them, from planning to writing; the rest is read twice."""
_FILE_KINDS: Final = frozenset((FILE, LINK, TABLE))


@dataclass(frozen=True, slots=True)
class PullSpec:
    """
    Attributes:
        root: where to; made if it is not there.
        selection: which entries; all by default.
        link: one of `LINK_MODES`.
        delete: remove what the selection covers and the version does not have.
        into: allow a directory that is not empty and was not made by a pull.
        allow_missing: leave out references behind which nothing lies, with a warning.
    """

    root: Path
    selection: Selection
    link: LinkMode = "copy"
    delete: bool = False
    dry_run: bool = False
    into: bool = False
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """Counts are of files, symlinks and references; bytes are of their content."""

    root: Path
    file_count: int
    written_paths: tuple[str, ...]
    written_bytes: int
    linked_count: int
    skipped_count: int
    deleted_paths: tuple[str, ...]
    stored_bytes_read: int
    warnings: tuple[str, ...]


def pull(
    place: StorePlace,
    checkouts: Checkouts,
    state: CollectionState,
    version: VersionState,
    spec: PullSpec,
    *,
    on_progress: OnProgress | None = None,
) -> PullOutcome:
    """
    Make `spec.root` hold the selected entries of a version.

    A file that is right already is not touched; one that is not is written
    beside its place and renamed, so a kill leaves the old one or the new one.

    Raises:
        StateError: `target-not-empty`, `target-occupied`.
        InvalidInputError: `path-collision`, `path-invalid`.
        DamagedDataError: naming the file; no wrong byte is left behind.
        DeniedError: `target-full`, `target-denied`, `space-short`.
    Cost: a stat for each file that is right; reads only what is missing. A checkout of
        this very version in which nothing changed reads nothing at all.
    """
    with ExitStack() as held:
        if not spec.dry_run:
            flight = single_flight(
                place,
                checkouts,
                version,
                root=spec.root,
                selection=spec.selection,
                uses_cache=spec.link != "copy",
                on_progress=on_progress,
            )
            held.enter_context(flight)
        return _Pull(place, checkouts, state, version, spec=spec, on_progress=on_progress).run()


def check_link_mode(text: str) -> LinkMode:
    """`text` as a mode. Raises InvalidInputError `value-invalid`."""
    for mode in LINK_MODES:
        if mode == text:
            return mode
    raise InvalidInputError(
        f"link mode {text!r} is none of {', '.join(LINK_MODES)}", code="value-invalid"
    )


class _Pull:
    def __init__(
        self,
        place: StorePlace,
        checkouts: Checkouts,
        state: CollectionState,
        version: VersionState,
        *,
        spec: PullSpec,
        on_progress: OnProgress | None,
    ) -> None:
        self._place = place
        self._checkouts = checkouts
        self._state = state
        self._version = version
        self._spec = spec
        self._on_progress = on_progress
        self._warnings: list[str] = []
        self._read_bytes = 0

    @LazyValue
    def _manifest(self) -> Manifest:
        manifest = self._place.manifest(self._version)
        manifest.keep_segments(_KEPT_BYTES)
        return manifest

    def run(self) -> PullOutcome:
        spec = self._spec
        before = self._checkouts.find(spec.root)
        is_there = self._check_root(is_ours=before is not None)
        if before is not None and self._is_noted(before) and (count := self._count_if_right()):
            return PullOutcome(spec.root, count, (), 0, 0, count, (), 0, ())
        base = self._base_manifest(before.project, before.name, before.version) if before else None
        plan = self._plan(is_there=is_there)
        if not spec.dry_run:
            self._write(plan, base)
        return PullOutcome(
            spec.root,
            plan.file_count,
            tuple(plan.written_paths),
            plan.written_bytes,
            0 if spec.link == "copy" else plan.written_files,
            plan.right_count,
            tuple(plan.extra_paths),
            self._read_bytes,
            tuple(self._warnings),
        )

    def _check_root(self, *, is_ours: bool) -> bool:
        root, spec = self._spec.root, self._spec
        if root.exists() and not root.is_dir():
            raise StateError(
                f"{root} is a file", code="target-occupied", hint="name a directory", path=str(root)
            )
        is_there = root.is_dir() and any(root.iterdir())
        if is_there and not is_ours and not spec.into:
            raise StateError(
                f"{root} is not empty and was not made by a pull",
                code="target-not-empty",
                hint="use --into to write into it, or name another directory",
                path=str(root),
            )
        return is_there

    def _base_manifest(self, project: str, name: str, version: int) -> Manifest | None:
        """What was checked out here before: its files spare reading the store again."""
        if (project, name) != (self._state.project, self._state.name):
            return None
        known = self._state.versions.get(version)
        if known is None or known.version == self._version.version:
            return None
        try:
            return self._place.manifest(known)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it only saves reading
            return None

    def _is_noted(self, checkout: Checkout) -> bool:
        """Whether the directory was made to hold all of this version, and all is asked for."""
        noted = (checkout.store_id, checkout.project, checkout.name, checkout.version)
        state, number = self._state, self._version.version
        wanted = (self._place.store_id, state.project, state.name, number)
        return checkout.is_done and noted == wanted and self._spec.selection.is_everything

    def _count_if_right(self) -> int:
        """
        How much of the version stands there, if it is all of it and the stat cache knows it.

        Then the digest says so, and not even the list of files has to be read.
        """
        known, count = KnownDigest(self._place.statcache), 0
        warnings: list[str] = []
        for here in walk(
            self._spec.root,
            content_root=self._place.content_root,
            keep_going=True,
            on_warning=warnings.append,
        ):
            known.add(here)
            count += here.kind != DIRECTORY
            if warnings or not known.is_known:
                return 0
        digest = known.digest()
        return count if digest is not None and digest.hex() == self._version.digest else 0

    # planning --------------------------------------------------------------------

    def _plan(self, *, is_there: bool) -> _Plan:
        plan = _Plan()
        entries = self._selected()
        if not is_there:
            for missing in entries:
                plan.add(missing, is_right=False)
            return plan
        found = walk(
            self._spec.root,
            content_root=self._place.content_root,
            keep_going=True,
            on_warning=self._warnings.append,
        )
        meter = ProgressMeter("compare", self._on_progress)
        for entry, here in merge_with_found(entries, found):
            meter.add(1, 0)
            if entry is None:
                assert here is not None
                self._plan_extra(plan, here)
            else:
                plan.add(entry, is_right=here is not None and self._is_right(entry, here))
        return plan

    def _selected(self) -> Iterator[Entry]:
        selection = self._spec.selection
        for entry in self._manifest.entries(selection.prefix):
            if not selection.covers(entry.path):
                continue
            if entry.kind not in (FILE, LINK, SYMLINK, DIRECTORY, REFERENCE, TABLE):
                if not entry.must_understand:
                    continue
                raise UnsupportedFormatError(
                    f"{entry.path} is a {entry.kind}, which this release cannot write",
                    code="entry-kind-unknown",
                    hint="upgrade artstore",
                    path=entry.path,
                )
            yield entry

    def _plan_extra(self, plan: _Plan, here: Found) -> None:
        spec = self._spec
        if is_temporary(here.path) or (spec.delete and spec.selection.covers(here.path)):
            plan.extra_paths.append(here.path)

    def _is_right(self, entry: Entry, here: Found) -> bool:
        if entry.kind == SYMLINK:
            return here.kind == "symlink" and here.target == entry.target
        if entry.kind == DIRECTORY:
            return here.kind == "directory"
        if entry.kind in (REFERENCE, TABLE):
            return self._is_fetched(entry, here)
        if here.kind != "file" or here.size_bytes != entry.size_bytes:
            return False
        digest = self._place.statcache.lookup(here) or self._hash(here)
        return digest == entry.digest and here.executable == entry.executable

    def _is_fetched(self, entry: Entry, here: Found) -> bool:
        from artstore.transfer.references import known_content

        if here.kind != "file" or here.size_bytes != entry.extra.get("size_bytes", here.size_bytes):
            return False
        wanted = known_content(entry, self._place)
        if wanted is None:
            return False
        return (self._place.statcache.lookup(here) or self._hash(here)) == wanted

    def _hash(self, here: Found) -> bytes | None:
        from artstore.transfer.hashing import hash_found

        began_ns = clock.now_nanoseconds()
        digest = hash_found(here)
        if digest is not None:
            self._place.statcache.record(here, digest, began_ns=began_ns)
        return digest

    # writing ---------------------------------------------------------------------

    def _write(self, plan: _Plan, base: Manifest | None) -> None:
        spec, state = self._spec, self._state
        self._check_space(plan)
        self._checkouts.mark_started(
            spec.root, self._place.store_id, state.project, state.name, self._version.version
        )
        with TargetDirectory(spec.root, delete=spec.delete) as target:
            for path in plan.written_paths:
                target.claim(path)
            self._remove(target, plan)
            meter = ProgressMeter(
                "pull",
                self._on_progress,
                total_files=len(plan.written_paths),
                total_bytes=plan.written_bytes,
            )
            with ThreadPoolExecutor(self._place.concurrency.writers, "artstore-write") as workers:
                fetcher = Fetcher(
                    self._place,
                    self._manifest,
                    base=base,
                    target=target,
                    link=spec.link,
                    workers=workers,
                    meter=meter,
                    warn=self._warnings.append,
                    allow_missing=spec.allow_missing,
                )
                fetcher.run(plan.wrong_of(self._selected()))
            self._read_bytes = fetcher.read_bytes
            meter.finish()
        self._place.statcache.save()
        if spec.selection.is_everything:
            self._checkouts.mark_done(
                spec.root, self._place.store_id, state.project, state.name, self._version.version
            )

    def _check_space(self, plan: _Plan) -> None:
        from artstore.transfer.space import check_space

        if self._spec.link in ("copy", "reflink"):
            check_space(self._spec.root, plan.written_bytes)

    def _remove(self, target: TargetDirectory, plan: _Plan) -> None:
        # Deepest first, so that a directory is empty when its turn comes.
        for path in reversed(plan.extra_paths):
            if target.remove(path):
                target.prune_parents(path)


class _Plan:
    """
    What has to be done. Entries are not held, 600 bytes each: the list of files is read again.

    Attributes:
        written_paths: what is to be written, in manifest order; `written_bytes` in all,
            `written_files` of them files.
        right_count: what is right already, directories left out; `file_count` with the rest.
    """

    def __init__(self) -> None:
        self.written_paths: list[str] = []
        self.extra_paths: list[str] = []
        self.written_bytes = self.written_files = 0
        self.file_count = self.right_count = 0
        self._is_wrong = bytearray()

    def add(self, entry: Entry, *, is_right: bool) -> None:
        """The next entry, and whether it stands there already."""
        is_counted = entry.kind != DIRECTORY
        self.file_count += is_counted
        self._is_wrong.append(not is_right)
        if is_right:
            self.right_count += is_counted
            return
        self.written_paths.append(entry.path)
        self.written_bytes += entry.size_bytes
        self.written_files += entry.kind in _FILE_KINDS

    def wrong_of(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those of the entries that were added, in the same order, that are not right yet."""
        return compress(entries, self._is_wrong)


def merge_with_found(
    entries: Iterator[Entry], found: Iterator[Found]
) -> Iterator[tuple[Entry | None, Found | None]]:
    """Pair what a version has with what stands on disk, by path; both in manifest order."""
    entry, here = next(entries, None), next(found, None)
    while entry is not None or here is not None:
        if entry is None or (here is not None and here.path < entry.path):
            yield None, here
            here = next(found, None)
        elif here is None or entry.path < here.path:
            yield entry, None
            entry = next(entries, None)
        else:
            yield entry, here
            entry, here = next(entries, None), next(found, None)

"""
Push: read what is new, store it, and publish one version.

The order, which every step keeps (docs/format/README.md, O1-O4): packs, chunk
lists, segments, root and index in parallel, none of which anything names yet;
one barrier; then the log entry. A push that dies anywhere leaves what gc
removes, never a version that lacks a byte.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from artstore import clock
from artstore.catalog.catalog import Committed
from artstore.catalog.fences import ContentUse, PushStart
from artstore.catalog.operations import (
    AliasRequest,
    CreateRequest,
    PublishRequest,
    Published,
    Request,
    TagRequest,
)
from artstore.catalog.state import CollectionState, VersionState
from artstore.digest import digest_of
from artstore.errors import InvalidInputError
from artstore.manifests.entry import FILE, ArtifactHasher, Entry
from artstore.manifests.reader import root_key
from artstore.manifests.tree import RefFolder
from artstore.manifests.writer import ManifestWriter
from artstore.packs.builder import PackStream
from artstore.packs.index import IndexView, encode_index, index_key, merge_index, open_index
from artstore.packs.locator import PUSH_ID_BYTES, ChunkRef, pack_key
from artstore.transfer.ingest import FreshChunk, Ingested
from artstore.transfer.intake import Intake, LargeRead, Reused, WholeRead, entry_without_bytes
from artstore.transfer.journal import Journal, Leftover, leftovers
from artstore.transfer.known import KnownChunks, ParentCursor
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.transfer.sources import Item, Source, scan
from artstore.transfer.uploads import Uploads
from artstore.transfer.walk import Found

__all__ = ["PushOutcome", "PushSpec", "push"]

DEFAULT_TYPE: Final = "dataset"
_KEPT_ITEMS: Final = 200_000
"""Items of the first walk that are kept for the second; more are walked twice."""


@dataclass(frozen=True, slots=True)
class PushSpec:
    """What to push, and under which name. `None` texts leave what the version before has."""

    project: str
    name: str
    type: str | None
    sources: Sequence[Source]
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    message: str | None = None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    dedup: str = "project"


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """
    Attributes:
        version: the version that has the content now.
        is_new: whether this push made it.
        stored_bytes: bytes written to the store, manifests included.
        read_bytes: bytes of source files that were read.
        warnings: what was skipped, and why.
    """

    version: VersionState
    state: CollectionState
    is_new: bool
    stored_bytes: int
    read_bytes: int
    warnings: tuple[str, ...]


def push(place: StorePlace, spec: PushSpec, *, on_progress: OnProgress | None) -> PushOutcome:
    """
    Push `spec.sources` as the next version of `spec.name`, or find that nothing changed.

    Raises:
        InvalidInputError: `path-twice`, `path-invalid`, `type-mismatch`, `nothing-to-push`.
        InvalidInputError: `source-vanished`, `source-unreadable`.
        StateError: `source-changed`.
        DeniedError: `storage-full`, `storage-denied`.
        ConflictError: others kept winning; nothing was published.
    Cost: nothing changed: one scan of the log and one stat a file. Otherwise
        reads the changed files once; memory under 200 MB.
    """
    return _Push(place, spec, on_progress).run()


class _Push:
    def __init__(self, place: StorePlace, spec: PushSpec, on_progress: OnProgress | None) -> None:
        self._place = place
        self._spec = spec
        self._on_progress = on_progress
        self._warnings: list[str] = []
        self._walked = _Walked(place, spec.sources, self._warn)

    def run(self) -> PushOutcome:
        spec, catalog = self._spec, self._place.catalog
        state, start = catalog.begin_push(spec.project, spec.name)
        newest = state.latest
        digest = None
        if newest is not None or self._on_progress is not None:
            digest = self._walked.digest_if_known()
        if newest is not None and digest is not None and digest.hex() == newest.digest:
            return self._unchanged(state, newest)
        # Before the index is listed: what gc plans from now on is seen as a fence.
        start = replace(start, upkeep=catalog.upkeep_state())
        with _Transfer(self._place, spec, newest) as transfer:
            meter = ProgressMeter(
                "push",
                self._on_progress,
                total_files=self._walked.total_files,
                total_bytes=self._walked.total_bytes,
            )
            transfer.take_all(self._walked.items(), meter)
            return self._publish(transfer, state, start)

    def _publish(
        self, transfer: _Transfer, state: CollectionState, start: PushStart
    ) -> PushOutcome:
        spec = self._spec
        digest = transfer.hasher.digest().hex()
        if not transfer.manifest.entry_count:
            raise InvalidInputError(
                f"there is nothing to push into {spec.name}",
                code="nothing-to-push",
                hint="is everything ignored? `art push -v` tells what was skipped",
            )
        newest = transfer.newest
        if newest is not None and digest == newest.digest and transfer.is_spent_for_nothing():
            self._place.statcache.save()
            return self._unchanged(state, newest, transfer)
        type_name = spec.type or state.type or DEFAULT_TYPE
        root = transfer.finish(_header(spec, type_name, transfer, digest))
        self._place.statcache.save()
        committed = transfer.commit(
            start,
            PublishRequest(
                type=type_name,
                digest=digest,
                root=root,
                push=transfer.push_id.hex(),
                size_bytes=transfer.size_bytes,
                file_count=transfer.file_count,
                entry_count=transfer.manifest.entry_count,
                aliases=spec.aliases,
                tags=spec.tags,
                uses=transfer.uses(),
                earlier_pushes=transfer.earlier_pushes(digest),
            ),
        )
        outcome = committed.outcome
        assert outcome.version is not None
        version = committed.state.versions[outcome.version]
        return PushOutcome(
            version,
            committed.state,
            isinstance(outcome, Published),
            transfer.stored_bytes,
            transfer.read_bytes,
            tuple(self._warnings),
        )

    def _unchanged(
        self, state: CollectionState, newest: VersionState, transfer: _Transfer | None = None
    ) -> PushOutcome:
        spec, number = self._spec, newest.version
        requests: list[Request] = []
        if spec.type is not None and spec.type != state.type:
            requests.append(CreateRequest(spec.type))
        if set(spec.aliases) - set(newest.aliases):
            requests.append(AliasRequest(number, add=spec.aliases))
        if set(spec.tags) - set(newest.tags):
            requests.append(TagRequest(number, add=spec.tags))
        for request in requests:
            state = self._place.catalog.commit(spec.project, spec.name, request).state
        if spec.description is not None or spec.metadata is not None:
            state = self._describe(state, state.versions[number])
        return PushOutcome(
            state.versions[number],
            state,
            is_new=False,
            stored_bytes=transfer.stored_bytes if transfer else 0,
            read_bytes=transfer.read_bytes if transfer else 0,
            warnings=tuple(self._warnings),
        )

    def _describe(self, state: CollectionState, newest: VersionState) -> CollectionState:
        spec = self._spec
        header = self._place.header(newest)
        wanted = {
            "description": header.get("description") if spec.description is None else spec.description,
            "metadata": header.get("metadata", {}) if spec.metadata is None else spec.metadata,
        }
        if all((header.get(name) or None) == (value or None) for name, value in wanted.items()):
            return state
        return self._place.describe(spec.project, spec.name, newest.version, wanted)

    def _warn(self, message: str) -> None:
        self._warnings.append(message)


class _Walked:
    """
    The items to push, walked once or, when there are very many, twice.

    The first walk asks the stat cache for every file: if it knows all of them,
    the artifact digest follows without reading a byte.
    """

    def __init__(
        self, place: StorePlace, sources: Sequence[Source], warn: Callable[[str], None]
    ) -> None:
        self._place = place
        self._sources = sources
        self._warn = warn
        self._kept: list[Item] | None = None
        self.total_files: int | None = None
        self.total_bytes: int | None = None

    def digest_if_known(self) -> bytes | None:
        """The artifact digest, or None when a file has to be read for it."""
        hasher: ArtifactHasher | None = ArtifactHasher()
        lookup = self._place.statcache.lookup
        kept: list[Item] | None = []
        files = size = 0
        for item in scan(
            self._sources, content_root=self._place.content_root, on_warning=self._warn
        ):
            if kept is not None:
                kept.append(item)
                if len(kept) > _KEPT_ITEMS:
                    kept = None
            if isinstance(item, Found) and item.kind == FILE:
                files += 1
                size += item.size_bytes
                digest = lookup(item) if hasher is not None else None
                if digest is None:
                    hasher = None
                elif hasher is not None:
                    hasher.add(item.path, FILE, item.executable, digest)
            elif hasher is not None:
                entry = entry_without_bytes(item)
                hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
        self._kept = kept
        self.total_files, self.total_bytes = files, size
        # What the second walk warns of, the first has told.
        if kept is None:
            self._warn = _silent
        return None if hasher is None else hasher.digest()

    def items(self) -> Iterator[Item]:
        """Every item, in manifest order."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            kept.reverse()
            while kept:
                yield kept.pop()
            return
        yield from scan(
            self._sources, content_root=self._place.content_root, on_warning=self._warn
        )


def _silent(_message: str) -> None:
    pass


class _Transfer:
    """One push that stores something: its streams, what it relies on, its journal."""

    def __init__(
        self,
        place: StorePlace,
        spec: PushSpec,
        newest: VersionState | None,
    ) -> None:
        self.newest = newest
        self.push_id = clock.random_bytes(PUSH_ID_BYTES)
        self.hasher = ArtifactHasher()
        self.size_bytes = self.file_count = self.read_bytes = 0
        self._place = place
        self._spec = spec
        self._leftovers: list[Leftover] = list(leftovers(place.journal_directory))
        self._journal = Journal(place.journal_directory, self.push_id)
        self._uploads = Uploads(place.storage, on_stored=self._journal.stored)
        self._resolved: dict[bytes, bytes] = {}
        self._data = self._open_stream()
        self._parent = place.manifest(newest) if newest is not None else None
        self._known = KnownChunks(
            place.packs,
            self._parent,
            itertools.chain.from_iterable(left.packs() for left in self._leftovers),
            self._open_index,
        )
        self._cursor = ParentCursor(self._parent)
        self._index: IndexView | None = None
        self._relied_packs: set[bytes] = set()
        self.manifest = ManifestWriter(self._data, self._open_stream, self._shared_nodes())
        self._failed = True

    def __enter__(self) -> _Transfer:
        return self

    def __exit__(self, *error: object) -> None:
        self._uploads.__exit__(None, None, None)
        self._journal.close(keep=self._failed)

    @property
    def stored_bytes(self) -> int:
        """Bytes handed to the storage so far."""
        return self._uploads.stored_bytes

    # reading ---------------------------------------------------------------------

    def take_all(self, items: Iterator[Item], meter: ProgressMeter) -> None:
        """Read, store and list every item."""
        with ThreadPoolExecutor(self._place.workers, "artstore-read") as workers:
            intake = Intake(workers, self._known.__contains__, self._reuse)
            for done in intake.run(items):
                if isinstance(done, Entry):
                    self._list(done)
                    meter.add(0, 0)
                elif isinstance(done, Reused):
                    self._list_reused(done)
                    meter.add(1, done.entry.size_bytes)
                else:
                    self._list_read(done, meter)
        meter.finish()

    def _reuse(self, found: Found) -> Entry | None:
        """The entry of an unchanged file, if its chunks are known; called in path order."""
        before = self._cursor.take(found.path)
        digest = self._place.statcache.lookup(found)
        if digest is None:
            return None
        if not found.size_bytes:
            return Entry(found.path, FILE, 0, digest, found.executable)
        if before is None or before.digest != digest or before.kind != FILE:
            before = self._known.file(digest)
        if before is not None:
            return Entry(
                found.path,
                FILE,
                before.size_bytes,
                digest,
                found.executable,
                before.chunks,
                before.level,
            )
        # The digest of a file of one chunk is the chunk's.
        ref = self._known.find(digest) or self._data.find(digest)
        if ref is None or ref.plain_bytes != found.size_bytes:
            return None
        return Entry(found.path, FILE, found.size_bytes, digest, found.executable, (ref,))

    def _list(self, entry: Entry, folder: RefFolder | None = None) -> None:
        self.hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
        self.manifest.add(entry, folder)

    def _list_reused(self, reused: Reused) -> None:
        entry = reused.entry
        self.file_count += 1
        self.size_bytes += entry.size_bytes
        for ref in entry.chunks:
            self._relied_packs.add(ref.pack)
        self._list(entry)

    def _list_read(self, done: WholeRead | LargeRead, meter: ProgressMeter) -> None:
        folder = RefFolder(self.manifest)

        def take(chunks: list[FreshChunk]) -> None:
            for chunk in chunks:
                folder.add(self._place_chunk(chunk))
                meter.add(0, chunk.plain_bytes)

        def restart() -> None:
            nonlocal folder
            folder = RefFolder(self.manifest)

        found = done.found
        if isinstance(done, WholeRead):
            read = done.read
            take(read.chunks)
        else:
            read = done.run(take, restart)
        meter.add(1, 0)
        self.file_count += 1
        self.size_bytes += read.size_bytes
        self.read_bytes += read.size_bytes
        self._place.statcache.record(
            _as_read(found, read), read.digest, began_ns=read.began_ns
        )
        entry = Entry(found.path, FILE, read.size_bytes, read.digest, read.executable)
        self._list(entry, folder)

    def _place_chunk(self, chunk: FreshChunk) -> ChunkRef:
        ref = self._data.find(chunk.digest)
        if ref is not None:
            return ref
        ref = self._known.find(chunk.digest)
        if ref is not None:
            self._relied_packs.add(ref.pack)
            return ref
        assert chunk.stored is not None, "a chunk was known and is no more"
        return self._data.add(chunk.digest, chunk.codec, chunk.stored, chunk.plain_bytes)

    # writing ---------------------------------------------------------------------

    def _open_stream(self) -> PackStream:
        return PackStream(self._uploads.submit, self.push_id, self._resolved)

    def _shared_nodes(self) -> Mapping[bytes, ChunkRef]:
        # Filled further while the parent's chunk lists are read.
        nodes = self._known.nodes
        if self._parent is not None:
            for ref in (*self._parent.segment_refs(), *self._parent.list_refs()):
                nodes[ref.digest] = ref
        return nodes

    def _open_index(self) -> IndexView | None:
        if self._spec.dedup == "parent":
            return None
        project = self._spec.project if self._spec.dedup == "project" else None
        self._index = open_index(self._place.storage, project=project)
        return self._index

    def is_spent_for_nothing(self) -> bool:
        """Whether not a single new chunk was found: the content is that of `newest`."""
        return not len(self._data)

    def finish(self, header: Mapping[str, Any]) -> str:
        """Write manifest, root and index; return the root's key once all is durable."""
        data = self.manifest.finish(header)
        root = root_key(digest_of(data), self.push_id)
        self._uploads.submit(root, [data])
        if len(self._data):
            project = self._spec.project
            index = encode_index(self._data.chunks(), project=project)
            self._uploads.submit(index_key(self.push_id), [index])
            self._merge_index()
        # O1: nothing may name what is not durable.
        self._uploads.barrier()
        return root

    def _merge_index(self) -> None:
        merged = self._index and merge_index(self._index, project=self._spec.project)
        if merged:
            self._uploads.submit(index_key(clock.random_bytes(PUSH_ID_BYTES)), [merged])

    def uses(self) -> ContentUse:
        """What this push made and what it relies on, for the check against gc."""
        hinted = self._known.hinted_packs
        relied = self._relied_packs | {ref.pack for ref in self.manifest.relied}
        unproven = frozenset(pack_key(pack) for pack in relied & hinted)
        from_versions: dict[int, frozenset[str]] = {}
        if self.newest is not None:
            from_versions[self.newest.version] = frozenset(
                pack_key(pack) for pack in relied - hinted if len(pack) > PUSH_ID_BYTES
            )
        return ContentUse(
            own=frozenset(self._uploads.keys),
            from_versions=from_versions,
            relied=unproven,
            unproven=unproven,
        )

    def earlier_pushes(self, digest: str) -> frozenset[str]:
        """Ids of killed pushes that may have published just this already (PROTOCOL C5)."""
        collection = f"{self._spec.project}/{self._spec.name}"
        return frozenset(
            left.push_id.hex()
            for left in self._leftovers
            if left.was_committing(collection, digest)
        )

    def commit(self, start: PushStart, request: PublishRequest) -> Committed:
        """Publish; the journals of this push and of those it finished are done with."""
        spec = self._spec
        self._journal.committing(f"{spec.project}/{spec.name}", request.digest)
        committed = self._place.catalog.commit(spec.project, spec.name, request, start=start)
        self._failed = False
        for left in self._leftovers:
            left.discard()
        return committed


def _as_read(found: Found, read: Ingested) -> Found:
    """The file in the state it was read in, which may be newer than the walk."""
    status = read.status
    return found._replace(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        executable=read.executable,
    )


def _header(
    spec: PushSpec, type_name: str, transfer: _Transfer, digest: str
) -> dict[str, Any]:
    header: dict[str, Any] = {
        "digest": digest,
        "type": type_name,
        "size_bytes": transfer.size_bytes,
        "file_count": transfer.file_count,
        "entry_count": transfer.manifest.entry_count,
    }
    if spec.description:
        header["description"] = spec.description
    if spec.message:
        header["message"] = spec.message
    if spec.metadata:
        header["metadata"] = dict(spec.metadata)
    return header

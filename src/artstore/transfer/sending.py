"""
Sending: read what is new, store it, and publish it as one version.

The order, which every step keeps (docs/format/README.md, O1-O4): packs, chunk
lists, segments, root and index in parallel, none of which anything names yet;
one barrier; then the log entry. A push that dies anywhere leaves what gc
removes, never a version that lacks a byte.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from artstore import clock
from artstore.catalog.catalog import Committed
from artstore.catalog.fences import ContentUse, PushStart
from artstore.catalog.requests import PublishRequest
from artstore.catalog.state import Source, VersionState
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.manifests.entry import FILE, LINK, TABLE, ArtifactHasher, Entry
from artstore.manifests.reader import Manifest, root_key
from artstore.manifests.tree import INLINE_REFS, RefFolder
from artstore.manifests.writer import ManifestWriter
from artstore.packs.builder import PackStream
from artstore.packs.index import IndexView, encode_index, index_key, merge_index
from artstore.packs.locator import PUSH_ID_BYTES, ChunkRef, pack_key
from artstore.packs.needed import NeededChunks
from artstore.packs.openindex import open_index, remember_segment
from artstore.transfer.copying import CopiedItem, CopiedRead, CopiedStream
from artstore.transfer.ingest import FreshChunk, Ingested, chunk_whole
from artstore.transfer.intake import BytesRead, Intake, LargeRead, Reused, WholeRead
from artstore.transfer.journal import Journal, Leftover, leftovers
from artstore.transfer.known import KnownChunks, Parent, ParentCursor
from artstore.transfer.namedinputs import NamedInputs
from artstore.transfer.place import StorePlace
from artstore.transfer.prepared import TableItem
from artstore.transfer.progress import ProgressMeter
from artstore.transfer.pushspec import PushSpec
from artstore.transfer.sources import Item, NotedFiles
from artstore.transfer.tablesending import TableSending
from artstore.transfer.uploads import Uploads
from artstore.transfer.walk import Found

if TYPE_CHECKING:
    from artstore.tables.tablefile import TableFile

__all__ = ["Sending"]


class Sending:
    """One push that stores something: its streams, what it relies on, its journal."""

    def __init__(
        self,
        place: StorePlace,
        spec: PushSpec,
        newest: VersionState | None,
        condemned: frozenset[str],
        kept_from: VersionState | None = None,
    ) -> None:
        self.newest = newest
        self._kept_from = kept_from
        self.push_id = clock.random_bytes(PUSH_ID_BYTES)
        self.hasher = ArtifactHasher()
        self.size_bytes = self.file_count = self.read_bytes = 0
        self._place = place
        self._spec = spec
        collection = f"{spec.project}/{spec.name}"
        self._leftovers: list[Leftover] = list(leftovers(place.journal_directory, collection))
        self._journal = Journal(place.journal_directory, self.push_id, collection)
        self._uploads = Uploads(
            place.storage,
            on_storing=self._journal.storing,
            at_once=place.concurrency.uploads,
            in_flight_bytes=place.concurrency.upload_bytes,
        )
        self._resolved: dict[bytes, bytes] = {}
        self._data = self._open_stream()
        self._parent = self._open_parent(newest)
        parent = Parent(self._parent)
        self._known = KnownChunks(
            place.packs,
            parent,
            itertools.chain.from_iterable(left.packs() for left in self._leftovers),
            condemned,
            self._open_index,
        )
        self._cursor = ParentCursor(parent)
        self._index: IndexView | None = None
        self._relied = NeededChunks()
        self._linked = NeededChunks()
        self._kept = NeededChunks()
        self._noted = NotedFiles(spec.sources)
        self._inputs = NamedInputs()
        self._tables = TableSending(
            place.packs,
            self.push_id,
            self._uploads.submit,
            self._parent,
            storage=place.storage,
            condemned=condemned,
        )
        self.manifest = ManifestWriter(self._data, self._open_stream, self._shared_nodes())
        self._failed = True

    def _open_parent(self, newest: VersionState | None) -> Manifest | None:
        if newest is None:
            return None
        try:
            return self._place.manifest(newest)
        except DamagedDataError as error:
            name = f"{self._spec.project}/{self._spec.name}:v{newest.version}"
            error.hint = f"`art rm {name}` lets the next push start from the version before it"
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._uploads.__exit__(None, None, None)
        self._journal.close(keep=self._failed)

    @property
    def stored_bytes(self) -> int:
        """Bytes handed to the storage so far."""
        return self._uploads.stored_bytes

    # reading ---------------------------------------------------------------------

    def take_all(self, items: Iterator[Item | CopiedItem], meter: ProgressMeter) -> None:
        """Read, store and list every item."""
        with ThreadPoolExecutor(self._place.concurrency.readers, "artstore-read") as workers:
            intake = Intake(workers, self._known.__contains__, self._reuse, self._reuse_copied)
            for done in intake.run(items):
                if isinstance(done, Entry):
                    self._list_entry(done)
                    meter.add(0, 0)
                elif isinstance(done, TableItem):
                    meter.add(1, self._list_table(done))
                elif isinstance(done, BytesRead):
                    self._list_bytes(done)
                    meter.add(1, done.item.size_bytes)
                elif isinstance(done, Reused):
                    self._list_reused(done)
                    meter.add(1, done.entry.size_bytes)
                elif isinstance(done, CopiedItem):
                    meter.add(1, self._list_copied_table(done))
                elif isinstance(done, CopiedRead):
                    self._list_copied(done)
                    meter.add(1, done.item.size_bytes)
                elif isinstance(done, CopiedStream):
                    self._list_copied_large(done, meter)
                    meter.add(1, 0)
                elif isinstance(done, WholeRead):
                    self._list_whole(done)
                    meter.add(1, done.read.size_bytes)
                else:
                    self._list_large(done, meter)
                    meter.add(1, 0)
        meter.finish()

    def _reuse(self, found: Found) -> Entry | None:
        """The entry of an unchanged file, if its chunks are known; called in path order."""
        before = self._cursor.take(found.path)
        digest = self._place.statcache.lookup(found)
        if digest is None:
            return None
        if before is not None and before.kind == TABLE and self._is_written_table(before, digest):
            return before
        if (noted := self._noted.of(found)) is not None:
            noted.check_digest(digest)
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

    def _reuse_copied(self, item: CopiedItem) -> Entry | None:
        """The entry of a file of another store that a version here has; called in path order."""
        entry = item.entry
        before = self._cursor.take(entry.path)
        if entry.kind == TABLE:
            return None
        if before is None or before.digest != entry.digest or before.kind not in (FILE, LINK):
            before = self._known.file(entry.digest)
        if before is None or before.size_bytes != entry.size_bytes:
            return None
        return replace(entry, chunks=before.chunks, level=before.level)

    def _is_written_table(self, table: Entry, digest: bytes) -> bool:
        """Whether a file is what a pull has made of a table."""
        return self._place.fetched.lookup(table.digest) == digest

    def _list(self, entry: Entry, folder: RefFolder | None = None) -> None:
        self.hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
        self.manifest.add(entry, folder)
        if entry.extra:
            self._inputs.note(entry)

    def _list_entry(self, entry: Entry) -> None:
        if entry.extra.get("store", self._place.store_id) != self._place.store_id:
            raise InvalidInputError(
                f"{entry.path} links to a file of another store",
                code="link-elsewhere",
                hint="pull it and add the file",
                path=entry.path,
            )
        if entry.kind in (FILE, LINK):
            self.file_count += 1
            self.size_bytes += entry.size_bytes
            self._rely_on(entry)
        elif entry.kind == TABLE:
            self.file_count += 1
            self.size_bytes += int(entry.extra.get("stored_bytes", 0))
            self._rely_on(entry)
            self._tables.rely_on(entry)
        self._list(entry)

    def _rely_on(self, entry: Entry) -> None:
        """Note where the bytes are of an entry that another version has."""
        if entry.kind == LINK or "store" in entry.extra:
            # Whose version it was is not looked at again: each pack is proven to be there.
            needed = self._linked
        elif self._spec.kept is not None and self._spec.kept.state is None:
            # Of the newest version, which still is the newest, hence live, at the commit.
            return
        else:
            needed = self._kept
        needed.update(entry.chunks)
        needed.update(self._known.below(entry))

    def _list_table(self, item: TableItem) -> int:
        """Store and list a table; the bytes of its fragments."""
        extra = {"sources": list(item.sources)} if item.sources else {}
        return self._list_table_file(item.path, self._tables.store(item), extra)

    def _list_table_file(self, path: str, table: TableFile, extra: Mapping[str, Any]) -> int:
        from artstore.tables.tablefile import encode_table

        data = encode_table(table)
        _, chunks = chunk_whole(data, self._known.__contains__)
        stored_bytes = sum(fragment.size_bytes for fragment in table.fragments)
        told = {**extra, "row_count": table.row_count, "stored_bytes": stored_bytes}
        self.file_count += 1
        self.size_bytes += stored_bytes
        self._list_chunks(Entry(path, TABLE, len(data), table.digest(), extra=told), chunks)
        return stored_bytes

    def _list_copied_table(self, item: CopiedItem) -> int:
        table, read_bytes = self._tables.copy(item)
        self.read_bytes += read_bytes
        return self._list_table_file(item.path, table, item.entry.extra)

    def _list_copied(self, done: CopiedRead) -> None:
        self.read_bytes += _stored_bytes(done.chunks)
        self._list_chunks(self._counted(done.item.entry), done.chunks)

    def _list_copied_large(self, done: CopiedStream, meter: ProgressMeter) -> None:
        folder = RefFolder(self.manifest)
        for chunks in done.chunks():
            self.read_bytes += _stored_bytes(chunks)
            for chunk in chunks:
                folder.add(self._place_chunk(chunk))
                meter.add(0, chunk.plain_bytes)
        self._list(self._counted(done.item.entry), folder)

    def _counted(self, entry: Entry) -> Entry:
        """An entry of another store without its references there."""
        if entry.kind in (FILE, LINK):
            self.file_count += 1
            self.size_bytes += entry.size_bytes
        return replace(entry, chunks=(), level=0)

    def _list_bytes(self, done: BytesRead) -> None:
        item = done.item
        self.file_count += 1
        self.size_bytes += item.size_bytes
        self._list_chunks(Entry(item.path, FILE, item.size_bytes, item.digest), done.chunks)

    def _list_chunks(self, entry: Entry, chunks: list[FreshChunk]) -> None:
        refs = [self._place_chunk(chunk) for chunk in chunks]
        if len(refs) <= INLINE_REFS:
            self._list(entry.with_chunks(tuple(refs)))
            return
        folder = RefFolder(self.manifest)
        for ref in refs:
            folder.add(ref)
        self._list(entry, folder)

    def _list_reused(self, reused: Reused) -> None:
        entry = reused.entry
        self.file_count += 1
        self.size_bytes += entry.size_bytes
        if entry.kind == TABLE:
            self._tables.rely_on(entry)
        self._relied.update(entry.chunks)
        if entry.level:
            # The chunks below the lists, too: a pack of lists may outlive theirs.
            self._relied.update(self._known.below(entry))
        self._list(entry)

    def _list_whole(self, done: WholeRead) -> None:
        self._list_chunks(self._entry_of(done.found, done.read), done.read.chunks)

    def _list_large(self, done: LargeRead, meter: ProgressMeter) -> None:
        folder = RefFolder(self.manifest)

        def take(chunks: list[FreshChunk]) -> None:
            for chunk in chunks:
                folder.add(self._place_chunk(chunk))
                meter.add(0, chunk.plain_bytes)

        def restart() -> None:
            nonlocal folder
            folder = RefFolder(self.manifest)

        read = done.run(take, restart)
        self._list(self._entry_of(done.found, read), folder)

    def _entry_of(self, found: Found, read: Ingested) -> Entry:
        if (noted := self._noted.of(found)) is not None:
            noted.check_read(read.status, read.digest)
        self.file_count += 1
        self.size_bytes += read.size_bytes
        self.read_bytes += read.size_bytes
        self._place.statcache.record(_as_read(found, read), read.digest, began_ns=read.began_ns)
        return Entry(found.path, FILE, read.size_bytes, read.digest, read.executable)

    def _place_chunk(self, chunk: FreshChunk) -> ChunkRef:
        ref = self._data.find(chunk.digest)
        if ref is not None:
            return ref
        if chunk.stored is not None:
            # Whoever read it has looked for it among what is known.
            return self._data.add(chunk.digest, chunk.codec, chunk.stored, chunk.plain_bytes)
        ref = self._known.find(chunk.digest)
        assert ref is not None, "a chunk was known and is no more"
        self._relied.add(ref)
        return ref

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
        self._index = open_index(
            self._place.storage, project=project, cache=self._place.index_cache
        )
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
            self._submit_index(encode_index(self._data.chunks(), project=project), self.push_id)
            merged = self._index and merge_index(self._index, project=project)
            if merged:
                self._submit_index(merged, clock.random_bytes(PUSH_ID_BYTES))
        # O1: nothing may name what is not durable.
        self._uploads.barrier()
        return root

    def _submit_index(self, segment: bytes, number: bytes) -> None:
        key, cache = index_key(number), self._place.index_cache
        self._uploads.submit(key, [segment])
        if cache is not None:
            remember_segment(cache, key, segment)

    def inputs(self) -> tuple[Source, ...]:
        """The versions that entries of this one name."""
        return self._inputs.sources(self._spec.project, self._spec.name)

    def uses(self) -> ContentUse:
        """What this push made and what it relies on, for the check against gc."""
        hinted = self._known.hinted_packs
        chunks = NeededChunks(self.manifest.relied)
        for needed in (self._relied, self._linked, self._kept):
            chunks.merge(needed)
        relied = self._relied.keys() | {ref.pack for ref in self.manifest.relied}
        unproven = frozenset(pack_key(pack) for pack in relied & hinted)
        from_versions: dict[int, frozenset[str]] = {}
        if self.newest is not None:
            from_versions[self.newest.version] = frozenset(
                pack_key(pack) for pack in relied - hinted if len(pack) > PUSH_ID_BYTES
            )
        tables = self._tables
        if self.newest is not None and tables.parent_keys:
            number = self.newest.version
            from_versions[number] = from_versions[number] | tables.parent_keys
        kept = frozenset(map(pack_key, self._kept)) | tables.kept_keys
        if self._kept_from is not None:
            number = self._kept_from.version
            from_versions[number] = from_versions.get(number, frozenset()) | kept
            kept = frozenset()
        elsewhere = unproven | kept | tables.other_keys | set(map(pack_key, self._linked))
        return ContentUse(
            own=frozenset(self._uploads.keys),
            from_versions=from_versions,
            relied=elsewhere,
            unproven=elsewhere,
            chunks=chunks,
        )

    def earlier_pushes(self, digest: str) -> frozenset[str]:
        """Ids of killed pushes that may have published just this already (PROTOCOL C5)."""
        return frozenset(
            left.push_id.hex() for left in self._leftovers if left.was_committing(digest)
        )

    def commit(self, start: PushStart, request: PublishRequest) -> Committed:
        """Publish; the journals of this push and of those it finished are done with."""
        spec = self._spec
        self._journal.committing(request.digest)
        committed = self._place.catalog.commit(spec.project, spec.name, request, start=start)
        self._failed = False
        for left in self._leftovers:
            left.discard()
        return committed


def _stored_bytes(chunks: Sequence[FreshChunk]) -> int:
    return sum(len(chunk.stored) for chunk in chunks if chunk.stored is not None)


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

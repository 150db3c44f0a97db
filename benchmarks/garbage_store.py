"""
Stores for the benchmarks of gc: many versions of one collection that share nearly all.

Written by the writers of packs, segments, roots and logs themselves; what a push does around
them (walk, hash, ask what is known) is left out, and a thousand versions take minutes. That
roots are those of a push is compared for the first two versions.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from artstore.catalog.catalog import Catalog
from artstore.catalog.requests import PublishRequest
from artstore.chunks import codec
from artstore.digest import Buffer, digest_of
from artstore.manifests.entry import FILE, Entry, symlink_entry
from artstore.manifests.reader import root_key
from artstore.manifests.root import Root, SegmentRef, encode_root
from artstore.manifests.segment import SegmentSplitter, encode_segment
from artstore.manifests.writer import ManifestWriter
from artstore.packs.builder import PackStream
from artstore.packs.format import KIND_SEGMENT
from artstore.packs.index import encode_index, index_key
from artstore.packs.locator import PUSH_ID_BYTES, ChunkRef
from artstore.storage.protocol import Storage

__all__ = ["PROJECT", "SHAPES", "copy_store", "make_collections", "make_versions", "place_of"]

PROJECT: Final = "bench"
SHAPES: Final = ("run", "scattered")
"""What changes from version to version: one run of paths, or paths all over."""
_SHARDS: Final = 100
_FILE_BYTES: Final = 64
_INDEX_EVERY: Final = 100


def make_versions(place: Path, shape: str, versions: int, entries: int) -> Path:
    """
    The directory of a store of so many versions, made unless it is there.

    Each version changes a hundredth of the entries of the one before: all of one shard (`run`),
    or as many wherever chance has it (`scattered`), which changes nearly every segment.
    """
    store = place / f"{shape}-{versions}-{entries}"
    made = store.with_suffix(".made")
    if not made.exists():
        shutil.rmtree(store, ignore_errors=True)
        _fill(store, shape, versions, entries)
        made.touch()
    return store


def make_collections(place: Path, count: int) -> Path:
    """The directory of a store of so many collections of one version, made unless it is there."""
    directory = place / f"collections-{count}"
    made = directory.with_suffix(".made")
    if made.exists():
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    import artstore as art

    store = art.open_store(str(directory), project=PROJECT)
    store.create()
    storage, catalog = place_of(store)
    for number in range(count):
        push = number.to_bytes(PUSH_ID_BYTES, "big")
        segment = encode_segment([symlink_entry("note", f"content {number}")])
        root = encode_root(Root({"type": "note", "version": number}, inline=(segment,)))
        key = root_key(digest_of(root), push)
        storage.create(key, root)
        catalog.commit(PROJECT, f"note-{number:05}", _request(number, key, 1))
    made.touch()
    return directory


def _request(number: int, root: str, entries: int) -> PublishRequest:
    return PublishRequest(
        type="dataset",
        digest=f"{number:064x}",
        root=root,
        push=f"{number:016x}",
        size_bytes=_FILE_BYTES * entries,
        file_count=entries,
        entry_count=entries,
    )


def place_of(store: Any) -> tuple[Storage, Catalog]:
    """Where a store writes, and its logs."""
    place = store._place()  # noqa: SLF001 - no push makes a thousand versions in a minute
    return place.storage, place.catalog


def copy_store(source: Storage, target: Storage) -> int:
    """Every value of a store into an empty one; gives their count."""
    keys = [info.key for info in source.scan("")]
    for start in range(0, len(keys), 256):
        part = keys[start : start + 256]
        values = source.read_many([(key, None) for key in part])
        target.create_many([*zip(part, map(bytes, values), strict=True)])
    return len(keys)


def _fill(directory: Path, shape: str, versions: int, entries: int) -> None:
    import artstore as art

    store = art.open_store(str(directory), project=PROJECT)
    store.create()
    storage, catalog = place_of(store)
    writer = _VersionWriter(storage, entries)
    for number in range(versions):
        changed = range(entries) if number == 0 else _changed(shape, number, entries)
        root = writer.write(number, changed)
        catalog.commit(PROJECT, "data", _request(number, root, entries))
    writer.write_index(versions.to_bytes(PUSH_ID_BYTES, "big"))


def _changed(shape: str, number: int, entries: int) -> range | list[int]:
    count = entries // _SHARDS
    if shape == "run":
        return range(number % _SHARDS * count, (number % _SHARDS + 1) * count)
    return sorted(random.Random(number).sample(range(entries), count))


class _VersionWriter:
    """The entries of the newest version, and where its segments lie."""

    def __init__(self, storage: Storage, entries: int) -> None:
        self._storage = storage
        size = entries // _SHARDS
        self._entries = [
            Entry(f"shard-{n // size:03}/{n % size:06}.jpg", FILE, 0, b"") for n in range(entries)
        ]
        self._cuts: list[range] = []
        self._segments: list[SegmentRef] = []
        self._indexed: list[tuple[bytes, bytes, int]] = []

    def write(self, number: int, changed: range | list[int]) -> str:
        """The next version; gives the key of its root."""
        push = number.to_bytes(PUSH_ID_BYTES, "big")
        values: dict[str, bytes] = {}

        def submit(key: str, parts: list[Buffer]) -> None:
            values[key] = b"".join(parts)

        before = {one.ref.digest: one.ref for one in self._segments}
        data = PackStream(submit, push, {})
        self._change(data, number, changed)
        header = {"type": "dataset", "version": number}
        root = self._write_segments(submit, push, changed, header)
        if number < 2:
            _check_root(root, self._entries, push, before, header)
        key = root_key(digest_of(root), push)
        self._storage.create_many([*values.items(), (key, root)])
        self._indexed += data.chunks()
        # Pushes merge segments of the index as these grow.
        if number % _INDEX_EVERY == _INDEX_EVERY - 1:
            self.write_index(push)
        return key

    def write_index(self, push: bytes) -> None:
        """What was stored since the last time is found by later pushes."""
        self._storage.create(index_key(push), encode_index(self._indexed, project=PROJECT))
        self._indexed.clear()

    def _change(self, data: PackStream, number: int, changed: range | list[int]) -> None:
        entries, chance = self._entries, random.Random(~number)
        for at in changed:
            body = chance.randbytes(_FILE_BYTES)
            digest = digest_of(body)
            coding, stored = codec.encode(body)
            ref = data.add(digest, coding, stored, len(body))
            entries[at] = Entry(entries[at].path, FILE, len(body), digest, chunks=(ref,))
        data.close_pack()
        for at in changed:
            (ref,) = entries[at].chunks
            entries[at] = entries[at].with_chunks((ref._replace(pack=data.resolved[ref.pack]),))

    def _write_segments(
        self, submit: Any, push: bytes, changed: range | list[int], header: Mapping[str, Any]
    ) -> bytes:
        stream = PackStream(submit, push, {})
        if not self._cuts:
            self._cuts = list(_cut(self._entries))
            self._segments = [SegmentRef(_NOWHERE, "", 0)] * len(self._cuts)
        touched = set(changed)
        fresh = []
        for index, cut in enumerate(self._cuts):
            if touched.isdisjoint(cut):
                continue
            entries = self._entries[cut.start : cut.stop]
            body = encode_segment(entries)
            coding, stored = codec.encode(body, sampled=False)
            ref = stream.add(digest_of(body), coding, stored, len(body), kind=KIND_SEGMENT)
            self._segments[index] = SegmentRef(ref, entries[0].path, len(entries))
            fresh.append(index)
        stream.close_pack()
        for index in fresh:
            ref, path, count = _fields(self._segments[index])
            ref = ref._replace(pack=stream.resolved[ref.pack])
            self._segments[index] = SegmentRef(ref, path, count)
        return encode_root(Root(header, 0, tuple(self._segments)))


_NOWHERE: Final = ChunkRef(b"", b"", 0, 0, 0, 0, 0, 0)


def _fields(segment: SegmentRef) -> tuple[ChunkRef, str, int]:
    return segment.ref, segment.first_path, segment.entry_count


def _cut(entries: list[Entry]) -> Iterator[range]:
    splitter, start = SegmentSplitter(), 0
    for entry in entries:
        if done := splitter.add(entry):
            yield range(start, start + len(done))
            start += len(done)
    yield range(start, len(entries))


def _check_root(
    root: bytes,
    entries: list[Entry],
    push: bytes,
    known: Mapping[bytes, ChunkRef],
    header: Mapping[str, Any],
) -> None:
    """That a push writes the same list."""

    def forget(key: str, parts: list[Buffer]) -> None:
        del key, parts

    resolved: dict[bytes, bytes] = {}
    writer = ManifestWriter(
        PackStream(forget, push, resolved), lambda: PackStream(forget, push, resolved), known
    )
    for entry in entries:
        writer.add(entry)
    if writer.finish(header) != root:
        raise AssertionError("a push writes another root than this benchmark")

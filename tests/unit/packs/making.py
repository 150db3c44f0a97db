"""
Packs and versions made by hand, on any storage: what a push does, without files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from artstore import limits
from artstore.chunks import codec
from artstore.digest import Buffer, Hasher, digest_of
from artstore.manifests.entry import FILE, Entry
from artstore.manifests.reader import Manifest, root_key
from artstore.manifests.tree import RefFolder
from artstore.manifests.writer import ManifestWriter
from artstore.packs.builder import PackStream
from artstore.packs.format import KIND_FILE
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage

PUSH = bytes(range(8))
PACK = bytes(range(40))


def noise(size_bytes: int, seed: str = "noise") -> bytes:
    """Bytes that do not compress; the same on every machine."""
    return Hasher(seed.encode()).digest(length=size_bytes)


def make_ref(
    number: int = 0,
    *,
    pack: bytes = PACK,
    offset: int = 8,
    stored: int = 100,
    plain: int = 100,
    span: int | None = None,
) -> ChunkRef:
    """A reference to nothing; `number` is its ordinal and decides its digest."""
    name = digest_of(b"chunk %d" % number)
    return ChunkRef(name, pack, number, offset, stored, plain, 0, plain if span is None else span)


class Push:
    """The pack streams of one push."""

    def __init__(
        self,
        storage: Storage,
        push_id: bytes = PUSH,
        *,
        target_bytes: int = limits.PACK_TARGET_BYTES,
    ) -> None:
        self.storage = storage
        self.push_id = push_id
        self.keys: list[str] = []
        self.resolved: dict[bytes, bytes] = {}
        self._target_bytes = target_bytes
        self.data = self.stream()

    def stream(self) -> PackStream:
        return PackStream(
            self._submit, self.push_id, self.resolved, target_bytes=self._target_bytes
        )

    def _submit(self, key: str, parts: list[Buffer]) -> None:
        self.keys.append(key)
        self.storage.create(key, parts)

    def chunk(self, plain: bytes, *, kind: int = KIND_FILE) -> ChunkRef:
        """Where the chunk lies in this push; stored once."""
        digest = digest_of(plain)
        found = self.data.find(digest)
        if found is not None:
            return found
        coding, stored = codec.encode(plain)
        return self.data.add(digest, coding, stored, len(plain), kind=kind)

    def closed(self, *plains: bytes) -> list[ChunkRef]:
        """References to chunks in packs that are closed."""
        refs = [self.chunk(plain) for plain in plains]
        self.data.close_pack()
        return [ref._replace(pack=self.resolved[ref.pack]) for ref in refs]

    def file(self, path: str, *plains: bytes, executable: bool = False) -> Entry:
        """A file that consists of these chunks."""
        chunks = tuple(self.chunk(plain) for plain in plains)
        content = b"".join(plains)
        return Entry(path, FILE, len(content), digest_of(content), executable, chunks)


class Version:
    """Writes one version: entries in, the key of its root out."""

    def __init__(
        self,
        push: Push,
        known: Mapping[bytes, ChunkRef] | None = None,
        *,
        inline_bytes: int = limits.INLINE_SEGMENTS_BYTES,
        root_segments: int = 8192,
    ) -> None:
        self.push = push
        self.writer = ManifestWriter(
            push.data,
            push.stream,
            known or {},
            inline_bytes=inline_bytes,
            root_segments=root_segments,
        )

    def add(self, *entries: Entry) -> Version:
        for entry in entries:
            self.writer.add(entry)
        return self

    def add_large(self, path: str, plains: Iterable[bytes], *, inline: int, compact: int) -> None:
        """A file whose chunks are folded into lists of lists."""
        folder = RefFolder(self.writer, inline=inline, compact=compact)
        hasher, size = Hasher(), 0
        for plain in plains:
            folder.add(self.push.chunk(plain))
            hasher.update(plain)
            size += len(plain)
        self.writer.add(Entry(path, FILE, size, hasher.digest()), folder)

    def finish(self, **header: Any) -> str:
        data = self.writer.finish(header)
        key = root_key(digest_of(data), self.push.push_id)
        self.push.storage.create(key, data)
        return key


def open_version(storage: Storage, key: str) -> tuple[Manifest, PackReader]:
    """The manifest under `key`, and what reads its chunks."""
    packs = PackReader(storage)
    return Manifest.open(storage, packs, key), packs


def content(manifest: Manifest, packs: PackReader, path: str) -> bytes:
    """The bytes of one file."""
    return b"".join(packs.chunks(manifest.chunks(manifest.entry(path))))

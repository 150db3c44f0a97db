"""
Making a pack whole again, chunk by chunk, from whoever has one of them.

The key of a pack is the digest of its footer, and the footer has the digest of
every chunk. So nothing that is put together here can be wrong: the footer either
has that digest or is refused, and so each chunk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from artstore import limits
from artstore.chunks import codec
from artstore.digest import DIGEST_BYTES, Buffer, digest_of
from artstore.errors import ArtstoreError, StorageError
from artstore.manifests.reader import Manifest
from artstore.manifests.tree import decode_node
from artstore.packs.format import (
    HEADER,
    KIND_CHUNK_LIST,
    KIND_FILE,
    KIND_SEGMENT,
    KIND_SEGMENT_LIST,
    TRAILER_BYTES,
    Footer,
    decode_footer,
    decode_trailer,
    encode_footer,
)
from artstore.packs.locator import ChunkRef, pack_id_of_key
from artstore.packs.reader import PackReader
from artstore.upkeep.repair_sources import (
    FilePart,
    FindFiles,
    SecondStore,
    StoredChunks,
    read_part,
    read_value,
)

__all__ = [
    "PACK_READ_MAX_BYTES",
    "PackMaterial",
    "PackUse",
    "RebuiltPack",
    "find_uses",
    "footer_digest_of",
    "is_whole_pack",
    "rebuild_pack",
]

_PARTS_KEPT_COUNT: Final = 8
"""Files that are tried for one chunk: the same bytes may stand in a million."""
PACK_READ_MAX_BYTES: Final = limits.PACK_MAX_BYTES + limits.FOOTER_MAX_BYTES
"""A larger value is no pack, and is not read."""


@dataclass(slots=True)
class PackUse:
    """
    What live versions say of a pack: of each chunk what it is and which files have it.

    Attributes:
        roots: manifests that lead to it.
        hits: `project/name:v3 path`, some of them.
    """

    refs: dict[int, tuple[ChunkRef, int]] = field(default_factory=dict)
    parts: dict[int, list[FilePart]] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    hits: dict[str, None] = field(default_factory=dict)


class PackMaterial(NamedTuple):
    """
    Where chunks may come from, in the order in which they are asked.

    Attributes:
        copies: whole or damaged bytes of this very pack, each with its source.
    """

    copies: Sequence[tuple[str, Buffer]]
    find_files: FindFiles
    own: StoredChunks
    stores: Sequence[SecondStore]


class RebuiltPack(NamedTuple):
    """`data` None: it cannot be made whole, for the reason given."""

    data: bytes | None
    sources: tuple[str, ...]
    reason: str = ""


# --- Who needs what -----------------------------------------------------------------------


def find_uses(
    uses: Mapping[bytes, PackUse],
    manifest: Manifest,
    reader: PackReader,
    *,
    name: tuple[str, str, str],
    root: str,
) -> None:
    """
    Note in `uses` what one version needs of the packs that it has as keys.

    What cannot be read is passed over.

    Args:
        name: project, name and `vN`.
    Cost: reads the segments and chunk lists of the version.
    """
    _UseFinder(uses, reader, name, root).walk(manifest)


class _UseFinder:
    def __init__(
        self,
        uses: Mapping[bytes, PackUse],
        reader: PackReader,
        name: tuple[str, str, str],
        root: str,
    ) -> None:
        self._uses = uses
        self._reader = reader
        self._name = name
        self._root = root
        self._seen: set[tuple[bytes, int]] = set()

    def walk(self, manifest: Manifest) -> None:
        for refs, kind in (
            (manifest.list_refs(), KIND_SEGMENT_LIST),
            (manifest.segment_refs(), KIND_SEGMENT),
        ):
            for ref in refs:
                self._note(ref, kind, None)
        for entry in manifest.entries():
            project, name, _ = self._name
            part = FilePart(project, name, entry.path, entry.digest, 0)
            self._walk(entry.chunks, entry.level, part)

    def _walk(self, refs: Sequence[ChunkRef], level: int, part: FilePart) -> None:
        offset = part.offset_bytes
        for ref in refs:
            here = part._replace(offset_bytes=offset)
            offset += ref.span_bytes
            self._note(ref, KIND_CHUNK_LIST if level else KIND_FILE, here)
            # Each list is read once: a few that name one another could stand for
            # more chunks than there are atoms.
            if level and (ref.pack, ref.ordinal) not in self._seen:
                self._seen.add((ref.pack, ref.ordinal))
                try:
                    below = decode_node(bytes(self._reader.chunk(ref)), where=part.path)
                except StorageError:
                    raise
                except ArtstoreError:
                    continue
                self._walk(below, level - 1, here)

    def _note(self, ref: ChunkRef, kind: int, part: FilePart | None) -> None:
        # A chunk that was moved is needed wherever it was put.
        for place in self._reader.moved.trail(ref):
            use = self._uses.get(place.pack)
            if use is not None:
                self._note_use(use, place, kind, part)

    def _note_use(self, use: PackUse, ref: ChunkRef, kind: int, part: FilePart | None) -> None:
        use.refs.setdefault(ref.ordinal, (ref, kind))
        use.roots.add(self._root)
        project, name, version = self._name
        hit = f"{project}/{name}:{version}"
        use.hits[hit] = None
        if part is not None and kind == KIND_FILE:
            parts = use.parts.setdefault(ref.ordinal, [])
            if len(parts) < _PARTS_KEPT_COUNT and part not in parts:
                parts.append(part)


# --- Putting it together ---------------------------------------------------------------------


def is_whole_pack(key: str, data: Buffer) -> bool:
    """Whether this is the pack of that key: footer, header and every chunk."""
    footer = _footer_in(key, data)
    if footer is None or bytes(data[: len(HEADER)]) != HEADER:
        return False
    return all(
        _is_chunk(footer, ordinal, data[offset : offset + footer.stored_bytes[ordinal]])
        for ordinal, offset in enumerate(footer.offsets_bytes())
    )


def rebuild_pack(key: str, use: PackUse, material: PackMaterial) -> RebuiltPack:
    """
    The whole pack of a key, every chunk verified.

    Cost: reads copies of the pack, and files and other packs for chunks that no copy has.
    """
    footer, footer_source = _find_footer(key, use, material)
    if footer is None:
        return RebuiltPack(
            None, (), "the list of its chunks is lost, and the versions do not tell all of it"
        )
    return _Rebuilding(key, footer, use, material).run(footer_source)


class _Rebuilding:
    def __init__(self, key: str, footer: Footer, use: PackUse, material: PackMaterial) -> None:
        self._key = key
        self._footer = footer
        self._use = use
        self._material = material
        self._offsets = footer.offsets_bytes()
        self._wanted = frozenset(footer.digests)
        self._store_copies: dict[int, Buffer] = {}
        self._has_other_length = False

    def run(self, footer_source: str | None) -> RebuiltPack:
        body, trailer = encode_footer(self._footer)
        parts: list[Buffer] = [HEADER]
        sources = dict.fromkeys([footer_source] if footer_source else [])
        missing = []
        for ordinal in range(len(self._footer.digests)):
            found = self._chunk(ordinal)
            if found is None:
                missing.append(ordinal)
            else:
                sources[found[0]] = None
                parts.append(found[1])
        if missing:
            return RebuiltPack(None, (), self._reason(missing))
        data = b"".join((*parts, body, trailer))
        assert is_whole_pack(self._key, data)
        return RebuiltPack(data, tuple(sources))

    def _chunk(self, ordinal: int) -> tuple[str, Buffer] | None:
        for source, stored in self._stored(ordinal):
            if _is_chunk(self._footer, ordinal, stored):
                return source, stored
        for source, plain in self._plain(ordinal):
            if digest_of(plain) != self._footer.digests[ordinal]:
                continue
            again = codec.encode_again(
                self._footer.codecs[ordinal], plain, stored_bytes=self._footer.stored_bytes[ordinal]
            )
            if again is not None and _is_chunk(self._footer, ordinal, again):
                return source, again
            self._has_other_length = True
        return self._from_stores(ordinal)

    def _stored(self, ordinal: int) -> Iterator[tuple[str, Buffer]]:
        for source, data in self._material.copies:
            yield source, self._slice(data, ordinal)

    def _slice(self, data: Buffer, ordinal: int) -> Buffer:
        offset = self._offsets[ordinal]
        return memoryview(data)[offset : offset + self._footer.stored_bytes[ordinal]]

    def _plain(self, ordinal: int) -> Iterator[tuple[str, Buffer]]:
        digest, size = self._footer.digests[ordinal], self._footer.plain_bytes[ordinal]
        for part in self._use.parts.get(ordinal, ()):
            found = self._material.find_files(part.project, part.name, part.path, part.digest)
            for source, file in found:
                data = read_part(file, part.offset_bytes, size)
                if data is not None:
                    yield source, data
        plain = self._material.own.plain(digest, self._wanted)
        if plain is not None:
            yield "other packs of this store", plain

    def _from_stores(self, ordinal: int) -> tuple[str, Buffer] | None:
        # The pack itself as others have it comes first: then the bytes are the same ones.
        for number, store in enumerate(self._material.stores):
            if number not in self._store_copies:
                copy = store.value(self._key, max_bytes=PACK_READ_MAX_BYTES)
                self._store_copies[number] = copy or b""
            stored = self._slice(self._store_copies[number], ordinal)
            if _is_chunk(self._footer, ordinal, stored):
                return store.label, stored
        for store in self._material.stores:
            plain = store.chunks.plain(self._footer.digests[ordinal], self._wanted)
            if plain is None:
                continue
            again = codec.encode_again(
                self._footer.codecs[ordinal], plain, stored_bytes=self._footer.stored_bytes[ordinal]
            )
            if again is not None:
                return store.label, again
            self._has_other_length = True
        return None

    def _reason(self, missing: list[int]) -> str:
        paths = dict.fromkeys(
            part.path for ordinal in missing for part in self._use.parts.get(ordinal, ())
        )
        of = f" ({', '.join(list(paths)[:3])}{', ...' if len(paths) > 3 else ''})" if paths else ""
        total = len(self._footer.digests)
        if self._has_other_length:
            return (
                f"{len(missing)} of its {total} chunks{of} were found, but this release of zstd "
                "packs them to another length"
            )
        return f"no source has {len(missing)} of its {total} chunks{of}"


def _find_footer(
    key: str, use: PackUse, material: PackMaterial
) -> tuple[Footer | None, str | None]:
    for _, data in material.copies:
        footer = _footer_in(key, data)
        if footer is not None:
            return footer, None
    footer = _footer_of_refs(key, use)
    if footer is not None:
        return footer, None
    for store in material.stores:
        copy = read_value(store.storage, key, max_bytes=PACK_READ_MAX_BYTES)
        footer = None if copy is None else _footer_in(key, copy)
        if footer is not None:
            return footer, store.label
    return None, None


def _footer_in(key: str, data: Buffer) -> Footer | None:
    """The footer at the end of `data`, if it is the one that the key names."""
    view = memoryview(data)
    try:
        footer_bytes, count, checksum = decode_trailer(
            bytes(view[-TRAILER_BYTES:]), key=key, pack_bytes=len(view)
        )
        body = bytes(view[len(view) - TRAILER_BYTES - footer_bytes : len(view) - TRAILER_BYTES])
        if digest_of(body) != pack_id_of_key(key)[:DIGEST_BYTES]:
            return None
        return decode_footer(body, count, checksum, key=key, pack_bytes=len(view))
    except ArtstoreError:
        return None


def _footer_of_refs(key: str, use: PackUse) -> Footer | None:
    """The footer as manifests tell it: if every chunk is named by one, it is complete."""
    if sorted(use.refs) != list(range(len(use.refs))):
        return None
    found = [use.refs[ordinal] for ordinal in range(len(use.refs))]
    refs = [ref for ref, _ in found]
    if (
        sum(ref.stored_bytes for ref in refs) > limits.PACK_MAX_BYTES
        or max(ref.plain_bytes for ref in refs) > limits.CHUNK_MAX_BYTES
    ):
        return None
    footer = Footer(
        digests=tuple(ref.digest for ref in refs),
        stored_bytes=array("I", [ref.stored_bytes for ref in refs]),
        plain_bytes=array("I", [ref.plain_bytes for ref in refs]),
        codecs=bytes(ref.codec for ref in refs),
        kinds=bytes(kind for _, kind in found),
    )
    body, _ = encode_footer(footer)
    return footer if digest_of(body) == pack_id_of_key(key)[:DIGEST_BYTES] else None


def footer_digest_of(data: Buffer) -> bytes | None:
    """The digest of the footer at the end of `data`: whichever pack this is, its key has it."""
    view = memoryview(data)
    try:
        footer_bytes, _, _ = decode_trailer(
            bytes(view[-TRAILER_BYTES:]), key="", pack_bytes=len(view)
        )
    except ArtstoreError:
        return None
    end = len(view) - TRAILER_BYTES
    return digest_of(view[end - footer_bytes : end])


def _is_chunk(footer: Footer, ordinal: int, stored: Buffer) -> bool:
    if len(stored) != footer.stored_bytes[ordinal]:
        return False
    try:
        codec.decode_verified(
            footer.codecs[ordinal],
            stored,
            plain_bytes=footer.plain_bytes[ordinal],
            digest=footer.digests[ordinal],
            where="",
        )
    except ArtstoreError:
        return False
    return True

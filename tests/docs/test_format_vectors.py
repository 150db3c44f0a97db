"""
The worked examples of docs/format are what the encoders write and what the decoders read.

They are golden vectors: a change that breaks one of these tests changes format 1.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import xxhash
from blake3 import blake3

from artstore import canonical, limits, sealed
from artstore.catalog.identity import create_identity, encode_identity, read_identity
from artstore.chunks import codec
from artstore.chunks.cut import PARAMETERS, Cutter
from artstore.digest import digest_of
from artstore.manifests.entry import (
    KINDS,
    ArtifactHasher,
    Entry,
    artifact_digest,
    directory_entry,
    symlink_entry,
)
from artstore.manifests.root import Root, decode_root, encode_root
from artstore.manifests.segment import decode_segment, encode_segment, starts_segment
from artstore.manifests.tree import decode_node, encode_node
from artstore.names import escape_for_key, unescape_from_key
from artstore.packs.builder import PackBuilder
from artstore.packs.format import HEADER, TRAILER_BYTES, decode_footer, decode_trailer
from artstore.packs.index import decode_index, encode_index
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import (
    ChunkPlace,
    decode_moved,
    encode_moved,
    moved_key,
    moved_name,
)
from artstore.packs.reflist import decode_refs, encode_refs
from artstore.storage.memory import MemoryStorage
from tests.docs.pages import DOCS, block_named

FORMAT = DOCS / "format"
PUSH = bytes.fromhex("0011223344556677")
CAT, DOG = b"cat\n", b"dog\n"

LINE = re.compile(r"(?P<offset>[0-9a-f]{4})  (?P<bytes>[0-9a-f]{2}(?: [0-9a-f]{2})*)(?:   .*)?")


def dumped(page: Path, name: str) -> bytes:
    """The bytes of a hex block; `*` repeats the line above it up to the next offset."""
    found = bytearray()
    last = b""
    repeats = False
    for line in block_named(page, f"hex {name}").splitlines():
        if line == "*":
            repeats = True
            continue
        if line.startswith(" "):
            continue  # a remark
        match = LINE.fullmatch(line)
        assert match, f"{page.name}: {line!r}"
        offset = int(match["offset"], 16)
        if repeats:
            missing = offset - len(found)
            assert missing % len(last) == 0
            found += last * (missing // len(last))
            repeats = False
        assert offset == len(found), f"{page.name}: {line!r} stands at {len(found):04x}"
        last = bytes.fromhex(match["bytes"])
        found += last
    return bytes(found)


def example_pack() -> tuple[bytes, bytes]:
    builder = PackBuilder()
    for plain in (CAT, DOG):
        builder.add(digest_of(plain), *codec.encode(plain), len(plain), 0)
    pack, parts = builder.finish(PUSH)
    return pack, b"".join(parts)


PACK, PACK_BYTES = example_pack()
REFS = [
    ChunkRef(digest_of(CAT), PACK, 0, 8, 4, 4, codec.RAW, 4),
    ChunkRef(digest_of(DOG), PACK, 1, 12, 4, 4, codec.RAW, 4),
]
FILES = [
    Entry("cats/1.txt", "file", 4, digest_of(CAT), chunks=(REFS[0],)),
    Entry("dogs/1.txt", "file", 4, digest_of(DOG), chunks=(REFS[1],)),
]
ENTRIES = [*FILES, symlink_entry("first", "cats/1.txt"), directory_entry("new")]


def test_the_pack_is_as_shown() -> None:
    page = FORMAT / "pack.md"
    assert dumped(page, "pack") == PACK_BYTES
    key = pack_key(PACK)
    assert block_named(page, "text pack-key") == f"{key}\n"
    size = len(PACK_BYTES)
    footer_bytes, count, checksum = decode_trailer(
        PACK_BYTES[-TRAILER_BYTES:], key=key, pack_bytes=size
    )
    body = PACK_BYTES[-TRAILER_BYTES - footer_bytes : -TRAILER_BYTES]
    assert digest_of(body) + PUSH == PACK
    footer = decode_footer(body, count, checksum, key=key, pack_bytes=size)
    assert footer.digests == (digest_of(CAT), digest_of(DOG))
    assert footer.offsets_bytes() == [len(HEADER), len(HEADER) + 4]


def test_the_index_is_as_shown() -> None:
    shown = dumped(FORMAT / "index.md", "index")
    chunks = [(digest_of(CAT), PACK, 0), (digest_of(DOG), PACK, 1)]
    assert shown == encode_index(reversed(chunks), project="default")
    segment = decode_index(shown, key="index/0")
    assert list(segment.chunks()) == chunks
    assert segment.find(digest_of(DOG)) == (PACK, 1)


def test_the_moved_record_is_as_shown() -> None:
    page, repack_id = FORMAT / "moved.md", bytes.fromhex("8899aabbccddeeff")
    shown = dumped(page, "moved")
    builder = PackBuilder()
    place = builder.add(digest_of(DOG), codec.RAW, DOG, len(DOG), 0)
    target, _ = builder.finish(repack_id)
    moves = [(1, ChunkPlace(target, *place))]
    assert shown == encode_moved(PACK, moves)
    key = moved_key(PACK, moved_name(1_769_860_800, repack_id))
    assert block_named(page, "text moved-key") == f"{key}\n"
    record = decode_moved(shown, key=key)
    assert (record.pack, list(record.moves())) == (PACK, moves)
    assert f"has {len(shown)} bytes" in page.read_text()


def test_the_reference_list_is_as_shown() -> None:
    shown = dumped(FORMAT / "manifest.md", "references")
    assert encode_refs(REFS) == shown
    assert decode_refs(shown, where="the example") == (REFS, b"")


def test_the_chunk_list_is_as_told() -> None:
    head = bytes.fromhex("41 4e 4f 31 02 00 00 00")
    assert encode_node(REFS) == head + encode_refs(REFS)
    assert decode_node(head + encode_refs(REFS), where="the example") == REFS


def test_the_segment_is_as_shown() -> None:
    shown = dumped(FORMAT / "manifest.md", "segment")
    assert encode_segment(ENTRIES) == shown
    assert decode_segment(shown, where="the example") == ENTRIES


def test_the_root_is_as_shown() -> None:
    page = FORMAT / "manifest.md"
    segment = dumped(page, "segment")
    shown = dumped(page, "root") + segment
    header = {
        "digest": artifact_digest(ENTRIES).hex(),
        "type": "dataset",
        "size_bytes": 8,
        "file_count": 2,
        "entry_count": 4,
    }
    decoded = decode_root(shown, where="the example")
    assert decoded == Root({"format": 1, **header}, inline=(segment,))
    # What zstd makes of the body is its own business; what it was made of is not.
    written = encode_root(Root(header, inline=(segment,)))
    head_bytes, header_bytes = 21, 151
    assert written[:12] == shown[:12]
    assert written[16:20] == shown[16:20]
    assert (
        written[head_bytes : head_bytes + header_bytes]
        == (shown[head_bytes : head_bytes + header_bytes])
    )
    body = codec.decode(
        written[20],
        written[head_bytes + header_bytes :],
        plain_bytes=391,
        where="the example",
    )
    assert bytes(body) == shown[head_bytes + header_bytes :]


def test_the_artifact_digest_is_as_shown() -> None:
    text = block_named(FORMAT / "README.md", "text artifact-digest")
    parts = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    values = [bytes.fromhex(part[8:]) for part in parts if part]
    *hashed, digest = values
    assert blake3(b"".join(hashed)).digest() == digest
    assert artifact_digest(FILES) == digest


def test_a_link_counts_as_the_file_that_it_stands_for() -> None:
    hashers = [ArtifactHasher(), ArtifactHasher()]
    for hasher, kind in zip(hashers, ("file", "link"), strict=True):
        hasher.add("a", kind, executable=False, digest=digest_of(CAT))
    assert hashers[0].digest() == hashers[1].digest()


def test_the_kinds_are_the_ones_told() -> None:
    text = (FORMAT / "manifest.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `([a-z]+)` \| (\d) \|", text, re.MULTILINE))
    assert {int(number): kind for kind, number in told.items()} == dict(KINDS)


def test_cuts_fall_where_the_page_says() -> None:
    data = blake3(b"artstore").digest(length=1 << 20)
    shown = block_named(FORMAT / "chunks.md", "text cuts")
    assert Cutter().lengths(memoryview(data), final=True) == [int(n) for n in shown.split()]


def test_the_zstd_frame_is_read_as_shown() -> None:
    frame = dumped(FORMAT / "chunks.md", "zstd-frame")
    assert codec.decode(codec.ZSTD, frame, plain_bytes=4096, where="the example") == bytes(4096)
    assert codec.encode(bytes(4096))[0] == codec.ZSTD


def test_a_segment_begins_at_one_path_in_512() -> None:
    for path in (f"file-{number}" for number in range(5_000)):
        divides = xxhash.xxh3_64_intdigest(path.encode()) % limits.SEGMENT_TARGET_COUNT == 0
        assert starts_segment(path) is divides
    assert limits.SEGMENT_TARGET_COUNT == 512


def test_the_store_file_is_as_shown() -> None:
    shown = block_named(FORMAT / "README.md", "json artstore.json").rstrip("\n").encode()
    value = canonical.decode(shown, what="the example")
    assert canonical.encode(value) == shown
    assert value["chunker"] == PARAMETERS
    storage = MemoryStorage()
    storage.create("artstore.json", shown)
    assert read_identity(storage).store_id == value["id"]
    # A fresh one has the same fields.
    fresh = MemoryStorage()
    create_identity(fresh)
    assert set(json.loads(fresh.read("artstore.json"))) == set(value)


def test_the_store_file_for_one_writer_is_as_shown() -> None:
    many, one = (
        block_named(FORMAT / "README.md", f"json artstore.json{suffix}").rstrip("\n").encode()
        for suffix in ("", "-one-writer")
    )
    storage = MemoryStorage()
    storage.create("artstore.json", one)
    assert read_identity(storage).has_one_writer
    value = json.loads(one)
    assert value.pop("writers") == "one"
    assert value | {"check": ""} == json.loads(many) | {"check": ""}
    fresh = MemoryStorage()
    create_identity(fresh, encode_identity(has_one_writer=True))
    assert set(json.loads(fresh.read("artstore.json"))) == set(json.loads(one))


def test_a_sealed_value_is_as_shown() -> None:
    shown = block_named(FORMAT / "README.md", "json sealed").rstrip("\n").encode()
    value = json.loads(shown)
    assert sealed.is_sealed(shown, value)
    check = value.pop("check")
    assert sealed.encode_sealed(value, what="the example") == shown
    plain = canonical.encode(value).decode()
    told = f"XXH3-64 of the {len(plain)} bytes `{plain}` is `{check}`."
    assert told in (FORMAT / "README.md").read_text("utf-8")


def test_canonical_json_is_as_shown() -> None:
    shown = block_named(FORMAT / "README.md", "json canonical").rstrip("\n").encode()
    assert canonical.encode(json.loads(shown)) == shown
    assert canonical.encode([1e16, 0.1, 1, 1.0]) == b"[1e+16,0.1,1,1.0]"


ESCAPES = re.findall(
    r"^\| `([^`]+)` \| `([^`]+)` \| [^|]*\|$",
    (FORMAT / "README.md").read_text("utf-8").partition("names.py")[2].partition("**path**")[0],
    re.MULTILINE,
)


@pytest.mark.parametrize(("name", "part"), ESCAPES)
def test_names_are_escaped_as_shown(name: str, part: str) -> None:
    assert escape_for_key(name) == part
    assert unescape_from_key(part) == name


def test_escapes_were_found_on_the_page() -> None:
    assert len(ESCAPES) >= 7

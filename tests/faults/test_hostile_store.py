"""
Stores made to do harm: written with our own encoders, by somebody who means ill.

Never a byte outside of the target, never more memory than a child process with a
hard limit is granted, and an error that says what is wrong.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

import artstore as art
from artstore import limits
from artstore.catalog.requests import PublishRequest
from artstore.digest import digest_of
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    UnsupportedFormatError,
)
from artstore.manifests.entry import FILE, Entry, artifact_digest, directory_entry, symlink_entry
from artstore.manifests.reader import root_key
from artstore.manifests.root import Root, SegmentRef, encode_root
from artstore.manifests.segment import encode_segment
from artstore.manifests.tree import encode_node
from artstore.packs.builder import PackStream
from artstore.packs.locator import ChunkRef
from artstore.storage.local import LocalStorage
from artstore.tables.leaves import LeafList
from artstore.tables.schema import Schema
from artstore.tables.tablefile import TableFile, encode_table
from artstore.transfer import target
from tests.faults.memory import in_little_memory
from tests.trees import noise, observe, open_at

PUSH_ID = b"\x01" * 8
RAW, ZSTD = 0, 1


class HostileStore:
    """Puts together a store value by value, with nothing checked that can be left out."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage = LocalStorage(directory, sync=False)
        self.store = open_at(directory)
        self.store.create()
        self._resolved: dict[bytes, bytes] = {}

    def pack(self, *chunks: tuple[bytes, int, bytes, int]) -> list[ChunkRef]:
        """Store chunks as (digest, codec, stored, plain bytes) in one pack."""
        stream = PackStream(self.storage.create, PUSH_ID, self._resolved)
        refs = [stream.add(*chunk) for chunk in chunks]
        stream.close_pack()
        return [ref._replace(pack=self._resolved[ref.pack]) for ref in refs]

    def chunk(self, data: bytes) -> ChunkRef:
        (ref,) = self.pack((digest_of(data), RAW, data, len(data)))
        return ref

    def file(self, path: str, data: bytes, **changes: Any) -> Entry:
        entry = Entry(path, FILE, len(data), digest_of(data), chunks=(self.chunk(data),))
        return replace(entry, **changes)

    def publish(self, *entries: Entry) -> None:
        self.publish_segment(encode_segment(entries), entries)

    def publish_segment(self, segment: bytes, entries: Sequence[Entry] = ()) -> None:
        header = {
            "digest": artifact_digest(sorted(entries, key=lambda entry: entry.path)).hex(),
            "size_bytes": sum(entry.size_bytes for entry in entries),
            "file_count": len(entries),
            "entry_count": len(entries),
        }
        self.publish_root(encode_root(Root(header, inline=(segment,))), entries)

    def publish_root(self, data: bytes, entries: Sequence[Entry] = ()) -> None:
        key = root_key(digest_of(data), PUSH_ID)
        self.storage.create(key, data)
        request = PublishRequest(
            type="dataset",
            digest=artifact_digest(sorted(entries, key=lambda entry: entry.path)).hex(),
            root=key,
            push=PUSH_ID.hex(),
            size_bytes=sum(entry.size_bytes for entry in entries),
            file_count=len(entries),
            entry_count=len(entries),
        )
        self.store._place().catalog.commit("p", "ds", request)


@pytest.fixture
def hostile(tmp_path: Path) -> HostileStore:
    return HostileStore(tmp_path / "store")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Whatever lies around the target stays as it is."""
    directory = tmp_path / "around"
    (directory / "elsewhere").mkdir(parents=True)
    (directory / "elsewhere" / "victim").write_bytes(b"as it was")
    yield directory
    assert (directory / "elsewhere" / "victim").read_bytes() == b"as it was"
    assert set(os.listdir(directory / "elsewhere")) == {"victim"}
    assert set(os.listdir(directory)) <= {"elsewhere", "target"}


def pull(store: Path, target: Path, **options: Any) -> ArtstoreError | None:
    try:
        open_at(store).artifact("ds").download(target, **options)
    except ArtstoreError as error:
        return error
    return None


# --- paths -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["../escape", "a/../../escape", "/tmp/escape", "..", ".", "a//b", "a/", "./a"],
)
def test_a_path_that_leads_out_is_refused_before_anything_is_written(
    hostile: HostileStore, outside: Path, path: str
) -> None:
    good = hostile.file("good", b"good")
    bad = hostile.file(path, b"evil")
    first, second = sorted((good, bad), key=lambda entry: entry.path)
    hostile.publish(first, second)
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, DamagedDataError)
    assert not (outside / "target").exists()
    assert open_at(hostile.directory).check().problems


def test_a_symlink_out_is_made_but_nothing_is_written_through_it(
    hostile: HostileStore, outside: Path
) -> None:
    hostile.publish(
        symlink_entry("link", "../elsewhere"), hostile.file("link/victim", b"overwritten")
    )
    pull(hostile.directory, outside / "target")
    # One of the two stands there: they cannot both.
    assert not (outside / "target" / "link").is_symlink() or not os.path.lexists(
        outside / "target" / "link" / "new"
    )


def test_a_symlink_that_stands_in_the_target_is_not_followed(
    hostile: HostileStore, outside: Path
) -> None:
    (outside / "target").mkdir()
    (outside / "target" / "d").symlink_to("../elsewhere")
    hostile.publish(hostile.file("d/victim", b"overwritten"))
    assert pull(hostile.directory, outside / "target") is None
    assert (outside / "target" / "d" / "victim").read_bytes() == b"overwritten"


def test_deleting_does_not_follow_symlinks(hostile: HostileStore, outside: Path) -> None:
    (outside / "target").mkdir()
    (outside / "target" / "d").symlink_to("../elsewhere")
    hostile.publish(hostile.file("a", b"a"))
    assert pull(hostile.directory, outside / "target", delete=True) is None
    assert os.listdir(outside / "target") == ["a"]


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "", "x" * 5000])
def test_a_symlink_text_that_no_disk_takes_is_an_error_of_ours(
    hostile: HostileStore, outside: Path, text: str
) -> None:
    entry = replace(symlink_entry("link", "a"), extra={"target": text})
    try:
        hostile.publish(entry)
    except ArtstoreError:
        return  # not even our encoders write that
    assert isinstance(pull(hostile.directory, outside / "target"), ArtstoreError)


@pytest.mark.parametrize(("first", "second"), [("README", "readme"), ("A/x", "a/y"), ("ß", "ss")])
def test_names_that_fold_together_are_refused_on_a_folding_disk(
    hostile: HostileStore,
    outside: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
) -> None:
    monkeypatch.setattr(target, "folds_names", lambda _: True)
    entries = sorted((hostile.file(p, p.encode()) for p in (first, second)), key=lambda e: e.path)
    hostile.publish(*entries)
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, InvalidInputError)
    assert error.code == "path-collision"
    assert observe(outside / "target") == {}


def test_a_file_that_is_also_a_directory_is_refused_or_one_of_them(
    hostile: HostileStore, outside: Path
) -> None:
    hostile.publish(hostile.file("a", b"file"), hostile.file("a/b", b"below"))
    pull(hostile.directory, outside / "target")


# --- kinds and formats that only a newer release knows -----------------------------------


def test_an_unknown_required_kind_of_entry_is_exit_status_9(
    hostile: HostileStore, outside: Path
) -> None:
    entry = directory_entry("new kind")
    segment = bytearray(encode_segment([entry]))
    segment[segment.index(2, 16)] = 77
    hostile.publish_segment(bytes(segment), [entry])
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, UnsupportedFormatError)
    assert (error.code, error.exit_status) == ("entry-kind-unknown", 9)
    assert not (outside / "target").exists()


def test_an_unknown_kind_that_may_be_passed_over_is(hostile: HostileStore, outside: Path) -> None:
    entry = replace(directory_entry("new kind"), must_understand=False)
    segment = bytearray(encode_segment([entry, hostile.file("other", b"x")]))
    segment[segment.index(2, 16)] = 77
    hostile.publish_segment(bytes(segment), [entry])
    assert pull(hostile.directory, outside / "target") is None
    assert os.listdir(outside / "target") == ["other"]


def test_a_table_that_is_none_is_listed_and_named_when_it_is_read(
    hostile: HostileStore, outside: Path
) -> None:
    hostile.publish(hostile.file("t.parquet", b"rows", kind="table"))
    version = hostile.store.artifact("ds")
    assert [entry.kind for entry in version.entries()] == ["table"]
    with pytest.raises(DamagedDataError, match=r"'t.parquet'"):
        version.get("t")
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, DamagedDataError)
    assert error.code == "table-damaged"
    assert not (outside / "target" / "t.parquet").exists()


def test_a_table_of_a_newer_release_is_exit_status_9(hostile: HostileStore, outside: Path) -> None:
    data = encode_table(TableFile(Schema((), ()), 0, (), (), (), LeafList()))
    newer = data.replace(b'"format":1', b'"format":2')
    assert newer != data
    hostile.publish(hostile.file("t.parquet", newer, kind="table"))
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, UnsupportedFormatError)
    assert error.exit_status == 9


def test_a_root_of_a_newer_format_is_exit_status_9(hostile: HostileStore, outside: Path) -> None:
    data = encode_root(Root({"digest": "0" * 64})).replace(b'"format":1', b'"format":2')
    hostile.publish_root(data)
    error = pull(hostile.directory, outside / "target")
    assert error is not None
    assert error.exit_status == 9


def test_a_chunk_of_an_unknown_codec_is_exit_status_9_and_names_the_file(
    hostile: HostileStore, outside: Path
) -> None:
    data = b"plain"
    refs = hostile.pack((digest_of(data), 9, data, len(data)))
    hostile.publish(Entry("f", FILE, len(data), digest_of(data), chunks=tuple(refs)))
    error = pull(hostile.directory, outside / "target")
    assert error is not None
    assert error.exit_status == 9
    assert error.context["path"] == "f"


# --- lengths that lie ---------------------------------------------------------------------


def everything(store: Path, target: Path) -> list[ArtstoreError | None]:
    """Pull, verify, check, measure and list, each with what it raised."""
    errors = [pull(store, target)]
    calls: list[Callable[[], Any]] = [
        lambda: open_at(store).verify("ds"),
        lambda: open_at(store).check(read_data=1.0),
        lambda: open_at(store).usage(),
        lambda: sum(1 for _ in open_at(store).artifact("ds").entries()),
        lambda: [open_at(store).artifact("ds").read("f")],
    ]
    for call in calls:
        try:
            call()
            errors.append(None)
        except ArtstoreError as error:
            errors.append(error)
    return errors


def refused_in_little_memory(store: Path, outside: Path) -> ArtstoreError:
    target = outside / "target"
    errors = in_little_memory(lambda: everything(store, target))
    assert isinstance(errors[0], ArtstoreError)
    if target.exists():
        assert observe(target) == {}
    return errors[0]


def bomb(plain_bytes: int) -> bytes:
    """A zstd frame of a few kilobytes that says what it makes of itself."""
    size = min(plain_bytes, 256 * limits.MIB)
    return zstandard.ZstdCompressor(level=19).compress(bytes(size))


def lying_frame(content_bytes: int, window_log: int = 31) -> bytes:
    """A frame header that claims any size and window, and a block behind it."""
    window = (window_log - 10) << 3
    return struct.pack("<IBBQ", 0xFD2FB528, 0xC0, window, content_bytes) + b"\x01\x00\x00" * 3


@pytest.mark.parametrize(
    ("stored", "plain_bytes"),
    [
        pytest.param(bomb(256 * limits.MIB), 1_000, id="bomb that says less"),
        pytest.param(bomb(256 * limits.MIB), limits.CHUNK_MAX_BYTES, id="bomb of the largest size"),
        pytest.param(lying_frame(2**60), 1_000, id="2**60 bytes"),
        pytest.param(lying_frame(1_000), 1_000, id="a window of 2 GiB"),
        pytest.param(lying_frame(2**64 - 1), 1_000, id="unknown size"),
    ],
)
def test_a_zstd_bomb_is_refused(
    hostile: HostileStore, outside: Path, stored: bytes, plain_bytes: int
) -> None:
    refs = hostile.pack((digest_of(b"f"), ZSTD, stored, plain_bytes))
    hostile.publish(Entry("f", FILE, plain_bytes, digest_of(b"f"), chunks=tuple(refs)))
    error = refused_in_little_memory(hostile.directory, outside)
    assert error.exit_status == 8 or error.code == "limit-exceeded"
    assert "f " in error.message


def test_a_bomb_in_a_manifest_root_is_refused(hostile: HostileStore, outside: Path) -> None:
    header = b'{"format":1}'
    for plain in (limits.ROOT_MAX_BYTES + 1, 2**32 - 1):
        body = bomb(plain)
        head = struct.pack("<8sIIIB", b"ARTROOT1", len(header), len(body), plain, ZSTD)
        hostile.publish_root(head + header + body)
        error = refused_in_little_memory(hostile.directory, outside)
        assert error.exit_status in (2, 8)


def test_small_files_made_of_endless_chunks_are_refused_before_they_are_read(
    hostile: HostileStore, outside: Path
) -> None:
    # The entry says 10 bytes; its chunks say 4 GiB, all of one chunk of 8 MiB.
    ref = hostile.pack(
        (digest_of(bytes(8 * limits.MIB)), ZSTD, bomb(8 * limits.MIB), 8 * limits.MIB)
    )[0]
    entry = Entry("f", FILE, 10, digest_of(b"f"), chunks=(ref,) * 512)
    hostile.publish(entry)
    error = refused_in_little_memory(hostile.directory, outside)
    assert error.code in ("content-damaged", "manifest-damaged")


def test_chunks_that_store_more_than_they_hold_are_refused(
    hostile: HostileStore, outside: Path
) -> None:
    # A batch of small files may be read at once: by what they hold, not by what is stored.
    entries = []
    for i in range(60):
        if i % 6 == 0:
            data = noise(8 * limits.MIB, i)
            refs = hostile.pack((digest_of(data), RAW, data, 1))
        entries.append(Entry(f"{i:02}", FILE, 1, digest_of(b"%d" % i), chunks=(refs[0],)))
    hostile.publish(*entries)
    assert refused_in_little_memory(hostile.directory, outside).exit_status == 8


def test_a_tree_of_chunk_lists_that_stands_for_exabytes_is_refused(
    hostile: HostileStore, outside: Path
) -> None:
    ref = hostile.chunk(b"x" * 1000)
    for _ in range(3):
        node = encode_node([ref] * 10_000)
        (stored,) = hostile.pack((digest_of(node), RAW, node, len(node)))
        ref = stored._replace(span_bytes=10_000 * ref.span_bytes)
    entry = Entry("f", FILE, 5 * limits.MIB, digest_of(b"f"), chunks=(ref,), level=3)
    hostile.publish(entry)
    error = refused_in_little_memory(hostile.directory, outside)
    assert error.exit_status == 8
    assert "'f'" in error.message or "f " in error.message


def test_a_chunk_list_that_names_itself_ends(hostile: HostileStore, outside: Path) -> None:
    # A true cycle would need a digest that holds itself: the nearest is a place that does.
    leaf = hostile.chunk(b"x")
    node = encode_node([leaf])
    (ref,) = hostile.pack((digest_of(node), RAW, node, len(node)))
    again = encode_node([ref._replace(digest=digest_of(b"another"))])
    (top,) = hostile.pack((digest_of(again), RAW, again, len(again)))
    entry = Entry("f", FILE, 1, digest_of(b"x"), chunks=(top._replace(span_bytes=1),), level=4)
    hostile.publish(entry)
    assert refused_in_little_memory(hostile.directory, outside).exit_status == 8


@pytest.mark.parametrize("level", [1, 3, 7])
def test_chunks_that_are_no_chunk_lists_are_refused(
    hostile: HostileStore, outside: Path, level: int
) -> None:
    ref = hostile.chunk(os.urandom(5_000))
    entry = Entry("f", FILE, 5_000, digest_of(b"f"), chunks=(ref,), level=level)
    hostile.publish(entry)
    assert refused_in_little_memory(hostile.directory, outside).exit_status == 8


@pytest.mark.parametrize(
    "change",
    [
        {"offset_bytes": 10**6},
        {"offset_bytes": limits.PACK_MAX_BYTES - 5},
        {"pack": b"\xff" * 40},
        {"offset_bytes": 9},
        {"offset_bytes": 0},
        {"stored_bytes": 400, "plain_bytes": 400},
    ],
    ids=str,
)
def test_places_outside_of_the_pack_are_refused(
    hostile: HostileStore, outside: Path, change: dict[str, Any]
) -> None:
    ref = hostile.chunk(b"plain")._replace(**change)
    hostile.publish(Entry("f", FILE, ref.plain_bytes, digest_of(b"plain"), chunks=(ref,)))
    error = refused_in_little_memory(hostile.directory, outside)
    assert error.exit_status == 8


def test_a_place_beyond_any_pack_cannot_even_be_listed(
    hostile: HostileStore, outside: Path
) -> None:
    ref = hostile.chunk(b"plain")._replace(offset_bytes=2**32 - 10)
    hostile.publish(Entry("f", FILE, 5, digest_of(b"plain"), chunks=(ref,)))
    assert refused_in_little_memory(hostile.directory, outside).code == "manifest-damaged"


@pytest.mark.parametrize("count", [2**32 - 1, 2**24, limits.SEGMENT_ENTRY_COUNT + 1])
def test_a_segment_that_claims_any_number_of_entries_is_refused(
    hostile: HostileStore, outside: Path, count: int
) -> None:
    segment = struct.pack("<4sIII", b"ASG1", count, 2**32 - 1, 2**32 - 1) + bytes(1000)
    hostile.publish_segment(segment)
    assert refused_in_little_memory(hostile.directory, outside).exit_status in (2, 8)


def test_a_footer_that_claims_any_number_of_chunks_is_refused(
    hostile: HostileStore, outside: Path
) -> None:
    hostile.publish(hostile.file("f", b"plain"))
    (pack,) = (hostile.directory / "packs").rglob("*-*")
    data = bytearray(pack.read_bytes())
    data[-24:-16] = struct.pack("<II", 2**32 - 1, 2**32 - 1)
    pack.unlink()
    pack.write_bytes(bytes(data))
    # A pull reads no footer; a check does.
    report = in_little_memory(lambda: open_at(hostile.directory).check(read_data=1.0))
    assert [problem.key.partition("/")[0] for problem in report.problems] == ["packs"]


def test_segments_named_from_a_root_are_checked_against_their_digest(
    hostile: HostileStore, outside: Path
) -> None:
    segment = encode_segment([hostile.file("f", b"plain")])
    ref = hostile.chunk(segment)
    bad = SegmentRef(ref._replace(digest=digest_of(b"another")), "f", 1)
    hostile.publish_root(encode_root(Root({"digest": "0" * 64}, segments=(bad,))))
    assert refused_in_little_memory(hostile.directory, outside).code == "chunk-damaged"


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(
    hostile: HostileStore, outside: Path
) -> None:
    entry = hostile.file("f", b"plain", size_bytes=2**62, level=1)
    hostile.publish(entry)
    assert refused_in_little_memory(hostile.directory, outside).code == "space-short"


# --- references ---------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["/dev/zero", "fifo"])
def test_a_reference_to_a_device_or_pipe_neither_hangs_nor_fills_the_disk(
    hostile: HostileStore, outside: Path, tmp_path: Path, device: str
) -> None:
    if device == "fifo":
        device = str(tmp_path / "fifo")
        os.mkfifo(device)
    digest = digest_of(b"f")
    url = f"file://{device}"
    entry = Entry("f", "reference", 10, digest, extra={"url": url, "content_digest": digest.hex()})
    hostile.publish(entry)
    target = outside / "target"
    error = in_little_memory(lambda: pull(hostile.directory, target))
    assert isinstance(error, DamagedDataError)
    assert error.code == "reference-unreadable"
    assert observe(target) == {}


def test_a_reference_whose_file_grew_is_reported_and_not_written(
    tmp_path: Path, outside: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"as logged")
    store = open_at(tmp_path / "other store")
    artifact = art.Artifact("ds")
    artifact.add_reference(file.as_uri())
    store.log_artifact(artifact)
    file.write_bytes(b"as logged and more")
    error = pull(tmp_path / "other store", outside / "target")
    assert isinstance(error, DamagedDataError)
    assert error.code == "reference-changed"
    assert observe(outside / "target") == {}


# --- logs -----------------------------------------------------------------------------------


def test_a_huge_value_in_a_log_costs_no_memory(hostile: HostileStore, outside: Path) -> None:
    hostile.publish(hostile.file("f", b"plain"))
    entry = hostile.directory / "collections" / "p" / "ds" / "000000000002"
    with tempfile.NamedTemporaryFile(dir=entry.parent, delete=False) as sparse:
        sparse.truncate(400 * limits.MIB)
    os.rename(sparse.name, entry)
    target = outside / "target"

    def pull_exactly() -> None:
        open_at(hostile.directory).artifact("ds:v0").download(target)

    assert in_little_memory(pull_exactly) is None
    assert (target / "f").read_bytes() == b"plain"


def test_a_log_entry_that_needs_a_newer_release_is_exit_status_9(
    hostile: HostileStore, outside: Path
) -> None:
    hostile.publish(hostile.file("f", b"plain"))
    hostile.storage.create("collections/p/ds/000000000002", b'{"format":2}')
    error = pull(hostile.directory, outside / "target")
    assert isinstance(error, UnsupportedFormatError)
    assert error.exit_status == 9
    assert not (outside / "target").exists()

from __future__ import annotations

import struct
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from artstore.digest import digest_of
from artstore.manifests.entry import FILE, KINDS, LINK, ArtifactHasher, Entry, artifact_digest
from tests.property.formats import entry_lists

NUMBERS = {name: number for number, name in KINDS.items()} | {LINK: 1}


@given(entry_lists(min_size=0))
def test_the_digest_is_that_of_the_written_rule(entries: list[Entry]) -> None:
    data = b"artstore artifact digest v1\0"
    for entry in entries:
        path = entry.path.encode()
        data += struct.pack("<IBB", len(path), NUMBERS[entry.kind], entry.executable)
        data += path + entry.digest
    assert artifact_digest(entries) == digest_of(data)


@given(entry_lists())
def test_how_content_is_stored_or_described_leaves_no_trace(entries: list[Entry]) -> None:
    bare = [replace(entry, chunks=(), level=0, size_bytes=0, extra={}) for entry in entries]
    assert artifact_digest(bare) == artifact_digest(entries)


@given(entry_lists())
def test_a_link_counts_as_the_file_it_leads_to(entries: list[Entry]) -> None:
    links = [replace(entry, kind=LINK) if entry.kind == FILE else entry for entry in entries]
    assert artifact_digest(links) == artifact_digest(entries)


@given(entry_lists(), st.data())
def test_another_path_kind_mode_or_content_is_another_digest(
    entries: list[Entry], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[at]
    digest = artifact_digest(entries)
    kinds = [kind for kind in KINDS.values() if NUMBERS[kind] != NUMBERS[entry.kind]]
    for other in (
        replace(entry, executable=not entry.executable),
        replace(entry, digest=digest_of(entry.digest)),
        replace(entry, kind=data.draw(st.sampled_from(kinds))),
    ):
        assert artifact_digest([*entries[:at], other, *entries[at + 1 :]]) != digest
    assert artifact_digest([*entries[:at], *entries[at + 1 :]]) != digest
    longer = replace(entries[-1], path=entries[-1].path + "\n")
    assert artifact_digest([*entries[:-1], longer]) != digest


@given(entry_lists(), st.integers(1, 5))
def test_the_digest_may_be_asked_for_on_the_way(entries: list[Entry], every: int) -> None:
    hasher = ArtifactHasher()
    for i, entry in enumerate(entries):
        hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
        if i % every == 0:
            assert hasher.digest() == artifact_digest(entries[: i + 1])
    assert hasher.digest() == artifact_digest(entries)

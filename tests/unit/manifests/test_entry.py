from __future__ import annotations

import pytest

from artstore.digest import EMPTY, digest_of
from artstore.errors import InvalidInputError
from artstore.manifests.entry import (
    DIRECTORY,
    FILE,
    KINDS,
    LINK,
    REFERENCE,
    SYMLINK,
    TABLE,
    ArtifactHasher,
    Entry,
    artifact_digest,
    directory_entry,
    reference_entry,
    symlink_entry,
)

HELLO = digest_of(b"hello\n")


def file(path: str, digest: bytes = HELLO, *, executable: bool = False) -> Entry:
    return Entry(path, FILE, 6, digest, executable)


# These stand in stores of every release: a digest that changes is another version.
GOLDEN = {
    "nothing": ([], "0362a8d86ee54fd29c90648316afb27e000a2d98e09536bf50d086defd675357"),
    "one file": (
        [file("hello.txt")],
        "6cd7d5ae8cefad8228d5efa6a57a4de2ac35f5c8ab6694530d0584c23601b507",
    ),
    "an executable file": (
        [file("hello.txt", executable=True)],
        "1f0aab4c103366d84f13eda0e80e562ae5dd8fa3fe2f042fad7dbfa89d0e2c7a",
    ),
    "an empty file": (
        [Entry("empty", FILE, 0, EMPTY)],
        "4ffb42a22d4c9faf6b23babc822d215154c1735c220f46219951ef03d5689fde",
    ),
    "an empty directory": (
        [directory_entry("empty")],
        "69c53f184637d917b83e0de6f413ceeb98016c91ea1f9ca1aa8b4531068c9819",
    ),
    "a symlink": (
        [symlink_entry("latest", "../elsewhere")],
        "695c21fddfe4321e5875911852c033cd3ba87fe45527677812c6a94deb96ebf9",
    ),
    "a reference": (
        [
            reference_entry(
                "far", "s3://bucket/key?a=b", size_bytes=12, etag='"abc"', version_id="7"
            )
        ],
        "95df8abe6bf3c9639f3cc5ea5143d6528c6fe028945b023bd8d7948691efc937",
    ),
    "a reference to known content": (
        [reference_entry("far", "file:///x", size_bytes=6, content_digest=HELLO)],
        "dd4f35fe4f05cdcfff16f506e2b405fa5e51147ce44944fd9ff6cd56a66b3ceb",
    ),
    "a table": (
        [Entry("t", TABLE, 100, HELLO)],
        "c8d94db54462a52dc2180dd2ffed664db37fa14c2545bcd301739c516077c10d",
    ),
    "names of all kinds": (
        [
            file("A"),
            file("a b\nc"),
            file("a/b"),
            file("e\u0301"),
            file("\u00e9"),
            file("\U0001f600"),
        ],
        "3b0dc62418daf75af7f4c69914665a50a766a8fbeef02c4f386f270b7684474d",
    ),
    "many files": (
        [file(f"{i:05}", digest_of(b"%d" % i)) for i in range(3500)],
        "b3c587fd4298af855b4e1962fd0410e578bac1d68dc6662b808d6a21e4709592",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_digest_of_an_artifact_is_the_same_for_ever(name: str) -> None:
    entries, expected = GOLDEN[name]
    assert artifact_digest(entries).hex() == expected


def test_no_two_of_the_golden_artifacts_are_one() -> None:
    assert len({digest for _, digest in GOLDEN.values()}) == len(GOLDEN)


def test_kinds_have_the_numbers_of_the_format() -> None:
    assert KINDS == {1: FILE, 2: DIRECTORY, 3: SYMLINK, 4: REFERENCE, 5: LINK, 6: TABLE}


def test_a_link_to_the_same_bytes_is_the_same_version() -> None:
    link = Entry("hello.txt", LINK, 6, HELLO, extra={"source": "other:v1", "path": "x"})
    assert artifact_digest([link]) == artifact_digest([file("hello.txt")])


def test_a_symlink_is_not_the_file_with_its_text() -> None:
    assert artifact_digest([symlink_entry("a", "hello\n")]) != artifact_digest([file("a")])


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"], [""], ["a/b", "a"]])
def test_paths_that_do_not_ascend_are_a_bug_that_is_noticed(paths: list[str]) -> None:
    with pytest.raises(AssertionError):
        artifact_digest([file(path) for path in paths])


def test_paths_ascend_by_their_bytes_in_utf_8() -> None:
    hasher = ArtifactHasher()
    # In UTF-16 the last two would stand the other way round.
    for path in ("Z", "a", "a-b", "a/b", "a0", "\u00e9", "\uffee", "\U0001f600"):
        hasher.add(path, FILE, False, HELLO)
    assert len(hasher.digest()) == 32


def test_a_symlink_keeps_its_text() -> None:
    entry = symlink_entry("l", "../\u00e9")
    assert (entry.kind, entry.target, entry.size_bytes) == (SYMLINK, "../\u00e9", 5)
    assert entry.digest == digest_of("../\u00e9".encode())
    assert entry.url == ""


def test_a_directory_has_the_digest_of_nothing() -> None:
    entry = directory_entry("d")
    assert (entry.kind, entry.size_bytes, entry.digest, entry.target) == (DIRECTORY, 0, EMPTY, "")


def test_a_reference_keeps_what_is_known_and_nothing_else() -> None:
    entry = reference_entry("r", "s3://b/k")
    assert (entry.kind, entry.size_bytes, entry.url) == (REFERENCE, 0, "s3://b/k")
    assert dict(entry.extra) == {"url": "s3://b/k"}
    assert entry.digest == digest_of(b'{"url":"s3://b/k"}')


def test_a_reference_to_known_content_has_its_digest_wherever_it_lies() -> None:
    one, other = (
        reference_entry("r", url, content_digest=HELLO) for url in ("s3://b/k", "gs://b/k")
    )
    assert one.digest == other.digest == HELLO
    assert one.extra["content_digest"] == HELLO.hex()


def test_a_reference_that_cannot_be_written_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="reference far"):
        reference_entry("far", "s3://\ud800")


def test_entries_of_one_kind_do_not_share_what_they_hold() -> None:
    entry = file("a")
    assert entry.extra == {}
    assert entry.chunks == ()
    with pytest.raises(AttributeError):
        entry.path = "b"  # type: ignore[misc]

"""Manifests that lie beside the files, and files compared with them."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    StateError,
    UnsupportedFormatError,
)
from artstore.integrations.wandb_files.digests import artifact_digest
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.integrations.wandb_files.verification import WandbReport
from tests.unit.integrations.wandb_files.writing import NUMBER, Written

S3 = {
    "digest": "0a1b",
    "ref": "s3://b/k",
    "size": 9,
    "extra": {"etag": "0a1b", "versionID": "v"},
}


def files(written: Written) -> None:
    written.file("f.txt", b"hello")
    written.file("sub/g.bin", bytes(1000))
    written.table("t.table.json", {"a": NUMBER}, [[1]])


def test_the_digest_of_a_file_is_the_one_that_w_and_b_shows(written) -> None:
    written.file("f.txt", b"hello")
    written.manifest()
    entry = WandbDirectory(written.root).manifest.entries["f.txt"]
    assert (entry.digest, entry.size_bytes) == ("XUFAKrxLKna5cZ2REBfFkg==", 5)
    assert (entry.url, entry.algorithm, entry.is_elsewhere) == (None, "MD5", False)


def test_the_digest_of_an_artifact_is_the_one_that_w_and_b_shows() -> None:
    # Of wandb 0.31.0, of an artifact with this file alone.
    one = [("f.txt", "XUFAKrxLKna5cZ2REBfFkg==")]
    assert artifact_digest(one, "MD5") == "b3c712c65ff5236425889b9284087b12"
    one = [("f.txt", "tenBrQcbPn/Hec+qXlI4GA==")]
    assert artifact_digest(one, "XXH128") == "2874c69978b8216e0ca015ab38170445"


@pytest.mark.parametrize("algorithm", ["MD5", "XXH128"])
def test_files_and_artifact_are_compared(written, algorithm) -> None:
    files(written)
    digest = written.manifest(references={"r.bin": S3}, algorithm=algorithm)
    written.file("extra.txt", b"")
    directory = WandbDirectory(written.root)
    assert directory.manifest.algorithm == algorithm
    assert directory.manifest.artifact_digest() == digest
    size = 1005 + (written.root / "t.table.json").stat().st_size
    expected = WandbReport(3, size, 1, ("extra.txt",), digest)
    assert directory.verify() == directory.verify(digest.upper()) == expected


def test_members_that_only_a_client_writes_are_passed_over(written) -> None:
    files(written)
    written.manifest()
    value = json.loads((written.root / "wandb_manifest.json").read_text())
    value["contents"]["f.txt"] |= {"local_path": "/x", "skip_cache": True, "birthArtifactID": "a"}
    written.json("wandb_manifest.json", value | {"later": [1]})
    assert WandbDirectory(written.root).verify().file_count == 3


def test_another_artifact_is_told(written) -> None:
    files(written)
    written.manifest()
    with pytest.raises(DamagedDataError) as caught:
        WandbDirectory(written.root).verify("0" * 32)
    assert caught.value.code == "wandb-digest-mismatch"
    assert "0" * 32 in str(caught.value)


@pytest.mark.parametrize("algorithm", ["MD5", "XXH128"])
def test_files_that_are_others_are_told(written, algorithm) -> None:
    files(written)
    written.manifest(algorithm=algorithm)
    written.file("f.txt", b"hallo")
    written.file("sub/g.bin", b"")
    with pytest.raises(DamagedDataError, match=r"2 of 3 files .* f\.txt has the") as caught:
        WandbDirectory(written.root).verify()
    assert caught.value.code == "wandb-digest-mismatch"
    assert caught.value.context["files"] == ["f.txt", "sub/g.bin"]


def test_files_that_are_missing_are_told(written) -> None:
    files(written)
    written.manifest()
    os.unlink(written.root / "sub/g.bin")
    with pytest.raises(NotFoundError, match=r"1 of 3 files .*: sub/g\.bin") as caught:
        WandbDirectory(written.root).verify()
    assert caught.value.code == "wandb-file-missing"


def test_without_a_manifest_there_is_nothing_to_compare_with(written) -> None:
    files(written)
    directory = WandbDirectory(written.root)
    assert directory.manifest is None
    assert directory.references() == ()
    with pytest.raises(NotFoundError):
        directory.verify()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wandb_manifest.incremental.json", "INCREMENTAL"),
        ("wandb_manifest.patch.json", "PATCH"),
    ],
)
def test_what_lists_only_what_is_new_has_files_and_no_digest(written, name, kind) -> None:
    files(written)
    written.manifest(name=name)
    directory = WandbDirectory(written.root)
    assert directory.manifest.kind == kind
    assert directory.verify() == WandbReport(3, directory.verify().size_bytes, 0, (), None)
    with pytest.raises(StateError) as caught:
        directory.verify("0" * 32)
    assert caught.value.code == "wandb-manifest-partial"
    written.manifest()
    assert WandbDirectory(written.root).manifest.kind == "FULL"
    assert name not in WandbDirectory(written.root).plain_files()


def test_references_are_told_and_not_read(written) -> None:
    files(written)
    written.file("r.bin", b"downloaded")
    other = {"digest": "x", "ref": "wandb-artifact://0a/one.txt", "size": 0}
    references = {"r.bin": S3, "there.txt": other, "gone.txt": other}
    data = b"of another artifact"
    written.file("there.txt", data)
    written.manifest(references=references)
    directory = WandbDirectory(written.root)
    assert [(entry.path, entry.url) for entry in directory.references()] == [
        ("gone.txt", "wandb-artifact://0a/one.txt"),
        ("r.bin", "s3://b/k"),
    ]
    reference = directory.references()[1]
    assert (reference.is_elsewhere, reference.size_bytes) == (True, 9)
    assert reference.extra == {"etag": "0a1b", "versionID": "v"}
    # What W&B fetched of another artifact is a file; what lies elsewhere is none.
    assert directory.plain_files() == ("f.txt", "sub/g.bin", "there.txt")


def test_a_file_of_another_artifact_is_compared_where_it_was_downloaded(written) -> None:
    files(written)
    written.manifest()
    value = json.loads((written.root / "wandb_manifest.json").read_text())
    value["contents"]["f.txt"] |= {"ref": "wandb-artifact://0a/f.txt", "size": 0}
    written.json("wandb_manifest.json", value)
    assert WandbDirectory(written.root).verify().file_count == 3
    written.file("f.txt", b"hallo")
    with pytest.raises(DamagedDataError):
        WandbDirectory(written.root).verify()


@pytest.mark.parametrize(
    "path", ["../f.txt", "/etc/passwd", "a/../../f.txt", "a//b", "", ".", "a\0b", "x" * 5000]
)
def test_paths_out_of_the_directory_are_refused(written, path) -> None:
    written.manifest(references={path: {"digest": "x"}})
    with pytest.raises(InvalidInputError, match=r"wandb_manifest\.json") as caught:
        WandbDirectory(written.root).verify()
    assert caught.value.code == "wandb-path-refused"


@pytest.mark.parametrize(
    "entry",
    [
        5,
        {},
        {"digest": 5},
        {"digest": "x", "ref": 5},
        {"digest": "x", "size": -1},
        {"digest": "x", "size": True},
        {"digest": "x", "size": "5"},
        {"digest": "x", "extra": [1]},
    ],
)
def test_an_entry_that_is_none_is_told(written, entry) -> None:
    written.manifest(references={"a": entry})
    with pytest.raises(DamagedDataError, match=r"wandb_manifest\.json") as caught:
        _ = WandbDirectory(written.root).manifest
    assert caught.value.code == "wandb-file-damaged"


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_version_is_told(written, version) -> None:
    written.json("wandb_manifest.json", {"version": version, "contents": {}})
    with pytest.raises(UnsupportedFormatError):
        _ = WandbDirectory(written.root).manifest


def test_another_kind_of_digest_is_told(written) -> None:
    written.manifest(references={"a": {"digest": "x", "extra": {"alg": "SHA512"}}})
    with pytest.raises(UnsupportedFormatError, match="SHA512"):
        _ = WandbDirectory(written.root).manifest


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"version": 1, "contents": []}'])
def test_what_is_no_manifest_is_told(written, text) -> None:
    written.file("wandb_manifest.json", text)
    with pytest.raises(DamagedDataError) as caught:
        _ = WandbDirectory(written.root).manifest
    assert caught.value.code == "wandb-file-damaged"


@given(data=st.binary(max_size=60), at=st.integers(0, 300), name=st.sampled_from(["m", "t"]))
def test_any_bytes_are_read_or_told(tmp_path_factory, data, at, name) -> None:
    written = Written(tmp_path_factory.mktemp("any"))
    files(written)
    written.manifest()
    path = {"m": "wandb_manifest.json", "t": "t.table.json"}[name]
    good = (written.root / path).read_bytes()
    written.file(path, good[:at] + data + good[at + len(data) :])
    directory = WandbDirectory(written.root)
    for use in (
        directory.verify,
        directory.plain_files,
        lambda: list(directory.table("t.table.json").rows()),
    ):
        try:
            use()
        except ArtstoreError as error:
            assert error.code.startswith("wandb-") or error.code == "format-unsupported"

"""Directories of W&B as versions: which are taken, what is found again, what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import artstore as art
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.integrations.wandb_import import ImportedTable, ImportedVersion, import_wandb
from tests.unit.integrations.importing import (
    BOX,
    IDS,
    beside,
    imported,
    numbers,
    refused,
)
from tests.unit.integrations.wandb_files.writing import (
    Written,
    image_type,
    pixels,
    replaced,
)

# which directories --------------------------------------------------------------------------


def test_name_and_version_are_those_of_the_directory(store, written) -> None:
    numbers(written)
    one = imported(store, written)
    assert (one.name, one.wandb_name, one.wandb_version) == ("digits", "digits", "v3")
    assert (one.artifact.qualified_name, one.artifact.type) == ("p/digits:v0", "dataset")
    assert one.artifact.message == "imported from digits:v3 of W&B"
    other = beside(written, "no version")
    numbers(other)
    one = imported(store, other, name="mine", type="run_table", aliases="best")
    assert (one.name, one.wandb_name, one.wandb_version) == ("mine", "no version", None)
    assert one.artifact.type == "run_table"
    assert store.artifact("mine:best").version == "v0"


def test_a_directory_that_is_not_called_like_an_artifact_needs_a_name(store, written) -> None:
    other = beside(written, "no name")
    numbers(other)
    error = refused(store, other, "name-invalid")
    assert "give a name" in error.hint


def test_a_path_with_a_slash_at_its_end_and_a_dot_have_the_name_too(
    store, written, monkeypatch
) -> None:
    numbers(written)
    monkeypatch.chdir(written.root)
    for path in (f"{written.root}/", ".", os.path.relpath(written.root)):
        (one,) = import_wandb(path, store=store)
        assert one.wandb_version == "v3"
    assert len(store.versions("digits")) == 1


# several --------------------------------------------------------------------------


def versions(written: Written, *contents: bytes, name: str = "digits") -> Path:
    for number, content in enumerate(contents):
        beside(written, f"{name}:v{number}").file("f.txt", content)
    if written.root.is_dir() and not any(written.root.iterdir()):
        written.root.rmdir()
    return written.root.parent


def content(store: art.Store, name: str) -> bytes:
    with store.artifact(name).open("f.txt") as file:
        return file.read()


def test_directories_that_are_versions_are_imported_in_their_order(store, written) -> None:
    root = versions(written, *[b"%d" % number for number in range(11)])
    versions(written, b"m", name="model")
    (root / ".cache").mkdir()
    found = import_wandb(root, store=store, aliases=["done"])
    assert [(one.name, one.wandb_version) for one in found] == [
        *(("digits", f"v{number}") for number in range(11)),
        ("model", "v0"),
    ]
    assert [content(store, f"digits:v{number}") for number in (2, 10)] == [b"2", b"10"]
    assert store.artifact("digits:done").version == "v10"
    assert store.artifact("model:done").version == "v0"
    again = import_wandb(root, store=store)
    assert [one.is_new for one in again] == [False] * 12
    assert len(store.versions("digits")) == 11


def test_content_that_comes_again_after_another_is_a_version_again(store, written) -> None:
    root = versions(written, b"a", b"b", b"a")
    import_wandb(root, store=store, name="mine")
    assert [content(store, f"mine:v{number}") for number in range(3)] == [b"a", b"b", b"a"]
    found = import_wandb(root, store=store, name="mine")
    assert [one.artifact.version for one in found] == ["v0", "v1", "v2"]
    assert len(store.versions("mine")) == 3


def test_one_name_for_several_artifacts_is_refused(store, written) -> None:
    root = versions(written, b"a")
    versions(written, b"m", name="model")
    error = refused(store, root, "value-invalid", name="mine")
    assert "digits, model" in str(error)


def test_versions_beside_other_things_are_refused(store, written) -> None:
    root = versions(written, b"a")
    (root / "digits:v1").symlink_to("digits:v0")
    error = refused(store, root, "wandb-directory-mixed")
    assert "'digits:v1'" in str(error)


def test_an_artifact_may_hold_what_looks_like_versions(store, written) -> None:
    written.file("model:v0/f.txt", b"x")
    (one,) = import_wandb(written.root, store=store)
    assert [entry.path for entry in one.artifact.entries()] == ["model:v0/f.txt"]
    other = beside(written, "whole")
    other.file("model:v0/f.txt", b"x")
    other.manifest()
    (one,) = import_wandb(other.root, store=store)
    assert one.artifact.collection.name == "whole"


def test_damage_in_the_last_of_several_is_told_before_the_first_is_imported(store, written) -> None:
    root = versions(written, b"a", b"b")
    last = beside(written, "digits:v1")
    place = last.root / numbers(last)
    place.write_bytes(place.read_bytes()[:-20])
    error = refused(store, root, "wandb-file-damaged")
    assert f"{last.root}: t.table.json" in str(error)


def test_what_came_before_an_error_stays_and_the_next_run_goes_on_there(store, written) -> None:
    root = versions(written, b"a", b"b")
    last = beside(written, "digits:v1")
    record = last.image(pixels())
    last.table("t.table.json", {"image": image_type()}, [[record]])
    sound = (last.root / record["path"]).read_bytes()
    (last.root / record["path"]).write_bytes(sound[:-20])
    with pytest.raises(DamagedDataError) as caught:
        import_wandb(root, store=store)
    assert caught.value.context["imported"] == ["p/digits:v0"]
    assert "digits:v0" in caught.value.hint
    (last.root / record["path"]).write_bytes(sound)
    found = import_wandb(root, store=store)
    assert [(one.artifact.version, one.is_new) for one in found] == [("v0", False), ("v1", True)]


# twice --------------------------------------------------------------------------


@pytest.mark.parametrize("has_manifest", [True, False])
def test_the_same_directory_again_makes_no_version(store, written, has_manifest) -> None:
    record = written.image(pixels(), boxes={"truth": [BOX]}, masks={"truth": written.mask(IDS)})
    written.table("t.table.json", {"image": image_type(boxes={"truth": {"1": "car"}})}, [[record]])
    written.file("notes.txt", b"")
    digest = written.manifest() if has_manifest else None
    first = imported(store, written)
    assert first.is_new
    assert digest in (None, first.wandb_digest)
    again = imported(store, written, aliases=["best"])
    assert (again.is_new, again.artifact.version) == (False, "v0")
    assert len(store.versions("digits")) == 1
    assert store.artifact("digits:best").version == "v0"


def test_the_digest_of_files_alone_is_that_of_their_manifest(store, written) -> None:
    numbers(written)
    first = imported(store, written)
    assert first.verified_count is None
    assert written.manifest() == first.wandb_digest
    again = imported(store, written)
    assert (again.is_new, again.verified_count) == (False, 1)
    (record,) = store.artifact("digits").metadata["wandb"]
    assert record == {
        "name": "digits",
        "version": "v3",
        "digest": first.wandb_digest,
        "digest_of": "files",
    }


def test_a_manifest_of_what_is_new_is_compared_and_names_no_artifact(store, written) -> None:
    numbers(written)
    written.manifest(name="wandb_manifest.patch.json")
    one = imported(store, written)
    assert one.verified_count == 1
    (record,) = one.artifact.metadata["wandb"]
    assert record["digest_of"] == "files"
    assert not imported(store, written).is_new


def test_an_older_one_again_makes_no_version_either(store, written) -> None:
    numbers(written)
    other = beside(written, "digits:v4")
    numbers(other, rows=[[9, 9]])
    for source in (written, other, written):
        one = imported(store, source)
    assert (one.is_new, one.artifact.version) == (False, "v0")
    assert len(store.versions("digits")) == 2


def test_two_of_w_and_b_that_are_one_here_are_both_remembered(store, written) -> None:
    numbers(written)
    other = beside(written, "digits:v4")
    place = other.root / numbers(other)
    # JSON with other blanks is another file to W&B, and the same table.
    place.write_text(json.dumps(json.loads(place.read_text()), indent=1))
    imported(store, written)
    artifact = store.artifact("digits")
    artifact.metadata["mine"] = 5
    artifact.save()
    for source in (other, written, other):
        one = imported(store, source)
        assert (one.is_new, one.artifact.version) == (False, "v0")
    metadata = store.artifact("digits").metadata
    assert metadata["mine"] == 5
    assert [record["version"] for record in metadata["wandb"]] == ["v3", "v4"]


@pytest.mark.parametrize(
    "found", ["text", [5, {"digest": [], "version": []}], {"digest": "x"}, None]
)
def test_metadata_of_others_is_no_record(store, written, found) -> None:
    draft = art.Artifact("digits", metadata={"wandb": found})
    with draft.new_file("f.txt") as file:
        file.write("x")
    store.log_artifact(draft)
    numbers(written)
    assert imported(store, written).artifact.version == "v1"


def test_a_version_that_was_deleted_is_not_found(store, written) -> None:
    numbers(written)
    imported(store, written)
    store.delete("digits:v0")
    one = imported(store, written)
    assert (one.is_new, one.artifact.version) == (True, "v1")


def test_another_type_is_refused(store, written) -> None:
    numbers(written)
    imported(store, written)
    with pytest.raises(InvalidInputError) as caught:
        imported(store, written, type="model")
    assert caught.value.code == "type-mismatch"


def test_a_dry_run_tells_everything_and_writes_nothing(store, written, tmp_path) -> None:
    written.json("one.image-file.json", written.image(pixels()))
    numbers(written)
    one = imported(store, written, dry_run=True)
    assert (one.artifact, one.is_new) == (None, True)
    assert one.summary.tables == (ImportedTable("t", 2, 2, 0, 0),)
    assert one.summary.image_count == 1
    assert not (tmp_path / "store").exists()
    imported(store, written)
    one = imported(store, written, dry_run=True)
    assert (one.artifact.version, one.is_new) == ("v0", False)


# what is refused --------------------------------------------------------------------------


def test_a_file_that_is_not_that_of_the_manifest_is_told_by_name(store, written) -> None:
    numbers(written)
    written.file("notes.txt", b"hello")
    written.manifest()
    (written.root / "notes.txt").write_bytes(b"jello")
    error = refused(store, written, "wandb-digest-mismatch")
    assert "notes.txt" in str(error)
    one = imported(store, written, verify=False)
    assert (one.is_new, one.verified_count) == (True, None)
    assert content_of(one, "notes.txt") == b"jello"


def content_of(one: ImportedVersion, path: str) -> bytes:
    with one.artifact.open(path) as file:
        return file.read()


def test_a_file_of_the_manifest_that_is_missing_is_told_by_name(store, written) -> None:
    numbers(written)
    written.file("notes.txt", b"hello")
    written.manifest()
    os.unlink(written.root / "notes.txt")
    error = refused(store, written, "wandb-file-missing")
    assert "notes.txt" in str(error)


def test_an_image_that_is_not_that_of_its_record_is_told_with_its_row(store, written) -> None:
    record = written.image(pixels(1))
    written.table("t.table.json", {"image": image_type()}, [[written.image(pixels(2))], [record]])
    place = written.root / record["path"]
    place.write_bytes(place.read_bytes() + b"\0")
    error = refused(store, written, "wandb-digest-mismatch")
    assert "row 1, column 'image' of t.table.json" in str(error)
    assert isinstance(error, DamagedDataError)


@pytest.mark.parametrize("path", ["../../secret.png", "/etc/passwd", "media/../../../secret.png"])
@pytest.mark.parametrize("verify", [True, False])
def test_a_path_that_leads_out_is_refused(store, written, path, verify) -> None:
    secret = written.root.parent.parent / "secret.png"
    (written.root.parent / "x.png").write_bytes(b"")
    secret.write_bytes((written.root / written.image(pixels())["path"]).read_bytes())
    record = written.image(pixels()) | {"path": path}
    written.table("t.table.json", {"image": image_type()}, [[record]])
    error = refused(store, written, "wandb-path-refused", verify=verify)
    assert "row 0, column 'image' of t.table.json" in str(error)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_truncated_table_is_refused_by_name(store, written, cut) -> None:
    written.file("notes.txt", b"hello")
    place = written.root / numbers(written, rows=[[number, 1] for number in range(100)])
    place.write_bytes(place.read_bytes()[:-cut])
    error = refused(store, written, "wandb-file-damaged")
    assert "t.table.json" in str(error)


def test_a_cell_that_is_damaged_in_the_last_row_leaves_nothing_behind(store, written) -> None:
    written.file("notes.txt", b"hello")
    place = written.root / numbers(written, rows=[[number, 1] for number in range(9000)])
    replaced(place, b"[8999, 1]", b'[8999, "x"]')
    error = refused(store, written, "wandb-cell-damaged")
    assert "row 8999, column 'n' of t.table.json" in str(error)


def test_an_empty_directory_and_none_are_refused(store, written) -> None:
    refused(store, written, "nothing-to-push")
    refused(store, written.root.parent / "none", "wandb-file-missing")

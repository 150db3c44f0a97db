"""Calls that name no store: they go to the one of the settings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.defaultstore import default_store
from tests.trees import push


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> art.Store:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "default"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "vision")
    return art.open_store()


def test_a_draft_is_logged_and_found_without_a_store(ours: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds", "dataset")
    draft.add_dir(tree)
    logged = art.log_artifact(draft, aliases=["best"], tags=["red"])
    assert logged.qualified_name == "vision/ds:v0"
    for name in (
        *("ds", "ds:latest", "ds:v0", "ds:best", "vision/ds:v0", "team/vision/ds:best"),
        *(logged.name, logged.qualified_name, logged.url, f"ds@{logged.digest[:12]}"),
    ):
        assert art.use_artifact(name).digest == logged.digest
    assert art.use_artifact("ds", "dataset").tags == ["red"]
    assert ours.use_artifact("ds:best", type="dataset").version == "v0"


def test_the_store_is_the_one_that_is_named_at_the_moment(
    ours: art.Store, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ours, tree)
    assert default_store() is default_store()
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "another"))
    with pytest.raises(art.NotFoundError) as caught:
        art.use_artifact("ds")
    assert caught.value.code == "store-not-found"


@pytest.mark.parametrize("name", ["a/b/c/ds", "a b", ""])
def test_names_that_are_none_are_refused(ours: art.Store, name: str) -> None:
    with pytest.raises(art.InvalidInputError) as caught:
        art.use_artifact(name)
    assert caught.value.code == "name-invalid"


def test_another_type_is_refused(ours: art.Store, tree: Path) -> None:
    version = push(ours, tree)
    for used in ("ds", version):
        with pytest.raises(art.InvalidInputError) as caught:
            art.use_artifact(used, type="model")
        assert caught.value.code == "type-mismatch"
    assert art.use_artifact(version, type="dataset") is version


def test_what_is_used_may_get_aliases(ours: art.Store, tree: Path) -> None:
    push(ours, tree)
    assert art.use_artifact("ds", aliases=["seen"]).aliases == ["latest", "seen"]
    assert ours.artifact("ds:seen").version == "v0"


def test_a_draft_is_logged_when_it_is_used(ours: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    used = art.use_artifact(draft)
    assert (used.version, draft.version) == ("v0", "v0")
    (tree / "a.txt").write_text("changed since")
    assert art.use_artifact(draft).version == "v0"
    assert len(ours.versions("ds")) == 1


def test_a_path_alone_makes_an_artifact(ours: art.Store, tree: Path) -> None:
    (tree / "my model!.pt").write_text("weights")
    assert art.log_artifact(str(tree)).name == "tree:v0"
    one = art.log_artifact(tree / "my model!.pt", type="model", aliases="best")
    assert (one.name, one.type, one.aliases) == ("my-model-.pt:v0", "model", ["latest", "best"])
    assert [entry.path for entry in one.entries()] == ["my model!.pt"]
    assert art.log_artifact(tree / "a.txt", "renamed").name == "renamed:v0"
    linked = art.log_artifact((tree / "sub").as_uri(), "refs")
    assert [entry.kind for entry in linked.files()] == ["reference", "reference"]
    os.chdir(tree / "sub")
    assert art.log_artifact(".").name == "sub:v0"
    with pytest.raises(art.InvalidInputError) as caught:
        art.log_artifact("none")
    assert caught.value.code == "source-missing"


def test_a_draft_saves_itself(ours: art.Store, tree: Path) -> None:
    for project in (None, "other"):
        draft = art.Artifact("ds")
        draft.add_dir(tree)
        draft.save(project)
        assert draft.qualified_name == f"{project or 'vision'}/ds:v0"
    draft.tags.append("x")
    draft.save()
    assert ours.artifact("other/ds").tags == ["x"]


# addresses of other versions ------------------------------------------------------------------


def test_an_address_of_a_version_is_added_as_a_link(ours: art.Store, tree: Path) -> None:
    source = push(ours, tree)
    draft = art.Artifact("links")
    (one,) = draft.add_reference(source["a.txt"].ref_url(), "one")
    (two,) = draft.add_reference("art://ds:v0/sub/b.txt")
    (three,) = draft.add_reference(source["a.txt"], "three")
    assert [entry.kind for entry in (one, two, three)] == ["link"] * 3
    below = draft.add_reference("art://vision/ds:latest/sub", "below")
    assert [entry.path for entry in below] == ["below/b.txt", "below/c.txt"]
    whole = draft.add_reference(f"art://ds@{source.digest}", "whole")
    assert [entry.path for entry in whole] == ["whole/a.txt", "whole/sub/b.txt", "whole/sub/c.txt"]
    version = art.log_artifact(draft)
    assert version.read("below/c.txt") == b"ccc"
    assert version["one"].ref_target() == "art://vision/ds:v0/a.txt"
    assert version["sub/b.txt"].ref == "art://vision/ds:v0/sub/b.txt"
    assert version.push.read_bytes == 0


def test_an_address_of_a_link_leads_to_the_first_file(ours: art.Store, tree: Path) -> None:
    source = push(ours, tree)
    first = art.Artifact("one")
    first.add_link(source, "a.txt")
    second = art.Artifact("two")
    second.add_link(art.log_artifact(first), "a.txt", "x")
    assert art.log_artifact(second)["x"].ref == "art://vision/ds:v0/a.txt"


def test_the_same_link_twice_is_added_once_and_another_file_refused(
    ours: art.Store, tree: Path
) -> None:
    source = push(ours, tree)
    draft = art.Artifact("links")
    draft.add_link(source, "a.txt", "x")
    draft.add_link(source, "a.txt", "x")
    draft.add_file(tree / "a.txt", "x")
    assert len(draft.additions) == 1
    for add in (
        lambda: draft.add_link(source, "sub/b.txt", "x"),
        lambda: draft.add_reference("s3://b/x", checksum=False),
        lambda: draft.add_file(tree / "sub" / "b.txt", "x"),
    ):
        with pytest.raises(art.InvalidInputError) as caught:
            add()
        assert caught.value.code == "entry-exists"


def test_references_that_do_not_all_fit_are_not_added(ours: art.Store, tree: Path) -> None:
    draft = art.Artifact("refs")
    draft.add_file(tree / "a.txt", "sub/c.txt")
    with pytest.raises(art.InvalidInputError) as caught:
        draft.add_reference((tree / "sub").as_uri(), "sub")
    assert caught.value.code == "entry-exists"
    assert len(draft.additions) == 1


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("art://ds", "reference-invalid"),
        ("art://ds/a.txt", "reference-invalid"),
        ("art://ds:v0/none", "entry-not-found"),
        ("art://ds:v7/a.txt", "version-not-found"),
        ("art://none:v0/a.txt", "collection-not-found"),
        ("wandb-artifact://1234/a.txt", "reference-invalid"),
    ],
)
def test_addresses_that_lead_nowhere_are_refused(
    ours: art.Store, tree: Path, address: str, code: str
) -> None:
    push(ours, tree)
    with pytest.raises(art.ArtstoreError) as caught:
        art.Artifact("links").add_reference(address)
    assert caught.value.code == code
    if code == "reference-invalid":
        note = art.Artifact("notes").add_reference(address, "note", checksum=False)
        assert note[0].ref == address


def test_a_table_behind_an_address_brings_its_images(ours: art.Store) -> None:
    ours.create()
    source = art.Artifact("ds", "dataset")
    image = art.Image(np.full((4, 5, 3), 7, np.uint8))
    source.add(art.Table(["id", "image"], data=[[1, image]]), "sub/table")
    art.log_artifact(source)
    draft = art.Artifact("copy", "dataset")
    draft.add_reference("art://ds:v0/sub", "below")
    logged = art.log_artifact(draft)
    table = logged.get("below/table")
    assert table.home.name == "vision/ds:v0/sub/table"
    assert table.rows[0]["image"].to_pil().size == (5, 4)
    # A link of a link leads to where the rows came from.
    again = art.Artifact("again", "dataset")
    again.add(table, "table")
    assert art.log_artifact(again).get("table").home.name == "vision/ds:v0/sub/table"

"""What versions name goes over with them: links, tables of others, references, registry links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from artstore.catalog.state import Source
from artstore.media.image import Image
from tests.trees import problems_of
from tests.unit.syncing.stores import brought, contents, log_files, opened, quiet, sync


@pytest.fixture
def a() -> Store:
    return opened("a")


@pytest.fixture
def b() -> Store:
    return opened("b")


def link_to(store: Store, name: str, source: str, path: str) -> art.LoggedArtifact:
    draft = art.Artifact(name, "dataset")
    draft.add_link(store.artifact(source), path)
    return store.log_artifact(draft)


def table_of(store: Store, name: str, count: int, seed: int = 0) -> art.LoggedArtifact:
    rng = np.random.default_rng(seed)
    rows = [
        [number, f"row {number}", Image(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))]
        for number in range(count)
    ]
    draft = art.Artifact(name, "dataset")
    draft.add(art.Table(columns=["id", "text", "image"], data=rows), "examples")
    return store.log_artifact(draft)


def rows(store: Store, name: str) -> list[tuple[int, str, bytes]]:
    table = store.artifact(name).get("examples")
    return [(row[0], row[1], row[2].to_numpy().tobytes()) for _, row in table.iterrows()]


def test_links_lead_to_the_version_that_has_the_file_in_the_target(
    a: Store, b: Store, tmp_path: Path
) -> None:
    log_files(b, "images", {"own": b"own"})
    log_files(a, "images", {"cat": b"cat" * 1000, "dog": b"dog"})
    link_to(a, "train", "images:v0", "cat")
    assert brought(sync(a, b)) == ["p/images:v0 as v1", "p/train:v0"]
    entry = b.artifact("train").entry("cat")
    assert (entry.kind, entry.extra["source"], entry.extra["store"]) == (
        "link",
        "p/images:v1",
        b.id,
    )
    assert b.artifact("train").inputs == (Source("p", "images", 1),)
    assert contents(b, "train", tmp_path) == {"cat": b"cat" * 1000}
    assert problems_of(b) == []
    quiet(a, b)


def test_with_a_version_come_those_that_it_names_and_theirs(a: Store, b: Store) -> None:
    log_files(a, "images", {"cat": b"cat"})
    log_files(a, "images", {"cat": b"cat 2"})
    link_to(a, "train", "images:v1", "cat")
    link_to(a, "deep", "train:v0", "cat")
    # A link to a link is one to where the file is.
    assert brought(sync(a, b, ["deep"])) == ["p/deep:v0", "p/images:v1"]
    quiet(b, a)
    assert brought(sync(a, b, ["train"])) == ["p/train:v0"]


def test_a_link_to_a_version_that_is_gone_becomes_a_file(a: Store, b: Store) -> None:
    log_files(a, "images", {"cat": b"cat"})
    link_to(a, "train", "images:v0", "cat")
    a.delete("images:v0")
    assert brought(sync(a, b)) == ["p/train:v0"]
    version = b.artifact("train")
    assert version.entry("cat").kind == "file"
    assert version.digest == a.artifact("train").digest
    assert version.inputs == (Source("p", "images", 0, a.id),)
    quiet(a, b)


def test_references_stay_what_they_are(a: Store, b: Store) -> None:
    draft = art.Artifact("refs", "dataset")
    draft.add_reference("s3://bucket/key?versionId=1", name="there", checksum=False)
    a.log_artifact(draft)
    assert brought(sync(a, b)) == ["p/refs:v0"]
    assert b.artifact("refs").entry("there").extra == a.artifact("refs").entry("there").extra


def test_a_table_goes_over_with_its_rows_and_images(a: Store, b: Store) -> None:
    table_of(a, "digits", 50)
    report = sync(a, b)
    assert brought(report) == ["p/digits:v0"]
    assert rows(b, "digits") == rows(a, "digits")
    assert b.artifact("digits").digest == a.artifact("digits").digest
    assert b.artifact("digits").size == a.artifact("digits").size
    assert problems_of(b) == []
    quiet(a, b)


def test_rows_that_the_target_has_are_not_read(a: Store, b: Store) -> None:
    columns = ["id", "text"]
    data = [[number, f"row {number}" * 20] for number in range(20_000)]
    for count in (19_000, 20_000):
        draft = art.Artifact("t", "dataset")
        draft.add(art.Table(columns=columns, data=data[:count]), "t")
        a.log_artifact(draft)
        report = sync(a, b)
    before = a.artifact("t:v0").size
    assert report.read_bytes < before / 3
    assert b.artifact("t:v1").get("t").row_count == 20_000
    c = opened("c")
    draft = art.Artifact("same", "dataset")
    draft.add(art.Table(columns=columns, data=data), "elsewhere")
    c.log_artifact(draft)
    c_report = sync(a, c, ["t:v1"])
    assert c_report.problems == ()
    assert problems_of(c) == []
    assert problems_of(b) == []


def test_a_table_of_another_version_finds_its_images_there(a: Store, b: Store) -> None:
    log_files(b, "digits", {"own": b"own"})
    table_of(a, "digits", 10)
    draft = art.Artifact("again", "dataset")
    draft.add(a.artifact("digits").get("examples"), "examples")
    a.log_artifact(draft)
    assert brought(sync(a, b, ["again"])) == ["p/again:v0", "p/digits:v0 as v1"]
    assert rows(b, "again") == rows(a, "again")
    assert b.artifact("again").entry("examples.parquet").extra["source"] == "p/digits:v1"
    assert problems_of(b) == []


def test_a_link_in_a_registry_is_one_in_the_target(a: Store, b: Store) -> None:
    log_files(b, "model", {"own": b"own"}, type="model")
    version = log_files(a, "model", {"w": b"weights"}, type="model")
    version.link("registry/best-model", aliases=["prod"])
    assert brought(sync(a, b, ["registry/best-model"])) == [
        "p/model:v0 as v1",
        "registry/best-model:v0",
    ]
    linked = b.artifact("registry/best-model:prod")
    assert linked.read("w") == b"weights"
    state = b._place().catalog.state("registry", "best-model")
    assert state.versions[0].source == Source("p", "model", 1)
    assert problems_of(b) == []
    quiet(a, b)


def test_a_link_whose_source_is_gone_is_a_version_of_its_own(a: Store, b: Store) -> None:
    version = log_files(a, "model", {"w": b"weights"}, type="model")
    version.link("registry/best-model")
    a.delete("model:v0")
    assert brought(sync(a, b)) == ["registry/best-model:v0"]
    assert b.artifact("registry/best-model").read("w") == b"weights"
    quiet(a, b)


def test_views_come_only_when_asked_for(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    log_files(a, "board", {"x": b"0"}, type="view")
    assert brought(sync(a, b)) == ["p/ds:v0"]
    assert brought(sync(a, b, with_plumbing=True)) == ["p/board:v0"]

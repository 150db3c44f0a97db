"""`art demo`: the tour tells the truth, keeps what it made, and cannot harm what is there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore.api import open_store
from artstore.cli import demo
from artstore.cli.digits import Digit
from tests.cli.conftest import Art


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty small images in place of all 1,797."""

    def images() -> Iterator[Digit]:
        return (Digit(n, n % 10, [bytes([n, 7, n, 9])] * 4) for n in range(60))

    monkeypatch.setattr(demo, "_load_digits", images)


@pytest.mark.usefixtures("few_digits")
def test_the_tour_makes_two_versions_and_a_checkout_of_the_second(art: Art, tmp_path: Path) -> None:
    place = tmp_path / "tour"
    report = art("demo", place, "--json").json
    kinds = {kind: report[kind] for kind in ("added", "removed", "changed", "renamed")}
    assert kinds == {"added": 5, "removed": 3, "changed": 11, "renamed": 1}
    assert (report["first"], report["second"]) == ("digits:v0", "digits:v1")
    assert report["verified_files"] == 60 + 5 - 3 + 1
    store = open_store(str(place / "store"), project="demo")
    assert [state.version for state in store.versions("digits")] == [0, 1]
    labels = (place / "digits" / "labels.csv").read_bytes()
    assert (place / "pulled" / "labels.csv").read_bytes() == labels


@pytest.mark.usefixtures("few_digits")
def test_the_commands_that_the_tour_ends_with_work(art: Art, tmp_path: Path) -> None:
    told = art("demo", tmp_path / "to ur").out
    commands = [shlex.split(line) for line in told.splitlines() if " --store " in line]
    assert len(commands) >= 5
    # The last one serves until it is stopped: tests/unit/web/ has that.
    assert commands.pop()[-2:] == ["serve", "--open"]
    for program, *words in commands:
        assert program == "art"
        art(*words)


@pytest.mark.usefixtures("few_digits")
def test_the_tour_runs_again_in_a_store_that_has_its_versions(art: Art, tmp_path: Path) -> None:
    store = tmp_path / "shared"
    art("demo", tmp_path / "one", "--store", store)
    report = art("demo", tmp_path / "two", "--store", store, "--json").json
    assert (report["first"], report["second"]) == ("digits:v2", "digits:v3")


@pytest.mark.usefixtures("few_digits")
def test_a_directory_in_use_is_refused_and_left_alone(art: Art, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = art("demo", tmp_path, status=7)
    assert str(tmp_path) in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_same_model_is_shown_early_and_late(art: Art, tmp_path: Path) -> None:
    report = art("demo", tmp_path / "tour", "--json").json
    assert (report["before"], report["predictions"]) == ("digits-pred:v0", "digits-pred:v1")
    assert report["wrong"] < report["wrong_before"] <= report["predicted"] == 898
    store = open_store(report["store"], project="demo")
    joined = store.table("digits-pred:v0/joined")
    assert (
        int(joined.filter("guess <> label").count().to_pyarrow().as_py()) == report["wrong_before"]
    )
    runs = store.runs(sort="summary.accuracy.max")
    assert [run.state for run in runs] == ["finished"] * 3
    assert [run.config["learning_rate"] for run in runs] == [0.0001, 0.001, 0.01]
    assert all(run.history_table().num_rows == 5 for run in runs)
    logged = [(one["artifact"], one["version"]) for one in runs[1].whole["logged"]]
    assert logged == [("demo/digits-pred", 0), ("demo/digits-pred", 1)]


def test_the_images_that_are_shipped_are_all_the_digits_of_scikit_learn() -> None:
    images = list(demo._load_digits())
    assert [image.number for image in images] == list(range(1797))
    labels = [image.label for image in images]
    assert [labels.count(label) for label in range(10)] == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert {len(image.pixels) for image in images} == {8}
    assert {len(row) for image in images for row in image.pixels} == {8}
    assert images[0].pixels[0] == bytes([0, 0, 79, 207, 143, 15, 0, 0])

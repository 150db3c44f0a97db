"""`art table import` and `art table export`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import artstore as art_module
from artstore.cli.tableformats import FORMAT_NAMES
from artstore.integrations.formats.exchange import FORMATS, export_table, import_table
from artstore.tables.table import Table
from tests.cli.conftest import Art


def pets(place: Path) -> Path:
    table = Table(["id", "image", "label"])
    for at in range(4):
        pixels = np.full((4, 5, 3), at, np.uint8)
        table.add_data(f"k{at}", art_module.Image(pixels), "cat" if at % 2 else "dog")
    export_table(table, "imagefolder", place)
    return place


def test_the_formats_are_those_there_are() -> None:
    assert set(FORMAT_NAMES) == set(FORMATS)


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_table_goes_in_and_out_in_every_format(art: Art, tmp_path: Path, name: str) -> None:
    at = ("--store", tmp_path / "store")
    ran = art(
        *at, "table", "import", "pets/examples", pets(tmp_path / "pets"), "--format", "imagefolder"
    )
    assert ran.out == "pets:v0/examples  4 rows, 3 columns\n"
    ran = art(*at, "table", "export", "pets:v0/examples", tmp_path / "out", "--format", name)
    assert f"4 rows as {name}" in ran.out
    found = import_table(name, tmp_path / "out")
    assert found.source_names == ("default/pets:v0/examples",)
    assert found.get_column("label") == ["dog", "cat", "dog", "cat"]


def test_the_format_is_guessed_from_the_ending_and_the_source_is_noted(
    art: Art, tmp_path: Path
) -> None:
    at = ("--store", tmp_path / "store")
    art(*at, "table", "import", "pets/a", pets(tmp_path / "pets"), "--format", "imagefolder")
    art(*at, "table", "export", "pets/a", tmp_path / "a.jsonl")
    told = art(*at, "--json", "table", "import", "other/b", tmp_path / "a.jsonl").json
    assert (told["name"], told["row_count"], told["format"]) == ("other:v0/b", 4, "jsonl")
    assert told["sources"] == ["default/pets:v0/a"]
    assert told["columns"][0] == {"name": "id", "type": "text"}
    again = art(*at, "table", "import", "other/b", tmp_path / "a.jsonl")
    assert again.out.startswith("other:v0/b ")


def test_an_import_leaves_other_tables_of_the_version(art: Art, tmp_path: Path) -> None:
    at = ("--store", tmp_path / "store")
    (tmp_path / "a.csv").write_text("x\n1\n")
    art(*at, "table", "import", "scores/a", tmp_path / "a.csv", "--type", "results")
    art(*at, "table", "import", "scores/b", tmp_path / "a.csv", "--alias", "best")
    for name in ("a", "b"):
        told = art(*at, "--json", "table", "show", f"scores:best/{name}").json
        assert told["row_count"] == 1


def test_nothing_is_replaced(art: Art, tmp_path: Path) -> None:
    at = ("--store", tmp_path / "store")
    (tmp_path / "a.csv").write_text("x\n1\n")
    art(*at, "table", "import", "scores/a", tmp_path / "a.csv")
    ran = art(*at, "table", "export", "scores/a", tmp_path / "a.csv", status=5)
    assert "is there already" in ran.err
    assert (tmp_path / "a.csv").read_text() == "x\n1\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "scores", "a.csv"], "NAME/TABLE"),
        (["import", "scores:v1/a", "a.csv"], "NAME/TABLE"),
        (["import", "scores/a", "somewhere"], "--format"),
        (["export", "scores/a", "somewhere"], "--format"),
        (["import", "scores/a", "gone.csv"], "gone.csv"),
        (["import", "scores/a", "a.csv", "--split", "train"], "split"),
        (["export", "scores/a", "x.parquet", "--shard-size", "large"], "size"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(
    art: Art, tmp_path: Path, words: list[str], told: str
) -> None:
    status = 4 if "gone.csv" in words else 2
    ran = art("--store", tmp_path / "store", "table", *words, status=status)
    assert told in ran.err
    assert not (tmp_path / "store").exists()


def test_shards_have_the_size_that_was_asked_for(art: Art, tmp_path: Path) -> None:
    at = ("--store", tmp_path / "store")
    art(*at, "table", "import", "pets/a", pets(tmp_path / "pets"), "--format", "imagefolder")
    words = ("pets/a", tmp_path / "shards", "--format", "webdataset", "--shard-size", "2kB")
    art(*at, "table", "export", *words)
    assert len(list((tmp_path / "shards").glob("*.tar"))) == 4

"""`art import wandb`: what it says, in words and in JSON, and how it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Art
from tests.cli.test_json import check
from tests.unit.integrations.wandb_files.writing import (
    NUMBER,
    Written,
    image_type,
    pixels,
    replaced,
)


@pytest.fixture
def written(home: Path) -> Written:
    """Two tables that are joined, images, a file and a reference, with a manifest."""
    made = Written(home / "work" / "artifacts" / "digits:v3")
    masks = {"truth": made.mask(np.eye(6, 8, dtype=np.uint8))}
    rows = [
        [number, made.image(pixels(number), classes=made.classes("a", "b"), masks=masks)]
        for number in range(3)
    ]
    made.table("examples.table.json", {"id": NUMBER, "image": image_type()}, rows)
    made.table("predictions.table.json", {"id": NUMBER, "guess": NUMBER}, [[2, 7], [0, 5]])
    made.json(
        "joined.joined-table.json",
        {
            "_type": "joined-table",
            "join_key": "id",
            "table1": "predictions.table.json",
            "table2": "examples.table.json",
        },
    )
    made.json("cover.image-file.json", made.image(pixels(9)))
    made.file("notes.txt", b"hello")
    made.manifest({"big.bin": {"digest": "x", "ref": "s3://bucket.invalid/big.bin"}})
    return made


def test_it_tells_what_it_made(art: Art, written: Written) -> None:
    out = art("import", "wandb", "artifacts/digits:v3", "--alias", "best").out.splitlines()
    assert out[0] == "digits:v0 is digits:v3 of W&B"
    assert out[1].startswith("  digest  ")
    assert out[2:] == [
        "  examples     table, 3 rows, 3 images",
        "  predictions  table, 2 rows",
        "  joined       joined table",
        "  1 image, 1 file, 1 reference",
        "  11 files compared with the manifest of W&B",
    ]
    assert art("ls", "digits:best", "-q").out
    again = art("import", "wandb", "artifacts/digits:v3").out.splitlines()
    assert again == [
        "digits:v0 is digits:v3 of W&B already: no new version",
        "  11 files compared with the manifest of W&B",
    ]


@pytest.mark.parametrize("option", ["--json", "--format=json"])
def test_json_tells_all_of_it(art: Art, written: Written, option: str) -> None:
    found = art("import", "wandb", "artifacts", option).json
    check("import wandb", found)
    (version,) = found["versions"]
    check("import wandb versions", version)
    for table in version["tables"]:
        check("import wandb tables", table)
    assert (version["name"], version["version"], version["is_new"]) == ("digits", "v0", True)
    assert (version["wandb_name"], version["wandb_version"]) == ("digits", "v3")
    assert [table["image_count"] for table in version["tables"]] == [3, 0]
    assert version["joined_tables"] == ["joined"]
    again = art("import", "wandb", "artifacts", option).json
    check("import wandb versions", again["versions"][0])
    assert again["versions"][0]["is_new"] is False


def test_a_dry_run_makes_nothing(art: Art, written: Written) -> None:
    ran = art("import", "wandb", "artifacts/digits:v3", "--dry-run")
    assert ran.out.startswith("digits would get a version, digits:v3 of W&B\n")
    found = art("import", "wandb", "artifacts/digits:v3", "--dry-run", "--json").json
    check("import wandb versions", found["versions"][0])
    assert (found["dry_run"], found["versions"][0]["version"]) == (True, None)
    art("show", "digits", status=4)


def test_the_join_is_there_for_other_commands(art: Art, written: Written) -> None:
    assert art("import", "wandb", "artifacts", "-q").out == "digits:v0\n"
    from artstore.api import open_store

    joined = open_store().table("digits/joined")
    assert [row["image"].width for row in joined.rows] == [8, 8]


def test_name_type_and_project_may_be_given(art: Art, written: Written) -> None:
    where = ("--name", "vision/mine", "--type", "run_table")
    assert art("import", "wandb", "artifacts/digits:v3", *where, "-q").out == "vision/mine:v0\n"
    found = art("show", "vision/mine", "--json").json
    assert (found["project"], found["type"]) == ("vision", "run_table")
    art("import", "wandb", "artifacts/digits:v3", "--name", "mine:v3", status=2)


def test_damage_is_told_by_name_and_nothing_is_made(art: Art, written: Written) -> None:
    (written.root / "notes.txt").write_bytes(b"jello")
    ran = art("import", "wandb", "artifacts/digits:v3", status=8)
    assert "notes.txt" in ran.err
    error = art("import", "wandb", "artifacts/digits:v3", "--format", "json", status=8)
    assert error.error["code"] == "wandb-digest-mismatch"
    art("show", "digits", status=4)
    art("import", "wandb", "artifacts/digits:v3", "--no-verify")
    assert art("cat", "digits", "notes.txt").out == "jello"


def test_a_truncated_table_makes_nothing_even_unverified(art: Art, written: Written) -> None:
    replaced(written.root / "predictions.table.json", b"[0, 5]]", b"[0, 5")
    ran = art("import", "wandb", "artifacts/digits:v3", "--no-verify", status=8)
    assert "predictions.table.json" in ran.err
    art("show", "digits", status=4)


def test_what_is_not_as_it_was_is_a_warning(art: Art, written: Written) -> None:
    written.json("alone.mask.json", written.mask(np.eye(6, 8, dtype=np.uint8)))
    written.manifest()
    ran = art("import", "wandb", "artifacts/digits:v3", "-q")
    assert ran.err.startswith("art: warning: alone.mask.json is kept as a file")
    assert "compared" not in ran.out


def test_many_tables_are_told_in_few_lines(art: Art, home: Path) -> None:
    made = Written(home / "work" / "many:v0")
    for number in range(25):
        made.table(f"t{number:02}.table.json", {"id": NUMBER}, [[1]])
    out = art("import", "wandb", "many:v0").out
    assert "t19  table, 1 row\n  and 5 more\n  no file was compared" in out


def test_nothing_there_is_told(art: Art) -> None:
    ran = art("import", "wandb", "nothing", status=4)
    assert "there is no directory 'nothing'" in ran.err


def test_without_a_program_to_import_from_the_help_is_shown(art: Art) -> None:
    assert art("import").out == art("import", "--help").out

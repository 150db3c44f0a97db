from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Art


def correction(error: dict[str, object]) -> list[str]:
    context = error["context"]
    assert isinstance(context, dict)
    return shlex.split(context["correction"])


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "My pictures"
    directory.mkdir()
    for name in ("a.png", "b.png", "c d.png"):
        (directory / name).write_bytes(b"png")
    monkeypatch.chdir(directory)
    return directory


def test_a_missing_name_is_refused_with_the_line_that_was_meant(art: Art, pictures: Path) -> None:
    ran = art("push", "a.png", "--alias", "best", "--json", status=2)
    assert ran.out == ""
    assert ran.error["code"] == "usage-invalid"
    assert "NAME is missing" in ran.error["message"]
    assert correction(ran.error) == [
        "art", "push", "a.png", "--alias", "best", "--json", "--name", "a",
    ]  # fmt: skip


def test_a_missing_name_of_a_directory_is_proposed_from_it(art: Art, pictures: Path) -> None:
    ran = art("push", ".", status=2)
    assert "write: art push . --name My-pictures\n" in ran.err


def test_a_glob_whose_last_path_stands_for_the_name_is_refused(art: Art, pictures: Path) -> None:
    ran = art("push", "a.png", "b.png", "c d.png", "--json", status=2)
    assert correction(ran.error)[-2:] == ["--name", "My-pictures"]
    assert correction(ran.error)[2:5] == ["a.png", "b.png", "c d.png"]
    # `c d.png` is no name at all, so that only one correction is possible.
    assert "correction_if_name" not in ran.error["context"]


def test_a_glob_of_two_files_is_refused_and_both_readings_are_written_out(
    art: Art, pictures: Path
) -> None:
    ran = art("push", "a.png", "b.png", status=2)
    assert "write: art push a.png b.png --name My-pictures\n" in ran.err
    assert "if b.png is the NAME: art push a.png --name b.png\n" in ran.err


def test_a_long_glob_is_shortened_in_the_correction(art: Art, pictures: Path) -> None:
    names = [f"{number:03}.png" for number in range(300)]
    for name in names:
        Path(name).touch()
    ran = art("push", *names, status=2)
    assert "write: art push 000.png 001.png ... 299.png --name My-pictures\n" in ran.err


def test_the_correction_stands_before_a_double_dash(art: Art, pictures: Path) -> None:
    ran = art("push", "--", "a.png", status=2)
    assert "write: art push --name a -- a.png\n" in ran.err


def test_a_name_with_a_version_is_refused_with_the_line_that_was_meant(
    art: Art, pictures: Path
) -> None:
    assert "write: art push a.png ds\n" in art("push", "a.png", "ds:v3", status=2).err
    ran = art("push", "a.png", "--name", "p/ds:best", status=2)
    assert "write: art push a.png --name p/ds --alias best\n" in ran.err


@pytest.mark.parametrize("arguments", [(), ("--name", "ds")])
def test_a_push_of_nothing_is_refused(art: Art, arguments: tuple[str, ...]) -> None:
    assert "art push PATH... NAME" in art("push", *arguments, status=2).err


def test_a_path_that_does_not_exist_is_named(art: Art, pictures: Path) -> None:
    ran = art("push", "nowhere", "ds", "--json", status=2)
    assert ran.error["code"] == "source-missing"
    assert "'nowhere'" in ran.error["message"]


def test_a_url_as_path_is_answered_with_how_to_add_references(art: Art, pictures: Path) -> None:
    ran = art("push", "s3://bucket/key", "ds", status=2)
    assert "'s3://bucket/key'" in ran.err
    assert "--reference s3://bucket/key" in ran.err


def test_references_are_pushed_with_and_without_paths(art: Art, pictures: Path) -> None:
    url = (pictures / "a.png").resolve().as_uri()
    art("push", "ds", "--reference", url)
    art("push", "a.png", "ds", "--reference", f"there/b.png={url}")
    assert "there/b.png" in art("ls", "ds:v1").out
    art("push", "--name", "other", "--reference", url)
    ran = art("push", "ds", "--reference", "nothing", status=2)
    assert "'nothing' is no URL" in ran.err


def test_two_paths_with_one_base_name_are_refused(art: Art, pictures: Path) -> None:
    Path("x").mkdir()
    Path("x/a.png").touch()
    ran = art("push", "a.png", "x/a.png", "ds", status=2)
    assert "'a.png' and 'x/a.png' would both be stored as 'a.png'" in ran.err


def test_an_invalid_name_is_answered_with_where_the_name_stands(art: Art, pictures: Path) -> None:
    ran = art("push", "a.png", "no/good/", status=2)
    assert "not a valid name" in ran.err
    assert "--name NAME" in ran.err


@pytest.mark.parametrize(
    "item",
    ["novalue", "=3", "@missing.json", "@a.png"],
)
def test_metadata_that_is_neither_pair_nor_file_is_refused(
    art: Art, pictures: Path, item: str
) -> None:
    assert "metadata" in art("push", "a.png", "ds", "--metadata", item, status=2).err

"""The benchmark trees are what the issue words, and the same on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.corpora import GIB, KIB, MIB, Corpus, edit, generate

SMALL = 0.002


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def made(corpus: Corpus, root: Path, *, edited: bool = False) -> dict[str, bytes]:
    generate(corpus, root)
    if edited:
        edit(corpus, root)
    return tree(root)


@pytest.mark.parametrize("kind", ["w1", "w2", "w7"])
def test_a_seed_gives_the_same_bytes_each_time_and_another_seed_others(
    kind: str, tmp_path: Path
) -> None:
    one = made(Corpus(kind, 1, SMALL / 2), tmp_path / "one", edited=True)
    assert made(Corpus(kind, 1, SMALL / 2), tmp_path / "again", edited=True) == one
    assert made(Corpus(kind, 2, SMALL / 2), tmp_path / "other", edited=True) != one


def test_full_size_is_that_of_the_issue() -> None:
    assert Corpus("w1").size_bytes == 2 * GIB
    assert Corpus("w2").file_count == 20_000
    assert Corpus("w2").size_bytes == 431_000_000
    assert Corpus("w7").file_count == 1_000_000


def test_w3_is_w1_with_an_insertion_and_an_overwritten_range(tmp_path: Path) -> None:
    corpus = Corpus("w1", scale=SMALL)
    old = made(corpus, tmp_path / "tree")["model.bin"]
    edit(corpus, tmp_path / "tree")
    new = tree(tmp_path / "tree")["model.bin"]
    insert_at, overwrite_at = corpus.scaled(100 * MIB), corpus.scaled(1536 * MIB)
    length = corpus.scaled(MIB, least=KIB)
    assert len(new) == len(old) + KIB
    assert new[:insert_at] == old[:insert_at]
    assert new[insert_at + KIB : overwrite_at] == old[insert_at : overwrite_at - KIB]
    assert new[overwrite_at : overwrite_at + length] != old[overwrite_at - KIB :][:length]
    assert new[overwrite_at + length :] == old[overwrite_at + length - KIB :]


def test_w4_changes_adds_and_deletes_as_many_files_as_it_says(tmp_path: Path) -> None:
    corpus = Corpus("w2", scale=0.02)
    old = made(corpus, tmp_path / "tree")
    edit(corpus, tmp_path / "tree")
    new = tree(tmp_path / "tree")
    assert len(old) == 400
    assert len(new.keys() - old.keys()) == 4
    assert len(old.keys() - new.keys()) == 2
    assert sum(old[path] != new[path] for path in old.keys() & new.keys()) == 4


def test_the_second_w7_differs_in_ten_files(tmp_path: Path) -> None:
    corpus = Corpus("w7", scale=SMALL)
    old = made(corpus, tmp_path / "tree")
    edit(corpus, tmp_path / "tree")
    new = tree(tmp_path / "tree")
    assert {len(content) for content in new.values()} == {100}
    assert old.keys() == new.keys()
    assert sum(old[path] != new[path] for path in old) == 10

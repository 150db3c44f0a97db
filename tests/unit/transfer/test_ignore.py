"""Which of the many places that can ignore something decides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artstore.errors import InvalidInputError
from artstore.transfer.ignore import IgnoreRules
from artstore.transfer.walk import walk


def write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def kept(root: Path, rules: IgnoreRules) -> list[str]:
    return [f.path for f in walk(root, rules=rules) if not f.path.endswith(".artignore")]


def test_without_any_rules_everything_is_kept(tmp_path):
    write(tmp_path, "a/b")
    write(tmp_path, ".hidden")
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == [".hidden", "a/b"]
    assert IgnoreRules.for_push(tmp_path).is_idle


def test_the_deeper_artignore_decides(tmp_path):
    write(tmp_path, ".artignore", "*.log\n")
    write(tmp_path, "a/.artignore", "!keep.log\n")
    for path in ("x.log", "a/keep.log", "a/x.log", "b/keep.log"):
        write(tmp_path, path)
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == ["a/keep.log"]


def test_patterns_of_a_deep_artignore_are_relative_to_it(tmp_path):
    write(tmp_path, "a/.artignore", "/x\n")
    for path in ("x", "a/x", "a/b/x"):
        write(tmp_path, path)
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == ["a/b/x", "x"]


def test_a_whitelist_keeps_directories_and_drops_the_rest(tmp_path):
    write(tmp_path, ".artignore", "*\n!*/\n!*.txt\n")
    for path in ("a/b/keep.txt", "a/b/drop.log", "drop", "keep.txt"):
        write(tmp_path, path)
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == ["a/b/keep.txt", "keep.txt"]


def test_exclude_cannot_be_taken_back_by_a_file(tmp_path):
    write(tmp_path, ".artignore", "!*.log\n")
    write(tmp_path, "x.log")
    write(tmp_path, "y")
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path, exclude=["*.log"])) == ["y"]


def test_include_keeps_only_what_it_matches_less_what_is_excluded(tmp_path):
    for path in ("a/x.png", "a/y.jpg", "b/z.png", "images/all", "images/deep/all"):
        write(tmp_path, path)
    rules = IgnoreRules.for_push(tmp_path, include=["*.png", "images"], exclude=["b"])
    assert kept(tmp_path, rules) == ["a/x.png", "images/all", "images/deep/all"]


def test_rules_of_the_settings_are_relative_to_their_file(tmp_path):
    for path in ("data/raw/x", "data/x", "data/raw/keep"):
        write(tmp_path, path)
    rules = IgnoreRules.for_push(
        tmp_path / "data",
        settings_file=tmp_path / "artstore.toml",
        settings_rules=["/data/raw/x", "/x"],
    )
    assert kept(tmp_path / "data", rules) == ["raw/keep", "x"]


def test_rules_of_settings_elsewhere_are_relative_to_the_root(tmp_path):
    write(tmp_path, "data/x")
    write(tmp_path, "data/y")
    rules = IgnoreRules.for_push(
        tmp_path / "data",
        settings_file=tmp_path / "project" / "artstore.toml",
        settings_rules=["/x"],
    )
    assert kept(tmp_path / "data", rules) == ["y"]


def test_an_artignore_file_takes_back_a_rule_of_the_settings(tmp_path):
    write(tmp_path, ".artignore", "!x.tmp\n")
    write(tmp_path, "x.tmp")
    write(tmp_path, "y.tmp")
    rules = IgnoreRules.for_push(tmp_path, settings_rules=["*.tmp"])
    assert kept(tmp_path, rules) == ["x.tmp"]


def test_a_byte_order_mark_and_windows_lines_are_understood(tmp_path):
    (tmp_path / ".artignore").write_bytes(b"\xef\xbb\xbf*.log\r\n# x\r\n")
    write(tmp_path, "a.log")
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == []


def test_an_artignore_that_is_not_text_is_refused(tmp_path):
    (tmp_path / ".artignore").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match="not UTF-8") as caught:
        kept(tmp_path, IgnoreRules.for_push(tmp_path))
    assert caught.value.code == "ignore-invalid"


def test_an_artignore_that_is_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / ".artignore")
    write(tmp_path, "a")
    assert kept(tmp_path, IgnoreRules.for_push(tmp_path)) == ["a"]


def test_an_artignore_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / ".artignore").symlink_to("nowhere")
    with pytest.raises(InvalidInputError) as caught:
        kept(tmp_path, IgnoreRules.for_push(tmp_path))
    assert caught.value.code == "source-unreadable"


def test_globs_of_the_command_line_name_their_option_when_wrong(tmp_path):
    with pytest.raises(InvalidInputError, match="--include"):
        IgnoreRules.for_push(tmp_path, include=["[a"])

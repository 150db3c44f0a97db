"""Patterns mean what they mean to git, which is asked itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.transfer.globs import parse_globs
from artstore.transfer.ignore import IgnoreRules
from artstore.transfer.walk import walk


def decides(pattern: str, path: str) -> bool | None:
    return parse_globs([pattern], origin="test").decide(
        path.rstrip("/"), is_directory=path.endswith("/")
    )


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.png", ["a.png", "d/a.png", ".png", "new\nline.png"], ["a.png2", "a.pn"]),
        ("/*.png", ["a.png"], ["d/a.png"]),
        ("d/*.png", ["d/a.png"], ["d/e/a.png", "x/d/a.png"]),
        ("build/", ["build/", "a/build/"], ["build", "builds/"]),
        ("build", ["build/", "build", "a/build"], ["builds"]),
        ("**/x", ["x", "a/x", "a/b/x"], ["ax"]),
        ("a/**", ["a/x", "a/b/c"], ["a/", "ba/x"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("a**b", ["ab", "axxb", "d/axb"], ["a/b"]),
        ("?", ["a", "é", "d/a"], ["ab"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "/x"]),
        ("[!a-c]x", ["dx"], ["ax"]),
        ("[^a-c]x", ["dx"], ["ax"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[[:digit:]]", ["3"], ["a"]),
        ("[a\\-c]", ["a", "-", "c"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("\\#x", ["#x"], ["x"]),
        ("\\!x", ["!x"], ["x"]),
        ("x\\ ", ["x "], ["x"]),
        ("x  ", ["x"], ["x "]),
        ("a.b+(c)$", ["a.b+(c)$"], ["aXb+(c)$"]),
        ("x\r\n", ["x"], []),
    ],
)
def test_patterns_match_as_in_git(pattern, matching, others):
    assert [path for path in matching if not decides(pattern, path)] == []
    assert [path for path in others if decides(pattern, path) is not None] == []


def test_the_last_pattern_that_matches_decides():
    globs = parse_globs(["*.png", "!keep.png", "", "# comment", "/keep.png"], origin="test")
    assert globs.decide("a.png", is_directory=False) is True
    assert globs.decide("d/keep.png", is_directory=False) is False
    assert globs.decide("keep.png", is_directory=False) is True
    assert globs.decide("a.txt", is_directory=False) is None


@pytest.mark.parametrize("line", ["!", "/", "[a", "[!", "a\\", "[[:nope:]]", "[a-", "[[:alpha:]"])
def test_what_could_never_match_is_refused_with_its_line(line):
    with pytest.raises(InvalidInputError, match="line 2") as caught:
        parse_globs(["ok", line], origin="data/.artignore")
    assert caught.value.code == "ignore-invalid"
    assert "data/.artignore" in str(caught.value)


@given(st.text(st.sampled_from("ab*?[]!^-/\\: #.\n\t{}()|+$é"), max_size=14))
def test_any_line_gives_a_pattern_or_a_refusal(line):
    try:
        globs = parse_globs([line], origin="test")
    except InvalidInputError:
        return
    for path in ("a", "a/b", "b.a", "é"):
        globs.decide(path, is_directory=True)


parts = st.sampled_from(["a", "b", "ab", "ba", "a.b", "aa"])
tree_paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
pattern_text = st.lists(
    st.sampled_from(["a", "b", "*", "**", "/", "?", "[ab]", "[!a]", ".", "/**/", "**/", "/*"]),
    min_size=1,
    max_size=4,
).map("".join)
# What stars within a name match depends on memory addresses in git before 2.43 (wildmatch
# compares a pointer into the pattern with one into the text): nothing to hold a walk against.
pattern_text = pattern_text.filter(lambda text: not re.search(r"[^/*]\*\*", text))
pattern_lines = st.tuples(st.sampled_from(["", "", "!"]), pattern_text, st.sampled_from(["", "/"]))


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git")
@given(
    st.sets(tree_paths, min_size=1, max_size=8),
    st.lists(pattern_lines.map("".join), max_size=4),
    st.lists(pattern_lines.map("".join), max_size=3),
)
def test_a_walk_leaves_out_what_git_ignores(tmp_path_factory, files, top_lines, deep_lines):
    root = tmp_path_factory.mktemp("tree")
    for path in sorted(files):
        if any(other.startswith(path + "/") for other in files):
            continue
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    lines = {root: top_lines}
    if (root / "a").is_dir():
        lines[root / "a"] = deep_lines
    try:
        for directory, texts in lines.items():
            parse_globs(texts, origin="test")
            for name in (".artignore", ".gitignore"):
                (directory / name).write_text("\n".join(texts) + "\n")
    except InvalidInputError:
        return
    kept = {found.path for found in walk(root, rules=IgnoreRules.for_push(root))}
    kept = {p for p in kept if not p.endswith("ignore") and not (root / p).is_dir()}
    assert kept == files_kept_by_git(root)


def files_kept_by_git(root) -> set[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", str(root / ".git-dir")], check=True, env=environment)
    listed = subprocess.run(
        [
            "git",
            f"--git-dir={root / '.git-dir' / '.git'}",
            f"--work-tree={root}",
            "ls-files",
            "--others",
            "--exclude-standard",
            "-z",
        ],
        check=True,
        env=environment,
        cwd=root,
        capture_output=True,
    ).stdout.decode()
    shutil.rmtree(root / ".git-dir")
    return {p for p in listed.split("\0") if p and not p.endswith("ignore") and ".git-dir" not in p}

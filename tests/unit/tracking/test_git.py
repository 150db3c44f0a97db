"""What code ran: read without a process, and asked of git, which runs nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from artstore.tracking.capture import git
from artstore.tracking.capture.git import git_head, git_state, repository_root

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    run(place, "init", "-q", "-b", "main")
    (place / "train.py").write_text("lr = 1\n")
    run(place, "add", ".")
    run(place, "commit", "-q", "-m", "first")
    return place


def test_a_clean_repository_has_a_commit_and_no_diff(repository: Path) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    head = {"root": str(repository), "commit": commit, "branch": "main", "remote": None}
    assert git_head(repository) == head
    state = git_state(repository)
    assert state == {**head, "dirty": False, "untracked": [], "untracked_count": 0}


def test_changes_without_a_commit_are_in_the_diff_and_new_files_by_name(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "staged.py").write_text("x = 1\n")
    run(repository, "add", "staged.py")
    (repository / "näw file.txt").write_text("not in it")
    (repository / "data.bin").write_bytes(bytes(range(256)))
    (repository / "sub").mkdir()
    state = git_state(repository / "sub")
    assert state is not None
    assert state["dirty"] is True
    assert "-lr = 1\n+lr = 2\n" in state["diff"]
    assert "+x = 1" in state["diff"]
    assert "not in it" not in state["diff"]
    assert state["untracked"] == ["data.bin", "näw file.txt"]
    assert state["diff_truncated"] is False


def test_the_diff_can_be_applied(repository: Path, tmp_path: Path) -> None:
    run(repository, "config", "diff.noprefix", "true")
    (repository / "train.py").write_text("lr = 2\n")
    state = git_state(repository)
    assert state is not None
    other = tmp_path / "other"
    run(tmp_path, "clone", "-q", str(repository), str(other))
    patch = tmp_path / "patch"
    patch.write_text(state["diff"])
    run(other, "apply", str(patch))
    assert (other / "train.py").read_text() == "lr = 2\n"


def test_secrets_are_in_neither_diff_nor_remote_nor_names(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "value-of-it-99")
    run(repository, "remote", "add", "origin", "https://me:hunter2@example.org/p.git")
    (repository / "train.py").write_text('api_key = "abcd1234"\nx = "value-of-it-99"\n')
    (repository / "value-of-it-99").write_text("")
    head, state = git_head(repository), git_state(repository)
    assert head is not None
    assert head["remote"] == "https://***@example.org/p.git"
    assert state is not None
    assert state["remote"] == "https://***@example.org/p.git"
    assert state["untracked"] == ["***"]
    assert 'api_key = "***"' in state["diff"]
    assert "hunter2" not in str(state)
    assert "value-of-it-99" not in str(state)


def test_nothing_a_repository_configures_is_run(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\ntouch {ran}\ncat "$1" 2>/dev/null\n')
    script.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.x.textconv",
        "diff.x.command",
    ):
        run(repository, "config", key, str(script))
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "pre-commit", "fsmonitor-watchman"):
        shutil.copy(script, hooks / hook)
    (repository / "train.py").write_text("lr = 2\n")
    ran.unlink(missing_ok=True)
    state = git_state(repository)
    assert state is not None
    assert "+lr = 2" in state["diff"]
    assert not ran.exists()


def test_no_lock_of_the_index_is_taken(repository: Path) -> None:
    os.utime(repository / "train.py", (1, 1))
    before = (repository / ".git" / "index").stat().st_mtime_ns
    lock = repository / ".git" / "index.lock"
    lock.touch()
    state = git_state(repository)
    assert state is not None
    assert state["dirty"] is False
    assert (repository / ".git" / "index").stat().st_mtime_ns == before


def test_a_large_diff_is_cut_at_a_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "DIFF_MAX_BYTES", 5000)
    (repository / "train.py").write_text("".join(f"line {n}\n" for n in range(100_000)))
    state = git_state(repository)
    assert state is not None
    assert state["diff_truncated"] is True
    assert 4900 < len(state["diff"]) <= 5000
    assert state["diff"].endswith("\n")


def test_untracked_names_are_counted_beyond_those_that_are_kept(repository: Path) -> None:
    for number in range(git.UNTRACKED_MAX_COUNT + 5):
        (repository / f"{number:04}.txt").touch()
    state = git_state(repository)
    assert state is not None
    assert len(state["untracked"]) == git.UNTRACKED_MAX_COUNT
    assert state["untracked_count"] == git.UNTRACKED_MAX_COUNT + 5


def test_outside_a_repository_there_is_nothing(tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    bare.mkdir()
    run(bare, "init", "-q", "--bare")
    for place in (tmp_path, bare, tmp_path / "missing"):
        assert repository_root(place) is None
        assert git_head(place) is None
        assert git_state(place) is None


def test_before_the_first_commit_the_diff_is_against_nothing(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", "-b", "dev")
    (tmp_path / "a.py").write_text("x = 1\n")
    run(tmp_path, "add", "a.py")
    state = git_state(tmp_path)
    assert state is not None
    assert (state["commit"], state["branch"], state["dirty"]) == (None, "dev", True)
    assert "+x = 1" in state["diff"]


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    run(repository, "checkout", "-q", "--detach")
    head, state = git_head(repository), git_state(repository)
    assert head is not None
    assert state is not None
    assert head["branch"] is state["branch"] is None
    assert head["commit"] == state["commit"] == run(repository, "rev-parse", "HEAD")


def test_work_trees_submodules_and_packed_references_are_read(
    repository: Path, tmp_path: Path
) -> None:
    run(repository, "pack-refs", "--all")
    tree = tmp_path / "tree"
    run(repository, "worktree", "add", "-q", "-b", "side", str(tree))
    outer = tmp_path / "outer"
    outer.mkdir()
    run(outer, "init", "-q")
    run(outer, "-c", "protocol.file.allow=always", "submodule", "add", str(repository), "inner")
    for place in (repository, tree, outer / "inner"):
        head, state = git_head(place), git_state(place)
        assert head is not None
        assert state is not None
        assert head["commit"] == state["commit"] == run(place, "rev-parse", "HEAD")
        assert head["branch"] == state["branch"] == run(place, "branch", "--show-current")
        assert head["remote"] == state["remote"]
    assert git_head(outer / "inner")["remote"] == str(repository)  # type: ignore[index]


def test_without_git_the_commit_is_known_all_the_same(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "/nowhere")
    state = git_state(repository)
    assert state is not None
    assert state["commit"] == commit
    assert "git cannot be run" in state["problem"]
    assert "dirty" not in state


def test_a_repository_of_somebody_else_is_told_and_not_trusted(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    commit = run(repository, "rev-parse", "HEAD")
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    monkeypatch.delenv("SUDO_UID", raising=False)
    state = git_state(repository)
    assert state is not None
    assert state["commit"] == commit
    assert "safe.directory" in state["problem"]


def test_variables_of_a_hook_lead_nowhere_else(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    state = git_state(repository)
    assert state is not None
    assert "problem" not in state


def slow_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (fake / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")


def test_git_that_hangs_is_given_up(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(tmp_path, monkeypatch)
    began = time.monotonic()
    state = git_state(repository, seconds=0.2)
    assert time.monotonic() - began < 5
    assert state is not None
    assert state["problem"] == "git took too long"


def test_the_look_ends_when_it_is_stopped(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(tmp_path, monkeypatch)
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    began = time.monotonic()
    assert git_state(repository, stop=stop) is not None
    assert time.monotonic() - began < 5
    timer.join()

"""What a user does with a real store, and the refusals that are answered with the right line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import artstore
from tests.cli.conftest import Art

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def data(home: Path) -> Path:
    """`data` in the working directory: 3 files, 17 bytes, an empty directory."""
    directory = home / "work" / "data"
    (directory / "train").mkdir(parents=True)
    (directory / "empty").mkdir()
    (directory / "train" / "a.txt").write_bytes(b"alpha\n")
    (directory / "train" / "b.txt").write_bytes(b"beta\n")
    (directory / "labels.csv").write_bytes(b"a,b,c\n")
    return directory


def tree(directory: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def test_push_and_pull_are_each_others_inverse(art: Art, data: Path) -> None:
    ran = art("push", "data", "ds")
    assert ran.out.startswith("ds:v0\n")
    assert re.search(r"digest  [0-9a-f]{64}\n", ran.out)
    assert re.search(r"3 files, 17 B, [0-9.]+ k?B new, [0-9.]+ s\n", ran.out)
    assert ran.err == ""
    art("pull", "ds", "copy")
    assert tree(Path("copy")) == tree(data)
    art("pull", "ds")
    assert tree(Path("ds")) == tree(data)


def test_the_same_content_makes_no_new_version_and_says_so(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    ran = art("push", "data", "ds", "--alias", "best", "--json").json
    assert (ran["version"], ran["is_new"], ran["stored_bytes"]) == ("v0", False, 0)
    assert set(ran["aliases"]) >= {"best"}
    assert "no new version" in art("push", "data", "ds").out
    assert len(art("ls", "ds", "--json").json["versions"]) == 1


def test_the_name_may_be_an_existing_directory_when_one_path_is_pushed(
    art: Art, data: Path
) -> None:
    art("push", "data", "ds")
    art("pull", "ds")
    assert "no new version" in art("push", "ds", "ds").out


def test_files_and_several_paths_lie_under_their_base_names(art: Art, data: Path) -> None:
    art("push", "data/labels.csv", "one")
    assert art("ls", "one:v0", "-q").out == "labels.csv\n"
    art("push", "data/train", "data/labels.csv", "two")
    assert art("ls", "two:v0", "-q").out.split() == ["labels.csv", "train/a.txt", "train/b.txt"]
    art("push", "data/train/a.txt", "data/train/b.txt", "--name", "three")
    assert art("ls", "three:v0", "-q").out.split() == ["a.txt", "b.txt"]
    art("push", "data/..", "dots", "--include", "*.csv")
    assert art("ls", "dots:v0", "-q").out == "data/labels.csv\n"


def test_include_exclude_and_artignore_choose_files(art: Art, data: Path) -> None:
    art("push", "data", "ds", "--include", "*.txt", "--exclude", "b.*")
    assert art("ls", "ds:v0", "-q").out == "train/a.txt\n"
    (data / ".artignore").write_text("*.csv\nempty\n")
    art("push", "data", "other")
    assert art("ls", "other:v0", "-q").out.split() == [".artignore", "train/a.txt", "train/b.txt"]


def test_what_was_said_at_the_push_is_shown(art: Art, data: Path) -> None:
    Path("more.json").write_text('{"lr": 0.1}')
    art(
        *("push", "data", "ds", "--type", "model", "--alias", "best", "--tag", "gold"),
        *("--description", "Two letters", "-m", "first try", "--metadata", "acc=0.97"),
        *("--metadata", "@more.json"),
    )
    shown = art("show", "ds:best", "--json").json
    assert shown["type"] == "model"
    assert (shown["description"], shown["message"]) == ("Two letters", "first try")
    assert shown["metadata"] == {"acc": 0.97, "lr": 0.1}
    assert "best" in shown["aliases"]
    assert shown["tags"] == ["gold"]
    text = art("show", "ds").out
    for part in ("default/ds:v0", "model", "Two letters", "first try", "acc = 0.97", "gold"):
        assert part in text


def test_cat_writes_the_bytes_and_nothing_else(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    assert art("cat", "ds", "train/a.txt").out == "alpha\n"
    ran = art("cat", "ds:v0", "train/a.tx", status=4)
    assert "close: train/a.txt" in ran.err
    assert "train/a.txt" in art("cat", "ds", "a.txt", status=4).err
    assert art("cat", "ds", "train", "--json", status=4).error["context"]["close_paths"]


def test_ls_lists_artifacts_versions_and_entries(art: Art, data: Path) -> None:
    assert "no artifacts yet" in art("ls").out
    art("push", "data", "ds", "--alias", "best")
    (data / "labels.csv").write_bytes(b"changed\n")
    art("push", "data", "ds")
    art("push", "data", "vision/pics")
    assert re.search(r"ds +dataset +v1 +2 ", art("ls").out)
    assert "other projects: vision" in art("ls").err
    assert "pics" in art("ls", "vision").out
    assert "pics" in art("ls", "vision/").out
    assert art("ls", "-q", "vision/pics").out == "vision/pics:v0\n"
    assert art("ls", "-q", "ds").out == "ds:v1\nds:v0\n"
    assert "best" in art("ls", "ds").out
    assert art("ls", "ds:v1", "train/", "-q").out == "train/a.txt\ntrain/b.txt\n"
    assert "empty/" in art("ls", "ds:v1").out


def test_a_project_that_does_not_exist_is_told_beside_those_close_to_it(
    art: Art, data: Path
) -> None:
    art("push", "data", "vision/pics")
    ran = art("ls", "visoin/", status=4)
    assert "no project 'visoin'" in ran.err
    assert "close: vision" in ran.err


def test_log_tells_what_happened_newest_first(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    art("alias", "ds:v0", "best")
    kinds = [record["kind"] for record in art("log", "ds", "--json").json["log"]]
    assert kinds[0] == "alias"
    assert kinds[-1] == "create"
    assert "+best" in art("log", "ds").out


def test_diff_shows_added_removed_changed_and_renamed_with_sizes(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    (data / "train/a.txt").rename(data / "train/renamed.txt")
    (data / "labels.csv").write_bytes(b"a,b,c,d,e\n")
    (data / "new.txt").write_bytes(b"new\n")
    (data / "train/b.txt").unlink()
    art("push", "data", "ds")
    found = art("diff", "ds:v0", "ds:v1", "--json").json
    paths = {
        key: [(change["old_path"], change["path"]) for change in found[key]]
        for key in ("added", "removed", "changed", "renamed")
    }
    assert paths == {
        "added": [(None, "new.txt")],
        "removed": [("train/b.txt", None)],
        "changed": [("labels.csv", "labels.csv")],
        "renamed": [("train/a.txt", "train/renamed.txt")],
    }
    assert found["changed"][0]["old_size_bytes"] == 6
    assert found["changed"][0]["size_bytes"] == 10
    text = art("diff", "ds:v0", "ds:v1").out
    assert "train/a.txt > train/renamed.txt" in text
    assert text.endswith("1 added, 1 removed, 1 changed, 1 renamed\n")


def test_the_size_of_a_reference_that_nobody_looked_at_is_unknown(art: Art, data: Path) -> None:
    art("push", data, "ds")
    store = artstore.open_store()
    draft = store.artifact("ds:v0").new_draft()
    draft.add_reference("http://127.0.0.1:9/x", "far.bin", checksum=False)
    store.log_artifact(draft)
    (change,) = art("diff", "ds:v0", "ds:v1", "--json").json["added"]
    assert (change["size_bytes"], change["old_size_bytes"]) == (None, None)
    assert "unknown  far.bin" in art("diff", "ds:v0", "ds:v1").out
    assert "unknown  far.bin -> http" in art("ls", "ds:v1").out


def test_aliases_move_and_tags_stay(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    (data / "labels.csv").write_bytes(b"changed\n")
    art("push", "data", "ds")
    art("alias", "ds:v0", "best", "safe")
    assert "best" in art("alias", "ds", "best").out
    versions = {v["version"]: v for v in art("ls", "ds", "--json").json["versions"]}
    assert "best" in versions["v1"]["aliases"]
    assert "safe" in versions["v0"]["aliases"]
    assert "best" not in versions["v0"]["aliases"]
    # By its own alias: what is asked for is gone afterwards, and that is no error.
    assert "best" not in art("alias", "ds:best", "best", "--remove", "--json").json["aliases"]
    art("tag", "ds:v0", "gold")
    art("tag", "ds:v1", "gold")
    assert art("tag", "ds:v0", "gold", "--remove", "--json").json["tags"] == []
    art("alias", "ds:v0", "latest", status=2)


def test_rm_refuses_aliased_versions_and_versions_left_out(art: Art, data: Path) -> None:
    art("push", "data", "ds", "--alias", "best")
    assert "write: art rm ds:vN" in art("rm", "ds", status=2).err
    ran = art("rm", "ds:v0", status=7)
    assert "best" in ran.err
    assert "art rm ds:v0 --force" in ran.err
    art("rm", "ds:v0", "--force")
    ran = art("pull", "ds:v0", status=4)
    assert not Path("ds").exists()
    assert "(deleted)" in art("ls", "ds", "--all").out
    assert "v0" not in art("ls", "ds").out
    assert "art restore ds:vN" in art("restore", "ds", status=2).err
    art("restore", "ds:v0")
    art("pull", "ds:v0")
    assert tree(Path("ds")) == tree(data)


def test_a_directory_of_somebody_else_is_refused_without_into(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    target = Path("target")
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    ran = art("pull", "ds", "target", status=7)
    assert "write: art pull ds target --into" in ran.err
    assert tree(target) == {"mine.txt": b"mine"}
    art("pull", "ds", "target", "--into")
    assert (target / "mine.txt").read_text() == "mine"
    assert (target / "labels.csv").exists()


def test_pull_path_takes_a_part_and_delete_removes_the_rest(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    art("pull", "ds", "part", "--path", "train/*")
    assert set(tree(Path("part"))) == {"train", "train/a.txt", "train/b.txt"}
    art("pull", "ds", "whole")
    extra = Path("whole/extra.txt")
    extra.write_text("x")
    ran = art("pull", "ds", "whole", "--delete", "--dry-run", "--json").json
    assert (ran["deleted_files"], ran["dry_run"]) == (1, True)
    assert extra.exists()
    art("pull", "ds", "whole", "--delete")
    assert not extra.exists()
    assert "3 already right" in art("pull", "ds", "whole").out


@pytest.mark.parametrize("link", ["hard", "sym"])
def test_linking_pulls_say_what_stands_in_the_cache(art: Art, data: Path, link: str) -> None:
    art("push", "data", "ds")
    ran = art("pull", "ds", "linked", "--link", link)
    assert "3 files, 17 B, kept in the cache" in ran.err
    assert "never write to them" in ran.err
    assert tree(Path("linked"))["labels.csv"] == b"a,b,c\n"
    assert "3 files" in art("cache").out
    # What a checkout links to stays; removing it would free nothing, or break the checkout.
    assert art("cache", "prune", "0", "--json").json["removed_files"] == 0
    shutil.rmtree("linked")
    assert art("cache", "prune", "0", "--json").json["removed_files"] == 3
    art("cache", "prune", "lots", status=2)


def test_not_found_says_where_was_looked_and_what_is_close(
    art: Art, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    art("push", "data", "mnist")
    art("push", "data", "vision/mnist-big")
    art("push", "data", "vision/other")
    monkeypatch.setenv("ARTSTORE_PROJECT", "vision")
    ran = art("pull", "mnist", status=4)
    assert "/artstore/store (default)" in ran.err
    assert "project  vision (ARTSTORE_PROJECT)" in ran.err
    assert "close    default/mnist, mnist-big" in ran.err
    context = art("show", "MNIST-big", "--json", status=4).error["context"]
    assert context["close"] == ["mnist-big", "default/mnist"]
    assert context["project_origin"] == "ARTSTORE_PROJECT"
    context = art("show", "vison/other", "--json", status=4).error["context"]
    assert (context["project"], context["project_origin"]) == ("vison", "the name given")
    assert context["close"][0] == "vision/other"


def test_not_found_looks_into_the_stores_that_were_overruled(
    art: Art, data: Path, home: Path
) -> None:
    art("push", "data", "mnist")
    art("init", "other")
    ran = art("pull", "mnist", status=4)
    assert f"but      default/mnist is in the store {home}/.local/share/artstore/store" in ran.err
    found = art("pull", "mnist", "--json", status=4).error["context"]["elsewhere"]
    assert found == [{"store": f"{home}/.local/share/artstore/store", "name": "default/mnist"}]


def test_quiet_prints_names_that_can_be_used_again(art: Art, data: Path) -> None:
    name = art("push", "data", "vision/ds", "-q").out.strip()
    assert name == "vision/ds:v0"
    assert art("show", name, "-q").out.strip() == name
    assert art("ls", "vision", "-q").out == "vision/ds\n"
    assert art("show", "ds", "-q", "--project", "vision").out == "ds:v0\n"


def test_a_version_that_does_not_exist_is_told_beside_those_that_do(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    ran = art("pull", "ds:v7", status=4)
    assert "v7" in ran.err
    assert "v0" in ran.err
    assert "best" in art("show", "ds:best", status=4).err


def test_reading_from_a_store_that_is_not_there_is_not_found_and_makes_none(
    art: Art, home: Path
) -> None:
    assert art("show", "ds", "--json", status=4).error["context"]["store"]
    assert not (home / ".local/share/artstore/store").exists()


def test_verify_and_check_find_a_flipped_bit(art: Art, data: Path, home: Path) -> None:
    art("push", "data", "ds")
    assert "all right" in art("verify", "ds:v0").out
    assert "all right" in art("check").out
    assert art("check", "--read-data", "--json").json["ok"] is True
    assert art("check", "--read-data=50%", "--json").json["ok"] is True
    art("pull", "ds", "copy")
    assert "all right" in art("verify", "ds", "copy").out
    Path("copy/labels.csv").write_bytes(b"x,b,c\n")
    ran = art("verify", "ds", "copy", status=8)
    assert "labels.csv" in ran.out
    pack = next(path for path in (home / ".local/share/artstore/store/packs").rglob("*-*"))
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 4] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(damaged)
    ran = art("check", "--read-data", "--json", status=8)
    assert ran.json["ok"] is False
    assert ran.error["code"] == "damage-found"
    assert any("default/ds:v0" in problem["versions"] for problem in ran.json["problems"])


def test_du_counts_logical_stored_unique_and_shared_bytes(art: Art, data: Path) -> None:
    art("push", "data", "ds")
    art("push", "data", "twin")
    used = art("du", "ds", "--json").json
    assert used["logical_bytes"] == 17
    assert used["shared_bytes"] > 0
    assert "logical" in art("du").out


def test_init_makes_a_store_and_remembers_it_for_the_directory(art: Art, data: Path) -> None:
    ran = art("init", "../here", "--project", "vision", "--json").json
    assert ran["is_new"] is True
    art("push", "data", "ds")
    assert art("ls", "-q").out == "ds\n"
    assert Path("../here/artstore.json").exists()
    assert art("config", "project", "--json").json["origin"].endswith("artstore.toml")
    assert art("init", "../here", "--json").json["is_new"] is False
    ran = art("init", "../elsewhere", status=5)
    assert "artstore.toml" in ran.err
    assert not Path("../elsewhere").exists()


def test_init_inside_the_directory_writes_a_path_that_may_move(art: Art, home: Path) -> None:
    art("init", "store")
    assert 'url = "store"' in Path("artstore.toml").read_text()
    os.rename(home / "work", home / "moved")
    os.chdir(home / "moved")
    assert art("config", "url").out == f"{home}/moved/store\n"


def test_a_flag_names_another_store(art: Art, data: Path, tmp_path: Path) -> None:
    art("push", "data", "ds", "--store", tmp_path / "s")
    assert "no artifacts yet" in art("ls").out
    assert art("--store", f"file://{tmp_path}/s", "ls", "-q").out == "ds\n"


def test_names_with_control_characters_are_shown_escaped(art: Art, data: Path) -> None:
    (data / "evil\x1b[2J.txt").touch()
    art("push", "data", "ds")
    assert "\x1b" not in art("ls", "ds:v0").out
    entries = art("ls", "ds:v0", "--json").json["entries"]
    assert "evil\x1b[2J.txt" in [entry["path"] for entry in entries]


def test_the_shell_completes_commands_artifacts_and_versions(
    start: Start, art: Art, data: Path
) -> None:
    art("push", "data", "digits")

    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        out, err = start(env={"_ART_COMPLETE": "bash_complete", **words}).communicate(timeout=120)
        assert err == b""
        return out.decode().split()

    assert completed("art pu") == ["plain,push", "plain,pull"]
    assert completed("art show d") == ["plain,digits"]
    assert completed("art show digits:") == ["plain,digits:v0"]
    assert completed("art show --store /nowhere d") == []
    assert completed("art completion z") == ["plain,zsh"]


def test_piped_processes_print_results_only(start: Start, data: Path) -> None:
    out, err = start("push", "data", "ds", "-q").communicate(timeout=120)
    assert (out, err) == (b"ds:v0\n", b"")
    out, err = start("cat", "ds", "labels.csv").communicate(timeout=120)
    assert (out, err) == (b"a,b,c\n", b"")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_a_push_that_is_stopped_leaves_a_store_in_which_it_can_be_repeated(
    start: Start, art: Art, data: Path, number: signal.Signals, status: int
) -> None:
    with open(data / "big.bin", "wb") as big:
        big.writelines(os.urandom(1 << 20) for _ in range(48))
    process = start("push", "data", "ds")
    store = Path(os.environ["XDG_DATA_HOME"]) / "artstore" / "store"
    while process.poll() is None and not store.exists():
        pass
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    # A fast disk may be done before the signal comes.
    assert process.returncode in (0, status)
    assert b"Traceback" not in err
    art("push", "data", "ds")
    assert "all right" in art("verify", "ds").out

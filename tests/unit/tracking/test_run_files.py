"""Files, code and modules of a run, versions that several processes make, harmless calls."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore.api import Store
from artstore.settings import resolve

QUIET = {
    "silent": True,
    "save_git": False,
    "save_packages": False,
    "save_system": False,
    "save_environment": False,
    "console": "off",
    "store_seconds": 3600,
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine of its own, and its working directory."""
    for name in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "p")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield here
    while art.run is not None:
        art.run.finish()


def begin(**given: Any) -> art.Run:
    return art.init(settings=QUIET, **given)


def store() -> Store:
    return Store(resolve())


def files_of(name: str) -> dict[str, bytes]:
    version = store().artifact(name)
    return {entry.path: version.read(entry.path) for entry in version.entries()}


def test_what_lies_in_the_directory_of_a_run_is_stored_at_its_end() -> None:
    with begin(id="a") as run:
        (Path(run.dir) / "sub").mkdir()
        (Path(run.dir) / "sub" / "note").write_bytes(b"1")
    assert files_of("run-a-files") == {"sub/note": b"1"}
    version = store().artifact("run-a-files")
    assert version.type == "run_files"
    (logged,) = store().run("a").whole["logged"]
    assert logged["artifact"] == "p/run-a-files"


def test_a_run_without_files_makes_no_version() -> None:
    with begin(id="a") as run:
        run.log({"x": 1})
    assert store().collection_names() == []


def test_saved_files_are_those_of_the_end_or_of_now(place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "a.txt").write_bytes(b"1")
    (place / "sub" / "b.txt").write_bytes(b"1")
    with begin(id="a") as run:
        saved = run.save("sub/a.txt", policy="end")
        assert saved == [f"{run.dir}/sub/a.txt"]
        run.save(str(place / "sub" / "b.txt"), policy="now")
        assert files_of("run-a-files:v0") == {"sub/a.txt": b"1", "b.txt": b"1"}
        (place / "sub" / "a.txt").write_bytes(b"22")
        (place / "sub" / "b.txt").write_bytes(b"22")
    assert files_of("run-a-files:v1") == {"sub/a.txt": b"22", "b.txt": b"1"}


def test_live_files_are_stored_with_each_step_in_which_they_have_changed(place: Path) -> None:
    (place / "a.txt").write_bytes(b"1")
    with begin(id="a") as run:
        run.save("*.txt")
        run._files.step()
        assert files_of("run-a-files:v0") == {"a.txt": b"1"}
        run._files.step()
        assert len(store().versions("run-a-files")) == 1
        (place / "a.txt").write_bytes(b"22")
        run._files.step()
        assert files_of("run-a-files:v1") == {"a.txt": b"22"}


def test_paths_are_told_from_base_path_and_lie_below_it(place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "a.txt").write_bytes(b"1")
    with begin(id="a") as run:
        assert run.save("sub/*", base_path="sub", policy="end") == [f"{run.dir}/a.txt"]
        with pytest.raises(art.InvalidInputError, match="does not lie below"):
            run.save("sub/*", base_path=place / "other")
        with pytest.raises(art.InvalidInputError, match="policy"):
            run.save("sub/*", policy="later")
        assert run.save("none/*") == []


def test_a_saved_file_that_vanished_is_left_out(place: Path) -> None:
    (place / "a.txt").write_bytes(b"1")
    (place / "b.txt").write_bytes(b"1")
    with begin(id="a") as run:
        run.save("*.txt", policy="end")
        (place / "b.txt").unlink()
    assert files_of("run-a-files") == {"a.txt": b"1"}


def test_a_file_of_a_run_is_restored_in_another_one(place: Path) -> None:
    (place / "a.txt").write_bytes(b"1")
    with begin(id="a"):
        art.save("a.txt")
    with begin(id="b") as run:
        with run.restore("a.txt", "p/a") as file:
            assert file.read() == "1"
            assert file.name == f"{run.dir}/a.txt"
        with pytest.raises(art.NotFoundError):
            run.restore("c.txt", "a")
    with art.restore("a.txt", "a", root=place / "out") as file:
        assert file.name == str(place / "out" / "a.txt")


def test_code_is_an_artifact_of_source_files(place: Path) -> None:
    for name in ("a.py", "b.txt", "sub/c.py", ".hidden/d.py", "venv/e.py", "Dockerfile"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(name.encode())
    with begin(id="a") as run:
        made = run.log_code()
        assert made is not None
        assert made.type == "code"
        assert made.name.startswith("source-p-")
        assert sorted(files_of(made.qualified_name)) == ["Dockerfile", "a.py", "sub/c.py"]
        chosen = run.log_code(
            ".",
            "mine",
            include_fn=lambda path: path.endswith((".txt", ".py")),
            exclude_fn=lambda path, root: path.startswith(f"{root}/sub"),
        )
        assert chosen is not None
        assert sorted(files_of("mine")) == ["a.py", "b.txt"]
        assert art.log_code(exclude_fn=lambda _: True) is None


def part(name: str, **files: str) -> art.Artifact:
    draft = art.Artifact("joint", "dataset", metadata={"of": "all"})
    for path, text in files.items():
        with draft.new_file(f"{name}/{path}" if name else path, "w") as file:
            file.write(text)
    return draft


def test_parts_are_joined_into_one_version_by_links() -> None:
    with begin(id="a", group="g") as run:
        run.upsert_artifact(part("one", x="1"))
        run.upsert_artifact(part("two", x="2"))
        made = run.finish_artifact(part("", z="3"), aliases=["all"])
        assert files_of("joint:all") == {"one/x": b"1", "two/x": b"2", "z": b"3"}
        assert made.metadata == {"of": "all"}
        assert made.type == "dataset"
        assert store().artifact("joint").entry("one/x").kind == "link"
        # The next version has parts of its own, also where one is as before.
        run.upsert_artifact(part("two", x="2"))
        run.finish_artifact(part(""))
        assert files_of("joint:latest") == {"two/x": b"2"}
    logged = [one["artifact"] for one in store().run("a").whole["logged"]]
    assert logged.count("p/joint") == 2
    assert all(name == "p/joint" or name.startswith("p/draft-") for name in logged)


def test_parts_that_contradict_each_other_are_refused() -> None:
    with begin(id="a") as run:
        run.upsert_artifact(part("", x="1"), distributed_id="d")
        run.upsert_artifact(part("", x="2"), distributed_id="d")
        with pytest.raises(art.InvalidInputError, match="x is in two parts") as caught:
            run.finish_artifact(part(""), distributed_id="d")
        assert caught.value.code == "entry-exists"
        with pytest.raises(art.InvalidInputError, match="need a name"):
            run.upsert_artifact(part("", x="1"))


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_gradients_of_a_watched_module_are_histograms() -> None:
    import torch

    with begin(id="a") as run:
        model = torch.nn.Linear(3, 2)
        run.watch(model, log="all", log_freq=2)
        for step in range(5):
            if step == 4:
                art.unwatch(model)
            model(torch.ones(1, 3)).sum().backward()
            run.log({"step": step})
        with pytest.raises(art.InvalidInputError, match="modules of torch"):
            run.watch("model")
    rows = {row["_step"]: row for row in store().run("a").rows()}
    seen = [step for step, row in rows.items() if row.get("gradients/weight") is not None]
    assert seen == [1, 3]
    assert rows[1]["parameters/bias"]["_type"] == "histogram"


def test_a_path_that_is_no_pattern_is_saved_with_its_asterisks(place: Path) -> None:
    for name in ("a[1].txt", "a1.txt", "d*", "dd"):
        (place / name).write_text(name)
    with begin(id="a") as run:
        assert run.save("a[1].txt", glob=False) == [f"{run.dir}/a[1].txt"]
        assert art.save(str(place / "d*"), policy="now", glob=False) == [f"{run.dir}/d*"]
        assert run.sync_dir == str(Path(run.dir).parent)
    assert files_of("run-a-files") == {"a[1].txt": b"a[1].txt", "d*": b"d*"}


def test_texts_that_are_written_to_the_logs_stand_among_what_was_printed() -> None:
    with art.init(id="a", settings={**QUIET, "console": "wrap"}) as run:
        run.write_logs("kept, and not printed\n")
        run.pin_config_keys(["lr"])
    assert store().run("a").console() == "kept, and not printed\n"
    with begin(id="b") as run:
        run.write_logs("nothing is kept here")
    assert store().run("b").console() == ""


def test_calls_that_scripts_make_beforehand_do_nothing() -> None:
    assert art.login(key="x", relogin=True) is True
    art.require("core")
    art.setup()
    assert art.Settings(start_method="thread", console="off").console == "off"
    run = begin(id="a")
    art.mark_preempting()
    art.teardown()
    assert run.state == "preempted"
    art.teardown()

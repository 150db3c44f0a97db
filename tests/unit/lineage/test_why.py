"""Which run wrote a file, from what: and from where a file came that nobody wrote anew."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError, NotFoundError
from artstore.lineage.records import Edge, FileFacts, RunFacts, RunName, VersionName
from artstore.lineage.why import WhyReport, why
from tests.unit.lineage.memory import MemorySource, node, pipeline, version


def steps(answer: WhyReport) -> list[tuple[int, str, str | None]]:
    return [
        (step.level, str(step.version.name), None if step.run is None else step.run.name.run_id)
        for step in answer.steps
    ]


def trail(answer: WhyReport) -> list[tuple[str, str, str]]:
    return [(one.how, str(one.version), one.path) for one in answer.trail]


def grown() -> MemorySource:
    """`photos` grows by a file at a time; b.jpg is changed in v2."""
    source = MemorySource()
    for number, files in enumerate(["a1", "a1 b1", "a1 b2", "a1 b2 c1"]):
        source.step(f"day{number}", f"camera:v{number}", f"photos:v{number}")
        for file in files.split():
            name = version(f"photos:v{number}")
            source.files[name, f"{file[0]}.jpg"] = FileFacts(file * 32)
    return source


def test_a_version_is_explained_with_its_inputs_level_by_level() -> None:
    answer = why(pipeline(), version("model:v0"))
    assert steps(answer) == [
        (0, "p/model:v0", "train"),
        (1, "p/clean:v0", "clean"),
        (1, "p/features:v0", "featurize"),
        (2, "p/raw:v0", "ingest"),
    ]
    assert [str(edge.before) for edge in answer.steps[0].inputs] == ["p/clean:v0", "p/features:v0"]
    assert not any(step.is_truncated for step in answer.steps)
    assert answer.trail == ()


def test_a_link_is_explained_by_its_source() -> None:
    answer = why(pipeline(), version("registry/best:v0"), depth=1)
    assert steps(answer) == [(0, "registry/best:v0", None), (1, "p/model:v0", "train")]
    assert answer.steps[0].inputs[0].kind == "linked"


def test_a_depth_names_the_inputs_that_it_does_not_explain() -> None:
    answer = why(pipeline(), version("model:v0"), depth=0)
    assert steps(answer) == [(0, "p/model:v0", "train")]
    assert len(answer.steps[0].inputs) == 2
    assert answer.steps[0].is_truncated
    assert "(more not shown)" in "\n".join(answer.to_text())


def test_a_file_that_did_not_change_is_of_the_run_that_brought_it() -> None:
    answer = why(grown(), version("photos:v3"), "a.jpg")
    assert trail(answer) == [
        ("asked", "p/photos:v3", "a.jpg"),
        ("unchanged", "p/photos:v0", "a.jpg"),
    ]
    assert steps(answer)[0] == (0, "p/photos:v0", "day0")
    assert answer.version.name == version("photos:v3")
    assert answer.digest == "a1" * 32


def test_a_file_that_changed_is_of_the_run_that_changed_it() -> None:
    assert steps(why(grown(), version("photos:v3"), "b.jpg"))[0] == (0, "p/photos:v2", "day2")
    assert steps(why(grown(), version("photos:v1"), "b.jpg"))[0] == (0, "p/photos:v1", "day1")


def test_a_deleted_version_in_between_does_not_hide_the_first_one() -> None:
    source = grown()
    source.mark("photos:v1", state="deleted")
    assert steps(why(source, version("photos:v3"), "a.jpg"))[0][1] == "p/photos:v0"


def test_a_link_to_a_file_of_another_version_is_followed() -> None:
    source = grown()
    source.add("best:v0")
    source.files[version("best:v0"), "x/one.jpg"] = FileFacts(
        "b2" * 32, (version("photos:v3"), "b.jpg")
    )
    answer = why(source, version("best:v0"), "x/one.jpg")
    assert trail(answer) == [
        ("asked", "p/best:v0", "x/one.jpg"),
        ("linked", "p/photos:v3", "b.jpg"),
        ("unchanged", "p/photos:v2", "b.jpg"),
    ]
    assert steps(answer)[0] == (0, "p/photos:v2", "day2")
    assert answer.to_text()[:4] == [
        "x/one.jpg of p/best:v0",
        "  is a link to b.jpg of p/photos:v3",
        "  has not changed since p/photos:v2",
        "",
    ]


def test_a_link_to_what_is_gone_ends_the_trail() -> None:
    source = grown()
    source.add("best:v0")
    source.files[version("best:v0"), "x"] = FileFacts("00" * 32, (version("lost:v0"), "y"))
    answer = why(source, version("best:v0"), "x")
    assert trail(answer)[-1] == ("linked", "p/lost:v0", "y")
    assert answer.steps[0].version.state == "missing"


def test_links_in_a_circle_end() -> None:
    source = MemorySource()
    for text, other in (("a:v0", "b:v0"), ("b:v0", "a:v0")):
        source.add(text)
        source.files[version(text), "f"] = FileFacts("00" * 32, (version(other), "f"))
    assert [one.how for one in why(source, version("a:v0"), "f").trail] == ["asked", "linked"]


def test_of_several_runs_the_first_that_made_the_version_is_told() -> None:
    source = MemorySource()
    source.step("r1", "a:v0", "")
    source.step("r2", "b:v0", "")
    source.join("r1 logged m:v0", time="2026-01-02T00:00:00Z", is_new=False)
    source.join("r2 logged m:v0", time="2026-01-03T00:00:00Z")
    step = why(source, version("m:v0")).steps[0]
    assert step.run is not None
    assert step.run.name == RunName("p", "r2")
    assert step.also == (RunName("p", "r1"),)
    assert [str(edge.before) for edge in step.inputs] == ["p/b:v0"]


def test_a_run_that_used_what_it_logged_explains_nothing_by_itself() -> None:
    source = MemorySource()
    source.step("r", "m:v0 d:v0", "m:v0")
    answer = why(source, version("m:v0"))
    assert steps(answer) == [(0, "p/m:v0", "r"), (1, "p/d:v0", None)]


def test_a_version_without_a_run_says_who_pushed_it() -> None:
    source = MemorySource()
    source.add("m:v0", created="2026-01-01T00:00:00Z", created_by="ada@lab")
    assert why(source, version("m:v0")).to_text() == [
        "p/m:v0",
        "  no run logged it; pushed by ada@lab, 2026-01-01T00:00:00Z",
    ]


def test_text_tells_run_command_commit_and_inputs() -> None:
    source = MemorySource()
    source.step("r", "", "m:v0")
    source.join("d:v3 used r", asked="latest")
    source.known_runs[RunName("p", "r")] = RunFacts(
        RunName("p", "r"),
        title="brave fox",
        job_type="train",
        started="2026-01-01T00:00:00Z",
        author="ada",
        command="python train.py --lr 1e-3",
        commit="0a1b2c3d",
        repository="https://example.org/x",
        is_changed=True,
    )
    assert why(source, version("m:v0"), depth=0).to_text() == [
        "p/m:v0",
        '  logged by p/r  "brave fox", train, finished',
        "  started   2026-01-01T00:00:00Z by ada",
        "  command   python train.py --lr 1e-3",
        "  commit    0a1b2c3d of https://example.org/x with uncommitted changes",
        "  used p/d:v3 (asked for: latest)  (more not shown)",
    ]


def test_a_copy_from_another_store_names_its_origin() -> None:
    source = MemorySource()
    source.add("m:v0")
    source.put(Edge("derived", VersionName("p", "m", 7, "feed"), version("m:v0")))
    answer = why(source, version("m:v0"))
    assert [step.version.state for step in answer.steps] == ["live", "elsewhere"]


def test_runs_that_are_gone_stay_visible() -> None:
    source = grown()
    source.forget(node("day2"))
    step = why(source, version("photos:v3"), "b.jpg").steps[0]
    assert step.run is not None
    assert step.run.state == "missing"


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(NotFoundError) as caught:
        why(grown(), version("photos:v9"))
    assert caught.value.code == "version-not-found"
    with pytest.raises(NotFoundError) as caught:
        why(grown(), version("photos:v3"), "z.jpg")
    assert caught.value.code == "entry-not-found"
    with pytest.raises(InvalidInputError):
        why(grown(), version("photos:v3"), depth=-1)


def test_a_chain_longer_than_the_stack_of_python_is_explained() -> None:
    source = MemorySource()
    for number in range(1200):
        source.step(f"r{number}", f"m:v{number}", f"m:v{number + 1}")
    answer = why(source, version("m:v1200"), depth=1200)
    assert len(answer.steps) == 1201
    assert len(answer.to_text()) > 1200

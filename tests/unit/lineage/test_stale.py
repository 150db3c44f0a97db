"""What counts as out of date, why, and by which way."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from artstore.lineage.records import Edge, VersionName
from artstore.lineage.spreading import Cause
from artstore.lineage.stale import StaleReport, stale
from tests.unit.lineage.memory import MemorySource, pipeline, version


def found(report: StaleReport) -> dict[str, list[tuple[str, str]]]:
    """By version: kind and input of each cause."""
    return {
        str(one.version.name): [(cause.kind, str(cause.input)) for cause in one.causes]
        for one in report.versions
    }


def cause(report: StaleReport, text: str) -> Cause:
    one = next(one for one in report.versions if one.version.name == version(text))
    return one.causes[0]


def test_nothing_is_stale_while_nothing_is_newer() -> None:
    report = stale(pipeline())
    assert report.versions == ()
    assert report.checked_count == 7


def test_a_newer_input_makes_stale_what_was_built_on_the_old_one() -> None:
    source = pipeline()
    source.add("features:v1")
    report = stale(source)
    assert found(report) == {
        "p/model:v0": [("newer", "p/features:v0")],
        "p/report:v0": [("newer", "p/features:v0")],
        "registry/best:v0": [("newer", "p/features:v0")],
    }
    assert cause(report, "model:v0").newer == version("features:v1")
    assert cause(report, "model:v0").is_direct
    assert not cause(report, "registry/best:v0").is_direct
    assert [str(name) for name in cause(report, "report:v0").path] == [
        "p/report:v0",
        "p/evaluate",
        "registry/best:v0",
        "p/model:v0",
        "p/train",
        "p/features:v0",
    ]


def test_a_link_is_stale_once_its_source_has_a_newer_version() -> None:
    source = pipeline()
    source.add("model:v1")
    report = stale(source, roots=[version("registry/best:v0")])
    assert found(report) == {"registry/best:v0": [("newer", "p/model:v0")]}
    assert cause(report, "registry/best:v0").is_direct


def test_a_joined_table_is_stale_once_a_table_of_it_is() -> None:
    source = MemorySource()
    source.join("images:v0 depends joined:v0")
    source.join("labels:v0 depends joined:v0")
    source.add("labels:v4")
    assert found(stale(source)) == {"p/joined:v0": [("newer", "p/labels:v0")]}


def test_a_newer_version_that_was_deleted_or_is_bad_counts_for_nothing() -> None:
    source = pipeline()
    source.add("raw:v1", state="deleted")
    source.add("raw:v2", tags=("bad",))
    assert stale(source).versions == ()


def test_what_was_asked_for_by_an_alias_is_measured_by_that_alias() -> None:
    source = MemorySource()
    source.step("train", "", "model:v0")
    source.join("data:v3 used train", asked="gold")
    source.add("data:v9")
    source.add("data:v3", aliases=("gold",))
    assert stale(source).versions == ()
    # Back to an older one: what one would take today is another one.
    source.add("data:v1", aliases=("gold",))
    report = stale(source)
    assert cause(report, "model:v0").newer == version("data:v1")
    assert cause(report, "model:v0").asked == "gold"
    # The alias is gone: numbers count again.
    source.aliases.clear()
    assert cause(stale(source), "model:v0").newer == version("data:v9")


@pytest.mark.parametrize("asked", ["latest", None])
def test_latest_and_numbers_are_measured_by_number(asked) -> None:
    source = MemorySource()
    source.step("train", "", "model:v0")
    source.join("data:v3 used train", asked=asked)
    assert stale(source).versions == ()
    source.add("data:v4")
    assert cause(stale(source), "model:v0").newer == version("data:v4")


def test_what_was_built_on_a_bad_version_is_found_however_far_away() -> None:
    source = pipeline()
    source.mark("raw:v0", tags=("bad",))
    report = stale(source)
    assert set(found(report)) == {
        f"p/{name}:v0" for name in ("clean", "stats", "features", "model", "report")
    } | {"registry/best:v0"}
    assert cause(report, "clean:v0").kind == "bad"
    assert cause(report, "clean:v0").newer is None
    assert cause(report, "clean:v0").is_direct


def test_what_was_built_on_a_deleted_or_lost_version_is_found_with_what_is_there_now() -> None:
    source = pipeline()
    source.mark("features:v0", state="deleted")
    source.add("features:v2")
    source.forget(version("raw:v0"))
    causes = found(stale(source))
    assert causes["p/model:v0"] == [("deleted", "p/features:v0"), ("missing", "p/raw:v0")]
    assert cause(stale(source), "model:v0").newer == version("features:v2")


def test_versions_of_one_collection_do_not_make_each_other_stale() -> None:
    source = MemorySource()
    source.step("grow1", "data:v0", "data:v1")
    source.step("grow2", "data:v1", "data:v2")
    source.step("train", "data:v2", "model:v0")
    assert stale(source).versions == ()
    source.step("retrain", "data:v1", "model:v1")
    report = stale(source)
    assert found(report) == {"p/model:v1": [("newer", "p/data:v1")]}


def test_a_version_that_grew_from_many_old_ones_still_tells_of_other_inputs() -> None:
    source = MemorySource()
    old = " ".join(f"data:v{number}" for number in range(30))
    source.step("merge", f"{old} raw:v0", "data:v30")
    source.add("raw:v1")
    assert found(stale(source)) == {"p/data:v30": [("newer", "p/raw:v0")]}


def test_a_bad_version_makes_its_successors_suspect_and_not_itself() -> None:
    source = MemorySource()
    source.step("grow", "data:v0", "data:v1")
    source.step("loop", "data:v0", "data:v0")
    source.mark("data:v0", aliases=("bad",))
    assert found(stale(source)) == {"p/data:v1": [("bad", "p/data:v0")]}
    assert cause(stale(source), "data:v1").newer is None
    assert stale(source, only_current=True).checked_count == 1


def test_only_live_versions_are_reported_and_deleted_ones_pass_causes_on() -> None:
    source = pipeline()
    source.mark("raw:v0", tags=("bad",))
    source.mark("clean:v0", state="deleted")
    causes = found(stale(source))
    assert "p/clean:v0" not in causes
    assert causes["p/features:v0"] == [("deleted", "p/clean:v0"), ("bad", "p/raw:v0")]
    assert stale(source, roots=[version("clean:v0")]).checked_count == 0


def test_a_project_is_looked_at_with_what_it_was_built_on_elsewhere() -> None:
    source = pipeline()
    source.add("raw:v1")
    report = stale(source, project="registry")
    assert found(report) == {"registry/best:v0": [("newer", "p/raw:v0")]}
    assert report.checked_count == 1


def test_only_current_leaves_out_what_nobody_takes() -> None:
    source = MemorySource()
    source.step("one", "data:v0", "model:v0")
    source.step("two", "data:v0", "model:v1")
    source.step("three", "data:v0", "model:v2")
    source.add("data:v1")
    source.mark("model:v0", aliases=("prod",))
    report = stale(source, only_current=True)
    assert list(found(report)) == ["p/model:v0", "p/model:v2"]
    assert [one.is_current for one in stale(source).versions] == [True, False, True]


def test_causes_are_limited_to_the_nearest_and_say_so() -> None:
    source = MemorySource()
    for number in range(6):
        source.step(f"r{number}", f"x{number}:v0 m{number}:v0", f"m{number + 1}:v0")
        source.add(f"x{number}:v1")
    report = stale(source, roots=[version("m6:v0")], cause_limit=2)
    assert found(report) == {"p/m6:v0": [("newer", "p/x5:v0"), ("newer", "p/x4:v0")]}
    assert report.versions[0].has_more
    whole = stale(source, roots=[version("m6:v0")], cause_limit=None)
    assert len(whole.versions[0].causes) == 6
    assert not whole.versions[0].has_more


def test_origins_in_other_stores_are_no_cause() -> None:
    source = MemorySource()
    source.add("m:v0")
    source.put(Edge("derived", VersionName("p", "m", 3, "s"), version("m:v0")))
    source.add("m:v9")
    assert stale(source).versions == ()


def test_a_project_and_versions_at_once_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        stale(MemorySource(), project="p", roots=[])
    with pytest.raises(InvalidInputError):
        stale(MemorySource(), cause_limit=0)


def test_text_says_what_to_look_at() -> None:
    source = pipeline()
    source.add("features:v1")
    assert stale(source, project="registry").to_text() == [
        "registry/best:v0",
        "  from p/features:v0, by way of p/train, by way of p/model:v0: there is p/features:v1",
    ]

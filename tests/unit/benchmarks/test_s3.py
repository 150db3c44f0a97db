"""The rows for buckets: what each one leads to, what is judged, and that a round can be played."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.measure import Sample
from benchmarks.report import judge, markdown_table, row_record
from benchmarks.run import Plan, execute
from benchmarks.s3_place import SERVERS
from benchmarks.s3_tools import ArtS3Tool
from benchmarks.s3_workloads import S3_ROWS, S3_SCENARIOS
from benchmarks.suites import LOCAL, S3_SERVERS, s3_suite
from benchmarks.workloads import Observation, Row, Target


def seen(seconds: float = 1.0, **counts: int) -> Observation:
    return Observation([Sample(seconds, 0, 0, 1, None, None)], counts)


def record(target: Target, **tools: Observation) -> dict[str, object]:
    return row_record(Row("row", "a row", "b1", target), tools, is_full_size=True)


@pytest.mark.parametrize("suite", [LOCAL, s3_suite("moto")], ids=lambda suite: suite.name)
def test_every_row_is_led_to_by_its_scenario_once(suite: object) -> None:
    ids = [row.id for row in suite.rows]
    assert len(set(ids)) == len(ids)
    for row in suite.rows:
        steps = suite.scenarios[row.scenario].steps
        assert [row_id for row_id, _ in steps].count(row.id) == 1, row.id
    assert suite.rare <= set(suite.scenarios)


def test_the_servers_that_can_be_asked_for_are_those_that_can_be_started() -> None:
    assert S3_SERVERS == SERVERS


def test_the_rows_of_memory_are_left_out_unless_asked_for() -> None:
    suite = s3_suite("moto")
    memory = {row.id for row in S3_ROWS if row.target.peak_bytes is not None}
    assert memory == {row.id for row in S3_ROWS if row.scenario in suite.rare}
    assert all(S3_SCENARIOS[name].only_art for name in suite.rare)


def test_times_are_judged_against_radosgw_only_and_memory_everywhere() -> None:
    memory = next(row for row in S3_ROWS if row.id == "memory-w1-push")
    push = next(row for row in S3_ROWS if row.id == "b1-push")
    assert s3_suite("moto").judges(memory)
    assert not s3_suite("moto").judges(push)


def test_20_gib_are_refused_to_a_server_that_holds_them_in_memory() -> None:
    scenario = S3_SCENARIOS["memory-w8"]
    assert "20 GiB" in (s3_suite("moto").reason_against(scenario) or "")
    assert s3_suite("moto-on-disk").reason_against(scenario) is None


@pytest.mark.parametrize("name", ["request_count", "write_count", "sent_bytes"])
def test_every_count_of_traffic_has_its_limit_and_must_have_been_counted(name: str) -> None:
    target = Target(**{name: 5})
    assert record(target, art=seen(**{name: 5}))["verdict"] == "reached"
    assert record(target, art=seen(**{name: 6}))["verdict"] == "missed"
    assert record(target, art=seen())["verdict"] == "missed"


def test_what_was_sent_is_compared_with_the_reference() -> None:
    target = Target(sent_ratio=0.5, ratio_to="restic")
    found = record(target, art=seen(sent_bytes=10), restic=seen(sent_bytes=20))
    assert found["verdict"] == "reached"
    found = record(target, art=seen(sent_bytes=11), restic=seen(sent_bytes=20))
    assert found["missed"] == ["sent 0.55x > 0.5x restic"]
    assert judge(target, record(target, art=seen(sent_bytes=1))["tools"])


def test_a_cell_tells_the_ratio_to_the_reference_of_its_row() -> None:
    found = record(
        Target(ratio=0.5, ratio_to="restic"),
        art=seen(1.0, request_count=7, write_count=2),
        restic=seen(2.0),
    )
    table = markdown_table([found], ["art", "restic"])
    assert "1.00 s (0.50x), 7 requests, 2 of them write" in table
    assert "<= 0.5x restic" in table


def test_a_round_is_counted_and_then_timed(tmp_path: Path) -> None:
    suite = s3_suite("moto")
    rows = frozenset(("b1-push", "b1-push-again"))
    plan = Plan(suite, rows, (ArtS3Tool,), 1, 0.01, 1, all_tools_everywhere=False)
    result = execute(plan, tmp_path)
    assert not result["failures"]
    found = {row["id"]: row["tools"]["art"] for row in result["rows"]}
    assert found.keys() == rows
    assert found["b1-push-again"]["request_count"] <= 3
    assert found["b1-push-again"]["write_count"] == 0
    assert found["b1-push"]["PUT_count"] == found["b1-push"]["write_count"] <= 11
    for row in found.values():
        assert len(row["seconds"]["runs"]) == 1

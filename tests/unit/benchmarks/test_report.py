"""A row is reached only if every limit holds, and nothing unmeasured counts as reached."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from benchmarks.evidence import Fingerprints, WrongCheckoutError, count_extra_files
from benchmarks.measure import Sample
from benchmarks.report import judge, markdown_table, row_record
from benchmarks.workloads import ROWS, SCENARIOS, Observation, Row, Target


def seen(*seconds: float, peak_bytes: int = 1, **counts: int) -> Observation:
    return Observation([Sample(value, 0, 0, peak_bytes, None, None) for value in seconds], counts)


def record(target: Target, **tools: Observation) -> dict[str, Any]:
    row = Row("row", "a row", "w2", target)
    return row_record(row, tools, is_full_size=True)


def test_the_median_is_judged_against_the_reference_of_the_same_run() -> None:
    target = Target(ratio=1.0)
    assert record(target, art=seen(1.0, 9.0, 1.0), cp=seen(1.5))["verdict"] == "reached"
    assert record(target, art=seen(1.0, 9.0, 9.0), cp=seen(1.5))["verdict"] == "missed"


def test_of_a_time_and_a_ratio_one_suffices() -> None:
    target = Target(seconds=0.3, ratio=0.5)
    assert not judge(target, record(target, art=seen(0.2), cp=seen(0.1))["tools"])
    assert not judge(target, record(target, art=seen(2.0), cp=seen(9.0))["tools"])
    assert len(judge(target, record(target, art=seen(2.0), cp=seen(3.0))["tools"])) == 2


@pytest.mark.parametrize("name", ["stored_bytes", "store_read_bytes", "left_bytes", "extra_files"])
def test_every_count_has_its_limit_and_must_have_been_measured(name: str) -> None:
    target = Target(**{name: 5})
    assert record(target, art=seen(1.0, **{name: 5}))["verdict"] == "reached"
    assert record(target, art=seen(1.0, **{name: 6}))["verdict"] == "missed"
    assert record(target, art=seen(1.0))["verdict"] == "missed"


def test_a_ratio_without_its_reference_is_missed() -> None:
    assert record(Target(ratio=1.0), art=seen(0.1))["verdict"] == "missed"


def test_a_scaled_run_is_not_judged() -> None:
    row = Row("row", "a row", "w2", Target(seconds=9))
    assert row_record(row, {"art": seen(1.0)}, is_full_size=False)["verdict"] == "not judged"


def test_a_faster_peer_is_named_and_a_faster_reference_is_not() -> None:
    found = record(Target(), art=seen(2.0), restic=seen(1.0), borg=seen(3.0), cp=seen(0.1))
    assert found["faster_peers"] == ["restic"]
    assert "faster: restic" in markdown_table([found], ["art", "restic", "borg", "cp"])


def test_every_row_is_made_by_a_step_of_its_scenario() -> None:
    for row in ROWS:
        assert row.id in {row_id for row_id, _ in SCENARIOS[row.scenario].steps}, row.id


def test_a_checkout_with_a_missing_or_different_file_is_found(tmp_path: Path) -> None:
    tree, checkout = tmp_path / "tree", tmp_path / "checkout"
    for root in (tree, checkout):
        (root / "sub").mkdir(parents=True)
        (root / "sub" / "a").write_bytes(b"same")
    (checkout / "left").write_bytes(b"over")
    assert count_extra_files(tree, checkout, reads_content=True) == 1
    (checkout / "sub" / "a").write_bytes(b"else")
    with pytest.raises(WrongCheckoutError):
        count_extra_files(tree, checkout, reads_content=True)
    (checkout / "sub" / "a").unlink()
    with pytest.raises(WrongCheckoutError):
        count_extra_files(tree, checkout, reads_content=False)


def test_content_is_found_in_copies_and_in_packs_and_listings_do_not_count(tmp_path: Path) -> None:
    stream = Random(3)
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    tree.mkdir()
    cache.mkdir()
    files = [stream.randbytes(5_000) for _ in range(50)]
    for number, content in enumerate(files):
        (tree / f"{number}").write_bytes(content)
    prints = Fingerprints.of(tree, seed=1)
    (cache / "listing").write_bytes(stream.randbytes(9_000))
    assert prints.content_bytes([cache]) == 0
    (cache / "copy").write_bytes(files[7])
    assert prints.content_bytes([cache]) == 5_000
    (cache / "pack").write_bytes(b"head" + b"".join(files))
    assert prints.content_bytes([cache]) == 5_000 + 4 + 250_000

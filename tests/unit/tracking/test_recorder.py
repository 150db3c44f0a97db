"""What is logged stands in the journal, in order, whatever it is and whoever logs it."""

from __future__ import annotations

import enum
import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artstore import clock
from artstore.errors import InvalidInputError
from artstore.runs.rowblocks import FLOAT
from artstore.tracking.journal import JournalWriter
from artstore.tracking.recorder import PENDING_MAX_WEIGHT, Recorder
from artstore.tracking.rowgroups import LoggedRows
from tests.unit.tracking.journals import blocks, items, recording, rows, table


class FixedClock(clock.Clock):
    def now_seconds(self) -> float:
        return 1234.5

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)


def test_rows_are_what_was_logged(tmp_path: Path) -> None:
    with clock.use(FixedClock()), recording(tmp_path) as recorder:
        recorder.log({"loss": 0.5, "epoch": 1, "done": False, "name": "a", "none": None})
        recorder.log({"loss": math.nan, "epoch": 2, "done": True, "name": "ü", "none": None})
    found = table(tmp_path)
    assert found["_timestamp"].to_pylist() == [1234.5, 1234.5]
    (first, second) = rows(tmp_path)
    assert first == {"_step": 0, "loss": 0.5, "epoch": 1, "done": False, "name": "a"}
    assert math.isnan(second.pop("loss"))
    assert second == {"_step": 1, "epoch": 2, "done": True, "name": "ü"}


def test_steps_go_on_by_themselves_wait_for_commit_and_never_back(tmp_path: Path) -> None:
    told: list[str] = []
    with recording(tmp_path, tell=told.append, first_step=3) as recorder:
        recorder.log({"a": 0}, commit=False)
        recorder.log({"b": 0})
        assert recorder.step == 4
        recorder.log({"a": 1}, step=10)
        assert recorder.step == 10
        recorder.log({"b": 1})
        recorder.log({"a": 2}, step=20, commit=True)
        assert recorder.step == 21
        recorder.log({"a": 3}, step=5)
        recorder.log({"a": 3}, step=6)
        recorder.log({"a": 4}, step=np.int64(30))
    assert rows(tmp_path) == [
        {"_step": 3, "a": 0, "b": 0},
        {"_step": 10, "a": 1, "b": 1},
        {"_step": 20, "a": 2},
        {"_step": 30, "a": 4},
    ]
    assert len(told) == 1
    assert "step 5" in told[0]


def test_steps_before_those_of_a_program_are_not_counted_by_it(tmp_path: Path) -> None:
    told: list[str] = []
    with recording(tmp_path, tell=told.append, first_step=7, hidden_steps=7) as recorder:
        assert recorder.step == 0
        recorder.log({"a": 0})
        recorder.log({"a": 1}, step=4)
        recorder.log({"a": 2}, step=3)
        assert recorder.step == 4
        with pytest.raises(InvalidInputError, match=r"below 2\*\*63"):
            recorder.log({"a": 3}, step=2**63 - 5)
    assert rows(tmp_path) == [{"_step": 7, "a": 0}, {"_step": 11, "a": 1}]
    assert told == [
        "a row of step 3 was not logged: the run is at step 4, and steps cannot go back"
    ]


@pytest.mark.parametrize("step", [1.5, "3", 2**63, math.nan])
def test_a_step_that_is_no_whole_number_is_refused(tmp_path: Path, step: Any) -> None:
    with recording(tmp_path) as recorder:
        with pytest.raises(InvalidInputError):
            recorder.log({"a": 1}, step=step)
        recorder.log({"a": 2})
    assert rows(tmp_path) == [{"_step": 0, "a": 2}]


@pytest.mark.parametrize("row", [None, 3, [("a", 1)], {1: 2}, {None: 1}, {"a": 1, b"b": 2}])
def test_what_is_no_row_is_refused(tmp_path: Path, row: Any) -> None:
    with recording(tmp_path) as recorder, pytest.raises(InvalidInputError):
        recorder.log(row)


def test_an_empty_row_takes_a_step(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.log({})
        recorder.log({"a": 1})
    assert rows(tmp_path) == [{"_step": 0}, {"_step": 1, "a": 1}]


def test_a_row_may_state_its_time_and_no_step(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.log({"a": 1, "_timestamp": 77, "_step": 900})
    assert table(tmp_path).to_pylist() == [{"_step": 0, "_timestamp": 77.0, "a": 1}]


class Colour(enum.IntEnum):
    RED = 3


class Word(str):
    __slots__ = ()


def test_scalars_of_other_classes_are_what_they_are_at_bottom(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.log({"f": np.float64(0.5), "i": Colour.RED, "t": Word("w")})
        recorder.log({"f": 1.5, "i": 4, "t": "x"})
    assert len([kind for kind, _ in blocks(tmp_path) if kind == "rows"]) == 1
    assert rows(tmp_path)[0] == {"_step": 0, "f": 0.5, "i": 3, "t": "w"}


def test_other_values_are_converted_and_kept_as_json(tmp_path: Path) -> None:
    def convert_row(row: Any) -> dict[str, Any]:
        return {key: one.tolist() if hasattr(one, "tolist") else one for key, one in row.items()}

    big: list[Any] = []
    big.append(big)
    with recording(tmp_path, convert_row=convert_row) as recorder:
        recorder.log({"n": np.float32(0.5), "l": np.arange(3), "x": [math.nan, {"y": -math.inf}]})
        recorder.log({"n": 1.0, "l": {"a": 2**70, 3: Colour}, "x": big})
        changing = [1]
        recorder.log({"l": changing})
        changing.append(2)
    first, second, third = rows(tmp_path)
    assert first["n"] == 0.5
    assert first["l"] == [0, 1, 2]
    assert math.isnan(first["x"][0])
    assert first["x"][1] == {"y": -math.inf}
    assert second["l"] == {"a": 2**70, "3": repr(Colour)}
    assert third["l"] == [1]


def test_hostile_keys_and_texts_are_text_like_any_other(tmp_path: Path) -> None:
    row = {"a\nb": 1.0, "\0": 2, "k" * 10_000: "x\0y", "": True, "_step'; --": "", "ü🎉": "🎉"}
    with recording(tmp_path) as recorder:
        recorder.log(row)
        recorder.log({"half \ud800": "surrogate \udcff"})
    assert rows(tmp_path) == [
        {"_step": 0, **row},
        {"_step": 1, "half ?": "surrogate ?"},
    ]


def test_whole_numbers_of_any_size(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        for number in (1, 2**63, -(2**63), 10**5000):
            recorder.log({"n": number})
    assert [row["n"] for row in rows(tmp_path)][:3] == [1, 2**63, -(2**63)]


def test_two_thousand_keys_and_keys_that_come_and_go(tmp_path: Path) -> None:
    wide = {f"k{at}": float(at) for at in range(2_000)}
    with recording(tmp_path) as recorder:
        for at in range(50):
            recorder.log(wide)
            recorder.log({"a": at, "b": at} if at % 2 else {"c": 0.5})
    found = table(tmp_path)
    assert found.shape == (100, 2_005)
    # One block for each set of keys, however often they alternate.
    assert len(blocks(tmp_path)) <= 3 * 2


def test_keys_that_are_new_each_time_do_not_fill_the_memory(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        for at in range(2_000):
            recorder.log({f"key {at}": at})
        recorder.flush()
        recorder.flush()
        assert len(recorder._groups) <= 1_000
        recorder.log({"key 0": 7})
    assert table(tmp_path).shape == (2_001, 2_002)


def test_changes_stand_between_the_rows_before_and_after_them(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        for at in range(20):
            recorder.log({"a": at} if at % 3 else {"b": at, "a": at})
            recorder.add_change({"summary": {"a": at}})
        recorder.add_console("stdout", "text\n")
        recorder.add_stored({"offset": 3})
        recorder.end("failed", 1)
    seen = -1
    for kind, value in items(tmp_path):
        if kind == "rows":
            assert all(row["a"] > seen for row in value)
            newest = max(row["a"] for row in value)
        elif kind == "change":
            seen = value["summary"]["a"]
            assert newest == seen
    kinds = [kind for kind, _ in items(tmp_path)]
    assert kinds[-3:] == ["console", "stored", "end"]
    assert items(tmp_path)[-1][1]["state"] == "failed"


def test_rows_reach_the_callback_once_and_flush_waits_for_it(tmp_path: Path) -> None:
    seen: list[LoggedRows] = []
    with recording(tmp_path, on_rows=seen.append, flush_seconds=3600) as recorder:
        recorder.log({"loss": 0.5})
        recorder.log({"loss": 0.25})
        recorder.log({"loss": [1]})
        recorder.flush()
        assert [(rows.keys, list(rows.seqs), list(rows.steps)) for rows in seen] == [
            (("loss",), [0, 1], [0, 1]),
            (("loss",), [2], [2]),
        ]
        assert seen[0].types == (FLOAT,)
        assert [list(one) for one in seen[0].columns] == [[0.5, 0.25]]
        assert [list(one) for one in seen[1].columns] == [["[1]"]]
    assert sum(len(rows.seqs) for rows in seen) == 3


def test_a_callback_may_call_back_and_may_fail(tmp_path: Path) -> None:
    told: list[str] = []

    def on_rows(found: LoggedRows) -> None:
        recorder.flush()
        recorder.add_change({"summary": {"seen": len(found.seqs)}})
        raise RuntimeError("of ours")

    with recording(tmp_path, tell=told.append, on_rows=on_rows) as recorder:
        recorder.log({"a": 1})
        recorder.flush()
        recorder.log({"a": 2})
        recorder.flush()
    assert [row["a"] for row in rows(tmp_path)] == [1, 2]
    assert [value for kind, value in items(tmp_path) if kind == "change"]
    assert len(told) == 1


def test_system_metrics_have_blocks_of_their_own(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.add_system({"cpu": 0.5, "gpus": [1, 2]})
        recorder.add_system({"cpu": 0.75, "gpus": [1, 2]})
    assert items(tmp_path) == [
        ("system", [{"cpu": 0.5, "gpus": "[1,2]"}]),
        ("system", [{"cpu": 0.75, "gpus": "[1,2]"}]),
    ]


def test_threads_lose_no_row_and_share_no_step(tmp_path: Path) -> None:
    count = 3_000

    def work(name: str) -> None:
        for at in range(count):
            recorder.log({name: at, "all": at} if at % 2 else {name: at})
            if at % 100 == 0:
                recorder.add_console("stdout", name)

    with recording(tmp_path, flush_seconds=0.01) as recorder:
        threads = [threading.Thread(target=work, args=(f"t{at}",)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = table(tmp_path)
    assert found["_step"].to_pylist() == list(range(4 * count))
    for at in range(4):
        assert found[f"t{at}"].drop_null().to_pylist() == list(range(count))


def test_who_logs_faster_than_the_flusher_writes_waits(tmp_path: Path) -> None:
    peaks = []

    class SlowWriter(JournalWriter):
        def append(self, kind: str, payload: bytes) -> int:
            peaks.append(recorder._logged_weight - recorder._weight_bound + PENDING_MAX_WEIGHT)
            return super().append(kind, payload)

    recorder = Recorder(SlowWriter(tmp_path), flush_seconds=3600)
    for at in range(5):
        recorder.log({"text": "x" * (8 * PENDING_MAX_WEIGHT), "at": at})
    for _ in range(PENDING_MAX_WEIGHT // 4):
        recorder.log({"loss": 0.5})
    recorder.close()
    assert len(peaks) >= 3
    assert max(peaks) <= 2 * PENDING_MAX_WEIGHT
    assert table(tmp_path).num_rows == 5 + PENDING_MAX_WEIGHT // 4


def test_flush_and_close_may_be_called_again_and_what_comes_later_is_left_out(
    tmp_path: Path,
) -> None:
    recorder = Recorder(JournalWriter(tmp_path))
    recorder.log({"a": 1})
    recorder.flush()
    recorder.flush()
    recorder.close()
    recorder.close()
    recorder.flush()
    recorder.log({"a": 2})
    recorder.add_change({})
    recorder.add_system({"a": 1})
    recorder.end("finished")
    assert rows(tmp_path) == [{"_step": 0, "a": 1}]
    assert [kind for kind, _ in items(tmp_path)] == ["rows"]


def test_a_forked_child_is_quiet_and_the_parent_goes_on(tmp_path: Path) -> None:
    with recording(tmp_path, flush_seconds=0.01) as recorder:
        for at in range(20):
            recorder.log({"parent": at})
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    recorder.log({"child": at})
                    recorder.add_console("stdout", "child")
                    recorder.end("finished")
                    recorder.flush()
                    recorder.close()
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
    assert [row["parent"] for row in rows(tmp_path)] == list(range(20))
    assert {kind for kind, _ in items(tmp_path)} == {"rows"}

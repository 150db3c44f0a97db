"""What is logged survives kills, interrupts at any moment, handlers of signals and full disks."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from artstore.tracking.journal import JournalReader, JournalWriter, is_alive
from artstore.tracking.recorder import Recorder
from tests.unit.tracking.journals import items, rows, table

_START = """
import sys, time
from pathlib import Path
from artstore.tracking import recorder as module
from artstore.tracking.journal import JournalWriter
recorder = module.Recorder(JournalWriter(Path(sys.argv[1])))
"""

_LOGS = """
print("ready", flush=True)
number = 0
while True:
    recorder.log({"n": number, "half": number / 2})
    number += 1
    time.sleep(0.0002)
"""


def started(program: str, directory: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", _START + program, str(directory)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ran(program: str, directory: Path) -> tuple[int, str, str]:
    with started(program, directory) as process:
        out, err = process.communicate()
    return process.returncode, out.decode(), err.decode()


def test_kill_9_loses_no_row_that_is_older_than_the_interval(tmp_path: Path) -> None:
    with started(_LOGS, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(2.5)
        killed_at = time.time()
        process.kill()
        process.wait()
    assert not is_alive(tmp_path)
    found = table(tmp_path)
    numbers = found["n"].to_pylist()
    assert numbers == list(range(len(numbers)))
    assert found["half"].to_pylist() == [number / 2 for number in numbers]
    # A second, and another one for a machine that is busy with other things.
    assert found["_timestamp"].to_pylist()[-1] > killed_at - 2


def test_a_journal_of_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    with started(_LOGS, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.5)
        process.kill()
        process.wait()
    log = tmp_path / "journal.log"
    # As if it had been killed within a write.
    log.write_bytes(log.read_bytes()[:-3])
    reader = JournalReader(log)
    list(reader.blocks())
    assert reader.is_torn
    journal = JournalWriter(tmp_path)
    journal.append("stored", b'{"offset":1}')
    journal.close()
    assert items(tmp_path)[-1] == ("stored", {"offset": 1})


def test_an_exit_without_close_is_quiet_and_one_with_it_loses_nothing(tmp_path: Path) -> None:
    forgot = 'recorder.log({"a": 1})\ntime.sleep(1.5)\n'
    assert ran(forgot, tmp_path / "forgot") == (0, "", "")
    assert rows(tmp_path / "forgot") == [{"_step": 0, "a": 1}]
    closes = 'import atexit\natexit.register(recorder.close)\nrecorder.log({"a": 1})\n'
    assert ran(closes, tmp_path / "closes") == (0, "", "")
    assert rows(tmp_path / "closes") == [{"_step": 0, "a": 1}]


@contextmanager
def alarms(handler: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """
    Sets an alarm some microseconds ahead, of which `handler` is told.

    It comes again after a second: what is raised while Python collects garbage goes nowhere.
    """
    before = signal.signal(signal.SIGALRM, handler)
    drawn = random.Random(0)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_REAL, drawn.uniform(1e-6, 60e-6), 1) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# Python tells of what is raised while it collects garbage or forgets weak references.
UNRAISABLE = "ignore::pytest.PytestUnraisableExceptionWarning"


@pytest.mark.filterwarnings(UNRAISABLE)
def test_interrupts_at_any_moment_divide_no_row_and_lose_none_that_was_logged(
    tmp_path: Path,
) -> None:
    recorder = Recorder(JournalWriter(tmp_path), flush_seconds=0.01)
    number = interrupts = 0
    with alarms(interrupt) as set_alarm:
        for _ in range(5_000):
            try:
                set_alarm()
                while True:
                    if number % 3:
                        recorder.log({"a": number, "b": number, "c": str(number)})
                    else:
                        recorder.log({"b": number, "a": number, "d": [number]})
                    number += 1
                    if number % 50 == 0:
                        recorder.add_change({"n": number})
                        recorder.flush()
            except KeyboardInterrupt:
                interrupts += 1
    recorder.log({"a": number, "b": number})
    recorder.close()
    assert interrupts == 5_000
    found = table(tmp_path)
    # One that was interrupted may be there, or twice, or not.
    assert {row["a"] for row in rows(tmp_path)} == set(range(number + 1))
    assert found["a"].equals(found["b"])
    for row in rows(tmp_path):
        assert row.get("c", str(row["a"])) == str(row["a"])
        assert row.get("d", [row["a"]]) == [row["a"]]
    logged = [row for kind, value in items(tmp_path) if kind == "rows" for row in value]
    assert len(logged) == found.num_rows


@pytest.mark.filterwarnings(UNRAISABLE)
def test_an_interrupted_close_is_done_by_the_next_one(tmp_path: Path) -> None:
    with alarms(interrupt) as set_alarm:
        for at in range(300):
            directory = tmp_path / str(at)
            recorder = Recorder(JournalWriter(directory))
            recorder.log({"a": at})
            try:
                set_alarm()
                recorder.close()
            except KeyboardInterrupt:
                pass
            signal.setitimer(signal.ITIMER_REAL, 0)
            recorder.close()
            assert not is_alive(directory)
            assert rows(directory) == [{"_step": 0, "a": at}]


def test_a_handler_of_signals_may_log_and_flush_at_any_moment(tmp_path: Path) -> None:
    calls = 0

    def handler(*_: object) -> None:
        nonlocal calls
        recorder.log({"handler": calls, "a": -1})
        recorder.add_console("stderr", "signal")
        recorder.flush()
        calls += 1

    recorder = Recorder(JournalWriter(tmp_path), flush_seconds=0.01)
    number = 0
    with alarms(handler) as set_alarm:
        for _ in range(2_000):
            wanted = calls + 1
            set_alarm()
            while calls < wanted:
                recorder.log({"main": number, "a": number})
                number += 1
                if number % 20 == 0:
                    recorder.flush()
    recorder.close()
    found = table(tmp_path)
    assert found["_step"].to_pylist() == list(range(number + calls))
    assert found["main"].drop_null().to_pylist() == list(range(number))
    assert found["handler"].drop_null().to_pylist() == list(range(calls))


def test_a_handler_of_signals_may_close_in_the_middle_of_log(tmp_path: Path) -> None:
    for at in range(200):
        directory = tmp_path / str(at)
        recorder = Recorder(JournalWriter(directory))
        recorder.log({"a": 0})

        def handler(*_: object, closed: Recorder = recorder) -> None:
            closed.end("preempted", 143)
            closed.close()

        with alarms(handler) as set_alarm:
            set_alarm()
            while is_alive(directory):
                recorder.log({"a": 1})
        assert items(directory)[-1][1]["state"] == "preempted"
        assert table(directory)["_step"].to_pylist()[0] == 0


_DISK = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
def full(): resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
def space(): resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""


def test_a_full_disk_is_told_once_and_all_is_written_when_space_is_back(tmp_path: Path) -> None:
    program = """
full()
for number in range(60_000):
    recorder.log({"n": number})
    if number % 10_000 == 0:
        recorder.flush()
recorder.end("running")
space()
recorder.log({"n": number + 1})
recorder.flush()
recorder.close()
"""
    code, _, told = ran(_DISK + program, tmp_path)
    assert code == 0
    assert [row["n"] for row in rows(tmp_path)] == list(range(60_001))
    first, second = told.splitlines()
    assert first.startswith("art: warning: cannot write the journal of a run")
    assert "nothing is lost" in second


def test_a_disk_that_stays_full_costs_rows_and_neither_the_program_nor_its_memory(
    tmp_path: Path,
) -> None:
    program = """
module.HELD_MAX_BYTES = 4_000_000
full()
for number in range(400_000):
    recorder.log({"n": number})
held = recorder._waiting_bytes
recorder.add_change({"config": {"kept": True}})
space()
recorder.flush()
recorder.log({"n": -1})
full()
recorder.log({"n": -2})
recorder.flush()
recorder.close()
assert held <= 4_000_000
"""
    code, _, told = ran(_DISK + program, tmp_path)
    assert code == 0, told
    numbers = [row["n"] for row in rows(tmp_path)]
    assert numbers[:10_000] == list(range(10_000))
    assert len(numbers) < 400_000
    lost = 400_001 - len(numbers)
    assert ("change", {"config": {"kept": True}}) in items(tmp_path)
    lines = told.splitlines()
    assert "rows were lost" in lines[1]
    assert "were lost" in lines[-1]
    assert len(lines) <= 4
    assert lost > 0


@pytest.mark.parametrize("failing", ["gone", "closed"])
def test_stderr_that_cannot_be_written_ends_nothing(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def write(self, _: str) -> int:
            raise OSError(9, "closed")

    monkeypatch.setattr(sys, "stderr", None if failing == "gone" else Closed())
    recorder = Recorder(JournalWriter(tmp_path))
    recorder.log({"a": 1}, step=5)
    recorder.log({"a": 1}, step=4)
    recorder.close()
    assert rows(tmp_path) == [{"_step": 5, "a": 1}]

"""What is noted about a process and its machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest

from artstore.tracking.capture import environment as module
from artstore.tracking.capture.background import BackgroundCapture
from artstore.tracking.capture.environment import command_line, environment, program
from artstore.tracking.capture.gpu import Devices, gpus
from artstore.tracking.capture.packages import packages
from artstore.tracking.capture.system import SystemSampler


def in_process(code: str, *arguments: str, variables: dict[str, str] | None = None) -> Any:
    done = subprocess.run(
        [sys.executable, *arguments, "-c", textwrap.dedent(code)]
        if not arguments
        else [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(variables or {})},
    )
    return json.loads(done.stdout)


def test_the_report_is_json_and_says_who_where_and_what(home: Path) -> None:
    report = environment()
    assert json.loads(json.dumps(report)) == report
    assert report["host"] == os.uname().nodename
    assert report["cwd"] == str(home / "work")
    assert report["executable"] == sys.executable
    assert report["python"].startswith("cpython 3.")
    assert report["cpu_count"] == os.cpu_count()
    assert report["memory_bytes"] > 1_000_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["started"])


def test_no_variable_of_the_environment_is_in_the_report_but_those_listed() -> None:
    variables = {"HOME": "/root", "MY_PASSWORD": "x" * 20, "RANK": "1", "FOO": "some-value-of-foo"}
    report = environment(variables)
    assert report["variables"] == {"RANK": "1"}
    assert "some-value-of-foo" not in json.dumps(report)


def test_slurm_is_told() -> None:
    variables = {"SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "2", "SLURM_CLUSTER_NAME": "big"}
    assert environment(variables)["slurm"] == {"job_id": "77", "cluster": "big", "restart_count": 2}
    assert "slurm" not in environment({})


def test_the_command_line_is_masked_and_bounded() -> None:
    line = command_line(["python", "a.py", "--api-key", "X", *["y"] * 2000, "z" * 9000])
    assert line[:4] == ["python", "a.py", "--api-key", "***"]
    assert line[-1] == "[1005 more]"
    assert command_line(["z" * 9000])[0].endswith("z[...]")


CODE = """
import json
from artstore.tracking.capture.environment import environment
e = environment()
print(json.dumps([e["program"], e["argv"]]))
"""


def test_scripts_modules_and_code_are_told_apart(home: Path) -> None:
    (home / "work" / "script.py").write_text(CODE)
    package = home / "work" / "thing"
    package.mkdir()
    (package / "__main__.py").write_text(CODE)
    (package / "__init__.py").touch()
    named, line = in_process("", "script.py", "--token", "X", "1")
    assert named == str(home / "work" / "script.py")
    assert line[1:] == ["script.py", "--token", "***", "1"]
    named, line = in_process("", "-m", "thing")
    assert (named, line[1:]) == ("-m thing", ["-m", "thing"])
    named, line = in_process(CODE)
    assert named == "-c"


def test_a_notebook_is_told_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(kernel=object(), user_ns={})
    fake = types.ModuleType("IPython")
    fake.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert module.notebook({}) == {"kind": "jupyter", "path": None}
    assert module.notebook({"JPY_SESSION_NAME": "a/b.ipynb"}) == {
        "kind": "jupyter",
        "path": "a/b.ipynb",
    }
    shell.user_ns["__vsc_ipynb_file__"] = "/home/me/c.ipynb"
    assert module.notebook({}) == {"kind": "vscode", "path": "/home/me/c.ipynb"}
    assert program() == "/home/me/c.ipynb"


def test_it_is_fast_and_imports_nothing_heavy() -> None:
    code = """
    import sys, json, time
    import artstore.tracking.capture.environment, artstore.tracking.capture.git
    import artstore.tracking.capture.console, artstore.tracking.capture.background
    import artstore.tracking.capture.system, artstore.tracking.alerting, artstore.tracking.signals
    from artstore.tracking.capture.environment import environment
    environment()
    best = 1.0
    for _ in range(10):
        began = time.perf_counter()
        environment()
        best = min(best, time.perf_counter() - began)
    heavy = {"subprocess", "ctypes", "urllib.request", "ssl", "asyncio", "multiprocessing",
             "numpy", "psutil", "email", "http.client"}
    print(json.dumps([best, sorted(heavy & set(sys.modules))]))
    """
    seconds, heavy = in_process(code)
    assert heavy == []
    assert seconds < 0.02


def test_packages_are_those_that_importlib_finds() -> None:
    expected = {
        f"{re.sub(r'[-_.]+', '-', each.metadata['Name']).lower()}=={each.version}"
        for each in importlib.metadata.distributions()
    }
    assert set(packages()) == expected
    assert packages() == sorted(packages(), key=lambda text: text.split("==")[0])


def test_packages_of_every_age_are_found_and_the_first_on_the_path_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    (first / "My_Pkg-2.0+cu121.dist-info").mkdir(parents=True)
    (first / "~y_pkg-1.0.dist-info").mkdir()
    (second / "my.pkg-1.0.dist-info").mkdir(parents=True)
    (second / "old_one-0.3-py3.11.egg-info").touch()
    (second / "inplace.egg-info").mkdir()
    (second / "inplace.egg-info" / "PKG-INFO").write_text("Metadata-Version: 1\nVersion: 4.5\n")
    (second / "broken.egg-info").mkdir()
    (second / "readme.txt").touch()
    found = packages([str(first), str(second), str(tmp_path / "missing")])
    assert found == ["inplace==4.5", "my-pkg==2.0+cu121", "old-one==0.3"]


def test_a_sample_has_the_documented_names_in_sensible_ranges(tmp_path: Path) -> None:
    sampler = SystemSampler(tmp_path)
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    row = sampler.sample()
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "run-metrics.md"
    documented = set(re.findall(r"^\| `([a-z_.<>A-Z]+)` \|", page.read_text("utf-8"), re.MULTILINE))
    assert {re.sub(r"gpu\.\d+", "gpu.<N>", name) for name in row} <= documented
    assert all(isinstance(value, float) for value in row.values())
    assert 0 <= row["cpu"] <= 100
    assert 0 < row["process.cpu"] <= 100 * (os.cpu_count() or 1) + 10
    assert 0 < row["memory"] < 100
    assert row["process.memory_bytes"] > 1_000_000
    assert 0 < row["disk"] <= 100
    sampler.close()
    sampler.close()


def test_a_sample_costs_little(tmp_path: Path) -> None:
    sampler = SystemSampler(tmp_path)
    sampler.sample()
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        sampler.sample()
        best = min(best, time.perf_counter() - began)
    assert best < 0.002


def test_what_cannot_be_read_is_left_out_of_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore.tracking.capture import system

    sampler = SystemSampler(tmp_path / "gone")
    monkeypatch.setattr(system, "_read", lambda path: b"")
    row = sampler.sample()
    assert "memory" not in row
    assert "disk" not in row
    assert "process.cpu" in row or row == {}


def test_without_a_driver_there_are_no_gpus() -> None:
    devices = Devices({"CUDA_VISIBLE_DEVICES": ""})
    assert devices.sample() == {}
    devices.close()
    assert isinstance(gpus(), list)


def test_the_background_delivers_each_part_once(tmp_path: Path) -> None:
    parts: list[dict[str, Any]] = []
    capture = BackgroundCapture(str(tmp_path), parts.append)
    capture.start()
    capture.finish(30)
    assert [name for part in parts for name in part if name != "gpus"] == ["packages"]


def test_after_finish_nothing_is_delivered_any_more() -> None:
    parts: list[dict[str, Any]] = []
    inside, go_on = threading.Event(), threading.Event()

    def deliver(part: dict[str, Any]) -> None:
        inside.set()
        go_on.wait(10)
        parts.append(part)

    capture = BackgroundCapture(None, deliver)
    capture.start()
    assert inside.wait(10)
    threading.Timer(0.1, go_on.set).start()
    capture.finish()
    # The part that was on its way has arrived; no other one comes.
    assert len(parts) == 1
    time.sleep(0.05)
    assert len(parts) == 1


def test_a_capture_that_never_started_can_be_finished() -> None:
    BackgroundCapture(None, lambda part: None).finish(1)


def test_what_deliver_raises_ends_the_look_quietly(tmp_path: Path) -> None:
    def deliver(part: dict[str, Any]) -> None:
        raise RuntimeError("closed")

    capture = BackgroundCapture(str(tmp_path), deliver)
    capture.start()
    capture.finish(30)
    assert not capture._thread.is_alive()

"""Runs in a real notebook kernel: cells that are run again, that fail, that are interrupted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore.api import Store, open_store

manager = pytest.importorskip("jupyter_client.manager", reason="ipykernel is not installed")
pytest.importorskip("ipykernel")

SECONDS = 60
BEGIN = """
import time
import artstore as art
quick = {"store_seconds": 0.1, "journal_seconds": 0.1, "save_git": False, "save_packages": False}
"""


class Notebook:
    """A kernel of its own, as a notebook has one."""

    def __init__(self, directory: Path) -> None:
        self.url = str(directory / "store")
        self.environ = {
            **os.environ,
            "HOME": str(directory),
            "XDG_STATE_HOME": str(directory / "state"),
            "ARTSTORE_CACHE_DIR": str(directory / "cache"),
            "ARTSTORE_URL": self.url,
            "ARTSTORE_PROJECT": "p",
            "IPYTHONDIR": str(directory / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
        }
        self.kernel: Any = manager.KernelManager()
        self.kernel.kernel_spec.argv[0] = sys.executable
        self.kernel.start_kernel(env=self.environ, cwd=directory)
        self.client: Any = self.kernel.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)

    def cell(self, code: str, *, interrupt_at: str = "") -> tuple[str, str]:
        """What a cell prints on stdout, and the name of the error that ends it; "" for none."""
        printed = error = ""
        sent = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream" if content["name"] == "stdout":
                    printed += content["text"]
                    if interrupt_at and interrupt_at in printed:
                        interrupt_at = ""
                        self.kernel.interrupt_kernel()
                case "error":
                    error = content["ename"]
                case "status" if content["execution_state"] == "idle":
                    return printed, error

    def stored(self) -> Store:
        return open_store(self.url, project="p")

    def state(self, run: str) -> str:
        return self.stored().run(run).state

    def end(self, *, now: bool) -> None:
        self.client.stop_channels()
        self.kernel.shutdown_kernel(now=now)
        self.kernel.cleanup_resources()


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    made = Notebook(tmp_path)
    try:
        assert made.cell(BEGIN) == ("", "")
        yield made
    finally:
        if made.kernel.has_kernel:
            made.end(now=True)


def test_a_cell_that_is_run_again_ends_the_run_before_it(notebook: Notebook) -> None:
    assert notebook.cell('first = art.init(id="a", settings=quick)')[1] == ""
    notebook.cell('art.log({"x": 1}); print("seen")')
    again = 'second = art.init(id="b", settings=quick); print(first.state, art.run is second)'
    assert notebook.cell(again) == ("finished True\n", "")
    assert notebook.state("a") == "finished"
    assert "seen" in notebook.stored().run("a").console()
    nested = """
with art.init(id="c", settings=quick) as third:
    print(second.state, art.init() is third, third.state)
print(third.state)
"""
    assert notebook.cell(nested) == ("finished True running\nfinished\n", "")


def test_a_cell_that_fails_ends_the_run_that_it_opened_and_no_other(notebook: Notebook) -> None:
    failing = 'with art.init(id="a", settings=quick):\n    art.log({"x": 1})\n    1 / 0'
    assert notebook.cell(failing)[1] == "ZeroDivisionError"
    assert notebook.state("a") == "failed"
    notebook.cell('run = art.init(id="b", settings=quick)')
    assert notebook.cell("1 / 0")[1] == "ZeroDivisionError"
    assert notebook.cell("print(run.state); run.finish()") == ("running\n", "")
    assert notebook.state("b") == "finished"


def test_an_interrupted_cell_kills_the_run_that_it_opened_and_not_the_kernel(
    notebook: Notebook,
) -> None:
    long = 'with art.init(id="a", settings=quick):\n    print("begun")\n    time.sleep(60)'
    assert notebook.cell(long, interrupt_at="begun")[1] == "KeyboardInterrupt"
    assert notebook.state("a") == "killed"
    assert notebook.cell('print(art.init(id="b", settings=quick).state)') == ("running\n", "")


def test_a_kernel_that_is_shut_down_ends_its_run(notebook: Notebook) -> None:
    notebook.cell('run = art.init(id="a", settings=quick); run.log({"x": 1})')
    notebook.end(now=False)
    assert notebook.state("a") == "finished"
    assert notebook.stored().run("a").history_table().num_rows == 1


def test_a_kernel_that_is_killed_leaves_what_the_next_one_brings(notebook: Notebook) -> None:
    notebook.cell('run = art.init(id="a", settings=quick | {"store_seconds": 3600})')
    notebook.cell('for x in range(5): run.log({"x": x})')
    notebook.cell("run._recording.recorder.flush()")
    notebook.client.stop_channels()
    notebook.kernel.signal_kernel(9)
    notebook.kernel.cleanup_resources()
    after = Notebook(Path(notebook.environ["HOME"]))
    try:
        after.cell(BEGIN)
        after.cell('with art.init(id="b", settings=quick): pass')
        for _ in range(600):
            if any(run.whole["run"] == "a" for run in after.stored().runs()):
                break
            time.sleep(0.1)
        assert after.state("a") == "crashed"
        assert after.stored().run("a").history_table()["x"].to_pylist() == [0, 1, 2, 3, 4]
    finally:
        after.end(now=True)

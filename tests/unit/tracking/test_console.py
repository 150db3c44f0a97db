"""The console: printed as ever, kept beside, and never in the way."""

# ruff: noqa: T201 - printing is what is tested.

from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from artstore.tracking.capture.console import Console


class Kept:
    def __init__(self) -> None:
        self.parts: list[tuple[str, str]] = []

    def __call__(self, stream: str, text: str) -> None:
        self.parts.append((stream, text))

    def text(self, stream: str = "stdout") -> str:
        return "".join(text for name, text in self.parts if name == stream)


class Streams:
    """Real text streams over memory, which stand in the places of those of the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.out, self.err = (
            io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)
        )
        monkeypatch.setattr(sys, "stdout", self.out)
        monkeypatch.setattr(sys, "stderr", self.err)


@pytest.fixture
def take_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Streams]:
    """Called in the test itself: pytest puts streams of its own in place after all fixtures."""
    return lambda: Streams(monkeypatch)


def shown(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


def test_what_is_printed_is_shown_and_kept(take_over: Any) -> None:
    streams = take_over()
    kept = Kept()
    console = Console(kept)
    console.start()
    print("one")
    print("two", file=sys.stderr)
    print("thr", end="")
    console.drain()
    assert kept.parts == [("stdout", "one\n"), ("stderr", "two\n")]
    print("ee")
    console.close()
    print("four")
    assert kept.text() == "one\nthree\n"
    assert shown(streams.out) == "one\nthree\nfour\n"
    assert shown(streams.err) == "two\n"


def test_the_stream_stays_what_it_is_and_is_put_back_whole(take_over: Any) -> None:
    streams = take_over()
    stream = streams.out
    before = dict(vars(stream))
    console = Console(Kept())
    console.start()
    assert sys.stdout is stream
    assert stream.encoding == "utf-8"
    assert stream.buffer is not None
    assert stream.write("abc") == 3
    console.close()
    console.close()
    assert vars(stream) == before


def test_a_logger_that_holds_the_stream_is_heard(take_over: Any) -> None:
    take_over()
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("test_console")
    logger.addHandler(handler)
    kept = Kept()
    console = Console(kept)
    console.start()
    logger.warning("careful")
    console.close()
    logger.removeHandler(handler)
    assert kept.text("stderr") == "careful\n"


def test_a_run_within_a_run_hears_and_both_end_in_any_order(take_over: Any) -> None:
    take_over()
    for outer_first in (False, True):
        first, second = Kept(), Kept()
        outer, inner = Console(first), Console(second)
        outer.start()
        print("a")
        inner.start()
        print("b")
        (outer if outer_first else inner).close()
        print("c")
        (inner if outer_first else outer).close()
        print("d")
        assert first.text() == ("a\nb\n" if outer_first else "a\nb\nc\n")
        assert second.text() == ("b\nc\n" if outer_first else "b\n")
        assert "write" not in vars(sys.stdout)


def test_whoever_wraps_the_stream_in_between_is_left_in_place(take_over: Any) -> None:
    streams = take_over()
    kept = Kept()
    console = Console(kept)
    console.start()
    tee = sys.stdout.write
    seen: list[str] = []

    def wrapper(text: str) -> int:
        seen.append(text)
        return tee(text)

    sys.stdout.write = wrapper  # type: ignore[method-assign]
    print("a")
    console.close()
    print("b")
    assert sys.stdout.write is wrapper
    assert "".join(seen) == "a\nb\n"
    assert kept.text() == "a\n"
    assert shown(streams.out) == "a\nb\n"


def test_what_is_redirected_elsewhere_is_not_the_console(take_over: Any) -> None:
    take_over()
    kept = Kept()
    console = Console(kept)
    console.start()
    with redirect_stdout(io.StringIO()):
        print("elsewhere")
    console.close()
    assert kept.text() == ""


def test_streams_that_are_not_there_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slotted:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", Slotted())
    for mode in ("wrap", "redirect", "off"):
        console = Console(Kept(), mode=mode)  # type: ignore[arg-type]
        console.start()
        print("x", file=sys.stderr)
        console.close()


def test_what_the_sink_raises_does_not_reach_print(take_over: Any) -> None:
    streams = take_over()

    def sink(stream: str, text: str) -> None:
        print("within")
        raise RuntimeError("full")

    console = Console(sink)
    console.start()
    print("x" * 2_000_000)
    print("y")
    console.drain()
    console.close()
    assert shown(streams.out).endswith("within\n")


def test_what_the_stream_raises_is_raised_as_ever(take_over: Any) -> None:
    take_over()
    console = Console(Kept())
    console.start()
    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    console.close()


def test_secrets_of_the_environment_are_masked_across_writes(
    take_over: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = take_over()
    from artstore.tracking.capture import secrets

    monkeypatch.setenv("MY_TOKEN", "secret-value-1234")
    secrets._fresh = None
    kept = Kept()
    console = Console(kept)
    console.start()
    print("it is secret-va", end="")
    console.drain()
    print("lue-1234.")
    console.close()
    secrets._fresh = None
    assert kept.text() == "it is ***.\n"
    assert "secret-value-1234" in shown(streams.out)


def test_colours_are_kept_and_hide_no_secret(
    take_over: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over()
    from artstore.tracking.capture import secrets

    monkeypatch.setenv("MY_TOKEN", "secret-value-1234")
    secrets._fresh = None
    kept = Kept()
    console = Console(kept)
    console.start()
    print("\x1b[32mfine\x1b[0m")
    console.drain()
    # As libraries colour the numbers in a text.
    print("\x1b[1mit is secret-value-\x1b[36m1234\x1b[0m.")
    console.close()
    secrets._fresh = None
    assert kept.text() == "\x1b[32mfine\x1b[0m\nit is ***.\n"


def test_a_progress_bar_is_one_line(take_over: Any) -> None:
    take_over()
    kept = Kept()
    console = Console(kept)
    console.start()
    for number in range(10_000):
        sys.stderr.write(f"\r{number}/10000")
        if number % 1000 == 0:
            console.drain()
    print(file=sys.stderr)
    console.close()
    assert kept.text("stderr") == "9999/10000\n"


def test_a_program_that_prints_too_much_leaves_a_told_gap_and_its_end(take_over: Any) -> None:
    streams = take_over()
    kept = Kept()
    console = Console(kept, rate_bytes=1, burst_bytes=10_000)
    console.start()
    for number in range(100_000):
        print(f"line {number}")
    print("Traceback: the reason")
    console.close()
    text = kept.text()
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 99999\nTraceback: the reason\n")
    assert "lines (" in text
    assert "are left out here: more than 1 bytes a second]" in text
    assert len(text) < 15_000
    assert shown(streams.out).count("\n") == 100_001


def test_without_drain_memory_stays_bounded(take_over: Any) -> None:
    take_over()
    console = Console(Kept())
    console.start()
    for _ in range(3000):
        sys.stdout.write("x" * 1000 + "\n")
    assert console._waiting_chars <= 1_100_000
    console.close()


def test_threads_may_print_at_once(take_over: Any) -> None:
    take_over()
    kept = Kept()
    console = Console(kept)
    console.start()

    def work(number: int) -> None:
        for index in range(500):
            sys.stdout.write(f"{number}:{index}\n")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        console.drain()
    console.close()
    lines = kept.text().splitlines()
    assert sorted(lines) == sorted(f"{n}:{i}" for n in range(4) for i in range(500))


def in_process(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    prelude = """
    import json, os, subprocess, sys
    from artstore.tracking.capture.console import Console
    kept = []
    def sink(stream, text): kept.append((stream, text))
    def report(): open(os.environ["REPORT"], "w").write(json.dumps(kept))
    """
    file = Path("report.json")
    file.write_text("[]")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        capture_output="stdout" not in options,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "REPORT": str(file)},
        **options,
    )
    kept: dict[str, str] = {}
    for stream, text in json.loads(file.read_text()):
        kept[stream] = kept.get(stream, "") + text
    done.kept = kept  # type: ignore[attr-defined]
    return done


@pytest.mark.parametrize("mode", ["wrap", "redirect"])
def test_a_forked_child_lets_through(mode: str) -> None:
    done = in_process(f"""
    console = Console(sink, mode={mode!r})
    console.start()
    print("parent", flush=True)
    child = os.fork()
    if child == 0:
        print("child", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    console.close()
    report()
    """)
    assert "child" in done.stdout
    assert "parent" in done.stdout
    assert done.kept == {"stdout": "parent\n"}  # type: ignore[attr-defined]


def test_redirect_hears_children_and_writes_past_python() -> None:
    done = in_process("""
    console = Console(sink, mode="redirect")
    console.start()
    print("python")
    sys.stdout.flush()
    os.write(1, b"descriptor\\n")
    subprocess.run(["sh", "-c", "echo shell; echo wrong >&2"])
    os.write(2, "é".encode()[:1]); os.write(2, "é".encode()[1:] + b"\\n")
    console.close()
    print("after")
    report()
    """)
    assert done.stdout == "python\ndescriptor\nshell\nafter\n"
    assert done.stderr == "wrong\né\n"
    assert done.kept == {  # type: ignore[attr-defined]
        "stdout": "python\ndescriptor\nshell\n",
        "stderr": "wrong\né\n",
    }


def test_a_program_that_outlives_the_redirect_is_still_shown() -> None:
    done = in_process("""
    console = Console(sink, mode="redirect")
    console.start()
    late = subprocess.Popen(["sh", "-c", "read x; echo late"], stdin=subprocess.PIPE)
    console.close()
    late.communicate(b"go\\n")
    import time
    end = time.monotonic() + 5
    time.sleep(0.3)
    report()
    """)
    assert done.stdout == "late\n"
    assert done.kept == {}  # type: ignore[attr-defined]


def test_a_terminal_stays_a_terminal_under_redirect() -> None:
    reading, writing = pty.openpty()
    done = in_process(
        """
    console = Console(sink, mode="redirect")
    console.start()
    print(os.isatty(1), flush=True)
    console.close()
    report()
    """,
        stdout=writing,
    )
    assert done.kept == {"stdout": "True\n"}  # type: ignore[attr-defined]
    assert os.read(reading, 100).strip() == b"True"
    os.close(reading)
    os.close(writing)


def test_a_signal_handler_may_print_while_its_thread_prints() -> None:
    done = in_process("""
    import signal
    console = Console(sink)
    console.start()
    signal.signal(signal.SIGALRM, lambda *_: print("tick", file=sys.stderr))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for number in range(20000):
        sys.stdout.write(f"{number}\\n")
        if number % 500 == 0: console.drain()
    signal.setitimer(signal.ITIMER_REAL, 0)
    console.close()
    report()
    """)
    assert done.kept["stdout"].count("\n") == 20_000  # type: ignore[attr-defined]

"""Signals, sent to real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

import pytest

PRELUDE = """
import os, signal, sys, threading, time
from artstore.tracking.signals import Signals
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def rest():
    # In short sleeps: a signal that comes just before a sleep begins does not end it.
    for _ in range(600): time.sleep(0.1)
"""


class Program:
    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        with self.process:
            try:
                out, err = self.process.communicate(timeout=30)
            finally:
                self.process.kill()
        return self.process.returncode, out, err


def test_sigterm_flushes_and_then_ends_the_process_as_ever() -> None:
    program = Program("""
    signals = Signals(lambda: say("flushed"), lambda: None)
    assert signals.install()
    say("ready")
    rest()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.end()[:2] == (-signal.SIGTERM, "flushed\n")


def test_a_flush_that_hangs_or_fails_does_not_keep_the_process() -> None:
    for flush in ("lambda: time.sleep(60)", "lambda: 1 / 0"):
        program = Program(f"""
        Signals({flush}, lambda: None, flush_seconds=0.3).install()
        say("ready")
        rest()
        """)
        assert program.line() == "ready"
        began = time.monotonic()
        program.send(signal.SIGTERM)
        assert program.end()[0] == -signal.SIGTERM
        assert time.monotonic() - began < 10


def test_a_lock_of_the_main_thread_can_be_had_by_the_flush() -> None:
    program = Program("""
    lock = threading.Lock()
    def flush():
        with lock:
            say("flushed")
    Signals(flush, lambda: None).install()
    with lock:
        say("ready")
        time.sleep(0.5)
    rest()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.end()[:2] == (-signal.SIGTERM, "flushed\n")


def test_a_main_thread_that_slept_through_the_end_of_the_flush_is_woken_again() -> None:
    program = Program("""
    kill, times = signal.pthread_kill, []
    def kill_late(*arguments):
        times.append(arguments)
        if len(times) > 2:
            kill(*arguments)
    signal.pthread_kill = kill_late
    Signals(lambda: None, lambda: None).install()
    say("ready")
    rest()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.end()[0] == -signal.SIGTERM


def test_a_second_sigterm_is_not_kept_waiting() -> None:
    program = Program("""
    def flush():
        say("begun")
        rest()
    Signals(flush, lambda: None, flush_seconds=60).install()
    say("ready")
    rest()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.line() == "begun"
    program.send(signal.SIGTERM)
    assert program.end()[0] == -signal.SIGTERM


def test_the_handler_there_was_before_is_called_after_the_flush() -> None:
    program = Program("""
    def own(number, frame):
        say("own", number)
        sys.exit(7)
    signal.signal(signal.SIGTERM, own)
    outer = Signals(lambda: say("outer"), lambda: None)
    inner = Signals(lambda: say("inner"), lambda: None)
    assert outer.install() and inner.install()
    say("ready")
    rest()
    """)
    assert program.line() == "ready"
    program.send(signal.SIGTERM)
    assert program.end()[:2] == (7, "inner\nouter\nown 15\n")


def test_a_forked_child_dies_at_once() -> None:
    program = Program("""
    Signals(lambda: say("flushed"), lambda: None).install()
    child = os.fork()
    if child == 0:
        rest()
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert program.end()[:2] == (0, "-15\n")


def test_handlers_are_put_back_unless_others_came_later() -> None:
    program = Program("""
    signals = Signals(lambda: None, lambda: None)
    signals.install()
    signals.uninstall()
    signals.uninstall()
    say(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    signals.install()
    def later(*_): say("later")
    signal.signal(signal.SIGTERM, later)
    signals.uninstall()
    say(signal.getsignal(signal.SIGTERM) is later)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(signals.install())
    results = []
    thread = threading.Thread(target=lambda: results.append(signals.install()))
    thread.start(); thread.join()
    say(results)
    """)
    assert program.end()[:2] == (0, "True\nTrue\nFalse\n[False]\n")


FINISH = """
gives_up = threading.Event()
signals = Signals(lambda: None, gives_up.set)
signals.install()
try:
    try:
        {first}
    finally:
        interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
        with signals.finishing(interrupted=interrupted):
            say("finishing")
            say("gave up" if gives_up.wait({wait}) else "finished")
except KeyboardInterrupt:
    say("interrupt")
say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_ctrl_c_is_keyboard_interrupt_as_ever() -> None:
    program = Program(FINISH.format(first="say('ready'); rest()", wait=0.1))
    assert program.line() == "ready"
    program.send(signal.SIGINT)
    assert program.end()[:2] == (0, "finishing\nfinished\ninterrupt\nTrue\n")


def test_ctrl_c_again_gives_up_waiting() -> None:
    program = Program(FINISH.format(first="say('ready'); rest()", wait=30))
    assert program.line() == "ready"
    program.send(signal.SIGINT)
    assert program.line() == "finishing"
    program.send(signal.SIGINT)
    assert program.end()[:2] == (0, "gave up\ninterrupt\nTrue\n")


def test_in_a_finish_of_its_own_the_first_ctrl_c_says_what_the_second_does() -> None:
    program = Program(FINISH.format(first="pass", wait=30))
    assert program.line() == "finishing"
    program.send(signal.SIGINT)
    time.sleep(0.3)
    program.send(signal.SIGINT)
    status, out, err = program.end()
    assert (status, out) == (0, "gave up\ninterrupt\nTrue\n")
    assert "Ctrl-C again leaves it for `art run repair`" in err


def test_one_ctrl_c_within_a_finish_is_raised_after_it() -> None:
    program = Program(FINISH.format(first="pass", wait=1))
    assert program.line() == "finishing"
    program.send(signal.SIGINT)
    assert program.end()[:2] == (0, "finished\ninterrupt\nTrue\n")


def test_the_third_ctrl_c_ends_the_finish() -> None:
    program = Program("""
    signals = Signals(lambda: None, lambda: None)
    try:
        with signals.finishing():
            say("finishing")
            rest()
    except KeyboardInterrupt:
        say("interrupt")
    """)
    assert program.line() == "finishing"
    for _ in range(3):
        program.send(signal.SIGINT)
        time.sleep(0.2)
    assert program.end()[:2] == (0, "interrupt\n")


@pytest.mark.parametrize("code", ["pass", "raise ValueError"])
def test_without_ctrl_c_the_block_is_as_if_nothing_was(code: str) -> None:
    program = Program(f"""
    try:
        with Signals(lambda: None, lambda: None).finishing():
            {code}
    except ValueError:
        pass
    say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """)
    assert program.end()[:2] == (0, "True\n")

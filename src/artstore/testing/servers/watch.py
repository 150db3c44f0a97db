"""
Run a command until it ends or whoever started this is gone; then kill all of it.

Standard input is a pipe from the starter and never carries anything: its end
means that the starter is dead, however it died. This is a script of its own,
started without the package (`python -I -S watch.py COMMAND ...`), so that it
costs milliseconds and little memory.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Start the command in a group of its own and wait for either end."""
    # A Ctrl-C at the terminal is for the starter, who then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def kill_when_starter_is_gone() -> None:
        while os.read(0, 1024):
            pass
        _kill_group(process.pid)

    threading.Thread(target=kill_when_starter_is_gone, daemon=True).start()
    status = process.wait()
    # What the command itself started goes with it.
    _kill_group(process.pid)
    return status if status >= 0 else 128 - status


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

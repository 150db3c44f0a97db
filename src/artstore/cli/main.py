"""
The command `art`: what happens before and after a command runs.

`--version` answers without loading click, and the modules of the commands load
when they are used: a shell prompt may call us, and 100 ms are its patience.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final, NoReturn

__all__ = ["main"]

TERMINATED: Final = 143


def main() -> None:
    """Run the command line of this process, then leave with its exit status."""
    if sys.platform == "win32":
        sys.exit(
            "art: artstore runs on Linux and macOS; on Windows use it inside WSL "
            "(https://learn.microsoft.com/windows/wsl)"
        )
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from artstore._version import __version__

        sys.stdout.write(f"artstore {__version__}\n")
        return
    try:
        import gc
        import signal

        # A million entries are a million objects and hardly a cycle among them: with the
        # thresholds of an interactive session, 8 % of a push went into looking for some.
        gc.set_threshold(50_000, 20, 50)
        from artstore.cli.run import run

        signal.signal(signal.SIGTERM, _terminate)
        sys.exit(run(arguments))
    except KeyboardInterrupt:
        # While modules load, or while the last words are said.
        from artstore.errors import INTERRUPTED

        sys.exit(INTERRUPTED)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that temporary files of a checkout are removed on the way out.
    sys.exit(TERMINATED)


if __name__ == "__main__":
    main()

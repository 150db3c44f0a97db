"""
Write the golden store of format v1: `python -m tests.golden.write_v1`, once, when v1 is final.

A store that is there is never touched: what released versions wrote must be read for ever.
"""

from __future__ import annotations

import sys

from tests.golden.making import DIRECTORY, make, write


def main() -> int:
    if DIRECTORY.exists():
        sys.stderr.write(f"{DIRECTORY} is there already and is never written again\n")
        return 1
    sys.stdout.write(f"{write(make(), DIRECTORY)} files in {DIRECTORY}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""
Ids of runs, and names that a person can say.
"""

from __future__ import annotations

from typing import Final

from artstore import clock
from artstore.digest import checksum64

__all__ = ["new_run_id", "spoken_name"]

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_CHARS: Final = 8
_FIRST: Final = """
amber arctic bold brave bright calm clear clever coral crisp dapper deft eager early fair
fleet fond fresh gentle glad golden grand green happy hardy humble icy jolly keen kind light
lively lucky mellow merry mild misty modest neat nimble noble pale plain proud quick quiet
rapid ready red rustic sage sharp silent silver simple sleek smooth snowy solar steady still
sunny swift tidy vivid warm wise witty
"""
_SECOND: Final = """
acorn alder anchor aspen badger beacon birch bison brook canyon cedar cliff cloud comet coral
crane creek dale dawn delta dune eagle ember falcon fern field finch fjord forest fox garden
glacier grove harbor hare hawk heath heron hill island ivy lagoon lake lark maple marsh meadow
moon moss oak orchid otter owl peak pine plover pond rain reef ridge river robin sparrow
spruce star stone summit tern tide valley willow wren
"""


def new_run_id() -> str:
    """8 letters and digits, of 2.8 million million."""
    number = int.from_bytes(clock.random_bytes(8))
    letters = []
    for _ in range(_ID_CHARS):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    return "".join(letters)


def spoken_name(run_id: str) -> str:
    """`brave-tern`, the same for an id in every process."""
    first, second = _FIRST.split(), _SECOND.split()
    rest, at = divmod(int.from_bytes(checksum64(run_id.encode())), len(first))
    return f"{first[at]}-{second[rest % len(second)]}"

"""
The tables of docs/explanation/requests-and-cost.md, made of what was counted.

    python -m tests.budgets.pages     writes them into the page
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from random import Random
from typing import Final

from artstore import limits
from artstore.storage.meter import PAGE_KEY_COUNT, Request
from tests.budgets.story import Machines, Requests, machines, play
from tests.trees import noise, open_at

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/explanation/requests-and-cost.md"

# S3 Standard in us-east-1, dollars. The page names place and date.
PUT_OR_LIST: Final = 0.005 / 1_000
GET_OR_HEAD: Final = 0.0004 / 1_000

IMAGE_COUNT: Final = 1_000_000
IMAGE_BYTES: Final = 110_000
SCALE: Final = 1_000
"""One image in so many is really pushed and pulled; the counts are multiplied."""
CHANGED_IN: Final = 1_000
_READ_COUNT: Final = 50


# --- Requests of each command --------------------------------------------------------


def requests_table(sent: dict[str, Requests]) -> list[str]:
    """One line a command; the last column says which requests these are."""
    lines = ["| command | LIST | GET | HEAD | PUT | which |", "|---|---|---|---|---|---|"]
    for command, requests in sent.items():
        counts = [
            sum(count for asked, count in requests.items() if asked.method == method)
            for method in ("LIST", "GET", "HEAD", "PUT")
        ]
        cells = " | ".join(str(count) if count else "" for count in counts)
        lines.append(f"| {command} | {cells} | {_which(requests)} |")
    return lines


def _which(requests: Requests) -> str:
    return ", ".join(
        f"{method} {' '.join(_room(room, requests[Request(method, room)]) for room in rooms)}"
        for method in ("LIST", "GET", "HEAD", "PUT")
        if (rooms := sorted(asked.room for asked in requests if asked.method == method))
    )


def _room(room: str, count: int) -> str:
    return f"{room} x {count}" if count > 1 else room


# --- What a million images cost --------------------------------------------------------


@dataclass(frozen=True)
class Bill:
    """Requests and their price, for a million images."""

    writes: int
    reads: int

    @property
    def dollars(self) -> float:
        return self.writes * PUT_OR_LIST + self.reads * GET_OR_HEAD

    def told(self) -> str:
        kinds = (("PUT or LIST", self.writes), ("GET or HEAD", self.reads))
        counts = [f"{_rounded(count):,} {kind}" for kind, count in kinds if count]
        return f"{', '.join(counts)}: {_dollars(self.dollars)}"


def _rounded(count: int) -> int:
    """Two digits are what scaling leaves true."""
    places = max(0, len(str(count)) - 2)
    return round(count / 10**places) * 10**places


def _dollars(amount: float) -> str:
    if amount < 0.001:
        return "under $0.001"
    return f"${amount:.3f}" if amount < 0.1 else f"${amount:.2f}"


@dataclass(frozen=True)
class Sent:
    """What one command sent; bytes are those of values."""

    requests: Requests
    written_bytes: int
    read_bytes: int

    def bill(self, *, full_ranges: bool = True) -> Bill:
        """
        The bill of the same work on a million images.

        What goes into packs and comes out of them grows with the images: written in
        whole packs; read in ranges as long as allowed, or as many as were counted
        here. All else stays: an entry, a root and a segment of the index are one
        request each, whatever they hold.
        """
        writes = reads = 0
        for asked, count in self.requests.items():
            if asked == Request("PUT", "packs"):
                writes += ceil(self.written_bytes * SCALE / limits.PACK_TARGET_BYTES)
            elif asked == Request("GET", "packs"):
                grown = ceil(self.read_bytes * SCALE / limits.READ_WINDOW_BYTES)
                reads += grown if full_ranges else count * SCALE
            elif asked.method in ("PUT", "LIST"):
                writes += count
            else:
                reads += count
        return Bill(writes, reads)


@dataclass(frozen=True)
class Counted:
    """What was sent for a thousandth of a million images."""

    push: Sent
    push_again: Sent
    push_changed: Sent
    pull: Sent
    pull_again: Sent
    read_each: Requests

    def bills(self) -> list[tuple[str, Bill, Bill]]:
        """Each work: its bill with one object for each file, and with a store."""
        pages = IMAGE_COUNT // PAGE_KEY_COUNT
        changed = IMAGE_COUNT // CHANGED_IN
        random_reads = self.read_each.total() * IMAGE_COUNT // _READ_COUNT
        return [
            ("push all, the first time", Bill(IMAGE_COUNT, 0), self.push.bill()),
            ("push again, nothing changed", Bill(pages, 0), self.push_again.bill()),
            (f"push after {changed:,} changed", Bill(pages + changed, 0), self.push_changed.bill()),
            ("pull all", Bill(pages, IMAGE_COUNT), self.pull.bill(full_ranges=False)),
            ("pull again, nothing changed", Bill(pages, 0), self.pull_again.bill()),
            ("read every image once, in random order", Bill(0, IMAGE_COUNT), Bill(0, random_reads)),
        ]


def count_images(base: Path) -> Counted:
    """Push, pull and read a thousandth of a million images."""
    root = base / "many"
    root.mkdir()
    count = IMAGE_COUNT // SCALE
    for number in range(count):
        _write_image(root, number, 0)
    with machines(base) as here:
        here.art("a", "init", here.url)
        push = _sent(here, "a", "push", root, "many")
        push_again = _sent(here, "a", "push", root, "many")
        pull = _sent(here, "b", "pull", "many", base / "out")
        pull_again = _sent(here, "b", "pull", "many", base / "out")
        read_each = _count_random_reads(here, count)
        for number in range(0, count, CHANGED_IN):
            _write_image(root, number, count)
        push_changed = _sent(here, "a", "push", root, "many")
    return Counted(push, push_again, push_changed, pull, pull_again, read_each)


def _sent(here: Machines, machine: str, *words: str | Path) -> Sent:
    here.art(machine, *words)
    counts = here.storage.snapshot()
    requests = here.storage.requests()
    return Sent(requests, counts["create"].size_bytes, counts["read"].size_bytes)


def _count_random_reads(here: Machines, count: int) -> Requests:
    artifact = open_at(here.url, here.storage, project="default").artifact("many")
    list(artifact.entries())
    here.storage.reset()
    for number in Random(1).sample(range(count), _READ_COUNT):
        assert len(artifact.read(f"{number:06d}.jpg")) == IMAGE_BYTES
    return here.storage.requests()


def _write_image(root: Path, number: int, seed: int) -> None:
    (root / f"{number:06d}.jpg").write_bytes(noise(IMAGE_BYTES, seed + number))


def cost_table(counted: Counted) -> list[str]:
    """One line a work."""
    lines = ["| work | one object for each image | a store |", "|---|---|---|"]
    for work, plain, store in counted.bills():
        lines.append(f"| {work} | {plain.told()} | {store.told()} |")
    return lines


# --- The page -----------------------------------------------------------------------------


def with_table(text: str, name: str, lines: Sequence[str]) -> str:
    """The page with the table between its two comments made anew."""
    opening, closing = f"<!-- {name}: written by tests/budgets/pages.py -->\n", "\n<!-- end -->"
    before, found, rest = text.partition(opening)
    assert found, f"{PAGE} has no comment {opening!r}"
    _, found, after = rest.partition(closing)
    assert found, f"{PAGE}: the table {name} has no end"
    return f"{before}{opening}\n" + "\n".join(lines) + f"\n{closing}{after}"


def main() -> None:
    """Write both tables into the page."""
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        (base / "story").mkdir()
        sent = play(base / "story")
        counted = count_images(base)
    text = PAGE.read_text("utf-8")
    text = with_table(text, "requests", requests_table(sent))
    PAGE.write_text(with_table(text, "cost", cost_table(counted)), "utf-8")


if __name__ == "__main__":
    main()

"""
The rows of the table, and the order of steps that makes each of them possible.

A scenario is a list of steps, run from the first to the last one that is
wanted: the second push of a row needs the first, and the old checkout is the
one that an earlier step pulled. Steps that no chosen row names run unmeasured.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import corpora
from benchmarks.corpora import Corpus
from benchmarks.evidence import Fingerprints, count_extra_files
from benchmarks.measure import (
    Command,
    Sample,
    drop_page_cache,
    measure,
    read_from,
    warm_page_cache,
)
from benchmarks.tools import ArtTool, Tool

__all__ = [
    "MB",
    "ROWS",
    "SCENARIOS",
    "Observation",
    "Recorder",
    "Row",
    "Scenario",
    "Step",
    "Target",
    "edit_step",
    "place_step",
    "push_step",
]

MB = 1_000_000
GENERATED_IN_ROOMS = frozenset(("w7", "w8"))


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """
    What the issue asks of a row; every limit given must hold.

    Where `seconds` and `ratio` are both given, one of the two suffices: the
    second is the same aim told for a machine of another speed. `sent_ratio` is
    to what `ratio_to` sent.
    """

    seconds: float | None = None
    ratio: float | None = None
    ratio_to: str = "cp"
    stored_bytes: int | None = None
    store_read_bytes: int | None = None
    left_bytes: int | None = None
    peak_bytes: int | None = None
    extra_files: int | None = None
    request_count: int | None = None
    write_count: int | None = None
    sent_bytes: int | None = None
    sent_ratio: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `scenario` names the steps that lead to it."""

    id: str
    title: str
    scenario: str
    target: Target


_MEMORY = 200 * MB
ROWS: tuple[Row, ...] = (
    Row("push-w2", "push W2, cold", "w2", Target(ratio=1.0, peak_bytes=_MEMORY)),
    Row(
        "push-w5",
        "push W5, nothing changed",
        "w2",
        Target(seconds=0.3, ratio=1 / 3, ratio_to="read+blake3", peak_bytes=_MEMORY),
    ),
    Row(
        "pull-w2",
        "pull W2 into an empty directory, cold",
        "w2",
        Target(ratio=1.0, left_bytes=0, extra_files=0, peak_bytes=_MEMORY),
    ),
    Row(
        "push-w4",
        "push W4",
        "w2",
        Target(seconds=0.6, stored_bytes=8_900_000, peak_bytes=_MEMORY),
    ),
    Row(
        "pull-w4",
        "pull W4 onto the old checkout",
        "w2",
        Target(seconds=0.6, extra_files=0, left_bytes=0, peak_bytes=_MEMORY),
    ),
    Row("push-w1", "push W1, cold", "w1", Target(ratio=1.8, peak_bytes=_MEMORY)),
    Row(
        "push-w1-again",
        "push W1 again, unchanged",
        "w1",
        Target(seconds=0.2, peak_bytes=_MEMORY),
    ),
    Row(
        "pull-w1",
        "pull W1, cold",
        "w1",
        Target(ratio=1.5, left_bytes=0, extra_files=0, peak_bytes=_MEMORY),
    ),
    Row("push-w3", "push W3", "w1", Target(seconds=1.5, stored_bytes=2 * MB, peak_bytes=_MEMORY)),
    Row(
        "pull-w3",
        "pull W3 onto the old checkout",
        "w1",
        Target(ratio=1.5, left_bytes=0, extra_files=0, peak_bytes=_MEMORY),
    ),
    Row(
        "pull-w3-reads",
        "pull W3 onto the old checkout: bytes read from the store",
        "w1-traced",
        Target(store_read_bytes=4 * MB),
    ),
    Row(
        "pull-w3-reflink",
        "pull W3 onto the old checkout, reflink",
        "w1-reflink",
        Target(seconds=1.5, peak_bytes=_MEMORY),
    ),
    Row("push-w7", "push W7, first", "w7", Target(peak_bytes=1_000 * MB)),
    Row("pull-w7", "pull W7 into an empty directory", "w7", Target(peak_bytes=1_000 * MB)),
    Row(
        "push-w7-again",
        "push W7, 10 entries changed",
        "w7",
        Target(stored_bytes=1 * MB, peak_bytes=1_000 * MB),
    ),
    Row("version", "art --version", "start", Target(seconds=0.1)),
    Row("help", "art --help", "start", Target(seconds=0.1)),
)


@dataclasses.dataclass(slots=True)
class Observation:
    """What was seen of one tool in one row: a sample a run, and the largest of each count."""

    samples: list[Sample] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


class Recorder:
    """
    Runs the steps of scenarios and keeps what the chosen rows ask for.

    Args:
        chosen: ids of the rows to keep.
        pristine: for each kind of corpus, where its tree lies.
    """

    def __init__(self, chosen: frozenset[str], corpus_by_kind: dict[str, Corpus], pristine: Path):
        self.chosen = chosen
        self.corpus_by_kind = corpus_by_kind
        self.pristine = pristine
        self.cache_dropped_by = "not needed"
        self.seen: dict[tuple[str, str], Observation] = {}

    # --- steps ---------------------------------------------------------------

    def place(self, tool: Tool, kind: str) -> None:
        """Put the tree of a corpus into the tool's room."""
        corpus = self.corpus_by_kind[kind]
        if kind in GENERATED_IN_ROOMS:
            # Writing it anew costs no more than copying it, and takes half the disk.
            corpora.generate(corpus, tool.tree)
        else:
            tool.do("cp", "-R", self.pristine / kind, tool.tree)

    def edit(self, tool: Tool, kind: str) -> None:
        corpora.edit(self.corpus_by_kind[kind], tool.tree)

    def push(self, row_id: str, tool: Tool, *, cold: bool = False) -> None:
        before = tool.stored_bytes()
        self.run(row_id, tool, tool.push(), cold=cold, places=[tool.tree])
        self.count(row_id, tool, "stored_bytes", tool.stored_bytes() - before)

    def pull(self, row_id: str, tool: Tool, *, cold: bool = False) -> None:
        tool.before_pull()
        places = [tool.store, tool.checkout]
        self.run(row_id, tool, tool.pull(), cold=cold, places=places)
        if row_id in self.chosen:
            is_first = "extra_files" not in self.observe(row_id, tool.name).counts
            extra = count_extra_files(tool.tree, tool.checkout, reads_content=is_first)
            self.count(row_id, tool, "extra_files", extra)

    def leftovers(self, row_id: str, tool: Tool) -> None:
        """Count the content that lies in caches and staging after the pull of `row_id`."""
        if row_id in self.chosen and "left_bytes" not in self.observe(row_id, tool.name).counts:
            prints = Fingerprints.of(tool.tree, corpora.DEFAULT_SEED)
            self.count(row_id, tool, "left_bytes", prints.content_bytes(tool.private_places()))

    def traced_pull(self, row_id: str, tool: Tool) -> None:
        tool.before_pull()
        count = read_from(tool.pull(), tool.store)
        if count is not None:
            self.count(row_id, tool, "store_read_bytes", count)

    def start(self, row_id: str, tool: Tool, *words: str) -> None:
        assert isinstance(tool, ArtTool)
        self.run(row_id, tool, tool.art(*words), cold=False, places=[])

    # --- keeping ---------------------------------------------------------------

    def run(
        self,
        row_id: str,
        tool: Tool,
        command: Command,
        *,
        places: list[Path],
        cold: bool = False,
    ) -> None:
        """Run a command, measured if its row was chosen; `places` are what it reads."""
        if row_id not in self.chosen:
            measure(command)
            return
        if cold:
            self.cache_dropped_by = drop_page_cache(places)
        else:
            warm_page_cache(places)
        sample = measure(command)
        self.observe(row_id, tool.name).samples.append(sample)

    def count(self, row_id: str, tool: Tool, name: str, value: int) -> None:
        """Keep the largest value of a count."""
        if row_id in self.chosen:
            counts = self.observe(row_id, tool.name).counts
            counts[name] = max(value, counts.get(name, value))

    def observe(self, row_id: str, name: str) -> Observation:
        """What was seen of the tool of that name in a row."""
        return self.seen.setdefault((row_id, name), Observation())


Step = tuple[str, Callable[[Recorder, Tool], None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """
    Steps in their order, each under the id of its row ("" leads to the next).

    `only_art` keeps the other tools out: the row is about us, or would take
    a peer an hour. `repeats` is False where one run says all. `generated` are
    the corpora that are made in the room; `is_counted` asks for a further round
    in which requests are counted. `room_copies` tells how many copies of its
    corpus are on the disk at once, if that is fewer than usual.
    """

    name: str
    corpora: tuple[str, ...]
    steps: tuple[Step, ...]
    only_art: bool = False
    repeats: bool = True
    needs_reflink: bool = False
    generated: tuple[str, ...] = ()
    is_counted: bool = False
    room_copies: int | None = None

    def play(self, recorder: Recorder, tool: Tool) -> None:
        """Run the steps up to the last chosen one in a fresh room, and clear the room."""
        last = max(
            (i for i, (row_id, _) in enumerate(self.steps) if row_id in recorder.chosen), default=-1
        )
        shutil.rmtree(tool.room, ignore_errors=True)
        tool.room.mkdir(parents=True)
        try:
            tool.links_by_reflink = self.needs_reflink
            tool.prepare()
            for _, step in self.steps[: last + 1]:
                step(recorder, tool)
        finally:
            shutil.rmtree(tool.room, ignore_errors=True)


def place_step(kind: str) -> Step:
    return "", lambda recorder, tool: recorder.place(tool, kind)


def edit_step(kind: str) -> Step:
    return "", lambda recorder, tool: recorder.edit(tool, kind)


def push_step(row_id: str, *, cold: bool = False) -> Step:
    return row_id, lambda recorder, tool: recorder.push(row_id, tool, cold=cold)


def _pull(row_id: str, *, cold: bool = False) -> Step:
    def step(recorder: Recorder, tool: Tool) -> None:
        if tool.can_pull:
            recorder.pull(row_id, tool, cold=cold)
            recorder.leftovers(row_id, tool)

    return row_id, step


def _traced_pull(row_id: str) -> Step:
    return row_id, lambda recorder, tool: recorder.traced_pull(row_id, tool)


def _start(row_id: str, *words: str) -> Step:
    return row_id, lambda recorder, tool: recorder.start(row_id, tool, *words)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "w2",
            ("w2",),
            (
                place_step("w2"),
                push_step("push-w2", cold=True),
                push_step("push-w5"),
                _pull("pull-w2", cold=True),
                edit_step("w2"),
                push_step("push-w4"),
                _pull("pull-w4"),
            ),
        ),
        Scenario(
            "w1",
            ("w1",),
            (
                place_step("w1"),
                push_step("push-w1", cold=True),
                push_step("push-w1-again"),
                _pull("pull-w1", cold=True),
                edit_step("w1"),
                push_step("push-w3"),
                _pull("pull-w3"),
            ),
        ),
        Scenario(
            "w1-traced",
            ("w1",),
            (
                place_step("w1"),
                push_step(""),
                _pull(""),
                edit_step("w1"),
                push_step(""),
                _traced_pull("pull-w3-reads"),
            ),
            only_art=True,
            repeats=False,
        ),
        Scenario(
            "w1-reflink",
            ("w1",),
            (
                place_step("w1"),
                push_step(""),
                _pull(""),
                edit_step("w1"),
                push_step(""),
                _pull("pull-w3-reflink"),
            ),
            only_art=True,
            needs_reflink=True,
        ),
        Scenario(
            "w7",
            (),
            (
                place_step("w7"),
                push_step("push-w7"),
                _pull("pull-w7"),
                edit_step("w7"),
                push_step("push-w7-again"),
            ),
            only_art=True,
            repeats=False,
            generated=("w7",),
        ),
        Scenario(
            "start",
            (),
            (_start("version", "--version"), _start("help", "--help")),
            only_art=True,
        ),
    )
}

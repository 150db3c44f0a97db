"""
What is measured in one go: rows, scenarios and tools, and what a round of them needs.

The suite of local stores needs a disk; that of buckets an S3 server, started
anew for each round, and a bucket in it for each tool.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.corpora import Corpus
from benchmarks.peers import PEERS
from benchmarks.tools import ArtTool, CopyTool, HashTool, Tool
from benchmarks.workloads import ROWS, SCENARIOS, Recorder, Row, Scenario

__all__ = ["LOCAL", "S3_SERVERS", "Round", "Suite", "s3_suite"]

S3_SERVERS = ("radosgw", "moto", "moto-on-disk")
JUDGED_SERVER = "radosgw"


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """One repetition of a scenario for all tools, while what it needs is there."""

    number: int

    def tool(self, kind: type[Tool], room: Path) -> Tool:
        """A tool in its room, ready to be prepared."""
        return kind(room)


@dataclasses.dataclass(frozen=True)
class Suite:
    """
    Attributes:
        tools: those that run unless others are asked for.
        optional_tools: run when asked for.
        rare: scenarios that run when asked for.
        room_copies: copies of a corpus on the disk while a tool has most of them.
    """

    name: str
    rows: tuple[Row, ...]
    scenarios: Mapping[str, Scenario]
    tools: tuple[type[Tool], ...]
    optional_tools: tuple[type[Tool], ...]
    rare: frozenset[str]
    # Copies of its corpus that a tool holds at its fullest: tree, checkout, two
    # versions in the store; DVC adds two caches of two versions.
    room_copies: int = 4
    optional_room_copies: int = 8

    def recorder(
        self, chosen: frozenset[str], corpus_by_kind: dict[str, Corpus], pristine: Path
    ) -> Recorder:
        return Recorder(chosen, corpus_by_kind, pristine)

    def numbers(self, scenario: Scenario, runs: int) -> range:
        """The numbers of the rounds; round 0 counts and takes no time."""
        return range(1, (runs if scenario.repeats else 1) + 1)

    @contextmanager
    def round(
        self, number: int, scenario: Scenario, recorder: Recorder, work: Path
    ) -> Iterator[Round]:
        del scenario, recorder, work
        yield Round(number)

    def judges(self, row: Row) -> bool:
        """Whether the targets of a row hold for this suite."""
        del row
        return True

    def reason_against(self, scenario: Scenario) -> str | None:
        """Why a scenario cannot run here."""
        del scenario
        return None


LOCAL = Suite(
    name="local",
    rows=ROWS,
    scenarios=SCENARIOS,
    tools=(CopyTool, HashTool, ArtTool),
    optional_tools=PEERS,
    rare=frozenset(("w7",)),
)


class _S3Suite(Suite):
    def recorder(
        self, chosen: frozenset[str], corpus_by_kind: dict[str, Corpus], pristine: Path
    ) -> Recorder:
        from benchmarks.s3_workloads import S3Recorder

        return S3Recorder(chosen, corpus_by_kind, pristine)

    def numbers(self, scenario: Scenario, runs: int) -> range:
        first = 0 if scenario.is_counted else 1
        return range(first, (runs if scenario.repeats else 1) + 1)

    @contextmanager
    def round(
        self, number: int, scenario: Scenario, recorder: Recorder, work: Path
    ) -> Iterator[Round]:
        del scenario
        from benchmarks.s3_place import S3Place, serve
        from benchmarks.s3_tools import S3Tool
        from benchmarks.s3_workloads import S3Recorder
        from benchmarks.traffic import Relay

        assert isinstance(recorder, S3Recorder)
        with ExitStack() as stack:
            server = stack.enter_context(serve(self.name, work))
            relay = stack.enter_context(Relay(server.endpoint_url)) if number == 0 else None
            recorder.relay = relay

            @dataclasses.dataclass(frozen=True, slots=True)
            class S3Round(Round):
                def tool(self, kind: type[Tool], room: Path) -> Tool:
                    tool = kind(room)
                    assert isinstance(tool, S3Tool)
                    tool.place = S3Place(server, server.make_bucket(), relay)
                    return tool

            yield S3Round(number)

    def judges(self, row: Row) -> bool:
        # Seconds and ratios of the issue are those of radosgw; memory is ours alone.
        return self.name == JUDGED_SERVER or row.target.peak_bytes is not None

    def reason_against(self, scenario: Scenario) -> str | None:
        if "w8" in scenario.generated and self.name != "moto-on-disk":
            return f"{self.name} keeps 20 GiB in memory; use --s3 moto-on-disk"
        return None


def s3_suite(server_name: str) -> Suite:
    """
    The rows for buckets, against a server of that name.

    Raises:
        SystemExit: the server is not installed.
    """
    from artstore.testing.servers import radosgw_missing
    from benchmarks.s3_tools import S3_TOOLS
    from benchmarks.s3_workloads import S3_ROWS, S3_SCENARIOS

    if server_name == "radosgw" and (reason := radosgw_missing()):
        raise SystemExit(reason)
    return _S3Suite(
        name=server_name,
        rows=S3_ROWS,
        scenarios=S3_SCENARIOS,
        tools=S3_TOOLS,
        optional_tools=(),
        rare=frozenset(name for name in S3_SCENARIOS if name.startswith("memory")),
        # Tree and checkout, and the caches of DVC; the store is in the memory of the server.
        room_copies=5,
    )

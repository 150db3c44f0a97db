"""
Run the benchmarks: `python -m benchmarks --help`.
"""

from __future__ import annotations

import argparse
import compileall
import dataclasses
import datetime as dt
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import corpora
from benchmarks.corpora import KINDS, Corpus
from benchmarks.evidence import WrongCheckoutError
from benchmarks.measure import CommandFailedError
from benchmarks.report import Record, describe_machine, markdown_table, row_record
from benchmarks.suites import LOCAL, S3_SERVERS, Suite, s3_suite
from benchmarks.tools import REPOSITORY, ArtTool, Tool
from benchmarks.workloads import Observation, Recorder, Scenario

RESULT_FORMAT = 1
BLOCK_BYTES = 4_096


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `rows` are ids, `runs` counts repetitions of each scenario that repeats."""

    suite: Suite
    rows: frozenset[str]
    tools: tuple[type[Tool], ...]
    runs: int
    scale: float
    seed: int
    all_tools_everywhere: bool

    def scenarios(self) -> list[Scenario]:
        suite = self.suite
        named = {row.scenario for row in suite.rows if row.id in self.rows}
        return [scenario for scenario in suite.scenarios.values() if scenario.name in named]

    def corpora(self) -> dict[str, Corpus]:
        return {kind: Corpus(kind, self.seed, self.scale) for kind in KINDS}

    def tools_of(self, scenario: Scenario) -> list[type[Tool]]:
        everywhere = self.all_tools_everywhere and scenario.name == "w7"
        return [
            tool
            for tool in self.tools
            if issubclass(tool, ArtTool) or not scenario.only_art or (everywhere and tool.can_pull)
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.art:
        ArtTool.words = shlex.split(options.art)
    # Tools installed beside this Python are found without its environment being active.
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), beside))
    suite = LOCAL if options.s3 is None else s3_suite(options.s3)
    if options.list:
        _print_rows(suite)
        return 0
    plan = Plan(
        suite=suite,
        rows=_chosen_rows(suite, options.rows),
        tools=_chosen_tools(suite, options.tools, with_peers=options.peers),
        runs=options.runs,
        scale=options.scale,
        seed=options.seed,
        all_tools_everywhere=options.w7_peers,
    )
    _compile(options.art)
    with _work_directory(options.work) as work:
        _refuse_full_disk(plan, work)
        result = execute(plan, work)
    print(markdown_table(result["rows"], result["tools"]))
    is_whole = options.rows is None and plan.scale == 1.0
    place = options.json or (_result_path(result) if is_whole else None)
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        _say(f"written: {place}")
    for failure in result["failures"]:
        _say(f"failed: {failure['tool']} in {failure['scenario']}: {failure['message']}")
    return 1 if any(failure["tool"] == "art" for failure in result["failures"]) else 0


def execute(plan: Plan, work: Path) -> Record:
    """Play every scenario with every tool, `runs` times in turn, and make the record."""
    machine = describe_machine(work)
    began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    pristine = work / f"corpora-seed{plan.seed}-scale{plan.scale:g}"
    suite = plan.suite
    recorder = suite.recorder(plan.rows, plan.corpora(), pristine)
    failures: list[Record] = []
    for scenario in plan.scenarios():
        if scenario.needs_reflink and not _has_reflink(work):
            _say(f"{scenario.name}: left out, the file system of {work} has no reflinks")
            continue
        if reason := suite.reason_against(scenario):
            _say(f"{scenario.name}: left out, {reason}")
            continue
        _make_corpora(scenario, recorder)
        broken: set[str] = set()
        # Tools take turns within a round, so that a slow minute of the machine hits all alike.
        for number in suite.numbers(scenario, plan.runs):
            with suite.round(number, scenario, recorder, work) as round_:
                for kind in plan.tools_of(scenario):
                    if kind.name in broken:
                        continue
                    told = f"round {number} of {plan.runs}" if number else "counting"
                    _say(f"{scenario.name}: {told}, {kind.name}")
                    try:
                        scenario.play(recorder, round_.tool(kind, work / "rooms" / kind.name))
                    except (
                        CommandFailedError,
                        WrongCheckoutError,
                        subprocess.CalledProcessError,
                    ) as error:
                        broken.add(kind.name)
                        failures.append(_failure(kind, scenario, error))
    return {
        "format": RESULT_FORMAT,
        "suite": suite.name,
        "began": began,
        "commit": _commit(),
        "machine": machine,
        "page_cache_dropped_by": recorder.cache_dropped_by,
        "seed": plan.seed,
        "scale": plan.scale,
        "runs": plan.runs,
        "tools": {kind.name: kind.version() for kind in plan.tools},
        "failures": failures,
        "rows": _rows(plan, recorder),
    }


def _failure(kind: type[Tool], scenario: Scenario, error: Exception) -> Record:
    said = getattr(error, "stderr", None)
    message = f"{error} {said.decode(errors='replace')}" if said else str(error)
    return {"tool": kind.name, "scenario": scenario.name, "message": message}


def _rows(plan: Plan, recorder: Recorder) -> list[Record]:
    records = []
    for row in plan.suite.rows:
        seen: dict[str, Observation] = {
            name: observation
            for (row_id, name), observation in recorder.seen.items()
            if row_id == row.id
        }
        if seen:
            is_judged = plan.scale == 1.0 and plan.suite.judges(row)
            records.append(row_record(row, seen, is_full_size=is_judged))
    return records


def _result_path(result: Record) -> Path:
    machine = result["machine"]
    system = machine["system"].partition(" ")[0].lower()
    suite = "" if result["suite"] == LOCAL.name else f"-s3-{result['suite']}"
    name = f"{result['began'][:10]}-{system}-{machine['core_count']}-cores{suite}.json"
    return REPOSITORY / "benchmarks" / "results" / name


# --- preparation --------------------------------------------------------------


def _make_corpora(scenario: Scenario, recorder: Recorder) -> None:
    for kind in scenario.corpora:
        place = recorder.pristine / kind
        if place.exists():
            continue
        _say(f"{scenario.name}: making {kind}")
        # Written under another name first: a corpus of an interrupted run must not count as whole.
        beside = place.with_name(f"{kind}.part")
        shutil.rmtree(beside, ignore_errors=True)
        corpora.generate(recorder.corpus_by_kind[kind], beside)
        beside.rename(place)


@contextmanager
def _work_directory(given: Path | None) -> Iterator[Path]:
    """
    The given directory, where corpora stay for the next time, or one beside
    the repository that vanishes: /tmp is often memory, and would measure that.
    """
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="art-bench-", dir=REPOSITORY.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _refuse_full_disk(plan: Plan, work: Path) -> None:
    """Stop before writing anything when the disk cannot hold corpora and the fullest room."""
    sizes = {kind: _disk_bytes(corpus) for kind, corpus in plan.corpora().items()}
    suite = plan.suite
    has_optional = any(tool in suite.optional_tools for tool in plan.tools)
    copies = suite.optional_room_copies if has_optional else suite.room_copies
    kept = {kind for scenario in plan.scenarios() for kind in scenario.corpora}
    rooms = [
        (scenario.room_copies or copies) * sizes[kind]
        for scenario in plan.scenarios()
        for kind in (*scenario.corpora, *scenario.generated)
    ]
    needed = sum(sizes[kind] for kind in kept) + max(rooms, default=0)
    free = shutil.disk_usage(work).free
    if needed > free:
        sys.exit(
            f"benchmarks need about {needed / 1e9:.1f} GB in {work},"
            f" and {free / 1e9:.1f} GB are free;"
            " name a larger place with --work, fewer rows with --rows, or a smaller --scale"
        )


def _disk_bytes(corpus: Corpus) -> int:
    return corpus.size_bytes + corpus.file_count * BLOCK_BYTES


def _has_reflink(work: Path) -> bool:
    """Try it: neither the file system's name nor its version tells for certain."""
    source, clone = work / "reflink-probe", work / "reflink-probe-clone"
    source.write_bytes(bytes(BLOCK_BYTES))
    flags = ["-c"] if sys.platform == "darwin" else ["--reflink=always"]
    try:
        answer = subprocess.run(["cp", *flags, source, clone], capture_output=True, check=False)
        return answer.returncode == 0
    finally:
        source.unlink()
        clone.unlink(missing_ok=True)


def _commit() -> str | None:
    if shutil.which("git") is None:
        return None
    asked = ["git", "-C", str(REPOSITORY), "rev-parse", "--verify", "--quiet", "HEAD"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


# --- the command line ----------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure art and its references as whole processes; see benchmarks/README.md.",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        metavar="ROW",
        help="ids or scenarios; default: all but w7 and memory-*",
    )
    parser.add_argument(
        "--s3", choices=S3_SERVERS, metavar="SERVER", help=f"buckets: {', '.join(S3_SERVERS)}"
    )
    parser.add_argument("--runs", type=int, default=3, help="repetitions, medians are told (3)")
    parser.add_argument("--tools", nargs="+", metavar="TOOL", help="default: cp read+blake3 art")
    parser.add_argument("--peers", action="store_true", help="also every peer that is installed")
    parser.add_argument("--w7-peers", action="store_true", help="peers in W7 too (takes very long)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="shrink the corpora, to try things"
    )
    parser.add_argument("--seed", type=int, default=corpora.DEFAULT_SEED)
    parser.add_argument("--work", type=Path, help="directory to work in; corpora are kept there")
    parser.add_argument(
        "--json",
        type=Path,
        help="write the record here; default: benchmarks/results/, for whole runs",
    )
    parser.add_argument("--art", help="how to start art, e.g. 'python -m artstore'")
    parser.add_argument("--list", action="store_true", help="print the rows and stop")
    return parser


def _compile(art: str | None) -> None:
    """Compile the package first: no measured process is to do it, and some variables forbid it."""
    found = importlib.util.find_spec("artstore")
    if art is None and found is not None and found.origin is not None:
        compileall.compile_dir(Path(found.origin).parent, quiet=2)


def _chosen_rows(suite: Suite, asked: Sequence[str] | None) -> frozenset[str]:
    if asked is None:
        return frozenset(row.id for row in suite.rows if row.scenario not in suite.rare)
    chosen = set()
    for word in asked:
        found = {row.id for row in suite.rows if word in (row.id, row.scenario)}
        if word == "all":
            found = {row.id for row in suite.rows}
        if not found:
            sys.exit(f"no row or scenario is called {word!r}; --list shows them")
        chosen |= found
    return frozenset(chosen)


def _chosen_tools(
    suite: Suite, asked: Sequence[str] | None, *, with_peers: bool
) -> tuple[type[Tool], ...]:
    known = {kind.name: kind for kind in (*suite.tools, *suite.optional_tools)}
    if asked is not None:
        if unknown := [word for word in asked if word not in known]:
            sys.exit(f"no tool is called {unknown[0]!r}; there are {', '.join(known)}")
        kinds = [known[word] for word in asked]
    else:
        kinds = [*suite.tools, *(suite.optional_tools if with_peers else ())]
    chosen = []
    for kind in kinds:
        if kind.is_installed():
            chosen.append(kind)
        else:
            _say(f"left out: {kind.name} is not installed")
    return tuple(chosen)


def _print_rows(suite: Suite) -> None:
    for row in suite.rows:
        print(f"{row.id:<18} {row.scenario:<11} {row.title}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

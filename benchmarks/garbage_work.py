"""
Processes that `benchmarks.garbage` starts: `python -m benchmarks.garbage_work JOB ...`.

    counted FILE WORD ...     `art WORD ...`, its requests by method and room into FILE
    marks FILE CHUNKS PACKS   marks of so many chunks: seconds and bytes into FILE
    collect URL GRACE PAUSE   gc until stdin ends, with something to delete each time
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

__all__ = ["main", "unnamed_keys"]

PACKS_AT_ONCE = 512
DEAD_A_TURN = 4
VALUE = b"nothing names this"


def unnamed_keys(kind: str, count: int, *, seed: int) -> list[str]:
    """Keys of content that nothing names, as pushes leave them that never end."""
    import random

    from artstore.packs.locator import content_key

    chance = random.Random(seed)
    suffix = ".parquet" if kind == "fragments" else ""
    return [
        content_key(kind, chance.randbytes(32), chance.randbytes(8)) + suffix for _ in range(count)
    ]


def _counted(file: str, *words: str) -> int:
    from artstore import storeconnection
    from artstore.cli.run import run
    from artstore.storage.meter import MeteredStorage
    from artstore.storage.opener import open_storage

    meters: list[MeteredStorage] = []

    def opened(url: str, **options: bool) -> MeteredStorage:
        meters.append(MeteredStorage(open_storage(url, **options)))
        return meters[-1]

    vars(storeconnection)["open_storage"] = opened
    status = run(words)
    counts: Counter[str] = Counter()
    for meter in meters:
        for request, count in meter.requests().items():
            counts[f"{request.method} {request.room}"] += count
    Path(file).write_text(json.dumps(counts), "utf-8")
    return status


def _marks(file: str, chunk_text: str, pack_text: str) -> int:
    import numpy as np

    from artstore.garbage.listing import ContentTable
    from artstore.garbage.marks import ChunkMarks
    from artstore.storage.protocol import KeyInfo

    chunks, packs = int(chunk_text), int(pack_text)
    began = time.perf_counter()
    table = ContentTable("packs")
    for key in sorted(unnamed_keys("packs", packs, seed=0)):
        table.add(KeyInfo(key, 1 << 24, 0.0))
    listed = time.perf_counter()
    found = table.find_many([table.id_of(number) for number in range(packs)])
    assert (found == np.arange(packs)).all()
    answer: dict[str, float] = {
        "list_seconds": listed - began,
        "find_seconds": time.perf_counter() - listed,
        "table_bytes": table.memory_bytes,
        "column_bytes": ChunkMarks(packs).memory_bytes,
    }
    mean = chunks // packs
    chance = np.random.default_rng(0)
    for name, counts in (
        ("even", np.full(packs, mean)),
        ("uneven", chance.integers(1, 2 * mean, packs)),
    ):
        marks = ChunkMarks(packs)
        began = time.perf_counter()
        # The first half of each pack, as by an older version, then the rest.
        for part in range(2):
            for start in range(0, packs, PACKS_AT_ONCE):
                these = np.arange(start, min(start + PACKS_AT_ONCE, packs))
                firsts = counts[these] // 2 * part
                sizes = (counts[these] + 1) // 2 if part else counts[these] // 2
                named = np.repeat(these, sizes)
                begins = np.repeat(firsts - np.cumsum(sizes) + sizes, sizes)
                ordinals = np.arange(len(named)) + begins
                marks.mark(named, ordinals, np.full(len(named), 131_072))
        seconds = time.perf_counter() - began
        assert (marks.marked_bytes == counts * 131_072).all()
        answer |= {
            f"{name}_chunks": int(counts.sum()),
            f"{name}_bytes": marks.memory_bytes,
            f"{name}_seconds": seconds,
        }
    Path(file).write_text(json.dumps(answer), "utf-8")
    return 0


def _collect(url: str, grace_text: str, pause_text: str) -> int:
    import artstore as art

    store = art.open_store(url)
    storage = store._place().storage  # noqa: SLF001 - what a push that was killed leaves
    ended = threading.Event()
    threading.Thread(target=_until_stdin_ends, args=(ended.set,), daemon=True).start()
    grace = timedelta(seconds=float(grace_text))
    while not ended.is_set():
        seed = time.time_ns()
        storage.create_many([(key, VALUE) for key in unnamed_keys("packs", DEAD_A_TURN, seed=seed)])
        report = store.collect_garbage(grace=grace, force=True)
        print(json.dumps(report.to_json()), flush=True)
        ended.wait(float(pause_text))
    return 0


def _until_stdin_ends(then: Callable[[], None]) -> None:
    sys.stdin.read()
    then()


def main(arguments: Sequence[str]) -> int:
    job, *rest = arguments
    jobs: dict[str, Callable[..., int]] = {
        "counted": _counted,
        "marks": _marks,
        "collect": _collect,
    }
    return jobs[job](*rest)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

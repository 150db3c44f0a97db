"""
Benchmark of repacking: `python -m benchmarks.repack --help`.

A store of packs of which 60 % is dead, in runs of chunks as deleted files leave them. Told is
how much is read and written beside what is live, and how long it takes: on a local disk, and in
a bucket of an S3 server on loopback. A plain copy of the live bytes is measured beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from artstore import clock, limits
from artstore.digest import Buffer, Hasher, digest_of
from artstore.garbage.repacking import repack
from artstore.packs.builder import PackStream, Submit
from artstore.packs.locator import pack_key
from artstore.packs.moved import moved_name
from artstore.packs.needed import NeededChunks
from artstore.packs.reader import PackReader
from artstore.storage.local import LocalStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.opener import open_storage
from artstore.storage.protocol import Span, Storage
from benchmarks.measure import Spread
from benchmarks.report import tell_figures
from benchmarks.s3_place import SERVERS, serve

DEAD_PERCENT = 60
CHUNK_BYTES = (limits.CHUNK_CUT_MIN_BYTES, limits.CHUNK_CUT_MAX_BYTES)
READ_TARGET, WRITTEN_TARGET = 1.1, 1.05


class Figures(NamedTuple):
    """Of one repack."""

    seconds: float
    copy_seconds: float
    read_ratio: float
    written_ratio: float
    live_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(HOME=str(work))
    figures: dict[str, float] = {}
    targets: dict[str, float] = {}
    for place in options.places:
        found = [
            _measure(place, work, options.packs, options.file_chunks) for _ in range(options.runs)
        ]
        spread = Spread.of(one.seconds for one in found)
        figures |= {
            f"{place}: bytes read / live bytes": max(one.read_ratio for one in found),
            f"{place}: bytes written / live bytes": max(one.written_ratio for one in found),
            f"{place}: live bytes, MB": found[0].live_bytes / 1e6,
            f"{place}: s": spread.median,
            f"{place}: s, least": spread.least,
            f"{place}: s, most": spread.most,
            f"{place}: s, of a plain copy": Spread.of(one.copy_seconds for one in found).median,
        }
        targets |= {
            f"{place}: bytes read / live bytes": READ_TARGET,
            f"{place}: bytes written / live bytes": WRITTEN_TARGET,
        }
    tell_figures(figures, targets, work, options.json)
    return 0


def _measure(place: str, work: Path, pack_count: int, file_chunks: int) -> Figures:
    with _opened(place, work) as inner:
        live = _fill(inner, pack_count, file_chunks)
        live_bytes = sum(length for _, _, length in live.ranges)
        copy_seconds = _copied(inner, live)
        storage = MeteredStorage(inner)
        repack_id = clock.random_bytes(8)
        began = time.perf_counter()
        done = repack(
            storage,
            PackReader(storage),
            list(live.chunks),
            live.chunks.__getitem__,
            repack_id=repack_id,
            moved_name=moved_name(int(clock.now_seconds()), repack_id),
            project_of=lambda _: "bench",
            earlier=lambda _: (),
        )
        seconds = time.perf_counter() - began
    assert done.live_bytes == live_bytes
    assert not done.left
    counts = storage.snapshot()
    return Figures(
        seconds,
        copy_seconds,
        counts["read"].size_bytes / live_bytes,
        counts["create"].size_bytes / live_bytes,
        live_bytes,
    )


@contextmanager
def _opened(place: str, work: Path) -> Iterator[Storage]:
    if place == "local":
        with tempfile.TemporaryDirectory(prefix="store-", dir=work) as directory:
            yield LocalStorage(Path(directory))
        return
    with serve(place, work) as server:
        os.environ.update(server.environ)
        yield open_storage(f"s3://{server.make_bucket()}/store")


# --- What is packed ---------------------------------------------------------------------


class Live(NamedTuple):
    """What is live: by pack, and where the bytes lie."""

    chunks: NeededChunks
    ranges: list[tuple[str, int, int]]


def _fill(storage: Storage, pack_count: int, file_chunks: int) -> Live:
    """Packs of chunks that cannot be compressed, of sizes as the chunker makes them."""
    resolved: dict[bytes, bytes] = {}
    stream = PackStream(_submit(storage), clock.random_bytes(8), resolved)
    draw = _numbers()
    refs = []
    is_live, left = False, 0
    while len(resolved) < pack_count:
        if not left:
            left = 1 + next(draw) % file_chunks
            is_live = next(draw) % 100 >= DEAD_PERCENT
        left -= 1
        size = CHUNK_BYTES[0] + next(draw) % (CHUNK_BYTES[1] - CHUNK_BYTES[0]) // 2
        data = Hasher(next(draw).to_bytes(8, "big")).digest(length=size)
        ref = stream.add(digest_of(data), 0, data, size)
        if is_live:
            refs.append(ref)
    chunks = NeededChunks()
    ranges = []
    for ref in refs:
        if ref.pack in resolved:
            placed = ref._replace(pack=resolved[ref.pack])
            chunks.add(placed)
            ranges.append((pack_key(placed.pack), ref.offset_bytes, ref.stored_bytes))
    return Live(chunks, ranges)


def _submit(storage: Storage) -> Submit:
    def submit(key: str, parts: list[Buffer]) -> None:
        storage.create(key, parts)

    return submit


def _numbers() -> Iterator[int]:
    """The same on every machine."""
    seed = 0
    while True:
        seed += 1
        yield int.from_bytes(Hasher(seed.to_bytes(8, "big")).digest(length=6), "big")


def _copied(storage: Storage, live: Live) -> float:
    """Seconds to read the live ranges and to write them again, and nothing else."""
    began = time.perf_counter()
    parts: list[bytes] = []
    number = 0
    requests = [(key, Span(offset, length)) for key, offset, length in live.ranges]
    for data in storage.read_many(requests):
        parts.append(bytes(data))
        if sum(map(len, parts)) >= limits.PACK_TARGET_BYTES:
            storage.create(f"copy/{number}", parts)
            parts, number = [], number + 1
    storage.create(f"copy/{number}", parts)
    return time.perf_counter() - began


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repack")
    parser.add_argument("--work", help="a directory on the disk to be measured")
    parser.add_argument("--packs", type=int, default=128, help="packs of 16 MiB (default 128)")
    parser.add_argument(
        "--file-chunks",
        type=int,
        default=12,
        help="chunks of a file, at most: all live or all dead",
    )
    parser.add_argument("--runs", type=int, default=3)
    places = ["local", *SERVERS]
    parser.add_argument("--places", nargs="+", default=["local", "moto"], choices=places)
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

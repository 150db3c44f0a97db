"""
Which library a store in a bucket should use: obstore, s3fs and boto3 side by side.

    python -m benchmarks.clients                    three runs each, against radosgw
    python -m benchmarks.clients --runs 1 --scale 0.1

Whole processes (`client_work.py`), the clients in turning order within each run, medians.
Then, untimed and through a relay, how many requests one conditional create is. The decision
that rests on it is docs/adr/0007.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

from benchmarks.client_work import CLIENTS, SOURCE_BYTES, SOURCE_COUNT, source_key
from benchmarks.measure import Command, Sample, Spread, measure
from benchmarks.s3_place import S3Place, serve
from benchmarks.traffic import Relay

KIB, MIB = 1 << 10, 1 << 20
WORKER = Path(__file__).with_name("client_work.py")
# Name, what it is called in the table, how often, how large.
WORKS = (
    ("import", "import the library", 1, 0),
    ("create", "create 200 values of 1 MiB", 200, MIB),
    ("read", "read 2,000 ranges of 64 KiB", 2_000, 64 * KIB),
    ("fetch", "read 64 values of 16 MiB", 64, SOURCE_BYTES),
)
TWICE_BYTES = (MIB, 16 * MIB, 128 * MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="art-clients-") as directory,
        serve("radosgw", Path(directory)) as server,
    ):
        work = Path(directory)
        place = S3Place(server, server.make_bucket())
        _fill(place)
        print("load before:", *(f"{load:.2f}" for load in os.getloadavg()), flush=True)
        _print_times(_timed(place, work, chosen.runs, chosen.scale))
        with Relay(server.endpoint_url) as relay:
            _print_requests(S3Place(server, place.bucket, relay), work)


def _fill(place: S3Place) -> None:
    for number in range(SOURCE_COUNT):
        place.put(source_key("source", number), Random(number).randbytes(SOURCE_BYTES))


def _timed(
    place: S3Place, work: Path, runs: int, scale: float
) -> dict[tuple[str, str], list[Sample]]:
    samples: dict[tuple[str, str], list[Sample]] = {}
    names = list(CLIENTS)
    for name, _, count, size_bytes in WORKS:
        # Round -1 warms up the page cache, the server and what Python compiles.
        for number in range(-1, runs):
            turn = number % len(names)
            for client in names[turn:] + names[:turn]:
                prefix = f"{client}-{number}" if name == "create" else "source"
                scaled = max(1, round(count * scale))
                argv = [client, name, place.bucket, prefix, str(scaled), str(size_bytes)]
                sample = measure(_command(place, work, argv))
                if number >= 0:
                    samples.setdefault((name, client), []).append(sample)
    return samples


def _command(place: S3Place, work: Path, argv: list[str]) -> Command:
    environ = {"PATH": os.environ["PATH"], "HOME": str(work)} | place.environ
    return Command([sys.executable, str(WORKER), *argv], work, environ)


def _print_times(samples: dict[tuple[str, str], list[Sample]]) -> None:
    print("| work | " + " | ".join(CLIENTS) + " |")
    print("|---|" + "---|" * len(CLIENTS))
    for name, title, _, _ in WORKS:
        cells = []
        for client in CLIENTS:
            found = samples[name, client]
            seconds = Spread.of(sample.seconds for sample in found)
            busy = Spread.of(sample.user_seconds + sample.system_seconds for sample in found)
            peak = max(sample.peak_bytes for sample in found) / 1e6
            cells.append(
                f"{seconds.median:.2f} s ({seconds.least:.2f}-{seconds.most:.2f}), "
                f"busy {busy.median:.2f} s, {peak:.0f} MB"
            )
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def _print_requests(place: S3Place, work: Path) -> None:
    assert place.relay is not None
    for size_bytes in TWICE_BYTES:
        for client in CLIENTS:
            argv = [client, "twice", place.bucket, f"{client}-{size_bytes}", "1", str(size_bytes)]
            command = _command(place, work, argv)
            ran = subprocess.run(
                command.argv, env=command.env, cwd=work, capture_output=True, text=True, check=True
            )
            methods = dict(place.relay.take().methods)
            print(f"{client}, {size_bytes // MIB} MiB twice: {methods}, {ran.stdout.strip()}")


if __name__ == "__main__":
    main()

"""
Read 1 MiB at random places of one file, through art:// and by raw range GETs, in this process.

    read_random.py ART_URL BUCKET KEY COUNT SEED

Each place is read by every reader before the next place comes, in a turning
order, so that a slow moment hits all alike. Bytes are compared. Prints JSON: the
seconds of each reader, opening not counted.
"""

import json
import sys
import time
from collections.abc import Callable
from random import Random

import boto3
import fsspec
import obstore
from botocore.config import Config

LENGTH = 1 << 20
WARM_UP_COUNT = 3
Reader = Callable[[int], bytes]


def main(art_url: str, bucket: str, key: str, count: int, seed: int) -> None:
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
    plain = _obstore(bucket)

    def with_boto3(start: int) -> bytes:
        asked = f"bytes={start}-{start + LENGTH - 1}"
        return client.get_object(Bucket=bucket, Key=key, Range=asked)["Body"].read()

    def with_obstore(start: int) -> bytes:
        return bytes(obstore.get_range(plain, key, start=start, length=LENGTH))

    with fsspec.open(art_url, "rb") as file:

        def with_art(start: int) -> bytes:
            file.seek(start)
            return file.read(LENGTH)

        readers: list[tuple[str, Reader]] = [
            ("art", with_art),
            ("obstore", with_obstore),
            ("boto3", with_boto3),
        ]
        print(json.dumps(_race(readers, size, count, seed)))


def _race(
    readers: list[tuple[str, Reader]], size: int, count: int, seed: int
) -> dict[str, list[float]]:
    stream = Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name, _ in readers}
    for number in range(-WARM_UP_COUNT, count):
        start = stream.randrange(size - LENGTH)
        turn = number % len(readers)
        found = set()
        for name, read in readers[turn:] + readers[:turn]:
            began = time.perf_counter()
            data = read(start)
            if number >= 0:
                seconds[name].append(time.perf_counter() - began)
            found.add(data)
        if len(found) != 1:
            raise SystemExit(f"at {start} not all read the same")
    return seconds


def _obstore(bucket: str) -> object:
    from obstore.store import S3Store

    return S3Store(bucket, client_options={"allow_http": True}, virtual_hosted_style_request=False)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))

"""
The script that people write: every file a key of its own, with boto3 and 32 threads.

    boto3_copy.py push DIRECTORY BUCKET
    boto3_copy.py pull DIRECTORY BUCKET

It lists the bucket first, sends or fetches what differs in size or digest, and
removes what is not there any more. Where the server is, variables tell.
"""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

THREAD_COUNT = 32


def main(action: str, directory: str, bucket: str) -> None:
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    config = Config(max_pool_connections=THREAD_COUNT, s3={"addressing_style": "path"})
    client = boto3.client("s3", config=config)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {
        found["Key"]: (found["Size"], found["ETag"].strip('"'))
        for page in pages
        for found in page.get("Contents", ())
    }
    here = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}

    def is_same(key: str) -> bool:
        if key not in here or key not in there:
            return False
        size, tag = there[key]
        if here[key].stat().st_size != size:
            return False
        # The tag of what was sent in parts is no digest; then the size must do.
        return "-" in tag or _md5(here[key]) == tag

    def push(key: str) -> None:
        client.upload_file(str(here[key]), bucket, key)

    def pull(key: str) -> None:
        place = root / key
        place.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(place))

    names = list(here if action == "push" else there)
    with ThreadPoolExecutor(THREAD_COUNT) as pool:
        same = pool.map(is_same, names)
        differs = [key for key, is_there in zip(names, same, strict=True) if not is_there]
        list(pool.map(push if action == "push" else pull, differs))
    if action == "push":
        gone = [{"Key": key} for key in there.keys() - here.keys()]
        for start in range(0, len(gone), 1_000):
            client.delete_objects(Bucket=bucket, Delete={"Objects": gone[start : start + 1_000]})
    else:
        for key in here.keys() - there.keys():
            here[key].unlink()


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""
One piece of work with one client library, in this process.

    client_work.py CLIENT WORK BUCKET PREFIX COUNT BYTES

Clients are obstore, s3fs and boto3, each used as it goes fastest: obstore and boto3 by
threads, s3fs by coroutines on its own loop. Works:

    import   load the library, and nothing else
    create   COUNT new values of BYTES, each with `If-None-Match: *`
    twice    one value of BYTES, and again under the same key: prints what the second one meets
    read     COUNT ranges of BYTES at random places of the objects below PREFIX
    fetch    COUNT times a whole object below PREFIX

Where the server is, variables tell. Libraries are imported when they are needed: that is
part of what is measured.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

SOURCE_COUNT = 16
SOURCE_BYTES = 16 << 20
REQUESTS_AT_ONCE = {"obstore": 16, "s3fs": 16, "boto3": 32}
SEED = 7


class ObstoreClient:
    def __init__(self, bucket: str) -> None:
        from obstore.store import S3Store

        self._store = S3Store(
            bucket,
            client_options={"allow_http": True},
            virtual_hosted_style_request=False,
            retry_config={"max_retries": 0},
        )

    def create(self, key: str, body: bytes) -> None:
        import obstore

        obstore.put(self._store, key, body, mode="create", use_multipart=False)

    def read(self, key: str, start: int, length: int) -> int:
        import obstore

        return len(obstore.get_range(self._store, key, start=start, length=length))

    def fetch(self, key: str) -> int:
        import obstore

        return len(obstore.get(self._store, key).bytes())

    def each(self, call: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> list[Any]:
        with ThreadPoolExecutor(REQUESTS_AT_ONCE["obstore"]) as pool:
            return list(pool.map(lambda item: call(*item), items))


class S3fsClient:
    def __init__(self, bucket: str) -> None:
        from s3fs import S3FileSystem

        self._bucket = bucket
        self._files = S3FileSystem(
            config_kwargs={
                "max_pool_connections": REQUESTS_AT_ONCE["s3fs"],
                "s3": {"addressing_style": "path"},
            }
        )

    # What fsspec's own methods run on the loop; `sync` around each would be one at a time.
    async def create(self, key: str, body: bytes) -> None:
        path = f"{self._bucket}/{key}"
        await self._files._pipe_file(path, body, mode="create")  # noqa: SLF001 - see above

    async def read(self, key: str, start: int, length: int) -> int:
        path = f"{self._bucket}/{key}"
        data = await self._files._cat_file(path, start=start, end=start + length)  # noqa: SLF001
        return len(data)

    async def fetch(self, key: str) -> int:
        return len(await self._files._cat_file(f"{self._bucket}/{key}"))  # noqa: SLF001

    def each(self, call: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> list[Any]:
        from fsspec.asyn import sync

        gate = asyncio.Semaphore(REQUESTS_AT_ONCE["s3fs"])

        async def one(item: tuple[Any, ...]) -> Any:
            async with gate:
                return await call(*item)

        async def every() -> list[Any]:
            return await asyncio.gather(*[one(item) for item in items])

        return sync(self._files.loop, every)


class Boto3Client:
    def __init__(self, bucket: str) -> None:
        import boto3
        from botocore.config import Config

        self._bucket = bucket
        config = Config(
            max_pool_connections=REQUESTS_AT_ONCE["boto3"], s3={"addressing_style": "path"}
        )
        self._client = boto3.client("s3", config=config)

    def create(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")

    def read(self, key: str, start: int, length: int) -> int:
        asked = f"bytes={start}-{start + length - 1}"
        answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=asked)
        return len(answer["Body"].read())

    def fetch(self, key: str) -> int:
        return len(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def each(self, call: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> list[Any]:
        with ThreadPoolExecutor(REQUESTS_AT_ONCE["boto3"]) as pool:
            return list(pool.map(lambda item: call(*item), items))


CLIENTS = {"obstore": ObstoreClient, "s3fs": S3fsClient, "boto3": Boto3Client}
MODULES = {"obstore": "obstore.store", "s3fs": "s3fs", "boto3": "boto3"}


def source_key(prefix: str, number: int) -> str:
    return f"{prefix}/{number % SOURCE_COUNT}"


def main(arguments: list[str]) -> None:
    name, work, bucket, prefix = arguments[:4]
    count, size_bytes = map(int, arguments[4:])
    if work == "import":
        __import__(MODULES[name])
        return
    client = CLIENTS[name](bucket)
    if work == "create":
        body = Random(SEED).randbytes(size_bytes)
        client.each(client.create, [(f"{prefix}/{number}", body) for number in range(count)])
    elif work == "twice":
        body = bytes(size_bytes)
        client.each(client.create, [(f"{prefix}/once", body)])
        try:
            client.each(client.create, [(f"{prefix}/once", body)])
        except Exception as error:  # noqa: BLE001 - which one it is, is the question
            print(type(error).__name__)
        else:
            print("replaced")
    elif work == "read":
        stream = Random(SEED)
        places = [
            (source_key(prefix, number), stream.randrange(SOURCE_BYTES - size_bytes), size_bytes)
            for number in range(count)
        ]
        assert set(client.each(client.read, places)) == {size_bytes}
    elif work == "fetch":
        keys = [(source_key(prefix, number),) for number in range(count)]
        assert set(client.each(client.fetch, keys)) == {SOURCE_BYTES}
    else:
        raise SystemExit(f"no work is called {work}")


if __name__ == "__main__":
    main(sys.argv[1:])
    # Sockets and loops of the libraries go with the process: closing them is not measured.
    sys.stdout.flush()
    os._exit(0)

"""
A version of very many entries, made without files: a push of a million takes minutes.

All entries share a few chunks. The list of files is written by the writer that a
push uses, so its segments lie where those of a push would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from artstore.api import Store
from artstore.catalog.requests import PublishRequest
from artstore.chunks import codec
from artstore.digest import Buffer, digest_of
from artstore.manifests.entry import FILE, Entry
from artstore.manifests.reader import root_key
from artstore.manifests.writer import ManifestWriter
from artstore.packs.builder import PackStream
from tests.trees import noise

CHUNK_COUNT: Final = 64
CHUNK_BYTES: Final = 2_000
FOLDER_ENTRIES: Final = 1_000
PUSH_ID: Final = bytes(range(8))


def path_of(number: int) -> str:
    """The path of an entry: a thousand in each folder, in order."""
    folder, at = divmod(number, FOLDER_ENTRIES)
    return f"shard_{folder:04d}/{at:03d}.json"


def content_of(number: int) -> bytes:
    """The bytes of an entry."""
    return noise(CHUNK_BYTES, number % CHUNK_COUNT)


def publish(store: Store, name: str, entry_count: int) -> None:
    """Make version 0 of `name`, with `entry_count` entries."""
    store.create()
    place = store._place()

    def submit(key: str, parts: list[Buffer]) -> None:
        place.storage.create(key, parts)

    resolved: dict[bytes, bytes] = {}
    open_stream: Callable[[], PackStream] = lambda: PackStream(submit, PUSH_ID, resolved)  # noqa: E731
    data = open_stream()
    chunks = [
        data.add(digest_of(content_of(n)), codec.RAW, content_of(n), CHUNK_BYTES)
        for n in range(CHUNK_COUNT)
    ]
    data.close_pack()
    writer = ManifestWriter(data, open_stream, {})
    for number in range(entry_count):
        chunk = chunks[number % CHUNK_COUNT]
        writer.add(Entry(path_of(number), FILE, CHUNK_BYTES, chunk.digest, False, (chunk,)))
    size_bytes = entry_count * CHUNK_BYTES
    root = writer.finish({"type": "dataset", "size_bytes": size_bytes})
    key = root_key(digest_of(root), PUSH_ID)
    place.storage.create(key, root)
    place.catalog.commit(
        store.project,
        name,
        PublishRequest(
            type="dataset",
            digest=digest_of(root).hex(),
            root=key,
            push=PUSH_ID.hex(),
            size_bytes=size_bytes,
            file_count=entry_count,
            entry_count=entry_count,
        ),
    )

"""Writing past the page cache: every byte arrives, whatever the disk takes."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore import limits
from artstore.digest import Buffer
from artstore.errors import DeniedError
from artstore.storage import direct, durable
from artstore.storage.local import LocalStorage

BLOCK = 4096


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def takes_direct(tmp_path: Path) -> bool:
    fd = os.open(tmp_path / "probe", os.O_RDWR | os.O_CREAT)
    try:
        return direct.write_direct(fd, [bytes(BLOCK)]) == BLOCK
    finally:
        os.close(fd)


def content(size: int) -> bytes:
    return b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1))[:size]


@pytest.mark.parametrize(
    "sizes",
    [
        [5 * limits.MIB],
        [5 * limits.MIB + 1],
        [1, BLOCK - 1, BLOCK, 3 * limits.MIB, 7],
        [100] * 50_000,
        [0, BLOCK, 0],
        [BLOCK - 1],
        [],
    ],
)
def test_a_value_in_parts_is_written_whole(descriptor: int, sizes: list[int]) -> None:
    data = content(sum(sizes))
    starts = itertools.accumulate(sizes, initial=0)
    parts: list[Buffer] = [
        memoryview(data)[start : start + size] for start, size in zip(starts, sizes, strict=False)
    ]
    written = direct.write_direct(descriptor, parts)
    durable.write_all(descriptor, parts, written_bytes=written)
    assert os.pread(descriptor, len(data) + 1, 0) == data


def test_whole_blocks_go_past_the_cache_and_leave_less_than_one_to_do(
    descriptor: int, tmp_path: Path
) -> None:
    if not takes_direct(tmp_path):
        pytest.skip("no direct writes here")
    written = direct.write_direct(descriptor, [content(2 * limits.MIB + 2 * BLOCK + 5)])
    assert written == 2 * limits.MIB + 2 * BLOCK


def test_a_system_without_direct_writes_leaves_all_to_the_caller(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    assert direct.write_direct(descriptor, [bytes(BLOCK)]) == 0


class Limited:
    """`os.write` that refuses, or writes less than asked, from the n-th call on."""

    def __init__(self, calls: int, *, error: int = 0, short: int = 0) -> None:
        self.calls, self.error, self.short = calls, error, short
        self.write = os.write

    def __call__(self, descriptor: int, data: Buffer) -> int:
        self.calls -= 1
        if self.calls >= 0:
            return self.write(descriptor, data)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return self.write(descriptor, memoryview(data)[: self.short])


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_file_system_that_refuses_direct_writes_gets_the_rest_the_usual_way(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    data = content(3 * limits.MIB)
    monkeypatch.setattr(os, "write", Limited(calls, error=errno.EINVAL))
    written = direct.write_direct(descriptor, [data])
    durable.write_all(descriptor, [data], written_bytes=written)
    assert os.pread(descriptor, len(data) + 1, 0) == data


def test_a_short_write_is_continued_the_usual_way(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content(3 * limits.MIB)
    monkeypatch.setattr(os, "write", Limited(1, short=BLOCK))
    written = direct.write_direct(descriptor, [data])
    durable.write_all(descriptor, [data], written_bytes=written)
    assert os.pread(descriptor, len(data) + 1, 0) == data


def test_a_disk_that_is_full_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not takes_direct(tmp_path):
        pytest.skip("no direct writes here")
    storage = LocalStorage(tmp_path / "store")
    monkeypatch.setattr(os, "write", Limited(2, error=errno.ENOSPC))
    with pytest.raises(DeniedError) as caught:
        storage.create("packs/00/large", bytes(8 * limits.MIB))
    assert caught.value.code == "storage-full"
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []

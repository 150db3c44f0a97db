"""Windows of a large file: every byte once, cut at the same places whatever the reads."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artstore import limits
from artstore.chunks.cut import Cutter
from artstore.storage import direct, durable
from artstore.transfer.windows import WindowCutter, WindowReader, window_pool
from tests.trees import noise

WINDOW = 2 * limits.MIB
SIZES = [0, 1, limits.KIB, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW, 3 * WINDOW + 12_345]


def pieces(descriptor: int, pool: direct.BufferPool) -> Iterator[bytes]:
    reader, cutter = WindowReader(descriptor, pool), WindowCutter(pool)
    number, is_last = 0, False
    while not is_last:
        window = reader.read(number)
        is_last = window.is_last
        view, lengths = cutter.cut(window)
        assert sum(lengths) == len(view)
        for length in lengths:
            yield bytes(view[:length])
            view = view[length:]
        number += 1


def chunks_of(path: Path, *, prepare: Callable[[int], None]) -> list[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        prepare(descriptor)
        return list(pieces(descriptor, window_pool()))
    finally:
        os.close(descriptor)


def uncached(descriptor: int) -> None:
    os.fsync(descriptor)
    durable.drop_cached(descriptor)


def cached(descriptor: int) -> None:
    os.pread(descriptor, 16 * limits.MIB, 0)


@pytest.mark.parametrize("prepare", [cached, uncached])
@pytest.mark.parametrize("size", SIZES)
def test_the_chunks_are_those_of_the_file_in_one_piece(
    tmp_path: Path, size: int, prepare: Callable[[int], None]
) -> None:
    data = noise(size)
    (tmp_path / "file").write_bytes(data)
    lengths = Cutter().lengths(memoryview(data), final=True) if data else []
    found = chunks_of(tmp_path / "file", prepare=prepare)
    assert b"".join(found) == data
    assert [len(piece) for piece in found] == lengths


@pytest.mark.parametrize("size", SIZES)
def test_a_file_system_that_refuses_direct_reads_is_read_through_its_cache(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_direct = [False]
    preadv, set_direct = os.preadv, direct.set_direct

    def refusing(descriptor: int, buffers: list[memoryview], offset: int, *flags: int) -> int:
        if is_direct[0] and not flags:
            raise OSError(errno.EINVAL, "no direct reads")
        return preadv(descriptor, buffers, offset, *flags)

    def noting(descriptor: int, *, on: bool) -> bool:
        is_direct[0] = on
        return set_direct(descriptor, on=False) or True

    monkeypatch.setattr(os, "preadv", refusing)
    monkeypatch.setattr("artstore.transfer.windows.set_direct", noting)
    data = noise(size)
    (tmp_path / "file").write_bytes(data)
    assert b"".join(chunks_of(tmp_path / "file", prepare=uncached)) == data


def test_a_buffer_is_not_used_again_while_a_chunk_looks_into_it() -> None:
    pool = window_pool()
    first = pool.take()
    with memoryview(first)[:10]:
        pool.give_back(first)
        assert pool.take() is not first
    assert pool.take() is first

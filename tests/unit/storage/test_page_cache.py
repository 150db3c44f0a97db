"""The page cache is left as it was found: what is only copied through gives its pages back."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span

MIB = 1024 * 1024


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    path = tmp_path / "file"
    path.write_bytes(bytes(8 * MIB))
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    durable.drop_cached(fd)
    if durable.is_cached(fd):
        os.close(fd)
        pytest.skip("this file system or system keeps pages whatever it is told")
    return fd


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is cached")
def test_what_is_read_is_cached_until_it_is_dropped(descriptor: int) -> None:
    os.pread(descriptor, 4096, 0)
    assert durable.is_cached(descriptor)
    durable.drop_cached(descriptor, 0, MIB)
    assert not durable.is_cached(descriptor)
    os.close(descriptor)


@pytest.mark.usefixtures("descriptor")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is cached")
def test_a_large_value_is_not_left_in_the_page_cache_and_a_small_one_is(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store")
    storage.create("packs/00/large", bytes(8 * MIB))
    storage.create("packs/00/small", bytes(4096))
    assert storage.read("packs/00/large", Span(2 * MIB, 2 * MIB)) == bytes(2 * MIB)
    cached = {}
    for name in ("large", "small"):
        fd = os.open(tmp_path / "store/packs/00" / name, os.O_RDONLY)
        cached[name] = durable.is_cached(fd, 3 * MIB if name == "large" else 0)
        os.close(fd)
    assert cached == {"large": False, "small": True}

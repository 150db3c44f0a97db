"""The one storage suite, run on every backend and on what wraps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.protocol import Storage
from artstore.storage.retry import RetryingStorage
from artstore.testing.faults import FaultyStorage
from artstore.testing.storage_suite import StorageSuite


class TestMemory(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage("conformance")


class TestLocal(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path / "store with a space")


class TestLocalWithoutSync(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path, sync=False)


class TestRetryingMemory(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return RetryingStorage(MemoryStorage())


class TestMeteredLocal(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return MeteredStorage(LocalStorage(tmp_path / "store"))


class TestFaultyWithoutFaults(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return FaultyStorage(MemoryStorage())

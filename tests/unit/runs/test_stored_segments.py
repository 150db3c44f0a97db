"""What is read of a run is what was written, or is refused: its log states digests."""

from __future__ import annotations

import pytest

from artstore.api import Store
from artstore.errors import DamagedDataError
from artstore.storage.memory import MemoryStorage
from tests.trees import open_at
from tests.unit.upkeep.runs import PICTURES, SESSION, path_of, record_run


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def store(storage: MemoryStorage) -> Store:
    store = open_at("/nowhere/x", storage)
    store.create()
    record_run(store)
    return store


def flip(storage: MemoryStorage, name: str, offset: int) -> None:
    key = f"runs/p/r1/{name}"
    data = bytearray(storage.read(key))
    data[offset] ^= 1
    storage.delete([key])
    storage.create(key, bytes(data))


def test_sound_segments_are_read(store: Store) -> None:
    run = store.run("r1")
    assert run.history_table(["loss"]).column("loss").to_pylist() == [0.5, 0.5]
    assert run.system_table().num_rows == 2
    assert run.console() == "hello\nworld\n"


def test_a_flipped_bit_is_no_other_number(store: Store, storage: MemoryStorage) -> None:
    for kind in ("history", "system"):
        # Behind the first bytes pages begin, which Parquet does not prove.
        flip(storage, f"{kind}/{SESSION}-000000.parquet", 40)
    run = store.run("r1")
    for read in (run.history_table, run.system_table):
        with pytest.raises(DamagedDataError) as raised:
            read()
        assert raised.value.code == "history-damaged"
        assert "run:p/r1" in str(raised.value.hint)


def test_a_flipped_bit_is_no_other_letter(store: Store, storage: MemoryStorage) -> None:
    flip(storage, f"console/{SESSION}-000000.txt", 0)
    with pytest.raises(DamagedDataError) as raised:
        store.run("r1").console()
    assert raised.value.code == "run-console-damaged"
    assert raised.value.context["key"] == f"runs/p/r1/console/{SESSION}-000000.txt"


def test_a_flipped_bit_is_no_other_picture(store: Store, storage: MemoryStorage) -> None:
    sound, damaged = map(path_of, PICTURES)
    flip(storage, damaged, 3)
    run = store.run("r1")
    assert run.media(sound) == PICTURES[0]
    with pytest.raises(DamagedDataError) as raised:
        run.media(damaged)
    assert raised.value.code == "run-media-damaged"

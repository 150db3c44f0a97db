"""The journal: what was appended is read, a torn end is left out, damage ends it with a place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import StateError, StorageError, UnsupportedFormatError
from artstore.runs.journalblocks import CHANGE, CONSOLE, HEADER_BYTES, ROWS, encode_block
from artstore.tracking.journal import JournalReader, JournalWriter, is_alive, unfinished

Blocks = list[tuple[int, str, bytes]]


def read(directory: Path, offset: int = 0) -> tuple[Blocks, JournalReader]:
    reader = JournalReader(directory / "journal.log")
    return list(reader.blocks(offset)), reader


def written(directory: Path, payloads: list[bytes]) -> list[int]:
    journal = JournalWriter(directory)
    ends = [journal.append(CHANGE, payload) for payload in payloads]
    journal.close()
    return ends


def test_blocks_come_back_in_order_from_any_offset(tmp_path: Path) -> None:
    ends = written(tmp_path, [b"one", b"", b"three"])
    blocks, reader = read(tmp_path)
    assert blocks == [
        (end, CHANGE, one) for end, one in zip(ends, (b"one", b"", b"three"), strict=True)
    ]
    assert (reader.end_offset, reader.is_torn, reader.damage) == (ends[-1], False, None)
    assert read(tmp_path, ends[0])[0] == blocks[1:]
    assert read(tmp_path, ends[-1])[0] == []


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path)[0] == []


def test_every_cut_leaves_the_whole_blocks_before_it(tmp_path: Path) -> None:
    ends = written(tmp_path, [b"one", b"second", b"three"])
    log = tmp_path / "journal.log"
    data = log.read_bytes()
    for size in range(len(data)):
        log.write_bytes(data[:size])
        blocks, reader = read(tmp_path)
        whole = [end for end in ends if end <= size]
        assert [end for end, _, _ in blocks] == whole
        assert reader.end_offset == (whole or [0])[-1]
        assert reader.is_torn == (size not in (0, *ends))
        assert reader.damage is None


def test_every_flipped_bit_ends_the_reading_there_and_tells_where(tmp_path: Path) -> None:
    ends = written(tmp_path, [b"one", b"second", b"three"])
    log = tmp_path / "journal.log"
    data = log.read_bytes()
    good, _ = read(tmp_path)
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        log.write_bytes(changed)
        blocks, reader = read(tmp_path)
        begins = max([0, *(end for end in ends if end <= bit // 8)])
        assert blocks == [block for block in good if block[0] <= begins]
        assert reader.end_offset == begins
        # A length that is not true may lead beyond the end, as that of a torn block does.
        assert reader.is_torn or f"byte {begins:,}" in str(reader.damage)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_to_their_first_fault(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    (directory / "journal.log").write_bytes(data)
    blocks, reader = read(directory)
    assert blocks == []
    assert reader.end_offset == 0


def test_a_length_of_four_billion_is_torn_and_not_allocated(tmp_path: Path) -> None:
    header = bytearray(encode_block(ROWS, b"")[:HEADER_BYTES])
    header[4:8] = b"\xff\xff\xff\xff"
    (tmp_path / "journal.log").write_bytes(header)
    blocks, reader = read(tmp_path)
    assert blocks == []
    assert reader.is_torn


def test_a_block_of_a_newer_release_is_told(tmp_path: Path) -> None:
    from artstore.digest import checksum64

    start = b"AJ1?" + (2).to_bytes(4, "little")
    block = start + checksum64(start + b"ab") + b"ab"
    (tmp_path / "journal.log").write_bytes(block)
    with pytest.raises(UnsupportedFormatError):
        read(tmp_path)


def test_a_torn_block_is_written_over_by_the_next_process(tmp_path: Path) -> None:
    written(tmp_path, [b"one"])
    log = tmp_path / "journal.log"
    log.write_bytes(log.read_bytes() + encode_block(CONSOLE, b"x" * 100)[:50])
    written(tmp_path, [b"two"])
    blocks, reader = read(tmp_path)
    assert [payload for _, _, payload in blocks] == [b"one", b"two"]
    assert not reader.is_torn
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.log", "lock"]


def test_what_is_damaged_is_kept_beside_the_journal(tmp_path: Path) -> None:
    (first, *_) = written(tmp_path, [b"one", b"two", b"three"])
    log = tmp_path / "journal.log"
    data = bytearray(log.read_bytes())
    data[first + HEADER_BYTES] ^= 1
    log.write_bytes(data)
    written(tmp_path, [b"four"])
    assert [payload for _, _, payload in read(tmp_path)[0]] == [b"one", b"four"]
    assert (tmp_path / f"journal.log.{first}").read_bytes() == data[first:]


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    assert is_alive(tmp_path)
    with pytest.raises(StateError) as caught:
        JournalWriter(tmp_path)
    assert caught.value.code == "journal-in-use"
    journal.close()
    journal.close()
    assert not is_alive(tmp_path)
    with pytest.raises(StateError):
        journal.append(CHANGE, b"")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="journal"):
        JournalWriter(tmp_path / "file" / "run")


_DIES = """
import os, sys
from pathlib import Path
from artstore.tracking.journal import JournalWriter
journal = JournalWriter(Path(sys.argv[1]))
journal.append("change", b"{}")
print("ready", flush=True)
sys.stdin.read()
"""


def test_unfinished_are_the_journals_whose_process_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "journals" / "run-0011223344556677"
    argv = [sys.executable, "-c", _DIES, str(directory)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert is_alive(directory)
        assert unfinished(tmp_path) == []
        process.kill()
        process.wait()
    assert unfinished(tmp_path) == [directory]
    (tmp_path / "journals" / "no journal").mkdir()
    assert unfinished(tmp_path) == [directory]
    assert unfinished(tmp_path / "nowhere") == []


def test_a_forked_child_neither_writes_nor_keeps_the_journal_alive(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    journal.append(CHANGE, b"parent")
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        journal.append(CHANGE, b"child")
        journal.close()
        os.read(ready, 1)
        os._exit(0)
    os.close(ready)
    journal.append(CHANGE, b"parent again")
    journal.close()
    try:
        assert not is_alive(tmp_path)
    finally:
        os.close(go)
        os.waitpid(child, 0)
    assert [payload for _, _, payload in read(tmp_path)[0]] == [b"parent", b"parent again"]

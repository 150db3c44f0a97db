"""The journal of a push: what a killed one leaves for the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artstore.packs.locator import pack_key
from artstore.transfer.journal import Journal, leftovers

PUSH = b"\x01" * 8
PACK = b"\x02" * 32 + PUSH


def journal(directory: Path, collection: str = "p/ds", push: bytes = PUSH) -> Journal:
    return Journal(directory, push, collection)


def test_a_push_that_stores_nothing_leaves_nothing(tmp_path: Path) -> None:
    journal(tmp_path / "journals").close(keep=True)
    assert not (tmp_path / "journals").exists()


def test_a_finished_push_leaves_nothing(tmp_path: Path) -> None:
    running = journal(tmp_path)
    running.storing(pack_key(PACK))
    running.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_push_leaves_its_packs_to_the_next_of_the_same_artifact(tmp_path: Path) -> None:
    running = journal(tmp_path)
    running.storing(pack_key(PACK))
    running.storing("index/0123-0101010101010101")
    running.committing("ab" * 32)
    running.close(keep=True)
    (left,) = leftovers(tmp_path, "p/ds")
    assert left.packs() == [PACK]
    assert left.push_id == PUSH
    assert left.was_committing("ab" * 32)
    assert not left.was_committing("cd" * 32)
    assert list(leftovers(tmp_path, "p/other")) == []
    left.discard()
    assert list(leftovers(tmp_path, "p/ds")) == []


def test_the_journal_of_a_push_that_runs_is_left_alone(tmp_path: Path) -> None:
    running = journal(tmp_path)
    running.storing(pack_key(PACK))
    assert list(leftovers(tmp_path, "p/ds")) == []
    running.close(keep=True)


def test_what_others_left_is_kept_for_them_and_removed_after_a_while(tmp_path: Path) -> None:
    for number, collection in enumerate(("p/old", "p/young")):
        running = journal(tmp_path, collection, bytes([number] * 8))
        running.storing(pack_key(PACK))
        running.close(keep=True)
    os.utime(tmp_path / f"{'00' * 8}.journal", (1_000_000, 1_000_000))
    assert list(leftovers(tmp_path, "p/ds")) == []
    assert [path.name for path in tmp_path.iterdir()] == [f"{'01' * 8}.journal"]


@pytest.mark.parametrize(
    "text", ["", "{", "null\n", "[]\n", '{"push": "p/ds"}\n{"storing": 7}\n{"storing": "pa', "\xff"]
)
def test_a_journal_torn_by_the_kill_is_read_as_far_as_it_goes(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{PUSH.hex()}.journal").write_bytes(text.encode("latin-1"))
    for left in leftovers(tmp_path, "p/ds"):
        assert left.packs() == []


def test_a_file_of_another_name_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "notes.journal").write_text('{"push": "p/ds"}\n', encoding="utf-8")
    assert list(leftovers(tmp_path, "p/ds")) == []
    assert (tmp_path / "notes.journal").exists()


def test_a_cache_that_cannot_be_written_does_not_fail_the_push(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    running = journal(tmp_path / "file" / "below")
    running.storing(pack_key(PACK))
    running.close(keep=True)
    assert list(leftovers(tmp_path / "file" / "below", "p/ds")) == []

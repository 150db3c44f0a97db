"""
Bits that flip in logs and in `artstore.json`, where each byte decides what a name means.

A machine that sees the store for the first time either gets what was pushed or
is told that the store is damaged; never an older version, never a moved alias.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.errors import ArtstoreError, DamagedDataError
from tests.trees import File, Tree, build, observe, open_at, push

OLD: Tree = {"a": File(b"old")}
NEW: Tree = {"a": File(b"new"), "b": File(b"more")}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two versions; the alias `best` moved from the first to the second, then a tag."""
    store = open_at(tmp_path / "store")
    push(store, build(tmp_path / "old", OLD), aliases=["best"])
    push(store, build(tmp_path / "new", NEW))
    store.set_aliases("ds:v1", add=["best"])
    store.set_tags("ds:v1", add=["seen"])
    forget()
    return tmp_path / "store"


def forget() -> None:
    """Make this a machine that has never seen the store."""
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)


def sealed_files(store: Path) -> list[Path]:
    logs = sorted((store / "collections").rglob("0*"))
    assert len(logs) == 5
    return [store / "artstore.json", *logs]


def flips(path: Path, *firsts: int) -> Iterator[str]:
    """Turn some bits of every byte over, each time the next ones; in the end all is as it was."""
    sound = path.read_bytes()
    path.chmod(0o644)
    for place in range(len(sound)):
        for first in firsts:
            bit = (first + place) % 8
            changed = bytearray(sound)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            yield f"bit {bit} of byte {place} of {path.name}"
    path.write_bytes(sound)


def digest_or_damage(store: Store, name: str) -> str:
    try:
        return store.artifact(name).digest
    except DamagedDataError as error:
        assert error.exit_status == 8
        return error.code


def test_no_flipped_bit_of_a_log_goes_unseen(store: Path) -> None:
    new = digest_or_damage(open_at(store), "ds")
    forget()
    for path in sealed_files(store):
        expected = "store-damaged" if path.name == "artstore.json" else "log-entry-damaged"
        for number, flip in enumerate(flips(path, 0, 5)):
            # What is damaged is not remembered: each look is a first one.
            found = digest_or_damage(open_at(store), ("ds", "ds:best")[number % 2])
            assert found in {expected, "value-invalid"}, flip
    assert digest_or_damage(open_at(store), "ds") == new


def test_a_check_reports_every_flipped_bit_of_a_log(store: Path) -> None:
    forget()
    for path in sealed_files(store):
        key = path.relative_to(store).as_posix()
        for flip in flips(path, 1):
            try:
                found = {problem.key for problem in open_at(store).check(read_data=1.0).problems}
            except DamagedDataError as error:
                # Without its identity nothing of a store is looked at.
                assert key == "artstore.json", flip
                found = {key} if error.exit_status == 8 else set()
            assert key in found, flip
    assert open_at(store).check(read_data=1.0).problems == ()


def test_a_pull_gets_what_was_pushed_or_nothing(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for path in sealed_files(store):
        for number, flip in enumerate(flips(path, 2)):
            if number % 32:
                continue
            forget()
            for name, expected in (("ds", None), ("ds:best", None), ("ds:v0", OLD)):
                shutil.rmtree(target, ignore_errors=True)
                try:
                    open_at(store).artifact(name).download(target)
                except DamagedDataError as error:
                    assert error.exit_status == 8
                    assert not target.exists(), flip
                else:
                    assert observe(target) == expected, flip


def test_an_exact_version_is_read_behind_a_damaged_entry(store: Path, tmp_path: Path) -> None:
    newest = sealed_files(store)[-1]
    next(flips(newest, 3))
    target = tmp_path / "target"
    open_at(store).artifact("ds:v1").download(target)
    assert observe(target) == NEW
    with pytest.raises(DamagedDataError) as raised:
        open_at(store).artifact("ds")
    assert raised.value.hint is not None
    assert "ds:vN" in raised.value.hint
    assert "push the newest content again" in raised.value.hint


def test_a_push_settles_what_a_damaged_newest_entry_left_open(store: Path, tmp_path: Path) -> None:
    newest = sealed_files(store)[-1]
    next(flips(newest, 3))
    with pytest.raises(DamagedDataError):
        open_at(store).artifact("ds")
    listed = open_at(store).collections()
    assert [info.latest_version for info in listed] == [None]
    # The content of the newest version that can be read: perhaps it was not the newest.
    pushed = push(open_at(store), tmp_path / "new", aliases=["best"])
    assert pushed.push is not None
    assert pushed.push.is_new
    assert "entry 4 of the log of p/ds is damaged" in pushed.push.warnings[0]
    forget()
    assert open_at(store).artifact("ds").version == pushed.version == "v3"
    assert open_at(store).artifact("ds:best").version == "v3"
    assert open_at(store).check().problems


def test_an_entry_that_is_put_back_heals_the_log(store: Path, tmp_path: Path) -> None:
    for path in sealed_files(store)[1:]:
        sound = path.read_bytes()
        next(flips(path, 3))
        forget()
        opened = open_at(store)
        with pytest.raises(DamagedDataError):
            opened.artifact("ds")
        path.write_bytes(sound)
        assert opened.artifact("ds").version == "v1"
        assert open_at(store).artifact("ds:best").version == "v1"
    assert push(open_at(store), build(tmp_path / "third", OLD)).version == "v2"


@pytest.mark.parametrize("garbage", [b"", b"\0\0", b"{}", b"not json", b'{"format":1}'])
def test_garbage_that_a_stranger_appends_does_not_stop_the_next_push(
    store: Path, tmp_path: Path, garbage: bytes
) -> None:
    (store / "collections" / "p" / "ds" / "000000000005").write_bytes(garbage)
    with pytest.raises(DamagedDataError):
        open_at(store).artifact("ds")
    third = build(tmp_path / "third", {"c": File(b"third")})
    pushed = push(open_at(store), third)
    # Nobody can tell that it was no version: its number is left out.
    assert pushed.version == "v3"
    for seen_before in (True, False):
        if not seen_before:
            forget()
        assert open_at(store).artifact("ds").digest == pushed.digest
        assert open_at(store).artifact("ds:best").version == "v1"
    assert push(open_at(store), build(third, OLD)).version == "v4"
    assert [p.key for p in open_at(store).check().problems] == ["collections/p/ds/000000000005"]


def test_a_damaged_entry_below_others_forbids_to_write(store: Path, tmp_path: Path) -> None:
    next(flips(sealed_files(store)[2], 3))
    with pytest.raises(ArtstoreError) as raised:
        push(open_at(store), build(tmp_path / "third", OLD))
    assert (raised.value.code, raised.value.exit_status) == ("log-entry-damaged", 8)

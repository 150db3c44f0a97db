"""What cannot fit is refused before anything is written."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from artstore.errors import DeniedError
from artstore.transfer.space import check_space, free_bytes

MIB = 1024 * 1024


def pretend(monkeypatch, *, free_blocks: int, blocks: int = 10**6) -> None:
    answer = SimpleNamespace(f_bavail=free_blocks, f_frsize=MIB, f_blocks=blocks)
    monkeypatch.setattr(os, "statvfs", lambda path: answer)


def test_what_fits_passes(tmp_path, monkeypatch):
    pretend(monkeypatch, free_blocks=100)
    check_space(tmp_path, 84 * MIB)


def test_what_does_not_fit_is_refused_with_both_numbers_and_the_place(tmp_path, monkeypatch):
    pretend(monkeypatch, free_blocks=100)
    with pytest.raises(DeniedError) as caught:
        check_space(tmp_path, 1536 * MIB, hint="Set ARTSTORE_URL.")
    assert caught.value.code == "space-short"
    assert str(tmp_path) in str(caught.value)
    assert "1.5 GiB" in str(caught.value)
    assert "100.0 MiB" in str(caught.value)
    assert caught.value.hint == "Set ARTSTORE_URL."


def test_a_little_is_left_for_others(tmp_path, monkeypatch):
    pretend(monkeypatch, free_blocks=100)
    with pytest.raises(DeniedError):
        check_space(tmp_path, 85 * MIB)


def test_nothing_to_write_always_fits(tmp_path, monkeypatch):
    pretend(monkeypatch, free_blocks=0)
    check_space(tmp_path, 0)


def test_a_disk_that_does_not_tell_is_not_refused(tmp_path, monkeypatch):
    pretend(monkeypatch, free_blocks=0, blocks=0)
    assert free_bytes(tmp_path) is None
    check_space(tmp_path, 10**18)


def test_a_directory_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path):
    assert free_bytes(tmp_path / "a" / "b" / "c") is not None
    with pytest.raises(DeniedError):
        check_space(tmp_path / "a" / "b", 10**18)


def test_a_place_that_cannot_be_asked_is_not_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    check_space(tmp_path / "file" / "below", 10**18)

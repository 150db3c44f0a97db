"""From URLs and paths to storages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artstore.errors import InvalidInputError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.opener import open_storage


def local_path(url_or_path: str | os.PathLike[str]) -> str:
    storage = open_storage(url_or_path)
    assert isinstance(storage, LocalStorage)
    return storage.path


def test_every_spelling_of_a_directory_opens_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a store")
    quoted = path.replace(" ", "%20")
    for spelling in (
        path,
        tmp_path / "a store",
        f"file://{quoted}",
        f"file:{quoted}",
        f"FILE://localhost{quoted}",
        f"file://{path}",
    ):
        assert local_path(spelling) == path


def test_the_url_of_a_storage_opens_the_same_place(tmp_path: Path) -> None:
    for name in ("plain", "with space", "per%cent", "hash#mark", "question?", "münchen", "a:b"):
        path = str(tmp_path / name)
        assert local_path(LocalStorage(path).url) == path


def test_a_path_that_is_not_utf8_survives_the_url(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    assert local_path(LocalStorage(path).url) == path


def test_a_relative_path_is_of_the_directory_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = open_storage("store")
    monkeypatch.chdir("/")
    storage.create("a/b", b"x")
    assert (tmp_path / "store/a/b").read_bytes() == b"x"


def test_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert local_path("~/store") == "/somewhere/store"


def test_opening_makes_nothing(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "store")
    assert list(storage.scan("")) == []
    assert list(tmp_path.iterdir()) == []


def test_memory_urls_name_one_storage_of_this_process() -> None:
    one, same, other = (open_storage(f"memory://opener-{n}") for n in ("a", "a", "b"))
    assert isinstance(one, MemoryStorage)
    assert one is same
    assert one is not other
    assert one.url == "memory://opener-a"


@pytest.mark.parametrize("url", ["s3://bucket/x", "gs://b", "https://x/y", "sftp://h/p"])
def test_other_schemes_are_refused_and_the_known_ones_named(url: str) -> None:
    with pytest.raises(InvalidInputError, match="file://, memory://") as raised:
        open_storage(url)
    assert raised.value.code == "storage-scheme"
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file://host/data",
        "file://",
        "file:///a?b",
        "file:///a#b",
        "memory://",
        "memory://a/b",
        "a\0b",
        "file:///a%00b",
    ],
)
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_storage(url)
    assert raised.value.code == "storage-url-invalid"


def test_a_file_is_no_place_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInputError, match="not a directory"):
        open_storage(tmp_path / "file")

"""From URLs and paths to storages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.errors import InvalidInputError, StorageError
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


@pytest.mark.parametrize(
    "url", ["https://x/y", "sftp://h/p", "s3a://bucket/x", "gcs://b", "abfs://c"]
)
def test_other_schemes_are_refused_and_the_known_ones_named(url: str) -> None:
    with pytest.raises(InvalidInputError, match="file://, memory://, s3://") as raised:
        open_storage(url)
    assert raised.value.code == "storage-scheme"
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("url", ["s3://bucket/a/prefix", "fsspec+s3://bucket/a/prefix"])
def test_a_bucket_is_opened_without_a_request_and_keeps_its_url(url: str) -> None:
    # Nothing leads to credentials here: using it would fail.
    assert open_storage(url).url == url
    assert open_storage(f"{url}/").url == url
    assert open_storage(url.replace("s3:", "S3:")).url == url


EXPERIMENTS = ["gs", "az", "fsspec+gs", "fsspec+az", "fsspec+sftp"]


@pytest.mark.parametrize("scheme", EXPERIMENTS)
@pytest.mark.parametrize("allowed", ["", "s3", "1", "true", "all", "gsaz"])
def test_an_experiment_is_refused_until_it_is_named(
    monkeypatch: pytest.MonkeyPatch, scheme: str, allowed: str
) -> None:
    monkeypatch.setenv("ARTSTORE_EXPERIMENTAL", allowed)
    with pytest.raises(InvalidInputError) as raised:
        open_storage(f"{scheme}://bucket/prefix")
    assert raised.value.code == "storage-experimental"
    assert raised.value.exit_status == 2
    assert f"ARTSTORE_EXPERIMENTAL={scheme}" in str(raised.value.hint)


@pytest.mark.parametrize("allowed", ["gs,az", " AZ , gs ", "az,other,gs,"])
@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_an_experiment_that_is_named_is_opened(
    monkeypatch: pytest.MonkeyPatch, scheme: str, allowed: str
) -> None:
    monkeypatch.setenv("ARTSTORE_EXPERIMENTAL", allowed)
    assert open_storage(f"{scheme}://bucket/prefix").url == f"{scheme}://bucket/prefix"


def test_what_fsspec_cannot_guard_is_unsuitable_even_if_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARTSTORE_EXPERIMENTAL", "fsspec+sftp")
    storage = open_storage("fsspec+sftp://host/path")
    with pytest.raises(StorageError) as raised:
        storage.read("a/key")
    assert raised.value.code == "storage-unsuitable"


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://b",
        "s3://bucket//prefix",
        "s3://bucket/a/../b",
        "s3://bucket/./a",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a%20b",
        "s3://bucket/a\\b",
        "s3://bucket/a\nb",
    ],
)
def test_what_is_no_place_in_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_storage(url)
    assert raised.value.code == "storage-url-invalid"


def test_a_secret_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_storage("s3://AKIA123:hush@bucket/prefix")
    assert raised.value.code == "storage-url-invalid"
    assert "hush" not in f"{raised.value} {raised.value.hint}"
    assert "AWS_ACCESS_KEY_ID" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("url", "client"), [("s3://bucket/p", "obstore"), ("fsspec+s3://bucket/p", "s3fs")]
)
@pytest.mark.parametrize("error", ["DeniedError", "UnavailableError"])
def test_all_that_a_bucket_needs_is_imported_while_nobody_may_fork(
    monkeypatch: pytest.MonkeyPatch, url: str, client: str, error: str
) -> None:
    # A child that is forked meanwhile would wait for the lock of the module for ever.
    program = """
import sys, threading
from artstore import clock, forks
from artstore.storage.opener import open_storage

class Watch:
    held, free = set(), set()
    def find_spec(self, name, path=None, target=None):
        (self.held if forks._inside else self.free).add(name)

def use(url):
    for _ in range(2):
        try:
            open_storage(url).read("a/key")
        except Exception as error:
            print(type(error).__name__)

clock.sleep = lambda seconds: None
sys.meta_path.insert(0, Watch())
thread = threading.Thread(target=use, args=(sys.argv[1],))
thread.start()
thread.join()
print(sys.argv[2] in Watch.held, sorted(Watch.free))
"""
    if error == "UnavailableError":  # botocore finds no credentials for the other one
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "key")
        # Port 1 of loopback: nobody listens there.
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    ran = subprocess.run(
        [sys.executable, "-c", program, url, client], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n") == [error, error, "True []", ""], ran.stderr


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

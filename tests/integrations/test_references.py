"""References to local files and web pages: what is noted, what is fetched, what is noticed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import artstore as art
from artstore import clock
from artstore.manifests.entry import reference_entry
from artstore.references import remote as remote_module
from artstore.references.address import TRUSTED_VARIABLE
from tests.integrations.webserver import Page, WebServer, start_web


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with start_web() as server:
        monkeypatch.setenv(TRUSTED_VARIABLE, f"{server.url}/")
        yield server


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    return art.open_store(os.fspath(tmp_path / "store"), project="p")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)


def pushed(store: art.Store, *urls: str, **options: object) -> art.LoggedArtifact:
    draft = art.Artifact("refs")
    for url in urls:
        draft.add_reference(url, **options)  # type: ignore[arg-type]
    return store.log_artifact(draft)


def hostile(store: art.Store, url: str, **known: object) -> art.LoggedArtifact:
    """A version as somebody else's program may write it."""
    draft = art.Artifact("hostile")
    draft._additions.append(reference_entry("x", url, **known))  # type: ignore[arg-type]
    return store.log_artifact(draft)


def code_of(version: art.LoggedArtifact, target: Path) -> str:
    with pytest.raises(art.ArtstoreError) as caught:
        version.download(target)
    assert not list(target.iterdir()), "something was left behind"
    return caught.value.code


# local files ------------------------------------------------------------------------------


def test_a_directory_is_added_file_by_file_with_digests(store: art.Store, tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "sub dir").mkdir(parents=True)
    (root / "b%.txt").write_bytes(b"b")
    (root / "sub dir" / "a.txt").write_bytes(b"a")
    (root / "link").symlink_to("nowhere")
    draft = art.Artifact("refs")
    added = draft.add_reference(root.as_uri(), "here")
    assert [entry.path for entry in added] == ["here/b%.txt", "here/sub dir/a.txt"]
    assert all("content_digest" in entry.extra for entry in added)
    version = store.log_artifact(draft)
    assert version.download(tmp_path / "out").written_files == 2
    assert (tmp_path / "out/here/sub dir/a.txt").read_bytes() == b"a"
    assert version.download(tmp_path / "out").written_files == 0


def test_a_directory_with_too_many_files_is_refused_before_any_is_read(
    store: art.Store, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(4):
        (root / str(number)).write_bytes(b"")
    (root / "unreadable").symlink_to("/proc/self/mem")
    draft = art.Artifact("refs")
    with pytest.raises(art.LimitExceededError, match="more than 3 files") as caught:
        draft.add_reference(root.as_uri(), max_objects=3)
    assert caught.value.code == "references-too-many"
    assert not draft.additions


def test_a_local_file_without_a_digest_is_not_pulled_until_it_is_trusted(
    store: art.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "home" / "secret"
    secret.parent.mkdir()
    secret.write_bytes(b"key")
    version = pushed(store, secret.as_uri(), checksum=False)
    assert version.entry("secret").extra == {"url": secret.as_uri()}
    assert code_of(version, tmp_path / "out") == "reference-refused"
    monkeypatch.setenv(TRUSTED_VARIABLE, f"file://{tmp_path}/other,{secret.parent.as_uri()}")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/secret").read_bytes() == b"key"


@pytest.mark.parametrize("way", ["../secret", "%2e%2e/secret", "x/../../secret"])
def test_what_is_trusted_cannot_be_left_by_dots(
    store: art.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "secret").write_bytes(b"key")
    monkeypatch.setenv(TRUSTED_VARIABLE, (tmp_path / "open").as_uri())
    version = hostile(store, f"{(tmp_path / 'open').as_uri()}/{way}", size_bytes=3)
    assert code_of(version, tmp_path / "out") == "reference-refused"


def test_a_file_that_changed_or_went_is_told_and_nothing_is_written(
    store: art.Store, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    version = pushed(store, file.as_uri())
    for data, found in ((b"two", "reference-changed"), (b"longer", "reference-changed")):
        file.write_bytes(data)
        assert code_of(version, tmp_path / "out") == found
    file.unlink()
    assert code_of(version, tmp_path / "out") == "reference-unreadable"
    os.mkfifo(file)
    assert code_of(version, tmp_path / "out") == "reference-unreadable"


# the web ----------------------------------------------------------------------------------


def test_a_page_is_noted_fetched_and_not_fetched_again(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    web.pages["/data/a%20b.csv"] = Page(b"1,2\n" * 5000)
    version = pushed(store, f"{web.url}/data/a%20b.csv")
    entry = version.entry("a b.csv")
    assert (entry.size_bytes, entry.extra["etag"]) == (20_000, '"one"')
    assert "content_digest" not in entry.extra
    assert version.download(tmp_path / "out").written_files == 1
    assert (tmp_path / "out/a b.csv").read_bytes() == b"1,2\n" * 5000
    asked = len(web.asked)
    assert version.download(tmp_path / "out").written_files == 0
    assert len(web.asked) == asked
    (tmp_path / "out/a b.csv").write_bytes(b"0,0\n" * 5000)
    assert version.download(tmp_path / "out").written_files == 1
    assert (tmp_path / "out/a b.csv").read_bytes() == b"1,2\n" * 5000


@pytest.mark.parametrize("asks_conditions", [True, False])
def test_a_page_with_another_etag_is_told(
    store: art.Store, web: WebServer, tmp_path: Path, asks_conditions: bool
) -> None:
    web.asks_conditions = asks_conditions
    web.pages["/x"] = Page(b"abc")
    version = pushed(store, f"{web.url}/x")
    web.pages["/x"] = Page(b"abd", etag='"two"')
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "out")
    assert caught.value.code == "reference-changed"
    assert caught.value.context["url"] == f"{web.url}/x"
    assert '"one"' in caught.value.message
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (Page(b"abcd"), "reference-changed"),
        (Page(b"ab"), "reference-changed"),
        (Page(b"abcd", tells_size=False), "reference-changed"),
        (Page(b"ab", tells_size=False), "reference-changed"),
        (Page(b"abc", etag=None), "reference-changed"),
        (Page(b"abc", status=404), "reference-unreadable"),
        (Page(b"abc", status=403), "reference-unreadable"),
        (Page(b"abc", status=503), "reference-unreadable"),
        (Page(b"", status=302, location="file:///etc/passwd"), "reference-unreadable"),
        (Page(b"", status=302, location="/x"), "reference-unreadable"),
    ],
)
def test_a_page_that_is_not_what_it_was_is_told(
    store: art.Store, web: WebServer, tmp_path: Path, after: Page, found: str
) -> None:
    web.pages["/x"] = Page(b"abc")
    version = pushed(store, f"{web.url}/x")
    web.pages["/x"] = after
    assert code_of(version, tmp_path / "out") == found


def test_no_more_is_read_than_was_noted(store: art.Store, web: WebServer, tmp_path: Path) -> None:
    web.pages["/x"] = Page(b"x" * 50_000_000, etag=None, tells_size=False)
    version = hostile(store, f"{web.url}/x", size_bytes=1000)
    assert code_of(version, tmp_path / "out") == "reference-changed"


def test_a_server_that_is_busy_is_asked_again(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    web.pages["/x"] = Page(b"abc")
    version = pushed(store, f"{web.url}/x")
    web.failures = [503, 429]
    assert version.download(tmp_path / "out").written_files == 1


def test_a_server_without_head_etags_and_ranges_is_enough(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    web.knows_ranges = web.knows_head = False
    when = "Wed, 21 Oct 2015 07:28:00 GMT"
    web.pages["/x"] = Page(b"abc", etag=None, last_modified=when)
    version = pushed(store, f"{web.url}/x")
    assert version.entry("x").extra["last_modified"] == when
    version.download(tmp_path / "out")
    assert (tmp_path / "out/x").read_bytes() == b"abc"
    web.pages["/x"].last_modified = "Wed, 21 Oct 2015 07:28:01 GMT"
    assert code_of(version, tmp_path / "again") == "reference-changed"


def test_redirections_are_followed_within_the_web(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    web.pages["/x"] = Page(b"", status=307, location="/elsewhere/y")
    web.pages["/elsewhere/y"] = Page(b"abc")
    version = pushed(store, f"{web.url}/x")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/x").read_bytes() == b"abc"


def test_a_url_alone_is_noted_without_asking_and_fetched_once(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    version = pushed(store, f"{web.url}/x", checksum=False)
    assert not web.asked
    assert version.entry("x").extra == {"url": f"{web.url}/x"}
    web.pages["/x"] = Page(b"abc")
    version.download(tmp_path / "out")
    assert version.download(tmp_path / "out").written_files == 0
    assert (tmp_path / "out/x").read_bytes() == b"abc"


def test_a_damaged_memory_of_what_was_fetched_costs_fetching_again(
    store: art.Store, web: WebServer, tmp_path: Path, home: Path
) -> None:
    web.pages["/x"] = Page(b"abc")
    version = pushed(store, f"{web.url}/x")
    version.download(tmp_path / "out")
    (memory,) = (home / ".cache/artstore").glob("references-*.log")
    memory.write_bytes(memory.read_bytes()[:-1] + b"?")
    again = art.open_store(store.url, project="p").artifact("refs")
    assert again.download(tmp_path / "out").written_files == 1
    assert again.download(tmp_path / "out").written_files == 0


def test_many_references_are_fetched_side_by_side(
    store: art.Store, web: WebServer, tmp_path: Path
) -> None:
    for number in range(60):
        web.pages[f"/{number}"] = Page(b"%d" % number)
    version = pushed(store, *(f"{web.url}/{number}" for number in range(60)))
    before = set(threading.enumerate())
    assert version.download(tmp_path / "out").written_files == 60
    # The server's threads, one a question, may live on a little after their answers.
    left = {one.name for one in threading.enumerate() if one not in before}
    assert not [name for name in left if "process_request" not in name]
    for number in range(60):
        assert (tmp_path / "out" / str(number)).read_bytes() == b"%d" % number


# manifests of strangers -------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "http://localhost:1/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:1/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://[64:ff9b::a00:1]/x",
        "http://10.1.2.3/x",
        "http://2130706433:1/x",
        "https://192.168.0.1/x",
        "http://100.64.0.1/x",
    ],
)
def test_hosts_of_inner_networks_are_not_asked(store: art.Store, tmp_path: Path, url: str) -> None:
    assert code_of(hostile(store, url), tmp_path / "out") == "reference-refused"


def test_a_redirection_into_an_inner_network_is_not_followed(
    store: art.Store, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUSTED_VARIABLE, f"{web.url}/outside/")
    web.pages["/outside/x"] = Page(b"", status=302, location="/inside/x")
    web.pages["/inside/x"] = Page(b"secret")
    version = hostile(store, f"{web.url}/outside/x", size_bytes=6)
    assert code_of(version, tmp_path / "out") == "reference-refused"
    assert [path for _, path, _ in web.asked] == ["/outside/x"]


@pytest.mark.parametrize(
    "url",
    [
        "ssh://host/etc/passwd",
        "sftp://host/x",
        "ftp://host/x",
        "memory://x",
        "local:///etc/passwd",
        "reference://x",
        "simplecache::file:///etc/passwd",
        "simplecache::http://127.0.0.1/x",
        "zip://x::file:///etc/passwd",
        "http://host/x::file:///etc/passwd",
        "python:print(1)",
        "data:,hello",
        "http://user:password@host/x",
        "http://host/a b",
        "http:///x",
        "s3://",
        "\x00://",
    ],
)
def test_other_schemes_chains_and_passwords_are_never_followed(
    store: art.Store, tmp_path: Path, url: str
) -> None:
    version = hostile(store, url, size_bytes=3)
    result = version.download(tmp_path / "out")
    assert "is not fetched" in result.warnings[0]
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(art.InvalidInputError) as caught:
        art.Artifact("a").add_reference(url)
    assert caught.value.code == "reference-invalid"


def test_any_url_may_be_kept_as_a_note(store: art.Store) -> None:
    draft = art.Artifact("notes")
    draft.add_reference("ssh://host/data/x.bin", checksum=False)
    draft.add_reference("doi:10.1000/182", "paper", checksum=False)
    version = store.log_artifact(draft)
    assert version.entry("x.bin").url == "ssh://host/data/x.bin"


@pytest.mark.parametrize(
    "extra",
    [
        {"url": "http://127.0.0.1:1/x", "etag": 7},
        {"url": "http://127.0.0.1:1/x", "size_bytes": -1},
        {"url": "http://127.0.0.1:1/x", "size_bytes": True},
        {"url": "http://127.0.0.1:1/x", "version_id": ["v"]},
        {"url": ["http://127.0.0.1:1/x"]},
    ],
)
def test_fields_of_other_types_are_damage_or_nothing(
    store: art.Store, tmp_path: Path, extra: dict[str, object]
) -> None:
    draft = art.Artifact("hostile")
    entry = reference_entry("x", "http://127.0.0.1:1/x")
    draft._additions.append(entry.__class__("x", entry.kind, 0, entry.digest, extra=extra))
    version = store.log_artifact(draft)
    try:
        result = version.download(tmp_path / "out")
    except art.ArtstoreError as error:
        assert error.code in ("manifest-damaged", "reference-refused")
    else:
        assert result.warnings
    assert not list((tmp_path / "out").iterdir())


# opened in place --------------------------------------------------------------------------


def test_a_page_is_opened_and_read_by_ranges(store: art.Store, web: WebServer) -> None:
    data = bytes(range(256)) * 8_000
    web.pages["/x"] = Page(data)
    version = pushed(store, f"{web.url}/x")
    with version.open("x") as file:
        file.seek(1_000_000)
        assert file.read(500) == data[1_000_000:1_000_500]
        assert web.sent_bytes < 600_000
        file.seek(-5, os.SEEK_END)
        assert file.read() == data[-5:]
    assert version.read_ranges([("x", 10, 20)]) == [data[10:20]]
    web.pages["/x"] = Page(data[::-1], etag='"two"')
    with version.open("x") as file, pytest.raises(art.DamagedDataError) as caught:
        file.read(10)
    assert caught.value.code == "reference-changed"
    assert caught.value.context["path"] == "x"


def test_a_server_without_ranges_is_read_through(store: art.Store, web: WebServer) -> None:
    web.knows_ranges = False
    web.pages["/x"] = Page(b"0123456789" * 1000)
    version = pushed(store, f"{web.url}/x")
    assert version.read_ranges([("x", 5_005, 5_008)]) == [b"567"]


def test_a_local_file_is_compared_before_it_is_opened(store: art.Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    version = pushed(store, file.as_uri())
    with version.open("file") as opened:
        assert opened.read(3) == b"012"
        assert opened.read() == b"3456789"
    file.write_bytes(b"012345678x")
    with pytest.raises(art.DamagedDataError) as caught:
        version.open("file")
    assert caught.value.code == "reference-changed"


def test_notes_and_private_files_are_not_opened(store: art.Store, tmp_path: Path) -> None:
    for url, code in (
        ("ssh://host/x", "reference-invalid"),
        ((tmp_path / "x").as_uri(), "reference-refused"),
        ("http://127.0.0.1:1/x", "reference-refused"),
    ):
        with pytest.raises(art.ArtstoreError) as caught:
            hostile(store, url, size_bytes=4).open("x").read()
        assert caught.value.code == code


# what fsspec opens ------------------------------------------------------------------------


class Remote:
    """A file system of fsspec as gcsfs is one, as far as it is asked."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}

    def _strip_protocol(self, path: str) -> str:
        return path.partition("://")[2]

    def info(self, path: str, refresh: bool = False) -> dict[str, object]:
        assert refresh
        key = self._strip_protocol(path)
        if key not in self.files:
            raise FileNotFoundError(path)
        data, etag = self.files[key]
        return {"name": key, "size": len(data), "type": "file", "etag": etag, "generation": etag}

    def find(self, path: str, detail: bool) -> dict[str, dict[str, object]]:
        prefix = self._strip_protocol(path)
        return {key: self.info(f"gs://{key}", True) for key in self.files if key.startswith(prefix)}

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        return self.files[self._strip_protocol(path)][0][start:end]


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Remote:
    made = Remote()
    monkeypatch.setattr(remote_module, "_file_system_of", lambda scheme, generation: made)
    return made


def test_what_fsspec_opens_is_noted_listed_fetched_and_compared(
    store: art.Store, remote: Remote, tmp_path: Path
) -> None:
    remote.files = {
        "bucket/d/b": (b"bb", "1"),
        "bucket/d/e/a": (b"a", "2"),
        "bucket/x": (b"x", "3"),
    }
    version = pushed(store, "gs://bucket/d", "gs://bucket/x")
    assert [(e.path, e.url, e.extra["etag"]) for e in version.entries()] == [
        ("b", "gs://bucket/d/b", "1"),
        ("e/a", "gs://bucket/d/e/a", "2"),
        ("x", "gs://bucket/x", "3"),
    ]
    assert version.download(tmp_path / "out").written_files == 3
    assert (tmp_path / "out/e/a").read_bytes() == b"a"
    assert version.download(tmp_path / "out").written_files == 0
    remote.files["bucket/d/b"] = (b"cc", "4")
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "other")
    assert caught.value.code == "reference-changed"
    del remote.files["bucket/d/b"]
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "other")
    assert caught.value.code == "reference-unreadable"

"""Intake: results come in the order of the items, and not too much is read ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artstore import limits
from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.manifests.entry import Entry
from artstore.transfer.intake import Intake, LargeRead, Reused, WholeRead
from artstore.transfer.walk import Found, walk
from tests.trees import EMPTY, File, Symlink, build, noise


def nothing_known(_: bytes) -> bool:
    return False


def never_reused(_: Found) -> Entry | None:
    return None


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def path_of(done: object) -> str:
    if isinstance(done, Entry):
        return done.path
    if isinstance(done, Reused):
        return done.entry.path
    assert isinstance(done, WholeRead | LargeRead)
    return done.found.path


def test_results_come_in_the_order_of_the_items(
    tmp_path: Path, workers: ThreadPoolExecutor
) -> None:
    tree = {
        **{f"f{i:03}": File(noise(100 * (i % 7), i)) for i in range(200)},
        "f100x": Symlink("f100"),
        "f101x": EMPTY,
        "f150x": File(noise(5 * limits.MIB)),
    }
    items = list(walk(build(tmp_path / "tree", tree)))
    done = list(Intake(workers, nothing_known, never_reused).run(items))
    assert [path_of(one) for one in done] == sorted(tree)
    assert isinstance(done[sorted(tree).index("f150x")], LargeRead)


def test_small_files_come_with_digest_chunks_and_mode(
    tmp_path: Path, workers: ThreadPoolExecutor
) -> None:
    tree = {
        "empty": File(b""),
        "one": File(noise(1000), executable=True),
        "text": File(b"compresses well " * 1000),
        "two": File(noise(600_000)),
    }
    done = list(Intake(workers, nothing_known, never_reused).run(walk(build(tmp_path / "t", tree))))
    for one in done:
        assert isinstance(one, WholeRead)
        data = tree[one.found.path].data
        assert one.read.digest == digest_of(data)
        assert one.read.executable == tree[one.found.path].executable
        assert sum(chunk.plain_bytes for chunk in one.read.chunks) == len(data)
        plain = b"".join(
            bytes(codec.decode(c.codec, c.stored or b"", plain_bytes=c.plain_bytes, where="test"))
            for c in one.read.chunks
        )
        assert plain == data


def test_chunks_that_are_known_are_not_encoded(tmp_path: Path, workers: ThreadPoolExecutor) -> None:
    known = digest_of(noise(1000))
    items = walk(build(tmp_path / "t", {"a": File(noise(1000)), "b": File(noise(1000, 1))}))
    first, second = Intake(workers, known.__eq__, never_reused).run(items)
    assert isinstance(first, WholeRead)
    assert isinstance(second, WholeRead)
    assert first.read.chunks[0].stored is None
    assert second.read.chunks[0].stored is not None


def test_a_large_file_read_in_windows_has_the_chunks_of_its_bytes(
    tmp_path: Path, workers: ThreadPoolExecutor
) -> None:
    data = noise(19 * limits.MIB)
    items = walk(build(tmp_path / "t", {"model": File(data)}))
    (done,) = Intake(workers, nothing_known, never_reused).run(items)
    assert isinstance(done, LargeRead)
    taken: list[bytes] = []
    restarts: list[int] = []
    read = done.run(
        lambda chunks: taken.extend(bytes(chunk.stored or b"") for chunk in chunks),
        lambda: restarts.append(1),
    )
    assert b"".join(taken) == data
    assert (read.digest, read.size_bytes, restarts) == (digest_of(data), len(data), [1])


def test_cuts_do_not_depend_on_how_a_file_is_read(
    tmp_path: Path, workers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore.transfer import intake

    items = list(walk(build(tmp_path / "t", {"model": File(noise(3 * limits.MIB))})))
    (whole,) = Intake(workers, nothing_known, never_reused).run(items)
    monkeypatch.setattr(intake, "WHOLE_READ_BYTES", 1)
    (large,) = Intake(workers, nothing_known, never_reused).run(items)
    assert isinstance(whole, WholeRead)
    assert isinstance(large, LargeRead)
    in_windows: list[bytes] = []
    large.run(lambda chunks: in_windows.extend(chunk.digest for chunk in chunks), lambda: None)
    assert in_windows == [chunk.digest for chunk in whole.read.chunks]


def test_no_more_than_a_window_of_files_is_read_ahead(tmp_path: Path) -> None:
    tree = {f"f{i:03}": File(bytes(limits.MIB)) for i in range(60)}
    items = list(walk(build(tmp_path / "t", tree)))
    opened: list[str] = []
    lock = threading.Lock()

    def is_known(digest: bytes) -> bool:
        with lock:
            opened.append(digest.hex())
        return False

    with ThreadPoolExecutor(1) as one:
        run = Intake(one, is_known, never_reused).run(items)
        next(run)
        one.submit(lambda: None).result()
        assert len(opened) < 30 * 8  # files of 1 MiB are eight chunks
        assert sum(1 for _ in run) == 59

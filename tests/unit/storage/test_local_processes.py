"""A directory shared by real processes: racing, killed, and of two users."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore.errors import AlreadyExistsError, DeniedError
from artstore.storage.local import LocalStorage
from tests.unit.storage.processes import ChildProcess

ALICE, BOB, TEAM = 61_001, 61_002, 61_000


def test_of_racing_processes_exactly_one_creates_each_key(tmp_path: Path) -> None:
    count = 40

    def race(me: int) -> list[int]:
        storage = LocalStorage(tmp_path / "store")
        won = []
        for n in range(count):
            try:
                storage.create(f"logs/a/{n:012d}", b"%d" % me * 100)
            except AlreadyExistsError:
                continue
            won.append(n)
        return won

    children = [ChildProcess(lambda me=me: race(me)) for me in range(4)]
    wins = [child.result() for child in children]
    assert sorted(n for won in wins for n in won) == list(range(count))
    storage = LocalStorage(tmp_path / "store")
    for me, won in enumerate(wins):
        for n in won:
            assert storage.read(f"logs/a/{n:012d}") == b"%d" % me * 100


@pytest.mark.parametrize("together", [1, 3])
def test_a_killed_writer_leaves_whole_values_or_none(tmp_path: Path, together: int) -> None:
    """kill -9 at different moments of a create; what was confirmed is there, nothing is torn."""
    storage = LocalStorage(tmp_path / "store")
    size = 3 * 2**20

    def write(confirm: int, start: int) -> None:
        for n in range(start, start + 300, together):
            storage.create_many(
                [(f"packs/{i % 4:02x}/{i:06d}", [bytes([i % 251]) * (size // 48)] * 48)
                 for i in range(n, n + together)]
            )  # fmt: skip
            os.write(confirm, b"".join(i.to_bytes(4) for i in range(n, n + together)))

    for attempt in range(6):
        start = attempt * 1000
        reader, writer = os.pipe()
        child = ChildProcess(lambda writer=writer, start=start: write(writer, start))
        os.close(writer)
        confirmed = os.read(reader, 4)  # at least one value is durable
        # Busy reads instead of a sleep: another moment in the next value every time.
        for _ in range(1 + 150 * attempt):
            storage.stat(f"packs/{start % 4:02x}/{start:06d}")
        child.kill(signal.SIGKILL)
        while data := os.read(reader, 4096):
            confirmed += data
        os.close(reader)
        numbers = {int.from_bytes(confirmed[i : i + 4]) for i in range(0, len(confirmed), 4)}
        found = {int(info.key[-6:]): info for info in storage.scan("packs/")}
        mine = {n for n in found if n >= start}
        assert numbers <= mine
        assert len(mine - numbers) <= together  # at most what was in flight
        for n in mine:
            assert found[n].size_bytes == size
            assert storage.read(found[n].key) == bytes([n % 251]) * size
        # The same work can be finished under the names that are free.
        following = max(mine) + 1
        storage.create(
            f"packs/{following % 4:02x}/{following:06d}", bytes([following % 251]) * size
        )
        storage.delete([info.key for info in storage.scan("packs/")])
    left = sum(entry.stat().st_size for entry in os.scandir(tmp_path / "store/tmp"))
    assert storage.sweep_temporary(-1) == left
    assert os.listdir(tmp_path / "store/tmp") == []


@pytest.fixture
def shared_place() -> Iterator[Path]:
    """A directory that other users can reach; pytest's own are closed to them."""
    if os.geteuid() != 0:
        pytest.skip("becoming two users needs root")
    place = Path(tempfile.mkdtemp(prefix="artstore-test-"))
    os.chmod(place, 0o755)
    yield place
    shutil.rmtree(place)


def test_two_users_share_a_setgid_store_whatever_their_umask(shared_place: Path) -> None:
    root = shared_place / "store"
    root.mkdir()
    os.chown(root, 0, TEAM)
    os.chmod(root, 0o2770)

    def write(me: str) -> None:
        storage = LocalStorage(root)
        # Both write below the same `<hh>`: whoever comes second needs the first one's directory.
        storage.create_many([(f"packs/ab/{me}", me.encode()), (f"logs/x/{me}", me.encode())])

    def read() -> list[bytes]:
        storage = LocalStorage(root)
        return [storage.read(info.key) for info in storage.scan("packs/")]

    for user, me in ((ALICE, "alice"), (BOB, "bob")):
        ChildProcess(lambda me=me: write(me), user=user, groups=(TEAM,), umask=0o077).result()
    for user in (ALICE, BOB):
        got = ChildProcess(read, user=user, groups=(TEAM,), umask=0o077).result()
        assert got == [b"alice", b"bob"]
    for key, owner in (("packs/ab/alice", ALICE), ("packs/ab/bob", BOB)):
        status = os.stat(root / key)
        assert (status.st_uid, status.st_gid) == (owner, TEAM)
        assert stat.S_IMODE(status.st_mode) == 0o440
    for directory in ("tmp", "packs", "packs/ab", "logs/x"):
        assert stat.S_IMODE(os.stat(root / directory).st_mode) == 0o2770


def test_two_users_race_for_the_same_new_directories(shared_place: Path) -> None:
    root = shared_place / "store"
    root.mkdir()
    os.chown(root, 0, TEAM)
    os.chmod(root, 0o2770)

    def write(me: str) -> None:
        storage = LocalStorage(root, sync=False)
        for n in range(256):
            storage.create(f"packs/{n:02x}/{me}", b"")

    children = [
        ChildProcess(lambda user=user: write(str(user)), user=user, groups=(TEAM,), umask=0o077)
        for user in (ALICE, BOB)
    ]
    for child in children:
        child.result()
    assert len(list(LocalStorage(root).scan("packs/"))) == 512


def test_a_stranger_is_denied_by_name_and_changes_nothing(shared_place: Path) -> None:
    root = shared_place / "store"
    LocalStorage(root).create("a/b", b"mine")
    os.chmod(root, 0o755)

    def write() -> None:
        LocalStorage(root).create("a/c", b"theirs")

    def delete() -> None:
        LocalStorage(root).delete(["a/b"])

    def read() -> bytes:
        return LocalStorage(root).read("a/b")

    for work in (write, delete):
        with pytest.raises(DeniedError, match=str(root)) as raised:
            ChildProcess(work, user=BOB).result()
        assert raised.value.code == "storage-denied"
    assert ChildProcess(read, user=BOB).result() == b"mine"
    os.chmod(root / "a/b", 0o400)
    with pytest.raises(DeniedError):
        ChildProcess(read, user=BOB).result()
    os.chmod(root / "a", 0o700)
    with pytest.raises(DeniedError):
        ChildProcess(lambda: list(LocalStorage(root).scan("")), user=BOB).result()
    assert [info.key for info in LocalStorage(root).scan("")] == ["a/b"]

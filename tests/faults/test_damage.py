"""
Bits that flip, files that are cut short, swapped or lost, one kind of stored file after the other.

Each is found by a check that reads all data, and by every pull that touches it:
that fails with exit status 8, names the file, and leaves no wrong file behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artstore import limits
from artstore.errors import ArtstoreError, DamagedDataError
from artstore.transfer import sending
from tests.trees import EMPTY, File, Symlink, Tree, build, noise, observe, open_at, push

TREE: Tree = {
    "a": File(noise(900, 1)),
    "b": File(b"compresses well " * 200),
    "c": File(noise(40_000, 2), executable=True),
    "d/empty": EMPTY,
    "l": Symlink("a"),
    "zero": File(b""),
}
BIG: Tree = {"big": File(noise(10 * limits.MIB, 3)), "small": File(b"small")}


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions of a small tree, a large file with chunk lists, and metadata."""
    base = tmp_path_factory.mktemp("pushed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSTORE_CACHE_DIR", str(base / "cache"))
        patch.setenv("XDG_STATE_HOME", str(base / "state"))
        store = open_at(base / "store")
        push(store, build(base / "first", TREE))
        push(store, build(base / "second", {**TREE, "new": File(noise(500, 4))}), aliases=["best"])
        push(store, base / "second", metadata={"k": "v"})
        push(store, build(base / "big", BIG), name="big")
    return base / "store"


@pytest.fixture
def damaged(pushed: Path, tmp_path: Path) -> Path:
    """A copy to be damaged; caches of this machine know nothing of it."""
    copy = tmp_path / "store"
    shutil.copytree(pushed, copy)
    return copy


def files_of(store: Path, kind: str) -> list[Path]:
    return sorted(path for path in (store / kind).rglob("*") if path.is_file())


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    replace(path, bytes(data))


def replace(path: Path, data: bytes) -> None:
    # A new file: the old one is read-only, as all of a store.
    path.unlink()
    path.write_bytes(data)


def keys_found(store: Path) -> set[str]:
    """Keys of the problems that a machine finds which has never seen the store."""
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)
    try:
        return {problem.key for problem in open_at(store).check(read_data=1.0).problems}
    except ArtstoreError as error:
        assert error.exit_status in (8, 9)
        return {str(error.context.get("key", "artstore.json"))}


def pull_or_error(store: Path, name: str, target: Path, expected: Tree) -> ArtstoreError | None:
    """Pull; whatever happens, no file may be there that is not as pushed."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)
    error = None
    try:
        open_at(store).artifact(name).download(target)
    except ArtstoreError as raised:
        error = raised
    found = observe(target) if target.exists() else {}
    assert found.items() <= expected.items()
    assert error is not None or found == expected
    return error


def test_a_whole_store_has_no_problems(pushed: Path) -> None:
    assert keys_found(pushed) == set()


# --- flipped bits ---------------------------------------------------------------------


def some_bits(path: Path, step: int) -> Iterator[int]:
    """One bit of every `step`-th byte, each time another one, the first and last always."""
    size = path.stat().st_size
    places = sorted(
        {*range(0, size, step), *range(0, min(40, size), 2), *range(max(0, size - 40), size, 2)}
    )
    return ((8 * byte + number % 8) for number, byte in enumerate(places))


@pytest.mark.parametrize(
    ("kind", "step"), [("packs", 1997), ("manifests", 331), ("index", 997), ("artstore.json", 11)]
)
def test_a_flipped_bit_is_found_by_check(damaged: Path, kind: str, step: int) -> None:
    paths = [damaged / kind] if (damaged / kind).is_file() else files_of(damaged, kind)
    for path in paths:
        sound = path.read_bytes()
        if len(sound) > limits.MIB:
            continue
        for bit in some_bits(path, step):
            flip(path, bit)
            key = path.relative_to(damaged).as_posix()
            is_found = key in keys_found(damaged)
            assert is_found or (kind == "packs" and reads_the_same(damaged)), (key, bit)
            replace(path, sound)


def reads_the_same(store: Path, *names: str) -> bool:
    """One bit of a zstd frame is read by nobody: what comes out is what was pushed."""
    names = names or ("ds:v0", "ds:v1", "big")
    return not any(open_at(store).verify(name).problems for name in names)


def test_a_flipped_bit_is_found_by_check_on_a_machine_that_knows_the_log(damaged: Path) -> None:
    # What the replica remembers must not stand in for what the store holds.
    for path in files_of(damaged, "collections"):
        shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)
        for name in ("ds", "big"):
            open_at(damaged).artifact(name)
        sound, status = path.read_bytes(), path.stat()
        flip(path, 8 * (len(sound) // 2))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert open_at(damaged).check().problems, path
        replace(path, sound)


def test_a_flipped_bit_in_a_pack_makes_a_pull_fail_and_name_the_file(
    damaged: Path, tmp_path: Path
) -> None:
    expected = {**TREE, "new": File(noise(500, 4))}
    hits: set[str] = set()
    for path in files_of(damaged, "packs"):
        sound = path.read_bytes()
        if len(sound) > limits.MIB:
            continue
        # The second file compresses to a few bytes, which large steps would miss.
        for bit in (*some_bits(path, 499), *range(8 * 890, 8 * min(970, len(sound)), 40)):
            flip(path, bit)
            error = pull_or_error(damaged, "ds:best", tmp_path / "out", expected)
            if error is not None:
                assert isinstance(error, DamagedDataError), error
                assert error.exit_status == 8
                assert error.context["path"] in error.message
                hits.add(error.context["path"])
            replace(path, sound)
    assert hits == {"a", "b", "c", "new"}


def test_a_flipped_bit_in_a_manifest_makes_a_pull_fail_before_it_writes(
    damaged: Path, tmp_path: Path
) -> None:
    for path in files_of(damaged, "manifests"):
        sound = path.read_bytes()
        for bit in some_bits(path, 1999):
            flip(path, bit)
            for name in ("ds:v0", "ds:v1"):
                target = tmp_path / "out"
                expected = TREE if name == "ds:v0" else {**TREE, "new": File(noise(500, 4))}
                error = pull_or_error(damaged, name, target, expected)
                if error is not None:
                    assert isinstance(error, DamagedDataError)
                    assert not target.exists()
            replace(path, sound)


def test_a_flipped_bit_in_a_large_file_leaves_the_old_file(damaged: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    old = File(noise(9 * limits.MIB, 8))
    for path in files_of(damaged, "packs"):
        if path.stat().st_size < limits.MIB:
            continue
        sound = path.read_bytes()
        for byte in (8, len(sound) // 2):
            build(target, {"big": old})
            flip(path, 8 * byte)
            with pytest.raises(DamagedDataError) as raised:
                open_at(damaged).artifact("big").download(target)
            assert raised.value.context["path"] == "big"
            assert observe(target)["big"] == old
            replace(path, sound)


def test_verify_names_every_file_that_is_damaged(damaged: Path) -> None:
    (path,) = (p for p in files_of(damaged, "packs") if 40_000 < p.stat().st_size < limits.MIB)
    flip(path, 8 * 100)
    flip(path, 8 * 20_000)
    found = open_at(damaged).verify("ds:v0")
    assert [problem.path for problem in found.problems] == ["a", "c"]
    check = open_at(damaged).check(read_data=1.0)
    assert {version.split()[0] for problem in check.problems for version in problem.versions} == {
        "p/ds:v0",
        "p/ds:v1",
    }


# --- truncation, deletion, swaps --------------------------------------------------------


def cut_to_half(path: Path) -> None:
    replace(path, path.read_bytes()[: path.stat().st_size // 2])


def cut_last_byte(path: Path) -> None:
    replace(path, path.read_bytes()[:-1])


def grow(path: Path) -> None:
    replace(path, path.read_bytes() + b"\0")


def empty(path: Path) -> None:
    replace(path, b"")


def delete(path: Path) -> None:
    path.unlink()


DAMAGES = [cut_to_half, cut_last_byte, grow, empty, delete]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_cut_or_lost_is_found(
    damaged: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    for kind in ("packs", "manifests", "index", "collections"):
        for path in files_of(damaged, kind):
            sound = path.read_bytes()
            damage(path)
            # Nobody misses a segment of the index, nor the newest entry of a log:
            # as if the last change had not been made.
            is_newest = kind == "collections" and path == files_of_log(path)[-1]
            if damage is not delete or not (kind == "index" or is_newest):
                assert keys_found(damaged), path
            error = pull_or_error(damaged, "big", tmp_path / "out", BIG)
            assert error is None or error.exit_status in (4, 8)
            path.unlink(missing_ok=True)
            path.write_bytes(sound)


def files_of_log(path: Path) -> list[Path]:
    return sorted({path, *(p for p in path.parent.iterdir() if p.is_file())})


@pytest.mark.parametrize("kind", ["packs", "manifests", "collections"])
def test_two_files_swapped_are_both_found(damaged: Path, tmp_path: Path, kind: str) -> None:
    first, second = files_of(damaged, kind)[:2]
    spare = tmp_path / "spare"
    first.rename(spare)
    second.rename(first)
    spare.rename(second)
    found = keys_found(damaged)
    assert {path.relative_to(damaged).as_posix() for path in (first, second)} <= found
    for name, expected in (("big", BIG), ("ds:v0", TREE)):
        error = pull_or_error(damaged, name, tmp_path / "out", expected)
        assert error is None or error.exit_status in (4, 8)


def test_a_missing_pack_is_reported_with_the_versions_that_it_hits(damaged: Path) -> None:
    (path,) = (p for p in files_of(damaged, "packs") if 40_000 < p.stat().st_size < limits.MIB)
    path.unlink()
    (problem,) = open_at(damaged).check().problems
    assert problem.key == path.relative_to(damaged).as_posix()
    assert problem.versions == ("p/ds:v0", "p/ds:v1")


def test_an_artifact_in_a_damaged_store_can_be_pulled_if_it_is_not_hit(
    damaged: Path, tmp_path: Path
) -> None:
    for path in files_of(damaged, "packs"):
        if path.stat().st_size > limits.MIB:
            path.unlink()
    assert pull_or_error(damaged, "ds:v0", tmp_path / "out", TREE) is None
    error = pull_or_error(damaged, "big", tmp_path / "out", BIG)
    assert error is not None
    assert error.code == "pack-missing"


def test_segments_in_packs_are_checked_like_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many entries: their segments no longer travel inside the root.
    monkeypatch.setattr(limits, "INLINE_SEGMENTS_BYTES", 1_000)
    store = tmp_path / "store"
    tree = {f"f{i:04}": File(b"%d" % i) for i in range(1500)}
    push(open_at(store), build(tmp_path / "many", tree))
    manifest = open_at(store).artifact("ds")._logged().manifest()
    segments = {sending.pack_key(ref.pack) for ref in manifest.segment_refs()}
    assert segments
    for key in segments:
        sound = (store / key).read_bytes()
        for bit in some_bits(store / key, 2003):
            flip(store / key, bit)
            assert key in keys_found(store) or reads_the_same(store, "ds"), bit
            replace(store / key, sound)

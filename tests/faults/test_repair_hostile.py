"""Second stores that mean ill, and repairs beside writers: nothing false in, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from artstore.catalog.format import entry_key
from artstore.errors import ConflictError, DamagedDataError, DeniedError, NotFoundError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from tests.faults.damage import (
    DAMAGES,
    LOG,
    Pristine,
    in_memory,
    make,
    no_machine,
    on_machine,
    replace,
    targets,
    values_of,
)
from tests.trees import File, build, keys_of, open_at, push
from tests.unit.catalog.logs import LogWriter


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return make(tmp_path_factory.mktemp("pristine"))


@pytest.fixture(scope="module")
def values(pristine: Pristine) -> dict[str, bytes]:
    return pristine.values()


def written_to(directory: Path, values: dict[str, bytes]) -> str:
    storage = LocalStorage(directory, sync=False)
    for key, data in values.items():
        storage.create(key, data)
    return directory.as_uri()


def repair(storage: Storage, machine: Path, *sources: str, **options: Any) -> Any:
    with on_machine(machine):
        return open_at("/nowhere/x", storage).repair(sources, read_data=1.0, **options)


def newest_of(values: dict[str, bytes]) -> tuple[str, int]:
    n = max(int(key[-12:]) for key in values if key.startswith(f"{LOG}0"))
    return entry_key(LOG, n), n


@pytest.mark.parametrize(
    "forge",
    [
        lambda data: b"",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: b"forged" * (len(data) // 6 + 1),
    ],
)
def test_forged_bytes_do_not_get_in(
    forge: Any, values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    false = {k: v if k == "artstore.json" else forge(v) for k, v in values.items()}
    source = written_to(tmp_path / "false", false)
    storage = in_memory(values)
    places = targets(pristine)
    for kind in ("root", "pack of files", "pack of segments", "first entry", "newest entry"):
        storage.delete([places[kind][0]])
    report = repair(storage, no_machine(tmp_path / "m"), source)
    # What is right in spite of all (chunks behind a forged header, a rollup) may be used.
    after = values_of(storage)
    assert after == {k: v for k, v in values.items() if k in after}
    assert {r.key for r in report.repaired} | {p.key for p in report.problems}
    assert places["root"][0] not in after


def test_a_pack_with_other_chunks_under_the_same_key_does_not_get_in(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    # Its footer fits the key; what lies in it does not fit the footer.
    key = targets(pristine)["pack of files"][0]
    data = values[key]
    false = values | {key: data[:8] + bytes(len(data) - 1000) + data[len(data) - 992 :]}
    source = written_to(tmp_path / "false", false)
    storage = in_memory(values)
    DAMAGES["truncated"](storage, key, key)
    before = values_of(storage)
    report = repair(storage, no_machine(tmp_path / "m"), source)
    assert values_of(storage) == before
    assert [problem.key for problem in report.problems] == [key]


def test_a_copy_cannot_append_to_a_log(values: dict[str, bytes], tmp_path: Path) -> None:
    longer = in_memory(values)
    writer = LogWriter(prefix=LOG).continue_from(longer)
    writer.add("alias", version=0, add=["stolen"], remove=[])
    source = written_to(tmp_path / "false", values_of(longer))
    storage = in_memory(values)
    report = repair(storage, no_machine(tmp_path / "m"), source)
    assert (report.repaired, report.problems) == ((), ())
    assert values_of(storage) == values


def test_a_copy_does_not_outvote_what_this_machine_has_seen(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    key, n = newest_of(values)
    forged = in_memory({k: v for k, v in values.items() if k != key})
    LogWriter(prefix=LOG).continue_from(forged).add("alias", version=0, add=["stolen"], remove=[])
    assert forged.read(key) != values[key]
    source = written_to(tmp_path / "false", values_of(forged))
    storage = in_memory(values)
    DAMAGES["emptied"](storage, key, key)
    report = repair(storage, pristine.machine, source)
    assert report.is_whole
    assert storage.read(key) == values[key]
    # Who has seen nothing believes no store with another id.
    DAMAGES["emptied"](storage, entry_key(LOG, n + 1), key)
    other = dict(values_of(forged)) | {entry_key(LOG, n + 1): b"x"}
    other["artstore.json"] = another_identity()
    source = written_to(tmp_path / "other", other)
    report = repair(storage, no_machine(tmp_path / "m"), source)
    assert [p.key for p in report.problems] == [entry_key(LOG, n + 1)]


def another_identity() -> bytes:
    storage = MemoryStorage()
    open_at("/nowhere/y", storage).create()
    return storage.read("artstore.json")


def test_artstore_json_comes_from_a_copy_of_this_store_only(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    storage = in_memory(values)
    storage.delete(["artstore.json"])
    before = values_of(storage)
    stranger = MemoryStorage()
    push(open_at("/nowhere/y", stranger), pristine.machine / "first")
    source = written_to(tmp_path / "stranger", values_of(stranger))
    with pytest.raises(DamagedDataError) as raised:
        repair(storage, no_machine(tmp_path / "m"), source)
    assert raised.value.code == "store-damaged"
    # The entries of this store beside another id: this machine knows better.
    false = written_to(tmp_path / "false", values | {"artstore.json": another_identity()})
    with pytest.raises(DamagedDataError):
        repair(storage, pristine.machine, false)
    # Two copies that say different things: nothing tells which is right.
    copy = pristine.store.as_uri()
    with pytest.raises(DamagedDataError) as raised:
        repair(storage, no_machine(tmp_path / "m"), copy, false)
    assert "different" in raised.value.message
    assert values_of(storage) == before
    assert repair(storage, no_machine(tmp_path / "m"), copy).is_whole
    assert values_of(storage) == values


def test_a_push_into_a_store_that_lost_its_identity_makes_no_other_one(
    values: dict[str, bytes], pristine: Pristine
) -> None:
    storage = in_memory(values)
    storage.delete(["artstore.json"])
    for act in (lambda store: push(store, pristine.machine / "first"), lambda s: s.check()):
        with pytest.raises(DamagedDataError) as raised:
            act(open_at("/nowhere/x", storage))
        assert "--repair" in (raised.value.hint or "")
    assert "artstore.json" not in keys_of(storage)


def test_a_second_store_that_is_none_is_an_error(values: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        repair(in_memory(values), tmp_path, (tmp_path / "nothing").as_uri())


class NoDeletes:
    """A storage for somebody who may write, and not delete."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def delete(self, keys: list[str]) -> None:
        raise DeniedError(f"cannot delete {list(keys)}", code="storage-denied")


def test_without_the_right_to_delete_what_is_missing_comes_back_and_the_rest_is_told(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    places = targets(pristine)
    missing, cut = places["pack of files"][0], places["root"][0]
    storage = in_memory(values)
    storage.delete([missing])
    DAMAGES["truncated"](storage, cut, cut)
    machine = no_machine(tmp_path / "m")
    report = repair(NoDeletes(storage), machine, pristine.store.as_uri())
    assert [r.key for r in report.repaired] == [missing]
    assert [p.key for p in report.problems] == [cut]
    assert "cannot delete" in report.problems[0].message
    assert repair(storage, machine, pristine.store.as_uri()).is_whole
    assert values_of(storage) == values


def test_what_no_version_needs_is_not_put_back(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    # What gc has removed must not come back: a second collector may be about to remove it.
    storage = in_memory(values)
    with on_machine(no_machine(tmp_path / "m")):
        open_at("/nowhere/x", storage).delete("large:v0")
    root = open_at(pristine.store).artifact("large")._logged().version.root
    storage.delete([root, targets(pristine)["pack of chunk lists"][0]])
    before = values_of(storage)
    report = repair(storage, tmp_path / "m", pristine.store.as_uri())
    assert (report.repaired, report.problems) == ((), ())
    storage.create(root, b"damaged")
    report = repair(storage, tmp_path / "m", pristine.store.as_uri())
    assert not report.repaired
    assert "no version" in report.problems[0].message
    assert values_of(storage) == before | {root: b"damaged"}


def test_versions_that_were_deleted_while_the_repair_slept_are_left_alone(
    values: dict[str, bytes],
    pristine: Pristine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from artstore import clock
    from artstore.upkeep import repair as repairing

    key = targets(pristine)["pack of chunk lists"][0]
    storage = in_memory(values)
    storage.delete([key])
    carry_out = repairing._Repair.carry_out

    def much_later(self: Any) -> Any:
        with on_machine(no_machine(tmp_path / "other")):
            open_at("/nowhere/x", storage).delete("large:v0")
        now = clock.now_seconds()
        monkeypatch.setattr(clock, "now_seconds", lambda: now + 86_400)
        return carry_out(self)

    monkeypatch.setattr(repairing._Repair, "carry_out", much_later)
    report = repair(storage, no_machine(tmp_path / "m"), pristine.store.as_uri())
    assert not report.repaired
    assert key not in keys_of(storage)


def test_a_store_restored_from_an_older_backup_gets_no_versions_without_content(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    storage = in_memory(values)
    machine = no_machine(tmp_path / "m")
    with on_machine(machine):
        store = open_at("/nowhere/x", storage)
        push(store, build(tmp_path / "third", {"third": File(b"third")}))
        store.set_aliases("ds:v0", add=["later"])
    newer = values_of(storage)
    rolled_back = in_memory(values)
    report = repair(rolled_back, machine)
    assert values_of(rolled_back) == values
    assert "content of a version that it made is gone" in str(report.problems)
    # With the content there, what this machine remembers comes back.
    content = {k: v for k, v in newer.items() if not k.startswith(LOG)}
    rolled_back = in_memory(values | content)
    assert repair(rolled_back, machine).is_whole
    assert values_of(rolled_back) == newer


def test_a_log_of_which_nothing_is_left_comes_back_to_who_has_seen_it(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    storage = in_memory(values)
    storage.delete([key for key in values if key.startswith(LOG)])
    with on_machine(pristine.machine):
        problems = open_at("/nowhere/x", storage).check().problems
    assert [(p.key, p.versions) for p in problems] == [(newest_of(values)[0], ("p/ds",))]
    assert repair(storage, pristine.machine).is_whole
    logs = {k: v for k, v in values.items() if k.startswith(f"{LOG}0")}
    assert {k: v for k, v in values_of(storage).items() if k.startswith(LOG)} == logs


# --- beside writers ---------------------------------------------------------------------------


class ActsBefore:
    """A storage that lets somebody else act once, right before a certain call."""

    def __init__(self, inner: Storage, call: str, part: str, act: Any) -> None:
        self.inner = inner
        self.waits_for = (call, part)
        self.act = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _before(self, call: str, key: str) -> None:
        if self.waits_for is not None and call == self.waits_for[0] and self.waits_for[1] in key:
            self.waits_for = None  # type: ignore[assignment]
            self.act()

    def create(self, key: str, value: Any) -> None:
        self._before("create", key)
        self.inner.create(key, value)

    def delete(self, keys: Any) -> None:
        keys = list(keys)
        for key in keys:
            self._before("delete", key)
        self.inner.delete(keys)


@pytest.mark.parametrize("call", ["create", "delete"])
def test_a_push_while_the_newest_entry_is_put_back_loses_no_version(
    call: str, values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    key, n = newest_of(values)
    storage = in_memory(values)
    DAMAGES["truncated"](storage, key, key)
    done: list[str] = []

    def push_beside() -> None:
        with on_machine(no_machine(tmp_path / "beside")):
            try:
                source = build(tmp_path / "third", {"third": File(b"third")})
                done.append(push(open_at("/nowhere/x", storage), source).version)
            except (DamagedDataError, ConflictError) as error:
                done.append(error.code)

    # Before the guard is created, and before the damaged entry is deleted.
    part = entry_key(LOG, n + 1) if call == "create" else key
    acting = ActsBefore(storage, call, part, push_beside)
    machine = no_machine(tmp_path / "m")
    report = repair(acting, machine, pristine.store.as_uri())
    if call == "create":
        # The push came first and is chained over the damage: that is history now.
        assert done == ["v3"]
        assert not report.is_whole
        assert "somebody else" in report.problems[0].message
    else:
        assert done == ["log-entry-damaged"]
        assert report.is_whole
        assert storage.read(key) == values[key]
    with on_machine(no_machine(tmp_path / "reader")):
        pushed = push(open_at("/nowhere/x", storage), build(tmp_path / "n", {"n": File(b"n")}))
        assert pushed.version == ("v4" if call == "create" else "v2")
        found = open_at("/nowhere/x", storage).versions("ds")
    assert len({version.version for version in found}) == len(found)


def test_an_entry_of_another_log_gives_way_only_while_nobody_went_on(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    # Sound in itself, so that writers see no damage: the hardest case.
    key, n = newest_of(values)
    stranger = LogWriter(prefix="collections/p/other/", by="eve@there")
    stranger.add("create", project="p", name="other", type="dataset")
    for _ in range(n):
        stranger.add("fence", plan=0)
    storage = in_memory(values)
    replace(storage, key, stranger.raws[n].data or b"")
    damaged = values_of(storage)

    def push_beside() -> None:
        with on_machine(no_machine(tmp_path / "beside")):
            source = build(tmp_path / "third", {"third": File(b"third")})
            push(open_at("/nowhere/x", storage), source)

    acting = ActsBefore(storage, "delete", key, push_beside)
    report = repair(acting, no_machine(tmp_path / "m"), pristine.store.as_uri())
    assert not report.is_whole
    assert storage.read(key) == damaged[key]
    with on_machine(no_machine(tmp_path / "reader")):
        assert open_at("/nowhere/x", storage).artifact("ds").read("third") == b"third"
    storage = in_memory(damaged)
    assert repair(storage, no_machine(tmp_path / "m"), pristine.store.as_uri()).is_whole
    assert storage.read(key) == values[key]


def test_two_repairs_at_the_same_time_agree(
    values: dict[str, bytes], pristine: Pristine, tmp_path: Path
) -> None:
    places = targets(pristine)
    storage = in_memory(values)
    for kind in ("pack of files", "root", "entry of a version"):
        DAMAGES["truncated"](storage, *places[kind])
    copy = pristine.store.as_uri()

    def other() -> None:
        assert repair(storage, no_machine(tmp_path / "other"), copy).is_whole

    acting = ActsBefore(storage, "create", places["pack of files"][0], other)
    assert repair(acting, no_machine(tmp_path / "m"), copy).is_whole
    assert values_of(storage) == values

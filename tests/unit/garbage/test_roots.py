"""What is live, by the logs of all collections; whatever of them is not sound stops gc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artstore.catalog.format import entry_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.errors import DamagedDataError, DeniedError
from artstore.garbage.roots import all_logs, find_roots
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import KeyInfo, Storage
from tests.trees import noise, open_at
from tests.unit.catalog.logs import LogWriter, catalog_of, resealed
from tests.unit.garbage.collected import (
    collect,
    collect_all,
    every_kind,
    flipped,
    in_memory,
    keys,
    log,
    opened,
    planned,
    refusal,
)

DS = "collections/p/ds/"


@pytest.fixture(params=[every_kind, planned], ids=["to plan", "to sweep"])
def storage(request: pytest.FixtureRequest) -> MemoryStorage:
    return in_memory(request.param())


def writer(storage: Storage, prefix: str = DS) -> LogWriter:
    return LogWriter(prefix=prefix).continue_from(storage)


# logs that are not what they were -----------------------------------------------------


def test_a_hole_in_a_log_stops_gc(storage: MemoryStorage) -> None:
    storage.delete([entry_key(DS, 2)])
    assert refusal(storage).context["cause"] == "log-hole"


def test_a_log_that_lost_its_beginning_stops_gc(storage: MemoryStorage) -> None:
    storage.delete([entry_key(DS, 0), entry_key(DS, 1)])
    assert refusal(storage).context["cause"] == "log-hole"


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_damaged_entry_stops_gc(storage: MemoryStorage, n: int) -> None:
    flipped(storage, entry_key(DS, n))
    assert refusal(storage).context["cause"] == "log-entry-damaged"


def test_a_damaged_newest_entry_stops_gc(storage: MemoryStorage) -> None:
    flipped(storage, keys(storage, f"{DS}0")[-1])
    error = refusal(storage)
    assert error.context["cause"] == "log-entry-damaged"
    assert "ds" in error.message


def test_damage_that_was_chained_over_stops_gc(storage: MemoryStorage) -> None:
    flipped(storage, keys(storage, f"{DS}0")[-1])
    log(opened(storage), "ds", {"z": noise(100, 8)})
    assert refusal(storage).context["cause"] == "log-entry-damaged"


@pytest.mark.parametrize("must_understand", [True, False])
def test_an_entry_of_a_kind_that_only_a_newer_release_knows(
    storage: MemoryStorage, must_understand: bool
) -> None:
    import json

    made = writer(storage)
    value = json.loads(made.entry("fence", plan=0))
    value |= {"kind": "newer", "must_understand": must_understand}
    del value["plan"]
    made.add_raw(resealed(value))
    if must_understand:
        assert refusal(storage).context["cause"] == "entry-kind-unknown"
    else:
        # Who wrote it says that it changes nothing for those who do not know it.
        collect_all(opened(storage))
        assert not opened(storage).check(read_data=1.0).problems


def test_a_draft_that_is_open_stops_gc_until_it_is_abandoned(storage: MemoryStorage) -> None:
    made = writer(storage)
    made.add("draft_open", draft="d" * 16)
    assert refusal(storage).context["cause"] == "draft-not-open"
    writer(storage).add("draft_abandon", draft="d" * 16)
    collect_all(opened(storage))


def test_a_log_that_this_machine_has_seen_longer_stops_gc(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store", sync=False)
    for key, data in every_kind().items():
        storage.create(key, data)
    store = open_at(tmp_path / "store")
    store.delete("ds:v1")
    newest = keys(storage, f"{DS}0")[-1]
    storage.delete([newest])
    assert refusal(storage, open_at(tmp_path / "store")).context["cause"] == "log-rolled-back"


def test_a_collection_that_this_machine_has_seen_and_that_is_not_listed_stops_gc(
    tmp_path: Path,
) -> None:
    storage = LocalStorage(tmp_path / "store", sync=False)
    for key, data in every_kind().items():
        storage.create(key, data)
    open_at(tmp_path / "store").versions("ds")
    storage.delete(keys(storage, DS))
    error = refusal(storage, open_at(tmp_path / "store"))
    assert error.context["cause"] == "log-rolled-back"
    assert "p/ds" in error.message


def test_a_fence_of_a_plan_that_is_not_in_the_log_of_gc_stops_gc() -> None:
    storage = in_memory(every_kind())
    writer(storage).add("fence", plan=40)
    error = refusal(storage)
    assert error.context["cause"] == "log-rolled-back"
    assert "40" in error.message


def test_a_log_of_gc_older_than_the_rest_stops_gc() -> None:
    storage = in_memory(planned())
    collect_all(opened(storage))
    storage.delete(keys(storage, f"{UPKEEP_PREFIX}0"))
    assert refusal(storage).context["cause"] == "log-rolled-back"


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda s: flipped(s, entry_key(UPKEEP_PREFIX, 0)), "log-entry-damaged"),
        (lambda s: s.delete([entry_key(UPKEEP_PREFIX, 1)]), "log-hole"),
        (lambda s: s.delete([entry_key(UPKEEP_PREFIX, 0)]), "log-hole"),
    ],
    ids=["damaged", "hole", "beginning"],
)
def test_a_log_of_gc_that_is_not_whole_stops_gc(
    damage: Callable[[Storage], None], cause: str
) -> None:
    storage = in_memory(planned())
    store = opened(storage)
    collect_all(store)
    log(store, "gone", {"z": noise(10, 8)})
    store.delete("gone:v1")
    collect(store)
    damage(storage)
    assert refusal(storage).context["cause"] == cause


def test_a_log_of_gc_with_a_kind_of_entry_that_must_be_known_stops_gc() -> None:
    import json

    storage = in_memory(planned())
    made = writer(storage, UPKEEP_PREFIX)
    value = json.loads(made.entry("done", plan=0))
    value |= {"kind": "newer", "must_understand": True}
    made.add_raw(resealed(value))
    assert refusal(storage).context["cause"] == "entry-kind-unknown"


# names below collections/ -------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "collections/p/con/000000000000",
        "collections/p/!!ds/000000000000",
        "collections/a!/ds/000000000000",
        "collections/con/ds/000000000000",
        "collections/loose",
        "collections/p/loose",
        "collections/p/loose.txt",
    ],
)
def test_a_name_that_is_none_of_ours_below_collections_stops_gc(
    storage: MemoryStorage, key: str
) -> None:
    storage.create(key, b"?")
    assert refusal(storage).context["cause"] == "entry-kind-unknown"


def test_values_of_a_log_without_entries_stop_gc(storage: MemoryStorage) -> None:
    storage.create("collections/p/new/rollups/1-000000000000", b"?")
    error = refusal(storage)
    assert error.context["cause"] == "log-hole"
    assert "rollups" in error.message


class DeniedBelow(PassingStorage):
    """Credentials that may not see one project."""

    def __init__(self, inner: Storage, prefix: str, *, only_scans: bool) -> None:
        self._inner = inner
        self._prefix = prefix
        self._only_scans = only_scans

    @property
    def inner(self) -> Storage:
        return self._inner

    def _check(self, key: str) -> None:
        if key.startswith(self._prefix):
            raise DeniedError(f"403: {key}", code="storage-denied")

    def scan(self, prefix: str, *, after: str = ""):  # type: ignore[no-untyped-def]
        self._check(prefix)
        return self._inner.scan(prefix, after=after)

    def scan_names(self, prefix: str):  # type: ignore[no-untyped-def]
        self._check(prefix)
        return self._inner.scan_names(prefix)

    def read(self, key: str, span=None) -> bytes:  # type: ignore[no-untyped-def]
        if not self._only_scans:
            self._check(key)
        return self._inner.read(key, span)

    def read_many(self, requests):  # type: ignore[no-untyped-def]
        for key, span in requests:
            yield self.read(key, span)


@pytest.mark.parametrize("only_scans", [True, False])
@pytest.mark.parametrize("prefix", ["collections/q/", DS, "manifests/", "packs/", "upkeep/"])
def test_what_the_credentials_may_not_see_stops_gc(prefix: str, *, only_scans: bool) -> None:
    storage = in_memory(every_kind())
    store = open_at("memory://x", storage, project="q")
    log(store, "elsewhere", {"e": noise(2000, 5)})
    store.delete("elsewhere:v0")
    denied = DeniedBelow(storage, prefix, only_scans=only_scans)
    error = refusal(storage, opened(denied))
    assert error.context["cause"] == "storage-denied"
    assert prefix.rstrip("/") in error.message


@pytest.mark.parametrize("only_scans", [True, False])
@pytest.mark.parametrize("prefix", ["collections/q/", DS, "upkeep/"])
def test_what_the_credentials_may_not_see_stops_a_sweep(prefix: str, *, only_scans: bool) -> None:
    storage = in_memory(planned())
    log(open_at("memory://x", storage, project="q"), "elsewhere", {"e": noise(2000, 5)})
    denied = DeniedBelow(storage, prefix, only_scans=only_scans)
    assert refusal(storage, opened(denied)).context["cause"] == "storage-denied"


# what lives ----------------------------------------------------------------------------


def roots(storage: Storage, *, now: float, window: float = 0.0, head: int = 10) -> object:
    return find_roots(
        storage,
        catalog_of(storage),
        now_seconds=now,
        restore_window_seconds=window,
        upkeep_head_n=head,
    )


def test_versions_are_live_restorable_or_dropped_by_the_time_of_the_store() -> None:
    storage = in_memory(every_kind())
    deleted = {info.key: info.modified_seconds for info in storage.scan("collections/")}
    newest = max(deleted.values())
    found = roots(storage, now=newest + 50, window=100)
    assert [one.label for one in found.restorable] == ["p/ds:v0", "p/gone:v0"]  # type: ignore[attr-defined]
    assert found.dropped == ()  # type: ignore[attr-defined]
    found = roots(storage, now=newest + 101, window=100)
    assert found.restorable == ()  # type: ignore[attr-defined]
    assert [one.label for one in found.dropped] == ["p/ds:v0", "p/gone:v0"]  # type: ignore[attr-defined]
    live = {one.label for one in found.live}  # type: ignore[attr-defined]
    assert {"p/ds:v1", "p/ds:v2", "p/gone:v1", "p/held:v0", "p/many:v1", "p/table:v0"} <= live
    (described,) = [one for one in found.live if one.label == "p/ds:v1"]  # type: ignore[attr-defined]
    assert len(described.roots) == 2


def test_a_log_that_only_redirects_has_no_versions_of_its_own() -> None:
    storage = in_memory(every_kind())
    LogWriter(storage, prefix="collections/p/renamed/").add("redirect", project="p", name="ds")
    made = writer(storage)
    made.add("named", project="p", name="renamed")
    assert ("p", "renamed") in all_logs(storage, catalog_of(storage))
    labels = [one.label for one in roots(storage, now=2e9).live]  # type: ignore[attr-defined]
    assert [label for label in labels if "ds" in label] == ["p/ds:v1", "p/ds:v2"]
    assert not [label for label in labels if "renamed" in label]
    collect_all(opened(storage))
    store = opened(storage)
    assert not store.verify("renamed:v2").problems
    assert not store.verify("ds:v1").problems
    assert not keys(storage, "collections/p/renamed/000000000001"), "a fence where none is needed"


def test_a_redirect_that_leads_nowhere_stops_gc(storage: MemoryStorage) -> None:
    LogWriter(storage, prefix="collections/p/renamed/").add("redirect", project="p", name="nobody")
    assert refusal(storage).context["cause"] == "collection-redirected"


def test_two_redirects_in_a_row_stop_gc(storage: MemoryStorage) -> None:
    LogWriter(storage, prefix="collections/p/one/").add("redirect", project="p", name="ds")
    LogWriter(storage, prefix="collections/p/two/").add("redirect", project="p", name="one")
    assert refusal(storage).context["cause"] == "collection-redirected"


def test_a_collection_without_versions_is_no_hindrance() -> None:
    storage = in_memory(every_kind())
    LogWriter(storage, prefix="collections/p/c/").create()
    LogWriter(storage, prefix="collections/p/d/").add("fence", plan=0)
    found = roots(storage, now=2e9)
    assert {head.name for head in found.heads} >= {"c", "d"}  # type: ignore[attr-defined]


def test_a_hole_that_the_replica_knows_is_one_all_the_same(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store", sync=False)
    for key, data in every_kind().items():
        storage.create(key, data)
    open_at(tmp_path / "store").versions("ds")
    storage.delete([entry_key(DS, 1)])
    assert refusal(storage, open_at(tmp_path / "store")).context["cause"] == "log-hole"


class Torn(PassingStorage):
    """A directory that is listed while entries are written: one of two may be left out."""

    def __init__(self, inner: Storage, key: str) -> None:
        self._inner = inner
        self._key = key

    @property
    def inner(self) -> Storage:
        return self._inner

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        return (one for one in self._inner.scan(prefix, after=after) if one.key != self._key)


def test_an_entry_that_a_listing_left_out_is_no_hole() -> None:
    storage = in_memory(every_kind())
    deleted = opened(storage).versions("gone")[0].deleted
    assert deleted is not None
    torn = Torn(storage, entry_key("collections/p/gone/", 2))
    whole = roots(storage, now=2e9)
    assert roots(torn, now=2e9) == whole


def test_find_roots_tells_damage_by_its_own_name() -> None:
    storage = in_memory(every_kind())
    storage.delete([entry_key(DS, 2)])
    with pytest.raises(DamagedDataError) as raised:
        roots(storage, now=2e9)
    assert raised.value.code == "log-hole"

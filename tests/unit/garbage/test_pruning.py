"""Prune, pins, protection and what running runs use, through the store: what a user sees."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore import clock
from artstore.catalog.requests import FenceRequest
from artstore.errors import (
    ArtstoreError,
    ConflictError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    StateError,
)
from artstore.storage.local import LocalStorage
from artstore.storage.meter import MeteredStorage
from tests.trees import open_at
from tests.unit.catalog.logs import LogWriter, flipped
from tests.unit.garbage.shops import DAY, Shop, SkewedClock


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "store")


def reasons(report: Any, version: int) -> list[str]:
    (found,) = [one for one in report.collections[0].verdicts if one.version == version]
    return [reason.code for reason in found.reasons]


# --- rules ----------------------------------------------------------------------------------


def test_a_saved_rule_is_applied_by_the_ages_of_the_storage_and_only_once(shop: Shop) -> None:
    shop.push("ds", 6)
    shop.store.set_aliases("ds:v1", ["best"])
    shop.age("ds", 40, 35, 31, 29, 2, 0)
    rule = art.Retention(keep_last=1, keep_within=timedelta(days=30))
    shop.store.set_retention("ds", rule)
    assert shop.store.retention("ds") == rule
    preview = shop.store.prune("ds", dry_run=True)
    assert (preview.is_dry_run, preview.removed_count) == (True, 0)
    assert [one.version for one in preview.collections[0].going] == [0, 2]
    assert shop.live("ds") == [0, 1, 2, 3, 4, 5]
    report = shop.store.prune("ds")
    assert report.collections[0].removed == (0, 2)
    assert shop.live("ds") == [1, 3, 4, 5]
    assert reasons(report, 1) == ["alias"]
    assert reasons(report, 3) == ["within"]
    before = shop.entries("ds")
    assert shop.store.prune("ds").removed_count == 0
    assert shop.entries("ds") == before


def test_a_rule_that_is_given_counts_once_and_is_not_noted(shop: Shop) -> None:
    shop.push("ds", 4)
    shop.store.set_retention("ds", art.Retention(3))
    shop.store.prune("ds", retention=art.Retention(2))
    assert shop.live("ds") == [2, 3]
    assert shop.store.retention("ds") == art.Retention(3)
    shop.store.set_retention("ds", None)
    assert shop.store.retention("ds").is_empty


def test_a_deleted_version_comes_back_as_ever(shop: Shop) -> None:
    shop.push("ds", 3)
    shop.store.prune("ds", retention=art.Retention(1))
    shop.store.restore("ds:v0")
    assert shop.live("ds") == [0, 2]
    assert shop.store.artifact("ds:v0").file_count == 1


def test_a_ttl_deletes_a_version_when_it_is_over(shop: Shop) -> None:
    shop.push("ds", 4)
    for number, days in ((0, 10), (1, 30), (2, 10)):
        version = shop.store.artifact(f"ds:v{number}")
        version.ttl = timedelta(days=days)
        version.save()
    shop.store.set_aliases("ds:v2", ["best"])
    newest = shop.store.artifact("ds")
    newest.ttl = timedelta(seconds=1)
    newest.save()
    shop.age("ds", 11, 11, 11, 11)
    report = shop.store.prune("ds")
    assert report.collections[0].removed == (0,)
    assert [reasons(report, number) for number in range(4)] == [
        ["ttl"],
        ["no-rule"],
        ["alias"],
        ["newest"],
    ]


def test_the_whole_store_is_pruned_where_there_is_a_rule_or_a_ttl(shop: Shop) -> None:
    for name in ("ruled", "free", "timed"):
        shop.push(name, 2)
        shop.age(name, 9, 9)
    other = open_at(shop.root, project="q")
    draft = art.Artifact("away", type="dataset")
    with draft.new_file("n.txt") as file:
        file.write("x")
    other.log_artifact(draft)
    shop.store.set_retention("ruled", art.Retention(1))
    timed = shop.store.artifact("timed:v0")
    timed.ttl = timedelta(days=1)
    timed.save()
    assert [one.name for one in shop.store.prune("q/").collections] == []
    report = shop.store.prune()
    assert [one.qualified_name for one in report.collections] == ["p/ruled", "p/timed"]
    assert [shop.live(name) for name in ("ruled", "free", "timed")] == [[1], [0, 1], [1]]


def test_one_artifact_that_cannot_be_read_does_not_hide_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        shop.push(name, 2)
        shop.store.set_retention(name, art.Retention(1))
    path = shop.root / "collections/p/b/000000000002"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(flipped(data, 400))
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(shop.root.parent / "another machine"))
    report = open_at(shop.root).prune()
    assert [one.name for one in report.collections] == ["a", "c"]
    assert [(one.name, one.code) for one in report.problems] == [("p/b", "log-entry-damaged")]
    assert len(shop.entries("b")) == 4
    with pytest.raises(ArtstoreError) as caught:
        open_at(shop.root).prune("b")
    assert caught.value.code == "log-entry-damaged"


def test_nothing_goes_while_it_is_not_certain_what_is_newest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push("ds", 3)
    shop.store.set_retention("ds", art.Retention(1))
    shop.push("ds", 1)
    path = shop.root / "collections/p/ds/000000000005"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(flipped(data, 400))
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(shop.root.parent / "another machine"))
    with pytest.raises(ArtstoreError) as caught:
        open_at(shop.root).prune("ds")
    assert caught.value.code == "log-entry-damaged"
    assert len(shop.entries("ds")) == 6


@pytest.mark.parametrize(
    ("name", "rule", "code"),
    [
        ("ds:v0", None, "name-invalid"),
        (None, art.Retention(1), "value-invalid"),
        ("p/", art.Retention(1), "value-invalid"),
        ("none", None, "collection-not-found"),
    ],
)
def test_what_cannot_be_pruned_is_refused(
    shop: Shop, name: str | None, rule: art.Retention | None, code: str
) -> None:
    shop.push("ds", 1)
    with pytest.raises(ArtstoreError) as caught:
        shop.store.prune(name, retention=rule)
    assert caught.value.code == code


# --- what it costs --------------------------------------------------------------------------


def test_a_tombstone_costs_one_create_and_the_rest_is_asked_once(shop: Shop) -> None:
    shop.push("ds", 12)
    open_at(shop.root).versions("ds")
    metered = MeteredStorage(LocalStorage(shop.root, sync=False))
    store = open_at(shop.root, metered)
    store.collections()
    metered.reset()
    assert store.prune("ds", retention=art.Retention(2)).removed_count == 10
    calls = {name: count.calls for name, count in metered.snapshot().items() if count.calls}
    # The log twice, the time, no runs; ten tombstones and the time.
    assert calls == {"scan": 3, "scan_names": 1, "stat": 1, "create": 11}


# --- clocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [-400 * DAY, -3600.0, 3600.0, 400 * DAY])
def test_the_clock_of_this_machine_changes_nothing(shop: Shop, skew: float) -> None:
    shop.push("ds", 6)
    for number in (1, 3):
        version = shop.store.artifact(f"ds:v{number}")
        version.ttl = timedelta(hours=1)
        version.save()
    shop.store.pin("ds:v2", timedelta(minutes=30), holder="ann")
    with clock.use(SkewedClock(-DAY)):
        # Over by the clock of the store, whatever machine it came from.
        shop.store.pin("ds:v4", dt.datetime.now(dt.UTC) + timedelta(seconds=1.5), holder="bob")
    until = shop.store.versions("ds")[4].pins[0].until
    shop.age("ds", 1, 0.03, 1, 0.05, 1, 1)
    # The times of files may be a tick behind.
    while clock.format_time(clock.now_seconds() - 0.1) < until:
        clock.sleep(0.05)
    with clock.use(SkewedClock(skew)):
        store = open_at(shop.root)
        with pytest.raises(StateError) as caught:
            store.delete("ds:v2")
        assert caught.value.code == "version-pinned"
        rule = art.Retention(keep_within=timedelta(hours=1))
        report = store.prune("ds", retention=rule)
        assert report.collections[0].removed == (0, 3, 4)
        store.restore("ds:v4")
        store.delete("ds:v4")
        pin = store.pin("ds:v1", timedelta(hours=1))
    told = dt.datetime.fromisoformat(pin.until) - dt.datetime.now(dt.UTC)
    assert timedelta(minutes=59) < told <= timedelta(minutes=60, seconds=1)


# --- races ----------------------------------------------------------------------------------


class Meddler:
    """A storage before whose first entry of a log somebody else writes one."""

    def __init__(self, root: Path, meddle: Callable[[], None]) -> None:
        self._storage = LocalStorage(root, sync=False)
        self._meddle: Callable[[], None] | None = meddle

    def create(self, key: str, value: Any) -> None:
        meddle, is_entry = self._meddle, key.startswith("collections/p/ds/0")
        if is_entry and meddle is not None:
            self._meddle = None
            meddle()
        self._storage.create(key, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def meddled(shop: Shop, meddle: Callable[[art.Store], Any]) -> art.Store:
    storage: Any = Meddler(shop.root, lambda: meddle(open_at(shop.root)))
    return open_at(shop.root, storage)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda store: store.set_aliases("ds:v0", ["mine"]),
        lambda store: store.pin("ds:v0", "1d"),
    ],
)
def test_a_version_that_is_wanted_meanwhile_stays(
    shop: Shop, meddle: Callable[[art.Store], Any]
) -> None:
    shop.push("ds", 4)
    report = meddled(shop, meddle).prune("ds", retention=art.Retention(1))
    assert report.collections[0].removed == (1, 2)
    assert report.collections[0].spared == (0,)
    assert shop.live("ds") == [0, 3]


def test_a_rule_that_is_widened_meanwhile_counts(shop: Shop) -> None:
    shop.push("ds", 4)
    shop.store.set_retention("ds", art.Retention(1))
    widen = lambda store: store.set_retention("ds", art.Retention(3))  # noqa: E731
    report = meddled(shop, widen).prune("ds")
    assert report.collections[0].removed == (0,)
    assert report.collections[0].spared == (1, 2)
    assert shop.live("ds") == [1, 2, 3]


def test_a_version_that_is_pushed_meanwhile_takes_no_other_one_with_it(shop: Shop) -> None:
    """What was newest a moment ago was not asked for among running runs: it waits."""
    shop.push("ds", 3)
    report = meddled(shop, lambda _: shop.push("ds", 1)).prune("ds", retention=art.Retention(1))
    assert report.collections[0].removed == (0, 1)
    assert shop.live("ds") == [2, 3]


def test_what_somebody_else_deleted_meanwhile_is_not_told_as_spared(shop: Shop) -> None:
    shop.push("ds", 3)
    store = meddled(shop, lambda store: store.delete("ds:v0"))
    report = store.prune("ds", retention=art.Retention(1))
    assert (report.collections[0].removed, report.collections[0].spared) == ((1,), ())


def test_a_pass_that_is_cut_short_anywhere_is_finished_by_the_next(shop: Shop) -> None:
    class CutShortError(Exception):
        pass

    class Failing(Meddler):
        def __init__(self, root: Path, left: int) -> None:
            super().__init__(root, lambda: None)
            self.left = left

        def create(self, key: str, value: Any) -> None:
            if key.startswith("collections/"):
                self.left -= 1
                if self.left < 0:
                    raise CutShortError
            super().create(key, value)

    shop.push("ds", 6)
    for left in (0, 1, 2):
        storage: Any = Failing(shop.root, left)
        with pytest.raises(CutShortError):
            open_at(shop.root, storage).prune("ds", retention=art.Retention(1))
    assert shop.live("ds") == [3, 4, 5]
    shop.store.prune("ds", retention=art.Retention(1))
    assert shop.live("ds") == [5]


# --- pins and protection --------------------------------------------------------------------


def test_a_pin_keeps_a_version_until_it_is_taken_away(shop: Shop) -> None:
    shop.push("ds", 3)
    pin = shop.store.pin("ds:v0", "2099-12-31", holder="paper")
    assert (pin.holder, pin.until) == ("paper", "2099-12-31T23:59:59Z")
    assert shop.store.artifact("ds:v0").pins == (pin,)
    shop.store.prune("ds", retention=art.Retention(1))
    assert shop.live("ds") == [0, 2]
    with pytest.raises(StateError) as caught:
        shop.store.delete("ds:v0")
    assert caught.value.code == "version-pinned"
    with pytest.raises(NotFoundError) as missing:
        shop.store.unpin("ds:v0")
    assert (missing.value.code, missing.value.context["holders"]) == ("pin-not-found", ["paper"])
    shop.store.unpin("ds:v0", holder="paper")
    shop.store.delete("ds:v0")


def test_a_pin_is_taken_by_user_and_host_and_not_into_the_past(shop: Shop) -> None:
    shop.push("ds", 1)
    first = shop.store.pin("ds:v0", timedelta(days=1))
    second = shop.store.pin("ds:v0", dt.datetime(2099, 1, 1))
    assert first.holder == second.holder
    assert shop.store.artifact("ds:v0").pins == (second,)
    assert second.until == "2099-01-01T00:00:00Z"
    shop.store.unpin("ds:v0")
    assert shop.store.artifact("ds:v0").pins == ()
    for until, code in (
        ("2020-01-01", "value-invalid"),
        (timedelta(seconds=-5), "value-invalid"),
        ("soon", "duration-invalid"),
        ("0d", "duration-invalid"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            shop.store.pin("ds:v0", until)
        assert caught.value.code == code


def test_a_protected_alias_refuses_everything_until_it_is_lifted(shop: Shop) -> None:
    shop.push("ds", 1, aliases=["prod"])
    assert shop.store.protect("ds", ["prod"]) == ("prod",)
    shop.push("ds", 2)
    version = shop.store.artifact("ds:prod")
    assert version.protected_aliases == ["prod"]
    refusals: list[Callable[[], Any]] = [
        lambda: shop.store.delete("ds:v0"),
        lambda: shop.store.delete("ds:v0", force=True),
        lambda: version.delete(delete_aliases=True),
        lambda: shop.store.set_aliases("ds:v0", remove=["prod"]),
        lambda: shop.store.set_aliases("ds:v1", ["prod"]),
        lambda: shop.push("ds", 1, aliases=["prod"]),
        lambda: (
            art.Api({"url": str(shop.root), "project": "p"})
            .artifact_collection("dataset", "ds")
            .delete()
        ),
    ]
    for refused in refusals:
        with pytest.raises(StateError) as caught:
            refused()
        assert caught.value.code == "alias-protected"
    shop.store.prune("ds", retention=art.Retention(1, keep_aliases=("nothing",)))
    assert shop.live("ds") == [0, 2]
    assert shop.store.protect("ds", remove=["prod"]) == ()
    shop.store.set_aliases("ds:v2", ["prod"])


def test_a_push_that_would_move_a_protected_alias_sends_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.push("ds", 1, aliases=["prod"])
    shop.push("ds", 1)
    shop.store.protect("ds", ["prod"])
    source = tmp_path / "file"
    source.write_bytes(os.urandom(100))
    packs = sorted(shop.root.glob("packs/*/*"))
    with pytest.raises(StateError):
        shop.store.log_artifact(source, name="ds", aliases=["prod"])
    assert sorted(shop.root.glob("packs/*/*")) == packs


def test_a_collection_of_the_public_api_has_a_retention(shop: Shop) -> None:
    shop.push("ds", 3)
    shop.store.protect("ds", ["prod"])
    collection = art.Api({"url": str(shop.root), "project": "p"}).artifact_collection(
        "dataset", "ds"
    )
    assert collection.retention.is_empty
    collection.retention = art.Retention(keep_last=1)
    assert collection.retention == shop.store.retention("ds") == art.Retention(keep_last=1)
    assert collection.protected_aliases == ["prod"], "a rule leaves protection alone"
    assert shop.store.collection("ds").protected_aliases == ("prod",)
    shop.store.prune()
    assert shop.live("ds") == [2]
    collection.retention = None
    assert shop.store.collection("ds").retention.is_empty


# --- restore --------------------------------------------------------------------------------


def test_what_gc_has_taken_is_told_with_who_and_when(shop: Shop) -> None:
    shop.push("ds", 2)
    root = shop.store.versions("ds")[0].root
    shop.store.delete("ds:v0")
    storage = LocalStorage(shop.root, sync=False)
    upkeep = LogWriter(storage, "upkeep/", by="gc@night")
    upkeep.add("plan", k=0, condemned=[root], condemned_in=[])
    shop.store._place().catalog.commit("p", "ds", FenceRequest(0))
    with pytest.raises(ConflictError) as condemned:
        shop.store.restore("ds:v0")
    assert condemned.value.code == "content-condemned"
    storage.delete([root])
    upkeep.add("done", plan=0)
    with pytest.raises(ConflictError) as gone:
        open_at(shop.root).restore("ds:v0")
    assert gone.value.code == "content-vanished"
    tombstone = shop.store.versions("ds")[0].deleted
    assert tombstone is not None
    for text in (tombstone.by, tombstone.time, "plan 0", "gc@night", "2026-01-31T12:00:00Z"):
        assert text in str(gone.value)


def test_a_preview_needs_no_right_to_write(shop: Shop) -> None:
    class ReadOnly(Meddler):
        def create(self, key: str, value: Any) -> None:
            raise DeniedError("no", code="storage-denied")

    shop.push("ds", 3)
    storage: Any = ReadOnly(shop.root, lambda: None)
    store = open_at(shop.root, storage)
    report = store.prune("ds", retention=art.Retention(1), dry_run=True)
    assert [one.version for one in report.collections[0].going] == [0, 1]
    with pytest.raises(DeniedError):
        store.prune("ds", retention=art.Retention(1))

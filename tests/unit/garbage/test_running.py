"""What running runs use is neither pruned nor deleted without force."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import artstore as art
from artstore import clock
from artstore.catalog.runs.runlog import RunLog, run_entry_key
from artstore.errors import StateError
from artstore.storage.local import LocalStorage
from tests.trees import open_at
from tests.unit.garbage.shops import DAY, Shop, SkewedClock


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "store")


SESSION = "0" * 16


@pytest.fixture
def run(shop: Shop) -> Callable[..., RunLog]:
    """Begins a run that uses versions; its log is written as another machine would."""
    storage = LocalStorage(shop.root, sync=False)

    def begin(run_id: str, *versions: int, next_by: str = "2000-01-01T00:00:00Z") -> RunLog:
        log = RunLog(storage, "other", run_id, "ann@gpu")
        used = [{"artifact": "p/ds", "version": one, "as": None} for one in versions]
        fields = {
            "session": SESSION,
            "is_primary": True,
            "started": "2000-01-01T00:00:00Z",
            "next_by": next_by,
            "changes": {"used": used},
        }
        log.append(lambda _: ("start", fields))
        return log

    return begin


def end(log: RunLog) -> None:
    fields = {
        "session": SESSION,
        "is_primary": True,
        "started": "2000-01-01T00:00:00Z",
        "ended": "2000-01-01T00:00:01Z",
        "state": "finished",
        "exit_code": 0,
        "changes": {},
    }
    log.append(lambda _: ("end", fields))


def test_what_a_running_run_uses_is_neither_pruned_nor_deleted(
    shop: Shop, run: Callable[..., RunLog]
) -> None:
    shop.push("ds", 4)
    log = run("train", 0, 2)
    end(run("done", 1))
    report = shop.store.prune("ds", retention=art.Retention(1))
    assert report.collections[0].removed == (1,)
    (found,) = [one for one in report.collections[0].verdicts if one.version == 2]
    assert [(one.code, one.detail) for one in found.reasons] == [("in-use", "other/train")]
    for delete in (lambda: shop.store.delete("ds:v2"), shop.store.artifact("ds:v2").delete):
        with pytest.raises(StateError) as caught:
            delete()
        assert (caught.value.code, caught.value.context["runs"]) == (
            "version-in-use",
            ["other/train"],
        )
        assert "other/train" in str(caught.value)
    shop.store.delete("ds:v2", force=True)
    end(log)
    shop.store.delete("ds:v0")
    assert shop.live("ds") == [3]


@pytest.mark.parametrize("skew", [-400 * DAY, 0, 400 * DAY])
def test_a_run_that_was_not_heard_of_for_a_day_by_the_clock_of_the_store_is_dead(
    shop: Shop, run: Callable[..., RunLog], skew: float
) -> None:
    shop.push("ds", 3)
    # Both say the same of themselves; only the store knows which of them still writes.
    run("dead", 0)
    run("alive", 1)
    shop.touch(run_entry_key("other", "dead", 0), 1.01)
    shop.touch(run_entry_key("other", "alive", 0), 0.99)
    with clock.use(SkewedClock(skew)):
        store = open_at(shop.root)
        assert store.prune("ds", retention=art.Retention(1)).collections[0].removed == (0,)
        with pytest.raises(StateError):
            store.delete("ds:v1")


def test_a_run_is_asked_again_what_it_uses_and_whether_it_goes_on(
    shop: Shop, run: Callable[..., RunLog]
) -> None:
    shop.push("ds", 3)
    log = run("train", 0)
    shop.store.prune("ds", retention=art.Retention(1), dry_run=True)
    # An update has no marker; it is found since the run has not ended.
    used = [{"artifact": "p/ds", "version": 1, "as": None}]
    fields = {
        "session": SESSION,
        "next_by": "2999-01-01T00:00:00Z",
        "changes": {"used": used},
    }
    log.append(lambda _: ("update", fields))
    (cache,) = Path(os.environ["ARTSTORE_CACHE_DIR"]).glob("runs-*")
    cache.unlink()
    report = open_at(shop.root).prune("ds", retention=art.Retention(1))
    assert report.removed_count == 0


def test_outputs_of_a_running_run_can_go(shop: Shop, run: Callable[..., RunLog]) -> None:
    """A run that logs a checkpoint each hour is to be pruned while it runs."""
    shop.push("ds", 3)
    log = run("train")
    logged = [{"artifact": "p/ds", "version": n, "type": "dataset"} for n in range(3)]
    fields = {"session": SESSION, "next_by": "2999-01-01T00:00:00Z", "changes": {"logged": logged}}
    log.append(lambda _: ("update", fields))
    assert shop.store.prune("ds", retention=art.Retention(1)).removed_count == 2

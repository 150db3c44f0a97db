"""What is kept and what may go, as the page tells it: pins, rules, restore windows, gc."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.catalog.log import listed_entries
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, UpkeepLog
from artstore.garbage.restoring import recent_plans
from artstore.storage.meter import MeteredStorage
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.unit.web.conftest import MakeClient
from tests.unit.web.shelves import SCRIPT

API = "/api/v1"
FILES = "/p/demo/c/files"
V0, V1, V2 = (f"{FILES}/v{number}" for number in (0, 1, 2))
NOTHING = dt.timedelta(0)
DAY = dt.timedelta(days=1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets gc delete at once."""
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    return None


def collect(store: Store) -> None:
    store.collect_garbage(grace=NOTHING, restore_window=NOTHING, force=True)


def deleted_of(client: TestClient, number: int) -> dict[str, object]:
    versions = client.get(API + FILES).json()["versions"]
    (found,) = (item for item in versions if item["version"] == f"v{number}")
    told: dict[str, object] = found["deleted"]
    return told


def seconds_until(moment: object) -> float:
    end = dt.datetime.fromisoformat(str(moment))
    return (end - dt.datetime.now(dt.UTC)).total_seconds()


def test_a_version_tells_its_pins_until_when_and_by_whom(
    write_site: Site, write_client: TestClient
) -> None:
    write_site.store.pin("files:v1", "2099-12-31", holder="paper")
    pins = [{"holder": "paper", "until": "2099-12-31T23:59:59Z"}]
    assert write_client.get(API + V1).json()["pins"] == pins
    listed = write_client.get(API + FILES).json()["versions"]
    assert [item["pins"] for item in listed] == [[], pins, []]
    for page in (write_client.get(V1).text, write_client.get(FILES).text):
        assert "<bdi>paper</bdi> until" in page
        assert "2099-12-31 23:59 UTC" in page
        assert "(over)" not in page


def test_a_pin_that_is_over_is_told_as_such(
    write_site: Site, write_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site.store.pin("files:v2", "1d", holder="me")
    monkeypatch.setattr("artstore.web.templating.clock.now_seconds", lambda: 4e9)
    assert "(over)" in write_client.get(V2).text
    assert "Although it" not in write_client.get(V2).text


def test_what_is_pinned_is_deleted_only_by_force(
    write_site: Site, write_client: TestClient
) -> None:
    assert "Although it" not in write_client.get(V2).text
    write_site.store.pin("files:v2", "30d", holder="paper")
    refused = write_client.post(API + V2, json={"delete": "1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "version-pinned")
    assert "is pinned by paper until" in refused.json()["error"]["message"]
    assert "Although it is pinned" in write_client.get(V2).text
    assert write_client.post(V2, data={"delete": "1", "force": "1"}).status_code == 303
    # A restored version has no pins and no aliases.
    write_client.post(V2, data={"restore": "1"})
    assert write_client.get(API + V2).json()["pins"] == []


def test_a_version_under_a_protected_alias_offers_no_deletion(
    write_site: Site, write_client: TestClient
) -> None:
    write_site.store.protect("files", ["best", "prod"])
    page = write_client.get(V1).text
    assert write_client.get(API + V1).json()["protected_aliases"] == ["best"]
    assert "art protect demo/files best --remove" in page
    assert 'name="delete"' not in page
    assert 'name="remove_alias" value="best"' not in page
    for value in ({"delete": "1", "force": "1"}, {"remove_alias": "best"}):
        refused = write_client.post(API + V1, json=value)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "alias-protected")
        assert "best" in refused.json()["error"]["message"]
        assert "--remove" in refused.json()["error"]["hint"]
    # Nor is it moved from another version.
    refused = write_client.post(V2, data={"add_alias": "best"})
    assert (refused.status_code, "is protected and on v1" in refused.text) == (409, True)
    assert write_client.get(API + V1).json()["aliases"] == ["best"]


def test_a_collection_tells_its_rule_and_its_protected_aliases(
    write_site: Site, write_client: TestClient
) -> None:
    nothing = {"keep_last": None, "keep_within_seconds": None, "keep_aliases": []}
    told = write_client.get(API + FILES).json()
    assert (told["retention"], told["protected_aliases"]) == (nothing, [])
    assert "art prune" not in write_client.get(FILES).text
    write_site.store.set_retention("files", art.Retention(keep_last=5, keep_within=30 * DAY))
    write_site.store.protect("files", ["best", "prod"])
    rule = {**nothing, "keep_last": 5, "keep_within_seconds": 30 * 86_400}
    told = write_client.get(API + FILES).json()
    assert (told["retention"], told["protected_aliases"]) == (rule, ["best", "prod"])
    (listed,) = (
        item
        for item in write_client.get(API + "/p/demo").json()["collections"]
        if item["name"] == "files"
    )
    assert (listed["retention"], listed["protected_aliases"]) == (rule, ["best", "prod"])
    page = write_client.get(FILES).text
    assert "keep last 5, within 30d" in page
    assert "<bdi>best</bdi> v1 · protected" in page
    assert "<bdi>prod</bdi>" in page


def test_a_time_to_live_is_told_in_a_unit_that_says_it(
    write_site: Site, write_client: TestClient
) -> None:
    version = write_site.store.artifact("files:v2")
    version.ttl = dt.timedelta(hours=36)
    version.save()
    assert write_client.get(API + V2).json()["ttl_seconds"] == 36 * 3600
    assert "36 hours" in write_client.get(V2).text


def test_a_deleted_version_tells_until_when_it_can_be_restored(client: TestClient) -> None:
    until = deleted_of(client, 0)["restorable_until"]
    assert 6.9 * 86_400 < seconds_until(until) <= 7 * 86_400
    gone = client.get(API + V0)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "version-deleted")
    assert gone.json()["deleted"] == deleted_of(client, 0)
    for page in (client.get(FILES).text, client.get(V0).text):
        assert "an be restored until" in page
    page = client.get(V0)
    assert page.status_code == 404
    assert "art restore demo/files:v0" in page.text
    assert "<form" not in page.text


def test_who_may_write_restores_from_the_page_of_the_version(write_client: TestClient) -> None:
    page = write_client.get(V0).text
    assert f'action="{V0}"' in page
    assert 'name="restore"' in page
    assert write_client.post(V0, data={"restore": "1"}).status_code == 303
    assert write_client.get(V0).status_code == 200


def test_what_the_window_no_longer_holds_can_be_restored_until_gc_comes(
    write_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artstore.web.templating.clock.now_seconds", lambda: 4e9)
    for page in (write_client.get(FILES).text, write_client.get(V0).text):
        assert "can be restored until <code>art gc</code> takes its content" in page
        assert 'name="restore"' in page


def test_what_gc_took_is_not_offered_to_be_restored(
    write_site: Site, write_client: TestClient, impatient: None
) -> None:
    collect(write_site.store)
    # A plan alone takes nothing: a restore comes before its fence, and is spared.
    assert deleted_of(write_client, 0)["restorable_until"] is not None
    collect(write_site.store)
    assert deleted_of(write_client, 0)["restorable_until"] is None
    listed, page = write_client.get(FILES).text, write_client.get(V0).text
    assert "its content is gone" in listed
    assert "garbage collection took its content" in page
    assert 'name="restore"' not in listed + page
    refused = write_client.post(V0, data={"restore": "1"})
    assert (refused.status_code, "gc has deleted its content" in refused.text) == (409, True)
    # What was deleted after that is as it ever was.
    write_client.post(V1, data={"delete": "1", "force": "1"})
    assert deleted_of(write_client, 1)["restorable_until"] is not None


def test_what_was_purged_is_given_up_for_good(write_site: Site, write_client: TestClient) -> None:
    write_site.store.purge("files:v0")
    told = deleted_of(write_client, 0)
    assert (told["is_purged"], told["restorable_until"]) == (True, None)
    assert "given up for good" in write_client.get(FILES).text
    assert "given up for good" in write_client.get(V0).text
    refused = write_client.post(API + V0, json={"restore": "1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "version-purged")


def test_the_first_page_tells_the_plan_of_gc_that_is_open(
    write_site: Site, write_client: TestClient, impatient: None
) -> None:
    assert write_client.get(API + "/").json()["garbage"] is None
    assert "Garbage collection" not in write_client.get("/").text
    plan = write_site.store.collect_garbage(grace=DAY / 2, restore_window=NOTHING, force=True).plan
    if plan is None or plan.number is None:
        # All of it is younger than the grace: without any there is a plan.
        collect(write_site.store)
    told = write_client.get(API + "/").json()["garbage"]
    assert told["last_sweep"] is None
    assert told["open_plan"]["number"] == 0
    assert told["open_plan"]["key_count"] > 0
    assert set(told["open_plan"]) == {
        *("number", "created_at", "created_by", "key_count", "sweep_after")
    }
    assert "Plan 0 is open" in write_client.get("/").text
    collect(write_site.store)
    told = write_client.get(API + "/").json()["garbage"]
    assert told["open_plan"] is None or told["open_plan"]["number"] > 0
    assert set(told["last_sweep"]) == {"number", "time", "by"}
    assert told["last_sweep"]["number"] == 0
    assert "Plan 0 was carried out last" in write_client.get("/").text


def test_a_log_of_gc_that_cannot_be_read_hides_no_page(
    write_site: Site, write_client: TestClient, impatient: None
) -> None:
    collect(write_site.store)
    collect(write_site.store)
    assert write_client.get(API + "/").json()["garbage"] is not None
    storage = write_site.store._storage
    # Entries alone: what they name lies below.
    keys = [info.key for info in storage.scan("upkeep/0")]
    storage.create(f"upkeep/{len(keys):012}", b"no entry")
    assert write_client.get(API + "/").json()["garbage"] is None
    assert write_client.get("/").status_code == 200
    assert write_client.get(FILES).status_code == 200
    assert write_client.get(V0).status_code == 404


def test_hostile_words_about_what_is_kept_are_words(
    web_store: Store, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr("artstore.api.author", lambda: SCRIPT)
    site = open_site(web_store, ServeSettings(write=True))
    web_store.pin("files:v2", "30d", holder="x")
    web_store.set_retention("files", art.Retention(keep_aliases=("*", "[a-z]?")))
    web_store.delete("files:v1", force=True)
    web_store.collect_garbage(grace=NOTHING, restore_window=NOTHING, force=True)
    client = make_client(site)
    for place in ("/", FILES, f"{FILES}?show=history", V1, V2):
        page = client.get(place).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page, place


def test_history_tells_each_entry_in_words(write_site: Site, write_client: TestClient) -> None:
    store = write_site.store
    store.pin("files:v2", "2099-12-31", holder="paper")
    store.set_retention("files", art.Retention(keep_last=3))
    store.protect("files", ["best"])
    page = write_client.get(f"{FILES}?show=history").text
    for words in ("keep last 3", "2099-12-31 23:59 UTC", "paper", "in 2 files"):
        assert words in page, words
    assert "[&#39;" not in page
    linked = write_client.get("/p/other/c/model?show=history").text
    assert "demo/files:v1" in linked


def test_what_a_plan_is_about_to_delete_is_not_offered_to_be_restored(
    write_site: Site,
    write_client: TestClient,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collect(write_site.store)

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    # Its fences stand, and nothing is deleted yet.
    with monkeypatch.context() as patch:
        patch.setattr("artstore.garbage.sweeping._delete", killed)
        with pytest.raises(KeyboardInterrupt):
            collect(write_site.store)
    assert deleted_of(write_client, 0)["restorable_until"] is None
    refused = write_client.post(API + V0, json={"restore": "1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "content-condemned")


def test_a_list_of_deleted_versions_asks_for_the_plans_of_gc_once(
    write_site: Site,
    write_client: TestClient,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(6):
        draft = art.Artifact("files", "dataset")
        with draft.new_file("x") as file:
            file.write(str(number))
        write_site.store.log_artifact(draft)
    for number in range(3, 8):
        write_site.store.delete(f"files:v{number}")
    collect(write_site.store)
    collect(write_site.store)
    asked = []
    monkeypatch.setattr(
        "artstore.garbage.restoring.listed_entries",
        lambda *where: asked.append(where) or listed_entries(*where),
    )
    listed = write_client.get(API + FILES).json()["versions"]
    assert sum(item["deleted"] is not None for item in listed) == 6
    assert len(asked) == 1


def test_however_long_the_log_of_gc_is_only_its_end_is_read(
    write_site: Site, write_client: TestClient, impatient: None
) -> None:
    for number in range(4):
        draft = art.Artifact("garbage", "dataset")
        with draft.new_file("x") as file:
            file.write(str(number) * 10_000)
        store = write_site.store
        store.delete(store.log_artifact(draft).qualified_name)
        collect(store)
        collect(store)
    storage = write_site.store._storage
    count = sum(1 for _ in listed_entries(storage, UPKEEP_PREFIX))
    assert count > 8
    told = write_client.get(API + "/").json()["garbage"]
    state = UpkeepLog(storage, None, write_site.store.id).refresh()
    assert told["last_sweep"]["number"] == max(state.done & state.sweeps.keys())
    is_open = told["open_plan"] is not None
    assert is_open == bool(state.open_plans)
    metered = MeteredStorage(storage)
    recent_plans(metered)
    assert metered.snapshot()["read"].items == 8

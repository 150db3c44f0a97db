"""What a push may rely on while gc is at work: the check of fences and plans."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from artstore.catalog.catalog import Catalog, Committed
from artstore.catalog.fences import ContentUse, PushStart
from artstore.catalog.requests import (
    AliasRequest,
    DeleteRequest,
    FenceRequest,
    PublishRequest,
    RestoreRequest,
    Unchanged,
)
from artstore.errors import ConflictError, DamagedDataError, UnsupportedFormatError
from artstore.packs.locator import pack_key
from artstore.packs.movedpacks import pack_missing
from artstore.packs.needed import NeededChunks
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from tests.unit.catalog.logs import LogWriter, catalog_of, publish, resealed
from tests.unit.packs.making import Push, noise
from tests.unit.packs.moving import move

OLD = "packs/00/old"
NEW = "packs/00/new"


class Store:
    """A storage with gc's log and one collection that has v0."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.gc = LogWriter(self.storage, "upkeep/")
        self.catalog = catalog_of(self.storage)
        self.catalog.commit("p", "c", publish(0))
        for key in (OLD, NEW):
            self.storage.create(key, b"chunks")

    def plan(self, *condemned: str, condemned_in: tuple[str, ...] = ()) -> int:
        k = self.gc.n
        self.gc.add("plan", k=k, condemned=list(condemned), condemned_in=list(condemned_in))
        return k

    def fence(self, plan: int) -> int | None:
        return catalog_of(self.storage).commit("p", "c", FenceRequest(plan)).n

    def finish(self, plan: int, *gone: str) -> None:
        self.gc.add("sweep", plan=plan, spared=[])
        self.storage.delete(gone)
        self.gc.add("done", plan=plan)


@pytest.fixture
def store() -> Store:
    return Store()


def refused(action: Callable[[], Any]) -> ConflictError:
    with pytest.raises(ConflictError) as caught:
        action()
    return caught.value


def push(
    catalog: Catalog, start: PushStart | None, use: ContentUse, name: str = "c", i: int = 9
) -> Committed:
    return catalog.commit("p", name, publish(i, uses=use), start=start)


def relies(*keys: str, unproven: bool = False) -> ContentUse:
    found = frozenset(keys)
    return ContentUse(relied=found, unproven=found if unproven else frozenset())


def test_a_push_that_a_fence_overtakes_may_not_use_what_it_condemns(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    store.fence(store.plan(OLD))
    error = refused(lambda: push(store.catalog, start, relies(OLD, NEW)))
    assert (error.code, error.context["keys"], error.exit_status) == (
        "content-condemned",
        [OLD],
        6,
    )
    assert push(store.catalog, start, relies(NEW)).n == 3


def test_a_push_that_lost_the_race_to_the_fence_checks_again(store: Store) -> None:
    state, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    k = store.plan(OLD)
    # The fence lands after the push has looked, at the number it is about to take.
    create = store.storage.create

    def fence_first(key: str, value: Any) -> None:
        store.storage.create = create  # type: ignore[method-assign]
        store.fence(k)
        create(key, value)

    store.storage.create = fence_first  # type: ignore[method-assign]
    error = refused(lambda: push(store.catalog, start, relies(OLD)))
    assert (error.code, state.head_n) == ("content-condemned", 1)
    assert store.catalog.state("p", "c").highest == 0


def test_own_content_of_a_long_push_is_checked_too(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "c")
    store.fence(store.plan(NEW))
    use = ContentUse(own=frozenset([NEW]))
    assert refused(lambda: push(store.catalog, start, use)).code == "content-condemned"


def test_what_a_live_version_of_this_collection_names_is_free(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "c")
    store.fence(store.plan(OLD))
    use = ContentUse(from_versions={0: frozenset([OLD])})
    metered = MeteredStorage(store.storage)
    assert push(catalog_of(metered), start, use).n == 3
    assert metered.snapshot()["stat"].calls == 0


def test_once_that_version_is_deleted_its_content_is_checked(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "c")
    store.fence(store.plan(OLD))
    store.catalog.commit("p", "c", DeleteRequest(0))
    use = ContentUse(from_versions={0: frozenset([OLD])})
    assert refused(lambda: push(store.catalog, start, use)).code == "content-condemned"


def test_a_plan_done_before_the_push_began_is_over(store: Store) -> None:
    k = store.plan(OLD)
    store.fence(k)
    store.finish(k)
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    assert push(store.catalog, start, relies(OLD, unproven=True)).n == 3


def test_a_plan_done_while_the_push_ran_still_counts(store: Store) -> None:
    k = store.plan(OLD)
    store.fence(k)
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    store.finish(k, OLD)
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "content-condemned"


def test_what_an_open_plan_condemned_already_is_not_relied_on_even_before_its_fence(
    store: Store,
) -> None:
    store.plan(OLD)
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "content-condemned"


def test_what_only_the_index_names_is_looked_for_once(store: Store) -> None:
    metered = MeteredStorage(store.storage)
    catalog = catalog_of(metered)
    _, start = catalog.begin_push("p", "c", with_upkeep=True)
    before = metered.snapshot()["stat"].calls
    assert push(catalog, start, relies(OLD, NEW, unproven=True)).n == 2
    assert metered.snapshot()["stat"].calls == before + 2
    store.storage.delete([NEW])
    _, start = catalog.begin_push("p", "c", with_upkeep=True)
    error = refused(lambda: push(catalog, start, relies(OLD, NEW, unproven=True), i=10))
    assert (error.code, error.context["keys"]) == ("content-vanished", [NEW])


def test_a_first_push_reads_the_log_of_gc_after_its_collection_is_there(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "new", with_upkeep=True)
    store.plan(OLD)  # gc lists the logs now: this collection will get no fence.
    error = refused(lambda: push(store.catalog, start, relies(OLD), name="new"))
    assert error.code == "content-condemned"
    state = store.catalog.state("p", "new")
    assert (state.exists, state.highest) == (True, -1)
    assert push(store.catalog, start, relies(NEW), name="new").n == 1


def test_the_same_holds_if_another_push_made_the_collection_meanwhile(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "new", with_upkeep=True)
    store.plan(OLD)
    catalog_of(store.storage).commit("p", "new", publish(1))
    error = refused(lambda: push(store.catalog, start, relies(OLD), name="new"))
    assert error.code == "content-condemned"


def test_a_first_push_of_own_content_only_needs_one_look_at_an_idle_gc() -> None:
    metered = MeteredStorage(MemoryStorage())
    catalog = catalog_of(metered)
    _, start = catalog.begin_push("p", "new")
    push(catalog, start, ContentUse(own=frozenset([NEW])), name="new")
    counts = metered.snapshot()
    assert (counts["scan"].calls, counts["create"].calls, counts["stat"].calls) == (2, 2, 0)


def test_a_push_that_did_not_read_gcs_log_at_its_start_proves_everything_at_its_end(
    store: Store,
) -> None:
    k = store.plan(OLD)
    store.fence(k)
    _, start = store.catalog.begin_push("p", "c")
    for begun in (start, None):
        assert refused(lambda: push(store.catalog, begun, relies(OLD))).code == (  # noqa: B023
            "content-condemned"
        )
    store.finish(k, OLD)
    for begun in (start, None):
        assert refused(lambda: push(store.catalog, begun, relies(OLD))).code == (  # noqa: B023
            "content-vanished"
        )
    assert push(store.catalog, None, relies(NEW)).n == 3


def test_condemned_keys_may_stand_in_values_of_their_own(store: Store) -> None:
    store.storage.create("upkeep/condemned/0-a", f"{OLD}\npacks/00/x\n".encode())
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    k = store.plan("packs/00/y", condemned_in=("upkeep/condemned/0-a",))
    store.fence(k)
    assert store.catalog.condemned(k) == {OLD, "packs/00/x", "packs/00/y"}
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "content-condemned"


@pytest.mark.parametrize("value", [None, b"\xff", b"../x"])
def test_a_plan_that_cannot_be_read_stops_the_push(store: Store, value: bytes | None) -> None:
    if value is not None:
        store.storage.create("upkeep/condemned/0-a", value)
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    store.fence(store.plan(condemned_in=("upkeep/condemned/0-a",)))
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "plan-unreadable"


def test_a_fence_without_a_plan_stops_the_push(store: Store) -> None:
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    store.fence(77)
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "plan-unreadable"


def test_a_log_of_gc_that_this_release_does_not_know_stops_the_push(store: Store) -> None:
    data = store.gc.entry("plan", k=0, condemned=[], condemned_in=[])
    store.gc.add_raw(resealed(json.loads(data) | {"kind": "nova"}))
    with pytest.raises(UnsupportedFormatError):
        store.catalog.begin_push("p", "c", with_upkeep=True)


def test_a_hole_in_the_log_of_gc_stops_the_push(store: Store) -> None:
    store.plan(OLD)
    store.plan(OLD)
    store.storage.delete(["upkeep/000000000000"])
    with pytest.raises(DamagedDataError):
        store.catalog.begin_push("p", "c", with_upkeep=True)


@pytest.mark.parametrize("n", [0, 1])
def test_a_damaged_entry_in_the_log_of_gc_stops_the_push(store: Store, n: int) -> None:
    store.plan(OLD)
    store.plan(OLD)
    store.gc.damage(n)
    with pytest.raises(DamagedDataError) as caught:
        store.catalog.begin_push("p", "c", with_upkeep=True)
    assert caught.value.code == "log-entry-damaged"


@pytest.mark.parametrize("is_newest", [True, False])
def test_a_damaged_fence_counts_as_that_of_every_plan(store: Store, is_newest: bool) -> None:
    _, start = store.catalog.begin_push("p", "c", with_upkeep=True)
    n = store.fence(k := store.plan(OLD))
    assert n is not None
    writer = LogWriter().continue_from(store.storage)
    writer.damage(n)
    if not is_newest:
        writer.add("tag", version=0, add=["x"], remove=[])
    store.catalog = catalog_of(store.storage)
    assert refused(lambda: push(store.catalog, start, relies(OLD))).code == "content-condemned"
    assert refused(lambda: push(store.catalog, None, relies(OLD))).code == "content-condemned"
    store.finish(k, OLD)
    assert refused(lambda: push(store.catalog, None, relies(OLD))).code == "content-vanished"


@pytest.mark.parametrize("k", [1, 2**40])
def test_a_plan_that_states_another_number_is_void(store: Store, k: int) -> None:
    store.gc.add("plan", k=k, condemned=[OLD], condemned_in=[])
    store.gc.add("done", plan=0)
    state = store.catalog.upkeep_state()
    assert (dict(state.plans), state.done, state.open_plans) == ({}, frozenset(), ())


def test_aliases_and_unchanged_pushes_need_no_content(store: Store) -> None:
    store.fence(store.plan(OLD))
    assert push(store.catalog, None, relies(OLD), i=0).outcome != Unchanged(0)
    same = publish(0, push="e" * 16, uses=relies(OLD))
    assert store.catalog.commit("p", "c", same).outcome == Unchanged(0)
    assert store.catalog.commit("p", "c", AliasRequest(0, add=("x",))).n == 3


# --- Packs that were moved ----------------------------------------------------------------


class Moved:
    """A pack with two chunks, of which the first was moved to another pack."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refs = Push(store.storage).closed(noise(100, "a"), noise(100, "b"))
        self.target, self.record = move(store.storage, self.refs[:1])
        self.key, self.target_key = pack_key(self.refs[0].pack), pack_key(self.target)

    def sweep(self) -> None:
        """Condemn the pack, fence, delete it."""
        k = self.store.plan(self.key)
        self.store.fence(k)
        self.store.finish(k, self.key)

    def relies(self, *chunks: int) -> ContentUse:
        keys = frozenset([self.key])
        needed = NeededChunks(self.refs[i] for i in chunks)
        return ContentUse(relied=keys, unproven=keys, chunks=needed)


@pytest.fixture
def moved(store: Store) -> Moved:
    return Moved(store)


def test_a_pack_that_is_gone_is_there_for_chunks_that_were_moved(moved: Moved) -> None:
    moved.sweep()
    for start in (None, moved.store.catalog.begin_push("p", "c", with_upkeep=True)[1]):
        committed = push(catalog_of(moved.store.storage), start, moved.relies(0), i=7 + bool(start))
        assert committed.n > 2


def test_a_pack_that_is_gone_is_gone_for_a_chunk_that_was_not_moved(moved: Moved) -> None:
    moved.sweep()
    for chunks in ((1,), (0, 1)):
        _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
        for begun in (None, start):
            use = moved.relies(*chunks)
            error = refused(lambda begun=begun, use=use: push(moved.store.catalog, begun, use))
            assert (error.code, error.context["keys"]) == ("content-vanished", [moved.key])


def test_whoever_does_not_say_which_chunks_takes_the_pack_for_gone(moved: Moved) -> None:
    moved.sweep()
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    use = relies(moved.key, unproven=True)
    assert refused(lambda: push(moved.store.catalog, start, use)).code == "content-vanished"


def test_a_record_whose_target_is_gone_proves_nothing(moved: Moved) -> None:
    moved.sweep()
    moved.store.storage.delete([moved.target_key])
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    error = refused(lambda: push(moved.store.catalog, start, moved.relies(0)))
    assert error.code == "content-vanished"


def test_a_damaged_record_stops_the_push(moved: Moved) -> None:
    moved.sweep()
    moved.store.storage.delete([moved.record])
    moved.store.storage.create(moved.record, b"nonsense")
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    with pytest.raises(DamagedDataError, match=moved.record):
        push(moved.store.catalog, start, moved.relies(0))


def test_a_pack_that_is_about_to_go_may_be_relied_on_for_what_stays(moved: Moved) -> None:
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    moved.store.fence(moved.store.plan(moved.key))
    error = refused(lambda: push(moved.store.catalog, start, moved.relies(1)))
    assert error.code == "content-condemned"
    assert push(moved.store.catalog, start, moved.relies(0)).n == 3


def test_not_if_the_plan_takes_the_new_place_as_well(moved: Moved) -> None:
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    moved.store.fence(moved.store.plan(moved.key, moved.target_key))
    error = refused(lambda: push(moved.store.catalog, start, moved.relies(0)))
    assert error.code == "content-condemned"


def test_a_pack_that_is_long_gone_is_condemned_with_what_it_moved_to(moved: Moved) -> None:
    moved.sweep()
    _, start = moved.store.catalog.begin_push("p", "c", with_upkeep=True)
    # D6 of the collector: by its old key, whoever names the old place is told.
    moved.store.fence(moved.store.plan(moved.key, moved.target_key))
    use = ContentUse(relied=frozenset([moved.key]), chunks=NeededChunks(moved.refs[:1]))
    assert refused(lambda: push(moved.store.catalog, start, use)).code == "content-condemned"


def test_packs_that_are_there_are_not_looked_for_among_records(moved: Moved) -> None:
    metered = MeteredStorage(moved.store.storage)
    catalog = catalog_of(metered)
    _, start = catalog.begin_push("p", "c", with_upkeep=True)
    push(catalog, start, moved.relies(0, 1))
    assert metered.requests()[Request("LIST", "moved")] == 0


@pytest.mark.parametrize(("chunks", "code"), [((0,), None), ((0, 1), "content-vanished")])
def test_restore_is_exact_by_chunk(moved: Moved, chunks: tuple[int, ...], code: str | None) -> None:
    catalog = moved.store.catalog
    catalog.commit("p", "c", DeleteRequest(0))
    moved.sweep()
    request = RestoreRequest(0, lambda _: moved.relies(*chunks))
    if code is None:
        assert catalog.commit("p", "c", request).n == 4
    else:
        assert refused(lambda: catalog.commit("p", "c", request)).code == code


def test_what_cannot_be_listed_because_it_is_gone_is_not_restored(store: Store) -> None:
    store.catalog.commit("p", "c", DeleteRequest(0))
    store.fence(store.plan(OLD))

    def content(_: Any) -> ContentUse:
        raise pack_missing(store.storage, [bytes(40)])

    error = refused(lambda: store.catalog.commit("p", "c", RestoreRequest(0, content)))
    assert (error.code, error.context["keys"]) == ("content-vanished", [pack_key(bytes(40))])


# --- Restore ----------------------------------------------------------------------------


def restore(store: Store, *keys: str) -> Committed:
    return store.catalog.commit("p", "c", RestoreRequest(0, lambda _: relies(*keys)))


def test_without_a_fence_since_the_tombstone_restore_looks_at_nothing(store: Store) -> None:
    store.fence(store.plan(OLD))
    store.catalog.commit("p", "c", DeleteRequest(0))

    def never(_: Any) -> ContentUse:
        raise AssertionError("content was asked for")

    assert store.catalog.commit("p", "c", RestoreRequest(0, never)).n == 4


def test_what_gc_is_about_to_delete_is_not_restored(store: Store) -> None:
    store.catalog.commit("p", "c", DeleteRequest(0))
    k = store.plan(OLD)
    store.fence(k)
    assert refused(lambda: restore(store, OLD)).code == "content-condemned"
    store.finish(k, OLD)
    assert refused(lambda: restore(store, OLD)).code == "content-vanished"
    assert restore(store, NEW).n == 4


def test_a_version_that_gc_spared_is_restored(store: Store) -> None:
    store.catalog.commit("p", "c", DeleteRequest(0))
    k = store.plan(OLD)
    store.fence(k)
    store.finish(k)
    assert restore(store, OLD).state.versions[0].is_live


def test_a_request_carries_no_content_by_default() -> None:
    assert PublishRequest("t", "", "", "", 0, 0, 0).uses == ContentUse()

"""What a machine remembers of collections, beside the fold of their logs, in random histories."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import clock
from artstore.catalog.format import collection_prefix, entry_key
from artstore.catalog.replica import Replica
from artstore.storage.memory import MemoryStorage
from tests.unit.catalog.logs import FixedClock, LogWriter, catalog_of, version_fields
from tests.unit.catalog.machines import Machine, told_by, told_of

labels = st.lists(st.sampled_from(["a", "b", "bad"]), max_size=2, unique=True)
numbers = st.integers(0, 4)
everything = [("p", "c"), ("q", "c")]
names = st.sampled_from(everything)
sources = st.builds(
    lambda name, version: {"project": name[0], "name": name[1], "version": version}, names, numbers
)
changes = st.one_of(
    st.tuples(st.just("publish"), labels, st.lists(sources, max_size=2)),
    st.tuples(st.just("link"), labels, sources),
    st.tuples(st.just("alias"), numbers, labels, labels),
    st.tuples(st.just("tag"), numbers, labels, labels),
    st.tuples(st.sampled_from(["delete", "restore", "purge"]), numbers),
    st.tuples(st.just("retention"), labels),
    st.tuples(st.just("garbage"), st.binary(max_size=5)),
    st.tuples(st.just("roll back"), st.integers(1, 4)),
    st.tuples(st.just("roll back"), st.integers(1, 2)),
)
steps = st.lists(
    st.one_of(
        st.tuples(names, changes, st.sampled_from(["look", "look", "go on", ""])),
        st.tuples(names, changes, st.sampled_from(["look", "look", "go on", ""])),
        st.sampled_from(["lose index", "lose replica", "old index"]),
    ),
    min_size=4,
    max_size=25,
)


def _change(storage: MemoryStorage, name: tuple[str, str], change: tuple[Any, ...]) -> None:
    kind, *rest = change
    log = LogWriter(prefix=collection_prefix(*name)).continue_from(storage)
    if log.n == 0:
        log.add("create", project=name[0], name=name[1], type="dataset")
    if kind == "roll back":
        gone = range(max(0, log.n - rest[0]), log.n)
        storage.delete([entry_key(log.prefix, n) for n in gone])
    elif kind == "garbage":
        log.add_raw(rest[0])
    elif kind in ("publish", "link"):
        state = catalog_of(storage).damaged_state(*name)
        fields = version_fields(state.highest + 1)
        extra = {"inputs": rest[1]} if kind == "publish" else {"source": rest[1]}
        log.add(kind, **fields | {"aliases": rest[0], **extra})
    elif kind in ("alias", "tag"):
        log.add(kind, version=rest[0], add=rest[1], remove=rest[2])
    elif kind == "retention":
        log.add(kind, keep_last=2, protected=rest[0])
    else:
        log.add(kind, version=rest[0])


@given(steps)
def test_any_history_is_told_as_the_fold_tells_it(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any]
) -> None:
    directory = tmp_path_factory.mktemp("machine")
    machine, storage = Machine(directory), MemoryStorage()
    lasting = machine.open(storage)
    old = directory / "old.sqlite"

    def look(how: str) -> None:
        if not how:
            return
        # By a process with the same replica, and no index.
        plain = directory / "plain.sqlite"
        plain.unlink(missing_ok=True)
        if machine.replica.exists():
            shutil.copy(machine.replica, plain)
        catalog = catalog_of(storage, Replica(plain))
        expected = {name: told_by(catalog.state_or_none(*name)) for name in everything}
        if how == "look":
            assert machine.look(storage, *everything) == expected
        else:
            found = lasting.collections(everything)
            assert {name: told_of(known) for name, known in found.items()} == expected

    with clock.use(FixedClock()) as ticking:
        for step in drawn:
            ticking.seconds += 60
            if step == "lose index":
                machine.index.unlink(missing_ok=True)
            elif step == "lose replica":
                machine.replica.unlink(missing_ok=True)
            elif step == "old index":
                # A copy of the cache from some time ago, or the other way round.
                if old.exists():
                    shutil.copy(old, machine.index)
                elif machine.index.exists():
                    shutil.copy(machine.index, old)
            else:
                name, change, how = step
                _change(storage, name, change)
                look(how)
        look("look")
        look("look")
    lasting.close()
    shutil.rmtree(directory)

"""A store that gc has repacked: what is live was copied, and every old pack is gone."""

from __future__ import annotations

from collections.abc import Iterable

from artstore.api import Store
from artstore.garbage.repacking import Repacked, repack
from artstore.packs.locator import pack_id_of_key
from artstore.packs.moved import MovedRecord, moved_name
from artstore.packs.movedpacks import read_moved
from artstore.packs.needed import NeededChunks
from artstore.packs.reader import PackReader
from artstore.upkeep.survey import all_collections, version_refs
from tests.trees import keys_of
from tests.unit.packs.moving import delete


def live_chunks(store: Store, names: Iterable[str] | None = None) -> NeededChunks:
    """What live versions need, where it lies now; of some versions only if they are named."""
    place = store._place()
    place.packs.moved.survey()
    wanted = None if names is None else set(names)
    live = NeededChunks()
    for project, name in all_collections(place.catalog):
        state = place.catalog.state(project, name)
        for version in state.live:
            if wanted is None or f"{name}:v{version.version}" in wanted:
                refs = [ref for _, ref in version_refs(place.manifest(version), place.packs)]
                live.update(place.packs.moved.places(refs))
    return live


def repacked(store: Store, *names: str, number: int = 1, sweep: bool = True) -> Repacked:
    """Repack all of a store, with what live versions need (or those named), and sweep."""
    storage = store._place().storage
    live = live_chunks(store, names or None)
    records = [
        record
        for _, record in read_moved(storage, keys_of(storage, "moved/"))
        if isinstance(record, MovedRecord)
    ]
    repack_id = b"repack" + number.to_bytes(2, "big")
    packs = [pack_id_of_key(key) for key in keys_of(storage, "packs/")]
    done = repack(
        storage,
        PackReader(storage),
        [pack for pack in packs if pack in live],
        live.__getitem__,
        repack_id=repack_id,
        moved_name=moved_name(1_700_000_000 + number, repack_id),
        project_of=lambda _: "p",
        earlier=lambda pack: [record for record in records[::-1] if pack in record.targets],
    )
    assert done.left == ()
    if sweep:
        delete(storage, *packs)
    return done

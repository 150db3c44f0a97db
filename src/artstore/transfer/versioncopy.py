"""
Publishing a version of another store here: its entries, under its digest, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore.catalog.catalog import Committed
from artstore.catalog.fences import PushStart
from artstore.catalog.requests import PublishRequest
from artstore.catalog.state import CollectionState, Origin, Source
from artstore.errors import ConflictError, DamagedDataError
from artstore.manifests.entry import Entry
from artstore.transfer.copying import CopiedItem
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.transfer.pushspec import PushSpec
from artstore.transfer.sending import Sending

__all__ = ["CopySpec", "VersionCopy", "copy_version"]

_ATTEMPTS: Final = 3
_TOLD: Final = ("description", "message", "metadata")
_GONE: Final = frozenset(["content-condemned", "content-vanished"])


@dataclass(frozen=True, slots=True)
class CopySpec:
    """
    A version of another store, and as what it is published.

    Attributes:
        digest: the artifact digest that it has there, and must get here.
        header: of its manifest there.
        labels: aliases and tags that it begins with, by the state of the collection here.
        inputs: versions that it names, as they are called here.
    """

    project: str
    name: str
    type: str
    digest: str
    header: Mapping[str, Any]
    origin: Origin
    labels: Callable[[CollectionState], tuple[tuple[str, ...], tuple[str, ...]]]
    inputs: tuple[Source, ...] = ()
    run: str | None = None
    file_count: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class VersionCopy:
    """What came of it, and the bytes that were read there and written here."""

    committed: Committed
    read_bytes: int
    stored_bytes: int


def copy_version(
    place: StorePlace,
    spec: CopySpec,
    items: Callable[[], Iterator[Entry | CopiedItem]],
    on_progress: OnProgress | None,
) -> VersionCopy:
    """
    Publish what `items` gives, by ascending path, as one version with an origin.

    Raises:
        DamagedDataError: `manifest-damaged`, what there is has another digest than the version
            is said to have; those of chunks and fragments. Nothing was published.
        InvalidInputError: `type-mismatch`.
        ConflictError: `content-condemned`, `content-vanished`, `commit-contended`.
    Cost: reads the chunks that are not here in large ranges, each once; memory under 200 MB.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _copy(place, spec, items(), on_progress)
        except ConflictError as error:
            if error.code not in _GONE or attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _copy(
    place: StorePlace,
    spec: CopySpec,
    items: Iterator[Entry | CopiedItem],
    on_progress: OnProgress | None,
) -> VersionCopy:
    catalog = place.catalog
    state = catalog.writable_state(spec.project, spec.name)
    # Before the index is listed: what gc plans from now on is seen as a fence.
    upkeep = catalog.upkeep_state()
    start = PushStart(state.head_n, upkeep)
    condemned = frozenset[str]().union(*map(catalog.condemned, upkeep.open_plans))
    push = PushSpec(spec.project, spec.name, spec.type, (), dedup="store")
    meter = ProgressMeter(
        "sync", on_progress, total_files=spec.file_count, total_bytes=spec.size_bytes
    )
    with Sending(place, push, state.latest, condemned) as transfer:
        transfer.take_all(items, meter)
        digest = transfer.hasher.digest().hex()
        if digest != spec.digest:
            raise DamagedDataError(
                f"the entries of {spec.origin.qualified_name} have the digest {digest}, "
                f"not {spec.digest}",
                code="manifest-damaged",
                expected=spec.digest,
                found=digest,
            )
        root = transfer.finish(_header(spec, transfer))
        aliases, tags = spec.labels(state)
        committed = transfer.commit(
            start,
            PublishRequest(
                type=spec.type,
                digest=digest,
                root=root,
                push=transfer.push_id.hex(),
                size_bytes=transfer.size_bytes,
                file_count=transfer.file_count,
                entry_count=transfer.manifest.entry_count,
                aliases=aliases,
                tags=tags,
                uses=transfer.uses(),
                run=spec.run,
                inputs=spec.inputs,
                origin=spec.origin,
            ),
        )
        return VersionCopy(committed, transfer.read_bytes, transfer.stored_bytes)


def _header(spec: CopySpec, transfer: Sending) -> dict[str, Any]:
    told = {name: spec.header[name] for name in _TOLD if name in spec.header}
    return {
        **told,
        "digest": spec.digest,
        "type": spec.type,
        "size_bytes": transfer.size_bytes,
        "file_count": transfer.file_count,
        "entry_count": transfer.manifest.entry_count,
    }

"""
Push: find out what changed, send it, or say that nothing did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import ConflictError, InvalidInputError, NotFoundError
from artstore.manifests.entry import FILE
from artstore.transfer.knowndigest import KnownDigest
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.transfer.pushspec import PushSpec
from artstore.transfer.sources import Item, NotedFiles, Source, VersionSource, scan
from artstore.transfer.walk import Found

if TYPE_CHECKING:
    from artstore.catalog.fences import PushStart
    from artstore.catalog.requests import Request
    from artstore.transfer.sending import Sending

__all__ = ["DEFAULT_TYPE", "PushOutcome", "push"]

DEFAULT_TYPE: Final = "dataset"
_ATTEMPTS: Final = 100
"""Of a push that adds to the newest version, while others add to it, too."""
_KEPT_ITEMS: Final = 100_000
"""Items of the first walk that are kept for the second; more are walked twice."""


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """
    Attributes:
        version: the version that has the content now.
        is_new: whether this push made it.
        stored_bytes: bytes written to the store, manifests included.
        read_bytes: bytes of source files that were read.
        warnings: what was skipped, and why.
    """

    version: VersionState
    state: CollectionState
    is_new: bool
    stored_bytes: int
    read_bytes: int
    warnings: tuple[str, ...]


def push(place: StorePlace, spec: PushSpec, *, on_progress: OnProgress | None) -> PushOutcome:
    """
    Push `spec.sources` as the next version of `spec.name`, or find that nothing changed.

    Raises:
        InvalidInputError: `path-twice`, `path-invalid`, `type-mismatch`, `nothing-to-push`.
        InvalidInputError: `source-vanished`, `source-unreadable`, `entry-exists`.
        NotFoundError: `entry-not-found`, of what is to be left out of the version before.
        StateError: `source-changed`.
        DeniedError: `storage-full`, `storage-denied`.
        ConflictError: others kept winning; nothing was published.
    Cost: nothing changed: one scan of the log and one stat a file. Otherwise
        reads the changed files once; memory under 200 MB.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _Push(place, spec, on_progress).run()
        except ConflictError as error:
            if error.code != "version-superseded":
                raise
            # What was stored is in the journal: the next attempt stores little more than a list.
            superseded = error
    raise superseded


class _Push:
    def __init__(self, place: StorePlace, spec: PushSpec, on_progress: OnProgress | None) -> None:
        self._place = place
        self._spec = spec
        self._on_progress = on_progress
        self._warnings: list[str] = []

    def run(self) -> PushOutcome:
        spec, catalog = self._spec, self._place.catalog
        state = catalog.writable_state(spec.project, spec.name)
        newest = state.latest
        digest = None
        kept = self._kept_source(state)
        sources = [kept, *spec.sources] if kept is not None else spec.sources
        self._walked = _Walked(self._place, sources, self._warn)
        if state.is_in_doubt:
            self._warn(
                f"entry {state.damaged[-1]} of the log of {state.qualified_name} is damaged; "
                "what it changed, a version or an alias, is lost"
            )
        if newest is not None or self._on_progress is not None:
            digest = self._walked.digest_if_known()
        if newest is not None and digest is not None and _is_same(state, newest, digest.hex()):
            return self._unchanged(state, newest)
        # Refused before anything is sent; the commit looks again.
        state.check_movable(spec.aliases, newest if digest is None else None)
        # Imported only when there is something to send: 40 ms that an unchanged push saves.
        from artstore.catalog.fences import PushStart
        from artstore.transfer.sending import Sending

        # Before the index is listed: what gc plans from now on is seen as a fence.
        upkeep = catalog.upkeep_state()
        start = PushStart(state.head_n, upkeep)
        condemned = frozenset[str]().union(*map(catalog.condemned, upkeep.open_plans))
        kept_from = self._own_version(state)
        with Sending(self._place, spec, newest, condemned, kept_from) as transfer:
            meter = ProgressMeter(
                "push",
                self._on_progress,
                total_files=self._walked.total_files,
                total_bytes=self._walked.total_bytes,
            )
            transfer.take_all(self._walked.items(), meter)
            return self._publish(transfer, state, start)

    def _kept_source(self, state: CollectionState) -> VersionSource | None:
        """The entries that the version begins with."""
        kept = self._spec.kept
        if kept is None:
            return None
        owner, version = kept.state, kept.version
        if owner is None:
            # What is newest may be one that a damaged entry made: adding to another loses it.
            state.check_whole()
            owner, version = state, state.latest
        if version is None:
            if kept.without.paths:
                raise NotFoundError(
                    f"{min(kept.without.paths)!r} cannot be removed: {state.qualified_name} "
                    "has no version yet",
                    code="entry-not-found",
                )
            return None
        return VersionSource(
            self._place.manifest(version),
            f"{owner.qualified_name}:v{version.version}",
            kept.without,
            gives_way=kept.state is None,
            digest_of=self._digest_of,
        )

    def _digest_of(self, found: Found) -> bytes | None:
        from artstore.transfer.hashing import hash_found

        return self._place.statcache.lookup(found) or hash_found(found)

    def _own_version(self, state: CollectionState) -> VersionState | None:
        """The kept version, if it is a live one of this very collection."""
        kept = self._spec.kept
        if kept is None:
            return None
        if kept.state is None:
            return state.latest
        if (kept.state.project, kept.state.name) != (state.project, state.name):
            return None
        assert kept.version is not None
        found = state.versions.get(kept.version.version)
        return found if found is not None and found.is_live else None

    def _publish(self, transfer: Sending, state: CollectionState, start: PushStart) -> PushOutcome:

        from artstore.catalog.requests import Published, PublishRequest

        spec = self._spec
        digest = transfer.hasher.digest().hex()
        if not transfer.manifest.entry_count:
            raise InvalidInputError(
                f"there is nothing to push into {spec.name}",
                code="nothing-to-push",
                hint="is everything ignored? `art push -v` tells what was skipped",
            )
        newest = transfer.newest
        is_unchanged = newest is not None and _is_same(state, newest, digest)
        if newest is not None and is_unchanged and transfer.is_spent_for_nothing():
            self._place.statcache.save()
            return self._unchanged(state, newest, transfer)
        type_name = spec.type or state.type or DEFAULT_TYPE
        root = transfer.finish(_header(spec, type_name, transfer, digest))
        self._place.statcache.save()
        committed = transfer.commit(
            start,
            PublishRequest(
                type=type_name,
                digest=digest,
                root=root,
                push=transfer.push_id.hex(),
                size_bytes=transfer.size_bytes,
                file_count=transfer.file_count,
                entry_count=transfer.manifest.entry_count,
                aliases=spec.aliases,
                tags=spec.tags,
                uses=transfer.uses(),
                earlier_pushes=transfer.earlier_pushes(digest),
                follows=self._followed(state),
                run=spec.run,
                inputs=transfer.inputs(),
            ),
        )
        outcome = committed.outcome
        assert outcome.version is not None
        version = committed.state.versions[outcome.version]
        return PushOutcome(
            version,
            committed.state,
            isinstance(outcome, Published),
            transfer.stored_bytes,
            transfer.read_bytes,
            tuple(self._warnings),
        )

    def _followed(self, state: CollectionState) -> int | None:
        """The version that must still be the newest: one to which is added."""
        kept = self._spec.kept
        if kept is None or kept.state is not None:
            return None
        return -1 if state.latest is None else state.latest.version

    def _unchanged(
        self, state: CollectionState, newest: VersionState, transfer: Sending | None = None
    ) -> PushOutcome:
        spec, number = self._spec, newest.version
        for request in self._label_requests(state, newest):
            state = self._place.catalog.commit(spec.project, spec.name, request).state
        if spec.description is not None or spec.metadata is not None:
            state = self._describe(state, state.versions[number])
        return PushOutcome(
            state.versions[number],
            state,
            is_new=False,
            stored_bytes=transfer.stored_bytes if transfer else 0,
            read_bytes=transfer.read_bytes if transfer else 0,
            warnings=tuple(self._warnings),
        )

    def _label_requests(self, state: CollectionState, newest: VersionState) -> list[Request]:
        spec = self._spec
        new_aliases = set(spec.aliases) - set(newest.aliases)
        new_tags = set(spec.tags) - set(newest.tags)
        other_type = spec.type is not None and spec.type != state.type
        if not (new_aliases or new_tags or other_type):
            return []
        from artstore.catalog.requests import AliasRequest, CreateRequest, TagRequest

        requests: list[Request] = []
        if other_type:
            # Refused, in the words of every other refusal of a type.
            requests.append(CreateRequest(spec.type or ""))
        if new_aliases:
            requests.append(AliasRequest(newest.version, add=spec.aliases))
        if new_tags:
            requests.append(TagRequest(newest.version, add=spec.tags))
        return requests

    def _describe(self, state: CollectionState, newest: VersionState) -> CollectionState:
        spec = self._spec
        header = self._place.header(newest)
        wanted: dict[str, Any] = {
            "description": spec.description,
            "metadata": spec.metadata,
        }
        for name, value in wanted.items():
            if value is None:
                wanted[name] = header.get(name)
        if all((header.get(name) or None) == (value or None) for name, value in wanted.items()):
            return state
        return self._place.describe(spec.project, spec.name, newest.version, wanted)

    def _warn(self, message: str) -> None:
        self._warnings.append(message)


class _Walked:
    """
    The items to push, walked once or, when there are very many, twice.

    The first walk asks the stat cache for every file: if it knows all of them,
    the artifact digest follows without reading a byte.
    """

    def __init__(
        self, place: StorePlace, sources: Sequence[Source], warn: Callable[[str], None]
    ) -> None:
        self._place = place
        self._sources = sources
        self._warn = warn
        self._noted = NotedFiles(sources)
        self._kept: list[Item] | None = None
        self.total_files: int | None = None
        self.total_bytes: int | None = None

    def digest_if_known(self) -> bytes | None:
        """The artifact digest, or None when a file has to be read for it."""
        known = KnownDigest(self._place.statcache)
        kept: list[Item] | None = []
        files = size = 0
        for item in scan(
            self._sources, content_root=self._place.content_root, on_warning=self._warn
        ):
            if kept is not None:
                kept.append(item)
                if len(kept) > _KEPT_ITEMS:
                    kept = None
            if isinstance(item, Found) and item.kind == FILE:
                files += 1
                size += item.size_bytes
                if (noted := self._noted.of(item)) is not None:
                    noted.check_known(item, self._place.statcache)
            known.add(item)
        self._kept = kept
        self.total_files, self.total_bytes = files, size
        # What the second walk warns of, the first has told.
        if kept is None:
            self._warn = _silent
        return known.digest()

    def items(self) -> Iterator[Item]:
        """Every item, in manifest order."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            kept.reverse()
            while kept:
                yield kept.pop()
            return
        yield from scan(self._sources, content_root=self._place.content_root, on_warning=self._warn)


def _is_same(state: CollectionState, newest: VersionState, digest: str) -> bool:
    """Whether nothing is to be published: never while it is not known what is newest."""
    return not state.is_in_doubt and newest.digest == digest


def _silent(_message: str) -> None:
    pass


def _header(spec: PushSpec, type_name: str, transfer: Sending, digest: str) -> dict[str, Any]:
    header: dict[str, Any] = {
        "digest": digest,
        "type": type_name,
        "size_bytes": transfer.size_bytes,
        "file_count": transfer.file_count,
        "entry_count": transfer.manifest.entry_count,
    }
    if spec.description:
        header["description"] = spec.description
    if spec.message:
        header["message"] = spec.message
    if spec.metadata:
        header["metadata"] = dict(spec.metadata)
    return header

"""
One version that several processes make together: each logs a part, one of them joins the parts.

A part is a version of a hidden collection; the version that is made of them links to their
files, so that nothing is stored twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from artstore.digest import checksum64
from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import FILE, LINK
from artstore.versions.runrecords import number_of

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.artifact import Artifact
    from artstore.logged import LoggedArtifact

__all__ = ["PART_TYPE", "add_part", "joined_parts", "note_joined"]

PART_TYPE: Final = "draft-part"
_JOINED: Final = "joined"
"""The alias of the last part that is in a version already."""


def add_part(store: Store, draft: Artifact, distributed_id: str, run: str | None) -> LoggedArtifact:
    """
    Log a draft as a part of what `distributed_id` makes together.

    Raises:
        As `Store.log_artifact`.
    """
    draft.name = _collection(distributed_id, draft.name)
    draft.type = PART_TYPE
    part = store.log_artifact(draft, run=run)
    if not part.push.is_new and _JOINED in part.aliases:
        # The same as the last part of the version before: it belongs to the next one as well.
        number = number_of(part)
        store.set_aliases(part.qualified_name, remove=[_JOINED])
        if number:
            name = f"{part.collection.qualified_name}:v{number - 1}"
            store.set_aliases(name, add=[_JOINED])
    return part


def joined_parts(store: Store, draft: Artifact, distributed_id: str) -> list[LoggedArtifact]:
    """
    Put links to all parts into a draft; the parts, none if there are none.

    Raises:
        InvalidInputError: `entry-exists`, two parts have different files at one path.
    """
    name = _collection(distributed_id, draft.name)
    try:
        first = number_of(store.artifact(f"{name}:{_JOINED}")) + 1
    except NotFoundError:
        first = 0
    try:
        versions = store.versions(name)
    except NotFoundError:
        return []
    parts = [
        store.artifact(f"{name}:v{version.version}")
        for version in versions
        if version.is_live and version.version >= first
    ]
    owners: dict[str, tuple[str, object]] = {}
    for part in parts:
        for entry in part.entries():
            content = (entry.kind, entry.digest)
            owner, known = owners.setdefault(entry.path, (part.version, content))
            if known != content:
                raise InvalidInputError(
                    f"{entry.path} is in two parts of {draft.name} and not the same: in "
                    f"{owner} and {part.version} of {name}",
                    code="entry-exists",
                    path=entry.path,
                    hint="let each process write below a path of its own",
                )
            if owner != part.version:
                continue
            if entry.kind in (FILE, LINK):
                draft.add_link(part, entry.path)
            else:
                # No bytes of its own: it may stand in any version.
                draft._add_entries([entry])  # noqa: SLF001 - a draft is put together here
    return parts


def note_joined(store: Store, parts: list[LoggedArtifact]) -> None:
    """Remember that these parts are in a version."""
    if parts:
        store.set_aliases(parts[-1].qualified_name, add=[_JOINED])


def _collection(distributed_id: str, name: str) -> str:
    """Such as `draft-3f2a91c04b77de10-model`: ids may hold what names may not."""
    return f"draft-{checksum64(distributed_id.encode()).hex()}-{name}"[:128].rstrip(".")

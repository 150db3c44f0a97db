"""
Putting an artifact together: what adds files, links and references, and takes them out.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from artstore import names
from artstore.drafts.added import (
    AddedDirectory,
    AddedFile,
    Addition,
    AdditionList,
    DraftOrigin,
    ValueAddition,
)
from artstore.drafts.foreignkeys import AwaitedTables
from artstore.drafts.linked import SCHEME, link_to, links_behind
from artstore.drafts.staging import StagedFiles
from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import Entry
from artstore.transfer.noted import note
from artstore.transfer.sources import PathSet
from artstore.transfer.walk import Found, look
from artstore.versions.entries import ArtifactEntry

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.versions.version import LoggedVersion

__all__ = ["DraftBuilder"]

_POLICIES: Final = ("mutable", "immutable")
_DIGEST_NAME_DIGITS: Final = 20
_NEW_FILE_MODES: Final = frozenset(["x", "w", "xt", "wt", "xb", "wb"])


class DraftBuilder:
    """The part of `Artifact` that changes what it holds; refused once it has a version."""

    def __init__(self) -> None:
        self._additions = AdditionList()
        self._origin: DraftOrigin | None = None
        self._staged = StagedFiles()
        # Where tables are that a joined table may name; by identity.
        self._tables: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._awaited = AwaitedTables()

    def __getstate__(self) -> dict[str, Any]:
        # By identity: in another process these tables are others.
        own = ("_tables", "_awaited")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tables = weakref.WeakKeyDictionary()
        self._awaited = AwaitedTables()

    def _check_open(self) -> None:
        """Raises StateError `artifact-finalized`."""
        raise NotImplementedError

    def _logged(self) -> LoggedVersion:
        """Raises StateError `artifact-not-logged`."""
        raise NotImplementedError

    @property
    def additions(self) -> Sequence[Addition]:
        """What was added so far, in the order it was."""
        return tuple(self._additions)

    # files ---------------------------------------------------------------------------

    def add_file(  # noqa: PLR0917 - W&B's
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        is_tmp: bool = False,  # noqa: FBT001, FBT002 - W&B's
        skip_cache: bool = False,  # noqa: ARG002, FBT001, FBT002 - W&B's; a push caches nothing
        policy: str = "mutable",
        overwrite: bool = False,  # noqa: FBT001, FBT002 - W&B's
    ) -> ArtifactEntry:
        """
        Add one file; a symlink stands for what it leads to.

        The file is read when the artifact is logged, from where it lies: no copy is
        made. What is logged is what the file was when it was added, or nothing: if it
        was written to in between, logging raises StateError `source-changed`.

        Args:
            name: path in the artifact; the file's own name if left out.
            is_tmp: put the file's digest in place of its name, up to the first dot.
            skip_cache: as W&B has it; without effect.
            policy: `mutable`, as told above; `immutable`, the file is logged as it is
                then, whatever it was when it was added.
            overwrite: replace another file at this path.
        Returns:
            The entry. The same file at the same path is added once.
        Raises:
            InvalidInputError: `source-missing`, `path-invalid`, `value-invalid`;
                `entry-exists`, another file is at this path.
            StateError: `artifact-finalized`; `source-changed`, it is being written to.
        Cost: one stat; a file that was written a tenth of a second ago or less is read
            once, as is one whose path is taken by a file of the same size.
        """
        self._check_open()
        if policy not in _POLICIES:
            raise InvalidInputError(
                f"policy {policy!r} is none of {', '.join(_POLICIES)}", code="value-invalid"
            )
        location = Path(local_path).absolute()
        if not location.is_file():
            raise _missing(Path(local_path), "file")
        path = names.check_entry_path(name if name is not None else location.name)
        if is_tmp:
            path = _renamed_by_digest(path, location)
        noted = note(os.fspath(location), path) if policy == "mutable" else None
        found = look(os.fspath(location), path) if noted is None else noted.found
        if self._admit(path, found, overwrite=overwrite):
            self._additions.append(AddedFile(location, path, noted))
        return self._as_entry(found, None if noted is None else noted.digest)

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool = False,  # noqa: ARG002, FBT001, FBT002 - W&B's; a push caches nothing
        policy: str = "mutable",
        merge: bool = False,  # noqa: FBT001, FBT002 - W&B's
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        follow_links: bool = False,
    ) -> None:
        """
        Add the contents of a directory, `.artignore` rules applied.

        It is looked into when the artifact is logged: what is there then is stored,
        also what came or changed since it was added.

        Args:
            name: directory in the artifact to put them in; its root if left out.
            skip_cache: as W&B has it; without effect.
            policy: as W&B has it; without effect, as told above.
            merge: what lies in it comes instead of what was added before at the same
                paths. If not, logging raises `path-twice` for these, or for a draft that
                begins with a version `entry-exists`, unless the content is the same.
            include: only paths that match one of these globs, if any is given.
            exclude: gitignore patterns of what to leave out.
            follow_links: store what symlinks lead to instead of the links.
        Raises:
            InvalidInputError: `source-missing`, `path-invalid`, `value-invalid`.
            StateError: `artifact-finalized`.
        """
        self._check_open()
        if policy not in _POLICIES:
            raise InvalidInputError(
                f"policy {policy!r} is none of {', '.join(_POLICIES)}", code="value-invalid"
            )
        location = Path(local_path)
        if not location.is_dir():
            raise _missing(location, "directory")
        prefix = "" if name is None else names.check_entry_path(name.rstrip("/"))
        self._additions.append(
            AddedDirectory(
                location.absolute(),
                prefix,
                tuple(include),
                tuple(exclude),
                follow_links,
                PathSet(),
                replaces=merge,
            )
        )

    @contextmanager
    def new_file(
        self,
        name: str,
        mode: str = "x",
        encoding: str | None = None,
        policy: str = "mutable",  # noqa: ARG002 - W&B's; nobody else knows the file
    ) -> Iterator[IO[Any]]:
        """
        Write a file of the artifact: `with a.new_file("notes.txt") as f: f.write("...")`.

        It is added when the block ends, and not if the block raises.

        Args:
            mode: `x` refuses a path that is taken, `w` replaces what is there; with
                `b` for bytes.
            encoding: of text; UTF-8 if left out.
            policy: as W&B has it; without effect.
        Raises:
            InvalidInputError: `entry-exists`, `path-invalid`, `value-invalid`.
            StateError: `artifact-finalized`.
        Cost: the file lies in the directory for temporary files until the draft is gone.
        """
        self._check_open()
        path = names.check_entry_path(name)
        if mode not in _NEW_FILE_MODES:
            raise InvalidInputError(
                f"mode {mode!r} is neither 'x' nor 'w', with or without 'b'", code="value-invalid"
            )
        if mode.startswith("x") and (taken := self._at(path)) is not None:
            raise _exists(path, taken)
        location = self._staged.new_path()
        is_text = "b" not in mode
        with open(location, mode, encoding=(encoding or "utf-8") if is_text else None) as file:
            yield file
        self._check_open()
        self._admit(path, None, overwrite=True)
        self._additions.append(AddedFile(location, path, None))

    # values ----------------------------------------------------------------------------

    def add(self, obj: Any, name: str, overwrite: bool = False) -> ArtifactEntry:  # noqa: FBT001, FBT002 - W&B's
        """
        Add a table, a joined table or a media value, with the files that belong to it.

        It is taken as it is now. What came from another version is linked, not copied:
        a table as a whole, the images of a table that got rows or of single cells.

        Args:
            obj: a Table, JoinedTable, PartitionedTable, or media value; see `artstore.media`.
            name: what `get` finds it by.
            overwrite: replace another value of this name.
        Returns:
            The entry of the table, or of the file that describes the value.
        Raises:
            InvalidInputError: `value-unknown`, `path-invalid`, `entry-exists`.
            StateError: `artifact-finalized`.
        Cost: a table: what of it has not become fragments yet is written; media are
            encoded when they are added to a table, or here.
        """
        from artstore.drafts.values import TABLE_SUFFIX, expand

        self._check_open()
        expanded = list(expand(obj, name, self._tables.get))
        self._add_expanded(expanded, overwrite=overwrite)
        first = expanded[0]
        if first.path.endswith(TABLE_SUFFIX):
            self._tables[obj] = first.path
            self._awaited.note(obj, first)
            self._awaited.arrived(obj, first.path.removesuffix(TABLE_SUFFIX), self._additions)
        assert not isinstance(first, AddedFile), "what a value is called is never on disk"
        return self._as_entry(first if isinstance(first, Entry) else first.entry)

    def __setitem__(self, name: str, obj: Any) -> None:
        self.add(obj, name)

    def _add_expanded(self, expanded: Sequence[ValueAddition], *, overwrite: bool) -> None:
        first = expanded[0].path
        # All are looked at before the first is added: an error adds nothing.
        new = [
            one
            for one in expanded
            if (overwrite and one.path == first) or self._is_new(one.path, _candidate(one))
        ]
        for one in new:
            if one.path == first and overwrite:
                self._admit(first, None, overwrite=True)
            self._additions.append(one)

    # links and references --------------------------------------------------------------

    def add_link(self, source: Artifact, path: str, name: str | None = None) -> ArtifactEntry:
        """
        Add a file of another version in the same store, without copying a byte.

        The link holds the file's digest and where its chunks lie, so it outlives
        the version that it was taken from.

        Args:
            source: a version, as `Store.artifact` finds it.
            path: the file in that version.
            name: path in this artifact; the same if left out.
        Returns:
            The entry. The same file at the same path is added once.
        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`, `path-invalid`, `entry-exists`.
            StateError: `artifact-finalized`; `artifact-not-logged`, the source is a draft.
        """
        self._check_open()
        return self._add_entries([link_to(source, path, name)])[0]

    def add_reference(
        self,
        uri: str | ArtifactEntry,
        name: str | None = None,
        checksum: bool = True,  # noqa: FBT001, FBT002 - W&B's
        max_objects: int | None = None,
    ) -> Sequence[ArtifactEntry]:
        """
        Add something that stays where it is and is named by a URL.

        A URL of a directory or of a prefix in a bucket adds an entry for every
        file below it. What is known of a file now is noted, and compared when it
        is read: size, etag and version; behind `file://` the digest of its bytes.

        An entry of another version, or its address `art://project/name:v3/path`, is
        added as a link, see `add_link`; an address of a directory in a version, or of
        all of it, adds a link for every file. Addresses are looked up in the default
        store.

        Args:
            uri: `s3://`, `gs://`, `az://`, `abfs://`, `hf://`, `http://`, `https://`
                or `file://`; `s3://bucket/key?versionId=...` means that version of a key.
            name: path in the artifact, of a prefix the directory to put its files
                in; if left out, the last part of the URL, and the root for a prefix.
            checksum: False notes the URL and nothing else, without looking there;
                any URL may then be kept.
            max_objects: how many files a prefix may have; one million if left out.
        Returns:
            What was added.
        Raises:
            InvalidInputError: `reference-invalid`, `source-missing`, `path-invalid`,
                `entry-exists`.
            LimitExceededError: `references-too-many`.
            NotFoundError: as `Store.artifact`, `entry-not-found`.
            StateError: `artifact-finalized`.
            StorageError, DamagedDataError: `reference-unreadable`.
        Cost: one request, or one for every 1,000 keys; local files are read.
        """
        from artstore.references.listing import look as look_behind

        self._check_open()
        if isinstance(uri, ArtifactEntry):
            return [self.add_link(uri.parent_artifact(), uri.path, name)]
        if uri.startswith(SCHEME) and checksum:
            return self._add_entries(links_behind(uri, name))
        entries = look_behind(uri, name, checksum=checksum, max_objects=max_objects)
        return self._add_entries(entries)

    def _add_entries(self, entries: Sequence[Entry]) -> list[ArtifactEntry]:
        # All are looked at before the first is added: an error adds nothing.
        new = [entry for entry in entries if self._is_new(entry.path, entry)]
        for entry in new:
            self._additions.append(entry)
        return [self._as_entry(entry) for entry in entries]

    # taking out --------------------------------------------------------------------------

    def remove(self, item: str | os.PathLike[str] | ArtifactEntry | Entry) -> None:
        """
        Take out a file, or a directory with all that lies in it.

        Of a draft that adds to the newest version, what is not in the draft is looked
        for in that version when it is logged.

        Args:
            item: a path of the artifact, or an entry of it.
        Raises:
            NotFoundError: `entry-not-found`.
            StateError: `artifact-finalized`.
        """
        self._check_open()
        if isinstance(item, (ArtifactEntry, Entry)):
            path = item.path
        else:
            path = names.check_entry_path(os.fspath(item).rstrip("/"))
        if not self._take_out(path):
            raise NotFoundError(
                f"{path!r} is not in this artifact", code="entry-not-found", path=path
            )

    def _take_out(self, path: str) -> bool:
        from artstore.drafts.looking import has_below, in_directory, in_origin

        is_found = self._additions.take_out(path)
        for directory in self._additions.directories():
            above = directory.prefix == path or directory.prefix.startswith(path + "/")
            if above or in_directory(directory, path) is not None:
                self._additions.leave_out(directory, path)
                is_found = True
        origin = self._origin
        if origin is None or path in origin.without:
            return is_found
        is_unknown = origin.version is None and not is_found
        if is_unknown or in_origin(origin, path) is not None or has_below(origin, path):
            self._origin = origin.leaving_out(path)
            is_found = True
        return is_found

    # what is there already ------------------------------------------------------------------

    def _at(self, path: str) -> Entry | Found | None:
        from artstore.drafts.looking import at_path

        return at_path(self._additions, self._origin, path)

    def _is_new(self, path: str, candidate: Entry | Found) -> bool:
        """False if the same is there already. Raises InvalidInputError `entry-exists`."""
        taken = self._at(path)
        if taken is None:
            return True
        from artstore.drafts.looking import same_content

        if not same_content(taken, candidate):
            raise _exists(path, taken)
        return False

    def _admit(self, path: str, candidate: Found | None, *, overwrite: bool) -> bool:
        """Whether something is to be added at a path, which is free from now on."""
        if not overwrite:
            assert candidate is not None
            return self._is_new(path, candidate)
        from artstore.drafts.looking import in_directory, in_origin

        for directory in self._additions.directories():
            if in_directory(directory, path) is not None:
                self._additions.leave_out(directory, path)
        origin = self._origin
        if origin is not None and in_origin(origin, path) is not None:
            self._origin = origin.leaving_out(path)
        return True

    def _as_entry(self, item: Entry | Found, digest: bytes | None = None) -> ArtifactEntry:
        return ArtifactEntry(item, cast("Artifact", self), self._logged, digest=digest)


def _candidate(addition: ValueAddition) -> Entry | Found:
    if isinstance(addition, AddedFile):
        return look(os.fspath(addition.location), addition.path)
    return addition if isinstance(addition, Entry) else addition.entry


def _renamed_by_digest(path: str, location: Path) -> str:
    from artstore.transfer.hashing import entry_of_found

    above, slash, last = path.rpartition("/")
    ending = last.partition(".")[1:]
    digest = entry_of_found(look(os.fspath(location), path)).digest.hex()
    return names.check_entry_path(above + slash + digest[:_DIGEST_NAME_DIGITS] + "".join(ending))


def _exists(path: str, taken: Entry | Found) -> InvalidInputError:
    kind = taken.kind
    return InvalidInputError(
        f"{path!r} is in this artifact already, as another {kind}",
        code="entry-exists",
        hint="remove it first, or replace it with overwrite=True",
        path=path,
    )


def _missing(location: Path, what: str) -> InvalidInputError:
    if location.exists():
        other = "directory" if location.is_dir() else "file"
        hint = f"it is a {other}" if other != what else None
    else:
        hint = None
    return InvalidInputError(
        f"there is no {what} {os.fspath(location)!r}",
        code="source-missing",
        hint=hint,
        path=os.fspath(location),
    )

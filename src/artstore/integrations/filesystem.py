"""
`art://`: versions as a file system of fsspec, for pandas, pyarrow, polars, duckdb, dask and others.

    pandas.read_parquet("art://digits:latest/labels.parquet")

A path is `[project/]name:selector/path`, with `v3`, an alias, `latest`, or
`name@digest/path`. What a name means is looked up once in each file system
object and then stays: all files that one call of a library reads are of one
version, in its threads and worker processes too. Libraries make an object for
each call, so the next call sees the newest version.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from fsspec.spec import AbstractFileSystem
from fsspec.utils import stringify_path

from artstore import forks
from artstore.api import LoggedArtifact, Store
from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import DIRECTORY, FILE, LINK, REFERENCE, SYMLINK, TABLE, Entry
from artstore.names import parse_artifact_name
from artstore.settings import Settings, resolve
from artstore.transfer.openfile import ArtifactFile

__all__ = ["ArtFileSystem"]

_PINNED = "pinned_versions"
"""Option under which an object that is pickled tells the other what its names mean."""


class ArtFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """
    Versions of one store, to be read.

    Args:
        url: of the store; if left out, the one that the command line would use.
        store: the same: among `storage_options` no other name gets through `fsspec.open`.
        project: of names that state none.
    """

    protocol: ClassVar[str] = "art"
    root_marker = ""
    # Each call of a library makes its own object, and so looks up `latest` anew.
    cachable = False

    def __init__(
        self,
        url: str | None = None,
        *,
        store: str | None = None,
        project: str | None = None,
        pinned_versions: dict[str, LoggedArtifact] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._settings = resolve(url or store, project)
        self._pinned: dict[str, LoggedArtifact] = dict(pinned_versions or {})

    def __reduce__(self) -> tuple[Any, ...]:
        # The URL as it was resolved here: the other process may stand elsewhere.
        options = {
            **self.storage_options,
            "url": self._settings.url,
            "project": self._settings.project,
            _PINNED: dict(self._pinned),
        }
        options.pop("store", None)
        return _made, (type(self), options)

    @property
    def fsid(self) -> str:
        """The store, for comparison."""
        return f"art-{self._store().id}"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return str(stringify_path(path)).removeprefix("art://").strip("/")

    @classmethod
    def _parent(cls, path: str) -> str:
        path = cls._strip_protocol(path)
        name, inner = _split(path)
        if not inner:
            return ""
        return f"{name}/{inner}".rpartition("/")[0]

    # looking -----------------------------------------------------------------------------

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """
        What lies at a path: name, size, type, digest.

        Raises:
            FileNotFoundError: nothing does.
        """
        path = self._strip_protocol(path)
        if not path:
            return _directory("")
        with _as_os_errors(path):
            name, version, inner = self._version(path)
            if not inner:
                return self._of_version(name, version)
            try:
                return self._of_entry(name, version, version.entry(inner))
            except NotFoundError:
                if next(version.children(inner), None) is None:
                    raise
                return self._directory_in(name, version, inner)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002 - fsspec's
        """What lies in a directory; at the root, the newest version of each name."""
        path = self._strip_protocol(path)
        with _as_os_errors(path):
            found = self._list(path)
        return list(found) if detail else [str(info["name"]) for info in found]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether anything lies there. A store that cannot be read is an error, not a no."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,  # noqa: FBT001, FBT002 - fsspec's
        detail: bool = False,  # noqa: FBT001, FBT002 - fsspec's
        **options: Any,
    ) -> Any:
        """Every file below a path. Cost: the list of what lies there is read once, in order."""
        path = self._strip_protocol(path)
        if maxdepth is not None or not path:
            return super().find(path, maxdepth, withdirs, detail, **options)
        try:
            found = {info["name"]: info for info in self._below(path, withdirs=withdirs)}
        except FileNotFoundError:
            found = {}
        return found if detail else list(found)

    def _below(self, path: str, *, withdirs: bool) -> Iterator[dict[str, Any]]:
        """Files below a path, or the file there; links that lead nowhere are none."""
        with _as_os_errors(path):
            name, version, inner = self._version(path)
            info = self.info(path)
            if info["type"] != "directory":
                yield info
                return
            if withdirs:
                yield info
            told = {inner}
            for entry in version.entries(f"{inner}/" if inner else ""):
                parents = entry.path.split("/")[:-1] if withdirs else []
                for depth in range(1, len(parents) + 1):
                    parent = "/".join(parents[:depth])
                    if parent not in told and len(parent) > len(inner):
                        told.add(parent)
                        yield self._directory_in(name, version, parent)
                info = self._of_entry(name, version, entry)
                if info["type"] == "file" or (withdirs and info["type"] == "directory"):
                    yield info

    def created(self, path: str) -> datetime:
        """When the version was made."""
        path = self._strip_protocol(path)
        with _as_os_errors(path):
            return _time_of(self._version(path)[1])

    def modified(self, path: str) -> datetime:
        """As `created`: a version never changes."""
        return self.created(path)

    def ukey(self, path: str) -> str:
        """What changes when the content does: the digest, of a directory that of the version."""
        path = self._strip_protocol(path)
        with _as_os_errors(path):
            return str(self.info(path).get("digest") or self._version(path)[1].digest)

    def checksum(self, path: str) -> int:
        """The digest as a number."""
        return int(self.ukey(path), 16)

    # reading -----------------------------------------------------------------------------

    def _open(self, path: str, mode: str = "rb", **_: Any) -> ArtifactFile:
        if mode != "rb":
            self._refuse_writing()
        with _as_os_errors(path):
            version, inner = self._version(path)[1:]
            if not inner:
                raise IsADirectoryError(path)
            return version.open(inner)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """The bytes of a file, or of a range of it."""
        (data,) = self.cat_ranges([path], [start or 0], [end], on_error="raise")
        assert isinstance(data, bytes)
        return data

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **_: Any,
    ) -> list[Any]:
        """Ranges of files; those of one version in as few requests as it takes."""
        del max_gap
        starts = starts if isinstance(starts, list) else [starts] * len(paths)
        ends = ends if isinstance(ends, list) else [ends] * len(paths)
        if len(starts) != len(paths) or len(ends) != len(paths):
            raise ValueError("there are other numbers of paths, starts and ends")
        answers: list[Any] = [None] * len(paths)
        of_version: dict[str, list[tuple[int, str]]] = {}
        for at, path in enumerate(paths):
            name, inner = _split(self._strip_protocol(path))
            of_version.setdefault(name, []).append((at, inner))
        for name, wanted in of_version.items():
            ranges = [(inner, starts[at] or 0, ends[at]) for at, inner in wanted]
            try:
                with _as_os_errors(name):
                    found: list[Any] = list(self._pin(name).read_ranges(ranges))
            except Exception:
                # One of them cannot be read: which one, and what of the others?
                if on_error != "return" and len(ranges) == 1:
                    raise
                found = [self._one_range(name, one, on_error) for one in ranges]
            for (at, _inner), data in zip(wanted, found, strict=True):
                answers[at] = data
        return answers

    def cat(
        self,
        path: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002 - fsspec's
        on_error: str = "raise",
        **options: Any,
    ) -> Any:
        """The bytes of one file, or of many by path; many are read together."""
        paths = self.expand_path(path, recursive=recursive)
        alone = isinstance(path, str) and paths == [self._strip_protocol(path)] and not recursive
        if alone:
            return self.cat_file(paths[0], **options)
        files = [one for one in paths if not self.isdir(one)]
        how = "raise" if on_error == "raise" else "return"
        found = zip(files, self.cat_ranges(files, 0, None, on_error=how), strict=True)
        return {
            one: data
            for one, data in found
            if on_error != "omit" or not isinstance(data, Exception)
        }

    # not writing --------------------------------------------------------------------------

    def _refuse_writing(self, *_: Any, **__: Any) -> NoReturn:
        raise PermissionError(
            "art:// is for reading: a version is made by `art push` or log_artifact"
        )

    mkdir = makedirs = rmdir = _rm = rm_file = rm = mv = cp_file = put_file = _refuse_writing
    pipe_file = touch = _refuse_writing

    # inside ---------------------------------------------------------------------------------

    def _store(self) -> Store:
        return _store_of(self._settings, forks.generation())

    def _version(self, path: str) -> tuple[str, LoggedArtifact, str]:
        name, inner = _split(path)
        return name, self._pin(name), inner

    def _pin(self, name: str) -> LoggedArtifact:
        """What a name means in this object, from the first time that it was asked."""
        parsed = parse_artifact_name(name)
        # `digits`, `digits:latest` and `project/digits:latest` mean one version.
        parsed = replace(parsed, project=parsed.project or self._settings.project)
        if not parsed.is_exact:
            parsed = replace(parsed, alias="latest")
        key = str(parsed)
        pinned = self._pinned.get(key)
        if pinned is None:
            # Of two threads that come here at once both get the same one.
            pinned = self._pinned.setdefault(key, self._store().artifact(key))
        return pinned

    def _list(self, path: str) -> list[dict[str, Any]]:
        if not path:
            return self._list_names()
        name, version, inner = self._version(path)
        found = [self._of_entry(name, version, entry) for entry in version.children(inner)]
        if not found and inner:
            info = self.info(path)
            return [info] if info["type"] != "directory" else []
        return found

    def _list_names(self) -> list[dict[str, Any]]:
        return [
            _directory(f"{info.name}:v{info.latest_version}")
            for info in self._store().collections()
            if info.latest_version is not None
        ]

    def _of_version(self, name: str, version: LoggedArtifact) -> dict[str, Any]:
        return {
            **_directory(name),
            "digest": version.digest,
            "version": version.qualified_name,
            "mtime": _time_of(version).timestamp(),
        }

    def _directory_in(self, name: str, version: LoggedArtifact, inner: str) -> dict[str, Any]:
        return {**_directory(f"{name}/{inner}"), "mtime": _time_of(version).timestamp()}

    def _of_entry(self, name: str, version: LoggedArtifact, entry: Entry) -> dict[str, Any]:
        if entry.kind == DIRECTORY:
            return self._directory_in(name, version, entry.path)
        info: dict[str, Any] = {
            "name": f"{name}/{entry.path}",
            "type": "file",
            "size": entry.size_bytes,
            "digest": entry.digest.hex(),
            "kind": entry.kind,
            "executable": entry.executable,
            "mtime": _time_of(version).timestamp(),
        }
        if entry.kind == REFERENCE:
            info |= {"url": entry.url, "size": entry.extra.get("size_bytes")}
        elif entry.kind == SYMLINK:
            info |= {"islink": True, "destination": entry.target}
            try:
                target = version.resolved(entry.path)
            except NotFoundError:
                return info | {"type": "other", "size": 0}
            info |= {"size": target.size_bytes, "digest": target.digest.hex()}
        elif entry.kind == TABLE:
            # How long the Parquet file is shows when it is opened.
            info["size"] = None
        elif entry.kind not in (FILE, LINK):
            info["type"] = "other"
        return info

    def _one_range(self, name: str, one: tuple[str, int, int | None], on_error: str) -> Any:
        try:
            with _as_os_errors(f"{name}/{one[0]}"):
                return self._pin(name).read_ranges([one])[0]
        except Exception as error:
            if on_error != "return":
                raise
            return error


def _made(kind: type[ArtFileSystem], options: dict[str, Any]) -> ArtFileSystem:
    return kind(**options)


@functools.lru_cache(maxsize=8)
def _store_of(settings: Settings, generation: int) -> Store:
    # One for all objects: connections and what is known of logs are used again.
    del generation
    return Store(settings)


def _split(path: str) -> tuple[str, str]:
    """
    `[project/]name:selector/path` -> name and path.

    The part with `:` or `@` ends the name. Without one, a lone part is a name
    and means its newest version; two could be a project and a name, or a name and a path.

    Raises:
        FileNotFoundError: for what can be no path here.
    """
    first, _, rest = path.partition("/")
    if ":" in first or "@" in first:
        return first, rest
    second, _, inner = rest.partition("/")
    if ":" in second or "@" in second:
        return f"{first}/{second}", inner
    if rest:
        raise FileNotFoundError(
            f"art://{path} names no version: write art://{first}:latest/{rest}, "
            f"or art://{first}/{second}:latest if {first} is a project"
        )
    return first, ""


def _directory(name: str) -> dict[str, Any]:
    return {"name": name, "type": "directory", "size": 0}


def _time_of(version: LoggedArtifact) -> datetime:
    return _time(version.created_at)


@functools.lru_cache(maxsize=64)
def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@contextmanager
def _as_os_errors(path: str) -> Iterator[None]:
    """What libraries expect of a file system, with the error of ours as its cause."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(f"art://{path}: {error.message}") from error
    except InvalidInputError as error:
        if error.code == "entry-not-file":
            raise IsADirectoryError(f"art://{path}: {error.message}") from error
        if error.code == "name-invalid":
            raise FileNotFoundError(f"art://{path}: {error.message}") from error
        raise

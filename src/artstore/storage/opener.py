"""
From a URL or a path to a storage: the one place that knows schemes.
"""

from __future__ import annotations

import os
import re
from typing import Final

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Storage

__all__ = ["EXPERIMENTAL", "SCHEMES", "open_storage"]

SCHEMES: Final = ("file", "memory", "s3")
"""What this release opens."""

EXPERIMENTAL: Final = ("gs", "az")
"""What it opens where ARTSTORE_EXPERIMENTAL lists it: no test has seen a real one."""

# obstore and s3fs are loaded with these, and take up to a third of a second.
_LATE_MODULES: Final = (
    "artstore.storage.address",
    "artstore.storage.forksafe",
    "artstore.storage.retry",
)
_LATE_FOR_CLOUD: Final = ("artstore.storage.cloud",)
# The second is for the first name of a host that is looked up.
_LATE_FOR_REMOTE: Final = ("artstore.storage.remote", "encodings.idna")

_EXPERIMENTAL_VARIABLE: Final = "ARTSTORE_EXPERIMENTAL"
# Two letters at least: `c:` is a drive of another system, not a scheme.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):(//.*)", re.DOTALL)
_FILE = re.compile(r"file:(/[^/].*|/)", re.IGNORECASE | re.DOTALL)


def open_storage(url_or_path: str | os.PathLike[str], *, unguarded: bool = False) -> Storage:
    """
    The storage at a URL or in a directory; touches nothing until it is used.

    Args:
        url_or_path: `file:///data/store` (percent-encoded), `file://localhost/...`,
            a directory (`~` is the home), `memory://name` (of this process),
            `s3://bucket/prefix` (taken as it stands); `fsspec+s3://bucket/prefix` is
            the same through fsspec.
        unguarded: for a bucket that replaces values instead of refusing to: see
            `CloudStorage`. Of no effect elsewhere.
    Raises:
        InvalidInputError: `storage-scheme` for other schemes, `storage-experimental`
            for schemes that have to be allowed, `storage-url-invalid` for what is not
            a URL or path of a directory.
    """
    text = os.fspath(url_or_path)
    if isinstance(url_or_path, str):
        if match := _URL.fullmatch(text):
            scheme, rest = match[1].lower(), match[2][2:]
            if scheme == "file":
                return _open_directory(_path_of_url(text, rest), text)
            if scheme == "memory":
                return _open_memory(text, rest)
            return _open_elsewhere(text, scheme, unguarded=unguarded)
        if _FILE.fullmatch(text):  # file:/data, as RFC 8089 allows
            return _open_directory(_path_of_url(text, text[len("file:") :]), text)
        if text.startswith("~"):
            text = os.path.expanduser(text)
    return _open_directory(text, text)


def _open_elsewhere(url: str, scheme: str, *, unguarded: bool) -> Storage:
    """A bucket, or what fsspec knows; behind the layer that tries again."""
    is_fsspec = scheme.startswith("fsspec+")
    if not is_fsspec and scheme not in ("s3", *EXPERIMENTAL):
        raise InvalidInputError(
            f"cannot open {url!r}: this release opens "
            f"{', '.join(f'{name}://' for name in SCHEMES)} and plain directories; "
            f"{', '.join(f'{name}://' for name in EXPERIMENTAL)} and fsspec+... as an experiment",
            code="storage-scheme",
            scheme=scheme,
        )
    # Whatever was not tried with a server that the tests start.
    if scheme not in ("s3", "fsspec+s3"):
        _check_allowed(scheme)

    forks.import_late(_LATE_MODULES)
    from artstore.storage.address import parse_bucket_url
    from artstore.storage.forksafe import ForkSafeStorage
    from artstore.storage.retry import RetryingStorage

    address = parse_bucket_url(url)

    def open_cloud() -> Storage:
        forks.import_late(_LATE_FOR_CLOUD)
        from artstore.storage.cloud import CloudStorage

        return CloudStorage(address, unguarded=unguarded)

    def open_remote() -> Storage:
        forks.import_late(_LATE_FOR_REMOTE)
        from artstore.storage.remote import RemoteStorage

        return RemoteStorage(address, unguarded=unguarded)

    return RetryingStorage(
        ForkSafeStorage(address.url, open_remote if is_fsspec else open_cloud, open_remote),
        attempts=10,
    )


def _check_allowed(scheme: str) -> None:
    allowed = os.environ.get(_EXPERIMENTAL_VARIABLE, "")
    if scheme not in (name.strip().lower() for name in allowed.split(",")):
        raise InvalidInputError(
            f"{scheme}:// is an experiment of this release",
            code="storage-experimental",
            hint=f"set {_EXPERIMENTAL_VARIABLE}={scheme} to try it, and run `art doctor` first",
            scheme=scheme,
        )


def _path_of_url(url: str, rest: str) -> str:
    from urllib.parse import unquote_to_bytes

    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise _invalid(url, "a file URL has the form file:///directory")
    if "?" in path or "#" in path:
        raise _invalid(url, "write ? as %3F and # as %23 in a file URL")
    return os.fsdecode(unquote_to_bytes(f"/{path}"))


def _open_directory(path: str, shown: str) -> LocalStorage:
    if not path or "\0" in path:
        raise _invalid(shown, "the path is empty or holds a NUL character")
    if os.path.exists(path) and not os.path.isdir(path):
        raise _invalid(shown, "it is there and is not a directory")
    return LocalStorage(path)


def _open_memory(url: str, name: str) -> Storage:
    from artstore.storage.memory import open_memory

    if not re.fullmatch(r"[A-Za-z0-9_\-.]+", name):
        raise _invalid(url, "a store in memory is named memory://name")
    return open_memory(name)


def _invalid(shown: str, rule: str) -> InvalidInputError:
    return InvalidInputError(
        f"{shown!r} is not the place of a store: {rule}", code="storage-url-invalid"
    )

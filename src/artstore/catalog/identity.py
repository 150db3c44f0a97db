"""
`artstore.json`: what makes a place a store, written once when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from artstore import canonical, clock, sealed
from artstore.chunks.cut import PARAMETERS
from artstore.errors import (
    AlreadyExistsError,
    DamagedDataError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.storage.protocol import Storage

__all__ = ["IDENTITY_KEY", "Identity", "create_identity", "encode_identity", "read_identity"]

IDENTITY_KEY: Final = "artstore.json"
_FORMAT: Final = 1
_ONE_WRITER: Final = "one"
_ENTRY_KEY: Final = re.compile(r"collections/[^/]+/[^/]+/[0-9]{12}")
_TRIED_COUNT: Final = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Attributes:
        store_id: 32 hex digits, drawn when the store was made; caches are keyed by it.
        chunker: how writers of this store cut, so that they share chunks.
        created: time text, UTC.
        has_one_writer: whether people keep writers apart, because the place does not:
            its storage is opened unguarded.
        data: the stored bytes.
    """

    store_id: str
    chunker: Mapping[str, Any]
    created: str
    has_one_writer: bool = False
    data: bytes = field(default=b"", repr=False, compare=False)


def read_identity(storage: Storage) -> Identity:
    """
    Raises:
        NotFoundError: `store-not-found`, nothing is there.
        UnsupportedFormatError: `format-unsupported`.
        DamagedDataError: `store-damaged`.
    """
    try:
        data = storage.read(IDENTITY_KEY)
    except NotFoundError as error:
        if _has_artifacts(storage):
            # Whoever made another one here would give the store a new id.
            raise DamagedDataError(
                f"{IDENTITY_KEY} is missing from {storage.url}, where artifacts are",
                code="store-damaged",
                hint="`art check --repair --from COPY` puts it back from a copy of this store",
                key=IDENTITY_KEY,
            ) from error
        raise NotFoundError(
            f"there is no store at {storage.url}",
            code="store-not-found",
            hint=f"make one with `art init {storage.url}`",
            url=storage.url,
        ) from error
    try:
        value = canonical.decode(data, what=f"{IDENTITY_KEY} of {storage.url}")
    except DamagedDataError as error:
        error.context["key"] = IDENTITY_KEY
        raise
    is_whole = sealed.is_sealed(data, value)
    version = value.get("format") if isinstance(value, dict) else None
    may_be_newer = is_whole or (isinstance(value, dict) and sealed.MEMBER not in value)
    if may_be_newer and isinstance(version, int) and version > _FORMAT:
        raise _unsupported(storage, f"has format {version}, this release reads {_FORMAT}")
    try:
        if not is_whole or value["format"] != _FORMAT or value["digest"] != "blake3-256":
            raise ValueError("format")
        writers = value.get("writers")
        if writers not in (None, _ONE_WRITER):
            raise _unsupported(storage, f"is for writers of the kind {writers!r}")
        return Identity(
            store_id=str(value["id"]),
            chunker=dict(value["chunker"]),
            created=str(value["created"]),
            has_one_writer=writers == _ONE_WRITER,
            data=data,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedDataError(
            f"{IDENTITY_KEY} of {storage.url} is not that of a store",
            code="store-damaged",
            key=IDENTITY_KEY,
        ) from error


def encode_identity(*, has_one_writer: bool = False) -> bytes:
    """
    The bytes of a new `artstore.json`.

    Args:
        has_one_writer: for a place that cannot refuse to replace a value; written as `writers`.
    """
    value = {
        "format": _FORMAT,
        "id": clock.random_bytes(16).hex(),
        "digest": "blake3-256",
        "chunker": PARAMETERS,
        "created": clock.format_time(clock.now_seconds()),
    }
    if has_one_writer:
        value["writers"] = _ONE_WRITER
    return sealed.encode_sealed(value, what=IDENTITY_KEY)


def create_identity(storage: Storage, data: bytes | None = None) -> Identity:
    """
    Make the place a store; if someone else was first, theirs holds.

    Args:
        data: from `encode_identity`; None for a store for many writers.
    """
    with suppress(AlreadyExistsError):
        storage.create(IDENTITY_KEY, data or encode_identity())
    return read_identity(storage)


def _has_artifacts(storage: Storage) -> bool:
    # A directory may have a folder of that name for another reason.
    listed = islice(storage.scan("collections/"), _TRIED_COUNT)
    return any(_ENTRY_KEY.fullmatch(info.key) for info in listed)


def _unsupported(storage: Storage, what: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"the store at {storage.url} {what}", code="format-unsupported", hint="upgrade artstore"
    )

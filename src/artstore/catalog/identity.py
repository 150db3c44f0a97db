"""
`artstore.json`: what makes a place a store, written once when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

__all__ = ["IDENTITY_KEY", "Identity", "create_identity", "read_identity"]

IDENTITY_KEY: Final = "artstore.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Attributes:
        store_id: 32 hex digits, drawn when the store was made; caches are keyed by it.
        chunker: how writers of this store cut, so that they share chunks.
        created: time text, UTC.
    """

    store_id: str
    chunker: Mapping[str, Any]
    created: str


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
        raise NotFoundError(
            f"there is no store at {storage.url}",
            code="store-not-found",
            hint=f"make one with `art init {storage.url}`",
            url=storage.url,
        ) from error
    value = canonical.decode(data, what=f"{IDENTITY_KEY} of {storage.url}")
    is_whole = sealed.is_sealed(data, value)
    version = value.get("format") if isinstance(value, dict) else None
    may_be_newer = is_whole or (isinstance(value, dict) and sealed.MEMBER not in value)
    if may_be_newer and isinstance(version, int) and version > _FORMAT:
        raise UnsupportedFormatError(
            f"the store at {storage.url} has format {version}, this release reads {_FORMAT}",
            code="format-unsupported",
            hint="upgrade artstore",
        )
    try:
        if not is_whole or value["format"] != _FORMAT or value["digest"] != "blake3-256":
            raise ValueError("format")
        return Identity(str(value["id"]), dict(value["chunker"]), str(value["created"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedDataError(
            f"{IDENTITY_KEY} of {storage.url} is not that of a store",
            code="store-damaged",
            key=IDENTITY_KEY,
        ) from error


def create_identity(storage: Storage) -> Identity:
    """Make the place a store; if someone else was first, theirs holds."""
    value = {
        "format": _FORMAT,
        "id": clock.random_bytes(16).hex(),
        "digest": "blake3-256",
        "chunker": PARAMETERS,
        "created": clock.format_time(clock.now_seconds()),
    }
    try:
        storage.create(IDENTITY_KEY, sealed.encode_sealed(value, what=IDENTITY_KEY))
    except AlreadyExistsError:
        return read_identity(storage)
    return read_identity(storage)

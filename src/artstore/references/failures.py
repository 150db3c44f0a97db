"""
What can go wrong behind a URL, told the same way for every scheme.
"""

from __future__ import annotations

from typing import Any

from artstore.errors import (
    DamagedDataError,
    DeniedError,
    InvalidInputError,
    StorageError,
    UnavailableError,
)
from artstore.references.address import TRUSTED_VARIABLE

__all__ = ["changed", "denied", "missing", "refused", "unavailable", "unreadable"]


def changed(url: str, expected: Any, found: Any) -> DamagedDataError:
    """Other bytes lie there."""
    return DamagedDataError(
        f"what {url} leads to has changed: expected {expected}, found {found}",
        code="reference-changed",
        hint="a version keeps what a reference was, not its bytes: push what is there now",
        url=url,
        expected=str(expected),
        found=str(found),
    )


def missing(url: str, why: str = "nothing is there") -> DamagedDataError:
    """Nothing lies there."""
    return DamagedDataError(
        f"{url} cannot be read: {why}", code="reference-unreadable", url=url, is_missing=True
    )


def denied(url: str, why: str, hint: str | None = None) -> DeniedError:
    """Something may lie there, but not for us."""
    return DeniedError(
        f"{url} cannot be read: {why}", code="reference-unreadable", hint=hint, url=url
    )


def unavailable(url: str, why: str) -> UnavailableError:
    """No answer now."""
    return UnavailableError(f"{url} cannot be read: {why}", code="reference-unreadable", url=url)


def unreadable(url: str, why: str, hint: str | None = None) -> StorageError:
    """It cannot be read, and trying again does not help."""
    return StorageError(
        f"{url} cannot be read: {why}", code="reference-unreadable", hint=hint, url=url
    )


def refused(url: str, why: str) -> InvalidInputError:
    """A place that is not read without the user's word, because the URL is somebody else's."""
    above = url.rpartition("/")[0] + "/"
    return InvalidInputError(
        f"{url} is not read: {why}",
        code="reference-refused",
        hint=f"if you trust who pushed this version, set {TRUSTED_VARIABLE}={above}",
        url=url,
    )

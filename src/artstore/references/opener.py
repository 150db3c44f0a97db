"""
From an entry to the bytes that it refers to: the one door, with the guard beside it.
"""

from __future__ import annotations

from artstore.errors import InvalidInputError
from artstore.manifests.entry import Entry
from artstore.references.address import Address, is_trusted, parse_address
from artstore.references.failures import refused
from artstore.references.stamp import OpenReference, ReferenceStamp

__all__ = ["is_note", "open_address", "open_reference", "stamp_of"]


def is_note(entry: Entry) -> bool:
    """Whether the URL of a reference is one that this release never reads, so only tells."""
    try:
        parse_address(entry.url)
    except InvalidInputError:
        return True
    return False


def open_reference(entry: Entry) -> OpenReference:
    """
    The bytes that a reference refers to, for the caller to close.

    A local file without a known digest is not opened: the URL may have been
    written by somebody who wants to see a private file turn up in a checkout.

    Raises:
        InvalidInputError: `reference-invalid`, `reference-refused`.
        DamagedDataError: `reference-unreadable`, `manifest-damaged`.
    """
    address = parse_address(entry.url)
    stamp = ReferenceStamp.of(entry)
    if address.scheme == "file" and stamp.content_digest is None and not is_trusted(address):
        raise refused(address.url, "it is a file of this machine, and its content was not noted")
    return open_address(address, stamp)


def open_address(address: Address, stamp: ReferenceStamp) -> OpenReference:
    """What lies at an address, compared with `stamp`; no guard."""
    if address.scheme == "file":
        from artstore.references.localfile import LocalReference

        return LocalReference(address, stamp)
    if address.scheme in ("http", "https"):
        from artstore.references.web import WebReference

        return WebReference(address, stamp)
    if address.scheme == "s3":
        from artstore.references.s3 import KeyReference

        return KeyReference(address, stamp)
    from artstore.references.remote import RemoteReference

    return RemoteReference(address, stamp)


def stamp_of(address: Address) -> ReferenceStamp:
    """What is known of the bytes there now: one look, or for a local file its digest."""
    if address.scheme == "file":
        from artstore.references.localfile import stamp_of_file

        return stamp_of_file(address)
    if address.scheme in ("http", "https"):
        from artstore.references.web import stamp_of_page

        return stamp_of_page(address)
    if address.scheme == "s3":
        from artstore.references.s3 import stamp_of_key

        return stamp_of_key(address)
    from artstore.references.remote import stamp_of_remote

    return stamp_of_remote(address)

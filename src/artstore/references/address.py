"""
URLs of references: which ones are read, and which of them only when the user said so.

A manifest may come from anybody who can write to a store, so a pull follows a
URL only where that can do no harm: schemes that read and nothing else, no URLs
that fsspec takes apart into further file systems, no local file and no host of
an inner network unless the user named it.
"""

from __future__ import annotations

import ipaddress
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from artstore.errors import InvalidInputError

__all__ = ["SCHEMES", "TRUSTED_VARIABLE", "Address", "is_internal", "is_trusted", "parse_address"]

SCHEMES: Final = ("file", "http", "https", "s3", "gs", "az", "abfs", "hf")
"""What is read. fsspec knows many more: some run commands, some open other files."""

TRUSTED_VARIABLE: Final = "ARTSTORE_TRUSTED_REFERENCES"
"""URLs, parted by commas, below which references are followed without further questions."""

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(//)?(.*)", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_GENERATION: Final = re.compile(r"(.*)#([0-9]+)", re.DOTALL)
_VERSION_MARK: Final = "?versionId="
_CHAIN: Final = re.compile(r"::[A-Za-z][A-Za-z0-9+.\-]*://")
_IN_BUCKETS: Final = frozenset(("s3", "gs", "az", "abfs", "hf"))
# Addresses of IPv4 inside IPv6 ones, as NAT64 writes them.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Address:
    """
    A URL, taken apart.

    Attributes:
        host: the host, or the bucket or container.
        path: of a file on this machine decoded; of a bucket the key, as it is.
        version_id: what the URL says of a version of a key, if anything.
    """

    url: str
    scheme: str
    host: str
    path: str
    version_id: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path: what an entry is called that has no other name."""
        path = unquote(self.path) if self.scheme in ("http", "https") else self.path
        return path.rstrip("/").rpartition("/")[2] or self.host


def parse_address(url: str) -> Address:
    """
    Take a URL apart.

    Raises:
        InvalidInputError: `reference-invalid`: no URL, another scheme than `SCHEMES`,
            a chain of file systems, a password.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidInputError(
            f"{url!r} is no URL",
            code="reference-invalid",
            hint=f"for a local file use add_file, or file://{os.path.abspath(url)}",
        )
    scheme, rest = match[1].lower(), match[3]
    if scheme not in SCHEMES or (match[2] is None and scheme != "file"):
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise _invalid(url, f"this release reads {known}", "checksum=False keeps any URL as a note")
    if _CHAIN.search(url):
        raise _invalid(url, "a URL that chains file systems with :: is not followed")
    if scheme == "file":
        return _file_address(url)
    if scheme in _IN_BUCKETS:
        return _bucket_address(url, scheme, rest)
    return _web_address(url, scheme)


def is_trusted(address: Address, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the user named this URL, or one above it, in ARTSTORE_TRUSTED_REFERENCES."""
    named = (os.environ if environ is None else environ).get(TRUSTED_VARIABLE, "")
    for text in named.split(","):
        if not text.strip():
            continue
        try:
            above = parse_address(text.strip())
        except InvalidInputError:
            continue
        if (above.scheme, above.host) == (address.scheme, address.host) and _is_below(
            address.path, above.path
        ):
            return True
    return False


def is_internal(host: str) -> bool:
    """Whether a numeric address belongs to this machine or to a network that is not public."""
    number = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is not None:
            number = number.ipv4_mapped
        elif number in _NAT64:
            number = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    return not number.is_global or number.is_multicast


def _is_below(path: str, above: str) -> bool:
    # `..` is read by servers and disks, and must not lead out of what was named.
    parts = unquote(path).split("/")
    if ".." in parts or "." in parts:
        return False
    return path == above or path.startswith(above.rstrip("/") + "/")


def _file_address(url: str) -> Address:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc.lower() not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise _invalid(url, "a file is named as file:///absolute/path")
    return Address(url, "file", "", posixpath.normpath(path))


def _bucket_address(url: str, scheme: str, rest: str) -> Address:
    host, _, path = rest.partition("/")
    version_id: str | None = None
    if scheme == "s3" and _VERSION_MARK in path:
        path, _, version_id = path.rpartition(_VERSION_MARK)
    elif scheme == "gs" and (match := _GENERATION.fullmatch(path)):
        path, version_id = match.groups()
    if not host or _CONTROL.search(host):
        raise _invalid(url, "it names no bucket")
    if "@" in host and scheme == "s3":
        raise _invalid(url, "credentials do not belong into a URL that a version keeps")
    return Address(url, scheme, host, path, version_id or None)


def _web_address(url: str, scheme: str) -> Address:
    if _CONTROL.search(url):
        raise _invalid(url, "it has a blank or a control character", "write it percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(url, str(error)) from error
    if not parts.hostname:
        raise _invalid(url, "it names no host")
    if parts.username is not None:
        raise _invalid(url, "credentials do not belong into a URL that a version keeps")
    standard = {"http": 80, "https": 443}[scheme]
    host = parts.hostname.lower()
    return Address(url, scheme, f"{host}:{port or standard}", parts.path or "/")


def _invalid(url: str, rule: str, hint: str | None = None) -> InvalidInputError:
    return InvalidInputError(
        f"{url!r} cannot be a reference: {rule}", code="reference-invalid", hint=hint, url=url
    )

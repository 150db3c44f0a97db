"""The manifest of an artifact of W&B, where it lies beside the files: what they have to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError, StateError, UnsupportedFormatError
from artstore.integrations.wandb_files.digests import ALGORITHMS, MD5, XXH128, artifact_digest
from artstore.integrations.wandb_files.failures import damaged_file, refused_path
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.jsonstream import JsonStream
from artstore.names import check_entry_path

__all__ = [
    "FULL",
    "INCREMENTAL",
    "MANIFESTS",
    "PATCH",
    "WandbEntry",
    "WandbManifest",
    "read_manifest",
]

FULL: Final = "FULL"
INCREMENTAL: Final = "INCREMENTAL"
PATCH: Final = "PATCH"
MANIFESTS: Final = {
    "wandb_manifest.json": FULL,
    "wandb_manifest.incremental.json": INCREMENTAL,
    "wandb_manifest.patch.json": PATCH,
}
"""What a manifest is called, and what it holds: all entries, or those that are new."""

_OTHER_ARTIFACT: Final = re.compile(r"wandb-(?:client-)?artifact://")


@dataclass(frozen=True, slots=True)
class WandbEntry:
    """
    One entry of a manifest.

    Attributes:
        digest: base64 of MD5 or XXH128 of a file; of a reference whatever W&B could
            learn: an ETag, or the URL.
        size_bytes: None if it is not told; of a reference into another artifact 0.
        url: of a reference; else None.
        algorithm: `MD5` or `XXH128`.
        extra: what else is told: `etag`, `versionID`.
    """

    path: str
    digest: str
    size_bytes: int | None
    url: str | None
    algorithm: str
    extra: Mapping[str, Any]

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a reference to something outside of W&B."""
        return self.url is not None and _OTHER_ARTIFACT.match(self.url) is None


@dataclass(frozen=True, slots=True)
class WandbManifest:
    """
    The entries of an artifact, by path.

    Attributes:
        path: of the manifest itself.
        kind: `FULL`; or `INCREMENTAL` or `PATCH`, which lack what was there before.
    """

    path: str
    kind: str
    entries: Mapping[str, WandbEntry]

    @property
    def algorithm(self) -> str:
        """By which the artifact is digested: XXH128 if its files are."""
        stored = (entry.algorithm for entry in self.entries.values() if entry.url is None)
        return XXH128 if XXH128 in stored else MD5

    def artifact_digest(self, algorithm: str | None = None) -> str:
        """
        The digest that W&B shows of the artifact, 32 hex digits.

        Args:
            algorithm: `MD5` or `XXH128`, if not that of its files.
        Raises:
            StateError: `wandb-manifest-partial` for a manifest that is not `FULL`.
        """
        if self.kind != FULL:
            raise StateError(
                f"{self.path} lists only what is new, which has no digest of its own",
                code="wandb-manifest-partial",
                hint="download the artifact that W&B made of it",
                file=self.path,
            )
        pairs = ((entry.path, entry.digest) for entry in self.entries.values())
        return artifact_digest(pairs, algorithm or self.algorithm)


def read_manifest(files: WandbFiles, path: str) -> WandbManifest:
    """
    A manifest, checked.

    Raises:
        DamagedDataError: `wandb-file-damaged`.
        InvalidInputError: `wandb-path-refused` for an entry that leads out.
        UnsupportedFormatError: `format-unsupported` for another version.
    Cost: about 500 bytes of memory an entry.
    """
    entries: dict[str, WandbEntry] = {}
    version = None
    with files.open(path) as file:
        stream = JsonStream(file, path)
        for name in stream.members():
            if name == "contents":
                for entry_path in stream.members():
                    entries[entry_path] = _entry(entry_path, stream.value(), path)
            elif name == "version":
                version = stream.value()
            else:
                stream.value()
        stream.end()
    if version != 1:
        raise UnsupportedFormatError(
            f"{path} has version {version!r}, and 1 is what is read",
            code="format-unsupported",
            hint="a newer artstore may read it",
            file=path,
        )
    return WandbManifest(path, MANIFESTS.get(path, FULL), entries)


def _entry(path: str, value: Any, manifest: str) -> WandbEntry:
    try:
        check_entry_path(path)
    except InvalidInputError as error:
        raise refused_path(path, manifest, "is not a path below the directory") from error
    if not isinstance(value, dict):
        raise damaged_file(manifest, f"the entry {path!r} is not a record")
    digest, url = value.get("digest"), value.get("ref") or None
    size_bytes, extra = value.get("size"), value.get("extra") or {}
    if not isinstance(digest, str) or not isinstance(url, (str, type(None))):
        raise damaged_file(manifest, f"the entry {path!r} has no digest, or a ref that is no URL")
    if size_bytes is not None and (type(size_bytes) is not int or size_bytes < 0):
        raise damaged_file(manifest, f"the entry {path!r} has the size {size_bytes!r:.40}")
    if not isinstance(extra, dict):
        raise damaged_file(manifest, f"the entry {path!r} has an extra that is no record")
    algorithm = extra.get("alg") or MD5
    if algorithm not in ALGORITHMS:
        raise UnsupportedFormatError(
            f"{manifest}: the digest of {path!r} is a {algorithm!r:.40}, which is not known",
            code="format-unsupported",
            hint="a newer artstore may know it",
            file=manifest,
        )
    return WandbEntry(path, digest, size_bytes, url, str(algorithm), extra)

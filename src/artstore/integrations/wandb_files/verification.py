"""The files of a directory compared with its manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from artstore.errors import DamagedDataError, NotFoundError
from artstore.integrations.wandb_files.digests import entry_digest
from artstore.integrations.wandb_files.failures import damaged_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.manifest import MANIFESTS, WandbEntry, WandbManifest

__all__ = ["WandbReport", "verified"]

_SHOWN_COUNT: Final = 100


@dataclass(frozen=True, slots=True)
class WandbReport:
    """
    What a comparison came to; what does not agree is raised.

    Attributes:
        file_count, size_bytes: how much was compared.
        reference_count: entries that lie elsewhere, of which nothing was read.
        unlisted: files that the manifest does not have.
        digest: of the artifact, as W&B shows it; None if the manifest is not full.
    """

    file_count: int
    size_bytes: int
    reference_count: int
    unlisted: tuple[str, ...]
    digest: str | None


def verified(files: WandbFiles, manifest: WandbManifest, digest: str | None) -> WandbReport:
    """What `WandbDirectory.verify` tells."""
    own = None
    if digest is not None or manifest.kind == "FULL":
        own = manifest.artifact_digest()
    if digest is not None and digest.lower() != own:
        raise DamagedDataError(
            f"{manifest.path} is of an artifact with the digest {own}, not {digest}",
            code="wandb-digest-mismatch",
            hint="it is another version, or was changed",
            file=manifest.path,
            expected=digest,
            found=own,
        )
    wrong: list[tuple[str, str]] = []
    missing: list[str] = []
    file_count = size_bytes = reference_count = 0
    for path, entry in sorted(manifest.entries.items()):
        if entry.is_elsewhere or (entry.url is not None and path not in files.places):
            reference_count += 1
        elif path not in files.places:
            missing.append(path)
        else:
            size, why = _compared(files, entry)
            file_count, size_bytes = file_count + 1, size_bytes + size
            if why:
                wrong.append((path, why))
    if wrong:
        raise DamagedDataError(
            f"{len(wrong)} of {len(manifest.entries)} files are not those of {manifest.path}:"
            f" {wrong[0][0]} {wrong[0][1]}",
            code="wandb-digest-mismatch",
            hint="download the artifact again",
            files=[path for path, _ in wrong[:_SHOWN_COUNT]],
        )
    if missing:
        raise NotFoundError(
            f"{len(missing)} of {len(manifest.entries)} files of {manifest.path} are not there:"
            f" {missing[0]}",
            code="wandb-file-missing",
            hint="download the artifact in full",
            files=missing[:_SHOWN_COUNT],
        )
    unlisted = tuple(
        path for path in files.places if path not in manifest.entries and path not in MANIFESTS
    )
    return WandbReport(file_count, size_bytes, reference_count, unlisted, own)


def _compared(files: WandbFiles, entry: WandbEntry) -> tuple[int, str]:
    """The size of a file, and what is wrong with it, if something is."""
    try:
        with files.open(entry.path) as file:
            size = os.fstat(file.fileno()).st_size
            # Of a file of another artifact 0 is noted.
            if entry.url is None and entry.size_bytes not in (None, size):
                return size, f"has {size:,} bytes, and {entry.size_bytes:,} are listed"
            found = entry_digest(file, entry.algorithm)
    except OSError as error:
        raise damaged_file(entry.path, error.strerror or str(error)) from error
    if found != entry.digest:
        return size, f"has the {entry.algorithm} {found}, and {entry.digest} is listed"
    return size, ""

"""The digests of W&B: of a file, in base64, and of an artifact, in hex digits."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import xxhash

__all__ = ["ALGORITHMS", "MD5", "XXH128", "artifact_digest", "entry_digest"]

MD5: Final = "MD5"
XXH128: Final = "XXH128"
ALGORITHMS: Final = (MD5, XXH128)

_HEAD: Final = b"wandb-artifact-manifest-v1\n"
_BLOCK_BYTES: Final = 1 << 20


def entry_digest(file: BinaryIO, algorithm: str) -> str:
    """The digest of a file as a manifest tells it."""
    hasher = _hasher(algorithm)
    while block := file.read(_BLOCK_BYTES):
        hasher.update(block)
    return base64.b64encode(hasher.digest()).decode("ascii")


def artifact_digest(entries: Iterable[tuple[str, str]], algorithm: str) -> str:
    """The digest of an artifact whose entries have these paths and digests."""
    hasher = _hasher(algorithm)
    hasher.update(_HEAD)
    for path, digest in sorted(entries):
        hasher.update(f"{path}:{digest}\n".encode())
    return str(hasher.hexdigest())


def _hasher(algorithm: str) -> Any:
    if algorithm == XXH128:
        return xxhash.xxh3_128()
    # Against accidents: nothing of ours is named by it.
    return hashlib.md5(usedforsecurity=False)

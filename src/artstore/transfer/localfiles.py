"""
Files of this machine that may hold what a store has lost: whole files of the cache, and checkouts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from artstore.transfer.checkouts import Checkout

__all__ = ["LocalFiles"]


class LocalFiles:
    """
    Where a file of a version may stand. What is found is to be verified by whoever reads it.

    Args:
        content_root: the files of the content cache.
        checkouts: of the store in question.
    """

    def __init__(self, content_root: Path, checkouts: list[Checkout]) -> None:
        self._content_root = content_root
        self._checkouts = checkouts

    def find(self, project: str, name: str, path: str, digest: bytes) -> Iterator[tuple[str, Path]]:
        """
        What to call it, and the file: first by digest in the cache, then by path in
        checkouts of that name, of whatever version they are.
        """
        text = digest.hex()
        for suffix in ("", ".x"):
            yield "the local cache", self._content_root / text[:2] / f"{text}{suffix}"
        for checkout in self._checkouts:
            if (checkout.project, checkout.name) == (project, name):
                yield checkout.location, Path(checkout.location, path)

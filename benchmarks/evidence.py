"""
Whether a tool did its work: the checkout is right, and what it left behind elsewhere.

A fast wrong pull must not win a row, so what each tool pulled first is compared
byte for byte, and later runs by names and lengths.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

from benchmarks.measure import files_below

__all__ = ["Fingerprints", "WrongCheckoutError", "count_extra_files"]

PIECE_BYTES = 1 << 20
FINGERPRINT_BYTES = 32
FINGERPRINT_COUNT = 24


class WrongCheckoutError(Exception):
    """A pulled tree lacks a file or holds other bytes than were pushed."""


def count_extra_files(tree: Path, checkout: Path, *, reads_content: bool) -> int:
    """
    Compare every file of `tree` with its twin in `checkout`: length, and content if asked.

    Returns: how many files the checkout holds that the tree does not.

    Raises:
        WrongCheckoutError: at the first file that is missing or differs.
    """
    wanted = {os.path.relpath(path, tree) for path in files_below([tree])}
    for name in sorted(wanted):
        twin = os.path.join(checkout, name)
        if not os.path.isfile(twin):
            raise WrongCheckoutError(f"{twin} was not pulled")
        if not _is_same(os.path.join(tree, name), twin, reads_content=reads_content):
            raise WrongCheckoutError(f"{twin} differs from its twin in {tree}")
    return sum(
        1 for path in files_below([checkout]) if os.path.relpath(path, checkout) not in wanted
    )


def _is_same(one: str, other: str, *, reads_content: bool) -> bool:
    if os.path.getsize(one) != os.path.getsize(other):
        return False
    if not reads_content:
        return True
    with open(one, "rb") as left, open(other, "rb") as right:
        while piece := left.read(PIECE_BYTES):
            if piece != right.read(PIECE_BYTES):
                return False
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprints:
    """
    Enough of a tree's content to find it again in other files.

    Whole copies are found by length and digest. A file that holds the content
    of several (a pack) is found by samples; corpora are random, so that 32
    bytes stand for their place, and incompressible, so that they appear as they are.
    """

    digests: frozenset[bytes]
    sizes: frozenset[int]
    samples: tuple[bytes, ...]

    @classmethod
    def of(cls, tree: Path, seed: int) -> Fingerprints:
        paths = sorted(files_below([tree]))
        stream = Random(seed)
        samples = []
        for _ in range(FINGERPRINT_COUNT):
            path = stream.choice(paths)
            with open(path, "rb") as file:
                file.seek(stream.randrange(max(1, os.path.getsize(path) - FINGERPRINT_BYTES)))
                samples.append(file.read(FINGERPRINT_BYTES))
        return cls(
            frozenset(_digest(path) for path in paths),
            frozenset(os.path.getsize(path) for path in paths),
            tuple(samples),
        )

    def content_bytes(self, places: Sequence[Path]) -> int:
        """Total length of the files below `places` that hold content of the tree."""
        total = 0
        for path in files_below(places):
            size_bytes = os.path.getsize(path)
            is_copy = size_bytes in self.sizes and _digest(path) in self.digests
            if is_copy or self._holds_sample(path):
                total += size_bytes
        return total

    def _holds_sample(self, path: str) -> bool:
        kept = b""
        with open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                searched = kept + piece
                if any(sample in searched for sample in self.samples):
                    return True
                # A sample may lie across two pieces.
                kept = searched[-FINGERPRINT_BYTES:]
        return False


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()

"""
The trees that are pushed and pulled: W1 to W5 and W7 of the issue, made from a seed.

The same seed, scale and Python give the same bytes on every machine. All
content is random and therefore incompressible, as images and weights are.

    W1  one file of 2 GiB
    W2  20,000 files of about 20 KiB in 200 folders, 431 MB in all
    W3  W1 with 1 KiB inserted at 100 MiB and 1 MiB overwritten at 1.5 GiB
    W4  W2 with 200 files changed, 200 added, 100 deleted (8.1 MB of new content),
        picked at random over the whole tree
    W5  W2 untouched
    W7  1,000,000 files of 100 bytes, then 10 of them changed

Make one by hand: `python -m benchmarks.corpora w2 DIRECTORY [--edit] [--seed N] [--scale X]`;
with `--edit` the directory must hold W1, W2 or W7 and becomes W3, W4 or the second W7.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import BinaryIO

__all__ = ["DEFAULT_SEED", "Corpus", "edit", "generate"]

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
DEFAULT_SEED = 1

W2_SIZES = (18_432, 24_668)
"""Mean 21,550 bytes: 20,000 of them are the 431 MB of the issue."""
W4_SIZES = (17_132, 23_368)
"""Mean 20,250 bytes: 200 changed and 200 added files are the 8.1 MB of the issue."""
W7_FOLDER_COUNT = 1_000
W7_FILE_BYTES = 100
W7_CHANGED_COUNT = 10
# Random.randbytes slows down with the length asked; blocks of 16 KiB are twice as fast as 1 MiB.
DRAW_BYTES = 16 * KIB


@dataclasses.dataclass(frozen=True, slots=True)
class Corpus:
    """
    Which tree to make. `kind` is "w1", "w2" or "w7": the other three are edits of these.

    A `scale` below 1 shrinks counts and lengths alike, to try the harness out.
    """

    kind: str
    seed: int = DEFAULT_SEED
    scale: float = 1.0

    def scaled(self, full: int, *, least: int = 1) -> int:
        return max(least, round(full * self.scale))

    @property
    def file_count(self) -> int:
        if self.kind == "w1":
            return 1
        return self.scaled(20_000, least=20) if self.kind == "w2" else self.scaled(1_000_000)

    @property
    def size_bytes(self) -> int:
        """Content bytes, within a percent."""
        if self.kind == "w1":
            return self.scaled(2 * GIB)
        mean = sum(W2_SIZES) // 2 if self.kind == "w2" else W7_FILE_BYTES
        return self.file_count * mean

    def stream(self, purpose: str) -> Random:
        """One stream of draws a purpose, so that an edit does not depend on how W2 was made."""
        return Random(f"artstore/{self.kind}/{self.seed}/{purpose}")


def generate(corpus: Corpus, root: Path) -> None:
    """Write the tree of `corpus` into the new directory `root`."""
    root.mkdir(parents=True)
    match corpus.kind:
        case "w1":
            _write_w1(corpus, root)
        case "w2":
            _write_w2(corpus, root)
        case "w7":
            _write_w7(corpus, root)
        case kind:
            raise ValueError(f"no corpus is called {kind!r}: w1, w2 and w7 are")


def edit(corpus: Corpus, root: Path) -> None:
    """Turn the tree of `corpus` at `root` into its second version: W3, W4 or the edited W7."""
    match corpus.kind:
        case "w1":
            _edit_w1(corpus, root)
        case "w2":
            _edit_w2(corpus, root)
        case "w7":
            _edit_w7(corpus, root)
        case kind:
            raise ValueError(f"no corpus is called {kind!r}: w1, w2 and w7 are")


def _draw(stream: Random, size_bytes: int) -> Iterator[bytes]:
    for start in range(0, size_bytes, DRAW_BYTES):
        yield stream.randbytes(min(DRAW_BYTES, size_bytes - start))


# --- W1 and W3: one large file ------------------------------------------------


def _write_w1(corpus: Corpus, root: Path) -> None:
    with open(root / "model.bin", "wb", buffering=MIB) as file:
        file.writelines(_draw(corpus.stream("content"), corpus.size_bytes))


def _edit_w1(corpus: Corpus, root: Path) -> None:
    """
    Write W3 beside and rename, as programs that save checkpoints do.

    Both positions are in the new file: 1.5 GiB is counted after the insertion.
    """
    stream = corpus.stream("edit")
    insert_at = corpus.scaled(100 * MIB)
    overwrite_at = corpus.scaled(1536 * MIB)
    inserted = stream.randbytes(KIB)
    overwritten = b"".join(_draw(stream, corpus.scaled(MIB, least=KIB)))
    path = root / "model.bin"
    beside = root / "model.bin.new"
    with open(path, "rb") as old, open(beside, "wb", buffering=MIB) as new:
        _copy(old, new, insert_at)
        new.write(inserted)
        _copy(old, new, overwrite_at - new.tell())
        new.write(overwritten)
        old.seek(len(overwritten), os.SEEK_CUR)
        _copy(old, new, corpus.size_bytes)
    beside.replace(path)


def _copy(source: BinaryIO, target: BinaryIO, size_bytes: int) -> None:
    left = size_bytes
    while left > 0:
        block = source.read(min(MIB, left))
        if not block:
            return
        target.write(block)
        left -= len(block)


# --- W2, W4 and W5: a data set of images --------------------------------------


def _w2_path(root: Path, corpus: Corpus, number: int) -> Path:
    folder_count = corpus.scaled(200, least=2)
    return root / f"class_{number % folder_count:03d}" / f"{number:06d}.jpg"


def _write_w2(corpus: Corpus, root: Path) -> None:
    stream = corpus.stream("content")
    for number in range(corpus.scaled(200, least=2)):
        _w2_path(root, corpus, number).parent.mkdir()
    for number in range(corpus.file_count):
        _w2_path(root, corpus, number).write_bytes(stream.randbytes(stream.randint(*W2_SIZES)))


def _edit_w2(corpus: Corpus, root: Path) -> None:
    stream = corpus.stream("edit")
    changed_count = corpus.scaled(200)
    deleted_count = corpus.scaled(100)
    picked = stream.sample(range(corpus.file_count), changed_count + deleted_count)
    for number in picked[:changed_count]:
        _w2_path(root, corpus, number).write_bytes(stream.randbytes(stream.randint(*W4_SIZES)))
    for number in picked[changed_count:]:
        _w2_path(root, corpus, number).unlink()
    # A new name in a random folder: numbers that W2 never reaches.
    unused = range(corpus.file_count, 2 * corpus.file_count)
    for number in stream.sample(unused, corpus.scaled(200)):
        _w2_path(root, corpus, number).write_bytes(stream.randbytes(stream.randint(*W4_SIZES)))


# --- W7: very many entries ----------------------------------------------------


def _w7_path(root: Path, corpus: Corpus, number: int) -> Path:
    folder_count = corpus.scaled(W7_FOLDER_COUNT)
    return root / f"shard_{number % folder_count:04d}" / f"{number:07d}.json"


def _write_w7(corpus: Corpus, root: Path) -> None:
    stream = corpus.stream("content")
    folder_count = corpus.scaled(W7_FOLDER_COUNT)
    # Folder by folder: a million creations in one order of directories keep the disk's index warm.
    for folder in range(folder_count):
        _w7_path(root, corpus, folder).parent.mkdir()
        for number in range(folder, corpus.file_count, folder_count):
            _w7_path(root, corpus, number).write_bytes(stream.randbytes(W7_FILE_BYTES))


def _edit_w7(corpus: Corpus, root: Path) -> None:
    stream = corpus.stream("edit")
    for number in stream.sample(range(corpus.file_count), W7_CHANGED_COUNT):
        _w7_path(root, corpus, number).write_bytes(stream.randbytes(W7_FILE_BYTES))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write one benchmark tree.")
    parser.add_argument("kind", choices=["w1", "w2", "w7"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--edit", action="store_true", help="change the tree that is there")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    corpus = Corpus(options.kind, options.seed, options.scale)
    (edit if options.edit else generate)(corpus, options.directory)


if __name__ == "__main__":
    main()

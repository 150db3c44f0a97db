"""
The trees that are pushed and pulled, made from a seed.

The same seed, scale and Python give the same bytes on every machine. All
content is random and therefore incompressible, as images and weights are.

    W1  one file of 2 GiB
    W2  20,000 files of about 20 KiB in 200 folders, 431 MB in all
    W3  W1 with 1 KiB inserted at 100 MiB and 1 MiB overwritten at 1.5 GiB
    W4  W2 with 200 files changed, 200 added, 100 deleted (8.1 MB of new content),
        picked at random over the whole tree
    W5  W2 untouched
    W7  1,000,000 files of 100 bytes, then 10 of them changed
    W8  one file of 20 GiB, for the memory it takes

For buckets, smaller ones:

    B1  2,000 files of 20 KiB in 20 folders; then 20 changed, 20 added, 10 deleted
    B2  one file of 256 MiB; then 1 KiB inserted at 50 MiB and 1 MiB overwritten at 200 MiB
    B3  one file of 1 GiB, to be read at random places

Make one by hand: `python -m benchmarks.corpora w2 DIRECTORY [--edit] [--seed N] [--scale X]`;
with `--edit` the directory must hold the first tree and becomes the second.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import BinaryIO

__all__ = ["DEFAULT_SEED", "KINDS", "Corpus", "edit", "generate"]

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
DEFAULT_SEED = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Images:
    """Many small files: how many, in how many folders, how long, and what an edit does."""

    file_count: int
    folder_count: int
    sizes: tuple[int, int]
    edited_sizes: tuple[int, int]
    changed_count: int
    added_count: int
    deleted_count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One large file: how long, and where an edit inserts 1 KiB and overwrites 1 MiB."""

    size_bytes: int
    insert_at: int = 100 * MIB
    overwrite_at: int = 1536 * MIB


# Mean 21,550 bytes: 20,000 of them are the 431 MB of the issue; mean 20,250 bytes: 200
# changed and 200 added files are its 8.1 MB.
IMAGES = {
    "w2": Images(20_000, 200, (18_432, 24_668), (17_132, 23_368), 200, 200, 100),
    "b1": Images(2_000, 20, (20 * KIB, 20 * KIB), (20 * KIB, 20 * KIB), 20, 20, 10),
}
MODELS = {
    "w1": Model(2 * GIB),
    "b2": Model(256 * MIB, 50 * MIB, 200 * MIB),
    "b3": Model(GIB),
    "w8": Model(20 * GIB),
}
W7_FOLDER_COUNT = 1_000
W7_FILE_BYTES = 100
W7_CHANGED_COUNT = 10
# Random.randbytes slows down with the length asked; blocks of 16 KiB are twice as fast as 1 MiB.
DRAW_BYTES = 16 * KIB
KINDS = (*MODELS, *IMAGES, "w7")


@dataclasses.dataclass(frozen=True, slots=True)
class Corpus:
    """
    Which tree to make. `kind` is a key of `IMAGES` or `MODELS`, or "w7".

    A `scale` below 1 shrinks counts and lengths alike, to try the harness out.
    """

    kind: str
    seed: int = DEFAULT_SEED
    scale: float = 1.0

    def scaled(self, full: int, *, least: int = 1) -> int:
        return max(least, round(full * self.scale))

    @property
    def file_count(self) -> int:
        if self.kind in MODELS:
            return 1
        if images := IMAGES.get(self.kind):
            return self.scaled(images.file_count, least=20)
        return self.scaled(1_000_000)

    @property
    def size_bytes(self) -> int:
        """Content bytes, within a percent."""
        if model := MODELS.get(self.kind):
            return self.scaled(model.size_bytes)
        images = IMAGES.get(self.kind)
        return self.file_count * (sum(images.sizes) // 2 if images else W7_FILE_BYTES)

    def stream(self, purpose: str) -> Random:
        """One stream of draws a purpose, so that an edit does not depend on how W2 was made."""
        return Random(f"artstore/{self.kind}/{self.seed}/{purpose}")


def generate(corpus: Corpus, root: Path) -> None:
    """Write the tree of `corpus` into the new directory `root`."""
    root.mkdir(parents=True)
    if corpus.kind in MODELS:
        _write_model(corpus, root)
    elif images := IMAGES.get(corpus.kind):
        _write_images(corpus, images, root)
    elif corpus.kind == "w7":
        _write_w7(corpus, root)
    else:
        raise ValueError(f"no corpus is called {corpus.kind!r}: {', '.join(KINDS)} are")


def edit(corpus: Corpus, root: Path) -> None:
    """Turn the tree of `corpus` at `root` into its second version: W3 for W1, W4 for W2."""
    if model := MODELS.get(corpus.kind):
        _edit_model(corpus, model, root)
    elif images := IMAGES.get(corpus.kind):
        _edit_images(corpus, images, root)
    elif corpus.kind == "w7":
        _edit_w7(corpus, root)
    else:
        raise ValueError(f"no corpus is called {corpus.kind!r}: {', '.join(KINDS)} are")


def _draw(stream: Random, size_bytes: int) -> Iterator[bytes]:
    for start in range(0, size_bytes, DRAW_BYTES):
        yield stream.randbytes(min(DRAW_BYTES, size_bytes - start))


# --- One large file: W1, and W3 which is an edit of it ---------------------------


def _write_model(corpus: Corpus, root: Path) -> None:
    with open(root / "model.bin", "wb", buffering=MIB) as file:
        file.writelines(_draw(corpus.stream("content"), corpus.size_bytes))


def _edit_model(corpus: Corpus, model: Model, root: Path) -> None:
    """
    Write the new file beside and rename, as programs that save checkpoints do.

    Both positions are in the new file: that of W3's 1.5 GiB is counted after the insertion.
    """
    stream = corpus.stream("edit")
    insert_at = corpus.scaled(model.insert_at)
    overwrite_at = corpus.scaled(model.overwrite_at)
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


# --- A data set of images: W2, and W4 which is an edit of it ----------------------


def _image_path(root: Path, corpus: Corpus, images: Images, number: int) -> Path:
    folder_count = corpus.scaled(images.folder_count, least=2)
    return root / f"class_{number % folder_count:03d}" / f"{number:06d}.jpg"


def _write_images(corpus: Corpus, images: Images, root: Path) -> None:
    stream = corpus.stream("content")
    for number in range(corpus.scaled(images.folder_count, least=2)):
        _image_path(root, corpus, images, number).parent.mkdir()
    for number in range(corpus.file_count):
        data = stream.randbytes(stream.randint(*images.sizes))
        _image_path(root, corpus, images, number).write_bytes(data)


def _edit_images(corpus: Corpus, images: Images, root: Path) -> None:
    stream = corpus.stream("edit")
    changed_count = corpus.scaled(images.changed_count)
    deleted_count = corpus.scaled(images.deleted_count)
    picked = stream.sample(range(corpus.file_count), changed_count + deleted_count)
    # A new name in a random folder: numbers that the first tree never reaches.
    unused = range(corpus.file_count, 2 * corpus.file_count)

    def write(number: int) -> None:
        data = stream.randbytes(stream.randint(*images.edited_sizes))
        _image_path(root, corpus, images, number).write_bytes(data)

    for number in picked[:changed_count]:
        write(number)
    for number in picked[changed_count:]:
        _image_path(root, corpus, images, number).unlink()
    for number in stream.sample(unused, corpus.scaled(images.added_count)):
        write(number)


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
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--edit", action="store_true", help="change the tree that is there")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    corpus = Corpus(options.kind, options.seed, options.scale)
    (edit if options.edit else generate)(corpus, options.directory)


if __name__ == "__main__":
    main()

"""The pages of the documentation: where they are, their fenced blocks, their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"^ *<!-- not run: (?P<reason>.+) -->$")
_BUCKET = re.compile(
    r"^<!-- run with: an S3 server that has (?P<name>[a-z0-9-]+) -->$", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """
    One fenced block of a page.

    `info` is what stands behind the opening fence; `not_run` the reason that the
    comment above the block gives for not running it.
    """

    page: Path
    line: int
    info: str
    text: str
    not_run: str | None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that a reader of the repository finds."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    not_run = None
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            comment = _NOT_RUN.match(lines[at])
            if comment or lines[at].strip():
                not_run = comment["reason"] if comment else None
            at += 1
            continue
        indent, start = opening["indent"], at + 1
        at = start
        while lines[at] != f"{indent}```":
            at += 1
        body = [line.removeprefix(indent) for line in lines[start:at]]
        yield Block(page, start, opening["info"].strip(), "\n".join(body) + "\n", not_run)
        not_run = None
        at += 1


def bucket_of(page: Path) -> str | None:
    """The bucket that a page takes for granted, of the server that its environment names."""
    found = _BUCKET.search(page.read_text("utf-8"))
    return found["name"] if found else None


def without_blocks(page: Path) -> str:
    """The page without its fenced blocks: a `#` in a shell is no heading."""
    return _FENCED.sub("", page.read_text("utf-8"))


def prose(page: Path) -> str:
    """The page without its fenced blocks and its code in backticks."""
    return re.sub(r"`[^`\n]*`", "", without_blocks(page))


def block_named(page: Path, info: str) -> str:
    """The text of the one block of a page with this info string."""
    found = [block.text for block in blocks(page) if block.info == info]
    assert len(found) == 1, f"{page.name} has {len(found)} blocks {info!r}"
    return found[0]

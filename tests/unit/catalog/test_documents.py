"""The pages on logs say what the code does: their tables, and every byte of their examples."""

from __future__ import annotations

import re

import pytest

from artstore.catalog.format import (
    COLLECTION_KINDS,
    UPKEEP_KINDS,
    Kinds,
    LogEntry,
    RawEntry,
    decode_entry,
    encode_entry,
)
from artstore.catalog.rollups import encode_rollup
from artstore.catalog.runs.format import RUN_KINDS
from artstore.catalog.state import CollectionState
from tests.docs.pages import DOCS

LOG, UPKEEP = DOCS / "format" / "log.md", DOCS / "format" / "upkeep.md"
RUN = DOCS / "format" / "run.md"
PAGES = [(LOG, "log", COLLECTION_KINDS), (UPKEEP, "upkeep", UPKEEP_KINDS), (RUN, "run", RUN_KINDS)]


def example(page, name: str) -> list[bytes]:
    """The entries of a worked example, in order."""
    found = re.findall(rf"^```json {name}-entry-(\d+)\n(.*)\n```$", page.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in found] == list(range(len(found)))
    assert found
    return [text.encode() for _, text in found]


@pytest.mark.parametrize(("page", "name", "kinds"), PAGES)
def test_the_table_of_kinds_names_every_kind_and_field(page, name: str, kinds: Kinds) -> None:
    told: dict[str, list[str]] = {}
    kind = ""
    for line in page.read_text().partition("| kind | field |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, field = (cell.strip().strip("`") for cell in line.split("|")[1:3])
        kind = first or kind
        told.setdefault(kind, []).extend([field] if field else [])
    assert told == {kind: [field for field, _ in rules] for kind, rules in kinds.items()}


@pytest.mark.parametrize(("page", "name", "kinds"), PAGES)
def test_the_example_is_what_is_written_and_read(page, name: str, kinds: Kinds) -> None:
    previous = bytes(32)
    for n, data in enumerate(example(page, name)):
        entry = decode_entry(data, n, previous, kinds)
        assert isinstance(entry, LogEntry)
        again = encode_entry(
            (entry.kind, dict(entry.fields)),
            n=n,
            previous=previous,
            write=entry.write,
            time=entry.time,
            by=entry.by,
            kinds=kinds,
        )
        assert again == data
        previous = RawEntry.of(n, data).digest


def test_the_example_log_comes_to_what_the_page_says() -> None:
    state = CollectionState("p", "c")
    sizes = []
    for n, data in enumerate(example(LOG, "log")):
        state = state.apply(RawEntry.of(n, data))
        sizes.append(len(data))
    assert state.warnings == ()
    assert state.versions[0].tags == ("two words",)
    assert state.versions[0].deleted is not None
    for size in sizes[:2]:
        assert f"the {size} bytes" in LOG.read_text()


def test_the_example_rollup_has_the_bytes_that_the_page_shows() -> None:
    data = b"".join(encode_rollup(1, [b"{}"] * 64))
    assert f"has {len(data)} bytes" in LOG.read_text()
    shown = dict(re.findall(r"^(first|last) \d+ +([0-9a-f ]+)$", LOG.read_text(), re.MULTILINE))
    assert data.startswith(bytes.fromhex(shown["first"]))
    assert data.endswith(bytes.fromhex(shown["last"]))
    assert (len(bytes.fromhex(shown["first"])), len(bytes.fromhex(shown["last"]))) == (24, 12)

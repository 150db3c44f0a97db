"""What a recorder has written, as tests look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artstore.runs import history
from artstore.runs.rowblocks import decode_rows, values_of
from artstore.tracking.journal import JournalReader, JournalWriter
from artstore.tracking.recorder import Recorder


@contextmanager
def recording(directory: Path, **options: Any) -> Iterator[Recorder]:
    recorder = Recorder(JournalWriter(directory), **options)
    try:
        yield recorder
    finally:
        recorder.close()


def blocks(directory: Path) -> list[tuple[str, bytes]]:
    reader = JournalReader(directory / "journal.log")
    found = [(kind, payload) for _, kind, payload in reader.blocks()]
    assert reader.damage is None
    return found


def items(directory: Path) -> list[tuple[str, Any]]:
    """All blocks in order; of rows the steps and values."""
    return [(kind, _value(kind, payload)) for kind, payload in blocks(directory)]


def table(directory: Path) -> Any:
    return history.build(payload for kind, payload in blocks(directory) if kind == "rows")


def rows(directory: Path) -> list[dict[str, Any]]:
    """Rows of the history without their times."""
    found = history.rows_of(table(directory))
    return [{key: one for key, one in row.items() if key != "_timestamp"} for row in found]


def _value(kind: str, payload: bytes) -> Any:
    if kind not in ("rows", "system"):
        return json.loads(payload)
    block = decode_rows(payload)
    columns = values_of(block)
    return [dict(zip(block.keys, values, strict=True)) for values in zip(*columns, strict=True)]

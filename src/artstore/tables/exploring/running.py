"""
Queries of the engine, each on a connection of its own, so that none waits for another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from artstore.errors import ArtstoreError
from artstore.tables.engine import engine, query_failure, told_errors
from artstore.tables.enginelimits import check_memory
from artstore.tables.exploring.tickets import current_ticket

__all__ = ["Relation", "fetched", "fetching"]

_PART_ROWS: Final = 65_536
"""How many rows of a result come together: what they take is only known when they are there."""


@dataclass(frozen=True, slots=True)
class Relation:
    """
    Rows that a query reads.

    Attributes:
        sql: a SELECT of ours, without anything that a user wrote.
        views: of the engine that it reads.
        registered: Arrow tables that it reads, by name.
    """

    sql: str
    views: tuple[str, ...] = ()
    registered: Mapping[str, Any] = field(default_factory=dict)


def fetched(sql: str, relations: Sequence[Relation]) -> Any:
    """
    The result of a query, as a `pyarrow.Table`.

    Args:
        relations: all that it reads.
    Raises:
        InvalidInputError: `query-failed`.
        StateError: `query-cancelled`.
        LimitExceededError: `query-too-long`, `query-too-large`.
    """
    parts, size_bytes = [], 0
    with fetching(sql, relations) as reader:
        for part in reader:
            parts.append(part)
            size_bytes += part.nbytes
            check_memory(size_bytes)
        return pa.Table.from_batches(parts, reader.schema)


@contextmanager
def fetching(sql: str, relations: Sequence[Relation]) -> Iterator[Any]:
    """
    The result of a query as a `pyarrow.RecordBatchReader`, for the block; it runs meanwhile.

    Raises:
        As `fetched`, also while it is read within the block.
    """
    ticket = current_ticket()
    views = [view for relation in relations for view in relation.views]
    with engine().cursor(views) as cursor:
        for relation in relations:
            for name, data in relation.registered.items():
                cursor.register(name, data)
        with ticket.running(cursor.interrupt):
            try:
                with told_errors():
                    yield cursor.execute(sql).to_arrow_reader(_PART_ROWS)
            except (ArtstoreError, RuntimeError, OSError, pa.ArrowException) as error:
                failure = ticket.failure()
                if failure is not None:
                    raise failure from error
                if isinstance(error, (ArtstoreError, RuntimeError)):
                    raise
                # What goes wrong while rows come has lost its class on the way through Arrow.
                raise query_failure(error) from error

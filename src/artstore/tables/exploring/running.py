"""
Queries of the engine, each on a connection of its own, so that none waits for another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from artstore.errors import InvalidInputError
from artstore.tables.engine import engine, told_errors
from artstore.tables.exploring.tickets import current_ticket

__all__ = ["Relation", "fetched"]


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
        LimitExceededError: `query-too-long`.
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
                    return cursor.execute(sql).to_arrow_table()
            except (InvalidInputError, RuntimeError) as error:
                failure = ticket.failure()
                if failure is not None:
                    raise failure from error
                raise

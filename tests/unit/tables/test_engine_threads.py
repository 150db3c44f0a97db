"""Queries of a table from several threads, and while another one is read: no row is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import ibis
import pyarrow as pa

from artstore.tables.table import Table

ROWS = 300_000


def numbers() -> Table:
    return Table(data={"id": list(range(ROWS)), "even": [n % 2 == 0 for n in range(ROWS)]})


def test_threads_get_the_rows_that_they_asked_for() -> None:
    table = numbers()

    def ask(number: int) -> int:
        query = table.query()
        chosen = query.filter(query["id"] < 1000 * number)
        if number % 2:
            return int(chosen.to_pyarrow().num_rows)
        return sum(batch.num_rows for batch in chosen.to_pyarrow_batches(chunk_size=3000))

    wanted = list(range(1, 41))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, wanted)) == [1000 * number for number in wanted]


def test_a_stream_goes_on_while_others_ask() -> None:
    query = numbers().query()
    found = 0
    for batch in query.to_pyarrow_batches(chunk_size=10_000):
        found += batch.num_rows
        assert query.count().to_pyarrow().as_py() == ROWS
    assert found == ROWS


def test_two_streams_are_read_in_turn() -> None:
    query = numbers().query()
    pairs = zip(
        query.to_pyarrow_batches(chunk_size=50_000),
        query.filter(query["even"]).to_pyarrow_batches(chunk_size=25_000),
        strict=True,
    )
    counts = [(one.num_rows, other.num_rows) for one, other in pairs]
    assert tuple(map(sum, zip(*counts, strict=True))) == (ROWS, ROWS // 2)


def test_a_stream_outlives_the_table_and_the_expression() -> None:
    batches = numbers().query().to_pyarrow_batches(chunk_size=10_000)
    first = batches.read_next_batch().num_rows
    for _ in range(40):
        Table(data={"x": [1]}).query().count().to_pyarrow()
    assert first + sum(batch.num_rows for batch in batches) == ROWS


def test_a_stream_joins_what_is_in_memory() -> None:
    query = numbers().query()
    some = ibis.memtable(pa.table({"id": [3, 5]}))
    found = query.join(some, "id").to_pyarrow_batches().read_all()
    assert sorted(found["id"].to_pylist()) == [3, 5]


def test_a_stream_that_is_left_alone_does_no_harm() -> None:
    query = numbers().query()
    batches = query.to_pyarrow_batches(chunk_size=1000)
    batches.read_next_batch()
    del batches
    assert query.count().to_pyarrow().as_py() == ROWS

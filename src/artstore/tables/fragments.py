"""
Fragments: rows as plain Parquet files, which any engine reads without us.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from artstore import canonical
from artstore.digest import digest_of
from artstore.errors import DamagedDataError
from artstore.packs.locator import PUSH_ID_BYTES
from artstore.tables.pagecodecs import page_codecs
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.types import Plain

__all__ = [
    "Fragment",
    "fragment_key",
    "parquet_buffers",
    "parquet_rows",
    "read_fragment",
    "write_fragment",
]

_GROUP_BYTES: Final = 64 << 20
_SCHEMA_KEY: Final = b"artstore.columns"


@dataclass(frozen=True, slots=True)
class Fragment:
    """
    One Parquet file of a store.

    Attributes:
        digest: of its bytes.
        push: the push that made it.
        columns: which of the table's stored schemas it has.
    """

    digest: bytes
    push: bytes
    size_bytes: int
    row_count: int
    columns: int

    @property
    def key(self) -> str:
        """Where it lies."""
        return fragment_key(self.digest, self.push)


def fragment_key(digest: bytes, push: bytes) -> str:
    """The key of a fragment in a store."""
    assert len(push) == PUSH_ID_BYTES
    name = digest.hex()
    return f"fragments/{name[:2]}/{name}-{push.hex()}.parquet"


def write_fragment(parts: Sequence[Rows], schema: Schema) -> tuple[bytes, bytes]:
    """
    Rows as the bytes of a Parquet file, and their digest.

    Cost: 1 s for about 150 MB of numbers; releases the GIL.
    """
    converted = [part.converted(schema) for part in parts]
    sink = pa.BufferOutputStream()
    whole = pa.concat_tables([part.to_arrow() for part in converted])
    with _writer(sink, schema, whole, converted) as writer:
        _write_group(writer, whole)
    data = sink.getvalue().to_pybytes()
    return data, digest_of(data)


def parquet_buffers(schema: Schema, parts: Iterable[Rows]) -> Iterator[bytes]:
    """
    Rows as the bytes of one Parquet file, piece by piece; a row group for about 64 MiB.

    Args:
        parts: rows under `schema`.
    """
    sink = _Pieces()
    groups = _groups(schema, parts)
    first = next(groups)
    with _writer(sink, schema, first, None) as writer:
        for group in itertools.chain((first,), groups):
            _write_group(writer, group)
            yield from sink.taken()
    yield from sink.taken()


def _groups(schema: Schema, parts: Iterable[Rows]) -> Iterator[Any]:
    """What each row group is made of; one without rows if there are none."""
    waiting: list[Any] = [schema.to_arrow().empty_table()]
    size_bytes, is_first = 0, True
    for part in parts:
        waiting.append(part.to_arrow())
        size_bytes += waiting[-1].nbytes
        if size_bytes >= _GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting, size_bytes, is_first = [], 0, False
    if waiting and (is_first or size_bytes):
        yield pa.concat_tables(waiting)


class _Pieces:
    """A file that gives away what is written to it."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def taken(self) -> list[bytes]:
        """What was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def flush(self) -> None:
        """Nothing waits."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _writer(sink: Any, schema: Schema, first: Any, parts: Sequence[Rows] | None) -> Any:
    """
    A writer of Parquet.

    Args:
        first: the first row group.
        parts: all rows that will be written, if they are known.
    """
    codecs = page_codecs(first)
    told = [
        name
        for at, (name, kind) in enumerate(zip(schema.names, schema.types, strict=True))
        if isinstance(kind, Plain) and not _may_hide_nan(kind, at, parts)
    ]
    return pq.ParquetWriter(
        sink,
        _described(schema),
        compression="zstd",
        compression_level=1,
        use_dictionary=codecs.dictionaries or False,
        column_encoding=codecs.encodings or None,
        write_statistics=told or False,
    )


def _may_hide_nan(kind: Plain, at: int, parts: Sequence[Rows] | None) -> bool:
    """
    Whether the least and the greatest number of a column say less than they seem to.

    pyarrow leaves NaN out of them; engines for which NaN is the greatest number skip
    what holds it then, and miss rows (duckdb#25521).
    """
    if not kind.name.startswith("float"):
        return False
    if parts is None or kind.name == "float16":
        # Arrow 17 does not find NaN among numbers of 16 bits.
        return True
    return any(pc.any(pc.is_nan(part.arrays[at])).as_py() for part in parts)


def _write_group(writer: Any, group: Any) -> None:
    whole = group.replace_schema_metadata(writer.schema.metadata)
    writer.write_table(whole, row_group_size=max(whole.num_rows, 1))


def _described(schema: Schema) -> Any:
    """The Arrow schema of a file, which says the types of the columns in our words, too."""
    types = canonical.encode(schema.to_json(), what="columns")
    return schema.to_arrow().with_metadata({_SCHEMA_KEY: types})


def read_fragment(
    data: Any, schema: Schema, *, where: str, columns: Sequence[str] | None = None
) -> Rows:
    """
    The rows of a fragment.

    Args:
        data: its bytes, verified, or an open file of them.
        schema: that it was written with.
        columns: which to read; all if left out.
    Raises:
        DamagedDataError: `fragment-damaged`.
    """
    try:
        source = pa.BufferReader(_owned(data)) if isinstance(data, (bytes, pa.Buffer)) else data
        with pq.ParquetFile(source) as file:
            table = file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(where, str(error)) from error
    wanted = schema.only(columns)
    expected = wanted.to_arrow()
    if not table.schema.equals(expected, check_metadata=False):
        raise _damaged(where, f"its columns are {table.schema}, not {expected}")
    arrays = tuple(_one_array(column) for column in table.columns)
    return Rows(wanted, arrays, table.num_rows)


def parquet_rows(location: str, schema: Schema) -> Iterator[Rows]:
    """
    The rows of a Parquet file with just these columns, in portions.

    Raises:
        DamagedDataError: `fragment-damaged`; it may have been changed by anybody.
    """
    expected = schema.to_arrow()
    try:
        with pq.ParquetFile(location) as file:
            if not file.schema_arrow.equals(expected, check_metadata=False):
                raise _damaged(location, f"its columns are {file.schema_arrow}, not {expected}")
            for batch in file.iter_batches(65_536):
                yield Rows(schema, tuple(batch.columns), batch.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(location, str(error)) from error


def _owned(data: Any) -> Any:
    """
    Bytes as memory of Arrow.

    A thread of Arrow may be the last to let go of it. For memory of Python it would need the
    lock of the interpreter, and where that is ending the process is aborted.
    """
    if isinstance(data, pa.Buffer):
        return data
    owned = pa.allocate_buffer(len(data))
    pa.FixedSizeBufferWriter(owned).write(data)
    return owned


def _one_array(column: Any) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="fragment-damaged", where=where, found=found
    )

"""
Tables as datasets of torch: a row by its number, for a DataLoader.

    loader = DataLoader(table.to_torch(["image", "label"]), batch_size=64, num_workers=4)
    for batch in loader:
        batch["__key__"], batch["image"], batch["label"]

Every row is a dict of the columns that were asked for and `__key__`: the cell of the
primary key (a tuple of several), or the number of the row. Images are tensors, `uint8`
[channel, height, width], with the channels of the file (1, 3 or 4; `int32` for 16 bits);
arrays are tensors; all else is what `table.rows` gives. A DataLoader stacks images of one
size; for others give a `transform`.

Workers may be forked or spawned. To a spawned one a table of a store travels as its
description; a table that was never logged with all its rows and images.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor, from_numpy
from torch.utils.data import Dataset

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.media.content import BytesContent, MediaFile
from artstore.media.image import Image
from artstore.tables.building import BuiltTable
from artstore.tables.content import TableContent
from artstore.tables.home import TableHome
from artstore.tables.intake import RowIntake
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.pythoncells import python_cells
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.table import Table
from artstore.tables.tablefile import TableFile
from artstore.tables.types import Array, ColumnType

__all__ = ["KEY", "TableDataset"]

KEY: Final = "__key__"
_WINDOW_ROWS: Final = 256
_WINDOWS: Final = 8
"""Read in one go, and kept: with several workers, neighbours go to several of them."""
_IMAGES: Final = ("tensor", "pil", "image")


class TableDataset(Dataset[Any]):
    """
    The rows of a table, a joined or a partitioned one, in their order.

    Args:
        reader: the rows; those that are added to it later are there later.
        columns: which to give, in this order; all if left out.
        transform: gets each row, and gives what the dataset gives. To be sent to a
            spawned worker it must be a function of a module.
        images: `tensor`; `pil`, a `PIL.Image.Image`; `image`, the value with its boxes
            and masks.
    Raises:
        InvalidInputError: `column-unknown`, `value-invalid`.
    Cost: rows are read 256 at a time, and of fragments only these columns. An image is
        fetched and decoded when its row is asked for.
    """

    def __init__(
        self,
        reader: RowReader,
        columns: Sequence[str] | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        *,
        images: str = "tensor",
    ) -> None:
        if images not in _IMAGES:
            raise InvalidInputError(
                f"images is one of {', '.join(_IMAGES)}, not {images!r}", code="value-invalid"
            )
        for name in columns or ():
            reader.check_column(name)
        self.transform = transform
        self._reader = reader
        self._columns = list(reader.columns if columns is None else columns)
        self._images = images
        self._key = _key_of(reader)
        self._generation = forks.generation()
        self._windows: OrderedDict[int, Rows] = OrderedDict()

    @property
    def columns(self) -> list[str]:
        """The columns that rows have, beside `__key__`."""
        return list(self._columns)

    def __len__(self) -> int:
        return self._here().row_count

    def __getitem__(self, index: int) -> Any:
        count = len(self)
        at = index + count if index < 0 else index
        if not 0 <= at < count:
            raise IndexError(f"row {index} of {count}")
        return self._row(int(at))

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several rows: each window is read once, in whatever order they are asked for."""
        found = {index: self[index] for index in sorted(set(indices))}
        return [found[index] for index in indices]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        del state["_windows"], state["_generation"]
        return {**state, "_reader": _packed(self._here())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reader = state["_reader"].unpacked()
        self._generation = forks.generation()
        self._windows = OrderedDict()

    def _here(self) -> RowReader:
        """The rows, for this process: what DuckDB joined in the parent is not there in a child."""
        if self._generation != forks.generation():
            self._reader = _in_child(self._reader)
            self._generation = forks.generation()
            self._windows = OrderedDict()
        return self._reader

    def _row(self, at: int) -> Any:
        first = at - at % _WINDOW_ROWS
        rows = self._windows.get(first)
        if rows is None or at - first >= rows.row_count:
            names = list(dict.fromkeys((*self._columns, *self._key)))
            rows = self._reader.read_rows(first, first + _WINDOW_ROWS, names)
            self._windows[first] = rows
            while len(self._windows) > _WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(first)
        cells = {
            name: self._cell(name, kind, array.slice(at - first, 1))
            for name, kind, array in zip(
                rows.schema.names, rows.schema.types, rows.arrays, strict=True
            )
        }
        key: Any = at
        if self._key:
            key = tuple(cells[name] for name in self._key)
            key = key[0] if len(key) == 1 else key
        # A column of that name is what was asked for.
        row = {KEY: key, **{name: cells[name] for name in self._columns}}
        return row if self.transform is None else self.transform(row)

    def _cell(self, name: str, kind: ColumnType, array: Any) -> Any:
        (cell,) = python_cells(kind, array, self._reader.opener_of(name))
        if isinstance(cell, Image):
            if self._images == "image":
                return cell
            return cell.to_pil() if self._images == "pil" else _image_tensor(cell)
        return from_numpy(cell) if isinstance(kind, Array) and cell is not None else cell

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._reader!r}>"


def _image_tensor(image: Image) -> Tensor:
    """Pixels as torch has them: channels first."""
    pixels = image.to_numpy()
    if pixels.dtype != "uint8":
        # Of uint16 torch knows little: it cannot even be compared.
        pixels = pixels.astype("int32")
    tensor = from_numpy(pixels)
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1).contiguous()


def _key_of(reader: RowReader) -> tuple[str, ...]:
    key = reader.keys.get("primary_key", ()) if isinstance(reader, Table) else ()
    return tuple(key) if set(key) <= set(reader.columns) else ()


def _in_child(reader: RowReader) -> RowReader:
    if isinstance(reader, JoinedTable):
        return JoinedTable(reader.left, reader.right, list(reader.on), how=reader.how)
    return reader


# to another process ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PackedStored:
    """A table of a store: its description, and where it is."""

    stored: TableFile
    home: TableHome

    def unpacked(self) -> Table:
        return Table.from_stored(self.stored, self.home)


@dataclass(frozen=True, slots=True)
class _PackedMade:
    """A table that no store has: its rows, and the files of its cells."""

    built: BuiltTable
    home: TableHome | None
    files: tuple[MediaFile, ...]

    def unpacked(self) -> Table:
        paths = None if self.home is None else self.home.fragment_paths
        intake = RowIntake(Schema.of_names(self.built.schema.names))
        intake.media.add(self.files)
        for rows in TableContent.built(self.built, paths).rows():
            intake.add_rows(rows)
        return Table.of_intake(intake)


@dataclass(frozen=True, slots=True)
class _PackedJoin:
    """A joined table: both tables, and how they are joined."""

    left: _PackedTable
    right: _PackedTable
    on: tuple[tuple[str, str], ...]
    how: str

    def unpacked(self) -> JoinedTable:
        return JoinedTable(self.left.unpacked(), self.right.unpacked(), list(self.on), how=self.how)


@dataclass(frozen=True, slots=True)
class _PackedParts:
    """A partitioned table: its parts."""

    parts_path: str
    parts: tuple[_PackedTable, ...]

    def unpacked(self) -> PartitionedTable:
        return PartitionedTable(self.parts_path, [part.unpacked() for part in self.parts])


_PackedTable = _PackedStored | _PackedMade


def _packed(reader: RowReader) -> _PackedTable | _PackedJoin | _PackedParts:
    if isinstance(reader, Table):
        return _packed_table(reader)
    if isinstance(reader, JoinedTable):
        sides = _packed_table(reader.left), _packed_table(reader.right)
        return _PackedJoin(*sides, reader.on, reader.how)
    assert isinstance(reader, PartitionedTable)
    return _PackedParts(reader.parts_path, tuple(map(_packed_table, reader.parts)))


def _packed_table(table: Table) -> _PackedTable:
    stored, home = table.stored, table.home
    if stored is not None and home is not None:
        return _PackedStored(stored, home)
    files = []
    for file in table.media_files():
        content = file.content
        if type(content).__module__.startswith("artstore.tables."):
            # It waits in a temporary file of this process.
            content = BytesContent(content.read(), content.digest)
        files.append(MediaFile(file.path, content))
    return _PackedMade(table.built(), home, tuple(files))

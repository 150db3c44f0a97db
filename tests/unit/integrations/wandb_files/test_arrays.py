"""Columns of arrays, which lie in npz files: read row by row, and never unpickled."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import ArtstoreError, DamagedDataError, LimitExceededError
from artstore.integrations.wandb_files import arrays
from artstore.integrations.wandb_files.directory import WandbDirectory
from tests.unit.integrations.wandb_files.writing import NUMBER, Written, optional

NPZ = "media/serialized_data/5a.npz"
VALUES = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


def table(written: Written, values: np.ndarray = VALUES, **options) -> list[list]:
    types = {"id": NUMBER} | written.arrays("5a", m=values)
    if options.pop("may_be_empty", False):
        types["m"] = optional(types["m"])
    written.table("t.table.json", types, [[number, None] for number in range(len(values))])
    return list(WandbDirectory(written.root).table("t.table.json").rows())


def rewritten(written: Written, data: bytes) -> DamagedDataError:
    """What is raised when the file of the arrays holds something else."""
    table(written)
    written.file(NPZ, data)
    directory = WandbDirectory(written.root)
    with pytest.raises(DamagedDataError) as caught:
        list(directory.table("t.table.json").rows())
    assert caught.value.code == "wandb-file-damaged"
    assert NPZ in str(caught.value)
    return caught.value


def archive(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return buffer.getvalue()


def npy(header: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize("may_be_empty", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        np.arange(4, dtype=">i2").reshape(4, 1),
        np.arange(4 * 200, dtype=np.float64).reshape(4, 200),
        np.zeros((4, 2, 2, 2), bool),
        np.array([1 + 2j, 3]),
        np.zeros((3, 0, 2)),
        np.array(["a", "bcd"]).reshape(2, 1),
        np.zeros((0, 3)),
    ],
)
def test_each_row_has_its_array(written, values, may_be_empty) -> None:
    rows = table(written, values, may_be_empty=may_be_empty)
    assert len(rows) == len(values)
    for number, row in enumerate(rows):
        assert row[0] == number
        assert isinstance(row[1], np.ndarray)
        assert row[1].dtype == values.dtype
        assert row[1].shape == values.shape[1:]
        assert np.array_equal(row[1], values[number])
        assert row[1].flags.writeable


def test_several_columns_lie_in_one_file(written) -> None:
    types = written.arrays("5a", a=VALUES, b=VALUES[:, 0] * 2)
    written.table("t.table.json", types, [[None, None]] * 4)
    for number, row in enumerate(WandbDirectory(written.root).table("t.table.json").rows()):
        assert np.array_equal(row[0], VALUES[number])
        assert np.array_equal(row[1], VALUES[number, 0] * 2)


def test_iterating_may_stop_anywhere(written) -> None:
    table(written)
    rows = WandbDirectory(written.root).table("t.table.json").rows()
    next(rows)
    rows.close()


def test_pickled_values_are_never_read(written) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, m=np.array([[1], [None], [{}], ["x"]], dtype=object))
    assert "pickled" in str(rewritten(written, buffer.getvalue()))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 9999999999, 99999)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, -2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, 2)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 2, 3)}",
        "{'descr': '|S0', 'fortran_order': False, 'shape': (4, 2, 3)}",
        "{'descr': '|V', 'fortran_order': False, 'shape': (4, 2, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4, 2, 3)}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 'abc'}",
        "{'descr': '<f4'}",
        "__import__('os').system('true')",
        "{" * 4000,
        "",
    ],
)
def test_what_a_header_claims_has_to_agree_with_the_table(written, header) -> None:
    rewritten(written, archive("m.npy", npy(header, VALUES.tobytes())))


def test_a_row_has_a_limit_that_is_told_before_anything_is_read(written, monkeypatch) -> None:
    table(written)
    monkeypatch.setattr(arrays, "ROW_MAX_BYTES", 20)
    with pytest.raises(LimitExceededError) as caught:
        list(WandbDirectory(written.root).table("t.table.json").rows())
    assert caught.value.code == "limit-exceeded"


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2, 3)}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip file",
        archive("other.npy", npy(GOOD, VALUES.tobytes())),
        archive("m.npy", b""),
        archive("m.npy", npy(GOOD, VALUES.tobytes()[:-1])),
        archive("m.npy", npy(GOOD, VALUES.tobytes() + b"x")),
        archive("m.npy", npy(GOOD, VALUES.tobytes(), version=b"\x03\x00")),
        archive("m.npy", npy(GOOD, VALUES.tobytes()))[:-30],
    ],
)
def test_what_is_no_npz_file_is_told(written, data) -> None:
    rewritten(written, data)


def test_a_flipped_bit_is_found(written) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, m=VALUES)
    data = buffer.getvalue()
    at = data.index(VALUES.tobytes()) + 90
    rewritten(written, data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])


@given(data=st.binary(max_size=300), at=st.integers(0, 400))
def test_any_bytes_are_read_or_told(tmp_path_factory, data, at) -> None:
    written = Written(tmp_path_factory.mktemp("any"))
    table(written)
    good = (written.root / NPZ).read_bytes()
    written.file(NPZ, good[:at] + data + good[at + len(data) :])
    try:
        rows = list(WandbDirectory(written.root).table("t.table.json").rows())
    except ArtstoreError as error:
        assert error.code in ("wandb-file-damaged", "limit-exceeded")
    else:
        assert all(np.array_equal(row[1], VALUES[row[0]]) for row in rows)


@pytest.mark.parametrize(
    "place",
    [5, {}, {"path": NPZ}, {"path": 5, "key": "m"}, {"path": NPZ, "key": None}],
)
def test_a_place_that_is_none_is_told(written, place) -> None:
    kind = written.arrays("5a", m=VALUES)["m"]
    kind["params"]["serialization_path"] = place
    written.table("t.table.json", {"m": kind}, [[None]] * 4)
    with pytest.raises(DamagedDataError, match="where its arrays lie"):
        list(WandbDirectory(written.root).table("t.table.json").rows())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret.npz", "wandb-path-refused"),
        ("/etc/passwd", "wandb-path-refused"),
        ("media/none.npz", "wandb-file-missing"),
    ],
)
def test_a_place_elsewhere_is_refused(written, path, code) -> None:
    kind = written.arrays("5a", m=VALUES)["m"]
    kind["params"]["serialization_path"]["path"] = path
    written.table("t.table.json", {"m": kind}, [[None]] * 4)
    with pytest.raises(ArtstoreError) as caught:
        list(WandbDirectory(written.root).table("t.table.json").rows())
    assert caught.value.code == code

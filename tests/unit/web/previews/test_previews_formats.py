"""Previews of archives, arrays, models, Parquet files, images and media: nothing of them is run."""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artstore.tables.parquetpreview import preview_parquet
from artstore.web.previews.pickled import read_pickle
from artstore.web.previews.registry import preview_of
from tests.unit.web.previewsources import MemorySource, previewed

SECONDS = 3.0
"""Of the processor: what else the machine does is not counted."""


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def png(width: int, height: int, colour: Any = (1, 2, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "png")
    return buffer.getvalue()


# zip -------------------------------------------------------------------------------------


def test_a_zip_is_listed_and_not_unpacked() -> None:
    data = zipped({"a/b.txt": b"x" * 1000, "<script>\u202e": b""})
    source = MemorySource("x.zip", data)
    grid = preview_of(source).grid
    assert grid is not None
    assert [row[0] for row in grid.rows] == ["a/b.txt", "<script>\\u202e"]
    assert grid.rows[0][1] == "1.0 kB"


def test_a_zip_bomb_is_listed_at_once() -> None:
    data = zipped({f"{number}": b"\0" * 20_000_000 for number in range(3)})
    began = time.process_time()
    shown = previewed("bomb.zip", data)
    assert time.process_time() - began < SECONDS
    assert dict(shown.facts)["unpacked"] == "60.0 MB"


def test_a_zip_with_a_directory_without_end_is_refused_before_it_is_read() -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 100_000_000, 0, 0)
    source = MemorySource("x.zip", b"PK\3\4" + b"\0" * 100_000_000 + end)
    shown = preview_of(source)
    assert shown.kind == "binary"
    assert "Not shown as zip" in shown.note
    assert source.read_bytes < 1_000_000


def test_a_cut_zip_is_told_to_be_damaged() -> None:
    shown = previewed("x.zip", zipped({"a": b"x"})[:-10])
    assert "not a zip archive that can be read" in shown.note


# NumPy -----------------------------------------------------------------------------------


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_an_array_is_told_by_its_header() -> None:
    source = MemorySource("x.npy", npy(np.zeros((3000, 400), dtype=np.float32)))
    shown = preview_of(source)
    assert dict(shown.facts) == {
        "dtype": "<f4",
        "shape": "3000 x 400",
        "numbers": "1,200,000",
        "order": "C",
    }
    assert source.read_bytes < 100_000


def test_arrays_in_an_archive_are_told_each() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(6).reshape(2, 3), b=np.float64(3))
    grid = previewed("x.npz", buffer.getvalue()).grid
    assert grid is not None
    assert grid.rows == (("a.npy", "<i8", "2 x 3", "6"), ("b.npy", "<f8", "one number", "1"))


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': __import__('os').system('false'), 'shape': (), 'fortran_order': False}",
        b"(" * 5000,
        b"{'descr': '<f4', 'shape': (" + b"9" * 4000 + b",), 'fortran_order': False}",
        b"{'descr': '<f4', 'shape': 3, 'fortran_order': False}",
        b"[]",
    ],
)
def test_a_hostile_header_of_an_array_runs_nothing(header: bytes) -> None:
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    json.dumps(previewed("x.npy", data).to_json())


# safetensors -----------------------------------------------------------------------------


def safetensors(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


def test_tensors_are_listed_with_type_and_shape() -> None:
    header = {
        "__metadata__": {"format": "pt", "<b>": "\u202e"},
        "layer.weight": {"dtype": "BF16", "shape": [128, 64], "data_offsets": [0, 16384]},
        "bias": {"dtype": "F32", "shape": [], "data_offsets": [16384, 16388]},
    }
    shown = previewed("m.safetensors", safetensors(json.dumps(header).encode()) + bytes(16388))
    assert shown.grid is not None
    assert shown.grid.rows[0] == ("layer.weight", "BF16", "128 x 64", "16.4 kB")
    assert ("numbers", "8,193") in shown.facts
    assert ("<b>", "\\u202e") in shown.facts


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9])
def test_a_header_that_would_be_longer_than_the_file_is_refused(length: int) -> None:
    source = MemorySource("m.safetensors", safetensors(b"{}", length))
    assert "its header would have" in preview_of(source).note


def test_a_header_that_is_too_long_is_not_read() -> None:
    source = MemorySource("m.safetensors", safetensors(b"{}", 50_000_000), 100_000_000)
    assert "a preview reads" in preview_of(source).note
    assert source.read_bytes < 100_000


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"[]",
        b'{"a": 1}',
        b'{"a": {"shape": [-1, "x", 1e400], "data_offsets": [5]}}',
        b'{"a": {"shape": [' + b"9" * 4000 + b"]}}",
        b'{"a": {"shape": [' + b"9223372036854775807," * 9000 + b"1]}}",
        b'{"a": {"shape": [true], "dtype": {"x": ["\\ud800"]}, "data_offsets": [9, 1]}}',
    ],
)
def test_a_hostile_header_of_tensors_is_shown_or_refused(header: bytes) -> None:
    json.dumps(previewed("m.safetensors", safetensors(header)).to_json()).encode("utf-8")


# models and pickles ----------------------------------------------------------------------


class Malicious:
    """What runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("is_zip", [False, True])
def test_a_malicious_model_is_looked_at_and_not_run(
    tmp_path: Path, protocol: int, is_zip: bool
) -> None:
    trace = tmp_path / "trace"
    evil = pickle.dumps({"weight": Malicious(f"touch {trace}")}, protocol)
    data = zipped({"model/data.pkl": evil, "model/version": b"3"}) if is_zip else evil
    shown = previewed("model.pt" if is_zip else "model.pkl", data)
    assert not trace.exists()
    assert shown.kind == ("torch" if is_zip else "pickle")
    assert dict(shown.facts)["loading it would import"] == "posix.system"
    pickle.loads(evil)
    assert trace.exists()


def test_a_model_is_told_by_its_tensors() -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    buffer = io.BytesIO()
    state = {"model": model.state_dict(), "half": torch.zeros(2, dtype=torch.float16), "step": 7}
    torch.save(state, buffer)
    shown = previewed("model.pth", buffer.getvalue())
    assert shown.kind == "torch"
    assert shown.grid is not None
    assert shown.grid.rows[0] == ("model.0.weight", "float", "3 x 4")
    assert ("half", "half", "2") in shown.grid.rows
    assert ("model.1.num_batches_tracked", "long", "one number") in shown.grid.rows
    assert not shown.is_cut


def test_a_whole_module_is_told_by_its_parameters() -> None:
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 3)), buffer)
    shown = previewed("model.bin", buffer.getvalue())
    assert shown.grid is not None
    assert {row[2] for row in shown.grid.rows} == {"3 x 4", "3"}
    assert "torch.nn.modules.linear.Linear" in dict(shown.facts)["loading it would import"]


def test_a_pickle_of_shared_lists_is_not_unfolded() -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value] * 10
    began = time.process_time()
    previewed("x.pkl", pickle.dumps(value))
    assert time.process_time() - began < SECONDS


def test_a_pickle_of_a_million_opcodes_is_read_in_part() -> None:
    began = time.process_time()
    reading = read_pickle(b"\x80\x04" + b"]" * 2_000_000 + b".")
    assert time.process_time() - began < SECONDS
    assert not reading.is_whole


@given(st.binary(max_size=400))
def test_any_bytes_as_a_pickle_are_only_read(data: bytes) -> None:
    read_pickle(b"\x80\x04" + data)


# Parquet ---------------------------------------------------------------------------------


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_a_parquet_file_is_told_by_schema_and_first_rows() -> None:
    table = pa.table(
        {
            "id": range(1000),
            "<b>": [None, "\u202e"] * 500,
            "list": [list(range(number % 3)) for number in range(1000)],
            "struct": [{"a": number} for number in range(1000)],
            "bytes": [bytes(1000)] * 1000,
        }
    )
    shown = previewed("x.parquet", parquet(table))
    assert shown.grid is not None
    assert shown.grid.columns[:3] == ("id (int64)", "<b> (string)", "list (list<element: int64>)")
    assert len(shown.grid.rows) == 50
    assert shown.grid.rows[2] == (
        "2",
        "",
        "[0, 1]",
        "{'a': 2}",
        "1,000 bytes: " + "00 " * 15 + "00",
    )
    assert shown.grid.rows[1][1] == "\\u202e"
    assert ("rows", "1,000") in shown.facts


def test_of_a_large_parquet_file_little_is_read() -> None:
    numbers = np.random.default_rng(0).random(1_000_000)
    source = MemorySource("x.parquet", parquet(pa.table({"x": numbers})))
    assert preview_of(source).kind == "parquet"
    assert source.read_bytes < 4_000_000


def test_a_cell_of_ten_megabytes_is_cut() -> None:
    shown = previewed("x.parquet", parquet(pa.table({"x": ["y" * 10_000_000]})))
    assert len(json.dumps(shown.to_json())) < 10_000


def test_two_thousand_columns_are_cut() -> None:
    shown = previewed("x.parquet", parquet(pa.table({f"c{at}": [1] for at in range(2000)})))
    assert shown.grid is not None
    assert len(shown.grid.columns) == 50
    assert ("columns", "2,000") in shown.facts
    assert shown.is_cut


def test_a_damaged_parquet_file_is_told() -> None:
    data = bytearray(parquet(pa.table({"x": range(100)})))
    data[-200:-100] = b"\xff" * 100
    assert "not a Parquet file that can be read" in previewed("x.parquet", bytes(data)).note
    assert previewed("x.parquet", b"PAR1").kind in ("text", "binary")


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_parquet_file_with_a_wrong_byte_is_shown_or_refused(at: int, byte: int) -> None:
    data = bytearray(parquet(pa.table({"x": range(100), "y": ["a"] * 100})))
    data[at % len(data)] = byte
    json.dumps(previewed("x.parquet", bytes(data)).to_json())


def test_rows_of_the_same_name_twice_do_not_fail_a_parquet_file() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    found = preview_parquet(io.BytesIO(parquet(table)), "x.parquet")
    assert found.columns == (("x", "int64"), ("x", "int64"))
    assert found.rows == (("1", "2"),)


# images and media ------------------------------------------------------------------------


def test_an_image_is_told_by_its_header() -> None:
    shown = previewed("x.png", png(30, 20))
    assert shown.media == "image"
    assert shown.is_tiny
    assert not previewed("x.png", png(97, 20)).is_tiny
    assert dict(shown.facts) == {"format": "png", "mode": "RGB", "size": "30 x 20 pixels"}


def test_an_image_is_found_by_its_bytes() -> None:
    assert previewed("picture", png(3, 2)).kind == "image"


def test_a_picture_that_unpacks_to_gigabytes_is_not_decoded() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    )
    tracemalloc.start()
    try:
        shown = previewed("x.png", data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "Not shown as image" in shown.note
    assert peak < 10_000_000


def test_sound_and_video_are_played_by_the_browser() -> None:
    assert previewed("a.mp3", b"ID3").media == "audio"
    assert previewed("a.MP4", b"....ftyp").media == "video"


def test_html_is_shown_in_a_frame_only() -> None:
    shown = previewed("a.html", b"<script>alert(1)</script>")
    assert (shown.media, shown.html) == ("frame", None)


def test_class_sets_are_told_with_their_colours() -> None:
    value = {"_type": "classes", "class_set": [{"id": 14, "name": "<b>"}, {"id": "x", "name": "y"}]}
    grid = previewed("a.classes.json", json.dumps(value).encode()).grid
    assert grid is not None
    assert grid.rows == (("2", "14", "<b>"), ("0", "x", "y"))
    assert grid.swatch == 0


def test_a_media_value_leads_to_its_file() -> None:
    value = {
        "_type": "image-file",
        "path": "media/images/x.png",
        "width": 8,
        "caption": "<b>",
        "boxes": [{"layer": "truth", "boxes": [{}, {}]}],
        "masks": [{"layer": "sky"}],
    }
    shown = previewed("a.image-file.json", json.dumps(value).encode())
    assert (shown.media, shown.media_path) == ("image", "media/images/x.png")
    assert ("boxes", "truth (2)") in shown.facts
    assert ("masks", "sky") in shown.facts


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"_type": ["image-file"], "path": 5}',
        b"[" * 100_000,
        b'{"boxes": [1, null]}',
    ],
)
def test_hostile_descriptions_of_media_are_shown_as_what_they_are(data: bytes) -> None:
    for name in ("a.image-file.json", "a.classes.json"):
        json.dumps(previewed(name, data).to_json())

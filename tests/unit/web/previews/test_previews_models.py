"""ONNX and HDF5: what their heads say, and that hostile ones end."""

from __future__ import annotations

import json
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.previewsources import MemorySource, preview_of, previewed


def number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def told(place: int, value: int | bytes | str) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return number(place << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(place << 3 | 2) + number(len(data)) + data


def tensor(name: str, kind: int, *shape: int, size: int = 0, **more: bytes) -> bytes:
    sizes = told(1, b"".join(map(number, shape))) if shape else b""
    return sizes + told(2, kind) + told(8, name) + told(9, bytes(size)) + more.get("more", b"")


def value(name: str, kind: int, *shape: int | str) -> bytes:
    sizes = b"".join(told(1, told(1 if isinstance(one, int) else 2, one)) for one in shape)
    return told(1, name) + told(2, told(1, told(1, kind) + told(2, sizes)))


def model(graph: bytes, opset: bytes | None = None) -> bytes:
    sets = told(8, told(1, "") + told(2, 17)) if opset is None else opset
    head = told(1, 8) + told(2, "<b>torch</b>") + told(3, "2.1") + told(4, "org.example")
    return head + told(7, graph) + sets + told(14, told(1, "key") + told(2, "text"))


GRAPH = b"".join(
    (
        *(
            told(1, told(1, "x") + told(2, "y") + told(4, kind))
            for kind in ("Conv", "Relu", "Conv")
        ),
        told(2, "main_graph"),
        told(5, tensor("conv.weight", 1, 8, 3, 3, 3, size=100_000)),
        told(5, told(1, 4) + told(1, 2**64 - 1) + told(2, 16) + told(8, "odd")),
        told(5, tensor("far", 1, size=0, more=told(14, 1))),
        told(11, value("pixels", 1, "batch", 3, 224, 224)),
        told(12, value("scores", 10, "batch", 10)),
        told(12, told(1, "sequence") + told(2, told(4, b""))),
    )
)


def test_a_model_is_told_by_producer_operators_values_and_weights() -> None:
    source = MemorySource("m.onnx", model(GRAPH) + b"")
    shown = preview_of(source)
    assert (shown.kind, shown.note) == ("onnx", "Values of weights lie in other files.")
    assert dict(shown.facts) == {
        "IR version": "8",
        "producer": "<b>torch</b> 2.1",
        "graph": "main_graph",
        "operator sets": "ai.onnx 17",
        "nodes": "3",
        "operators": "Conv 2, Relu 1",
        "weights": "3",
    }
    assert shown.grid is not None
    assert shown.grid.rows == (
        ("input", "pixels", "float32", "batch x 3 x 224 x 224"),
        ("output", "scores", "float16", "batch x 10"),
        ("output", "sequence", "no tensor", ""),
        ("weight", "conv.weight", "float32", "8 x 3 x 3 x 3"),
        ("weight", "odd", "bfloat16", "4 x ?"),
        ("weight", "far", "float32", "one number"),
    )


def test_values_of_weights_are_not_read() -> None:
    weight = tensor("w", 1, 1000, size=40_000_000)
    source = MemorySource("m.onnx", model(told(5, weight) + told(11, value("x", 1, 2))))
    shown = preview_of(source)
    assert shown.kind == "onnx"
    assert shown.grid is not None
    assert [row[1] for row in shown.grid.rows] == ["x", "w"]
    assert source.read_bytes < 1_000_000


@pytest.mark.parametrize(
    "graph",
    [
        told(1, told(4, "A")) * 300_000,
        b"\x18\x00" * 5_000_000,
        told(5, tensor("w", 1, 2, size=70_000)) * 1_500,
        b"".join(told(1, told(4, f"made up {at}")) for at in range(50_000)),
    ],
)
def test_a_model_without_end_is_shown_by_its_beginning(graph: bytes) -> None:
    source = MemorySource("m.onnx", model(graph))
    began = time.process_time()
    shown = preview_of(source)
    assert shown.kind == "onnx"
    assert time.process_time() - began < 10
    assert len(json.dumps(shown.to_json())) < 200_000
    if shown.is_cut:
        assert "only its beginning" in shown.note


@pytest.mark.parametrize(
    "data",
    [
        b"text, and nothing else",
        model(GRAPH)[:-10],
        model(GRAPH, opset=b""),
        told(7, 5),
        b"\xff" * 100,
        number(7 << 3 | 2) + number(2**63) + b"x",
        b"\x3b" + told(7, b""),
        b"\x00\x00" * 50,
        model(told(5, told(8, 3))),
        model(told(1, told(4, b"\xff\xfe\x00"))) + b"\x0a",
    ],
)
def test_what_is_no_model_is_shown_as_bytes_or_text(data: bytes) -> None:
    assert previewed("m.onnx", data).kind in ("binary", "text")


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_break_the_preview_of_a_model(data: bytes, at: int) -> None:
    whole = model(GRAPH[:300])
    for found in (data, whole[:at] + data + whole[at:]):
        json.dumps(previewed("m.onnx", found).to_json())


def superblock(version: int, length: int, width: int = 8) -> bytes:
    numbers = b"".join(one.to_bytes(width, "little") for one in (0, 2**64 - 1 >> 1, length))
    if version < 2:
        more = bytes(4) if version else b""
        head = bytes([version, 0, 0, 0, 0, width, width, 0]) + struct.pack("<HHI", 4, 16, 0) + more
    else:
        head = bytes([version, width, width, 0])
    return b"\x89HDF\r\n\x1a\n" + head + numbers + bytes(40)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_the_version_of_an_hdf5_file_is_told_and_whether_it_is_whole(version: int) -> None:
    data = superblock(version, 500) + bytes(500)
    shown = previewed("a.h5", data)
    assert shown.kind == "hdf5"
    assert shown.facts == (
        ("superblock", f"version {version}"),
        ("length by its own word", "500 B"),
    )
    assert "are not listed" in shown.note
    assert "is cut" not in shown.note
    assert "is cut" in previewed("weights", superblock(version, 10_000)).note
    # What stands before it belongs to whoever wrote the file.
    assert previewed("a.hdf5", bytes(512) + data).kind == "hdf5"


@pytest.mark.parametrize(
    "data", [b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(20), bytes(20_000), b"x" * 600]
)
def test_what_only_begins_like_hdf5_is_shown_as_bytes(data: bytes) -> None:
    assert previewed("a.h5", data).kind in ("binary", "text")


def test_a_superblock_of_the_future_tells_its_version() -> None:
    shown = previewed("a.h5", b"\x89HDF\r\n\x1a\n" + bytes([9, 255]) + b"\xff" * 100)
    assert shown.facts == (("superblock", "version 9"),)

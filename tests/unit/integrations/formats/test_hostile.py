"""What strangers may write into files: an error that names the place, and nothing half-written."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artstore as art
from artstore.errors import (
    AlreadyExistsError,
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    StorageError,
)
from artstore.integrations.formats.exchange import FORMATS, export_table, import_table
from artstore.tables.table import Table
from tests.unit.integrations.formats.tabling import image_table, picture

PNG = art.Image(picture(0)).encoded().data


def member(name: str, data: bytes = b"", **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, data


def tar_of(place: Path, *parts: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(place, "w") as archive:
        for info, data in parts:
            archive.addfile(info, io.BytesIO(data))
    return place


# tar ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "info",
    [
        member("../1.png", PNG),
        member("/etc/1.png", PNG),
        member("a/../../1.png", PNG),
        member("1.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("1.png", type=tarfile.LNKTYPE, linkname="2.png"),
        member("1.png", type=tarfile.FIFOTYPE),
        member("1.png", type=tarfile.CHRTYPE),
    ],
    ids=lambda one: f"{one[0].name} {one[0].type!r}",
)
def test_members_that_lead_elsewhere_are_refused(tmp_path: Path, info: Any) -> None:
    place = tar_of(tmp_path / "a.tar", member("0.png", PNG), info)
    with pytest.raises(InvalidInputError) as caught:
        import_table("webdataset", place)
    assert caught.value.code == "exchange-path-refused"
    assert info[0].name in str(caught.value)
    assert "a.tar" in str(caught.value)


def test_a_tar_file_that_is_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    place = tar_of(tmp_path / "a.tar", member("1.png", PNG), member("2.txt", b"x" * 600))
    data = place.read_bytes()
    end = len(data.rstrip(b"\0"))
    ends = {0, 1, 511, 512, 1000, 1024, end - 1, *range(512, end, 512)}
    for size in sorted(ends):
        place.write_bytes(data[:size])
        with pytest.raises(DamagedDataError) as caught:
            import_table("webdataset", place)
        assert caught.value.code == "exchange-file-damaged", size
        assert "a.tar" in str(caught.value)
    place.write_bytes(gzip.compress(data)[:-20])
    with pytest.raises(DamagedDataError):
        import_table("webdataset", place)


def test_an_archive_behind_an_archive_is_not_passed_over(tmp_path: Path) -> None:
    place = tar_of(tmp_path / "a.tar", member("1.txt", b"x"))
    place.write_bytes(place.read_bytes() * 2)
    with pytest.raises(DamagedDataError, match="behind its end"):
        import_table("webdataset", place)


def test_a_header_that_is_damaged_is_no_end(tmp_path: Path) -> None:
    place = tar_of(tmp_path / "a.tar", member("1.txt", b"x"), member("2.txt", b"y"))
    data = bytearray(place.read_bytes())
    # The checksum of the second header.
    data[1024 + 148] ^= 1
    place.write_bytes(data)
    with pytest.raises(DamagedDataError):
        import_table("webdataset", place)


def test_a_name_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)
    with pytest.raises(DamagedDataError, match="bytes"):
        import_table("webdataset", tmp_path / "a.tar")


def test_a_member_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1.png")
    info.size = 5 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)
    with pytest.raises(LimitExceededError, match=r"1\.png"):
        import_table("webdataset", tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("1.cls", b"cat"),
        ("1.txt", b"\xff\xfe"),
        ("1.json", b'{"a": '),
        ("1.json", b"[" * 200_000),
        ("1.jpg", b"no image at all"),
    ],
)
def test_members_that_are_not_what_their_names_say_are_told(
    tmp_path: Path, name: str, data: bytes
) -> None:
    place = tar_of(tmp_path / "a.tar", member(name, data))
    with pytest.raises(ArtstoreError) as caught:
        import_table("webdataset", place)
    assert name in str(caught.value)


def test_one_name_twice_in_a_sample_is_refused(tmp_path: Path) -> None:
    place = tar_of(tmp_path / "a.tar", member("1.txt", b"x"), member("1.txt", b"y"))
    with pytest.raises(DamagedDataError, match=r"1\.txt"):
        import_table("webdataset", place)


# text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("jsonl", '{"a": 1}\n{"a": \n', "line 2"),
        ("jsonl", '{"a": 1}\n[1]\n', "line 2"),
        ("jsonl", "[" * 100_000 + "\n", "line 1"),
        ("jsonl", '{"a": "\\ud800"}\n', "line 1"),
        ("json", '[{"a": 1}, {"a": ', "a.json"),
        ("json", '{"a": 1}', "a.json"),
        ("json", "[1]", "item 0"),
        ("json", '[{"a": 1}] x', "a.json"),
        ("coco", '{"images": [{"id": 1, "file', "a.coco"),
        ("coco", "[]", "a.coco"),
        ("csv", "a,b\n1,2\n3\n", "a.csv"),
        ("csv", "a,a\n1,2\n", "a.csv"),
        ("csv", "", "a.csv"),
        ("csv", "a\n\udcff\n", "a.csv"),
    ],
)
def test_text_that_is_damaged_is_told_with_its_place(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    place = tmp_path / f"a.{name}"
    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtstoreError) as caught:
        import_table(name, place)
    assert told in str(caught.value), str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    place = tmp_path_factory.mktemp("any") / "file"
    place.write_bytes(data)
    for name in ("json", "jsonl", "csv", "coco", "webdataset", "parquet", "hf"):
        try:
            import_table(name, place)
        except ArtstoreError as error:
            assert not isinstance(error, StorageError)


# Parquet and Arrow ----------------------------------------------------------------------


def test_a_corrupt_footer_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    for changed in (data[:-10], data[:4] + b"\0" * (len(data) - 12) + data[-8:], b"PAR1"):
        (tmp_path / "a.parquet").write_bytes(changed)
        with pytest.raises(DamagedDataError, match=r"a\.parquet"):
            import_table("parquet", tmp_path / "a.parquet")


def test_files_with_other_columns_do_not_go_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": [1]}), tmp_path / "2.parquet")
    with pytest.raises(DamagedDataError, match=r"2\.parquet"):
        import_table("parquet", tmp_path)


def test_a_dataset_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "secret.arrow")
    (tmp_path / "set").mkdir()
    state = {"_data_files": [{"filename": "../secret.arrow"}]}
    (tmp_path / "set" / "state.json").write_text(json.dumps(state))
    with pytest.raises(InvalidInputError) as caught:
        import_table("hf", tmp_path / "set")
    assert caught.value.code == "exchange-path-refused"


def test_an_embedded_path_reads_only_below_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "set").mkdir()
    features = {"image": {"_type": "Image"}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    for path in ("../secret.png", str(tmp_path / "secret.png")):
        table = pa.table({"image": [{"bytes": None, "path": path}]}, schema=schema)
        pq.write_table(table, tmp_path / "set" / "a.parquet")
        with pytest.raises(InvalidInputError) as caught:
            import_table("parquet", tmp_path / "set")
        assert caught.value.code == "exchange-path-refused"


# links ----------------------------------------------------------------------------------


def test_links_out_of_a_directory_are_refused_and_links_within_are_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "real.png").write_bytes(PNG)
    (tmp_path / "pets" / "alias.png").symlink_to("real.png")
    assert import_table("imagefolder", tmp_path / "pets").row_count == 2
    (tmp_path / "pets" / "out.png").symlink_to("../secret.png")
    with pytest.raises(InvalidInputError) as caught:
        import_table("imagefolder", tmp_path / "pets")
    assert caught.value.code == "exchange-path-refused"
    assert "out.png" in str(caught.value)


# what an export of ours says ------------------------------------------------------------


def _break(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def broken(place: Path) -> None:
        told = json.loads(place.read_text())
        change(told)
        place.write_text(json.dumps(told))

    return broken


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(artstore_export=2),
        lambda told: told.update(primary_key=["gone"]),
        lambda told: told.update(primary_key=3),
        lambda told: told.update(columns=[["id", "no type"]]),
        lambda told: told.update(sources=[{"table": "../../x", "digest": None}]),
        lambda told: told.update(sources=[{"table": "a/b:v0/../c", "digest": None}]),
        lambda told: told.update(sources=[{"table": "a/b:v0/c", "digest": "x"}]),
        lambda told: told.pop("columns"),
        lambda told: told.clear(),
    ],
)
def test_what_is_said_of_an_export_is_checked(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    export_table(image_table(), "jsonl", tmp_path / "out")
    _break(change)(tmp_path / "out" / "artstore-table.json")
    with pytest.raises(DamagedDataError) as caught:
        import_table("jsonl", tmp_path / "out")
    assert caught.value.code == "exchange-file-damaged"


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("int", 1.5),
        ("int", "1"),
        ("int", True),
        ("float64", "x"),
        ("text", 3),
        ("date", "yesterday"),
        ("time", "25:00"),
        ("bytes", "%%%"),
        ({"type": "timestamp", "unit": "us", "zone": None}, "soon"),
        ({"type": "list", "element": "int"}, [1, "x"]),
        ({"type": "list", "element": "int"}, 3),
        ({"type": "array", "dtype": "float32", "shape": [2]}, [1, 2, 3]),
        ({"type": "array", "dtype": "float32", "shape": None}, [[1], [2, 3]]),
        ({"type": "struct", "members": [["a", "int"]]}, [1]),
        ({"type": "decimal", "precision": 3, "scale": 1}, "123456.7"),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_told_with_its_line(
    tmp_path: Path, kind: Any, cell: Any
) -> None:
    export_table(Table(["x"], data=[[1], [2]]), "jsonl", tmp_path / "a.jsonl")
    place = tmp_path / "a.jsonl.artstore-table.json"
    told = json.loads(place.read_text())
    place.write_text(json.dumps({**told, "columns": [["x", kind]]}))
    (tmp_path / "a.jsonl").write_text(f'{{"x": null}}\n{json.dumps({"x": cell})}\n')
    with pytest.raises(DamagedDataError, match="line 2"):
        import_table("jsonl", tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    "said",
    [
        {"path": "../../../etc/passwd"},
        {"path": 3},
        {"path": "gone.png"},
        {"url": "not a url"},
        {"_type": "audio-file", "format": "../../x", "path": "rows.jsonl"},
        {"_type": "no-kind", "path": "rows.jsonl"},
        {"boxes": {"truth": {"box_data": [{"position": 3}]}}},
        {"boxes": 3},
        {"masks": {"truth": {"path": "../../secret.png"}}},
        {"masks": {"truth": 3}},
        {"classes": [{"id": 1}]},
        {"caption": 3},
    ],
    ids=str,
)
def test_what_is_said_of_media_is_checked(tmp_path: Path, said: dict[str, Any]) -> None:
    export_table(image_table(2), "jsonl", tmp_path / "out")
    place = tmp_path / "out" / "rows.jsonl"
    rows = [json.loads(line) for line in place.read_text().splitlines()]
    rows[1]["image"].update(said)
    place.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(ArtstoreError, match="line 2"):
        import_table("jsonl", tmp_path / "out")


# exports --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_nothing_is_replaced_and_nothing_half_written_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(AlreadyExistsError) as caught:
        export_table(image_table(), name, tmp_path / "full")
    assert caught.value.code == "export-target-exists"
    table = image_table()
    gone = tmp_path / "gone.png"
    gone.write_bytes(PNG)
    table.add_data("last", art.Image(str(gone)), "cat", "", 1.0)
    gone.unlink()
    for ending in FORMATS[name].endings[:1] or ("",):
        with pytest.raises(InvalidInputError) as missing:
            export_table(table, name, tmp_path / f"out{ending}")
        assert missing.value.code == "media-file-missing"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_an_empty_directory_is_filled_and_a_single_file_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    export_table(image_table(2), "csv", tmp_path / "empty")
    assert (tmp_path / "empty" / "rows.csv").exists()
    (tmp_path / "a.files").mkdir()
    with pytest.raises(AlreadyExistsError):
        export_table(image_table(2), "csv", tmp_path / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.files", "empty"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError) as caught:
        export_table(image_table(1), "csv", tmp_path / "file" / "out")
    assert caught.value.code == "target-failed"


def test_columns_that_a_format_cannot_hold_are_told(tmp_path: Path) -> None:
    plain = Table(["a"], data=[[1]])
    lists = Table(["several"])
    lists.add_data([art.Image(picture(1))])
    for table, names in (
        (plain, ["imagefolder", "coco"]),
        (lists, ["parquet", "hf", "webdataset"]),
    ):
        for name in names:
            with pytest.raises(InvalidInputError) as caught:
                export_table(table, name, tmp_path / name)
            assert caught.value.code == "exchange-column-unsupported"
            assert caught.value.hint


def test_what_is_asked_for_wrongly_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        import_table("excel", tmp_path)
    assert caught.value.code == "exchange-format-unknown"
    with pytest.raises(NotFoundError):
        import_table("csv", tmp_path / "gone.csv")
    with pytest.raises(InvalidInputError, match="split"):
        import_table("csv", tmp_path, split="train")
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    for name in ("csv", "jsonl"):
        with pytest.raises(InvalidInputError) as unknown:
            import_table(name, tmp_path / f"a.{name}", image_columns=["b"])
        assert unknown.value.code == "column-unknown"
    for name in ("imagefolder", "parquet", "hf"):
        with pytest.raises(NotFoundError):
            import_table(name, tmp_path, split="train")

"""What a directory has, what belongs to what, and what in it is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from artstore.errors import DamagedDataError, InvalidInputError, NotFoundError
from artstore.integrations.wandb_files.directory import WandbDirectory
from tests.unit.integrations.wandb_files.writing import (
    ANY,
    NUMBER,
    STRING,
    image_type,
    list_of,
    optional,
    pixels,
)


def test_reading_needs_nothing_of_w_and_b() -> None:
    program = (
        "import sys; sys.modules['wandb'] = None\n"
        "import artstore.integrations.wandb_files.directory\n"
        "print(sorted({'PIL', 'numpy', 'pyarrow', 'fsspec'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_everything_belongs_to_something_and_only_to_one_thing(written) -> None:
    types = {
        "id": NUMBER,
        "image": optional(image_type()),
        "images": list_of(image_type()),
        "any": ANY,
        **written.arrays("5a", m=np.zeros((1, 2))),
    }
    record = written.image(
        pixels(1),
        classes=written.classes("road"),
        masks={"x": written.mask(np.eye(6, 8, dtype=np.uint8))},
    )
    page = written.media("html-file", "media/html/5a.html", b"<p>")
    sound = written.media("audio-file", "media/audio/5a/a.mp3", b"sound")
    row = [1, record, [written.image(pixels(2))], {"deep": [page]}, None]
    written.table("t.table.json", types, [row])
    written.json("one.audio-file.json", sound)
    written.classes("dog", path="mine.classes.json")
    written.table("media/tables/5a.table.json", {"id": NUMBER}, [])
    written.json("j.joined-table.json", {"_type": "joined-table"})
    written.json("p.partitioned-table.json", {"_type": "partitioned-table"})
    for path in ("notes.txt", "media/mine.txt", "media/images/mine.png", "data.json"):
        written.file(path, b"{}")
    written.manifest()
    directory = WandbDirectory(written.root)
    assert directory.tables() == ("media/tables/5a.table.json", "t.table.json")
    assert directory.media() == ("mine.classes.json", "one.audio-file.json")
    assert directory.plain_files() == (
        "data.json",
        "media/images/mine.png",
        "media/mine.txt",
        "notes.txt",
    )
    assert directory.references() == ()
    place = directory.file_path("notes.txt")
    assert place == os.path.realpath(written.root / "notes.txt")
    assert directory.path == os.path.realpath(written.root)


def test_a_record_of_the_user_claims_no_file(written) -> None:
    written.file("media/x.png", b"")
    rows = [[{"path": "media/x.png"}], [{"_type": "mine", "path": "media/x.png"}]]
    written.table("t.table.json", {"a": ANY}, rows)
    assert WandbDirectory(written.root).plain_files() == ("media/x.png",)


def test_names_that_end_like_tables_are_asked_what_they_are(written) -> None:
    written.table("mytable.json", {"a": NUMBER}, [[1]])
    written.json("dinnertable.json", {"seats": 4})
    written.json("mask.json", {"_type": "something"})
    written.json("unmask.json", {"_type": "table"})
    directory = WandbDirectory(written.root)
    assert directory.tables() == ("mytable.json",)
    assert directory.table("mytable.json").name == "mytable"
    assert list(directory.table("mytable.json").rows()) == [[1]]
    assert directory.plain_files() == ("dinnertable.json", "mask.json", "unmask.json")


def test_only_tables_are_tables(written) -> None:
    written.file("notes.txt", b"")
    directory = WandbDirectory(written.root)
    for path, error in (
        ("notes.txt", DamagedDataError),
        ("none.table.json", NotFoundError),
        ("../t.table.json", InvalidInputError),
        ("/etc/passwd", InvalidInputError),
    ):
        with pytest.raises(error):
            directory.table(path)
        with pytest.raises((NotFoundError, InvalidInputError, DamagedDataError)):
            directory.file_path(f"{path}x/../{path}")


def test_an_empty_directory_has_nothing(written) -> None:
    directory = WandbDirectory(str(written.root))
    assert directory.tables() == directory.media() == directory.plain_files() == ()
    assert directory.joined_tables() == directory.partitioned_tables() == ()
    assert directory.manifest is None


def test_a_directory_that_is_not_there_is_told(written) -> None:
    for path in (written.root / "none", written.file("file", b"") and written.root / "file"):
        with pytest.raises(NotFoundError) as caught:
            WandbDirectory(path)
        assert caught.value.code == "wandb-file-missing"


def test_the_directory_itself_may_be_a_link_and_links_may_lead_within_it(written) -> None:
    written.table("t.table.json", {"a": NUMBER}, [[1]])
    written.file("a.txt", b"x")
    (written.root / "b.txt").symlink_to("a.txt")
    link = written.root.parent / "link"
    link.symlink_to(written.root)
    directory = WandbDirectory(link)
    assert directory.plain_files() == ("a.txt", "b.txt")
    assert directory.file_path("b.txt") == directory.file_path("a.txt")
    assert list(directory.table("t.table.json").rows()) == [[1]]


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "sub/../../secret", ".."])
def test_a_link_that_leads_out_is_refused(written, target) -> None:
    (written.root.parent / "secret").write_bytes(b"secret")
    (written.root / "sub").mkdir()
    (written.root / "link").symlink_to(target)
    with pytest.raises(InvalidInputError, match="link") as caught:
        WandbDirectory(written.root)
    assert caught.value.code == "wandb-path-refused"


def test_a_link_to_a_directory_is_refused_and_not_followed_for_ever(written) -> None:
    (written.root / "sub").mkdir()
    (written.root / "sub" / "loop").symlink_to("..")
    with pytest.raises(InvalidInputError) as caught:
        WandbDirectory(written.root)
    assert caught.value.code == "wandb-path-refused"


def test_a_link_to_nothing_is_told(written) -> None:
    (written.root / "link").symlink_to("nothing")
    with pytest.raises(NotFoundError) as caught:
        WandbDirectory(written.root)
    assert caught.value.code == "wandb-file-missing"


def test_what_is_no_file_is_refused_and_not_waited_for(written, monkeypatch) -> None:
    os.mkfifo(written.root / "pipe")
    with pytest.raises(InvalidInputError, match="not a file"):
        WandbDirectory(written.root)
    os.unlink(written.root / "pipe")
    monkeypatch.chdir(written.root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(InvalidInputError, match="not a file"):
            WandbDirectory(written.root)


def test_a_name_that_is_not_unicode_is_refused(written) -> None:
    try:
        with open(os.fsencode(written.root) + b"/\xff.txt", "wb"):
            pass
    except OSError:
        pytest.skip("this file system has none")
    with pytest.raises(InvalidInputError) as caught:
        WandbDirectory(written.root)
    assert caught.value.code == "wandb-path-refused"


def test_a_description_larger_than_any_is_refused(written, monkeypatch) -> None:
    monkeypatch.setattr("artstore.integrations.wandb_files.joins._SMALL_BYTES", 10)
    written.json("j.joined-table.json", {"_type": "joined-table", "table1": "x"})
    with pytest.raises(InvalidInputError) as caught:
        WandbDirectory(written.root).joined_tables()
    assert caught.value.code == "limit-exceeded"


def test_tables_without_media_are_not_read_to_find_plain_files(written) -> None:
    written.table("t.table.json", {"a": NUMBER, "b": optional(STRING)}, [[1, "x"]])
    directory = WandbDirectory(written.root)
    directory.table("t.table.json")
    os.unlink(written.root / "t.table.json")
    assert directory.plain_files() == ()

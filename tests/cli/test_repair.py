"""`art check --repair`: what it prints, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Art


@pytest.fixture
def store(art: Art, home: Path) -> Path:
    (home / "work" / "data").mkdir()
    for number in range(3):
        Path(f"data/{number}").write_text(f"file {number}")
    art("init", "store")
    art("push", "data", "ds")
    shutil.copytree("store", "copy")
    return home / "work" / "store"


def spoil(pack: Path) -> None:
    data = bytearray(pack.read_bytes())
    data[9] ^= 1
    pack.unlink()
    pack.write_bytes(data)


def pack_of(store: Path) -> Path:
    (found,) = (path for path in (store / "packs").rglob("*-*"))
    return found


def test_what_was_done_is_told_and_the_store_is_whole(art: Art, store: Path) -> None:
    spoil(pack_of(store))
    ran = art("check", "--repair", "--read-data", "--from", "copy", "--json").json
    key = pack_of(store).relative_to(store).as_posix()
    assert ran["ok"] is True
    (repaired,) = ran["repaired"]
    assert (repaired["key"], repaired["action"]) == (key, "restored")
    assert str(store.parent / "data") in repaired["sources"]
    assert ran["problems"] == []
    assert "all right" in art("check", "--read-data").out


def test_a_dry_run_says_what_would_be_done_and_ends_as_the_store_is(art: Art, store: Path) -> None:
    spoil(pack_of(store))
    damaged = pack_of(store).read_bytes()
    ran = art("check", "--repair", "--read-data", "--dry-run", status=8)
    assert "would be restored" in ran.out
    assert pack_of(store).read_bytes() == damaged
    ran = art("check", "--repair", "--read-data", "--dry-run", "--json", status=8)
    assert ran.json["ok"] is False
    assert ran.json["problems"] == []
    assert ran.error["code"] == "damage-found"


def test_what_cannot_be_put_back_is_told_with_the_reason(art: Art, store: Path) -> None:
    shutil.rmtree(store / "manifests")
    ran = art("check", "--repair", status=8)
    assert "not repaired: no source has it" in ran.out
    assert "hits default/ds:v0" in ran.out
    ran = art("check", "--repair", "-q", status=8)
    assert ran.out.startswith("manifests/")
    assert "restored from file://" in art("check", "--repair", "--from", "copy").out


def test_a_lost_identity_comes_back(art: Art, store: Path) -> None:
    (store / "artstore.json").unlink()
    ran = art("check", "--json", status=8)
    assert ran.error["code"] == "store-damaged"
    assert art("push", "data", "ds", "--json", status=8).error["code"] == "store-damaged"
    ran = art("check", "--repair", "--from", "copy", "--json")
    assert [item["key"] for item in ran.json["repaired"]] == ["artstore.json"]
    assert (store / "artstore.json").read_bytes() == Path("copy/artstore.json").read_bytes()


@pytest.mark.parametrize("option", [("--from", "copy"), ("--dry-run",)])
def test_options_of_a_repair_need_repair(art: Art, store: Path, option: tuple[str, ...]) -> None:
    assert f"{option[0]} needs --repair" in art("check", *option, status=2).err


def test_a_source_that_is_no_store_is_not_found(art: Art, store: Path) -> None:
    assert "no store" in art("check", "--repair", "--from", "nothing", status=4).err

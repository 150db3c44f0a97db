from __future__ import annotations

import pytest

from artstore import names
from artstore.errors import DamagedDataError
from artstore.packs.locator import content_key, pack_id_of_key, pack_key
from tests.unit.packs.making import PACK

KEY = "packs/00/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f-2021222324252627"


def test_a_pack_has_the_key_that_the_format_says() -> None:
    assert pack_key(PACK) == KEY
    assert pack_id_of_key(KEY) == PACK
    assert names.check_key(KEY) == KEY


def test_the_same_content_of_two_pushes_has_two_keys() -> None:
    one, other = (content_key("packs", PACK[:32], push) for push in (b"\0" * 8, b"\1" * 8))
    assert one != other
    assert one.partition("-")[0] == other.partition("-")[0]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "packs",
        KEY[:-1],
        KEY + "0",
        KEY + "00",
        KEY.upper(),
        KEY.replace("packs/00", "packs/01"),
        KEY.replace("packs", "manifests"),
        KEY.replace("-", ""),
        KEY.replace("-", "/"),
        KEY.replace("-20", "- 20"),
        KEY.replace("0001", "00 01"),
        "x/" + KEY,
        KEY.replace("00/0001", "00/zz01"),
        KEY.replace("00/0001", "00/\u0661\u0661\u0660\u0660"),
    ],
)
def test_no_other_key_is_that_of_a_pack(key: str) -> None:
    with pytest.raises(DamagedDataError) as caught:
        pack_id_of_key(key)
    assert caught.value.code == "key-unexpected"
    assert caught.value.context["key"] == key

from __future__ import annotations

from artstore.digest import digest_of
from artstore.packs.digesttable import DigestTable


def test_digests_are_numbered_in_the_order_in_which_they_came() -> None:
    table = DigestTable()
    digests = [digest_of(b"%d" % i) for i in range(5_000)]
    assert [table.add(digest) for digest in digests] == list(range(5_000))
    assert [table.add(digest) for digest in reversed(digests)] == list(reversed(range(5_000)))
    assert [table.find(digest) for digest in digests] == list(range(5_000))
    assert table.find(digest_of(b"other")) is None
    assert list(table) == digests
    assert len(table) == 5_000


def test_digests_that_begin_alike_are_told_apart() -> None:
    table = DigestTable()
    alike = [bytes(8) + bytes([i]) * 24 for i in range(200)]
    assert [table.add(digest) for digest in alike] == list(range(200))
    assert [table.find(digest) for digest in alike] == list(range(200))
    assert table.find(bytes(8) + bytes([201]) * 24) is None


def test_an_empty_table_finds_nothing() -> None:
    assert DigestTable().find(bytes(32)) is None
    assert len(DigestTable()) == 0

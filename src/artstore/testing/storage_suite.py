"""
The conformance suite of storages: every promise of `storage/protocol.py` as a test.

Needs pytest. A backend passes it with a few lines:

    class TestMyStorage(StorageSuite):
        @pytest.fixture
        def storage(self):
            return MyStorage(...)      # empty, and of this test alone
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

import pytest

from artstore import limits
from artstore.errors import (
    AlreadyExistsError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
)
from artstore.storage.protocol import Span, Storage, Value

__all__ = ["StorageSuite"]

AWKWARD_KEYS = ["a!b", "a-b", "a-b.c", "a.b", "a/b", "a/b-c", "a0", "a_b", "b!", "b/0/x", "b0"]
"""In the order of their bytes, which is not the order of their parts."""

BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    ".a",
    "a/.b",
    "A",
    "a b",
    "a\0b",
    "tmp/a",
    "é",
]


class StorageSuite:
    """
    Tests that any storage must pass; subclasses give a `storage` fixture.

    Attributes:
        large_value_bytes: size of the one large value.
        race_rounds: keys that the racing threads fight for.
    """

    large_value_bytes: ClassVar[int] = 64 * limits.MIB
    race_rounds: ClassVar[int] = 20

    # --- values -------------------------------------------------------------------

    def test_a_created_value_is_read_back(self, storage: Storage) -> None:
        storage.create("packs/ab/one", b"some bytes")
        assert storage.read("packs/ab/one") == b"some bytes"

    def test_an_empty_value_is_a_value(self, storage: Storage) -> None:
        values: list[Value] = [b"", [], [b"", memoryview(b"")]]
        for key, value in zip(("a/one", "a/two", "a/three"), values, strict=True):
            storage.create(key, value)
            assert storage.read(key) == b""
            assert storage.stat(key).size_bytes == 0

    def test_many_buffers_of_any_kind_become_one_value(self, storage: Storage) -> None:
        source = memoryview(bytes(range(256)) * 64)
        parts = [source[i : i + 7] for i in range(0, len(source), 7)]  # more than IOV_MAX
        assert len(parts) > 2 * 1024
        storage.create("a/views", parts)
        assert storage.read("a/views") == source
        storage.create("a/mixed", [b"x", bytearray(b"yy"), b"", memoryview(b"zzz")])
        assert storage.read("a/mixed") == b"xyyzzz"

    def test_buffers_of_wider_items_count_their_bytes(self, storage: Storage) -> None:
        storage.create("a/wide", memoryview(bytes(range(16))).cast("I"))
        assert storage.read("a/wide") == bytes(range(16))

    def test_a_buffer_that_changes_later_does_not_change_the_value(self, storage: Storage) -> None:
        buffer = bytearray(b"before")
        storage.create("a/one", buffer)
        buffer[:] = b"after!"
        assert storage.read("a/one") == b"before"

    def test_a_large_value_is_read_back_whole_and_in_ranges(self, storage: Storage) -> None:
        size = self.large_value_bytes
        block = bytes(range(251)) * 4178  # about 1 MiB, and no multiple of a page
        parts = [block] * (size // len(block))
        storage.create("packs/00/large", parts)
        whole = storage.read("packs/00/large")
        assert whole == b"".join(parts)
        middle = len(whole) // 2
        assert storage.read("packs/00/large", Span(middle, 1000)) == whole[middle : middle + 1000]
        assert storage.read("packs/00/large", Span(-1000, 1000)) == whole[-1000:]

    def test_a_missing_key_is_not_found(self, storage: Storage) -> None:
        storage.create("a/b/c", b"")
        for key in ("x", "a/x", "a/b", "a/b/c/d"):
            with pytest.raises(NotFoundError) as raised:
                storage.read(key)
            assert raised.value.code == "key-not-found"
            with pytest.raises(NotFoundError):
                storage.read(key, Span(0, 0))
            with pytest.raises(NotFoundError):
                storage.stat(key)

    # --- ranges -------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("span", "expected"),
        [
            (None, b"0123456789"),
            (Span(0, 10), b"0123456789"),
            (Span(0, 1), b"0"),
            (Span(3, 4), b"3456"),
            (Span(9, 1), b"9"),
            (Span(4, 0), b""),
            (Span(10, 0), b""),
            (Span(-10, 10), b"0123456789"),
            (Span(-3, 3), b"789"),
            (Span(-3, 1), b"7"),
            (Span(-10, 0), b""),
            (Span(0, 11, or_less=True), b"0123456789"),
            (Span(7, 2**26, or_less=True), b"789"),
            (Span(0, 4, or_less=True), b"0123"),
            (Span(10, 1, or_less=True), b""),
            (Span(99, 1, or_less=True), b""),
        ],
    )
    def test_a_span_gives_exactly_its_bytes(
        self, storage: Storage, span: Span | None, expected: bytes
    ) -> None:
        storage.create("a/digits", b"0123456789")
        assert storage.read("a/digits", span) == expected

    def test_of_an_empty_value_there_is_nothing_or_less(self, storage: Storage) -> None:
        storage.create("a/empty", b"")
        span = Span(0, 100, or_less=True)
        assert storage.read("a/empty", span) == b""
        assert [bytes(data) for data in storage.read_many([("a/empty", span)] * 3)] == [b""] * 3

    @pytest.mark.parametrize(
        "span",
        [Span(0, 11), Span(10, 1), Span(11, 0), Span(-11, 1), Span(-3, 4), Span(0, 2**62)],
    )
    def test_a_span_past_the_value_is_damage(self, storage: Storage, span: Span) -> None:
        storage.create("a/digits", b"0123456789")
        with pytest.raises(DamagedDataError) as raised:
            storage.read("a/digits", span)
        assert raised.value.code == "range-missing"
        with pytest.raises(DamagedDataError):
            list(storage.read_many([("a/digits", span)]))

    def test_a_negative_length_is_refused(self, storage: Storage) -> None:
        storage.create("a/digits", b"0123456789")
        with pytest.raises(InvalidInputError):
            storage.read("a/digits", Span(5, -1))

    def test_read_many_answers_in_the_order_asked(self, storage: Storage) -> None:
        storage.create_many([(f"a/{n}", bytes([n]) * 5) for n in range(5)])
        asked: list[tuple[str, Span | None]] = [
            ("a/3", None),
            ("a/1", Span(0, 2)),
            ("a/1", Span(-1, 1)),
            ("a/3", Span(1, 3)),
            ("a/0", None),
            ("a/3", None),
        ]
        answers = list(storage.read_many(asked))
        assert answers == [storage.read(key, span) for key, span in asked]
        assert list(storage.read_many([])) == []

    def test_read_many_gives_what_precedes_a_missing_key(self, storage: Storage) -> None:
        storage.create("a/1", b"one")
        answers = storage.read_many([("a/1", None), ("a/2", None)])
        assert next(answers) == b"one"
        with pytest.raises(NotFoundError):
            next(answers)

    # --- create -------------------------------------------------------------------

    def test_a_taken_key_is_refused_and_keeps_its_value(self, storage: Storage) -> None:
        storage.create("a/one", b"first")
        for value in (b"second", b"first", b""):
            with pytest.raises(AlreadyExistsError) as raised:
                storage.create("a/one", value)
            assert raised.value.code == "key-exists"
            with pytest.raises(AlreadyExistsError):
                storage.create_many([("a/one", value)])
        assert storage.read("a/one") == b"first"

    def test_create_many_stores_every_value(self, storage: Storage) -> None:
        items = [(f"packs/{n % 7:02x}/{n}", bytes([n]) * n) for n in range(150)]
        storage.create_many(items)
        for key, value in items:
            assert storage.read(key) == value
        assert sorted(key for key, _ in items) == [info.key for info in storage.scan("packs/")]
        storage.create_many([])

    def test_create_many_refuses_a_taken_key_and_spoils_nothing(self, storage: Storage) -> None:
        storage.create("a/2", b"mine")
        items = [(f"a/{n}", b"theirs") for n in range(4)]
        with pytest.raises(AlreadyExistsError):
            storage.create_many(items)
        assert storage.read("a/2") == b"mine"
        for info in storage.scan("a/"):  # the others exist whole, or not at all
            assert storage.read(info.key) in (b"mine", b"theirs")

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_a_key_that_some_backend_cannot_keep_is_refused(
        self, storage: Storage, key: str
    ) -> None:
        calls: list[Callable[[], None]] = [
            lambda: storage.create(key, b""),
            lambda: storage.create_many([("a/good", b""), (key, b"")]),
            lambda: storage.delete([key]),
        ]
        for call in calls:
            with pytest.raises(InvalidInputError) as raised:
                call()
            assert raised.value.code == "key-invalid"
        with pytest.raises((InvalidInputError, NotFoundError)):
            storage.read(key)
        with pytest.raises((InvalidInputError, NotFoundError)):
            storage.stat(key)
        assert list(storage.scan("")) == []

    @pytest.mark.parametrize("prefix", ["..", "../", "/", "a/../", "a//", "A"])
    def test_a_prefix_that_no_key_can_have_is_refused(self, storage: Storage, prefix: str) -> None:
        with pytest.raises(InvalidInputError):
            list(storage.scan(prefix))
        with pytest.raises(InvalidInputError):
            list(storage.scan_names(prefix))

    # --- listing ------------------------------------------------------------------

    def test_stat_and_scan_tell_size_and_time(self, storage: Storage) -> None:
        storage.create("a/one", b"12345")
        info = storage.stat("a/one")
        assert (info.key, info.size_bytes) == ("a/one", 5)
        assert info.modified_seconds > 0
        [listed] = storage.scan("a/")
        assert (listed.key, listed.size_bytes) == ("a/one", 5)
        # HTTP tells the time of one value in whole seconds, a listing in milliseconds.
        assert abs(listed.modified_seconds - info.modified_seconds) < 1

    def test_scan_is_in_the_order_of_whole_keys(self, storage: Storage) -> None:
        assert sorted(AWKWARD_KEYS, key=str.encode) == AWKWARD_KEYS
        storage.create_many([(key, b"") for key in reversed(AWKWARD_KEYS)])
        assert [info.key for info in storage.scan("")] == AWKWARD_KEYS

    def test_scan_finds_prefixes_of_any_length(self, storage: Storage) -> None:
        storage.create_many([(key, b"") for key in AWKWARD_KEYS])
        prefixes = {key[:n] for key in AWKWARD_KEYS for n in range(len(key) + 1)} | {"c", "a/b/"}
        for prefix in prefixes:
            expected = [key for key in AWKWARD_KEYS if key.startswith(prefix)]
            assert [info.key for info in storage.scan(prefix)] == expected, prefix

    def test_scan_starts_after_any_text(self, storage: Storage) -> None:
        storage.create_many([(key, b"") for key in AWKWARD_KEYS])
        for after in [*AWKWARD_KEYS, "", "a", "a/", "a/a", "a/b-", "a/z", "a~", "b/", "b/0", "zz"]:
            for prefix in ("", "a", "a/", "b/"):
                expected = [k for k in AWKWARD_KEYS if k.startswith(prefix) and k > after]
                found = [info.key for info in storage.scan(prefix, after=after)]
                assert found == expected, (prefix, after)

    def test_scan_goes_over_many_keys_in_order(self, storage: Storage) -> None:
        keys = sorted(f"packs/{n * 7919 % 256:02x}/{n:04d}" for n in range(700))
        storage.create_many([(key, b"") for key in keys])
        assert [info.key for info in storage.scan("packs/")] == keys
        assert [info.key for info in storage.scan("packs/", after=keys[349])] == keys[350:]

    def test_scan_of_an_empty_storage_finds_nothing(self, storage: Storage) -> None:
        assert list(storage.scan("")) == []
        assert list(storage.scan("a/b/")) == []
        assert list(storage.scan_names("")) == []
        assert list(storage.scan_names("a/")) == []

    def test_scan_misses_nothing_while_keys_come_and_go(self, storage: Storage) -> None:
        stay = [f"a/{n:03d}-stay" for n in range(100)]
        go = [f"a/{n:03d}-go" for n in range(100)]
        storage.create_many([(key, b"") for key in stay + go])
        seen = []
        for n, info in enumerate(storage.scan("a/")):
            seen.append(info.key)
            if n % 2 == 0 and go:
                storage.delete([go.pop()])
                storage.create(f"a/{n:03d}-new", b"")
        assert [key for key in seen if key.endswith("-stay")] == stay
        assert seen == sorted(set(seen))

    def test_scan_names_gives_each_next_part_once_in_order(self, storage: Storage) -> None:
        storage.create_many([(f"collections/{key}", b"") for key in AWKWARD_KEYS])
        parts = sorted({key.partition("/")[0] for key in AWKWARD_KEYS})
        assert list(storage.scan_names("collections/")) == parts
        assert list(storage.scan_names("collections/b/")) == ["0"]
        assert list(storage.scan_names("")) == ["collections"]

    def test_scan_names_shows_nothing_whose_keys_are_gone(self, storage: Storage) -> None:
        storage.create_many([("a/b/c/1", b""), ("a/d/e/2", b"")])
        storage.delete(["a/b/c/1"])
        assert list(storage.scan_names("a/")) == ["d"]

    # --- delete -------------------------------------------------------------------

    def test_deleted_keys_are_absent(self, storage: Storage) -> None:
        storage.create_many([(f"a/{n}", b"x") for n in range(4)])
        storage.delete(iter(["a/1", "a/3"]))
        assert [info.key for info in storage.scan("")] == ["a/0", "a/2"]
        for key in ("a/1", "a/3"):
            with pytest.raises(NotFoundError):
                storage.read(key)
            with pytest.raises(NotFoundError):
                storage.stat(key)

    def test_deleting_what_is_absent_is_no_error(self, storage: Storage) -> None:
        storage.delete(["never/was", "a"])
        storage.create("a/one", b"")
        storage.delete(["a/one", "a/one", "a", "a/one/more"])
        storage.delete([])
        assert list(storage.scan("")) == []

    # --- many at once -------------------------------------------------------------

    def test_of_racing_creators_exactly_one_wins(self, storage: Storage) -> None:
        count, rounds = 8, self.race_rounds
        barrier = threading.Barrier(count)
        wins: list[tuple[int, int]] = []

        def race(me: int) -> None:
            for n in range(rounds):
                barrier.wait()
                try:
                    storage.create(f"logs/x/{n:012d}", b"%d" % me * 1000)
                except AlreadyExistsError:
                    # S3: whoever loses can read the winner at once.
                    assert storage.stat(f"logs/x/{n:012d}").size_bytes == 1000
                else:
                    wins.append((n, me))

        _run_threads([lambda me=me: race(me) for me in range(count)])  # type: ignore[misc]
        assert sorted(n for n, _ in wins) == list(range(rounds))
        for n, winner in wins:
            assert storage.read(f"logs/x/{n:012d}") == b"%d" % winner * 1000

    def test_a_reader_never_sees_a_part_of_a_value(self, storage: Storage) -> None:
        size, count = limits.MIB, 12
        keys = [f"a/{n:02d}" for n in range(count)]
        seen: list[str] = []

        def write() -> None:
            for n, key in enumerate(keys):
                storage.create(key, [bytes([n]) * (size // 16)] * 16)

        def read() -> None:
            for n, key in enumerate(keys):
                while True:
                    try:
                        value = storage.read(key)
                    except NotFoundError:
                        continue
                    assert value == bytes([n]) * size
                    # S1: what was read is listed, with its whole size.
                    assert [i.size_bytes for i in storage.scan(key)] == [size]
                    seen.append(key)
                    break

        _run_threads([write, read])
        assert seen == keys

    def test_what_one_thread_created_every_other_sees(self, storage: Storage) -> None:
        count = 6
        barrier = threading.Barrier(count)

        def work(me: int) -> None:
            storage.create(f"a/{me}", b"%d" % me)
            barrier.wait()
            assert [info.key for info in storage.scan("a/")] == [f"a/{n}" for n in range(count)]
            answers = storage.read_many([(f"a/{n}", None) for n in range(count)])
            assert list(answers) == [b"%d" % n for n in range(count)]

        _run_threads([lambda me=me: work(me) for me in range(count)])  # type: ignore[misc]

    def test_the_url_says_where_this_is(self, storage: Storage) -> None:
        assert "://" in storage.url


def _run_threads(jobs: list[Callable[[], None]]) -> None:
    """Run all jobs at once; the first failure of any of them is the failure of the test."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed on to the test below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]

"""What a bucket answers, as both clients of buckets tell it: real requests to a tiny server."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from artstore.errors import (
    AlreadyExistsError,
    ArtstoreError,
    DamagedDataError,
    DeniedError,
    NotFoundError,
    StorageError,
    UnavailableError,
)
from artstore.storage.address import BucketAddress
from artstore.storage.cloud import CloudStorage
from artstore.storage.credentials import Access, Keys
from artstore.storage.overlapping import RequestOptions
from artstore.storage.protocol import Span, Storage
from artstore.storage.remote import RemoteStorage
from tests.unit.storage.answering import HEADERS, AnsweringServer, Reply, answering, error_body

WHOLE = Reply(200, b"0123456789", HEADERS)
IMPATIENT = RequestOptions(connect_seconds=2, read_seconds=0.5, send_seconds=5)


@pytest.fixture(scope="module")
def server() -> Iterator[AnsweringServer]:
    with answering() as server:
        yield server


def opened(kind: type, server: AnsweringServer, **options: bool) -> Storage:
    """A storage of `kind` on the server; what it found in the environment it keeps."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.description.environ.items():
            patch.setenv(name, value)
        storage: Storage = kind(
            BucketAddress("s3", "the-bucket", "p"), options=IMPATIENT, **options
        )
        server.answer(Reply(404))
        with pytest.raises(NotFoundError):
            storage.stat("a/key")
    return storage


@pytest.fixture(scope="module", params=[CloudStorage, RemoteStorage])
def opened_storage(request: pytest.FixtureRequest, server: AnsweringServer) -> Storage:
    # Once: s3fs takes a fifth of a second to open.
    return opened(request.param, server)


@pytest.fixture
def storage(opened_storage: Storage, server: AnsweringServer) -> Storage:
    server.answer(Reply(200, headers=HEADERS))
    return opened_storage


@pytest.fixture(params=[CloudStorage, RemoteStorage])
def storage_of_its_own(request: pytest.FixtureRequest, server: AnsweringServer) -> Storage:
    """One that remembers nothing of other tests, nor they of it."""
    return opened(request.param, server)


def read(storage: Storage) -> object:
    return storage.read("a/key")


def create(storage: Storage) -> object:
    return storage.create("a/key", b"value")


def scan(storage: Storage) -> object:
    return list(storage.scan("a/"))


def stat(storage: Storage) -> object:
    return storage.stat("a/key")


def refusal(call: Callable[[Storage], object], storage: Storage) -> ArtstoreError:
    with pytest.raises(ArtstoreError) as raised:
        call(storage)
    assert raised.value.__cause__ is not None or raised.value.code == "storage-unavailable"
    return raised.value


@pytest.mark.parametrize("call", [read, create, scan])
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", "s3:GetObject"),
        ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("RequestTimeTooSkewed", "clock"),
        ("NeverHeardOf", "credentials"),
    ],
)
def test_a_403_is_denied_and_says_what_to_check(
    storage: Storage,
    server: AnsweringServer,
    call: Callable[[Storage], object],
    code: str,
    hint: str,
) -> None:
    server.answer(Reply(403, error_body(code)))
    error = refusal(call, storage)
    assert isinstance(error, DeniedError)
    assert error.code == "storage-denied"
    assert code in error.message
    assert "words of the server" in error.message
    assert "s3://the-bucket/p" in error.message
    assert hint in str(error.hint)


ANSWERS: list[tuple[Reply, type[ArtstoreError], str]] = [
    (Reply(404, error_body("NoSuchBucket")), NotFoundError, "bucket-not-found"),
    (Reply(400, error_body("ExpiredToken")), DeniedError, "storage-denied"),
    (Reply(400, error_body("InvalidToken")), DeniedError, "storage-denied"),
    (Reply(401, b""), DeniedError, "storage-denied"),
    (Reply(403, b"<html>forbidden by the proxy</html>"), DeniedError, "storage-denied"),
    (Reply(403, error_body("QuotaExceeded")), DeniedError, "storage-full"),
    (Reply(507, b"full"), DeniedError, "storage-full"),
    (Reply(503, error_body("SlowDown")), UnavailableError, "storage-unavailable"),
    (Reply(503, b"<Error><Code>Slow"), UnavailableError, "storage-unavailable"),
    (Reply(500, error_body("InternalError")), UnavailableError, "storage-unavailable"),
    (Reply(500, b"\xff\xfe not XML, not UTF-8"), UnavailableError, "storage-unavailable"),
    (Reply(502, b"<html>bad gateway</html>"), UnavailableError, "storage-unavailable"),
    (Reply(504, b""), UnavailableError, "storage-unavailable"),
    (Reply(408, error_body("RequestTimeout")), UnavailableError, "storage-unavailable"),
    (Reply(429, error_body("TooManyRequests")), UnavailableError, "storage-unavailable"),
    (Reply(429, b""), UnavailableError, "storage-unavailable"),
    (Reply(400, error_body("RequestTimeout")), UnavailableError, "storage-unavailable"),
    (Reply(400, error_body("BadDigest")), UnavailableError, "storage-unavailable"),
    (Reply(409, error_body("OperationAborted")), UnavailableError, "storage-unavailable"),
    (Reply(400, error_body("KeyTooLongError")), StorageError, "storage-failed"),
    (Reply(400, b"not XML"), StorageError, "storage-failed"),
    (Reply(405, error_body("MethodNotAllowed")), StorageError, "storage-failed"),
    (Reply(301, error_body("PermanentRedirect")), StorageError, "storage-failed"),
    (Reply(307, error_body("TemporaryRedirect")), StorageError, "storage-failed"),
    (Reply(501, error_body("NotImplemented")), StorageError, "storage-unsuitable"),
    (Reply(fault="reset"), UnavailableError, "storage-unavailable"),
    (Reply(fault="hang"), UnavailableError, "storage-unavailable"),
]


def name_of(case: tuple[Reply, type[ArtstoreError], str]) -> str:
    reply = case[0]
    return f"{reply.status}{reply.fault}-{reply.body[:60].decode('ascii', 'replace')}"


@pytest.mark.parametrize("call", [read, create, scan])
@pytest.mark.parametrize("case", ANSWERS, ids=name_of)
def test_every_answer_is_the_same_error_whatever_was_asked(
    storage: Storage,
    server: AnsweringServer,
    call: Callable[[Storage], object],
    case: tuple[Reply, type[ArtstoreError], str],
) -> None:
    reply, kind, code = case
    server.answer(reply)
    error = refusal(call, storage)
    assert (type(error), error.code) == (kind, code)
    assert len(server.seen) == 1, "nothing is tried again here: retry.py does that"


def test_a_missing_key_and_a_taken_one(storage: Storage, server: AnsweringServer) -> None:
    server.answer(Reply(404, error_body("NoSuchKey")))
    assert refusal(read, storage).code == "key-not-found"
    server.answer(Reply(404))
    assert refusal(stat, storage).code == "key-not-found"
    server.answer(Reply(412, error_body("PreconditionFailed")))
    error = refusal(create, storage)
    assert (type(error), error.code) == (AlreadyExistsError, "key-exists")


def test_a_conflict_of_two_creates_is_not_exists(storage: Storage, server: AnsweringServer) -> None:
    # The other one may fail: neither "mine" nor "theirs" is known.
    server.answer(Reply(409, error_body("ConditionalRequestConflict")))
    assert type(refusal(create, storage)) is UnavailableError


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, error_body("AuthorizationHeaderMalformed", Region="eu-west-1")),
        Reply(301, error_body("PermanentRedirect", Endpoint="the-bucket.s3.amazonaws.com")),
    ],
)
def test_a_wrong_region_is_told_as_such(
    storage: Storage, server: AnsweringServer, reply: Reply
) -> None:
    server.answer(reply)
    error = refusal(read, storage)
    assert error.code == "storage-failed"
    assert "another region" in error.message
    assert str(error.hint).startswith("set AWS_REGION=")
    if reply.status == 400:
        assert error.hint == "set AWS_REGION=eu-west-1"


def test_a_body_that_is_cut_is_never_short_data(storage: Storage, server: AnsweringServer) -> None:
    server.answer(Reply(200, b"the first ten of twenty", HEADERS, fault="cut"))
    assert type(refusal(read, storage)) is UnavailableError
    ranged = {**HEADERS, "Content-Range": "bytes 0-19/100"}
    server.answer(Reply(206, b"the first ", ranged, fault="cut"))
    assert type(refusal(lambda s: s.read("a/key", Span(0, 20)), storage)) is UnavailableError


def test_less_than_the_range_that_was_asked_is_damage(
    storage: Storage, server: AnsweringServer
) -> None:
    server.answer(Reply(206, b"34567", {**HEADERS, "Content-Range": "bytes 3-7/8"}))
    error = refusal_without_cause(lambda: storage.read("a/key", Span(3, 10)))
    assert (type(error), error.code) == (DamagedDataError, "range-missing")
    assert error.context["found"] == 8


def test_a_range_behind_the_end_is_damage(storage: Storage, server: AnsweringServer) -> None:
    size = {**HEADERS, "Content-Length": "8"}
    server.answer(Reply(416, error_body("InvalidRange")), Reply(200, headers=size))
    error = refusal_without_cause(lambda: storage.read("a/key", Span(30, 10)))
    assert (type(error), error.code) == (DamagedDataError, "range-missing")
    assert error.context["found"] == 8


def test_without_ranges_a_value_is_read_whole_and_cut(
    storage_of_its_own: Storage, server: AnsweringServer
) -> None:
    storage = storage_of_its_own
    server.answer(WHOLE)
    assert storage.read("a/key", Span(3, 4)) == b"3456"
    assert ranges_asked(server) == ["bytes=3-6", ""]
    # What was found out once is not tried again.
    server.answer(WHOLE)
    assert storage.read("a/key", Span(-3, 2)) == b"78"
    assert storage.read("a/key", Span(8, 50, or_less=True)) == b"89"
    assert ranges_asked(server) == ["", ""]
    for span in (Span(8, 3), Span(10, 1), Span(-11, 1)):
        with pytest.raises(DamagedDataError) as raised:
            storage.read("a/key", span)
        assert raised.value.code == "range-missing"


def test_without_ranges_one_batch_reads_a_value_once(
    storage_of_its_own: Storage, server: AnsweringServer
) -> None:
    storage = storage_of_its_own
    server.answer(WHOLE)
    storage.read("a/key", Span(3, 4))
    server.answer(WHOLE)
    wanted = [(f"a/{key}", Span(n, 1)) for key in range(3) for n in range(10)]
    answers = [bytes(data) for data in storage.read_many(wanted)]
    assert answers == [b"%d" % n for _ in range(3) for n in range(10)]
    assert {seen.path for seen in server.seen} == {f"/the-bucket/p/a/{key}" for key in range(3)}
    # A thread may come back for a value that is let go already.
    assert len(server.seen) < 10


def ranges_asked(server: AnsweringServer) -> list[str]:
    headers = [{k.lower(): v for k, v in seen.headers.items()} for seen in server.seen]
    return [found.get("range", "") for found in headers]


def test_the_right_range_under_status_200_is_right(
    storage_of_its_own: Storage, server: AnsweringServer
) -> None:
    # As `rclone serve s3` answers.
    server.answer(Reply(200, b"3456", {**HEADERS, "Content-Range": "bytes 3-6/10"}), WHOLE)
    assert storage_of_its_own.read("a/key", Span(3, 4)) == b"3456"


@pytest.mark.parametrize(
    "told",
    ["bytes 0-3/10", "bytes 3-7/10", "bytes 4-7/10", "bytes 3-6/5"],
)
def test_another_range_than_was_asked_is_never_taken(
    storage: Storage, server: AnsweringServer, told: str
) -> None:
    # s3rver answers `bytes=-3` with the first four bytes.
    server.answer(Reply(206, b"0123", {**HEADERS, "Content-Range": told}))
    with pytest.raises(StorageError) as raised:
        storage.read("a/key", Span(3, 4))
    assert (type(raised.value), raised.value.code) == (StorageError, "storage-unsuitable")


def listing(*keys: str) -> Reply:
    """One page of a listing."""
    entries = "".join(
        f"<Contents><Key>p/{key}</Key><Size>1</Size><ETag>&quot;0&quot;</ETag>"
        "<LastModified>2026-10-21T07:28:00.000Z</LastModified></Contents>"
        for key in keys
    )
    body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


def test_a_listing_out_of_order_is_no_accident(storage: Storage, server: AnsweringServer) -> None:
    server.answer(listing("a/0", "a/2", "a/1"))
    with pytest.raises(StorageError) as raised:
        list(storage.scan("a/"))
    assert (type(raised.value), raised.value.code) == (StorageError, "storage-unsuitable")
    assert "a/1 is listed after a/2" in raised.value.message
    # What is out of order counts also where it is not asked for.
    for after in ("a/2", "a/9"):
        with pytest.raises(StorageError):
            list(storage.scan("a/", after=after))


def test_a_key_that_is_listed_twice_is_given_once(
    storage: Storage, server: AnsweringServer
) -> None:
    server.answer(listing("a/0", "a/1", "a/1", "a/2"))
    assert [info.key for info in storage.scan("a/")] == ["a/0", "a/1", "a/2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<ListBucketResult><Contents><Key>p/a/1",
        b"not XML",
        b"<html><body>not closed",
    ],
)
def test_a_listing_that_is_no_xml_is_an_error_and_not_an_end(
    storage: Storage, server: AnsweringServer, body: bytes
) -> None:
    server.answer(Reply(200, body, {"Content-Type": "application/xml"}))
    with pytest.raises(UnavailableError):
        list(storage.scan("a/"))
    server.answer(Reply(200, body, {"Content-Type": "application/xml"}))
    with pytest.raises(UnavailableError):
        list(storage.scan_names("a/"))


def test_a_page_of_a_portal_is_no_listing(
    storage: Storage, server: AnsweringServer, request: pytest.FixtureRequest
) -> None:
    if isinstance(storage, CloudStorage):
        reason = "obstore takes any XML for a listing of nothing"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    server.answer(Reply(200, b"<html><body>log in to this network</body></html>"))
    with pytest.raises(UnavailableError):
        list(storage.scan("a/"))


def test_a_listing_that_is_cut_is_an_error_and_not_an_end(
    storage: Storage, server: AnsweringServer
) -> None:
    page = listing("a/0", "a/1")
    server.answer(Reply(200, page.body, page.headers, fault="cut"))
    with pytest.raises(UnavailableError):
        list(storage.scan("a/"))


def refusal_without_cause(call: Callable[[], object]) -> ArtstoreError:
    with pytest.raises(ArtstoreError) as raised:
        call()
    return raised.value


def test_words_of_a_server_cannot_play_with_the_terminal(
    storage: Storage, server: AnsweringServer
) -> None:
    server.answer(Reply(403, error_body("AccessDenied", "red \x1b[31m\n\n" + "x" * 10_000)))
    message = refusal(read, storage).message
    assert "\x1b" not in message
    assert "\n" not in message
    assert len(message) < 600


def test_a_create_is_one_put_with_its_guard_and_the_digest_of_its_body(
    storage: Storage, server: AnsweringServer
) -> None:
    parts = [b"one ", memoryview(b"two "), bytearray(b"three")]
    storage.create("a/key", parts)
    [seen] = server.seen
    headers = {name.lower(): value for name, value in seen.headers.items()}
    assert (seen.method, seen.path) == ("PUT", "/the-bucket/p/a/key")
    assert seen.body == b"one two three"
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-content-sha256"] == hashlib.sha256(seen.body).hexdigest()
    assert "artstore/" in headers["user-agent"]


@pytest.mark.parametrize("kind", [CloudStorage, RemoteStorage])
def test_unguarded_a_create_looks_first_and_asks_for_nothing(
    kind: type, server: AnsweringServer
) -> None:
    storage = opened(kind, server, unguarded=True)
    server.answer(Reply(404), Reply(200, headers=HEADERS))
    storage.create("a/key", b"value")
    assert [seen.method for seen in server.seen] == ["HEAD", "PUT"]
    assert "if-none-match" not in {name.lower() for name in server.seen[1].headers}
    server.answer(Reply(200, headers=HEADERS))
    with pytest.raises(AlreadyExistsError):
        storage.create("a/key", b"value")
    assert [seen.method for seen in server.seen] == ["HEAD"]


def test_an_end_of_a_value_is_read_in_one_request(
    storage: Storage, server: AnsweringServer
) -> None:
    server.answer(Reply(206, b"56789", {**HEADERS, "Content-Range": "bytes 5-9/10"}))
    assert storage.read("a/key", Span(-5, 3)) == b"567"
    [seen] = server.seen
    assert {k.lower(): v for k, v in seen.headers.items()}["range"] == "bytes=-5"


@pytest.mark.parametrize("kind", [CloudStorage, RemoteStorage])
def test_anonymous_requests_are_not_signed(
    kind: type, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.description.endpoint_url)
    server.answer(Reply(200, b"public", HEADERS))
    assert kind(BucketAddress("s3", "the-bucket")).read("a/key") == b"public"
    assert "authorization" not in {name.lower() for name in server.seen[0].headers}


@pytest.mark.parametrize("kind", [CloudStorage, RemoteStorage])
def test_keys_that_cannot_be_renewed_are_told_in_their_own_words(
    kind: type, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def keys() -> Keys:
        asked.append(1)
        if len(asked) > 1:
            raise DeniedError("log in first", code="credentials-missing")
        return Keys("key", "secret", "token", datetime(2001, 1, 1, tzinfo=UTC))

    def access(bucket: str) -> Access:
        del bucket
        return Access(server.description.endpoint_url, "us-east-1", False, keys)

    monkeypatch.setattr(sys.modules[kind.__module__], "find_access", access)
    storage = kind(BucketAddress("s3", "the-bucket"), options=IMPATIENT)
    server.answer(Reply(200, b"value", HEADERS))
    with pytest.raises(DeniedError, match="log in first") as raised:
        # When obstore and s3fs ask for them a second time is theirs to choose.
        [storage.read("a/key") for _ in range(2)]
    assert raised.value.code == "credentials-missing"


@pytest.mark.parametrize("kind", [CloudStorage, RemoteStorage])
def test_nobody_there_is_unavailable_and_marked_as_never_reached(
    kind: type, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.description.environ.items():
        monkeypatch.setenv(name, value)
    # Port 1 of loopback: nobody listens there.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    error = refusal(read, kind(BucketAddress("s3", "the-bucket"), options=IMPATIENT))
    assert type(error) is UnavailableError
    assert "nothing answers at http://127.0.0.1:1" in error.message
    assert error.context["reached"] is False


def test_an_endpoint_that_answered_before_is_worth_more_patience(
    storage: Storage, server: AnsweringServer
) -> None:
    server.answer(Reply(fault="reset"))
    assert refusal(read, storage).context["reached"] is True


@pytest.mark.parametrize("kind", [CloudStorage, RemoteStorage])
def test_tls_to_a_server_without_is_told_as_such_and_not_tried_again(
    kind: type, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.description.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.server_port}")
    error = refusal(read, kind(BucketAddress("s3", "the-bucket"), options=IMPATIENT))
    assert (type(error), error.code) == (StorageError, "storage-failed")
    assert "http://" in str(error.hint)

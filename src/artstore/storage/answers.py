"""
What the answer of a bucket means: status and code in, the error to raise out. Pure: no I/O.

One table for every client, so that the same answer is the same error whichever
library brought it. Whatever may be worth trying again is UnavailableError: its
outcome counts as unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from artstore.errors import (
    ArtstoreError,
    DeniedError,
    NotFoundError,
    StorageError,
    UnavailableError,
)
from artstore.storage.values import key_exists, key_not_found

__all__ = [
    "Answer",
    "Asked",
    "Silence",
    "answer_error",
    "answer_of_body",
    "order_error",
    "shown",
    "silence_error",
    "unsuitable_error",
]

_SHOWN_CHARS: Final = 300

_BUSY_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 509})
_BUSY_CODES: Final = frozenset(
    {
        *(
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
            "TooManyRequests",
        ),
        *("InternalError", "ServiceUnavailable", "OperationAborted", "RequestTimeout"),
        # A condition that could not be decided: someone else was writing the key.
        "ConditionalRequestConflict",
        # The bytes changed on the way: nothing was stored.
        *("BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"),
        *("XAmzContentChecksumMismatch", "InvalidRequestChecksum"),
    }
)
_FULL_CODES: Final = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"})
_REGION_CODES: Final = frozenset(
    {
        *("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"),
        *("IllegalLocationConstraintException", "InvalidRegion"),
    }
)
_RENEW: Final = "log in again (`aws sso login`) or renew AWS_SESSION_TOKEN: its time is over"
_DENIED_HINTS: Final = {
    "AccessDenied": "the credentials are known but may not do this: reading takes s3:GetObject "
    "and s3:ListBucket, writing s3:PutObject too (without s3:ListBucket a missing object is "
    "answered like this)",
    "InvalidAccessKeyId": "this endpoint does not know the key: check AWS_ACCESS_KEY_ID or "
    "AWS_PROFILE, and AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "the secret does not belong to the key: check "
    "AWS_SECRET_ACCESS_KEY, and AWS_REGION if the endpoint is not that of AWS",
    "RequestTimeTooSkewed": "the clock of this machine is wrong by more than 15 minutes: set it "
    "(`timedatectl set-ntp true`)",
    "RequestExpired": "the clock of this machine is wrong: set it (`timedatectl set-ntp true`)",
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the key: unset it or renew all three",
    "InvalidObjectState": "the object lies in an archive class: restore it, and keep lifecycle "
    "rules that archive away from stores",
    "AllAccessDisabled": "the bucket's owner or provider has switched access off",
    "AccountProblem": "ask the provider: the account is suspended or not paid for",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a server said.

    Attributes:
        status: of HTTP.
        code: of the body's `<Code>`; empty if there is none (HEAD has no body).
        region: the region that the server named as the right one, or empty.
    """

    status: int
    code: str = ""
    message: str = ""
    region: str = ""

    def __str__(self) -> str:
        text = f"{self.status} {self.code}".strip()
        return f"{text}: {shown(self.message)}" if self.message else text


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What was asked of whom, for the message.

    Attributes:
        doing: a verb, `read`, `create`, `list`, `delete`.
        key: of the store; for listings the prefix.
        url: of the storage.
        bucket: its name.
        endpoint: where requests go.
        region: that requests are signed for.
        was_reached: whether the endpoint has answered anything before.
    """

    doing: str
    key: str
    url: str
    bucket: str
    endpoint: str = ""
    region: str = ""
    was_reached: bool = False

    def __str__(self) -> str:
        return f"cannot {self.doing} {self.key or 'what is'} in {self.url}"


@dataclass(frozen=True, slots=True)
class Silence:
    """
    Why there is no answer.

    Attributes:
        kind: `timeout`, `connect`, `name` (of the host), `tls`, `cut` (in the middle) or
            `unclear`.
        detail: what the client says.
    """

    kind: str
    detail: str = ""


def answer_of_body(status: int, body: str) -> Answer:
    """The answer in an S3 error document; anything else becomes its message."""
    found = {
        name: match[1].strip()
        for name in ("Code", "Message", "Region")
        if (match := re.search(rf"<{name}>([^<]*)</{name}>", body))
    }
    if not found:
        return Answer(status, message=re.sub(r"<[^>]*>", " ", body).strip())
    return Answer(status, found.get("Code", ""), found.get("Message", ""), found.get("Region", ""))


def answer_error(answer: Answer, asked: Asked) -> ArtstoreError:
    """The error that an answer means, for whoever asked."""
    status, code = answer.status, answer.code
    key = asked.key
    if code in _FULL_CODES or status == 507:
        return DeniedError(
            f"{asked}: {answer}", code="storage-full", hint="make room or raise the quota", key=key
        )
    if code == "NoSuchBucket" or (status == 404 and asked.doing != "read"):
        return _no_bucket(answer, asked)
    if status == 404:
        return key_not_found(asked.url, key)
    if asked.doing == "create" and status == 412:
        return key_exists(asked.url, key)
    if code in _DENIED_HINTS or status in (401, 403):
        return _denied(answer, asked)
    if code in _REGION_CODES or 300 <= status < 400:
        return _wrong_region(answer, asked)
    if code in _BUSY_CODES or status in _BUSY_STATUS or status == 409:
        return UnavailableError(
            f"{asked}: {answer}",
            code="storage-unavailable",
            hint="try again later; what is stored already is not sent again",
            key=key,
        )
    if status == 501:
        return unsuitable_error(asked, f"the endpoint does not know this request ({answer})")
    return StorageError(f"{asked}: {answer}", code="storage-failed", key=key)


def silence_error(silence: Silence, asked: Asked) -> StorageError:
    """The error for a request without an answer; whether it was carried out is unknown."""
    at = f" at {asked.endpoint}" if asked.endpoint else ""
    why = f" ({shown(silence.detail)})" if silence.detail else ""
    if silence.kind == "tls":
        return StorageError(
            f"{asked}: no trusted connection{at}{why}",
            code="storage-failed",
            hint="if the certificate is of your own authority, name its file in AWS_CA_BUNDLE; "
            "if the endpoint speaks no TLS, write http:// in AWS_ENDPOINT_URL",
            key=asked.key,
        )
    what, hint = {
        "timeout": (f"no answer in time{at}", "check the network, then try again"),
        "connect": (f"nothing answers{at}", "check AWS_ENDPOINT_URL and the network"),
        "name": (
            f"the name of the host is not known{at}",
            "check AWS_ENDPOINT_URL and the network",
        ),
        "cut": (f"the connection{at} broke", "try again"),
    }.get(silence.kind, (f"the answer{at} is not understood", "try again"))
    return UnavailableError(
        f"{asked}: {what}{why}",
        code="storage-unavailable",
        hint=hint,
        key=asked.key,
        # False: nobody was ever there. See RetryingStorage.
        reached=asked.was_reached or silence.kind not in ("connect", "name"),
    )


def unsuitable_error(asked: Asked, why: str) -> StorageError:
    """The error for a server that does not do what a store needs; it is not tried again."""
    return StorageError(
        f"{asked}: {why}",
        code="storage-unsuitable",
        hint="`art doctor` tries what a store needs",
        key=asked.key,
    )


def order_error(last: str, key: str, asked: Asked) -> StorageError:
    """
    The error for a listing that is not in order (S5), as those of directory buckets and s3rver.

    A store would miss what is listed too early, and would miss it every time.
    """
    return unsuitable_error(asked, f"{key} is listed after {last}, and keys have to be in order")


def _no_bucket(answer: Answer, asked: Asked) -> ArtstoreError:
    at = f" at {asked.endpoint}" if asked.endpoint else ""
    return NotFoundError(
        f"{asked}: there is no bucket {asked.bucket}{at} ({answer})",
        code="bucket-not-found",
        hint="make the bucket first, or check its name and AWS_ENDPOINT_URL",
        bucket=asked.bucket,
    )


def _denied(answer: Answer, asked: Asked) -> ArtstoreError:
    hint = _DENIED_HINTS.get(answer.code)
    if hint is None:
        hint = "check the credentials and what they may do in this bucket"
    return DeniedError(f"{asked}: {answer}", code="storage-denied", hint=hint, key=asked.key)


def _wrong_region(answer: Answer, asked: Asked) -> ArtstoreError:
    region = f" {answer.region}" if re.fullmatch(r"[a-z0-9\-]{1,40}", answer.region) else ""
    signed = f", requests were signed for {asked.region}" if asked.region else ""
    return StorageError(
        f"{asked}: the bucket is in another region{region}{signed} ({answer})",
        code="storage-failed",
        hint=f"set AWS_REGION={region.strip() or 'REGION'}",
        key=asked.key,
    )


def shown(text: str) -> str:
    """Words of a server, fit for a terminal: one line, no control characters, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}..."

"""
The bytes of one log entry: `decode` and `encode`, pure, no I/O.

Bytes that are no entry are *void*: they use up their number, have no effect,
and the next entry is chained over them as they are. What is void must be the
same for every reader of every release, so the rules here never change for
format 1; docs/format/log.md states them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore import canonical, digest, limits, names, sealed
from artstore.catalog.retention import is_alias_pattern
from artstore.durations import DURATION_MAX_SECONDS
from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError

__all__ = [
    "COLLECTION_KINDS",
    "FORMAT",
    "NO_DIGEST",
    "UPKEEP_KINDS",
    "VERSION_MAX",
    "Body",
    "Kinds",
    "LogEntry",
    "RawEntry",
    "UnknownEntry",
    "VoidEntry",
    "collection_prefix",
    "decode_again",
    "decode_entry",
    "encode_entry",
    "entry_key",
    "parse_entry_key",
]

FORMAT: Final = 1
NO_DIGEST: Final = bytes(digest.DIGEST_BYTES)
"""What entry 0 is chained to."""
VERSION_MAX: Final = 999_999_999
AUTHOR_MAX_CHARS: Final = 256
_DECODE_COUNT_MAX: Final = 2**63

Body = tuple[str, dict[str, Any]]
"""A kind and its own fields: what an operation decides to write."""


@dataclass(frozen=True, slots=True)
class RawEntry:
    """
    What lies under an entry's key, whatever it is.

    `data` is None if it is too large for an entry: such bytes are void, and only
    their digest is needed to continue. `is_sound` is set on what comes from the
    replica and was decoded as an entry before: it need not be looked at so closely again.
    """

    n: int
    data: bytes | None
    digest: bytes
    size_bytes: int
    is_sound: bool = False

    @classmethod
    def of(cls, n: int, data: bytes) -> RawEntry:
        """The record of `data` stored as entry n."""
        return cls(n, data, digest.digest_of(data), len(data))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry as it was written. `fields` holds what belongs to its kind."""

    n: int
    kind: str
    must_understand: bool
    write: str
    time: str
    by: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VoidEntry:
    """Bytes under an entry's key that are no entry, or that do not continue the log."""

    n: int
    reason: str
    is_chained: bool = True
    """False if `prev` alone is wrong: then the entry before may have been replaced."""
    is_damaged: bool = False
    """True for bytes that no writer wrote under this key: torn, flipped, misplaced, or garbage."""


@dataclass(frozen=True, slots=True)
class UnknownEntry:
    """An entry of a kind or format that this release does not know."""

    n: int
    kind: str
    must_understand: bool


# --- Keys ---------------------------------------------------------------------


def collection_prefix(project: str, name: str) -> str:
    """`collections/<project>/<name>/`, both escaped."""
    return f"collections/{names.escape_for_key(project)}/{names.escape_for_key(name)}/"


def entry_key(prefix: str, n: int) -> str:
    """The key of entry n of the log under `prefix`."""
    return f"{prefix}{n:0{limits.LOG_NUMBER_DIGITS}d}"


def parse_entry_key(prefix: str, key: str) -> int | None:
    """The number in an entry's key, None for any other key."""
    digits = key[len(prefix) :]
    if len(digits) != limits.LOG_NUMBER_DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


# --- Field rules ----------------------------------------------------------------

Rule = Callable[[Any], bool]
Kinds = Mapping[str, tuple[tuple[str, Rule], ...]]
"""Field rules by kind; a rule for a field that may be absent is told None then."""

_HEX16 = re.compile(r"[0-9a-f]{16}")
_HEX32 = re.compile(r"[0-9a-f]{32}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_ROOT_KEY = re.compile(r"manifests/([0-9a-f]{2})/\1[0-9a-f]{62}-[0-9a-f]{16}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_SIGNATURE_MAX_CHARS = 16_384


def _matches(pattern: re.Pattern[str]) -> Rule:
    fullmatch = pattern.fullmatch
    return lambda value: type(value) is str and fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    # `type is int`, not isinstance: true is an int to Python and no number to JSON.
    return type(value) is int and 0 <= value < _DECODE_COUNT_MAX


def _is_positive(value: Any) -> bool:
    # Within what a rule may say (`Retention`): the fold must not refuse what passes here.
    return type(value) is int and 1 <= value <= VERSION_MAX


def _is_duration(value: Any) -> bool:
    return type(value) is int and 1 <= value <= DURATION_MAX_SECONDS


def _is_version(value: Any) -> bool:
    return type(value) is int and 0 <= value <= VERSION_MAX


def _is_name_of(check: Callable[[str], str]) -> Rule:
    def rule(value: Any) -> bool:
        if type(value) is not str:
            return False
        try:
            check(value)
        except InvalidInputError:
            return False
        return True

    return rule


def _list_of(rule: Rule) -> Rule:
    def is_list(value: Any) -> bool:
        if type(value) is not list:
            return False
        return not value or (all(map(rule, value)) and len(set(value)) == len(value))

    return is_list


def _optional(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


_is_push = _matches(_HEX16)
_is_store = _matches(_HEX32)
_is_digest = _matches(_HEX64)
_is_root = _matches(_ROOT_KEY)
_is_time = _matches(_TIME)
_is_aliases = _list_of(_is_name_of(names.check_alias))
_is_tags = _list_of(_is_name_of(names.check_tag))
_is_project = _is_name_of(names.check_project_name)
_is_collection = _is_name_of(names.check_collection_name)
_is_type = _is_name_of(names.check_type_name)
_is_key = _is_name_of(names.check_key)
# A draft and the holder of a pin are ids, written by programs: no free text in logs (P1).
_is_id = _is_collection


def _is_source(value: Any) -> bool:
    return (
        type(value) is dict
        and _is_project(value.get("project"))
        and _is_collection(value.get("name"))
        and _is_version(value.get("version"))
        and (value.get("store") is None or _is_store(value["store"]))
    )


def _is_sources(value: Any) -> bool:
    return type(value) is list and all(map(_is_source, value))


def _is_origin(value: Any) -> bool:
    if type(value) is not dict or type(value.get("artifact")) is not str:
        return False
    project, slash, name = value["artifact"].partition("/")
    return (
        bool(slash)
        and _is_source({"project": project, "name": name, "version": value.get("version")})
        and _is_store(value.get("store"))
        and _is_time(value.get("time"))
        and _is_author(value.get("by"))
    )


def _is_run(value: Any) -> bool:
    if type(value) is not str:
        return False
    project, slash, run_id = value.partition("/")
    return bool(slash) and _is_project(project) and _is_id(run_id)


def _is_signature(value: Any) -> bool:
    return type(value) is str and value.isascii() and 0 < len(value) <= _SIGNATURE_MAX_CHARS


_VERSION_FIELDS: tuple[tuple[str, Rule], ...] = (
    ("version", _is_version),
    ("digest", _is_digest),
    ("root", _is_root),
    ("push", _is_push),
    ("size_bytes", _is_count),
    ("file_count", _is_count),
    ("entry_count", _is_count),
    ("aliases", _is_aliases),
    ("tags", _is_tags),
    ("run", _optional(_is_run)),
    ("inputs", _optional(_is_sources)),
    ("origin", _optional(_is_origin)),
)
_ONE_VERSION: tuple[tuple[str, Rule], ...] = (("version", _is_version),)
_ONE_NAME: tuple[tuple[str, Rule], ...] = (("project", _is_project), ("name", _is_collection))
_ONE_DRAFT: tuple[tuple[str, Rule], ...] = (("draft", _is_id),)

COLLECTION_KINDS: Final[Kinds] = {
    "create": (*_ONE_NAME, ("type", _is_type)),
    "publish": (*_VERSION_FIELDS, ("draft", _optional(_is_id))),
    "link": (*_VERSION_FIELDS, ("source", _is_source)),
    "alias": (*_ONE_VERSION, ("add", _is_aliases), ("remove", _is_aliases)),
    "tag": (*_ONE_VERSION, ("add", _is_tags), ("remove", _is_tags)),
    "describe": (*_ONE_VERSION, ("meta", _is_root)),
    "delete": _ONE_VERSION,
    "restore": _ONE_VERSION,
    "purge": _ONE_VERSION,
    "ttl": (*_ONE_VERSION, ("seconds", _optional(_is_count))),
    "pin": (*_ONE_VERSION, ("until", _is_time), ("holder", _is_id)),
    "unpin": (*_ONE_VERSION, ("holder", _is_id)),
    "retention": (
        ("keep_last", _optional(_is_positive)),
        ("keep_within_seconds", _optional(_is_duration)),
        ("keep_aliases", _optional(_list_of(is_alias_pattern))),
        ("protected", _optional(_is_aliases)),
    ),
    "fence": (("plan", _is_count),),
    "redirect": _ONE_NAME,
    "named": _ONE_NAME,
    "draft_open": _ONE_DRAFT,
    "draft_abandon": _ONE_DRAFT,
    "attest": (("target", _is_count), ("digest", _is_digest), ("signature", _is_signature)),
}
"""The kinds of `collections/**` in format 1."""

UPKEEP_KINDS: Final[Kinds] = {
    "plan": (
        ("k", _is_count),
        ("condemned", _list_of(_is_key)),
        ("condemned_in", _list_of(_is_key)),
        ("heads_in", _optional(_list_of(_is_key))),
        ("list_digests", _optional(_list_of(_is_digest))),
        ("grace_seconds", _optional(_is_count)),
    ),
    "sweep": (
        ("plan", _is_count),
        ("spared", _list_of(_is_key)),
        ("spared_in", _optional(_list_of(_is_key))),
        ("list_digests", _optional(_list_of(_is_digest))),
    ),
    "done": (("plan", _is_count),),
    "prune": (),
}
"""The kinds of `upkeep/` in format 1."""

_OPTIONAL_KINDS: Final = frozenset(["attest", "prune", "retention"])
"""What a reader may pass over; everything else changes what is live or what it is called."""

# --- Decoding -------------------------------------------------------------------


def decode_entry(
    data: bytes, n: int, previous: bytes | None, kinds: Kinds
) -> LogEntry | VoidEntry | UnknownEntry:
    """
    Read the bytes stored as entry n.

    Args:
        data: raw bytes of any kind, at most limits.ENTRY_MAX_BYTES are looked at.
        previous: digest of the raw bytes of entry n-1; None after a hole, where
            the chain cannot be checked.
        kinds: COLLECTION_KINDS or UPKEEP_KINDS.
    Returns:
        a VoidEntry for whatever is no entry; this function never raises.
    Source: docs/format/log.md sections 2 and 4.
    """
    if len(data) > limits.ENTRY_MAX_BYTES:
        return VoidEntry(n, f"has more than {limits.ENTRY_MAX_BYTES} bytes", is_damaged=True)
    try:
        value = canonical.decode(data, what=f"log entry {n}")
    except DamagedDataError:
        return VoidEntry(n, "is not JSON", is_damaged=True)
    if type(value) is not dict:
        return VoidEntry(n, "is not a JSON object", is_damaged=True)
    version = value.pop("format", None)
    if type(version) is not int or version < 1:
        return VoidEntry(n, "has no format number", is_damaged=True)
    is_whole = sealed.is_sealed(data, value)
    if version != FORMAT and (is_whole or sealed.MEMBER not in value):
        # Nothing but the number is known of another format, its chain included.
        return UnknownEntry(n, f"of format {version}", must_understand=True)
    if not is_whole:
        return VoidEntry(n, "is not what was written", is_damaged=True)
    del value[sealed.MEMBER]
    return _decode_v1(value, n, previous, kinds)


_decoder: Final = json.JSONDecoder()


def decode_again(data: bytes, n: int) -> LogEntry:
    """
    Read an entry that `decode_entry` took before and whose bytes are proven equal.

    Cost: a third of `decode_entry`; a log of 10,000 entries is read at every start.
    """
    text = data.decode()
    # Behind `decode` stand two searches for white space, which canonical bytes have not.
    value: dict[str, Any]
    value = _decoder.raw_decode(text)[0] if text[0] == "{" else _decoder.decode(text)
    return LogEntry(
        n,
        value["kind"],
        value["must_understand"],
        value["write"],
        value["time"],
        value["by"],
        value,
    )


def _decode_v1(
    value: dict[str, Any], n: int, previous: bytes | None, kinds: Kinds
) -> LogEntry | VoidEntry | UnknownEntry:
    take = value.pop
    number, prev, kind = take("n", None), take("prev", None), take("kind", None)
    must, write = take("must_understand", None), take("write", None)
    time, by = take("time", None), take("by", None)
    if type(number) is not int or number != n:
        return VoidEntry(n, "states another number", is_damaged=True)
    if type(kind) is not str or not kind or type(must) is not bool:
        return VoidEntry(n, "does not state its kind")
    if not (_is_digest(prev) and _is_push(write) and _is_time(time) and _is_author(by)):
        return VoidEntry(n, "lacks a field that every entry has")
    if previous is not None and prev != previous.hex():
        return VoidEntry(n, "does not continue the entry before it", is_chained=False)
    rules = kinds.get(kind)
    if rules is None:
        return UnknownEntry(n, kind, must)
    requires = value.get("requires", [])
    if type(requires) is not list or not all(type(feature) is str for feature in requires):
        return VoidEntry(n, "has no valid field 'requires'")
    if requires:
        # Format 1 has no optional features yet: whatever is required is not known here.
        return UnknownEntry(n, f"{kind} that requires {', '.join(requires)}", must_understand=True)
    for name, rule in rules:
        if not rule(value.get(name)):
            return VoidEntry(n, f"has no valid field {name!r}")
    return LogEntry(n, kind, must, write, time, by, value)


def _is_author(value: Any) -> bool:
    if type(value) is not str or len(value) > AUTHOR_MAX_CHARS:
        return False
    # Lone surrogates and control characters are not printable.
    return value.isprintable()


# --- Encoding -------------------------------------------------------------------


def encode_entry(
    body: Body, *, n: int, previous: bytes, write: str, time: str, by: str, kinds: Kinds
) -> bytes:
    """
    The bytes of entry n.

    Raises:
        LimitExceededError: `limit-exceeded`, more than limits.ENTRY_MAX_BYTES.
        InvalidInputError: `value-invalid`, a field breaks the rules of its kind.
    """
    kind, fields = body
    data = sealed.encode_sealed(
        {
            **fields,
            "format": FORMAT,
            "n": n,
            "prev": previous.hex(),
            "kind": kind,
            "must_understand": kind not in _OPTIONAL_KINDS,
            "write": write,
            "time": time,
            "by": by,
        },
        what=f"a log entry of kind {kind}",
    )
    if len(data) > limits.ENTRY_MAX_BYTES:
        raise LimitExceededError(
            f"a log entry of kind {kind} would have {len(data)} bytes, "
            f"more than {limits.ENTRY_MAX_BYTES}",
            code="limit-exceeded",
        )
    # An entry that readers take as void would be a commit that never was: every
    # entry is read back by the reader's own rules before it leaves memory.
    decoded = decode_entry(data, n, previous, kinds)
    if not isinstance(decoded, LogEntry):
        reason = decoded.reason if isinstance(decoded, VoidEntry) else "is of an unknown kind"
        raise InvalidInputError(f"a log entry of kind {kind} {reason}", code="value-invalid")
    return data

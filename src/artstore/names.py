"""
The gates for every name: artifacts, projects, aliases, entry paths, storage keys.

A name that passes here is safe as part of a key on every backend, case-folding
disks included; a path that passes here stays inside the directory it is
restored to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from artstore import limits
from artstore.errors import InvalidInputError

__all__ = [
    "PLUMBING_TYPES",
    "RUN_FILES_TYPE",
    "RUN_TABLE_TYPE",
    "VIEW_TYPE",
    "ArtifactName",
    "check_alias",
    "check_collection_name",
    "check_entry_path",
    "check_holder",
    "check_key",
    "check_project_name",
    "check_tag",
    "check_type_name",
    "escape_for_key",
    "parse_artifact_name",
    "parse_version_address",
    "proposed_name",
    "spelled",
    "unescape_from_key",
]

VIEW_TYPE: Final = "view"
"""The type of saved views of the page."""

RUN_TABLE_TYPE: Final = "run_table"
"""The type of a table that a step of a run logged."""

RUN_FILES_TYPE: Final = "run_files"
"""The type of the files that a run saved."""

PLUMBING_TYPES: Final = frozenset([VIEW_TYPE, RUN_TABLE_TYPE, RUN_FILES_TYPE])
"""What lists of artifacts leave out."""

_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-.]*")
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_\-.]")
_TAG = re.compile(r"[-\w]+( +[-\w]+)*")
_VERSION = re.compile(r"v(0|[1-9][0-9]{0,8})")
_LIKE_VERSION = re.compile(r"v[0-9]+")
_DIGEST_PREFIX = re.compile(r"[0-9a-f]{8,64}")
# No dot at the end: Windows and SMB drop it, and two keys would be one.
_KEY_PART = re.compile(r"[a-z0-9_\-!]([a-z0-9_\-.!]*[a-z0-9_\-!])?")
# Device names of Windows: a store is copied between systems.
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{p}{d}" for p in ("com", "lpt") for d in range(1, 10))]
)


@dataclass(frozen=True, slots=True)
class ArtifactName:
    """
    A parsed `[project/]name[:version]`.

    At most one of `version`, `alias` and `digest_prefix` is set; none means latest.
    """

    name: str
    project: str | None = None
    version: int | None = None
    alias: str | None = None
    digest_prefix: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether a version was written at all (`:v3`, `:best`, `@1234abcd`)."""
        return not (self.version is None and self.alias is None and self.digest_prefix is None)

    def __str__(self) -> str:
        text = f"{self.project}/{self.name}" if self.project else self.name
        if self.version is not None:
            return f"{text}:v{self.version}"
        if self.alias is not None:
            return f"{text}:{self.alias}"
        return f"{text}@{self.digest_prefix}" if self.digest_prefix else text


def parse_version_address(text: str) -> tuple[str, str, int] | None:
    """Project, name and number of `project/name:v3` or `project/name:v3/path`; None for no such."""
    head, colon, rest = text.partition(":")
    try:
        parsed = parse_artifact_name(f"{head}{colon}{rest.partition('/')[0]}")
    except InvalidInputError:
        return None
    if parsed.project is None or parsed.version is None:
        return None
    return parsed.project, parsed.name, parsed.version


def parse_artifact_name(text: str) -> ArtifactName:
    """
    Parse `[project/]name[:vN|:alias|@digest]`.

    Raises:
        InvalidInputError: `name-invalid`.
    """
    rest, project = text, None
    if "/" in rest:
        project, rest = rest.split("/", 1)
        check_project_name(project)
    if "@" in rest:
        name, digest = rest.split("@", 1)
        if not _DIGEST_PREFIX.fullmatch(digest):
            raise _invalid(
                text, "the digest behind @ has 8 to 64 hex digits, as `art show` prints them"
            )
        return ArtifactName(check_collection_name(name), project, digest_prefix=digest)
    name, colon, selector = rest.partition(":")
    check_collection_name(name)
    if not colon:
        return ArtifactName(name, project)
    if match := _VERSION.fullmatch(selector):
        return ArtifactName(name, project, version=int(match[1]))
    if _LIKE_VERSION.fullmatch(selector):
        raise _invalid(text, "a version is v0, v1, ...: no leading zeros, at most nine digits")
    return ArtifactName(name, project, alias=check_alias(selector, assign=False))


def check_collection_name(text: str) -> str:
    """Letters, digits, `_`, `-` and `.`, not first a dot, at most 128: the name of an artifact."""
    return _check_key_name(text, "an artifact name")


def check_project_name(text: str) -> str:
    """As for artifact names."""
    return _check_key_name(text, "a project name")


def check_holder(text: str) -> str:
    """Who holds a pin: as for artifact names."""
    return _check_key_name(text, "the holder of a pin")


def check_type_name(text: str) -> str:
    """As for artifact names: `dataset`, `model`, ..."""
    return _check_plain(text, "an artifact type")


def check_alias(text: str, *, assign: bool = True) -> str:
    """
    An alias: plain characters; neither `vN` nor, when assigned, `latest`, which is computed.

    Raises:
        InvalidInputError: `name-invalid`.
    """
    _check_plain(text, "an alias")
    if _LIKE_VERSION.fullmatch(text):
        raise _invalid(text, "vN names a version and cannot be an alias")
    if assign and text == "latest":
        raise _invalid(text, "latest always is the newest version and cannot be assigned")
    return text


def check_tag(text: str) -> str:
    """Words of letters, digits, `_` and `-`, single names or parted by spaces, at most 128."""
    if len(text) > limits.NAME_MAX_CHARS or not _TAG.fullmatch(text):
        raise _invalid(text, "a tag has words of letters, digits, _ and -, at most 128 characters")
    return text


def check_entry_path(path: str) -> str:
    """
    The gate for entry paths, on the way in and, for hostile manifests, on the way out.

    Relative, `/` between parts, no part empty, `.` or `..`, no NUL, valid
    Unicode, at most 4,096 bytes of UTF-8. Nothing is normalised.

    Raises:
        InvalidInputError: `path-invalid`, naming the path and the rule.
    """
    # One check for the common case: 1 M paths pass through here.
    if (
        path.isascii()
        and path.isprintable()
        and 0 < len(path) <= 255
        and "." not in path[:2]
        and path[0] != "/"
        and path[-1] != "/"
        and "/." not in path
        and "//" not in path
    ):
        return path
    rule = _broken_path_rule(path)
    if rule is not None:
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise InvalidInputError(f"path {shown!r} {rule}", code="path-invalid", path=shown)
    return path


def _broken_path_rule(path: str) -> str | None:
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute"
    if "\0" in path:
        return "contains a NUL character"
    parts = path.split("/")
    if "" in parts:
        return "has an empty part"
    if "." in parts or ".." in parts:
        return "has a part . or .."
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if size > limits.PATH_MAX_BYTES:
        return f"has {size} bytes, more than {limits.PATH_MAX_BYTES}"
    return None


def check_key(key: str) -> str:
    """
    The gate for storage keys: what S3, case-folding disks and URLs all keep apart.

    Raises:
        InvalidInputError: `key-invalid`.
    """
    parts = key.split("/")
    if len(key) > 1024 or not all(
        len(part) <= limits.KEY_PART_MAX_CHARS and _KEY_PART.fullmatch(part) for part in parts
    ):
        raise InvalidInputError(f"storage key {key!r} is not valid", code="key-invalid", key=key)
    return key


def escape_for_key(name: str) -> str:
    """
    A checked name as one part of a key: `Mnist` -> `!mnist`, `con` -> `!!con`, `a.` -> `a.!`.

    Capitals get a `!` in front, so that `Mnist` and `mnist` stay two names on a
    disk that folds case; device names of Windows get `!!`; a dot at the end,
    which Windows and SMB drop, is followed by `!`.
    """
    escaped = "".join(f"!{c.lower()}" if c.isupper() else c for c in name)
    if escaped.endswith("."):
        escaped += "!"
    return f"!!{escaped}" if name.partition(".")[0].lower() in _RESERVED else escaped


def unescape_from_key(part: str) -> str:
    """Inverse of `escape_for_key`."""
    plain = part.removeprefix("!!").removesuffix("!")
    return re.sub(r"!([a-z])", lambda match: match[1].upper(), plain)


def spelled(text: str, filler: str) -> str:
    """`text` with `filler` in place of each character that no name may have; no name yet."""
    return _NOT_OF_NAMES.sub(filler, text)


def proposed_name(text: str) -> str:
    """
    A name for what is called `text`: `my data (2).csv` -> `my-data-2-.csv`.

    Empty if nothing of the text can stand in a name.
    """
    plain = re.sub(r"[^A-Za-z0-9_\-.]+", "-", text).strip("-").lstrip(".")
    return plain[: limits.NAME_MAX_CHARS]


def _check_key_name(text: str, what: str) -> str:
    _check_plain(text, what)
    # 128 capitals would become 256 characters of a key, one more than disks take.
    if len(escape_for_key(text)) > limits.KEY_PART_MAX_CHARS:
        raise _invalid(text, f"{what} of that length has fewer capitals")
    return text


def _check_plain(text: str, what: str) -> str:
    if len(text) > limits.NAME_MAX_CHARS or not _NAME.fullmatch(text):
        raise _invalid(
            text,
            f"{what} has letters, digits, _, - and ., starts with no dot, "
            f"and at most {limits.NAME_MAX_CHARS} characters",
        )
    return text


def _invalid(text: str, rule: str) -> InvalidInputError:
    return InvalidInputError(f"{text!r} is not a valid name: {rule}", code="name-invalid")

"""
Secrets are never recorded: what is taken out of texts, command lines and reports.

Three things give a secret away: that a variable of the environment with a telling
name has this very value, that a telling name stands in front of it
(`--api-key X`, `password: X`, `?sig=X`), and its shape (`ghp_...`). Taken out is
rather too much than too little: a mask costs a word of a report.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from artstore import clock, forks

__all__ = [
    "MASK",
    "is_secret_name",
    "mask",
    "mask_arguments",
    "mask_json",
    "mask_known",
    "recorded_variables",
]

MASK: Final = "***"
"""What stands in place of a secret."""

_RECORDED: Final = (
    "CONDA_DEFAULT_ENV",
    "CUDA_VISIBLE_DEVICES",
    "GROUP_RANK",
    "LOCAL_RANK",
    "NODE_RANK",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "RANK",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_CLUSTER_NAME",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_JOB_PARTITION",
    "SLURM_NODEID",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_RESTART_COUNT",
    "WORLD_SIZE",
)
"""All of the environment that is ever recorded."""

_SHORTEST_VALUE_CHARS: Final = 8
"""A shorter value of a variable, such as `on`, would be found in every other word."""
_PIECE_CHARS: Final = 32 * 1024
"""Masked at a time, as `re` lets no other thread run meanwhile."""
_FRESH_SECONDS: Final = 1.0

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_PARTS: Final = (
    "accesskey",
    "accountkey",
    "apikey",
    "authorization",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
)
"""Within a name, they say it all."""
_SECRET_WORDS: Final = frozenset(
    {
        "auth",
        "bearer",
        "cookie",
        "cred",
        "creds",
        "dsn",
        "jwt",
        "pass",
        "pat",
        "pwd",
        "sig",
        "signature",
        "token",
        "webhook",
    }
)
_HARMLESS_ENDS: Final = frozenset(
    {
        "budget",
        "count",
        "counts",
        "dim",
        "id",
        "ids",
        "index",
        "len",
        "length",
        "limit",
        "mask",
        "per",
        "rate",
        "size",
        "type",
        "types",
    }
)
"""A token's id or a count of tokens is what models are made of, and no secret."""
_SECRET_KEYS: Final = frozenset(
    {
        "access",
        "account",
        "api",
        "app",
        "auth",
        "client",
        "deploy",
        "encryption",
        "fernet",
        "hmac",
        "license",
        "master",
        "private",
        "secret",
        "service",
        "shared",
        "signing",
        "ssh",
        "storage",
        "subscription",
    }
)
"""With one of these before it, a key opens something."""
_DIRECTORIES: Final = frozenset({"PWD", "OLDPWD"})

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
    r".*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\Z)",
    re.DOTALL,
)
_SHAPES: Final = re.compile(
    r"""
      (?:AKIA|ASIA)[0-9A-Z]{16}
    | gh[opsur]_[A-Za-z0-9]{20,}
    | github_pat_[A-Za-z0-9_]{20,}
    | hf_[A-Za-z0-9]{20,}
    | (?<![A-Za-z0-9])sk-[A-Za-z0-9_\-]{16,}
    | (?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}
    | xox[a-z]-[A-Za-z0-9\-]{8,}
    | xapp-[A-Za-z0-9\-]{8,}
    | glpat-[A-Za-z0-9_\-]{16,}
    | gsk_[A-Za-z0-9]{20,}
    | nvapi-[A-Za-z0-9_\-]{20,}
    | npm_[A-Za-z0-9]{30,}
    | pypi-[A-Za-z0-9_\-]{32,}
    | AIza[A-Za-z0-9_\-]{30,}
    | ya29\.[A-Za-z0-9_\-]{16,}
    | SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}
    | AGE-SECRET-KEY-1[A-Z0-9]{20,}
    | (?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?
    | (?<=hooks\.slack\.com/)[A-Za-z0-9/]{8,}
    """,
    re.VERBOSE,
)
_BEARER: Final = re.compile(r"\b(Bearer|Basic) +([A-Za-z0-9._~+/=\-]{8,})", re.IGNORECASE)
# A port is no password, `http://localhost:8080/a@b`; but `me:8080/` may begin one.
_NO_PORT: Final = r"(?!(?:localhost|[\w\-]{1,63}\.[\w.\-]{1,200}):\d{1,5}/)"
_USER_AND_PASSWORD: Final = re.compile(
    rf"(?<=://){_NO_PORT}"
    r"(?:[^/\s:@\"'<>]{0,200}:[^\s\"'<>]{0,500}|[^/\s:@\"'<>?#]{1,500})@"
)
_PARAMETER: Final = re.compile(r"([?&;])([A-Za-z][\w.\-]{0,60})=([^&;\s\"'<>]+)")
_SIGNED: Final = frozenset(
    {
        "awsaccesskeyid",
        "code",
        "key",
        "policy",
        "se",
        "sig",
        "signature",
        "sv",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-credential",
        "x-goog-signature",
    }
)
_NAME: Final = re.compile(
    r"(?<![\w.\-])([A-Za-z_][\w.\-]{0,80})"
    r"(\\{0,3}[\"']?\]?[ \t]{0,8}(?::=|=>|[:=])(?!=)[ \t]{0,8})"
)
_QUOTED: Final = re.compile(
    r"""
    (?P<opening>[BbFfRrUu]{0,2} (?P<quote>\"{3}|\'{3}|\\{0,3}["']))
    (?P<inner>.{0,4000}?)
    (?:(?P=quote)|\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(r"[^\s\"',;&)\]}({\[][^\s\"',;&)\]}]*")
_IN_TEXT: Final = re.compile(
    r"(?<![\w\-])(--?[A-Za-z][\w.\-]{0,60})"
    r"([ \t]{1,4}[\"']?|[\"'],[ \t]{0,4}[\"'])(?!-|[=|&;<>])([^\s\"']+)"
)
# What stands for a value in source text, but is none.
_EXPRESSION: Final = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*(?:[(\[|].*)?", re.DOTALL)
_NO_VALUES: Final = frozenset(
    {
        "***",
        "Any",
        "Bearer",
        "Basic",
        "False",
        "None",
        "True",
        "bool",
        "bytes",
        "false",
        "float",
        "int",
        "null",
        "object",
        "str",
        "true",
    }
)
_OPTION: Final = re.compile(r"-{1,2}[A-Za-z][\w.\-]*")
_LOOKS_LIKE_OPTION: Final = re.compile(r"--[A-Za-z][\w\-]*(=.*)?", re.DOTALL)
_LOGINS: Final = frozenset({"-u", "--user", "--proxy-user", "-U"})


def is_secret_name(name: str) -> bool:
    """Whether a variable, option or field of this name holds a secret: `API_KEY`, `--hf-token`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    joined = "".join(words)
    if any(part in joined for part in _SECRET_PARTS):
        return True
    for before, word in zip(["", *words], words, strict=False):
        if word in {"key", "keys"} and before in _SECRET_KEYS:
            return True
    telling = any(word in _SECRET_WORDS or word.endswith("token") for word in words)
    return telling and words[-1] not in _HARMLESS_ENDS


def mask(text: str) -> str:
    """
    The text without the secrets in it, `***` in their places.

    Cost: about 100 ns a character; other threads get their turn in between.
    """
    return _mask(text, _pattern_of(_known_values(os.environ)))


def mask_known(text: str) -> str:
    """
    The text without the secret values of the environment, and nothing else: for the console.

    A variable that is set while the process runs counts within a second.
    """
    pattern = _fresh_pattern()
    return text if pattern is None else pattern.sub(MASK, text)


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line without its secrets: what follows a telling option, and what `mask` finds."""
    pattern = _pattern_of(_known_values(os.environ))
    masked: list[str] = []
    expects_secret = expects_login = False
    for argument in arguments:
        if expects_secret and not _LOOKS_LIKE_OPTION.fullmatch(argument):
            masked.append(MASK)
            expects_secret = False
            continue
        if expects_login and ":" in argument:
            masked.append(argument.split(":", 1)[0] + ":" + MASK)
        else:
            masked.append(_mask_argument(argument, pattern))
        is_option = _OPTION.fullmatch(argument) is not None
        expects_secret = is_option and is_secret_name(argument)
        expects_login = argument in _LOGINS
    return masked


def mask_json(value: Any) -> Any:
    """A JSON value without secrets: texts are masked, and all that telling keys hold."""
    return _mask_json(value, _pattern_of(_known_values(os.environ)))


def recorded_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The few variables of the environment that are recorded, where they are set."""
    environ = os.environ if environ is None else environ
    found = {name: environ[name] for name in _RECORDED if environ.get(name)}
    return {name: mask(value) for name, value in found.items()}


def _mask(text: str, known: re.Pattern[str] | None) -> str:
    # These two may span lines, so that they come before the text is cut.
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(MASK, text)
    if known is not None:
        text = known.sub(MASK, text)
    if len(text) <= _PIECE_CHARS:
        return _mask_piece(text)
    return "".join(_mask_piece(piece) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        # Cut behind a line; a line that is longer than a piece stays whole.
        end = text.find("\n", start + _PIECE_CHARS)
        end = len(text) if end < 0 else end + 1
        yield text[start:end]
        start = end


def _mask_piece(text: str) -> str:
    if "://" in text:
        text = _USER_AND_PASSWORD.sub(_without_user, text)
    text = _PARAMETER.sub(_without_parameter, text)
    # Before the names, of which `Authorization: Bearer` has the scheme for a value.
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _without_assigned(text)
    if "-" in text:
        text = _IN_TEXT.sub(_without_option, text)
    return _SHAPES.sub(MASK, text)


def _without_user(match: re.Match[str]) -> str:
    return match[0] if match[0] == "git@" else f"{MASK}@"


def _without_parameter(match: re.Match[str]) -> str:
    sign, name, _ = match.groups()
    if name.lower() in _SIGNED or is_secret_name(name):
        return f"{sign}{name}={MASK}"
    return match[0]


def _without_option(match: re.Match[str]) -> str:
    name, between, _ = match.groups()
    return f"{name}{between}{MASK}" if is_secret_name(name) else match[0]


def _without_assigned(text: str) -> str:
    parts: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done or not is_secret_name(match[1]):
            continue
        found = _masked_value(match[1], match[2], text, match.end())
        if found is not None:
            masked, end = found
            parts += (text[done : match.end()], masked)
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _masked_value(name: str, between: str, text: str, start: int) -> tuple[str, int] | None:
    """What replaces the value that begins at `start`, and where it ends; None if it is none."""
    quoted = _QUOTED.match(text, start)
    if quoted:
        if not quoted["inner"]:
            return None
        return quoted["opening"] + MASK + text[quoted.end("inner") : quoted.end()], quoted.end()
    bare = _BARE.match(text, start)
    if bare is None or bare[0] in _NO_VALUES:
        return None
    is_shell = name.isupper() and between == "="
    if not is_shell and ":" not in between and _EXPRESSION.fullmatch(bare[0]):
        return None
    return MASK, bare.end()


def _mask_argument(argument: str, known: re.Pattern[str] | None) -> str:
    name, equals, value = argument.partition("=")
    # `--db.password=x` and `db.password=x`, the way Hydra has it, whatever the value looks like.
    if equals and value and re.fullmatch(r"[-+~]*[\w.\-/@]+", name) and is_secret_name(name):
        return f"{_mask(name, known)}={MASK}"
    return _mask(argument, known)


def _mask_json(value: Any, known: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        return _mask(value, known)
    if isinstance(value, Mapping):
        return {
            key: MASK
            if isinstance(key, str) and is_secret_name(key) and _is_value(item)
            else _mask_json(item, known)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_mask_json(item, known) for item in value]
    return value


def _is_value(item: Any) -> bool:
    return item is not None and not isinstance(item, (bool, Mapping, list, tuple)) and item != ""


def _known_values(environ: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    for name, value in environ.items():
        if name not in _DIRECTORIES and (is_secret_name(name) or _is_key(name)):
            found.update(_spellings(value))
        elif "://" in value and "@" in value:
            # DATABASE_URL and its like: only the password in it is one.
            user = re.search(rf"://{_NO_PORT}[^/\s:@]*:([^\s]*)@", value)
            if user:
                found.update(_spellings(user[1]))
    return found


def _is_key(name: str) -> bool:
    # In an environment nothing is called a key but keys: OPENAI_KEY, SSH_KEY.
    return name.upper().endswith(("_KEY", "_KEYS", "_PAT"))


def _spellings(value: str) -> Iterable[str]:
    """A value as it may be found: whole, its lines, and escaped for JSON and URLs."""
    parts = {value, value.strip(), *(line.strip() for line in value.splitlines())}
    parts = {part for part in parts if len(part) >= _SHORTEST_VALUE_CHARS}
    for part in parts:
        yield part
        if not part.isalnum():
            from json import dumps
            from urllib.parse import quote, quote_plus

            yield from (quote(part), quote(part, safe=""), quote_plus(part))
            yield from (dumps(part)[1:-1], dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1])


def _pattern_of(values: Iterable[str]) -> re.Pattern[str] | None:
    # The longest first: a value may begin with another one.
    ordered = sorted(values, key=lambda value: (-len(value), value))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


_fresh: tuple[float, int, re.Pattern[str] | None] | None = None


def _fresh_pattern() -> re.Pattern[str] | None:
    global _fresh  # noqa: PLW0603 - a cache of one value, replaced whole
    now, generation = clock.monotonic_seconds(), forks.generation()
    kept = _fresh
    if kept is None or kept[1] != generation or not 0 <= now - kept[0] < _FRESH_SECONDS:
        kept = (now, generation, _pattern_of(_known_values(os.environ)))
        _fresh = kept
    return kept[2]

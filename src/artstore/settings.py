"""
Where the store is and which project is meant, and who said so.

A setting is taken from the first place that names it: the argument or flag, the
environment, the nearest `artstore.toml`, the git root (project only), the user's
own `config.toml`, the default. Every value keeps its origin, because a "not
found" is most often a store or a project that nobody meant.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.names import check_project_name, proposed_name

__all__ = [
    "ALERT_KEYS",
    "DEFAULT_ORIGIN",
    "PROJECT_FILE",
    "PROJECT_KEYS",
    "USER_KEYS",
    "AlertSettings",
    "Settings",
    "check_alert_target",
    "parse_jobs",
    "parse_rate",
    "parse_size",
    "resolve",
    "user_file",
]

PROJECT_FILE: Final = "artstore.toml"
PROJECT_KEYS: Final = ("url", "project", "ignore")
"""All that a file out of a cloned repository may decide."""
USER_KEYS: Final = ("url", "project", "cache_dir", "cache_max")
ALERT_KEYS: Final = ("webhook", "slack", "mail_command")
"""What `[alerts]` of the user's own file may set: a cloned repository would tell itself."""
DEFAULT_PROJECT: Final = "default"
DEFAULT_ORIGIN: Final = "default"
"""The origin of what nobody has set."""

_JOBS_MAX: Final = 256
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([kmgt]?)(i?)b?", re.IGNORECASE)
# `file:/data` is a URL too; one letter and a colon would be a drive, as in storage.opener.
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """
    Where alerts of runs are sent to, beside being kept on the run.

    Attributes:
        webhook: a URL that gets them as JSON.
        slack: a URL that takes what Slack's incoming webhooks take.
        mail_command: a command line, run without a shell, the text on its standard
            input; `{title}`, `{text}`, `{level}` and `{run}` in it are replaced.
    """

    webhook: str | None = field(default=None, repr=False)
    slack: str | None = field(default=None, repr=False)
    mail_command: str | None = None

    def __bool__(self) -> bool:
        return bool(self.webhook or self.slack or self.mail_command)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What applies to one call, each value with the place it came from.

    `url` is a URL, or the absolute path of a directory. `ignores` are the gitignore
    rules of `project_file`, which hold for everything pushed from below it.
    """

    url: str
    url_origin: str
    project: str
    project_origin: str
    cache_dir: Path
    cache_dir_origin: str
    cache_max_bytes: int
    cache_max_origin: str
    state_dir: Path
    user_file: Path
    project_file: Path | None = None
    ignores: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    jobs: int | None = None
    """Requests at once; what suits the storage if None."""
    limit_rate_bytes: int | None = None
    """Bytes a second to and from the store in all; no limit if None."""
    other_urls: tuple[str, ...] = ()
    """Stores that the places overruled by `url_origin` name: where else a name may be found."""
    alerts: AlertSettings = AlertSettings()
    """From the user's own file alone."""


def resolve(
    url: str | None = None,
    project: str | None = None,
    *,
    given_as: tuple[str, str] = ("the argument url", "the argument project"),
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """
    Find store, project and local directories for work in `directory`.

    Args:
        url: the store, if the caller names one; `project` likewise.
        given_as: how to call the origin of `url` and of `project` when given.
        directory: where to start looking upwards; the working directory if None.
        environ: the environment; the process's own if None.
    Raises:
        InvalidInputError: `settings-invalid`, naming file and key, for settings that
            cannot be read or used; `name-invalid` for a project name.
    Cost: one stat a parent directory and level; nothing is written.
    """
    here = Path(os.path.abspath(directory or Path.cwd()))
    environ = os.environ if environ is None else environ
    warnings: list[str] = []
    project_file = _find_project_file(here, warnings)
    shared = _read_toml(project_file) if project_file else {}
    if project_file:
        _check_project_file(shared, project_file)
    own_file = user_file(environ)
    own = _read_toml(own_file)
    _check_user_file(own, own_file, warnings)
    alerts = _alert_targets(own, own_file, warnings)

    base = project_file.parent if project_file else here
    url_places = (
        (url, given_as[0], here),
        (environ.get("ARTSTORE_URL"), "ARTSTORE_URL", here),
        (shared.get("url"), str(project_file), base),
        (own.get("url"), str(own_file), own_file.parent),
        (str(_xdg("XDG_DATA_HOME", ".local/share", environ) / "store"), DEFAULT_ORIGIN, here),
    )
    url_found = _first(*url_places)
    found_url = _absolute(url_found[0], url_found[2])
    named_urls = [_absolute(named, start) for named, _, start in url_places if named]
    project_found = _first(
        (project, given_as[1], here),
        (environ.get("ARTSTORE_PROJECT"), "ARTSTORE_PROJECT", here),
        (shared.get("project"), str(project_file), here),
        (*_git_project(here), here),
        (own.get("project"), str(own_file), here),
        (DEFAULT_PROJECT, DEFAULT_ORIGIN, here),
    )
    cache_found = _first(
        (environ.get("ARTSTORE_CACHE_DIR"), "ARTSTORE_CACHE_DIR", here),
        (own.get("cache_dir"), str(own_file), own_file.parent),
        (str(_xdg("XDG_CACHE_HOME", ".cache", environ)), DEFAULT_ORIGIN, here),
    )
    cache_max = own.get("cache_max")
    return Settings(
        url=found_url,
        url_origin=url_found[1],
        project=check_project_name(project_found[0]),
        project_origin=project_found[1],
        cache_dir=Path(_absolute(cache_found[0], cache_found[2])),
        cache_dir_origin=cache_found[1],
        cache_max_bytes=limits.CACHE_MAX_BYTES if cache_max is None else parse_size(cache_max),
        cache_max_origin=DEFAULT_ORIGIN if cache_max is None else str(own_file),
        state_dir=_xdg("XDG_STATE_HOME", ".local/state", environ),
        user_file=own_file,
        project_file=project_file,
        ignores=tuple(shared.get("ignore", ())),
        warnings=tuple(warnings),
        jobs=_environment_value(environ, "ARTSTORE_JOBS", parse_jobs),
        limit_rate_bytes=_environment_value(environ, "ARTSTORE_LIMIT_RATE", parse_rate),
        other_urls=tuple(dict.fromkeys(named for named in named_urls if named != found_url)),
        alerts=alerts,
    )


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """The user's own settings: `~/.config/artstore/config.toml`, or below XDG_CONFIG_HOME."""
    environ = os.environ if environ is None else environ
    return _xdg("XDG_CONFIG_HOME", ".config", environ) / "config.toml"


def parse_size(text: str) -> int:
    """
    Bytes of `500MB`, `10 GiB`, `1.5T` or `0`; k, M, G, T are decimal, Ki, Mi, Gi, Ti binary.

    Raises:
        InvalidInputError: `size-invalid`.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(
            f"{text!r} is not a size", code="size-invalid", hint="write it like 500MB or 10GiB"
        )
    number, unit, binary = match.groups()
    power = " kmgt".index(unit.lower() or " ")
    return int(float(number) * (1024 if binary else 1000) ** power)


def parse_jobs(text: str | int) -> int:
    """
    A number of requests at once, 1 to 256.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    number = int(text) if str(text).isdecimal() and len(str(text)) <= len(str(_JOBS_MAX)) else 0
    if not 1 <= number <= _JOBS_MAX:
        raise InvalidInputError(
            f"{text!r} is not a number of jobs from 1 to {_JOBS_MAX}", code="value-invalid"
        )
    return number


def parse_rate(text: str | int) -> int:
    """
    Bytes a second, written as a size: `10MB`, `1MiB/s`.

    Raises:
        InvalidInputError: `size-invalid`, also for less than a byte a second.
    """
    rate = parse_size(str(text).removesuffix("/s"))
    if rate < 1:
        raise InvalidInputError(
            f"{text!r} is not a rate", code="size-invalid", hint="write it like 10MB or 1MiB/s"
        )
    return rate


def _environment_value(
    environ: Mapping[str, str], variable: str, parse: Callable[[str], int]
) -> int | None:
    text = environ.get(variable)
    if not text:
        return None
    try:
        return parse(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{variable}: {error.message}", code="settings-invalid") from error


def _first(*places: tuple[str | None, str, Path]) -> tuple[str, str, Path]:
    # An empty variable counts as unset, as everywhere in the XDG world.
    return next((value, origin, base) for value, origin, base in places if value)


def _absolute(url: str, base: Path) -> str:
    if _WITH_SCHEME.match(url):
        return url
    return os.path.normpath(base / os.path.expanduser(url))


def _xdg(variable: str, fallback: str, environ: Mapping[str, str]) -> Path:
    # The XDG specification says that relative values must be ignored.
    named = environ.get(variable, "")
    if os.path.isabs(named):
        return Path(named) / "artstore"
    home = environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        raise InvalidInputError(
            f"there is no home directory to find {fallback}/artstore in",
            code="settings-invalid",
            hint=f"set HOME or {variable} to an absolute path",
        )
    return Path(home) / fallback / "artstore"


def _find_project_file(here: Path, warnings: list[str]) -> Path | None:
    for parent in (here, *here.parents):
        file = parent / PROJECT_FILE
        # Not Path.is_file, which raises where the directory may not be searched.
        if not os.path.isfile(file):
            continue
        # In /tmp anybody could decide where our data goes.
        if _planted_by_another(parent, file):
            warnings.append(
                f"{file} is not read: it is another user's, in a directory all may write to"
            )
            continue
        return file
    return None


def _planted_by_another(parent: Path, file: Path) -> bool:
    writable = bool(parent.stat().st_mode & stat.S_IWOTH)
    return writable and file.stat().st_uid not in (os.getuid(), 0)


def _git_project(here: Path) -> tuple[str | None, str]:
    for parent in (here, *here.parents):
        if os.path.exists(parent / ".git"):
            return proposed_name(parent.name) or None, f"name of the git root {parent}"
    return None, ""


def user_name() -> str:
    """Whom runs and logs name: as the environment says, or the system; else a number."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(file, f"cannot be read: {error.strerror}") from error
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise _unusable(file, f"is not valid TOML: {error}") from error


def _check_project_file(values: Mapping[str, Any], file: Path) -> None:
    for key in values:
        if key not in PROJECT_KEYS:
            raise InvalidInputError(
                f"{file} sets {key!r}, but may set url, project and ignore only, "
                "because it may come with a cloned repository",
                code="settings-invalid",
                hint=f"settings of your own belong into {user_file()}",
                key=key,
            )
    _check_texts(values, ("url", "project"), file)
    ignores = values.get("ignore", [])
    if not isinstance(ignores, list) or not all(isinstance(rule, str) for rule in ignores):
        raise _unusable(file, "must set ignore to a list of texts, such as ['*.tmp', '/scratch']")


def _check_user_file(values: Mapping[str, Any], file: Path, warnings: list[str]) -> None:
    # A newer release may know more keys, so that strange ones are told and not refused.
    warnings.extend(
        f"{file} sets {key!r}, which this release does not know"
        for key in values
        if key not in (*USER_KEYS, "alerts")
    )
    _check_texts(values, USER_KEYS, file)


def _alert_targets(own: Mapping[str, Any], file: Path, warnings: list[str]) -> AlertSettings:
    values = own.get("alerts", {})
    if not isinstance(values, dict):
        raise _unusable(file, 'must set alerts as a table: [alerts] and below it webhook = "..."')
    warnings.extend(
        f"{file} sets {key!r} of [alerts], which this release does not know"
        for key in values
        if key not in ALERT_KEYS
    )
    _check_texts(values, ALERT_KEYS, file)
    found = {key: values[key] for key in ALERT_KEYS if values.get(key)}
    for key, value in found.items():
        check_alert_target(key, value, str(file))
    return AlertSettings(**found)


def check_alert_target(key: str, value: str, who: str) -> None:
    """
    Refuse what alerts cannot be sent to.

    Args:
        key: one of `ALERT_KEYS`.
        who: who says so.
    Raises:
        InvalidInputError: `settings-invalid`.
    """
    # Not shown: whoever knows the URL may write to the channel.
    reason = f"must set {key} of [alerts] to a URL with https:// or http://"
    if key == "mail_command":
        try:
            shlex.split(value)
            return
        except ValueError as error:
            reason = f"sets a mail_command that cannot be split: {error}"
    elif re.fullmatch(r"https?://[^\s/]+\S*", value):
        return
    raise InvalidInputError(f"{who} {reason}", code="settings-invalid")


def _check_texts(values: Mapping[str, Any], keys: tuple[str, ...], file: Path) -> None:
    for key in keys:
        if key in values and not isinstance(values[key], str):
            raise _unusable(file, f"must set {key} to a text in quotes")


def _unusable(file: Path, reason: str) -> InvalidInputError:
    return InvalidInputError(f"{file} {reason}", code="settings-invalid", file=str(file))

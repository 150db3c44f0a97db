"""
Who one is at a bucket and where it is, found as every AWS tool finds it.

The order is that of the AWS tools: variables, then the profile in `~/.aws`, then
what machines in a cloud are given. Keys that stand in a variable or a file are
read here; roles, SSO, containers and instance metadata are left to botocore,
which takes a third of a second to load and is loaded for them alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from artstore import clock, forks
from artstore.errors import ArtstoreError, DeniedError, InvalidInputError

__all__ = ["Access", "Keys", "find_access"]

# The last one is for the first name of a host that is looked up.
_LATE_MODULES: Final = ("botocore.exceptions", "botocore.session", "encodings.idna")
_DEFAULT_REGION: Final = "us-east-1"
_REFRESH_SECONDS: Final = 300
"""Keys that botocore renews by itself are asked for again after this time."""
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_ELSEWHERE: Final = (
    *("role_arn", "web_identity_token_file", "credential_process", "login_session"),
    *("sso_session", "sso_start_url", "sso_account_id"),
)
"""Lines of a profile that say: the keys are not here."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What requests are signed with. `expires` is None for keys that stay."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id[:4]}...)"


@dataclass(frozen=True, slots=True)
class Access:
    """
    How a bucket is reached.

    Attributes:
        endpoint: scheme and host, without the bucket and without a slash at the end.
        is_virtual_hosted: whether the bucket is part of the host's name, not of the path.
        keys: gives the keys of the moment; None for requests that are not signed.
        ca_bundle: a PEM file of further authorities to trust, or empty.
    """

    endpoint: str
    region: str
    is_virtual_hosted: bool
    keys: Callable[[], Keys] | None
    ca_bundle: str = ""


def find_access(bucket: str, environ: Mapping[str, str] | None = None) -> Access:
    """
    How `bucket` is reached, by the environment and the files of this person.

    Raises:
        DeniedError: `credentials-missing`.
        InvalidInputError: `settings-invalid`, a variable or file that cannot be used.
    Cost: two small files; a third of a second more, and perhaps requests, where
        keys come from elsewhere.
    """
    environ = os.environ if environ is None else environ
    profile = _Profile(environ)
    region = (
        environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or profile.line("region")
        or _DEFAULT_REGION
    )
    configured = _configured_endpoint(environ, profile)
    endpoint = configured or _endpoint_of_aws(region)
    style = environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower()
    if style:
        is_virtual = style in _TRUE
    else:
        named = profile.nested_line("s3", "addressing_style")
        # A dot in the name would not fit the certificate of *.s3.amazonaws.com.
        fits = not configured and re.fullmatch(r"[a-z0-9\-]+", bucket) is not None
        is_virtual = named == "virtual" or (named != "path" and fits)
    is_signed = environ.get("AWS_SKIP_SIGNATURE", "").lower() not in _TRUE
    return Access(
        endpoint=endpoint,
        region=region,
        is_virtual_hosted=is_virtual,
        keys=_find_keys(environ, profile) if is_signed else None,
        ca_bundle=environ.get("AWS_CA_BUNDLE") or profile.line("ca_bundle"),
    )


def _endpoint_of_aws(region: str) -> str:
    top = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{region}.{top}"


def _configured_endpoint(environ: Mapping[str, str], profile: _Profile) -> str:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _TRUE:
        return ""
    for source, text in (
        ("AWS_ENDPOINT_URL_S3", environ.get("AWS_ENDPOINT_URL_S3")),
        ("AWS_ENDPOINT_URL", environ.get("AWS_ENDPOINT_URL")),
        (f"endpoint_url of {profile}", profile.service_line("s3", "endpoint_url")),
        (f"endpoint_url of {profile}", profile.line("endpoint_url")),
    ):
        if not text:
            continue
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInputError(
                f"{source} is {text!r}, which is no endpoint: it has the form https://host",
                code="settings-invalid",
            )
        return text.rstrip("/")
    return ""


def _find_keys(environ: Mapping[str, str], profile: _Profile) -> Callable[[], Keys]:
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return _constant(Keys(key, secret, environ.get("AWS_SESSION_TOKEN") or None))
    if key or secret:
        raise _missing("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set")
    is_elsewhere = any(profile.line(name) for name in _ELSEWHERE)
    if not is_elsewhere and not environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        key, secret = profile.line("aws_access_key_id"), profile.line("aws_secret_access_key")
        if key and secret:
            return _constant(Keys(key, secret, profile.line("aws_session_token") or None))
    return _keys_of_botocore()


def _constant(keys: Keys) -> Callable[[], Keys]:
    return lambda: keys


def _keys_of_botocore() -> Callable[[], Keys]:
    forks.import_late(_LATE_MODULES)
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        # Asks instance metadata last, for one second at most.
        found = Session().get_credentials()
    except BotoCoreError as error:
        raise _missing(f"credentials cannot be had: {error}") from error
    if found is None:
        raise _missing("there are no credentials for a bucket")

    def keys() -> Keys:
        try:
            frozen = found.get_frozen_credentials()
        except BotoCoreError as error:
            raise _missing(f"credentials cannot be renewed: {error}") from error
        lifetime = timedelta(seconds=clock.now_seconds() + _REFRESH_SECONDS)
        expires = datetime(1970, 1, 1, tzinfo=UTC) + lifetime
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or None, expires)

    return keys


class _Profile:
    """The lines of one profile in `~/.aws/credentials` and `~/.aws/config`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        asked = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
        self._name = asked or "default"
        home = environ.get("HOME") or os.path.expanduser("~")
        credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
        config = environ.get("AWS_CONFIG_FILE") or f"{home}/.aws/config"
        self._config = _sections(os.path.expanduser(config))
        section = self._name if self._name == "default" else f"profile {self._name}"
        found = [
            _sections(os.path.expanduser(credentials)).get(self._name),
            self._config.get(section),
        ]
        if asked and found == [None, None]:
            raise _missing(f"there is no profile {asked!r} (AWS_PROFILE) in {config}")
        self._lines = [lines for lines in found if lines]

    def __str__(self) -> str:
        return f"the profile {self._name}"

    def line(self, name: str) -> str:
        """The value of `name`, or nothing; the credentials file is asked first."""
        return next((lines[name].strip() for lines in self._lines if lines.get(name)), "")

    def nested_line(self, name: str, part: str) -> str:
        """`part` of a value that is lines itself: `s3 =`, below it `addressing_style = path`."""
        return _part(self.line(name), part)

    def service_line(self, service: str, part: str) -> str:
        """`part` of a service, in the section `services` that the profile names."""
        services = self._config.get(f"services {self.line('services')}", {})
        return _part(services.get(service, ""), part)


def _part(lines: str, part: str) -> str:
    found = re.search(rf"^\s*{part}\s*=\s*(\S+)\s*$", lines, re.MULTILINE)
    return found[1] if found else ""


def _sections(path: str) -> dict[str, dict[str, str]]:
    if not os.path.isfile(path):
        return {}
    import configparser

    parser = configparser.RawConfigParser(default_section="")
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise InvalidInputError(
            f"{path} cannot be read: {error}", code="settings-invalid", path=path
        ) from error
    # `[profile  team]` and `[profile "team"]` name the same.
    return {
        " ".join(name.replace('"', "").split()): dict(parser.items(name))
        for name in parser.sections()
    }


def _missing(why: str) -> ArtstoreError:
    return DeniedError(
        why,
        code="credentials-missing",
        hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
        "AWS_SKIP_SIGNATURE=true reads public buckets without",
    )

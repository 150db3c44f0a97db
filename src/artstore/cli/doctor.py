"""`art doctor`: try what a store needs on the very place, and tell what runs here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import count, printable
from artstore.cli.session import Session
from artstore.errors import ArtstoreError, NotFoundError, StorageError, UnavailableError

if TYPE_CHECKING:
    from artstore.catalog.identity import Identity
    from artstore.storage.bucket import Bucket
    from artstore.storage.findings import Finding

__all__ = ["ONE_WRITER", "doctor_command", "failures", "look_at"]

ONE_WRITER: Final = (
    "this store is for one writer at a time: two at once may overwrite each other's versions, "
    "and nothing here can notice"
)
_COLOURS: Final = {"ok": "green", "warning": "yellow", "unknown": "dim", "failed": "red"}
_PACKAGES: Final = ("obstore", "fsspec", "s3fs", "botocore", "zstandard", "blake3")
_PROXY_VARIABLES: Final = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found at a place."""

    identity: Identity | None
    bucket: Bucket | None
    findings: list[Finding]

    @property
    def statement(self) -> dict[str, Any] | None:
        """What a bucket policy lacks, where the server would keep to it."""
        if self.bucket is None:
            return None
        verdicts = {finding.name: finding.verdict for finding in self.findings}
        wanted = verdicts.get("unguarded") == "warning" and verdicts.get("create-only") == "ok"
        return self.bucket.policy_statement() if wanted else None


@click.command(
    "doctor",
    cls=Command,
    examples=("art doctor", "art doctor s3://team-bucket/store", "art doctor --json"),
)
@click.argument("url", metavar="[URL]", required=False)
@shared_options
@click.pass_obj
def doctor_command(session: Session, url: str | None) -> None:
    """
    Try on the very place what a store needs, and say what is missing and what to do.

    URL is a URL or a directory; left out, the store that applies here. A few small values are
    written below probe/ and removed again, if deleting is allowed. Of a bucket, its rules are read
    too: lifecycle, versioning, Object Lock, replication.

    What it prints belongs into a bug report: versions and settings, no secrets. Exit status 10 if
    the place cannot keep what a store needs.
    """
    if url is not None:
        session.store = url
    look = look_at(session.settings.url, with_speed=True)
    failed = failures(look.findings)
    session.output.result(
        _record(session, look), _lines(session, look), names=[finding.name for finding in failed]
    )
    if failed:
        raise unsuitable(session.settings.url, look.findings, failed)


def look_at(url: str, *, with_speed: bool = False) -> _Look:
    """
    Try a place, and read what is there.

    Args:
        with_speed: measure it too.
    """
    from artstore.catalog.identity import read_identity
    from artstore.storage.bucket import open_bucket
    from artstore.storage.findings import Finding
    from artstore.storage.opener import open_storage
    from artstore.storage.probe import GUARDS, probe

    storage = open_storage(url)
    bucket = None
    with suppress(ArtstoreError):  # the storage meets it again, and tells it
        bucket = open_bucket(url)
    findings = probe(storage, bucket=bucket, with_speed=with_speed)
    identity = None
    if not isinstance(findings[0].error, (NotFoundError, UnavailableError)):
        try:
            identity = read_identity(storage)
        except NotFoundError:
            pass
        except ArtstoreError as error:
            findings.append(
                Finding(
                    "store",
                    is_ok=False,
                    is_required=True,
                    detail=str(error),
                    hint=error.hint,
                    error=error,
                )
            )
    if identity is not None and identity.has_one_writer:
        findings = [
            replace(finding, is_required=False, hint=ONE_WRITER)
            if finding.name in GUARDS and finding.is_ok is False
            else finding
            for finding in findings
        ]
    return _Look(identity, bucket, findings)


def failures(findings: Sequence[Finding]) -> list[Finding]:
    """What makes the place unsafe for a store."""
    return [finding for finding in findings if finding.verdict == "failed"]


def unsuitable(url: str, findings: Sequence[Finding], failed: Sequence[Finding]) -> StorageError:
    """
    The error for a place that fails what a store needs.

    Args:
        failed: one or more of `findings`.
    """
    names = ", ".join(finding.name for finding in failed)
    said = "; ".join(dict.fromkeys(finding.detail for finding in failed))
    stays = [f.detail for f in findings if f.name == "delete" and not f.is_ok]
    return StorageError(
        f"{url} cannot keep what a store needs ({names}): {'; '.join([said, *stays])}",
        code="storage-unsuitable",
        hint=failed[0].hint,
        url=url,
        failed=[finding.name for finding in failed],
    )


def _record(session: Session, look: _Look) -> dict[str, Any]:
    settings, identity = session.settings, look.identity
    return {
        "ok": not failures(look.findings),
        "url": settings.url,
        "url_origin": settings.url_origin,
        "endpoint": look.bucket.endpoint if look.bucket is not None else None,
        "store_id": identity.store_id if identity is not None else None,
        "writers": _writers(identity),
        "project": settings.project,
        "project_origin": settings.project_origin,
        "cache_dir": str(settings.cache_dir),
        "cache_dir_origin": settings.cache_dir_origin,
        "findings": [
            {
                "name": finding.name,
                "verdict": finding.verdict,
                "required": finding.is_required,
                "detail": finding.detail,
                "hint": finding.hint,
            }
            for finding in look.findings
        ],
        "policy_statement": look.statement,
        "versions": _versions(),
        "variables": _variables(),
    }


def _writers(identity: Identity | None) -> str | None:
    if identity is None:
        return None
    return "one" if identity.has_one_writer else "many"


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from artstore._version import __version__

    found = {
        "artstore": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _variables() -> list[str]:
    """Names of variables that decide something here; their values may be secrets."""
    import os

    return sorted(
        name
        for name in os.environ
        if name.startswith(("ARTSTORE_", "AWS_")) or name.upper() in _PROXY_VARIABLES
    )


def _lines(session: Session, look: _Look) -> Iterator[str]:
    settings, identity = session.settings, look.identity
    yield ", ".join(f"{name} {number}" for name, number in _versions().items())
    yield f"store     {printable(settings.url)} ({settings.url_origin})"
    if identity is None:
        yield "          no store is there"
    else:
        kind = "one writer at a time" if identity.has_one_writer else "many writers"
        yield f"          {identity.store_id}, for {kind}"
    if look.bucket is not None:
        yield f"endpoint  {printable(look.bucket.endpoint)}"
    yield f"project   {settings.project} ({settings.project_origin})"
    yield f"cache     {printable(str(settings.cache_dir))} ({settings.cache_dir_origin})"
    if variables := _variables():
        yield f"set       {', '.join(variables)}"
    width = max(len(finding.name) for finding in look.findings)
    for finding in look.findings:
        verdict = session.output.paint(f"{finding.verdict:<8}", _COLOURS[finding.verdict])
        yield f"{verdict}  {finding.name:<{width}}  {printable(finding.detail)}"
        if finding.hint and not finding.is_ok:
            yield f"{'':<8}  {'':<{width}}  {printable(finding.hint)}"
    if look.statement is not None:
        yield from _policy_lines(look.statement)
    bad = failures(look.findings)
    yield f"{count(len(look.findings), 'finding')}: {_verdict(len(bad))}"


def _verdict(failed_count: int) -> str:
    if failed_count:
        return (
            f"{failed_count} of what a store needs {'is' if failed_count == 1 else 'are'} missing"
        )
    return "nothing that a store needs is missing"


def _policy_lines(statement: dict[str, Any]) -> Iterator[str]:
    import json

    yield "a bucket policy that refuses to replace values (docs/how-to/check-a-bucket.md):"
    yield json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
    yield "  it stops copies into the store too, by CopyObject and by tools that use it"
    yield "  it does not stop deleting, lifecycle rules, or whoever may change the policy"

"""`art show`, `art log` and `art cat`: one version, its history, the bytes of one entry."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count, format_bytes, printable, table
from artstore.cli.session import Session
from artstore.durations import duration_text
from artstore.errors import LimitExceededError, NotFoundError
from artstore.records import history_record, pin_records, version_record

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact

__all__ = ["cat_command", "log_command", "show_command"]

JSON_CONTENT_BYTES: Final = 64 * 1024 * 1024
"""`art cat --json` holds the whole entry in memory, three times over."""
SEARCHED_ENTRIES: Final = 20_000


@click.command("show", cls=Command)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@shared_options
@click.pass_obj
def show_command(session: Session, name: str) -> None:
    """Show one version, the newest if V is left out: digest, size, aliases, metadata."""
    session.name(name)
    artifact = session.open_store().artifact(name)
    session.output.result(
        {**version_record(artifact), **_kept_record(artifact)},
        _version_lines(artifact),
        names=[session.short_name(artifact.project, artifact.collection.name, artifact.version)],
    )


def _version_lines(artifact: LoggedArtifact) -> Iterator[str]:
    yield artifact.qualified_name
    kept = _kept_record(artifact)
    facts = {
        "type": artifact.type,
        "digest": artifact.digest,
        "content": f"{count(artifact.file_count, 'file')}, {format_bytes(artifact.size)}",
        "created": artifact.created_at,
        "origin": _origin(artifact),
        "aliases": ", ".join(artifact.aliases),
        "protected": ", ".join(artifact.protected_aliases),
        "tags": ", ".join(artifact.tags),
        "ttl": "" if kept["ttl_seconds"] is None else duration_text(kept["ttl_seconds"]),
        "pins": ", ".join(f"{pin['holder']} until {pin['until']}" for pin in kept["pins"]),
        "description": artifact.description or "",
        "message": artifact.message or "",
    }
    for label, text in facts.items():
        if text:
            yield f"  {label:<12} {printable(text)}"
    for key, value in sorted((artifact.metadata or {}).items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"  {'metadata':<12} {printable(key)} = {printable(text)}"


def _kept_record(artifact: LoggedArtifact) -> dict[str, Any]:
    ttl = artifact.ttl
    return {
        "ttl_seconds": int(ttl.total_seconds()) if isinstance(ttl, timedelta) else None,
        "pins": pin_records(artifact.pins),
        "protected_aliases": artifact.protected_aliases,
    }


def _origin(artifact: LoggedArtifact) -> str:
    origin = artifact.origin
    return "" if origin is None else f"{origin.qualified_name} of store {origin.store}"


@click.command("log", cls=Command)
@click.argument("name", metavar="NAME", shell_complete=complete_name)
@shared_options
@click.pass_obj
def log_command(session: Session, name: str) -> None:
    """Show what happened to an artifact, newest first: pushes, aliases, tags, deletions."""
    parsed = session.name(name)
    store = session.open_store()
    plain = f"{parsed.project}/{parsed.name}" if parsed.project else parsed.name
    records = [history_record(record) for record in store.history(plain)]
    records.sort(key=lambda record: record["number"], reverse=True)
    value = {
        "project": parsed.project or session.settings.project,
        "name": parsed.name,
        "log": records,
    }
    rows = [
        (
            str(record["number"]),
            record["time"],
            record["kind"],
            record["version"] or "",
            (_retained if record["kind"] == "retention" else _details)(record["details"]),
            record["by"],
        )
        for record in records
    ]
    heads = ("NUMBER", "TIME", "KIND", "VERSION", "DETAILS", "BY")
    session.output.result(
        value,
        table(heads, rows, right="NUMBER"),
        names=[str(record["number"]) for record in records],
    )


def _details(details: Mapping[str, Any]) -> str:
    parts = []
    if details.get("digest"):
        parts.append(str(details["digest"])[:12])
    if details.get("size_bytes") is not None:
        parts.append(format_bytes(details["size_bytes"]))
    for key, sign in (("aliases", "+"), ("tags", "+"), ("add", "+"), ("remove", "-")):
        parts += [f"{sign}{text}" for text in details.get(key) or ()]
    if details.get("holder"):
        parts.append(str(details["holder"]))
    if details.get("until"):
        parts.append(f"until {details['until']}")
    if details.get("seconds") is not None:
        parts.append(duration_text(details["seconds"]))
    if details.get("plan") is not None:
        parts.append(f"plan {details['plan']} of gc")
    return " ".join(parts)


def _retained(details: Mapping[str, Any]) -> str:
    """What an entry of the kind `retention` says."""
    from artstore.catalog.retention import Retention

    protected = details.get("protected") or ()
    return f"{Retention.of(details)}" + (f"; protected {', '.join(protected)}" if protected else "")


@click.command("cat", cls=Command)
@click.argument("name", metavar="NAME[:V]", shell_complete=complete_name)
@click.argument("path", metavar="PATH")
@shared_options
@click.pass_obj
def cat_command(session: Session, name: str, path: str) -> None:
    """
    Write the bytes of the entry PATH to stdout, each checked before it is written.

    With --json the content is text if it is UTF-8 and base64 if not, up to 64 MiB.
    """
    session.name(name)
    artifact = session.open_store().artifact(name)
    try:
        if session.as_json:
            _print_as_json(session, artifact, path)
            return
        write = sys.stdout.buffer.write
        for part in artifact.iter_bytes(path):
            write(part)
        sys.stdout.buffer.flush()
    except NotFoundError as error:
        if error.code == "entry-not-found":
            near = _near_paths(artifact, path)
            error.context["close_paths"] = near
            if near:
                error.hint = f"close: {', '.join(near)}"
        raise


def _print_as_json(session: Session, artifact: LoggedArtifact, path: str) -> None:
    parts: list[bytes] = []
    size = 0
    for part in artifact.iter_bytes(path):
        size += len(part)
        if size > JSON_CONTENT_BYTES:
            raise LimitExceededError(
                f"{path!r} is longer than the {JSON_CONTENT_BYTES:,} bytes that --json prints",
                code="limit-exceeded",
                hint="leave --json out, or pull the entry with --path",
            )
        parts.append(bytes(part))
    data = b"".join(parts)
    try:
        encoding, content = "utf-8", data.decode("utf-8")
    except UnicodeDecodeError:
        import base64

        encoding, content = "base64", base64.b64encode(data).decode("ascii")
    value = {
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "path": path,
        "size_bytes": size,
        "encoding": encoding,
        "content": content,
    }
    session.output.result(value, ())


def _near_paths(artifact: LoggedArtifact, path: str) -> list[str]:
    from itertools import islice

    from artstore.cli.suggestions import close_texts

    known = [entry.path for entry in islice(artifact.entries(""), SEARCHED_ENTRIES)]
    inside = [name for name in known if name.startswith(path.rstrip("/") + "/")]
    same_base = [name for name in known if name.rsplit("/", 1)[-1] == path.rsplit("/", 1)[-1]]
    return (inside[:3] or same_base[:3]) or close_texts(path, known)

"""`art init`, `art config`, `art completion`: what is done once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import format_bytes, printable, table
from artstore.cli.session import Session
from artstore.errors import AlreadyExistsError, InvalidInputError, NotFoundError, StateError
from artstore.settings import ALERT_KEYS, DEFAULT_ORIGIN, PROJECT_FILE, USER_KEYS, resolve

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.settings import Settings

__all__ = ["completion_command", "config_command", "init_command"]


@click.command(
    "init",
    cls=Command,
    examples=("art init /data/store", "art init file:///data/store --project vision"),
)
@click.argument("url", metavar="[URL]", required=False)
@click.option(
    "--single-writer",
    is_flag=True,
    help="Make a store for one writer at a time, where the place cannot keep writers apart.",
)
@shared_options
@click.pass_obj
def init_command(session: Session, url: str | None, *, single_writer: bool) -> None:
    """
    Make a store at URL and remember it for this directory in artstore.toml.

    URL is a URL or a directory; left out, the store that applies here already, which is one in
    your data directory if nothing names another. A store that exists is joined. --project is
    remembered too. Nothing need be set up before the first push; this is for a store of your
    choice.

    A new place is tried first, as art doctor does: one that cannot keep what a store needs is
    refused.
    """
    if url is not None:
        session.store = url
    settings = session.settings
    file = Path.cwd() / PROJECT_FILE
    _refuse_other(file, settings, project=session.project)
    store = session.open_store()
    if not _is_there(store):
        _check_place(session, settings.url, single_writer=single_writer)
    is_new = store.create(single_writer=single_writer)
    warnings = _warnings(session, store, single_writer=single_writer)
    if not file.exists():
        file.write_text(_project_file_text(settings, file.parent, session.project), "utf-8")
        remembered = "written"
    else:
        remembered = "unchanged"
    value = {
        "url": settings.url,
        "store_id": store.id,
        "project": settings.project,
        "project_origin": settings.project_origin,
        "is_new": is_new,
        "writers": "one" if store.has_one_writer else "many",
        "settings_file": str(file),
        "warnings": warnings,
    }
    made = "made" if is_new else "found"
    lines = [
        f"store {printable(settings.url)} {made}",
        f"  {printable(str(file))} {remembered}",
        f"  project {settings.project} ({settings.project_origin})",
    ]
    session.output.result(value, lines, names=[settings.url])


def _is_there(store: Store) -> bool:
    try:
        return bool(store.id)
    except NotFoundError:
        return False


def _check_place(session: Session, url: str, *, single_writer: bool) -> None:
    """Refuse a place that cannot keep what a store needs."""
    from artstore.cli.doctor import failures, look_at, unsuitable
    from artstore.storage.probe import GUARDS

    findings = look_at(url).findings
    if findings[0].name == "write" and findings[0].error is not None:
        # Nothing was found out about the place: what the storage said tells more.
        raise findings[0].error
    failed = [f for f in failures(findings) if not (single_writer and f.name in GUARDS)]
    if not failed:
        return
    refusal = unsuitable(url, findings, failed)
    if {finding.name for finding in failed} <= GUARDS and "://" in url:
        refusal.hint = f"for one writer at a time: {session.corrected('--single-writer')}"
    raise refusal


def _warnings(session: Session, store: Store, *, single_writer: bool) -> list[str]:
    from artstore.cli.doctor import ONE_WRITER

    if store.has_one_writer:
        session.output.warn(ONE_WRITER)
        return [ONE_WRITER]
    if single_writer:
        raise StateError(
            f"the store at {store.url} is there already, and is for many writers",
            code="store-exists",
            hint="leave out --single-writer, or make another store",
        )
    return []


def _refuse_other(file: Path, settings: Settings, *, project: str | None) -> None:
    """An artstore.toml is somebody's work, comments and all: it is never rewritten."""
    if not file.exists():
        return
    there = resolve(directory=file.parent, environ={"HOME": os.path.expanduser("~")})
    if there.url != settings.url or project not in (None, there.project):
        raise AlreadyExistsError(
            f"{file} is there already and names the store {there.url}, project {there.project}",
            code="settings-exist",
            hint=f"edit it, or remove it and run this again: rm {PROJECT_FILE}",
            url=there.url,
        )


def _project_file_text(settings: Settings, directory: Path, project: str | None) -> str:
    url = settings.url
    if os.path.isabs(url) and Path(url).is_relative_to(directory):
        # The directory may move or be cloned, and its store with it.
        url = os.path.relpath(url, directory)
    lines = ["# Read by art in this directory and below it. May set url, project and ignore."]
    lines.append(f"url = {json.dumps(url, ensure_ascii=False)}")
    if project is not None:
        lines.append(f"project = {json.dumps(project)}")
    return "\n".join(lines) + "\n"


_ALERT_KEYS = tuple(f"alerts.{key}" for key in ALERT_KEYS)


@click.command(
    "config",
    cls=Command,
    examples=("art config", "art config url /data/store", "art config cache_max 20GB"),
)
@click.argument(
    "key", metavar="[KEY]", required=False, type=click.Choice((*USER_KEYS, *_ALERT_KEYS))
)
@click.argument("value", metavar="[VALUE]", required=False)
@click.option("--unset", is_flag=True, help="Remove KEY from your settings.")
@shared_options
@click.pass_obj
def config_command(session: Session, *, key: str | None, value: str | None, unset: bool) -> None:
    """
    Show the settings that apply here and where each came from; with KEY VALUE, set one of yours.

    KEY is url (the store), project, cache_dir or cache_max (a size such as 20GB); or where alerts
    of runs are sent to: alerts.webhook and alerts.slack (URLs, of which only the host is shown),
    alerts.mail_command.

    Flags, the environment (ARTSTORE_URL, ARTSTORE_PROJECT, ARTSTORE_CACHE_DIR) and the nearest
    artstore.toml win over your own settings.
    """
    if unset and (key is None or value is not None):
        raise InvalidInputError(
            "--unset needs a KEY and no VALUE",
            code="usage-invalid",
            hint="write: art config KEY --unset",
        )
    if key is not None and (value is not None or unset):
        _change_user_file(session, key, value)
        return
    shown = _settings_records(session.settings)
    if key is not None:
        record = {"key": key} | shown.get(key, {"value": "", "origin": DEFAULT_ORIGIN})
        session.output.result(record, [str(record["value"])], names=[str(record["value"])])
        return
    rows = [
        (name, format_bytes(value) if isinstance(value, int) else value, item["origin"])
        for name, item in shown.items()
        for value in [item["value"]]
    ]
    writers = _known_writers(session.settings)
    if writers == "one":
        from artstore.cli.doctor import ONE_WRITER

        session.output.warn(ONE_WRITER)
    files = {
        "writers": writers,
        "user_file": str(session.settings.user_file),
        "project_file": str(session.settings.project_file or "") or None,
    }
    session.output.result(
        {"settings": shown} | files,
        table(("KEY", "VALUE", "FROM"), rows),
        names=[f"{name}={item['value']}" for name, item in shown.items()],
    )


def _known_writers(settings: Settings) -> str | None:
    """What this machine knows of the store, without asking it."""
    from artstore.catalog.guard import GuardCache

    return GuardCache(settings.cache_dir, settings.url).writers()


def _settings_records(settings: Settings) -> dict[str, dict[str, Any]]:
    values = {
        "url": (settings.url, settings.url_origin),
        "project": (settings.project, settings.project_origin),
        "cache_dir": (str(settings.cache_dir), settings.cache_dir_origin),
        "cache_max": (settings.cache_max_bytes, settings.cache_max_origin),
    }
    for key in ALERT_KEYS:
        target = getattr(settings.alerts, key)
        if target is not None:
            values[f"alerts.{key}"] = (_without_secrets(target), str(settings.user_file))
    return {key: {"value": value, "origin": origin} for key, (value, origin) in values.items()}


def _without_secrets(target: str) -> str:
    """Whoever knows the whole URL of a channel may write to it."""
    if not target.startswith(("http://", "https://")):
        return target
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.hostname}/..."


def _change_user_file(session: Session, key: str, value: str | None) -> None:
    from artstore.cli.user_settings import change

    if value is not None:
        _check_value(key, value)
        if key in ("url", "cache_dir") and "://" not in value:
            # What is relative here would be relative to the settings file when read.
            value = os.path.abspath(os.path.expanduser(value))
    file = session.settings.user_file
    change(file, key, value)
    shown = _without_secrets(value) if value and key in _ALERT_KEYS else value
    record: Mapping[str, Any] = {"key": key, "value": shown, "origin": str(file)}
    said = f"{key} = {shown}" if value is not None else f"{key} is not set any more"
    session.output.result(record, [printable(f"{said} ({file})")])


def _check_value(key: str, value: str) -> None:
    from artstore.names import check_project_name
    from artstore.settings import check_alert_target, parse_size

    if not value:
        raise InvalidInputError(
            f"{key} cannot be empty", code="usage-invalid", hint=f"write: art config {key} --unset"
        )
    if key == "project":
        check_project_name(value)
    elif key == "cache_max":
        parse_size(value)
    elif key in _ALERT_KEYS:
        check_alert_target(key.removeprefix("alerts."), value, "art config")


@click.command(
    "completion",
    cls=Command,
    examples=(
        """echo 'eval "$(art completion bash)"' >> ~/.bashrc""",
        """echo 'eval "$(art completion zsh)"' >> ~/.zshrc""",
        "art completion fish > ~/.config/fish/completions/art.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared_options
@click.pass_obj
def completion_command(session: Session, shell: str) -> None:
    """Print the completion script of a shell, for its start-up file."""
    from click.shell_completion import get_completion_class

    from artstore.cli.program import COMPLETION_VARIABLE, PROGRAM, program

    found = get_completion_class(shell)
    assert found is not None, "click completes these three"
    script = found(program, {}, PROGRAM, COMPLETION_VARIABLE).source()
    session.output.result({"shell": shell, "script": script}, [script], names=[script])

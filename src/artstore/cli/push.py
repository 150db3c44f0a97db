"""`art push`: files and directories become a version."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.metadata import parse_metadata
from artstore.cli.options import complete_name, transfer_options
from artstore.cli.output import count, format_bytes, format_seconds
from artstore.cli.runabove import run_above, tell_logged
from artstore.cli.session import Session
from artstore.errors import InvalidInputError
from artstore.names import parse_artifact_name, proposed_name

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact

__all__ = ["push_command"]

SHOWN_ARGUMENTS = 24
"""A corrected command line with more words than these names the first and the last paths."""


@click.command(
    "push",
    cls=Command,
    examples=(
        "art push data mnist",
        "art push model.pt model --type model --alias best --metadata accuracy=0.97",
        "art push *.png --name pictures",
        "art push digits --reference images=s3://bucket/digits",
    ),
)
@click.argument("arguments", metavar="PATH... NAME", nargs=-1, shell_complete=complete_name)
@click.option("--name", metavar="NAME", help="The artifact; then every argument is a PATH.")
@click.option(
    "--type",
    "type_name",
    metavar="TYPE",
    help="What it is: dataset, model, ... Of a new name dataset if left out, and then fixed.",
)
@click.option("--alias", "aliases", metavar="ALIAS", multiple=True, help="Name it so too (many).")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Mark the version so (many).")
@click.option("--description", metavar="TEXT", help="What this data is.")
@click.option("-m", "--message", metavar="TEXT", help="Why this version was made.")
@click.option(
    "--metadata",
    "metadata_items",
    metavar="K=V|@FILE",
    multiple=True,
    help="A value, read as JSON if it is JSON and as text if not; or a JSON file (many).",
)
@click.option("--include", metavar="GLOB", multiple=True, help="Take only files like this (many).")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Leave out files like this (many).")
@click.option(
    "--reference",
    "references",
    metavar="[PATH=]URL",
    multiple=True,
    help="Keep what lies there by its URL alone (many): s3://, https://, file://, ...",
)
@click.option("--follow-links", is_flag=True, help="Store what symbolic links point to.")
@transfer_options
@shared_options
@click.pass_obj
def push_command(
    session: Session,
    *,
    arguments: tuple[str, ...],
    name: str | None,
    type_name: str | None,
    aliases: tuple[str, ...],
    tags: tuple[str, ...],
    description: str | None,
    message: str | None,
    metadata_items: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    references: tuple[str, ...],
    follow_links: bool,
) -> None:
    """
    Store PATHs as the next version of the artifact NAME.

    The contents of a single directory lie at the root of the version; a file, and each of
    several paths, lies under its base name: 'art push data ds' and 'art pull ds data' are each
    other's inverse. The same content as the newest version makes no new one.

    What gitignore rules in .artignore files name is left out.
    """
    words = list(arguments)
    if references and len(words) == 1 and name is None:
        name = words.pop()
    paths, name = _paths_and_name(session, words, name, may_be_empty=bool(references))
    from artstore.artifact import Artifact

    parsed = session.name(name)
    artifact = Artifact(
        parsed.name,
        type=type_name,
        description=description,
        metadata=parse_metadata(metadata_items),
    )
    if len(paths) == 1 and paths[0].is_dir():
        artifact.add_dir(paths[0], include=include, exclude=exclude, follow_links=follow_links)
    else:
        for entry_name, path in _base_names(paths):
            if path.is_dir():
                artifact.add_dir(
                    path,
                    name=entry_name,
                    include=include,
                    exclude=exclude,
                    follow_links=follow_links,
                )
            else:
                # It is logged at once: nothing can have changed that a push would not see.
                artifact.add_file(path, name=entry_name, policy="immutable")
    for reference in references:
        path_in, url = _path_and_url(reference)
        artifact.add_reference(url, path_in)
    store = session.open_store(project=parsed.project)
    with session.progress() as bar:
        logged = store.log_artifact(
            artifact,
            aliases=aliases,
            tags=tags,
            message=message,
            run=run_above(store),
            on_progress=bar.on_progress,
        )
    tell_logged(store, logged)
    _report(session, logged)


def _report(session: Session, logged: LoggedArtifact) -> None:
    summary = logged.push
    output = session.output
    for warning in summary.warnings:
        output.warn(warning)
    short = session.short_name(logged.project, logged.collection.name, logged.version)
    # The record tells description and metadata, which lie in the manifest: only read for --json.
    value = _record(logged) if session.as_json else {}
    output.result(value, _lines(short, logged), names=[short])


def _record(logged: LoggedArtifact) -> dict[str, Any]:
    from artstore.records import version_record

    summary = logged.push
    return version_record(logged) | {
        "is_new": summary.is_new,
        "stored_bytes": summary.stored_bytes,
        "read_bytes": summary.read_bytes,
        "seconds": summary.seconds,
        "warnings": list(summary.warnings),
    }


def _lines(short: str, logged: LoggedArtifact) -> Iterator[str]:
    summary = logged.push
    if not summary.is_new:
        yield f"{short} has this very content already: no new version"
    else:
        yield short
    yield f"  digest  {logged.digest}"
    yield (
        f"  {count(logged.file_count, 'file')}, {format_bytes(logged.size)}, "
        f"{format_bytes(summary.stored_bytes)} new, {format_seconds(summary.seconds)}"
    )


def _path_and_url(reference: str) -> tuple[str | None, str]:
    # The path stands first: URLs may have a `=` of their own, as in `s3://b/year=2026`.
    path, equals, url = reference.partition("=")
    return (path, url) if equals and "://" not in path else (None, reference)


def _paths_and_name(
    session: Session, arguments: Sequence[str], name: str | None, *, may_be_empty: bool
) -> tuple[list[Path], str]:
    """Part the arguments; refuse, with the line that was meant, when they can mean two things."""
    if not arguments and not (may_be_empty and name is not None):
        raise InvalidInputError(
            "push needs a PATH and a NAME",
            code="usage-invalid",
            hint="art push PATH... NAME",
        )
    words = list(arguments)
    if name is None:
        if len(words) == 1:
            raise _refused(session, "NAME is missing: push needs a PATH and a NAME", words)
        name = words.pop()
        if _is_a_path_too(words, name):
            raise _refused(
                session,
                f"is {name!r} the NAME, or one more PATH? A file or directory of that name exists",
                [*words, name],
                name,
            )
    for word in words:
        if not os.path.lexists(word):
            raise _missing(word)
    _check_new_name(session, name)
    return [Path(word) for word in words], name


def _is_a_path_too(paths: Sequence[str], name: str) -> bool:
    if not os.path.lexists(name):
        return False
    # `art push *.png` with two files; but `art push ds ds` and, beside a checkout of ds,
    # `art push data ds` are what people mean.
    two_files = os.path.isfile(name) and os.path.isfile(paths[0]) and name != paths[0]
    return len(paths) > 1 or two_files


def _refused(
    session: Session, message: str, paths: list[str], name: str | None = None
) -> InvalidInputError:
    meant = session.corrected("--name", _proposed_name(paths))
    if len(paths) > SHOWN_ARGUMENTS:
        shown = [*paths[:2], "...", paths[-1]]
        meant = f"art push {' '.join(shown)} --name {_proposed_name(paths)}"
    hint = f"write: {meant}"
    context: dict[str, Any] = {"correction": meant}
    if name is not None and _is_a_name(name) and len(paths) <= SHOWN_ARGUMENTS:
        context["correction_if_name"] = session.corrected("--name", name, replace=(name, None))
        hint += f"\nor, if {name} is the NAME: {context['correction_if_name']}"
    return InvalidInputError(message, code="usage-invalid", hint=hint, **context)


def _is_a_name(text: str) -> bool:
    try:
        return not parse_artifact_name(text).is_exact
    except InvalidInputError:
        return False


def _proposed_name(paths: Sequence[str]) -> str:
    """A name that the paths suggest: their own, or that of the one directory they lie in."""
    first = Path(os.path.abspath(paths[0]))
    if len(paths) > 1:
        proposed = first.parent.name
    else:
        proposed = first.stem if first.is_file() else first.name
    return proposed_name(proposed) or "data"


def _missing(path: str) -> InvalidInputError:
    hint = None
    if "://" in path:
        hint = f"a URL is kept as a reference: --reference {path}"
    return InvalidInputError(
        f"there is no file or directory {path!r} to push",
        code="source-missing",
        hint=hint,
        path=path,
    )


def _check_new_name(session: Session, name: str) -> None:
    try:
        parsed = parse_artifact_name(name)
    except InvalidInputError as error:
        error.hint = "the last argument is the NAME; with --name NAME every argument is a PATH"
        raise
    if not parsed.is_exact:
        return
    plain = f"{parsed.project}/{parsed.name}" if parsed.project else parsed.name
    extra = ("--alias", parsed.alias) if parsed.alias and parsed.alias != "latest" else ()
    meant = session.corrected(*extra, replace=(name, plain))
    raise InvalidInputError(
        f"{name!r} names a version, and a push makes the next one by itself",
        code="usage-invalid",
        hint=f"write: {meant}",
        correction=meant,
    )


def _base_names(paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    taken: dict[str, Path] = {}
    for path in paths:
        # `.` and `x/..` have a base name only when made absolute.
        name = Path(os.path.abspath(path)).name
        if name in taken:
            raise InvalidInputError(
                f"{str(taken[name])!r} and {str(path)!r} would both be stored as {name!r}",
                code="usage-invalid",
                hint="push the directory that holds both, or push them one by one",
            )
        taken[name] = path
        yield name, path

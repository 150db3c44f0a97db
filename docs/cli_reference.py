"""
Write docs/reference/cli.md out of the commands themselves.

    python docs/cli_reference.py            write it
    python docs/cli_reference.py --check    only say whether it is current
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"

sys.path.insert(0, str(ROOT / "src"))

from artstore.cli.command import is_shared  # noqa: E402 - needs the path above
from artstore.cli.program import SECTIONS, program  # noqa: E402

HEADER = """\
# The command `art`

<!-- Written by docs/cli_reference.py out of the commands; change it there. -->

Names are `[project/]name[:vN|:alias|@digest]`; without a version, the newest. The store is that
of the first of: `--store`, `ARTSTORE_URL`, the nearest `artstore.toml`, your own settings
(`art config`), a directory in your data directory. The project is that of the first of:
`--project`, `ARTSTORE_PROJECT`, the nearest `artstore.toml`, the name of the git root, your own
settings, `default`.

Results go to stdout; notes, progress (on a terminal) and errors to stderr. What `--json` prints is
described in [json.md](json.md). `art --version` prints the version; `-h` and `--help` explain a
command.
"""

STATUSES = """\
## Exit status

| status | what it says |
|---|---|
| 0 | done |
| 1 | an error that artstore does not know: a bug, or the operating system |
| 2 | the command line, a name or a setting cannot be used as it is |
| 3 | a condition of `--fail-if` is true |
| 4 | the store, project, artifact, version or entry does not exist |
| 5 | something of that name is there already and is never overwritten |
| 6 | someone else was first: run it again |
| 7 | it does not fit the state of the thing, such as deleting a version that has aliases |
| 8 | stored or checked-out bytes are damaged |
| 9 | written by a newer release |
| 10 | the storage failed: no answer, no permission, no room |
| 130 | interrupted by Ctrl-C |
| 141 | the reader of the output went away |
| 143 | told to end (SIGTERM) |

The codes of single errors are in [error-codes.md](error-codes.md).

## Environment

| variable | what it does |
|---|---|
| `ARTSTORE_URL` | the store: a URL, or a directory that is made at the first write |
| `ARTSTORE_PROJECT` | the project of names without one |
| `ARTSTORE_CACHE_DIR` | where the cache lies; else `artstore` in `XDG_CACHE_HOME` or `~/.cache` |
| `ARTSTORE_JOBS` | as `--jobs`: requests at once, 1 to 256 |
| `ARTSTORE_LIMIT_RATE` | as `--limit-rate`: bytes a second to and from the store |
| `ARTSTORE_SERVE_TOKEN` | as `--token` of `art serve`, without a trace in lists of processes |
| `ARTSTORE_TRUSTED_REFERENCES` | URLs below which a pull follows references that it else refuses |
| `ARTSTORE_EXPERIMENTAL` | schemes of stores to allow although no test has seen them: `gs`, `az` |
| `AWS_*`, `HTTPS_PROXY`, ... | how a bucket is reached: [use a bucket](../how-to/use-a-bucket.md) |
| `NO_COLOR` | no colours, if set to anything |
| `XDG_CONFIG_HOME` | where your settings lie: `artstore/config.toml`; else `~/.config` |
| `XDG_DATA_HOME` | where the default store lies: `artstore/store`; else `~/.local/share` |
| `XDG_STATE_HOME` | journals of runs, and which directories are checkouts; else `~/.local/state` |
"""


def page() -> str:
    """The whole page."""
    context = click.Context(program, info_name="art")
    parts = [
        HEADER,
        _contents(),
        "## Options of every command\n",
        _options(program, context),
    ]
    for section, commands in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in commands:
            command = program.get_command(context, name)
            assert command is not None
            parts += _pages(command, click.Context(command, info_name=name, parent=context))
    parts.append(STATUSES)
    return "\n".join(parts)


def _contents() -> str:
    rows = ["| command | what it does |", "|---|---|"]
    for commands in SECTIONS.values():
        rows += [
            f"| [`art {name}`](#art-{name}) | {item.summary} |" for name, item in commands.items()
        ]
    return "\n".join(rows) + "\n"


def _pages(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"    {usage}\n"
    for paragraph in _sentences(command):
        yield f"{paragraph}\n"
    table = _options(command, context)
    if table:
        yield table
    examples = getattr(command, "examples", ())
    if examples:
        yield "\n".join(["```console", *(f"$ {line}" for line in examples), "```\n"])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _pages(below, click.Context(below, info_name=name, parent=context))


def _sentences(command: click.Command) -> list[str]:
    paragraphs = (command.help or "").strip().split("\n\n")
    return [_escaped(" ".join(paragraph.split())) for paragraph in paragraphs]


def _options(command: click.Command, context: click.Context) -> str:
    shared_wanted = command is program
    rows = []
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if not isinstance(param, click.Option) or record is None:
            continue
        # How click shows its own `--help` differs between its releases.
        if is_shared(param) == shared_wanted and not {"--help", "--version"} & set(param.opts):
            rows.append(f"| `{_escaped(record[0])}` | {_escaped(record[1])} |")
    return "\n".join(["| option | what it does |", "|---|---|", *rows, ""]) if rows else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*.", "\\*.")


def main() -> int:
    """Write or check the page; the exit status is 1 if it was out of date."""
    checking = "--check" in sys.argv[1:]
    text = page()
    if PAGE.exists() and PAGE.read_text("utf-8") == text:
        return 0
    if not checking:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, "utf-8")
    print(f"{'out of date' if checking else 'written'}: {PAGE.relative_to(ROOT)}")
    return 1 if checking else 0


if __name__ == "__main__":
    sys.exit(main())

"""`art serve`: the page of a store, for people in a browser."""

from __future__ import annotations

import sys
from typing import Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.output import printable
from artstore.cli.session import Session

__all__ = ["DEFAULT_PORT", "serve_command"]

DEFAULT_PORT: Final = 8420
_LOOPBACK: Final = "127.0.0.1"
_TOKEN_VARIABLE: Final = "ARTSTORE_SERVE_TOKEN"  # noqa: S105 - the name of a variable


@click.command(
    "serve",
    cls=Command,
    examples=(
        "art serve",
        "art serve --write --open",
        "art serve --host 0.0.0.0",
        "art serve --root-path /art --allow-host data.example.org",
    ),
)
@click.option(
    "--host", default=_LOOPBACK, show_default=True, metavar="HOST", help="Where to listen."
)
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65_535),
    metavar="N",
    help="The port; 0 takes a free one.",
)
@click.option(
    "--token",
    envvar=_TOKEN_VARIABLE,
    metavar="TEXT",
    help=f"What visitors must show. One is made if others reach HOST ({_TOKEN_VARIABLE}).",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which visitors call the server, such as that of a proxy; may be repeated.",
)
@click.option(
    "--root-path",
    default="",
    metavar="PATH",
    help="What a proxy puts before every address: /art.",
)
@click.option("--write", is_flag=True, help="Let visitors change labels, delete and restore.")
@click.option(
    "--open/--no-open",
    "opens",
    default=False,
    show_default=True,
    help="Open the page in a browser.",
)
@shared_options
@click.pass_obj
def serve_command(  # noqa: PLR0917 - one parameter an option
    session: Session,
    host: str,
    port: int,
    token: str | None,
    allow_hosts: tuple[str, ...],
    root_path: str,
    write: bool,  # noqa: FBT001 - click passes by name
    opens: bool,  # noqa: FBT001 - likewise
) -> None:
    """
    Show the store in a browser: artifacts, tables, runs and lineage. Ends with Ctrl-C.

    Only this machine reaches it, and it only reads, unless told otherwise. The address that is
    printed holds the token, if there is one; the same paths under /api/v1 give JSON.
    """
    from artstore.web.opening import open_site
    from artstore.web.serving import for_address, listen, serve
    from artstore.web.settings import ServeSettings
    from artstore.web.warming import warm_for_tables

    store = session.open_store()
    # Now, and not to the first visitor, it is said that there is none.
    store_id = store.id
    listening = listen(host, port)
    settings = ServeSettings(
        write=write, token=token, root_path=root_path, allowed_hosts=allow_hosts
    )
    settings = for_address(settings, listening)
    address = listening.address(settings)
    value = {
        "address": address,
        "host": listening.host,
        "port": listening.port,
        "token": settings.token,
        "root_path": settings.root_path,
        "write": settings.write,
        "store": store.url,
        "store_id": store_id,
    }
    site = open_site(store, settings)
    lines = [f"{printable(store.url)} at {address}"]
    session.output.result(value, lines, names=[address])
    # Whoever started it through a pipe waits for the address.
    sys.stdout.flush()
    session.output.note("Ctrl-C ends it")
    warm_for_tables()
    if opens:
        import webbrowser

        webbrowser.open(address)
    serve(site, listening)
    session.output.note("stopped")

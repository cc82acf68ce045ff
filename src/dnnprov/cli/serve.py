"""`dnnprov serve`: take what clients of DfAnalyzer post."""

from __future__ import annotations

import click

from dnnprov.cli.options import global_options, setting
from dnnprov.errors import StoreError
from dnnprov.journal.folder import is_database_url, store_folder, store_place
from dnnprov.server.serving import DEFAULT_HOST, DEFAULT_PORT, QUIET_SECONDS
from dnnprov.server.serving import serve as serve_store

TOKEN_VARIABLE = "DNNPROV_TOKEN"  # noqa: S105 - its name


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default=DEFAULT_HOST,
    show_default=True,
    help="Any but this machine's own needs a token.",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 for any that is free.",
)
@click.option(
    "--token", metavar="TEXT", envvar=TOKEN_VARIABLE, help="That requests must bring; better in $DNNPROV_TOKEN."
)
@click.option(
    "--quiet",
    "quiet_seconds",
    type=click.FloatRange(min=1.0),
    default=QUIET_SECONDS,
    show_default=True,
    help="Seconds without a post after which a run that no client named takes no more.",
)
@global_options
def serve(*, host: str, port: int, token: str | None, quiet_seconds: float) -> None:
    """Record what clients of DfAnalyzer post, until it is stopped.

    A post is answered once it is durable in a journal of the store.
    """
    place = store_place(setting("store"))
    if is_database_url(place):
        raise StoreError("a PostgreSQL store cannot be served; its journals are in DNNPROV_DIR: name that with --store")
    folder = store_folder(place)
    serve_store(
        folder,
        host,
        port,
        token or None,
        quiet_seconds,
        lambda url: click.echo(f"serving {url}, store {folder.path}; Ctrl-C stops it", err=True),
    )

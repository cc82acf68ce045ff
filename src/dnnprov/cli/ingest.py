"""`dnnprov ingest`: take journals into the database, once or as the follower."""

from __future__ import annotations

import click

from dnnprov.cli.options import global_options, setting
from dnnprov.cli.output import print_json
from dnnprov.store.follower import IDLE_SECONDS, follow
from dnnprov.store.sqlite import find_store, open_store


@click.command()
@click.option(
    "--follow",
    "is_follower",
    is_flag=True,
    help="Go on until nothing was recorded for a while; one a store, a second ends at once.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0.1),
    default=IDLE_SECONDS,
    show_default=True,
    help="With --follow: seconds without news after which it ends.",
)
@global_options
def ingest(*, is_follower: bool, idle: float) -> None:
    """Take what was recorded into the database.

    Every question does this by itself; the follower is for people who look at the database with other tools.
    """
    if is_follower:
        num_events = follow(find_store(setting("store")), idle)
    else:
        store = open_store(setting("store"))
        try:
            num_events = store.ingest()
        finally:
            store.close()
    if setting("as_json"):
        print_json({"num_events": num_events})
    else:
        click.echo(f"{num_events} new events", err=True)

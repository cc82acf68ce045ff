"""`dnnprov query SQL`."""

from __future__ import annotations

import sys

import click

from dnnprov.analysis.history import DEFAULT_LIMIT, DEFAULT_TIMEOUT_SECONDS
from dnnprov.cli.options import asked_history, global_options
from dnnprov.cli.output import print_result


@click.command()
@click.argument("sql")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Print at most so many rows; a cut is noted.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.01),
    default=DEFAULT_TIMEOUT_SECONDS,
    show_default=True,
    help="Stop the query after so many seconds.",
)
@global_options
def query(sql: str, limit: int, timeout: float) -> None:
    """Answer a SELECT over the store's tables; nothing can be changed.

    SQL of `-` is read from standard input.
    """
    with asked_history() as history:
        print_result(history.sql(sys.stdin.read() if sql == "-" else sql, limit=limit, timeout=timeout), is_chosen=True)

"""Runs benchmarks: `python -m benchmarks [NAME ...]`; `make bench` makes the environment first.

Prints a table: what was measured, the figure, what it is to reach, the figure as a part of that. Exits with 1 where
a reach was missed, with 2 where a benchmark failed; the page is written only where none did.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.machine import describe_machine
from benchmarks.report import as_json, markdown_page, terminal_table
from benchmarks.suite import BENCHMARKS, IN_LARGE, run

if TYPE_CHECKING:
    from benchmarks.measurement import Size


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line asks for."""
    options = read_options(arguments)
    if options.list:
        print("\n".join(f"{name:<16} {what}" for name, what in BENCHMARKS.items()))
        return 0
    console, progress = Console(), Console(stderr=True)
    size: Size = "quick" if options.quick else "large" if options.large else "full"
    names = options.names or [name for name in BENCHMARKS if size != "large" or name in IN_LARGE]
    machine = describe_machine()
    if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        progress.print("[bold]This machine is busy: times will be too long, and tails longer still.[/bold]")
    results = []
    for result in run(names, size, lambda name: progress.print(f"[dim]{name}: {BENCHMARKS[name]} ...[/dim]")):
        results.append(result)
        progress.print(terminal_table([result]))
        if result.failure is not None:
            traceback.print_exception(result.failure)
        for one in result.measurements:
            for key, value in one.details.items():
                progress.print(f"    [dim]{key}: {value}[/dim]", highlight=False)
    if options.json:
        print(as_json(results, machine))
    else:
        console.print(terminal_table(results))
    failed = [result.name for result in results if result.failure is not None]
    if failed:
        progress.print(f"[bold]failed, see above: {', '.join(failed)}[/bold]")
    elif options.markdown:
        options.markdown.write_text(markdown_page(results, machine, is_large=options.large), encoding="utf-8")
    is_missed = any(one.is_reached is False for result in results for one in result.measurements)
    return 2 if failed else int(is_missed)


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of benchmarks; all where none is given")
    parser.add_argument("--list", action="store_true", help="print the names and what they measure")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest sizes: shows that they work, measures nothing"
    )
    parser.add_argument("--large", action="store_true", help="the sizes that take minutes and gigabytes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a page as well")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"{name!r} is no benchmark; there are {', '.join(BENCHMARKS)}")
    if options.quick and options.large:
        parser.error("--quick and --large are two sizes; expected one")
    return options


if __name__ == "__main__":
    sys.exit(main())

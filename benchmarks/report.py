"""Results as a table on the terminal, as a page of the documentation, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.measurement import in_digits
from benchmarks.suite import BENCHMARKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measurement import Measurement
    from benchmarks.suite import Measured

COLUMNS = ("what", "figure", "reach", "ratio", "reached")


def cells(one: Measurement) -> tuple[str, ...]:
    """One line of the table: as `COLUMNS` say."""
    unit = f" {one.unit}" if one.unit else ""
    reach = "" if one.reach is None else f"{'≥' if one.is_floor else '≤'} {in_digits(one.reach)}{unit}"
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    reached = {None: "", True: "yes", False: "**no**"}[one.is_reached]
    return one.what, f"{in_digits(one.figure)}{unit}", reach, ratio, reached


def terminal_table(results: Iterable[Measured]) -> Table:
    """All lines, for `rich`."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for result in results:
        for one in result.measurements:
            table.add_row(*(cell.replace("**", "") for cell in cells(one)))
    return table


def markdown_page(results: Sequence[Measured], machine: Mapping[str, str], *, is_large: bool = False) -> str:
    """A page of the reference: the table, the details of each benchmark, the machine."""
    command = "make bench-large" if is_large else "make bench"
    lines = [
        "# Benchmarks of large histories" if is_large else "# Benchmarks",
        "",
        f"Made by `{command}`; do not edit. Ratio: the figure as a part of its reach. How each is measured stands in",
        "the modules of `benchmarks`; what figures consist of, in [performance](../explanation/performance.md).",
        "",
        *_table(COLUMNS, (cells(one) for result in results for one in result.measurements)),
        "",
        "## Machine",
        "",
        *_table(("what", "it is"), machine.items()),
        "",
        "## Details",
    ]
    for result in results:
        lines += ["", f"### {_as_sentence(BENCHMARKS[result.name])}", ""]
        lines += [f"`{command} ONLY={result.name}`, {result.seconds:.0f} s.", ""]
        for one in result.measurements:
            if one.details:
                lines += [
                    f"{_as_sentence(one.what)}:",
                    "",
                    *_table(("part", "figure"), one.details.items()),
                    "",
                ]
        lines.pop()
    return "\n".join(lines).rstrip() + "\n"


def as_json(results: Iterable[Measured], machine: Mapping[str, str]) -> str:
    """Everything, for programs."""
    rows = [
        {"benchmark": result.name, **asdict(one), "ratio": one.ratio, "is_reached": one.is_reached}
        for result in results
        for one in result.measurements
    ]
    return json.dumps({"machine": dict(machine), "measurements": rows}, indent=1)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _as_sentence(words: str) -> str:
    return words[:1].upper() + words[1:]

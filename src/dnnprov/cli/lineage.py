"""`dnnprov lineage THING`: what it stands on, what stands on it, or how it is related to another thing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnnprov.analysis.lineage import KINDS, Way
from dnnprov.analysis.table import cell_text
from dnnprov.cli.options import asked_history, complete_dataflow, complete_run, global_options, setting
from dnnprov.cli.output import print_json, print_notes, print_table
from dnnprov.errors import UsageError
from dnnprov.export.formats import FORMATS, format_of_path, named_format
from dnnprov.export.lineage_picture import draw_lineage

if TYPE_CHECKING:
    from dnnprov.analysis.lineage import Lineage

_PICTURES = [name for one in FORMATS.values() if one.is_picture for name in (one.name, *one.aliases)]


@click.command()
@click.argument("thing", shell_complete=complete_run)
@click.option("--ancestors", "directions", flag_value="ancestors", multiple=True, help="Only what it stands on.")
@click.option("--descendants", "directions", flag_value="descendants", multiple=True, help="Only what stands on it.")
@click.option(
    "--to",
    "other",
    metavar="THING",
    shell_complete=complete_run,
    help="One shortest way to another thing, in whichever direction there is one.",
)
@click.option("--depth", type=click.IntRange(min=1), help="At most so many relations away.")
@click.option(
    "--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only things of this kind; may be repeated."
)
@click.option("--one-run", is_flag=True, help="Stay in the run; do not follow files and parents into others.")
@click.option("--full", is_flag=True, help="Every element by itself, where a table or picture folds many into one.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_PICTURES, case_sensitive=False),
    help="Draw it, to stdout unless a file is named.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw it into this file; its suffix tells the format.",
)
@click.option(
    "--dataflow",
    metavar="TAG",
    shell_complete=complete_dataflow,
    help="The dataflow, where runs of several have the name.",
)
@global_options
def lineage(  # noqa: PLR0913 - one argument an option
    thing: str,
    directions: tuple[str, ...],
    other: str | None,
    depth: int | None,
    kinds: tuple[str, ...],
    *,
    one_run: bool,
    full: bool,
    format_name: str | None,
    output: Path | None,
    dataflow: str | None,
) -> None:
    """Say what a THING stands on and what stands on it, across runs.

    A THING is a RUN; RUN:TASK, RUN:SET or RUN:SET[epoch=10]; a file's path or the beginning of its SHA-256; or an id
    that --json prints.
    """
    if other is not None and (directions or depth is not None or kinds):
        raise click.UsageError("--to finds one way; --ancestors, --descendants, --depth and --kind do not go with it")
    if format_name is None and output is not None:
        format_name = _picture_format(output)
    with asked_history() as history:
        found: list[Lineage] = []
        if other is not None:
            found.append(history.path(thing, other, not one_run, dataflow))
        elif not directions or "ancestors" in directions:
            found.append(history.ancestors(thing, depth, kinds or None, not one_run, dataflow))
        if other is None and (not directions or "descendants" in directions):
            found.append(history.descendants(thing, depth, kinds or None, not one_run, dataflow))
        print_notes(dict.fromkeys(note for one in found for note in one.notes))
        if format_name is not None:
            _draw(found, format_name, output, full=full)
        elif setting("as_json"):
            print_json([row for one in found for row in _json_rows(one)])
        else:
            _print(found, thing, other, full=full)


def _picture_format(output: Path) -> str:
    name = format_of_path(output)
    if name not in _PICTURES:
        known = ", ".join(_PICTURES)
        raise UsageError(f"lineage is drawn as {known}, which {str(output)!r} is not; --json prints it as data")
    return name


def _draw(found: list[Lineage], format_name: str, output: Path | None, *, full: bool) -> None:
    content = draw_lineage(found, named_format(format_name).graphviz, full=full)
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)
        click.echo(f"wrote {output} ({len(content):,} bytes)", err=True)


def _json_rows(found: Lineage) -> list[dict[str, Any]]:
    """The rows, saying in which direction each was found; those of a way stand in its order."""
    if isinstance(found, Way):
        return found.to_json_rows()
    return [{"direction": found.direction, **row} for row in found.to_json_rows()]


def _print(found: list[Lineage], thing: str, other: str | None, *, full: bool) -> None:
    for number, one in enumerate(found):
        click.echo(("\n" if number else "") + _heading(one, thing, other))
        shown = one if full or isinstance(one, Way) else one.folded()
        if len(shown):
            print_table(shown.shown_columns, shown.shown_cells())


def _heading(found: Lineage, thing: str, other: str | None) -> str:
    """What the table below it is, or that there is nothing."""
    if not isinstance(found, Way):
        return f"{found.direction} of {cell_text(thing)}" + ("" if len(found) else ": none")
    if not len(found):
        return f"no way leads from {cell_text(thing)} to {cell_text(other)} or back"
    return f"{cell_text(thing)} {'stands on' if found.is_back else 'led to'} {cell_text(other)}"

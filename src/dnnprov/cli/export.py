"""`dnnprov export RUN`: the provenance of runs as a PROV document or a picture."""

from __future__ import annotations

from pathlib import Path

import click

from dnnprov.cli.options import asked_history, complete_dataflow, complete_run, global_options
from dnnprov.cli.output import print_notes
from dnnprov.export.contents import Part
from dnnprov.export.exporting import export as export_runs
from dnnprov.export.formats import FORMATS, format_of_path
from dnnprov.export.vocabulary import vocabulary

_NAMES = [name for one in FORMATS.values() for name in (one.name, *one.aliases)]


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_run)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_NAMES, case_sensitive=False),
    help="Default: by the file's suffix.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default: stdout.")
@click.option("--full", is_flag=True, help="Every epoch by itself, as documents have them anyway.")
@click.option("--collapsed", is_flag=True, help="Phases between adaptations, as pictures have them anyway.")
@click.option(
    "--part",
    type=click.Choice([part.value for part in Part]),
    default=Part.ALL.value,
    help="What was planned, what happened, or both, the default.",
)
@click.option(
    "--dataflow",
    metavar="TAG",
    shell_complete=complete_dataflow,
    help="The dataflow, where runs of several have the name; without a RUN, all of it.",
)
@click.option(
    "--vocabulary", "wants_vocabulary", is_flag=True, help="The terms that documents use, in OWL, and no run."
)
@global_options
def export(
    runs: tuple[str, ...],
    format_name: str | None,
    output: Path | None,
    *,
    full: bool,
    collapsed: bool,
    part: str,
    dataflow: str | None,
    wants_vocabulary: bool,
) -> None:
    """Export the provenance of a RUN, finished or not, in W3C PROV or as a picture.

    Several RUNs stand in a bundle each. With --dataflow and no RUN, the plan and all runs of the dataflow are exported.
    """
    if wants_vocabulary:
        if runs or dataflow is not None or format_name is not None:
            raise click.UsageError("--vocabulary goes with -o only; it is Turtle, and of no run")
        _put(vocabulary(), output)
        return
    if not runs and dataflow is None:
        raise click.UsageError("name a RUN, or a dataflow with --dataflow")
    if full and collapsed:
        raise click.UsageError("--full and --collapsed exclude each other")
    if format_name is None:
        if output is None:
            raise click.UsageError("name a --format, or a file with -o whose suffix tells it")
        format_name = format_of_path(output)
    with asked_history() as history:
        is_full = full or (False if collapsed else None)
        exported = export_runs(history, runs, format_name, dataflow=dataflow, part=part, full=is_full)
    print_notes(exported.notes)
    _put(exported.content, output)


def _put(content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)
        click.echo(f"wrote {output} ({len(content):,} bytes)", err=True)

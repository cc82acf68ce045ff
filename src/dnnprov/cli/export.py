"""`dnnprov export RUN`: the provenance of a run as a PROV document or a picture."""

from __future__ import annotations

from pathlib import Path

import click

from dnnprov.cli.options import asked_history, complete_dataflow, complete_run, global_options
from dnnprov.cli.output import print_notes
from dnnprov.export.formats import FORMATS, export_run, format_of_path

_NAMES = [name for one in FORMATS.values() for name in (one.name, *one.aliases)]


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_NAMES, case_sensitive=False),
    help="Default: by the file's suffix.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default: stdout.")
@click.option("--full", is_flag=True, help="In a picture: every epoch by itself, not phases between adaptations.")
@click.option("--dataflow", metavar="TAG", shell_complete=complete_dataflow, help="Of the dataflow that is meant.")
@global_options
def export(run: str, format_name: str | None, output: Path | None, *, full: bool, dataflow: str | None) -> None:
    """Export the provenance of a RUN, finished or not, in W3C PROV or as a picture."""
    if format_name is None:
        if output is None:
            raise click.UsageError("name a --format, or a file with -o whose suffix tells it")
        format_name = format_of_path(output)
    with asked_history() as history, history.snapshot():
        view = history.run(run, dataflow=dataflow)
        print_notes(view.notes)
        content = export_run(history, view.run_id, format_name, full=full)
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)
        click.echo(f"wrote {output} ({len(content):,} bytes)", err=True)

"""`dnnprov import SOURCE`: trainings that other systems recorded."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnnprov.cli.options import global_options, setting
from dnnprov.cli.output import print_json
from dnnprov.errors import UsageError
from dnnprov.importers.csv_logger import read_csv_log
from dnnprov.importers.dfanalyzer.reading import read_dumps
from dnnprov.importers.importing import import_runs
from dnnprov.importers.mlflow.reading import read_tracking_store
from dnnprov.importers.tensorboard.folders import name_pattern
from dnnprov.importers.tensorboard.reading import read_event_folders
from dnnprov.importers.trainer_state import read_trainer_state
from dnnprov.journal.folder import store_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dnnprov.importers.courses import Steps
    from dnnprov.importers.imported_run import ImportedRun, Progress

_dataflow = click.option("--dataflow", metavar="TAG", help="Dataflow of the runs; default: by the name of the source.")
_name = click.option("--name", metavar="NAME", help="Name of the run; default: by the name of the source.")

_steps = click.option(
    "--steps",
    type=click.Choice(["auto", "epochs", "batches"]),
    default="auto",
    show_default=True,
    help="What the steps are; auto: epochs where the validation has the same, one after the other.",
)


@click.group(name="import", subcommand_metavar="SOURCE [OPTIONS]")
@global_options
def import_group() -> None:
    """Import trainings that other systems recorded.

    A source is imported as a whole or not at all. What is in the store already stays as it is.
    """


@import_group.command(name="csvlogger")
@click.argument("file", type=click.Path(path_type=Path))
@_dataflow
@_name
@click.option("--separator", metavar="CHARACTER", default=",", show_default=True, help="Between the values of a line.")
@global_options
def csvlogger(file: Path, *, dataflow: str | None, name: str | None, separator: str) -> None:
    """Import what the CSVLogger of Keras wrote to FILE."""
    if len(separator) != 1 or separator in '\r\n"':
        raise UsageError(f"--separator {separator!r} is no single character; expected one such as ';'")
    with _progress() as progress:
        _take(lambda _: read_csv_log(file, dataflow=dataflow, name=name, separator=separator, progress=progress))


@import_group.command(name="dfanalyzer")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@global_options
def dfanalyzer(files: tuple[Path, ...]) -> None:
    """Import each FILE, a MonetDB dump of DfAnalyzer, which Keras-Prov and DLProv record into.

    All generations of its schema are read. Where several executions share task rows, they are told apart by time.
    """
    with _progress() as progress:
        _take(lambda place: read_dumps(files, place, progress))


@import_group.command(name="mlflow")
@click.argument("uri", metavar="URI")
@_dataflow
@click.option("--experiment", "experiments", metavar="NAME", multiple=True, help="Only this one; may be repeated.")
@_steps
@global_options
def mlflow(uri: str, *, dataflow: str | None, experiments: tuple[str, ...], steps: Steps) -> None:
    """Import the runs of a tracking store of MLflow: its SQLite file, its folder mlruns, or its server.

    An experiment becomes a dataflow, a run a run. The store is only read, without MLflow, and never migrated.
    """
    with _progress() as progress:
        _take(
            lambda place: read_tracking_store(
                uri,
                place,
                dataflow=dataflow,
                experiments=experiments,
                steps=steps,
                progress=progress,
                say=lambda text: click.echo(text, err=True),
            )
        )


@import_group.command(name="tensorboard")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_dataflow
@click.option(
    "--pattern",
    metavar="TEXT",
    help="How names of runs tell hyperparameters: '{}_{optimizer}_lr_{learning_rate}'; {} is anything.",
)
@_steps
@global_options
def tensorboard(folder: Path, *, dataflow: str | None, pattern: str | None, steps: Steps) -> None:
    """Import the event files of TensorBoard below DIR, a run for each folder, without TensorFlow.

    A folder that only carries hyperparameters and last results belongs to the run of the folder above.
    """
    names = None if pattern is None else name_pattern(pattern)
    with _progress() as progress:
        _take(
            lambda place: read_event_folders(
                folder, place, dataflow=dataflow, pattern=names, steps=steps, progress=progress
            )
        )


@import_group.command(name="trainer-state")
@click.argument("file", type=click.Path(path_type=Path))
@_dataflow
@_name
@global_options
def trainer_state(file: Path, *, dataflow: str | None, name: str | None) -> None:
    """Import FILE, a trainer_state.json of Hugging Face transformers, or the folder of a checkpoint that has one."""
    with _progress() as progress:
        _take(lambda _: read_trainer_state(file, dataflow=dataflow, name=name, progress=progress))


def _take(read: Callable[[Path], Iterable[ImportedRun]]) -> None:
    """Import the runs and say how many they were."""
    done = import_runs(store_folder(setting("store")), read)
    if setting("as_json"):
        print_json({"new": done.new, "known": done.known, "num_events": done.num_events})
        return
    known = f", {len(done.known):,} were in the store already" if done.known else ""
    click.echo(f"{len(done.new):,} runs imported{known}", err=True)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar of the bytes read on stderr, where that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - other commands need not wait for it
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = [TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn()]
    with Bars(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bars:
        bar = bars.add_task("importing", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)

"""`dnnprov gc`: removes runs for good, and frees what can be freed without losing anything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from dnnprov.analysis.history import STATUSES, open_history
from dnnprov.analysis.selection import check_dataflow, select_run
from dnnprov.cli.options import complete_dataflow, complete_run, global_options, setting
from dnnprov.cli.output import print_json, print_notes, print_table
from dnnprov.cli.rebuild import Progress
from dnnprov.errors import UsageError
from dnnprov.store.exclusive import exclusive
from dnnprov.store.removal import finish_removal, follow_removals, remove_runs, unfinished
from dnnprov.store.retention import (
    Conditions,
    Freed,
    OldRun,
    database_bytes,
    find_heirs,
    find_old_runs,
    free_space,
    journal_bytes,
    parse_age,
)
from dnnprov.store.sqlite import find_store

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder

_REMOVABLE = [status for status in STATUSES if status != "running"]
_SHOWN_RUNS = 20


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)
@click.option("--older-than", metavar="AGE", help="Ended, or last heard, longer ago: 30d, 12h, 2w.")
@click.option("--status", "statuses", type=click.Choice(_REMOVABLE), multiple=True, help="In this state, or another.")
@click.option("--tag", "tags", metavar="NAME[=VALUE]", multiple=True, help="With this tag; several: with all of them.")
@click.option("--dataflow", metavar="TAG", shell_complete=complete_dataflow, help="Of this dataflow.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@global_options
def gc(
    *,
    runs: tuple[str, ...],
    older_than: str | None,
    statuses: tuple[str, ...],
    tags: tuple[str, ...],
    dataflow: str | None,
    is_sure: bool,
    dry_run: bool,
) -> None:
    """Remove runs for good, and free space.

    A run goes when it meets every condition that is given. Without any condition nothing is lost: journals of crashed
    processes are compressed, and the database gives back what it does not use. A run that is running stays.
    """
    folder = find_store(setting("store"))
    open_history(setting("store")).close()  # an older database is upgraded, one of a later version refused
    with exclusive(folder):
        interrupted = unfinished(folder) if dry_run else finish_removal(folder)
        if interrupted:
            verb = "would be finished" if dry_run else "is finished"
            print_notes([f"an earlier gc was interrupted; its removal of {_counted(len(interrupted), 'run')} {verb}"])
        elsewhere = [] if dry_run else follow_removals(folder)
        if elsewhere:
            print_notes(
                [f"{_counted(len(elsewhere), 'run')} that gc removed on another machine went from this database"]
            )
        conditions = _conditions(runs, older_than, statuses, tags, dataflow)
        found = find_old_runs(folder, conditions) if conditions.any_given else []
        going = [run for run in found if run.kept_because is None]
        _tell(folder, found, going)
        if going and not dry_run:
            if not is_sure:
                _ask(len(going))
            going = _look_again(folder, conditions, going)
        if dry_run or (conditions.any_given and not going):
            _report(going, None, dry_run=dry_run)
            return
        _report(going, _free(folder, going, is_changed=bool(going or interrupted or elsewhere)), dry_run=False)


def _conditions(
    runs: tuple[str, ...],
    older_than: str | None,
    statuses: tuple[str, ...],
    tags: tuple[str, ...],
    dataflow: str | None,
) -> Conditions:
    """What the arguments say; takes in what is new, so that it is about this moment."""
    age = None if older_than is None else parse_age(older_than)
    with open_history(setting("store")) as history:
        print_notes(history.catch_up())
        if dataflow is not None:
            dataflow = check_dataflow(history.store, dataflow)
        uids = []
        for run in runs:
            selected = select_run(history.store, run, dataflow)
            print_notes([selected.note] if selected.note else [])
            uids.append(selected.uid)
    named = {}
    for tag in tags:
        name, equals, value = tag.partition("=")
        named[name] = value if equals else None
    return Conditions(age, named, statuses, dataflow, tuple(uids) if runs else None)


def _tell(folder: StoreFolder, found: list[OldRun], going: list[OldRun]) -> None:
    """List what goes, and say what has to stay or loses where it comes from."""
    print_notes(f"run {run.name!r} stays: {run.kept_because}" for run in found if run.kept_because is not None)
    if not going or setting("as_json"):
        return
    columns = ["run", "uid", "dataflow", "status", "ended_at", "journal_kB"]
    rows: list[list[Any]] = [
        [run.name, run.uid, run.dataflow, run.status, (run.heard_at or "")[:19], round(run.journal_bytes / 1e3, 1)]
        for run in going[:_SHOWN_RUNS]
    ]
    print_table(columns, rows)
    if len(going) > _SHOWN_RUNS:
        click.echo(f"... and {len(going) - _SHOWN_RUNS:,} more (all with --json)", err=True)
    heirs = find_heirs(folder, {run.uid for run in going})
    if heirs:
        shown = ", ".join(map(repr, heirs[:5])) + (f" and {len(heirs) - 5} more" if len(heirs) > 5 else "")
        print_notes([f"{shown}: derived from runs that go; they stay, and their lineage ends there"])


def _ask(num_runs: int) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{_counted(num_runs, 'run')} would go for good, and there is no terminal to ask at; give --yes"
        )
    if not click.confirm(f"Remove {_counted(num_runs, 'run')} for good?", err=True):
        click.echo("nothing was removed", err=True)
        raise click.exceptions.Exit(0)


def _look_again(folder: StoreFolder, conditions: Conditions, going: list[OldRun]) -> list[OldRun]:
    """The runs that may go still: while a question stands, somebody may resume one."""
    with open_history(setting("store")) as history:
        history.catch_up()
    now = {run.uid: run for run in find_old_runs(folder, conditions)}
    left = []
    for run in going:
        found = now.get(run.uid)
        if found is None:
            print_notes([f"run {run.name!r} stays: it changed meanwhile, and is none that was asked for"])
        elif found.kept_because is not None:
            print_notes([f"run {run.name!r} stays: {found.kept_because}"])
        else:
            left.append(found)
    return left


def _free(folder: StoreFolder, going: list[OldRun], *, is_changed: bool) -> Freed:
    """Remove the runs and free the space; what that freed."""
    journal, database = journal_bytes(folder), database_bytes(folder)
    try:
        if going:
            remove_runs(folder, [run.uid for run in going], Progress("runs removed"))
        freed = free_space(folder, compacts=is_changed)
    except KeyboardInterrupt:
        rest = len(unfinished(folder))
        click.echo(
            f"\n{_counted(rest, 'run')} may be half removed; the next dnnprov gc or rebuild finishes it"
            if rest
            else f"\n{_counted(len(going), 'run')} removed; the database is not compacted yet",
            err=True,
        )
        raise
    return Freed(journal - journal_bytes(folder), database - database_bytes(folder), freed.num_compressed, freed.notes)


def _report(going: list[OldRun], freed: Freed | None, *, dry_run: bool) -> None:
    print_notes(freed.notes if freed else [])
    if setting("as_json"):
        print_json(
            {
                "runs": [
                    {"uid": run.uid, "run": run.name, "dataflow": run.dataflow, "status": run.status,
                     "ended_at": run.heard_at, "journal_bytes": run.journal_bytes}
                    for run in going
                ],
                "removed": freed is not None,
                "num_compressed": freed.num_compressed if freed else 0,
                "journal_bytes_freed": freed.journal_bytes if freed else 0,
                "database_bytes_freed": freed.database_bytes if freed else 0,
            }
        )  # fmt: skip
        return
    if freed is None:
        size = sum(run.journal_bytes for run in going) / 1e6
        would = f"would remove {_counted(len(going), 'run')}, {size:.1f} MB of journals, and their part of the database"
        click.echo(would if dry_run and going else "nothing to remove")
        return
    done = [f"removed {_counted(len(going), 'run')}"] if going else []
    done += [f"compressed {_counted(freed.num_compressed, 'journal')}"] if freed.num_compressed else []
    sizes = f"freed {freed.journal_bytes / 1e6:.1f} MB of journals, {freed.database_bytes / 1e6:.1f} MB of the database"
    click.echo("; ".join([*done, sizes]))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

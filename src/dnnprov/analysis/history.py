"""The door to everything that was recorded: `dnnprov.open()`.

Every question first takes in what the journals hold, so that it sees what a training has recorded until now, and then
reads one state of the database, however many statements it needs.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from dnnprov.analysis.answering import answer
from dnnprov.analysis.lineage import Asking, trace, trace_path
from dnnprov.analysis.overview import overview
from dnnprov.analysis.questions import question as find_question
from dnnprov.analysis.questions.recorded_schema import read_schema
from dnnprov.analysis.questions.sql_text import storable_text
from dnnprov.analysis.ranking import ranking_notes
from dnnprov.analysis.ranks import rank_notes
from dnnprov.analysis.result import Result
from dnnprov.analysis.run_view import view_run
from dnnprov.analysis.selection import check_dataflow, dataflow_tags, select_dataflow, select_run
from dnnprov.errors import UsageError
from dnnprov.journal.folder import store_folder
from dnnprov.model.events import END_STATES
from dnnprov.store.sqlite import open_store

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from dnnprov.analysis.lineage import Lineage, Way
    from dnnprov.analysis.lineage.things import Asked
    from dnnprov.analysis.questions import Question, Statement
    from dnnprov.analysis.result import Row
    from dnnprov.analysis.run_view import RunView
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.store.base import Store

DEFAULT_LIMIT = 10_000
"""Rows of an answer to a person's SQL."""

DEFAULT_TIMEOUT_SECONDS = 30.0

_ALL_ROWS = 2**31 - 2  # what a database driver counts with

STATUSES = ("running", *END_STATES)


class History:
    """What a store holds, to be asked; made by `dnnprov.open`.

    Use it as a context manager or call `close`. It belongs to the thread that opened it.

    Attributes:
        store: the provenance database.

    Example:
        ```python
        with dnnprov.open() as history:
            print(history.runs(dataflow="alexnet"))
            print(history.ask("Q1", dataflow="alexnet", epoch=10))
            frame = history.sql("SELECT epoch, loss FROM oTrainingModel").to_pandas()
        ```
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._notes: list[str] | None = None  # of the snapshot that is open
        self._is_closed = False

    def runs(self, dataflow: str | None = None, status: str | None = None, limit: int | None = None) -> Result:
        """Runs with their status, hyperparameters and results, the latest first: rows of `run_overview`.

        Args:
            dataflow: tag of the dataflow whose runs are wanted.
            status: that they must have.
            limit: how many at most.

        Raises:
            DataflowNotFoundError: no dataflow has this tag.
            UsageError: there is no such status, or the limit is below 1.
        """
        if status is not None and status not in STATUSES:
            raise UsageError(f"status={status!r} is none; expected one of {', '.join(STATUSES)}")
        _check_limit(limit)
        with self.snapshot() as notes:
            conditions: dict[str, object] = {}
            if dataflow is not None:
                conditions["dataflow"] = check_dataflow(self.store, dataflow)
            if status is not None:
                conditions["status"] = status
            found = overview(self.store, conditions, limit, notes)
            found.notes += rank_notes(self.store, {row["run_id"] for row in found})
            return found

    def run(self, name: str, dataflow: str | None = None) -> RunView:
        """One run with its hyperparameters, metrics, tasks, adaptations, files, environment and problems.

        Args:
            name: the run's uid, a prefix of it (at least four characters), its name, or `latest`.
            dataflow: tag of the dataflow that it belongs to.

        Raises:
            RunNotFoundError: there is no such run.
            DataflowNotFoundError: there is no such dataflow.
            AmbiguousRunError: the prefix fits several runs.
        """
        with self.snapshot() as notes:
            return view_run(self.store, select_run(self.store, name, dataflow), notes)

    def ask(self, question: str, dataflow: str | None = None, run: str | None = None, **parameters: object) -> Result:
        """The answer to one of the paper's questions.

        Args:
            question: its id, `"Q1"` to `"Q8"`.
            dataflow: tag of the dataflow; may be left out where the store has one only, or with `run`.
            run: for Q1, Q2 and Q3, as in `run`; the latest where it is left out.
            parameters: of the question: `epoch` and `metric` (Q1), `top` (Q5), `dropout` (Q7).

        Raises:
            UsageError: no such question or parameter, or there are several dataflows and none was named.
            DataflowNotFoundError: there is no such dataflow.
            RunNotFoundError: there is no such run.
            AmbiguousRunError: the prefix fits several runs.
        """
        asked = find_question(question)
        arguments = asked.arguments(parameters)
        with self.snapshot() as notes:
            statement, more_notes = self._state(asked, dataflow, run, arguments)
            found = answer(self.store, statement, [*notes, *more_notes])
        if not found and asked.when_empty:
            found.notes.append(asked.when_empty.format_map(arguments))
        return found

    def ancestors(
        self,
        thing: Asked,
        depth: int | None = None,
        kinds: Iterable[str] | None = None,
        across_runs: bool = True,
        dataflow: str | None = None,
    ) -> Lineage:
        """What something stands on: the nearest first, back to the images and to other runs whose files were used.

        Args:
            thing: a run, as in `run`; a file, by its path or the beginning of its SHA-256, also where it was renamed or
                moved; or, after a run and a colon, a task, a data set or an id: `"alexnet-6:oTrainingModel[epoch=10]"`.
            depth: relations between, at most.
            kinds: of things to give back: some of `run`, `task`, `file`, `element`.
            across_runs: whether to go on into other runs.
            dataflow: tag of the dataflow that a run which is named belongs to.

        Raises:
            NotFoundError: nothing is called so.
            AmbiguousRunError: it is the beginning of several uids.
            UsageError: it fits several files, or another argument cannot be meant.
        """
        with self.snapshot() as notes:
            asking = Asking(self.store, self._store_or_anew, across_runs, dataflow, notes)
            return trace(asking, thing, "ancestors", depth, kinds)

    def descendants(
        self,
        thing: Asked,
        depth: int | None = None,
        kinds: Iterable[str] | None = None,
        across_runs: bool = True,
        dataflow: str | None = None,
    ) -> Lineage:
        """What stands on something: of a file, all that was made with it and every run that used it.

        Arguments and errors as of `ancestors`.
        """
        with self.snapshot() as notes:
            asking = Asking(self.store, self._store_or_anew, across_runs, dataflow, notes)
            return trace(asking, thing, "descendants", depth, kinds)

    def path(self, start: Asked, end: Asked, across_runs: bool = True, dataflow: str | None = None) -> Way:
        """A shortest way between two things, in whichever direction there is one; empty where there is none.

        Args:
            start: as the `thing` of `ancestors`.
            end: likewise.
            across_runs: whether it may lead through other runs than theirs.
            dataflow: tag of the dataflow that runs which are named belong to.

        Raises:
            NotFoundError: nothing is called so.
            AmbiguousRunError: it is the beginning of several uids.
            UsageError: it fits several files.
        """
        with self.snapshot() as notes:
            return trace_path(Asking(self.store, self._store_or_anew, across_runs, dataflow, notes), start, end)

    def sql(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        limit: int | None = DEFAULT_LIMIT,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Result:
        """The answer to any SELECT, over a connection that cannot write.

        Args:
            sql: one statement.
            parameters: for `?`, or a mapping for `:name`.
            limit: rows at most; a cut is noted. `None` for all.
            timeout: seconds after which it is stopped.

        Raises:
            QueryRefusedError: it would write, or look outside the store.
            QueryTimeoutError: it ran too long.
            QueryError: the database refused it.
            UsageError: the limit is below 1, or the timeout is not above 0.
        """
        _check_limit(limit)
        if not timeout > 0:
            raise UsageError(f"timeout={timeout!r} is no time; expected seconds above 0")
        max_rows = _ALL_ROWS if limit is None else min(limit, _ALL_ROWS)
        with self.snapshot() as notes:
            columns, rows, was_cut = self.store.read_untrusted(
                storable_text(sql), parameters, timeout_seconds=timeout, max_rows=max_rows
            )
        cut = f"only the first {max_rows:,} rows are shown; raise --limit (limit=) or narrow the query with WHERE"
        return Result(columns, rows, sql, [*notes, cut] if was_cut else notes)

    @property
    def folder(self) -> StoreFolder:
        """Where the journals of the store are."""
        return store_folder(self.store.place)

    def catch_up(self) -> list[str]:
        """Take in what is new, as every question does; the notes about what could not be."""
        with self.snapshot() as notes:
            return notes

    def dataflows(self) -> list[str]:
        """Tags of the dataflows, in the order they were first recorded."""
        with self.snapshot():
            return dataflow_tags(self.store)

    def query(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """Rows of SQL that comes from this package itself: without time-out or limit."""
        with self.snapshot():
            columns, rows = self.store.read(sql, parameters)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    @contextmanager
    def snapshot(self) -> Iterator[list[str]]:
        """Take in what is new, then let everything asked inside see one state.

        Yields:
            Notes about that state, for stderr: as of when it is, where the store cannot be written.
        """
        if self._notes is not None:
            yield list(self._notes)
            return
        note = self.store.catch_up()
        self._notes = [note] if note else []
        try:
            with self.store.snapshot():
                yield list(self._notes)
        finally:
            self._notes = None

    def close(self) -> None:
        """Let go of the database."""
        self._is_closed = True
        self.store.close()

    @contextmanager
    def _store_or_anew(self) -> Iterator[Store]:
        """The store, opened again where it was closed: for rows of an answer that are looked at later."""
        if not self._is_closed:
            yield self.store
            return
        store = open_store(self.store.place)
        try:
            yield store
        finally:
            store.close()

    def _state(
        self, asked: Question, dataflow: str | None, run: str | None, arguments: dict[str, Any]
    ) -> tuple[Statement, list[str]]:
        """The statement that answers a question, and what is to be said about the choice of runs."""
        notes: list[str] = []
        uid = None
        if run is not None:
            if not asked.takes_run:
                raise UsageError(f"{asked.id} compares the runs of a dataflow; it takes no run, and got run={run!r}")
            selected = select_run(self.store, run, dataflow)
            uid = selected.uid
            notes += [selected.note] if selected.note else []
        else:
            dataflow = select_dataflow(self.store, dataflow)
            notes += ranking_notes(self.store, dataflow) if asked.about == "ranking" else []
        statement = asked.state(read_schema(self.store), {**arguments, "dataflow": dataflow, "run": uid})
        return statement, notes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<History of the store {self.store.place!r}>"


def open_history(store: str | os.PathLike[str] | None = None) -> History:
    """Open what was recorded in a store.

    Args:
        store: folder, or a `postgresql://` URL; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.

    Raises:
        StoreNotFoundError: nothing was ever recorded there.
        SchemaVersionError: its database is of another version of dnnprov.
    """
    return History(open_store(store))


def _check_limit(limit: int | None) -> None:
    if limit is not None and (type(limit) is not int or limit < 1):
        raise UsageError(f"limit={limit!r} is no number of rows; expected a whole number from 1 on")

"""What recorded values do to the database: elements of data sets, hyperparameters, adaptations and metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dnnprov.model import events
from dnnprov.model.training import SETS
from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER, NON_FINITE
from dnnprov.store.amended_rows import EarlyRows
from dnnprov.store.element_columns import FEW, AlikeElements, can_be_gathered, find_columns
from dnnprov.store.elements import Elements, Origin
from dnnprov.store.metrics import Metrics
from dnnprov.store.parameters import Parameters
from dnnprov.store.schema import quoted
from dnnprov.store.source import find_place, find_task, time_text
from dnnprov.store.summaries import RowValues, Summaries, further_names, is_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from dnnprov.store.catalog import Catalog, DataSet
    from dnnprov.store.elements import Placement
    from dnnprov.store.source import Source
    from dnnprov.store.summaries import Level

_LEVELS: dict[str, Level] = {"otrainingmodel": "epoch", "otestingmodel": "test"}
"""Table of a data set -> level of `run_metric` that its rows are summed up in."""


class ElementRows:
    """Takes the events that carry values.

    Args:
        connection: that rows are written through.
        catalog: of names.
        problem: called with (run_id, kind, detail, recorded_at) for what does not fit.
    """

    def __init__(
        self, connection: sqlite3.Connection, catalog: Catalog, problem: Callable[[int, str, str, str | None], None]
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._summaries = Summaries(connection)
        self._metrics = Metrics(connection, self._summaries, problem)
        self._elements = Elements(connection, catalog, problem)
        self._parameters = Parameters(connection, catalog, self._elements)
        self._early_rows = EarlyRows(connection)
        self._early: set[int] = set()  # events of the source whose rows are there already
        self._unordered: set[tuple[int, Level, str]] = set()  # runs, and what of them to sum up anew
        self._last: dict[str, tuple[int, Any, str | None]] = {}  # table -> process, and what its rows are to come after
        self._gathered: dict[str, AlikeElements] = {}  # by table
        self._source: Source | None = None  # of what is gathered

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._metrics.forget()
        self._summaries.forget()
        self._unordered.clear()
        self._last.clear()
        self._gathered.clear()
        self._source = None

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self.settle()
        self._source = None
        self._metrics.flush()
        for run_id, level, tag in self._unordered:
            self._summaries.recompute_rows(run_id, level, self._catalog.data_set(tag))
        self._summaries.flush()
        self._unordered.clear()

    def settle(self) -> None:
        """Write the elements that were gathered, for those who look at them in the database."""
        for table in list(self._gathered):
            self._settle(table)

    def set_parameters(self, event: events.ParametersSet, source: Source) -> None:
        """Hyperparameters of the run as a whole."""
        self._parameters.fill(event.values, event.non_finite or {}, _origin(event, source, None))

    def record(self, event: events.ElementsRecorded, source: Source) -> None:
        """Rows of a data set."""
        data_set = self._catalog.data_set(event.set)
        self._read_from(source)
        if event.seq in self._early:
            self._take_late(event, data_set, source)
            return
        alike = self._gathered.get(data_set.table)
        if not can_be_gathered(event, data_set):
            self._settle(data_set.table)
            self._take(event, data_set, source)
        elif alike is not None and alike.fits(event):
            alike.events.append(event)
        else:
            self._settle(data_set.table)
            names = tuple(event.rows[0])
            self._gathered[data_set.table] = AlikeElements(data_set, event.relation, event.task, names, [event])

    def amend(self, event: events.ElementAmended, source: Source) -> None:
        """A row as it is now: in the place of what was recorded of it, or for the first time where that is not here."""
        data_set = self._catalog.data_set(event.set)
        self._read_from(source)
        self._settle(data_set.table)
        place = find_place(self._connection, event.element, source) or (source.process_id, event.seq)
        task = find_task(self._connection, event.task, source)
        origin = replace(_origin(event, source, task[0] if task else None), process_id=place[0], sequence=place[1])
        found = self._elements.find(data_set, event.relation, origin)
        key = None
        if found is not None:
            origin, key = replace(origin, recorded_at=found[0]["recorded_at"]), found[0]["element_id"]
            self._elements.remove(data_set, *found)
        elif place != (source.process_id, event.seq):
            self._expect(event, place[1], source)
        if found is None and task and task[1] is not None:
            self._catalog.plan.link_element(task[1], data_set, event.relation, source, event.seq)
        placement = self._elements.place(data_set, event.values, event.non_finite or {}, origin)
        self._elements.insert(data_set, event.relation, placement, origin, key=key)
        level = _LEVELS.get(data_set.table) if event.relation == "generated" else None
        if level:
            before = None if found is None else RowValues(data_set).row(found[0], found[1].items())
            self._summarise_amended(level, data_set, before, placement, origin, key, source)

    def _read_from(self, source: Source) -> None:
        """What comes now is of this segment."""
        if source is not self._source:
            self.settle()
            self._source, self._early = source, self._early_rows.find(source)

    def _expect(self, event: events.ElementAmended, sequence: int, source: Source) -> None:
        """The row of an event is here before it."""
        process = source.header.process
        if isinstance(event.element, str):
            process = event.element.rpartition(":")[0]
        else:
            self._early.add(sequence)
        self._early_rows.note(source.header.run, process, sequence)

    def _take_late(self, event: events.ElementsRecorded, data_set: DataSet, source: Source) -> None:
        """A row that its amendment has made already: only when it was recorded was not known."""
        self._settle(data_set.table)
        task = find_task(self._connection, event.task, source)
        if task and task[1] is not None:
            self._catalog.plan.link_element(task[1], data_set, event.relation, source, event.seq)
        self._connection.execute(
            f"UPDATE {quoted(data_set.table)} SET recorded_at = ? WHERE run_id = ? AND process_id = ? AND sequence = ?",
            (time_text(event.at), source.run_id, source.process_id, event.seq),
        )
        self._early_rows.remove(source, event.seq)
        self._early.discard(event.seq)
        if level := _LEVELS.get(data_set.table) if event.relation == "generated" else None:
            self._unordered.add((source.run_id, level, data_set.tag))

    def _settle(self, table: str) -> None:
        """Write the elements that were gathered of a table, in the order they came."""
        alike, source = self._gathered.pop(table, None), self._source
        if alike is None or source is None:
            return
        placement = None
        if len(alike.events) >= FEW:  # the first makes what is new
            placement = self._take(alike.events.pop(0), alike.data_set, source)
        if placement is None or not self._take_columns(alike, placement, source):
            for event in alike.events:
                self._take(event, alike.data_set, source)

    def _take(self, event: events.ElementsRecorded, data_set: DataSet, source: Source) -> Placement | None:
        """Write the rows of one event; where the values of the last one are."""
        task = find_task(self._connection, event.task, source)
        origin = _origin(event, source, task[0] if task else None)
        is_parameters = data_set.table == "itrainingmodel" and event.relation == "used"
        if task and task[1] is not None:
            if is_parameters:
                self._catalog.plan.link_parameters(task[0], task[1], data_set, source)
            else:
                self._catalog.plan.link_element(task[1], data_set, event.relation, source, event.seq)
        level = _LEVELS.get(data_set.table) if event.relation == "generated" else None
        placement = None
        for number, row in enumerate(event.rows):
            non_finite = event.non_finite[number] if event.non_finite else {}
            placement = self._elements.place(data_set, row, non_finite, origin)
            if is_parameters and self._parameters.join(placement, origin, number):
                continue
            self._elements.insert(data_set, event.relation, placement, origin, number)
            if level:
                self._summarise(level, data_set, placement, origin.recorded_at, source)
        return placement

    def _take_columns(self, alike: AlikeElements, placement: Placement, source: Source) -> bool:
        """Write elements that are placed as another of them was; `False` where they have to be placed one by one."""
        data_set, relation, rows = alike.data_set, alike.relation, alike.events
        columns = find_columns(placement.attributes, rows)
        if not columns:
            return False
        task = find_task(self._connection, alike.task, source)
        origin = _origin(rows[0], source, task[0] if task else None)
        self._elements.insert_all(
            data_set,
            relation,
            columns,
            origin,
            [(time_text(event.at), event.seq) for event in rows],
        )
        level = _LEVELS.get(data_set.table) if relation == "generated" else None
        if level:
            self._summaries.add_columns(source.run_id, level, source.header.rank, columns, len(rows))
            self._note_level(level, data_set, columns.get("epoch", ()), origin.recorded_at, source)
        return True

    def record_metrics(self, event: events.MetricsRecorded, source: Source) -> None:
        """Values of series."""
        self._metrics.record(event, source)

    def adapt(self, event: events.HyperparameterAdapted, source: Source) -> None:
        """A hyperparameter changed: a row of oAdaptation."""
        row: dict[str, Any] = {
            name: getattr(event, name)
            for name in SETS["oadaptation"].attributes
            if name != "timestamp" and getattr(event, name) is not None
        }
        row["timestamp"] = time_text(event.at)
        non_finite = {name: row[name] for name in ("old_value", "new_value") if row.get(name) in NON_FINITE}
        row.update(dict.fromkeys(non_finite))
        self.record(
            events.ElementsRecorded(
                seq=event.seq,
                at=event.at,
                task=event.task,
                set="oAdaptation",
                relation="generated",
                rows=[row],
                non_finite=[non_finite] if non_finite else None,
            ),
            source,
        )

    def _summarise(
        self, level: Level, data_set: DataSet, placement: Placement, recorded_at: str | None, source: Source
    ) -> None:
        """Keep the run's last epoch and its summaries up to a row of oTrainingModel or oTestingModel."""
        columns, non_finite = _metrics_in(data_set, placement)
        self._summaries.add_row(source.run_id, level, source.header.rank, columns, non_finite)
        self._note_level(level, data_set, (columns.get("epoch"),), recorded_at, source)

    def _summarise_amended(
        self,
        level: Level,
        data_set: DataSet,
        before: tuple[dict[str, Any], dict[str, str]] | None,
        placement: Placement,
        origin: Origin,
        key: int | None,
        source: Source,
    ) -> None:
        """Keep the run's last epoch and its summaries up to a row that was amended: it is the last, nearly always."""
        columns, non_finite = _metrics_in(data_set, placement)
        is_last = (
            before is not None
            and not self._connection.execute(
                f"SELECT 1 FROM {quoted(data_set.table)} WHERE element_id > ? AND +run_id = ? LIMIT 1",
                (key, origin.run_id),
            ).fetchone()
        )
        if not is_last or not self._summaries.amend_row(
            origin.run_id, level, origin.rank, before or ({}, {}), (columns, non_finite)
        ):
            self._unordered.add((origin.run_id, level, data_set.tag))
        self._note_level(level, data_set, (columns.get("epoch"),), origin.recorded_at, source)
        if level == "epoch" and before is not None and before[0].get("epoch") != columns.get("epoch"):
            self._connection.execute(
                "UPDATE run SET last_epoch = (SELECT MAX(CAST(e.epoch AS INTEGER)) FROM otrainingmodel AS e"
                " WHERE e.run_id = run.run_id AND e.relation = 'generated'"
                " AND typeof(e.epoch) IN ('integer', 'real') AND e.epoch = CAST(e.epoch AS INTEGER)) WHERE run_id = ?",
                (origin.run_id,),
            )

    def _note_level(
        self, level: Level, data_set: DataSet, epochs: Sequence[Any], recorded_at: str | None, source: Source
    ) -> None:
        if (source.last_attempt or source.has_siblings) and not self._is_after(data_set, epochs, recorded_at, source):
            self._unordered.add((source.run_id, level, data_set.tag))
        whole = [int(epoch) for epoch in epochs if is_number(epoch) and _is_whole(epoch)]
        if level == "epoch" and whole:
            self._connection.execute(
                "UPDATE run SET last_epoch = MAX(COALESCE(last_epoch, ?1), ?1) WHERE run_id = ?2",
                (max(whole), source.run_id),
            )

    def _is_after(self, data_set: DataSet, epochs: Sequence[Any], recorded_at: str | None, source: Source) -> bool:
        """Whether rows come after all others of their run, and repeat no epoch of an earlier attempt."""
        if not source.is_latest:
            self._last.clear()
            return False
        process_id, last_epoch, last_at = self._last.get(data_set.table, (0, None, None))
        if process_id != source.process_id:
            last_epoch, last_at = self._summaries.find_last(source, data_set)
            self._last[data_set.table] = source.process_id, last_epoch, last_at
        if last_at is not None and (recorded_at is None or recorded_at <= last_at):
            return False
        return last_epoch is None or all(
            epoch is None or (is_number(epoch) and is_number(last_epoch) and epoch > last_epoch) for epoch in epochs
        )


def _metrics_in(data_set: DataSet, placement: Placement) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by column, and the names of those that are not finite; those beyond the columns by their own names."""
    if not placement.beyond:
        return placement.columns, placement.non_finite
    names = further_names(data_set)
    columns = placement.columns | {names[key]: value for key, value in placement.beyond.items() if key in names}
    keys = {attribute.key: names.get(attribute.attribute_id, attribute.key) for attribute in placement.attributes}
    return columns, {keys[key]: special for key, special in placement.non_finite.items()}


def _is_whole(number: float) -> bool:
    """Whether a number is one that a column of integers holds."""
    return MIN_INTEGER <= number <= MAX_INTEGER and number == int(number)


def _origin(event: events.Event, source: Source, task_id: int | None) -> Origin:
    return Origin(
        source.run_id,
        task_id,
        source.header.rank,
        source.header.attempt,
        source.process_id,
        event.seq,
        time_text(event.at),
        source.dataflow,
    )

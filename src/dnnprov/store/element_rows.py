"""What recorded values do to the database: elements of data sets, hyperparameters, adaptations and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model import events
from dnnprov.model.training import SETS
from dnnprov.model.values import NON_FINITE
from dnnprov.store.elements import Elements, Origin
from dnnprov.store.metrics import Metrics, is_number
from dnnprov.store.parameters import Parameters
from dnnprov.store.source import find_task, time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from dnnprov.store.catalog import Catalog, DataSet
    from dnnprov.store.elements import Placement
    from dnnprov.store.metrics import Level
    from dnnprov.store.source import Source

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
        self._metrics = Metrics(connection, problem)
        self._elements = Elements(connection, catalog, problem)
        self._parameters = Parameters(connection, catalog, self._elements)
        self._resumed: set[tuple[int, Level, str]] = set()  # runs, and what of them to sum up anew

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._metrics.forget()
        self._resumed.clear()

    def flush(self) -> None:
        """Write what was gathered; the end of every transaction."""
        self._metrics.flush()
        for run_id, level, tag in self._resumed:
            self._metrics.recompute_rows(run_id, level, self._catalog.data_set(tag))
        if self._resumed:
            self._metrics.flush()
        self._resumed.clear()

    def set_parameters(self, event: events.ParametersSet, source: Source) -> None:
        """Hyperparameters of the run as a whole."""
        self._parameters.fill(event.values, event.non_finite or {}, _origin(event, source, None))

    def record(self, event: events.ElementsRecorded, source: Source) -> None:
        """Rows of a data set."""
        task = find_task(self._connection, event.task, source)
        origin = _origin(event, source, task[0] if task else None)
        data_set = self._catalog.data_set(event.set)
        if task and task[1] is not None:
            self._catalog.plan.link_element(task[1], data_set, event.relation, source, event.seq)
        is_parameters = data_set.table == "itrainingmodel"
        level = _LEVELS.get(data_set.table) if event.relation == "generated" else None
        for number, row in enumerate(event.rows):
            non_finite = event.non_finite[number] if event.non_finite else {}
            placement = self._elements.place(data_set, row, non_finite, origin)
            if is_parameters and self._parameters.join(placement, origin, number):
                continue
            self._elements.insert(data_set, event.relation, placement, origin, number)
            if level:
                self._summarise(level, data_set, placement, source)

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

    def _summarise(self, level: Level, data_set: DataSet, placement: Placement, source: Source) -> None:
        """Keep the run's last epoch and its summaries up to a row of oTrainingModel or oTestingModel."""
        self._metrics.add_row(source.run_id, level, source.header.rank, placement.columns, placement.non_finite)
        if source.last_attempt:
            self._resumed.add((source.run_id, level, data_set.tag))
        epoch = placement.columns.get("epoch")
        if level == "epoch" and is_number(epoch) and epoch == int(epoch):
            self._connection.execute(
                "UPDATE run SET last_epoch = MAX(COALESCE(last_epoch, ?), ?) WHERE run_id = ?",
                (int(epoch), int(epoch), source.run_id),
            )


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

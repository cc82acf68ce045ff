"""Views of the provenance database, and the rules they follow: which values count, and which count as accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.training import ACCURACY_NAMES
from dnnprov.store.schema import OVERVIEW_COLUMNS, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

METRIC_VIEW = """
CREATE VIEW metric AS
SELECT s.run_id AS run_id, s.name AS name, v.step AS step, v.epoch AS epoch, v.value AS value,
       v.non_finite AS non_finite, s.rank AS rank,
       strftime('%Y-%m-%dT%H:%M:%fZ', (s.began_ms + v.elapsed_ms) / 1000.0, 'unixepoch') AS recorded_at
FROM metric_series AS s JOIN metric_value AS v ON v.series_id = s.series_id
WHERE v.superseded = 0
"""

RANK_VIEW = """
CREATE VIEW run_rank AS
SELECT k.run_id AS run_id, k.rank AS rank, p.host AS host, p.pid AS pid, e.device AS device, p.attempt AS attempt,
       k.status AS status, p.started_at AS started_at, k.ended_at AS ended_at,
       (SELECT MAX(h.heartbeat_at) FROM process AS h WHERE h.run_id = k.run_id AND h.rank = k.rank) AS heartbeat_at,
       k.exit_reason AS exit_reason
FROM rank_state AS k
LEFT JOIN process AS p ON p.process_id =
    (SELECT l.process_id FROM process AS l WHERE l.run_id = k.run_id AND l.rank = k.rank AND l.pid IS NOT NULL
     ORDER BY l.attempt DESC, l.forked_from IS NOT NULL, l.started_at DESC, l.name DESC LIMIT 1)
LEFT JOIN environment AS e ON e.process_id = p.process_id
"""
"""Each rank of each run with its latest process, which may be the only one."""

ACCURACY_VIEW = """
CREATE VIEW run_accuracy AS
SELECT m.run_id AS run_id, a.source AS source, a.preference AS preference,
       CASE a.source WHEN 'test' THEN m.last_finite ELSE m.max END AS accuracy
FROM accuracy_metric AS a JOIN run_metric AS m ON m.level = a.level AND m.name = a.name
WHERE m.last_finite IS NOT NULL
"""

NOTE_ACCURACY = f"""
UPDATE run SET (accuracy, accuracy_source, accuracy_kind) = (
    SELECT a.accuracy, a.source, a.preference / {len(ACCURACY_NAMES)} FROM run_accuracy AS a
    WHERE a.run_id = run.run_id ORDER BY a.preference LIMIT 1)
"""
"""Keeps the columns of `run` that runs are compared by."""


def accuracy_metrics() -> list[tuple[str, str, str, int]]:
    """Rows of `accuracy_metric`: the result on the test set first, else the best epoch, else the best batch."""
    places = [
        ("test", "", "test"),
        ("epoch", "val_", "validation"),
        ("batch", "val_", "validation"),
        ("epoch", "", "training"),
        ("batch", "", "training"),
    ]
    return [
        (level, prefix + name, source, number * len(ACCURACY_NAMES) + index)
        for number, (level, prefix, source) in enumerate(places)
        for index, name in enumerate(ACCURACY_NAMES)
    ]


PROCESS_ORDER = "{0}.attempt, {0}.forked_from IS NOT NULL, {0}.rank"
"""SQL by which the processes of a run come one after the other, of a table `process` that is called so."""


def first_parameters(run: str) -> str:
    """SQL for the element of iTrainingModel with the hyperparameters that a run began with.

    It is the first row of the earliest process that used any; later rows are those of further trainings. Where a run
    only generates hyperparameters, it is the first of these. Nearly every run has a single row, which an index tells.

    Args:
        run: the column with its run_id, or a numbered parameter.
    """
    return f"""COALESCE(
    (SELECT CASE COUNT(*) WHEN 1 THEN MIN(q.element_id) END FROM itrainingmodel AS q WHERE q.run_id = {run}),
    (SELECT q.element_id FROM itrainingmodel AS q JOIN process AS s ON s.process_id = q.process_id
     WHERE q.run_id = {run} ORDER BY q.relation <> 'used', {PROCESS_ORDER.format("s")}, q.element_id LIMIT 1))"""


def hyperparameter_names(parameters: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Name of a hyperparameter -> what it is called beside other columns, of which one may have its name."""
    taken, names = set(others), {}
    for parameter in parameters:
        name = parameter
        while name in taken:
            name = f"hyperparameter_{name}"
        taken.add(name)
        names[parameter] = name
    return names


def overview_view(parameters: list[str]) -> str:
    """`run_overview` for the columns that `itrainingmodel` has now."""
    names = hyperparameter_names(parameters, OVERVIEW_COLUMNS)
    shown = [f"p.{quoted(column)} AS {quoted(name)}" for column, name in names.items()]
    return f"""
CREATE VIEW run_overview AS
SELECT r.run_id AS run_id, r.uid AS uid, d.tag AS dataflow, r.name AS name, r.status AS status,
       r.started_at AS started_at,
       round(max(0.0, julianday(COALESCE(r.ended_at, r.heartbeat_at)) - julianday(r.started_at)) * 86400.0, 3)
           AS duration_seconds,
       r.last_epoch AS last_epoch,
       {"".join(part + ", " for part in shown)}
       r.accuracy AS accuracy, r.accuracy_source AS accuracy_source,
       (SELECT m.last FROM run_metric AS m WHERE m.run_id = r.run_id AND m.name = 'loss' AND m.level <> 'test'
        ORDER BY m.level DESC LIMIT 1) AS loss,
       EXISTS (SELECT 1 FROM run_metric AS n WHERE n.run_id = r.run_id AND n.num_non_finite > 0) AS diverged
FROM run AS r
LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
LEFT JOIN itrainingmodel AS p ON p.element_id = {first_parameters("r.run_id")}
"""

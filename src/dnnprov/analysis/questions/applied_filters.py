"""Which filters the data of a training went through, by following what its tasks depend on.

A training is a task with one of the tags of trainings, or one that generated rows of oTrainingModel; those of the
lowest rank count. Its ancestors are reached over `task_dependency`. What they generated with an attribute filter_name,
whatever the data set, was applied; DLProv's ApplyFilter names it in its input, iFilter. NULL, an empty text and "none"
say that nothing was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.sql_text import TEXT_LIST
from dnnprov.model.training import NO_FILTER, TRAINING_TAGS
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

_NAMED_AS_INPUT = frozenset({"ifilter"})

MAX_DISTANCE = 1000
"""Tasks between a filter and its training; ends the search where imported dependencies go in a circle."""


def applied_filters(schema: RecordedSchema, runs: str) -> str:
    """Common table expressions (recursive) that end in `filtered`: run_id and filter_name of each run.

    The names stand in lineage order: the task farthest from the training first, its own in the order recorded. A
    filter that a resumed run applied again counts once.

    Args:
        schema: names the data sets with an attribute filter_name.
        runs: name of a table expression with a column run_id, each once.
    """
    tags = ", ".join(f"'{tag}'" for tag in sorted(TRAINING_TAGS))
    return f"""
training_task AS (
    SELECT t.run_id, t.task_id, t.rank
    FROM {runs} AS c
    CROSS JOIN task AS t
    WHERE t.run_id = c.run_id AND (LOWER(t.tag) IN ({tags})
       OR ((t.transformation_id IS NULL OR t.transformation_id IN (  -- the plan spares a look at every epoch
                SELECT g.transformation_id FROM transformation_data_set AS g
                JOIN data_set AS s ON s.data_set_id = g.data_set_id
                WHERE s.table_name = 'otrainingmodel' AND g.relation = 'generated'))
           AND EXISTS (SELECT 1 FROM otrainingmodel AS o
                       WHERE o.run_id = t.run_id AND o.task_id = t.task_id AND o.relation = 'generated')))
),
ancestor (run_id, task_id, distance) AS (
    SELECT c.run_id, d.depends_on_task_id, 1
    FROM training_task AS c JOIN task_dependency AS d ON d.task_id = c.task_id
    WHERE c.rank = 0
       OR NOT EXISTS (SELECT 1 FROM process AS l CROSS JOIN training_task AS w
                      WHERE l.run_id = c.run_id AND l.rank < c.rank AND w.run_id = l.run_id AND w.rank = l.rank)
    UNION
    SELECT a.run_id, d.depends_on_task_id, a.distance + 1
    FROM ancestor AS a JOIN task_dependency AS d ON d.task_id = a.task_id
    WHERE a.distance < {MAX_DISTANCE}
),
lineage AS (
    SELECT a.run_id, a.task_id, (SELECT t.run_id FROM task AS t WHERE t.task_id = a.task_id) AS recorded_in,
           MAX(a.distance) AS distance
    FROM ancestor AS a
    GROUP BY a.run_id, a.task_id
),
applied AS ({_generated_names(schema)}
),
numbered AS (
    SELECT f.run_id, f.filter_name, f.distance, p.rank, p.attempt, p.name AS process, f.sequence, f.row_number
    FROM applied AS f JOIN process AS p ON p.process_id = f.process_id
    WHERE LOWER(TRIM(f.filter_name)) NOT IN ('', '{NO_FILTER}')
      AND NOT EXISTS (SELECT 1 FROM process AS l CROSS JOIN applied AS w
                      WHERE l.run_id = p.run_id AND l.attempt > p.attempt AND w.process_id = l.process_id
                        AND w.run_id = f.run_id AND w.filter_name = f.filter_name)
),
listed AS (
    SELECT n.run_id,
           {TEXT_LIST}(n.filter_name, ', ') OVER (
               PARTITION BY n.run_id
               ORDER BY n.distance DESC, n.rank, n.attempt, n.process, n.sequence, n.row_number
               ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS filter_name
    FROM numbered AS n
),
filtered AS (
    SELECT e.run_id, COALESCE(MAX(e.filter_name), '{NO_FILTER}') AS filter_name
    FROM (SELECT run_id, CAST(NULL AS TEXT) AS filter_name FROM {runs}
          UNION ALL SELECT run_id, filter_name FROM listed) AS e
    GROUP BY e.run_id
)"""


def _generated_names(schema: RecordedSchema) -> str:
    """What the tasks of `lineage` generated in any data set with a filter name."""
    selects = []
    for table, columns in schema.filters.items():
        texts = [f"CAST(v.{column} AS TEXT)" for column in columns]
        name = texts[0] if len(texts) == 1 else f"COALESCE({', '.join(texts)})"
        relation = "used" if table in _NAMED_AS_INPUT else "generated"
        selects.append(f"""
    SELECT l.run_id, l.distance, {name} AS filter_name, v.process_id, v.sequence, v.row_number
    FROM lineage AS l CROSS JOIN {quoted(table)} AS v
    WHERE v.run_id = l.recorded_in AND v.task_id = l.task_id AND v.relation = '{relation}'""")
    return "\n    UNION ALL".join(selects)

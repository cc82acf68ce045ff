"""Epochs done: the rows of oTrainingModel that count.

The rows of the lowest rank count, and of an epoch that a resumed run did again (`process.attempt`) those of the later
process. A run with several trainings (pre-training, then fine-tuning) has the same epoch numbers more than once; each
training's epochs are epochs done.
"""

from __future__ import annotations

from dnnprov.analysis.questions.sql_text import mentions


def epoch_rows(runs: str) -> str:
    """Common table expressions that end in `done`: one row for each epoch of each training task.

    Where a task logged an epoch in parts, the last part with a loss stands for it. `before` is when the epoch before
    it in its task was recorded, or the task began; `training` numbers the training tasks of a process.

    Args:
        runs: name of a table expression with a column run_id.
    """
    return f"""
epoch_row AS (
    SELECT o.run_id, o.task_id, o.epoch, o.elapsed_time, o.loss, o.non_finite, o.recorded_at, o.rank, o.element_id,
           p.attempt, p.process_id, o.sequence, o.row_number, t.sequence AS task_sequence,
           COALESCE(t.started_at, r.started_at) AS began_at,
           MIN(o.rank) OVER (PARTITION BY o.run_id) AS lowest_rank,
           ROW_NUMBER() OVER (
               PARTITION BY o.run_id, o.rank, o.task_id, o.epoch, CASE WHEN o.epoch IS NULL THEN o.element_id END
               ORDER BY CASE WHEN o.loss IS NOT NULL OR {mentions("o", "loss")} THEN 0 ELSE 1 END,
                        p.attempt DESC, o.process_id DESC, o.sequence DESC, o.row_number DESC) AS part
    FROM {runs} AS c
    CROSS JOIN otrainingmodel AS o
    JOIN process AS p ON p.process_id = o.process_id
    JOIN run AS r ON r.run_id = o.run_id
    LEFT JOIN task AS t ON t.task_id = o.task_id
    WHERE o.run_id = c.run_id AND o.relation = 'generated'
),
timed AS (
    SELECT e.*,
           COALESCE(LAG(e.recorded_at) OVER (
               PARTITION BY e.run_id, e.task_id ORDER BY e.attempt, e.process_id, e.sequence, e.row_number),
               e.began_at) AS before,
           DENSE_RANK() OVER (PARTITION BY e.run_id, e.attempt ORDER BY e.task_sequence NULLS LAST) AS training,
           MAX(e.attempt) OVER (PARTITION BY e.run_id, e.epoch) AS last_attempt
    FROM epoch_row AS e
    WHERE e.part = 1 AND e.rank = e.lowest_rank
),
done AS (
    SELECT * FROM timed WHERE epoch IS NULL OR attempt = last_attempt
)"""

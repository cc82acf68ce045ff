"""Reads the files of a run, and where files of the same content were generated before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.export.run_facts import EarlierFile, File
from dnnprov.model.identifiers import recorded_name

if TYPE_CHECKING:
    from dnnprov.analysis.history import History
    from dnnprov.export.element_reader import Places

_EARLIER = """
SELECT g.sha256 AS sha256, g.path AS path, g.role AS role, t.tag AS task_tag,
       g.sequence AS sequence, g.recorded_at AS recorded_at, p.name AS process,
       r.uid AS uid, r.name AS run_name, q.name AS task_process, t.sequence AS task_sequence
FROM file AS g
JOIN run AS r ON r.run_id = g.run_id
JOIN process AS p ON p.process_id = g.process_id
LEFT JOIN task AS t ON t.task_id = g.task_id
LEFT JOIN process AS q ON q.process_id = t.process_id
WHERE g.relation = 'generated' AND g.sha256 IN (
    SELECT u.sha256 FROM file AS u WHERE u.run_id = ? AND u.relation = 'used' AND u.sha256 IS NOT NULL)
ORDER BY g.recorded_at DESC, r.uid, g.sequence
LIMIT 10000
"""


def read_files(history: History, run_id: int, places: Places) -> tuple[File, ...]:
    """The files of a run in the order of recording.

    A used file names the last one of the same SHA-256 that this or another run generated before it was used.
    """
    generated: dict[str, list[dict[str, Any]]] = {}
    for row in history.query(_EARLIER, (run_id,)):
        generated.setdefault(row["sha256"], []).append(row)
    files = [
        File(
            id=places.name("file", row),
            relation=row["relation"],
            task=places.tasks.get(row["task_id"]),
            path=row["path"],
            role=row["role"],
            size=row["size"],
            sha256=row["sha256"],
            note=row["note"],
            recorded_at=row["recorded_at"],
            order=places.order(row),
            earlier=_earlier(row, generated),
        )
        for row in history.query("SELECT * FROM file WHERE run_id = ? ORDER BY file_id", (run_id,))
    ]
    return tuple(sorted(files, key=lambda file: file.order))


def _earlier(used: dict[str, Any], generated: dict[str, list[dict[str, Any]]]) -> EarlierFile | None:
    if used["relation"] != "used" or not used["sha256"] or not used["recorded_at"]:
        return None
    for row in generated.get(used["sha256"], ()):
        if row["recorded_at"] and row["recorded_at"] < used["recorded_at"]:
            return EarlierFile(
                id=recorded_name("file", row["process"], row["sequence"]),
                run_uid=row["uid"],
                run_name=row["run_name"],
                task=None
                if row["task_process"] is None
                else recorded_name("task", row["task_process"], row["task_sequence"]),
                task_tag=row["task_tag"],
                path=row["path"],
                role=row["role"],
            )
    return None

"""Takes in the notes of processes whose last events could not be written: `<process>.<n>.lost` beside the segments.

Such a note comes when the process closes its run, so its segment, where it has one, is done: what it holds is all there
will be, though the process may live on, as a notebook does. A run of which there is nothing but a note is one as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.store.endings import UNWRITTEN_REASON
from dnnprov.store.liveness import give_up, rest_of
from dnnprov.store.positions import Positions
from dnnprov.store.source import time_text
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.journal.folder import StoreFolder, UnwrittenNote


def take_note(connection: sqlite3.Connection, folder: StoreFolder, note: UnwrittenNote) -> bool:
    """Tell once how many events of a process are lost, and give up waiting for the rest of its segment.

    Args:
        connection: in autocommit mode.
        folder: of the store.
        note: that was left.

    Returns:
        Whether that is done; `False` while its segment holds more than is in.
    """
    key = f"{note.run}/{note.process}"
    with transaction(connection):
        known = Positions(connection).find(key)
        if known.state == "open":
            rest = rest_of(folder.segment(note.run, note.process), known.position)
            if any(line.event for chunk in rest for line in chunk.lines):
                return False
            give_up(connection, key, rest[-1].torn if rest else 0)
        _tell(connection, note)
    return True


def _tell(connection: sqlite3.Connection, note: UnwrittenNote) -> None:
    try:
        left_at = time_text(note.path.stat().st_mtime_ns // 1000)
    except OSError:  # removed in this moment
        left_at = None
    made = connection.execute(
        "INSERT INTO run (uid, status, heartbeat_at, ended_at, exit_reason) VALUES (?1, 'crashed', ?2, ?2, ?3)"
        " ON CONFLICT DO NOTHING",
        (note.run, left_at, UNWRITTEN_REASON),
    )
    if made.rowcount:  # of rank 0, since only its own segment could say otherwise
        connection.execute(
            "INSERT INTO rank_state (run_id, rank, status, ended_at, exit_reason)"
            " SELECT run_id, 0, status, ended_at, exit_reason FROM run WHERE uid = ?",
            (note.run,),
        )
    detail = f"{note.num_events} events of process {note.process} could not be written, the last ones of the run"
    connection.execute(
        "INSERT INTO problem (run_id, kind, detail, recorded_at) SELECT r.run_id, 'lost', ?3, COALESCE("
        "(SELECT p.heartbeat_at FROM process AS p WHERE p.run_id = r.run_id AND p.name = ?2), ?4)"
        " FROM run AS r WHERE r.uid = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM problem AS t WHERE t.run_id = r.run_id AND t.kind = 'lost' AND t.detail = ?3)",
        (note.run, note.process, detail, left_at),
    )

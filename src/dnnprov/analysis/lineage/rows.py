"""Reads the rows of elements that lineage leads to, when they are needed and not before."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from dnnprov.analysis.lineage.line import sort_rows
from dnnprov.analysis.lineage.reader import columns_of, keys_in_batches
from dnnprov.errors import StoreError
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dnnprov.analysis.lineage.nodes import DataSet, Line, Rows, RowTuple, Run
    from dnnprov.store.base import Store

_NUMBERS = """
SELECT run_id, task_id, json_group_array(epoch){one_process}
FROM {table} WHERE run_id IN ({keys}) AND relation = 'generated' GROUP BY run_id, task_id, relation"""
"""One text a training, several times as fast as a row an epoch. They come in the order of the index on these columns,
which is that in which a process recorded them. For PostgreSQL, it is `json_agg(epoch ORDER BY element_id)`."""

_ONE_PROCESS = ", MIN(process_id) = MAX(process_id)"

_MANY = 16
"""Sets of rows of one table from which on they are read together."""


class RowReader:
    """Reads the rows of sets that have none yet: those that were there at the moment of asking, in their order.

    Args:
        store: that is asked.
        later: gives the store once the question is answered; opened again where it was closed since.

    Attributes:
        is_answered: whether the question is, and the snapshot gone.
    """

    def __init__(self, store: Store, later: Callable[[], AbstractContextManager[Store]]) -> None:
        self._store = store
        self._later = later
        self.is_answered = False

    def __call__(self, wanted: Iterable[Rows]) -> None:
        """Read them."""
        by_set: dict[DataSet, list[Rows]] = {}
        for rows in wanted:
            if rows.rows is None:
                by_set.setdefault(rows.data_set, []).append(rows)
        if not by_set:
            return
        if not self.is_answered:
            _read_all(self._store, by_set)
            return
        with self._later() as store:
            _check_runs(store, {rows.run for same in by_set.values() for rows in same})
            _read_all(store, by_set)

    def numbers(self, lines: Iterable[Line]) -> None:
        """Find the numbers of the epochs of lines, together and without their rows.

        Not for a training of several processes, of which the database does not hold the epochs in their order.
        """
        by_task: dict[tuple[int, int | None], Line] = {}
        table, one_process = "", ""
        for line in lines:
            run, tasks = line.epochs.run, line.epochs.task_ids
            if len(tasks) == 1:
                by_task[run.run_id, tasks[0]] = line
                table = quoted(line.epochs.data_set.table)
                one_process = one_process or (_ONE_PROCESS if len(run.processes) > 1 else "")
        for keys in keys_in_batches({run_id for run_id, _ in by_task}):
            sql = _NUMBERS.format(table=table, keys=keys, one_process=one_process)
            for run_id, task_id, numbers, *is_of_one_process in self._store.read(sql)[1]:
                of_task = by_task.get((run_id, task_id))
                if of_task is not None and all(is_of_one_process):
                    of_task.numbers = _whole_numbers(numbers, of_task.epochs.count)


def _whole_numbers(text: str, count: int) -> Sequence[int | None] | None:
    """The numbers in a JSON array; nothing where they are others than whole ones."""
    if text == _counted_from_one(count):
        return range(1, count + 1)
    try:
        return msgspec.json.decode(text, type=list[int | None])
    except msgspec.ValidationError:
        return None


@lru_cache(maxsize=8)
def _counted_from_one(count: int) -> str:
    """What nearly every training tells, so that it need not be read number by number."""
    return f"[{','.join(map(str, range(1, count + 1)))}]"


def _read_all(store: Store, by_set: Mapping[DataSet, list[Rows]]) -> None:
    for data_set, same in by_set.items():
        if len(same) < _MANY:
            for rows in same:
                _read_one(store, rows)
        else:
            _read_together(store, data_set, same)
        for rows in same:
            sort_rows(rows.run, rows.rows or [])


def _check_runs(store: Store, runs: set[Run]) -> None:
    """Keys mean the same as long as the database is; one that was made anew has others."""
    uids = {
        key: uid
        for keys in keys_in_batches({run.run_id for run in runs})
        for key, uid in store.read(f"SELECT run_id, uid FROM run WHERE run_id IN ({keys})")[1]
    }
    if any(uids.get(run.run_id) != run.uid for run in runs):
        raise StoreError("the database was made anew since this answer was given; ask again")


def _read_one(store: Store, rows: Rows) -> None:
    data_set = rows.data_set
    found: list[RowTuple] = []
    sql = (
        f"SELECT {columns_of(data_set)} FROM {quoted(data_set.table)}"
        " WHERE run_id = ? AND relation = ? AND element_id <= ? AND"
    )
    key = (rows.run.run_id, rows.relation, data_set.last_element_id)
    for task_id in rows.task_ids:
        if task_id is None:
            found += store.read(f"{sql} task_id IS NULL", key)[1]
        else:
            found += store.read(f"{sql} task_id = ?", (*key, task_id))[1]
    rows.rows = found


def _read_together(store: Store, data_set: DataSet, same: list[Rows]) -> None:
    places: dict[tuple[int, int | None, str], list[RowTuple]] = {}
    for rows in same:
        rows.rows = []
        places |= {(rows.run.run_id, task_id, rows.relation): rows.rows for task_id in rows.task_ids}
    for keys in keys_in_batches({rows.run.run_id for rows in same}):
        _, found = store.read(
            f"SELECT {columns_of(data_set)}, run_id, task_id, relation FROM {quoted(data_set.table)}"
            f" WHERE run_id IN ({keys}) AND element_id <= ?",
            (data_set.last_element_id,),
        )
        for place, group in groupby(found, key=itemgetter(-3, -2, -1)):
            if place in places:
                places[place] += group

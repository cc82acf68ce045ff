"""What DfAnalyzer keeps of dataflows, tasks and files: the tables of its schema `public`, whatever their generation.

Tables are read by the names of their columns, so that a generation that lacks one or has further ones is understood:
`dataflow_execution` and `task.df_exec` say which execution a task belongs to; older generations have neither. (DDL:
`database-script.sql` of DfAnalyzer and of dfa-keras.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dnnprov.importers.imported_run import microseconds
from dnnprov.model.events import (
    AttributeDeclared,
    DataSetDeclared,
    ProgramDeclared,
    TransformationDeclared,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.importers.dfanalyzer.dump import Table

TABLES = frozenset(
    {
        "dataflow",
        "dataflow_version",
        "dataflow_execution",
        "data_transformation",
        "data_set",
        "data_dependency",
        "attribute",
        "program",
        "use_program",
        "task",
        "performance",
        "file",
    }
)
"""Those that are read."""

Record = dict[str, str | None]
"""A record by column; `null`, which DfAnalyzer's client writes for nothing, is none."""


@dataclass(frozen=True)
class Task:
    """An execution of a transformation.

    Attributes:
        id: in the dump.
        identifier: what the script called it.
        tag: of its transformation.
        transformation: id of that.
        execution: what tells which tasks were of one execution: its tag, or the version of the dataflow.
        is_one_run: whether an execution has its tag, so that nothing has to be separated.
        status: as DfAnalyzer has it: FINISHED, RUNNING, READY.
        details: workspace, resource, output, error, as far as there are any.
        started_at, ended_at: microseconds since 1970.
    """

    id: str
    identifier: str
    tag: str
    transformation: str
    execution: tuple[str, str]
    is_one_run: bool
    status: str
    details: dict[str, str]
    started_at: int | None
    ended_at: int | None


@dataclass
class Plan:
    """The tables of one dump.

    Attributes:
        records: table -> its records.
    """

    records: dict[str, list[Record]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def take(self, table: Table, records: Iterable[list[str | None]]) -> None:
        """Take in records of a table that is read."""
        columns = [column.lower() for column in table.columns]
        self.records[table.name.lower()].extend(
            {name: None if value == "null" else value for name, value in zip(columns, record, strict=True)}
            for record in records
        )

    def tasks(self) -> dict[str, Task]:
        """The tasks by their ids."""
        tags = {one["id"]: one["tag"] or "" for one in self.records["data_transformation"]}
        of_version = {one["version"]: one["df_id"] for one in self.records["dataflow_version"]}
        dataflows = {one["id"]: one["tag"] or "" for one in self.records["dataflow"]}
        times = self._times()
        found = {}
        for one in self.records["task"]:
            dataflow = dataflows.get(of_version.get(one.get("df_version"))) or self._dataflow_of(
                one["dt_id"], dataflows
            )
            execution = one.get("df_exec")
            began, ended = times.get(one["id"] or "", (None, None))
            found[one["id"] or ""] = Task(
                id=one["id"] or "",
                identifier=one.get("identifier") or "",
                tag=tags.get(one["dt_id"], ""),
                transformation=one["dt_id"] or "",
                execution=(dataflow, execution or one.get("df_version") or ""),
                is_one_run=execution is not None,
                status=(one.get("status") or "").upper(),
                details=_details(one),
                started_at=began,
                ended_at=ended,
            )
        return found

    def _dataflow_of(self, transformation: str | None, dataflows: dict[str | None, str]) -> str:
        of = {one["id"]: one["df_id"] for one in self.records["data_transformation"]}
        return dataflows.get(of.get(transformation), "")

    def _times(self) -> dict[str, tuple[int | None, int | None]]:
        """Task -> when it began and ended, by what its performances say."""
        found: dict[str, tuple[int | None, int | None]] = {}
        for one in self.records["performance"]:
            task = one["task_id"] or ""
            began, ended = (time_in(one.get(name)) for name in ("starttime", "endtime"))
            known = found.get(task, (None, None))
            found[task] = (_first(min, known[0], began), _first(max, known[1], ended))
        return found

    def data_sets(self) -> dict[str, str]:
        """Tag in lower case -> tag."""
        return {(one["tag"] or "").lower(): one["tag"] or "" for one in self.records["data_set"]}

    def generators(self) -> dict[tuple[str, str], set[str]]:
        """(dataflow, data set in lower case) -> tags, in lower case, of the transformations that generate it."""
        return self._ends("previous_dt_id")

    def _ends(self, column: str) -> dict[tuple[str, str], set[str]]:
        tags = {one["id"]: (one["tag"] or "").lower() for one in self.records["data_transformation"]}
        sets = {one["id"]: one for one in self.records["data_set"]}
        dataflows = {one["id"]: one["tag"] or "" for one in self.records["dataflow"]}
        found: dict[tuple[str, str], set[str]] = {}
        for one in self.records["data_dependency"]:
            data_set = sets.get(one["ds_id"])
            if data_set is not None:
                key = dataflows.get(data_set["df_id"], ""), (data_set["tag"] or "").lower()
                ends = found.setdefault(key, set())
                if one[column] in tags:
                    ends.add(tags[one[column]])
        return found

    def before(self) -> set[tuple[str, str]]:
        """Pairs of transformations, by id, whose second uses what the first generates."""
        pairs = ((one["previous_dt_id"], one["next_dt_id"]) for one in self.records["data_dependency"])
        return {(first, second) for first, second in pairs if first and second and first != second}

    def declared(self, dataflow: str) -> list[TransformationDeclared]:
        """The transformations of a dataflow, with sets, attributes and programs."""
        ids = {one["id"] for one in self.records["dataflow"] if one["tag"] == dataflow}
        return [
            TransformationDeclared(
                tag=one["tag"] or "", sets=self._declared_sets(one["id"]), programs=self._programs(one["id"])
            )
            for one in self.records["data_transformation"]
            if one["df_id"] in ids
        ]

    def _declared_sets(self, transformation: str | None) -> list[DataSetDeclared]:
        tags = {one["id"]: one["tag"] or "" for one in self.records["data_transformation"]}
        sets = {one["id"]: one["tag"] or "" for one in self.records["data_set"]}
        found = []
        for one in self.records["data_dependency"]:
            if one["ds_id"] not in sets:
                continue
            if one["next_dt_id"] == transformation:
                dependency = tags.get(one["previous_dt_id"])
                found.append(self._declared_set(one["ds_id"], sets, dependency, is_used=True))
            elif one["previous_dt_id"] == transformation:
                found.append(self._declared_set(one["ds_id"], sets, None, is_used=False))
        return found

    def _declared_set(
        self, data_set: str | None, sets: dict[str | None, str], dependency: str | None, *, is_used: bool
    ) -> DataSetDeclared:
        attributes = [
            AttributeDeclared(one["name"] or "", (one["type"] or "text").lower())
            for one in self.records["attribute"]
            if one["ds_id"] == data_set
        ]
        return DataSetDeclared(sets[data_set], "used" if is_used else "generated", attributes, dependency)

    def _programs(self, transformation: str | None) -> list[ProgramDeclared]:
        used = {one["program_id"] for one in self.records["use_program"] if one["dt_id"] == transformation}
        return [
            ProgramDeclared(one["path"] or "", one["name"] or "")
            for one in self.records["program"]
            if one["id"] in used
        ]


def time_in(text: str | None) -> int | None:
    """A time of DfAnalyzer in microseconds since 1970: seconds since then, or a date and time, which counts as UTC.

    Example:
        >>> time_in("1604881151.2433584"), time_in("2020-11-09 00:18:59"), time_in("later")
        (1604881151243358, 1604881139000000, None)
    """
    if not text:
        return None
    try:
        return microseconds(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return microseconds(aware.timestamp())
    except (OverflowError, ValueError):
        return None


def _details(record: Record) -> dict[str, str]:
    names = {"workspace": "workspace", "computing_resource": "resource", "output_msg": "output", "error_msg": "error"}
    return {ours: value for theirs, ours in names.items() if (value := record.get(theirs))}


def _first(choose, known: int | None, found: int | None) -> int | None:  # type: ignore[no-untyped-def]
    """The one that is chosen of two times, either of which may be missing."""
    return choose(known, found) if known is not None and found is not None else (known if found is None else found)

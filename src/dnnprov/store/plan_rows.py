"""What a dataflow consists of: its transformations, and the data sets that they use and generate.

Rows are made when something is heard of first, by whomever; which run brought it is kept by `PlanRecord`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.training import TRAINING_TAGS
from dnnprov.store.places import PLACE_COLUMNS, PLACE_JOINS, Place
from dnnprov.store.plan_growth import Fact
from dnnprov.store.program_names import name_programs

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.model.events import ProgramDeclared, Relation
    from dnnprov.store.catalog import DataSet
    from dnnprov.store.plan_record import PlanRecord
    from dnnprov.store.source import Source


class PlanRows:
    """Writes `data_transformation`, `transformation_data_set` and `program`.

    Args:
        connection: that the rows are written through.
        record: of what is shown.
    """

    def __init__(self, connection: sqlite3.Connection, record: PlanRecord) -> None:
        self._connection = connection
        self._record = record
        self._transformations: dict[tuple[int, str], int] = {}
        self._tags: dict[int, str] = {}
        self._links: set[tuple[int, int, str]] = set()
        self._shown: set[tuple[int, int, str]] = set()
        self._shown_by = 0

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._transformations.clear()
        self._tags.clear()
        self._links.clear()
        self._shown.clear()

    def transformation(self, dataflow_id: int, tag: str, place: Place) -> int:
        """Key of a transformation of a dataflow, made where there is none."""
        key = self._transformations.get((dataflow_id, tag))
        if key is None:
            self._connection.execute(
                "INSERT INTO data_transformation (dataflow_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (dataflow_id, tag),
            )
            (found,) = self._connection.execute(
                "SELECT transformation_id FROM data_transformation WHERE dataflow_id = ? AND tag = ?",
                (dataflow_id, tag),
            ).fetchone()
            key = self._transformations[dataflow_id, tag] = int(found)
            self._tags[key] = tag
        self._record.show(dataflow_id, Fact(tag, "exists"), place)
        return key

    def executed(self, dataflow_id: int, tag: str, place: Place, program: str | None, parameters: DataSet) -> int:
        """Key of a transformation that a task executed.

        Args:
            dataflow_id: of the task's run.
            tag: of the task.
            place: of the task.
            program: path of the one that executed it.
            parameters: the data set of hyperparameters, which every training uses, though no event of the task says so.
        """
        transformation_id = self.transformation(dataflow_id, tag, place)
        if program is not None:
            self._record.show(dataflow_id, Fact(tag, "program", program), place)
        if tag.lower() in TRAINING_TAGS:
            self.link(dataflow_id, transformation_id, parameters, "used", place)
        return transformation_id

    def link_element(
        self, transformation_id: int, data_set: DataSet, relation: Relation, source: Source, sequence: int
    ) -> None:
        """Note that an element of a task shows that its transformation uses or generates a data set."""
        if source.process_id != self._shown_by:
            self._shown.clear()
            self._shown_by = source.process_id
        link = (transformation_id, data_set.data_set_id, relation)
        if link not in self._shown and source.dataflow_id is not None:
            self._shown.add(link)
            self.link(source.dataflow_id, transformation_id, data_set, relation, source.place(sequence))

    def link_parameters(self, task_id: int, transformation_id: int, data_set: DataSet, source: Source) -> None:
        """Note that a task used hyperparameters: where the task stands, as all that a run uses become one row."""
        if source.dataflow_id is not None:
            place = self._connection.execute(
                f"SELECT {PLACE_COLUMNS} FROM task AS e {PLACE_JOINS} WHERE e.task_id = ?", (task_id,)
            ).fetchone()
            self.link(source.dataflow_id, transformation_id, data_set, "used", Place(*place))

    def link(
        self, dataflow_id: int, transformation_id: int, data_set: DataSet, relation: Relation, place: Place
    ) -> None:
        """Note that a transformation uses or generates a data set."""
        link = (transformation_id, data_set.data_set_id, relation)
        if link not in self._links:
            self._links.add(link)
            self._connection.execute(
                "INSERT INTO transformation_data_set VALUES (?, ?, ?) ON CONFLICT DO NOTHING", link
            )
        self._record.show(dataflow_id, Fact(self._tag(transformation_id), relation, data_set.tag), place)

    def depend(self, dataflow_id: int, previous: int, following: int, place: Place) -> None:
        """Note that a transformation takes what another generates."""
        self._record.show(dataflow_id, Fact(self._tag(previous), "exists"), place)  # its task may come later in order
        self._record.show(dataflow_id, Fact(self._tag(following), "after", self._tag(previous)), place)

    def declare_program(self, program: ProgramDeclared) -> None:
        """Make the row of a program that executes a transformation."""
        self._connection.execute("INSERT INTO program (path) VALUES (?) ON CONFLICT DO NOTHING", (program.path,))
        sql = "SELECT 1 FROM program WHERE path = ? AND name IS NOT ?"
        if program.name and self._connection.execute(sql, (program.path, program.name)).fetchone():
            name_programs(self._connection, [program.path])

    def remove_unknown(self, dataflow_id: int) -> None:
        """Remove what nothing that was recorded shows any more."""
        self._connection.execute(
            "DELETE FROM transformation_data_set WHERE EXISTS"
            " (SELECT 1 FROM data_transformation AS t JOIN data_set AS s ON s.data_set_id ="
            " transformation_data_set.data_set_id WHERE t.dataflow_id = ? AND t.transformation_id ="
            " transformation_data_set.transformation_id AND NOT EXISTS (SELECT 1 FROM plan_fact AS f WHERE"
            " f.dataflow_id = t.dataflow_id AND f.transformation = t.tag"
            " AND f.relation = transformation_data_set.relation AND f.object = s.tag))",
            (dataflow_id,),
        )
        self._connection.execute(
            "DELETE FROM data_transformation WHERE dataflow_id = ? AND NOT EXISTS (SELECT 1 FROM plan_fact AS f"
            " WHERE f.dataflow_id = data_transformation.dataflow_id AND f.transformation = data_transformation.tag)",
            (dataflow_id,),
        )
        self.forget()

    def _tag(self, transformation_id: int) -> str:
        tag = self._tags.get(transformation_id)
        if tag is None:
            (found,) = self._connection.execute(
                "SELECT tag FROM data_transformation WHERE transformation_id = ?", (transformation_id,)
            ).fetchone()
            tag = self._tags[transformation_id] = str(found)
        return tag

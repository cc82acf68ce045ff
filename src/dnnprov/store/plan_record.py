"""What was recorded of plans, from which their versions follow: kept in the order of recording, not in that of reading.

`plan_fact` holds each fact of a plan with the earliest event that shows it, `plan_declaration` every plan that was
posted. A run that shows nothing new changes neither and costs no statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dnnprov.model.events import TransformationDeclared
from dnnprov.store.places import PLACE_COLUMNS, PLACE_JOINS, Place
from dnnprov.store.plan_growth import Bringer, Fact, Growth, facts_of
from dnnprov.store.program_names import declared_names, name_programs

if TYPE_CHECKING:
    import sqlite3

_decoder = msgspec.json.Decoder(list[TransformationDeclared])


class PlanRecord:
    """Writes and reads `plan_fact` and `plan_declaration`.

    Args:
        connection: that the rows are written through.

    Attributes:
        changed: dataflows whose versions may not be what follows from the record.
        moved: those of them where runs may be in another order than before.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.changed: set[int] = set()
        self.moved: set[int] = set()
        self._connection = connection
        self._facts: dict[int, dict[Fact, Place]] = {}
        self._contents: dict[str, int] = {}

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self.changed.clear()
        self.moved.clear()
        self._facts.clear()
        self._contents.clear()

    def show(self, dataflow_id: int, fact: Fact, place: Place) -> None:
        """Note that an event shows a fact, if none before it does."""
        facts = self._facts_of(dataflow_id)
        first = facts.get(fact)
        if first is None or place < first:
            facts[fact] = place
            self.changed.add(dataflow_id)
            self._connection.execute(
                "INSERT OR REPLACE INTO plan_fact VALUES (?, ?, ?, ?, ?, ?, ?)",
                (dataflow_id, *fact, place.process_id, place.sequence),
            )

    def post(
        self, dataflow_id: int, transformations: list[TransformationDeclared], place: Place, at: str | None
    ) -> None:
        """Note a plan that was posted, with its facts."""
        content = self._content(msgspec.json.encode(transformations).decode())
        self._connection.execute(
            "INSERT OR REPLACE INTO plan_declaration VALUES (?, ?, ?, ?, ?)",
            (place.process_id, place.sequence, dataflow_id, content, at),
        )
        for fact in facts_of(transformations):
            self.show(dataflow_id, fact, place)

    def move(self, run_id: int, dataflow_id: int | None) -> None:
        """The place of a run changed, and with it that of all it posted and showed.

        Args:
            run_id: of the run.
            dataflow_id: that it was known to be of before.
        """
        posted = self._find_posts("p.run_id", run_id)
        for one in {dataflow_id, *(row[0] for row in posted)} - {None}:
            self._facts.pop(one, None)
            self.changed.add(one)
            self.moved.add(one)
        self._show_again(posted)
        name_programs(self._connection, [path for row in posted for path in declared_names(_decoder.decode(row[1]))])

    def withdraw(self, dataflow_id: int, run_id: int) -> None:
        """A run turned out to be one of another dataflow: forget what it shows, except by plans that it posted."""
        self._facts.pop(dataflow_id, None)
        self.changed.add(dataflow_id)
        self._connection.execute(
            "DELETE FROM plan_fact WHERE dataflow_id = ? AND process_id IN"
            " (SELECT p.process_id FROM process AS p WHERE p.run_id = ?) AND NOT EXISTS"
            " (SELECT 1 FROM plan_declaration AS d WHERE d.process_id = plan_fact.process_id"
            " AND d.sequence = plan_fact.sequence)",
            (dataflow_id, run_id),
        )
        # What it was the first to show, only a run can have shown later whose start is not known either.
        self._show_again(self._find_posts("r.started_at IS NULL AND e.dataflow_id", dataflow_id))

    def drop_runs(self, runs: str) -> tuple[set[int], set[int]]:
        """Forget what runs posted and showed, which are to be removed.

        Args:
            runs: SQL that selects their keys.

        Returns:
            The dataflows that any of this was of; and those of them that lack facts now, which others may show.
        """
        self.forget()
        theirs = f"process_id IN (SELECT p.process_id FROM process AS p WHERE p.run_id IN ({runs}))"
        found = []
        for table in ("plan_declaration", "plan_fact"):
            rows = self._connection.execute(f"SELECT DISTINCT dataflow_id FROM {table} WHERE {theirs}")
            found.append({key for (key,) in rows})
            self._connection.execute(f"DELETE FROM {table} WHERE {theirs}")
        self._connection.execute(
            "DELETE FROM posted_plan WHERE posted_plan_id NOT IN (SELECT e.posted_plan_id FROM plan_declaration AS e)"
        )
        for dataflow_id in found[1]:
            self._show_again(self._find_posts("e.dataflow_id", dataflow_id))
        self.changed |= found[0] | found[1]
        self.moved |= found[0] | found[1]
        return found[0] | found[1], found[1]

    def _find_posts(self, condition: str, key: int) -> list[tuple[Any, ...]]:
        """Dataflow, content and place of plans that were posted."""
        return self._connection.execute(
            f"SELECT e.dataflow_id, c.content, {PLACE_COLUMNS} FROM plan_declaration AS e {PLACE_JOINS}"
            f" JOIN posted_plan AS c ON c.posted_plan_id = e.posted_plan_id WHERE {condition} = ?",
            (key,),
        ).fetchall()

    def _show_again(self, posted: list[tuple[Any, ...]]) -> None:
        for dataflow_id, content, *place in posted:
            for fact in facts_of(_decoder.decode(content)):
                self.show(dataflow_id, fact, Place(*place))

    def grow(self, dataflow_id: int) -> Growth:
        """How the plan of a dataflow grew."""
        growth = Growth()
        posted = self._posted(dataflow_id)
        entries: list[tuple[Place, Bringer, Fact | None]] = [(place, one[0], None) for place, one in posted.items()]
        sql = (
            f"SELECT {PLACE_COLUMNS}, r.run_id, r.started_at, e.transformation, e.relation, e.object, e.data_set"
            f" FROM plan_fact AS e {PLACE_JOINS} WHERE e.dataflow_id = ? AND e.relation <> 'program'"
        )
        for row in self._connection.execute(sql, (dataflow_id,)):
            place = Place(*row[:9])
            if place not in posted:
                entries.append((place, Bringer(place, row[9], row[10]), Fact(*row[11:])))
        entries.sort(key=lambda entry: entry[0])
        shown: list[Fact] = []
        by: Bringer | None = None
        for place, bringer, fact in entries:
            if by is not None and (fact is None or by.run_id != bringer.run_id):
                growth.show(shown, by)
                shown, by = [], None
            if fact is None:
                _, content, transformations = posted[place]
                growth.post(transformations, content, bringer)
            else:
                shown.append(fact)
                by = by or bringer
        if by is not None:
            growth.show(shown, by)
        return growth

    def scripts(self, dataflow_id: int) -> dict[str, str]:
        """Transformation -> program of the earliest run that executed it."""
        facts = self._facts_of(dataflow_id).items()
        found = sorted(((place, fact) for fact, place in facts if fact.relation == "program"), reverse=True)
        return {fact.transformation: fact.object for _, fact in found}

    def _posted(self, dataflow_id: int) -> dict[Place, tuple[Bringer, int, list[TransformationDeclared]]]:
        contents = {
            content: _decoder.decode(text)
            for content, text in self._connection.execute(
                "SELECT posted_plan_id, content FROM posted_plan WHERE posted_plan_id IN"
                " (SELECT e.posted_plan_id FROM plan_declaration AS e WHERE e.dataflow_id = ?)",
                (dataflow_id,),
            )
        }
        sql = (
            f"SELECT {PLACE_COLUMNS}, r.run_id, e.recorded_at, e.posted_plan_id FROM plan_declaration AS e"
            f" {PLACE_JOINS} WHERE e.dataflow_id = ?"
        )
        posted = {}
        for row in self._connection.execute(sql, (dataflow_id,)):
            place = Place(*row[:9])
            posted[place] = (Bringer(place, row[9], row[10]), row[11], contents[row[11]])
        return posted

    def _facts_of(self, dataflow_id: int) -> dict[Fact, Place]:
        facts = self._facts.get(dataflow_id)
        if facts is None:
            sql = (
                f"SELECT e.transformation, e.relation, e.object, e.data_set, {PLACE_COLUMNS}"
                f" FROM plan_fact AS e {PLACE_JOINS} WHERE e.dataflow_id = ?"
            )
            rows = self._connection.execute(sql, (dataflow_id,))
            facts = self._facts[dataflow_id] = {Fact(*row[:4]): Place(*row[4:]) for row in rows}
        return facts

    def _content(self, text: str) -> int:
        key = self._contents.get(text)
        if key is None:
            self._connection.execute("INSERT INTO posted_plan (content) VALUES (?) ON CONFLICT DO NOTHING", (text,))
            (key,) = self._connection.execute(
                "SELECT posted_plan_id FROM posted_plan WHERE content = ?", (text,)
            ).fetchone()
            self._contents[text] = int(key)
        return int(key)

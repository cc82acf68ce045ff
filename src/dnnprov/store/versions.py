"""Versions of dataflows: a new one for each change of the plan, and the newest left in the store folder.

Versions follow from what was recorded, never from when it was read: where a run is heard of late that began earlier,
they are written anew. A run follows the newest version that neither a later run brought nor it itself outgrew.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from dnnprov.store.places import PLACE_COLUMNS, PLACE_JOINS, Place, run_place
from dnnprov.store.plan_growth import declared_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from dnnprov.model.events import TransformationDeclared
    from dnnprov.store.places import RunPlace
    from dnnprov.store.plan_files import PlanFiles
    from dnnprov.store.plan_growth import Version
    from dnnprov.store.plan_record import PlanRecord


@dataclass(frozen=True)
class _Row:
    """A row of `dataflow_version`, with the place of what brought it."""

    key: int
    text: str
    recorded_at: str | None
    place: Place

    def is_of(self, version: Version) -> bool:
        by = version.bringer
        return (self.text, self.recorded_at, self.place) == (version.text, by.recorded_at, by.place)


class Versions:
    """Writes `dataflow_version` and what follows from the newest one.

    Args:
        connection: that the rows are written through.
        record: of what is known of the plans.
        files: that the newest versions are left in.
    """

    def __init__(self, connection: sqlite3.Connection, record: PlanRecord, files: PlanFiles) -> None:
        self._connection = connection
        self._record = record
        self._files = files
        self._places: dict[int, list[tuple[Place, int]]] = {}  # of the versions of a dataflow, with their keys

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back."""
        self._places.clear()

    def of_run(self, dataflow_id: int, run: RunPlace) -> int | None:
        """Key of the version that a run follows; `None` where all were brought by later ones."""
        versions = self._versions(dataflow_id)
        number = bisect_right(versions, run, key=lambda version: version[0].run)
        return versions[number - 1][1] if number else None

    def note_posted(self, dataflow_id: int, transformations: Sequence[TransformationDeclared], place: Place) -> None:
        """Look whether a posted plan, whose facts are noted, declares anything else that is new where it stands."""
        if dataflow_id in self._record.changed:
            return
        versions = self._versions(dataflow_id)
        number = bisect_right(versions, place, key=lambda version: version[0])
        if number:
            (text,) = self._connection.execute(
                "SELECT specification FROM dataflow_version WHERE dataflow_version_id = ?", (versions[number - 1][1],)
            ).fetchone()
            if not declared_in(json.loads(text)).declare(transformations):
                return
        self._record.changed.add(dataflow_id)

    def write(self) -> None:
        """Bring what follows from the record up to date, where the record changed."""
        for dataflow_id in sorted(self._record.changed):
            known, versions = self._known(dataflow_id), self._record.grow(dataflow_id).versions
            self._write_versions(dataflow_id, known, versions)
            self._places.pop(dataflow_id, None)
            since = "" if dataflow_id in self._record.moved else _earliest_change(known, versions)
            if since is not None:
                self._assign_runs(dataflow_id, since)
            text = versions[-1].text if versions else "{}"
            newest = json.loads(text)
            self._write_programs(dataflow_id, newest)
            if len(known) != len(versions) or (known and known[-1].text != text):
                self._write_dependencies(dataflow_id, newest)
                self._files.write(dataflow_id, len(versions), newest)
        self._record.changed.clear()
        self._record.moved.clear()

    def _known(self, dataflow_id: int) -> list[_Row]:
        rows = self._connection.execute(
            f"SELECT e.dataflow_version_id, e.specification, e.recorded_at, {PLACE_COLUMNS}"
            f" FROM dataflow_version AS e {PLACE_JOINS} WHERE e.dataflow_id = ? ORDER BY e.version",
            (dataflow_id,),
        )
        return [_Row(key, text, at, Place(*place)) for key, text, at, *place in rows]

    def _write_versions(self, dataflow_id: int, known: list[_Row], versions: list[Version]) -> None:
        """Write the versions that differ from those that are there."""
        for number, version in enumerate(versions):
            by = version.bringer
            values = (version.text, by.run_id, by.recorded_at, by.place.process_id, by.place.sequence)
            if number >= len(known):
                self._connection.execute(
                    "INSERT INTO dataflow_version (dataflow_id, version, specification, run_id, recorded_at,"
                    " process_id, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (dataflow_id, number + 1, *values),
                )
            elif not known[number].is_of(version):
                self._connection.execute(
                    "UPDATE dataflow_version SET specification = ?, run_id = ?, recorded_at = ?, process_id = ?,"
                    " sequence = ? WHERE dataflow_version_id = ?",
                    (*values, known[number].key),
                )
        self._connection.executemany(
            "DELETE FROM dataflow_version WHERE dataflow_version_id = ?",
            [(row.key,) for row in known[len(versions) :]],
        )

    def _assign_runs(self, dataflow_id: int, since: str) -> None:
        """Note which version the runs follow that began since then."""
        rows = self._connection.execute(
            "SELECT run_id, started_at, uid, dataflow_version_id FROM run WHERE dataflow_id = ? AND started_at >= ?"
            " UNION ALL SELECT run_id, started_at, uid, dataflow_version_id FROM run"
            " WHERE dataflow_id = ? AND started_at IS NULL",
            (dataflow_id, since, dataflow_id),
        ).fetchall()
        followed = [(self.of_run(dataflow_id, run_place(*row[1:3])), row[0], row[3]) for row in rows]
        self._connection.executemany(
            "UPDATE run SET dataflow_version_id = ? WHERE run_id = ?",
            [(version, run_id) for version, run_id, known in followed if version != known],
        )

    def _versions(self, dataflow_id: int) -> list[tuple[Place, int]]:
        versions = self._places.get(dataflow_id)
        if versions is None:
            rows = self._connection.execute(
                f"SELECT {PLACE_COLUMNS}, e.dataflow_version_id FROM dataflow_version AS e {PLACE_JOINS}"
                " WHERE e.dataflow_id = ? ORDER BY e.version",
                (dataflow_id,),
            )
            versions = self._places[dataflow_id] = [(Place(*row[:9]), row[9]) for row in rows]
        return versions

    def _write_dependencies(self, dataflow_id: int, newest: dict[str, Any]) -> None:
        """The rows of `data_dependency`: what comes after what in the newest version."""
        wanted = {
            (previous, following, data_set)
            for following, parts in newest.items()
            for previous, sets in parts.get("after", {}).items()
            for data_set in sets or [None]
        }
        rows = self._connection.execute(
            "SELECT p.tag, n.tag, s.tag, d.data_dependency_id FROM data_dependency AS d"
            " JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id"
            " JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id"
            " LEFT JOIN data_set AS s ON s.data_set_id = d.data_set_id WHERE d.dataflow_id = ?",
            (dataflow_id,),
        )
        known = {row[:3]: row[3] for row in rows}
        self._connection.executemany(
            "DELETE FROM data_dependency WHERE data_dependency_id = ?",
            [(key,) for row, key in known.items() if row not in wanted],
        )
        self._connection.executemany(
            "INSERT INTO data_dependency (dataflow_id, previous_transformation_id, next_transformation_id, data_set_id)"
            " SELECT p.dataflow_id, p.transformation_id, n.transformation_id,"
            " (SELECT s.data_set_id FROM data_set AS s WHERE s.tag = ?4)"
            " FROM data_transformation AS p JOIN data_transformation AS n ON n.dataflow_id = p.dataflow_id"
            " WHERE p.dataflow_id = ?1 AND p.tag = ?2 AND n.tag = ?3",
            [(dataflow_id, *row) for row in sorted(wanted - known.keys(), key=str)],
        )

    def _write_programs(self, dataflow_id: int, newest: dict[str, Any]) -> None:
        """What executes each transformation: the program that is declared, else that of the earliest run."""
        scripts = self._record.scripts(dataflow_id)
        programs = {tag: next(iter(parts.get("programs", ())), scripts.get(tag)) for tag, parts in newest.items()}
        self._connection.executemany(
            "UPDATE data_transformation SET program_id = (SELECT p.program_id FROM program AS p WHERE p.path = ?1)"
            " WHERE dataflow_id = ?2 AND tag = ?3 AND program_id IS NOT"
            " (SELECT p.program_id FROM program AS p WHERE p.path = ?1)",
            [(path, dataflow_id, tag) for tag, path in programs.items()],
        )


def _earliest_change(known: list[_Row], versions: list[Version]) -> str | None:
    """The start of the earliest run that may follow another version than before; `None` where no run does."""
    starts = []
    for row, version in zip_longest(known, versions):
        places = [row.place] if row else []
        places += [version.bringer.place] if version else []
        if len(places) < 2 or places[0].run != places[1].run:
            starts += [place.run_started_at for place in places]
    return min(starts, default=None)

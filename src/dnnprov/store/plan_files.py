"""The newest plan of each dataflow as a file in the store folder, `dataflows/<tag>.json`, for the recording side."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from dnnprov.journal.plan_file import Plan, write_plan
from dnnprov.model.events import (
    AttributeDeclared,
    DataSetDeclared,
    ProgramDeclared,
    TransformationDeclared,
)

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.journal.folder import StoreFolder


class PlanFiles:
    """Writes the files.

    Args:
        connection: to read from.
        folder: of the store; `None` where no files are to be written.
    """

    def __init__(self, connection: sqlite3.Connection, folder: StoreFolder | None) -> None:
        self._connection = connection
        self._folder = folder
        self._unwritten: set[int] = set()  # dataflows whose file could not be written

    def write(self, dataflow_id: int, version: int, specification: dict[str, Any]) -> None:
        """Put the newest version in the place of the one before; none where the dataflow has none any more.

        Before the transaction ends: a file ahead of the database says what the journals say too.
        """
        if self._folder is None:
            return
        (tag,) = self._connection.execute("SELECT tag FROM dataflow WHERE dataflow_id = ?", (dataflow_id,)).fetchone()
        self._unwritten.discard(dataflow_id)
        if not version:
            with contextlib.suppress(OSError):
                self._folder.plan(tag).unlink()
            return
        try:
            write_plan(self._folder, Plan(dataflow=tag, version=version, transformations=_planned(specification)))
        except OSError:  # no answer needs it; tried again with the next catch-up
            self._unwritten.add(dataflow_id)

    def write_all(self) -> None:
        """Write every plan, and remove those of dataflows that are not in the database."""
        if self._folder is None:
            return
        rows = self._connection.execute("SELECT dataflow_id, tag FROM dataflow").fetchall()
        known = {self._folder.plan(tag) for _, tag in rows}
        with contextlib.suppress(OSError):
            for path in self._folder.dataflows.glob("*.json"):
                if path not in known:
                    path.unlink()
        self._unwritten.update(dataflow_id for dataflow_id, _ in rows)
        self.write_missing()

    def write_missing(self) -> None:
        """Write the plans that no file has: those of an older database, and files that were deleted."""
        if self._folder is None:
            return
        for dataflow_id, tag in self._connection.execute("SELECT dataflow_id, tag FROM dataflow").fetchall():
            if dataflow_id in self._unwritten or not self._folder.plan(tag).exists():
                last = self._connection.execute(
                    "SELECT version, specification FROM dataflow_version WHERE dataflow_id = ?"
                    " ORDER BY version DESC LIMIT 1",
                    (dataflow_id,),
                ).fetchone()
                if last:
                    self.write(dataflow_id, last[0], json.loads(last[1]))


def _planned(specification: dict[str, Any]) -> list[TransformationDeclared]:
    """A version as it would be declared."""
    return [
        TransformationDeclared(
            tag=tag,
            sets=[
                DataSetDeclared(
                    tag=data_set,
                    relation="used" if relation == "used" else "generated",
                    attributes=[
                        AttributeDeclared(name=name, type=kind)
                        for name, kind in parts.get("attributes", {}).get(data_set, {}).items()
                    ],
                    dependency=_source_of(data_set, parts) if relation == "used" else None,
                )
                for relation in ("used", "generated")
                for data_set in parts.get(relation, ())
            ],
            programs=[ProgramDeclared(path=path, name=name) for path, name in parts.get("programs", {}).items()],
        )
        for tag, parts in specification.items()
    ]


def _source_of(data_set: str, parts: dict[str, Any]) -> str | None:
    return next((previous for previous, sets in parts.get("after", {}).items() if data_set in sets), None)

"""What programs are called: as that plan says which was posted last, whenever it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dnnprov.model.events import TransformationDeclared
from dnnprov.store.places import PLACE_COLUMNS, PLACE_JOINS, Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_decoder = msgspec.json.Decoder(list[TransformationDeclared])


def posted_plans(connection: sqlite3.Connection) -> dict[int, list[TransformationDeclared]]:
    """The plans that were posted, by their keys."""
    rows = connection.execute("SELECT posted_plan_id, content FROM posted_plan").fetchall()
    return {key: _decoder.decode(content) for key, content in rows}


def declared_names(transformations: Iterable[TransformationDeclared]) -> dict[str, str]:
    """Path -> name of the programs that a posted plan names."""
    return {program.path: program.name for one in transformations for program in one.programs if program.name}


def name_programs(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Give programs the names that follow from all plans that were posted.

    Args:
        connection: that rows are written through.
        paths: of the programs.
    """
    wanted: set[str] = set(paths)
    names: dict[str, dict[int, str]] = {}
    if not wanted:
        return
    for key, plan in posted_plans(connection).items():
        for path, name in declared_names(plan).items():
            if path in wanted:
                names.setdefault(path, {})[key] = name
    for path in wanted:
        connection.execute("UPDATE program SET name = ? WHERE path = ?", (_last(connection, names.get(path, {})), path))


def _last(connection: sqlite3.Connection, names: dict[int, str]) -> str | None:
    """Of names by the plans that give them, that of the plan posted last."""
    if len(set(names.values())) < 2:
        return next(iter(names.values()), None)
    last: tuple[Place, str] | None = None
    for key, name in names.items():
        sql = f"SELECT {PLACE_COLUMNS} FROM plan_declaration AS e {PLACE_JOINS} WHERE e.posted_plan_id = ?"
        places = [Place(*row) for row in connection.execute(sql, (key,))]
        if places and (last is None or max(places) > last[0]):
            last = (max(places), name)
    return last[1] if last else None

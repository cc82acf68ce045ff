"""Which dataflow and which run a person means.

A run is named by its uid, by its name, by a prefix of its uid (at least four characters), or by `latest`. Of several
runs with one name the latest is meant, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.analysis.questions.sql_text import storable_text
from dnnprov.errors import AmbiguousRunError, DataflowNotFoundError, NotFoundError, RunNotFoundError, UsageError

if TYPE_CHECKING:
    from dnnprov.store.base import Store

LATEST = "latest"
MIN_PREFIX = 4
"""Characters that a prefix of a uid must have."""


@dataclass(frozen=True)
class SelectedRun:
    """A run that was found.

    Attributes:
        run_id, uid, name: of the run; a run whose own process was not heard yet has no name and goes by its uid.
        note: what to tell the person about the choice, if anything.
    """

    run_id: int
    uid: str
    name: str
    note: str | None = None


def dataflow_tags(store: Store) -> list[str]:
    """Tags of all dataflows, in the order they were first recorded."""
    _, rows = store.read("SELECT tag FROM dataflow ORDER BY recorded_at NULLS LAST, tag")
    return [tag for (tag,) in rows]


def check_dataflow(store: Store, tag: str) -> str:
    """The tag as it is stored.

    Raises:
        DataflowNotFoundError: no dataflow has it.
    """
    tag, tags = storable_text(tag), dataflow_tags(store)
    if tag not in tags:
        raise DataflowNotFoundError(tag, tags)
    return tag


def select_dataflow(store: Store, tag: str | None) -> str:
    """The dataflow with a tag; the only one of the store where none is given.

    Raises:
        DataflowNotFoundError: no dataflow has the tag.
        NotFoundError: there is none at all.
        UsageError: there are several to choose from.
    """
    if tag is not None:
        return check_dataflow(store, tag)
    tags = dataflow_tags(store)
    if not tags:
        raise NotFoundError(f"no dataflow in the store {store.place!r} yet; record a run first")
    if len(tags) > 1:
        listed = ", ".join(repr(known) for known in tags[:10]) + (", ..." if len(tags) > 10 else "")
        raise UsageError(f"the store has {len(tags)} dataflows; name one of {listed} (dataflow=, --dataflow)")
    return tags[0]


def select_run(store: Store, run: str, dataflow: str | None = None) -> SelectedRun:
    """The run that an argument names.

    Args:
        store: to look in.
        run: uid, name, prefix of a uid, or `latest`.
        dataflow: tag of the dataflow it must belong to.

    Raises:
        DataflowNotFoundError: no dataflow has this tag.
        RunNotFoundError: no run is meant by it.
        AmbiguousRunError: the prefix fits several.
    """
    run = storable_text(run)
    if dataflow is not None:
        dataflow = check_dataflow(store, dataflow)
    if run == LATEST:
        found = _find(store, dataflow, "1 = 1", run, limit=1)
        if not found:
            raise NotFoundError(f"no run {LATEST!r}: there is none yet" + (f" of {dataflow!r}" if dataflow else ""))
        return found[0]
    for condition in ("r.uid = :run", "r.name = :run"):
        found = _find(store, dataflow, condition, run)
        if found:
            return _latest_of(found, run)
    if len(run) >= MIN_PREFIX:
        found = _find(store, dataflow, "SUBSTR(r.uid, 1, LENGTH(:run)) = :run", run)
        if len(found) > 1:
            raise AmbiguousRunError(run, sorted(candidate.uid for candidate in found))
        if found:
            return found[0]
    raise RunNotFoundError(run, [known.name for known in _find(store, dataflow, "1 = 1", run)])


def _latest_of(found: list[SelectedRun], name: str) -> SelectedRun:
    latest = found[0]
    if len(found) == 1:
        return latest
    note = f"{len(found)} runs are named {name!r}; this is the latest, uid {latest.uid}"
    return SelectedRun(latest.run_id, latest.uid, latest.name, note)


def _find(store: Store, dataflow: str | None, condition: str, run: str, limit: int | None = None) -> list[SelectedRun]:
    """Runs that meet a condition over `r`, the latest first."""
    sql = f"""
SELECT r.run_id, r.uid, COALESCE(r.name, r.uid)
FROM run AS r LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
WHERE ({condition}) {"AND d.tag = :dataflow" if dataflow is not None else ""}
ORDER BY r.started_at DESC NULLS LAST, r.run_id DESC{"" if limit is None else f" LIMIT {limit}"}"""
    _, rows = store.read(sql, {"run": run, "dataflow": dataflow})
    return [SelectedRun(*row) for row in rows]

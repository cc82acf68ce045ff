"""Exports what was asked for: one run, several, a whole dataflow, or its plan, in one of the formats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.analysis.selection import check_dataflow, select_run
from dnnprov.errors import UsageError
from dnnprov.export.contents import Contents, Part
from dnnprov.export.drawing import draw
from dnnprov.export.folding import folded
from dnnprov.export.formats import FORMATS, Format, check_extra, format_of_path, named_format
from dnnprov.export.plan_facts import together
from dnnprov.export.plan_reader import read_plan
from dnnprov.export.run_reader import read_run

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from dnnprov.analysis.history import History
    from dnnprov.export.plan_facts import Plan

_OF_DATAFLOW = """
SELECT r.run_id AS run_id FROM run AS r JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
WHERE d.tag = ? ORDER BY r.started_at, r.uid
"""


@dataclass(frozen=True)
class Exported:
    """An export.

    Attributes:
        content: of the file.
        notes: what to tell the person about the choice of runs.
    """

    content: bytes
    notes: list[str] = field(default_factory=list)


def export_provenance(
    history: History,
    *runs: str,
    path: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002 - the word that people expect
    dataflow: str | None = None,
    part: str = "all",
    full: bool | None = None,
) -> bytes:
    """Export runs, finished or not, in W3C PROV or as a picture.

    Args:
        history: the store, as `dnnprov.open` gives it.
        runs: one run stands in the document as it is, several in a bundle each. As in `History.run`: a name, a uid or
            `latest`. Without any, all runs of the dataflow, and every version of its plan.
        path: a file to write; its suffix tells the format where none is named.
        format: `provn`, `json`, `xml`, `turtle`, `trig`, `jsonld`, `svg`, `png` or `pdf`.
        dataflow: tag of the dataflow.
        part: `plan` for what was planned, `runs` for what happened, `all` for both.
        full: every epoch by itself (`True`), or phases between adaptations (`False`). Unless it is told, documents are
            full and pictures are not.

    Returns:
        The content of the file.

    Raises:
        UsageError: no such format or part, no run and no dataflow named, or the format carries no bundles.
        RunNotFoundError: there is no such run.
        DataflowNotFoundError: there is no such dataflow.
        MissingExtraError: the extra `prov` is not installed.

    Example:
        ```python
        with dnnprov.open() as history:
            dnnprov.export_provenance(history, "latest", path="run.json")
            dnnprov.export_provenance(history, dataflow="alexnet", part="plan", path="plan.svg")
        ```
    """
    if format is None:
        if path is None:
            raise UsageError("name a format=, or a path= whose suffix tells it")
        format = format_of_path(path)  # noqa: A001
    exported = export(history, runs, format, dataflow=dataflow, part=part, full=full)
    if path is not None:
        Path(path).write_bytes(exported.content)
    return exported.content


def export(
    history: History,
    runs: Sequence[str],
    format_name: str,
    *,
    dataflow: str | None = None,
    part: str = "all",
    full: bool | None = None,
) -> Exported:
    """Runs in one of the formats, as they are at this moment; arguments and errors as in `export_provenance`."""
    chosen = named_format(format_name)
    if part not in tuple(Part):
        raise UsageError(f"part={part!r} is none; expected one of {', '.join(Part)}")
    if not runs and dataflow is None:
        raise UsageError("name a run, or a dataflow for all of its runs")
    with history.snapshot() as notes:
        selected = [select_run(history.store, run, dataflow) for run in runs]
        notes += [one.note for one in selected if one.note]
        run_ids = list(dict.fromkeys(one.run_id for one in selected))
        is_single = len(run_ids) == 1
        if not (is_single or part == "plan" or chosen.carries_bundles):
            others = ", ".join(one.name for one in FORMATS.values() if one.carries_bundles and not one.is_picture)
            raise UsageError(f"{chosen.name} carries no bundles, so it holds one run only; for several use {others}")
        check_extra()
        plans: tuple[Plan, ...] = ()
        if not run_ids and dataflow is not None:
            tag = check_dataflow(history.store, dataflow)
            plans = (read_plan(history, tag),)
            run_ids = [] if part == "plan" else [row["run_id"] for row in history.query(_OF_DATAFLOW, (tag,))]
        facts = tuple(read_run(history, run_id) for run_id in run_ids)
    plans += tuple(one.plan for one in facts if one.plan is not None)
    return Exported(_written(Contents(facts, together(plans), is_single, Part(part)), chosen, full=full), notes)


def _written(contents: Contents, chosen: Format, *, full: bool | None) -> bytes:
    if chosen.is_picture:
        from dnnprov.export.pictures import picture_of  # noqa: PLC0415 - `prov` is an extra

        return draw(picture_of(contents, full=bool(full)), chosen.graphviz)
    from dnnprov.export.prov_document import document_of  # noqa: PLC0415

    if full is False:
        contents = replace(contents, runs=tuple(folded(facts) for facts in contents.runs))
    return chosen.write(document_of(contents))

"""Which picture shows what is exported: one run, several beside each other, a list of many, or the plan alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.export.arranging import picture
from dnnprov.export.contents import Part
from dnnprov.export.folding import brief, folded
from dnnprov.export.plan_picture import plan_picture
from dnnprov.export.prov_document import bundled_document, prov_document
from dnnprov.export.runs_picture import runs_picture

if TYPE_CHECKING:
    from dnnprov.export.contents import Contents
    from dnnprov.export.picture import Picture

MAX_FRAMES = 4
"""Runs that are drawn in a frame each; more become one node each."""


def picture_of(contents: Contents, *, full: bool) -> Picture:
    """The picture of what is to be exported.

    Args:
        contents: of the export.
        full: with every epoch, and every attribute of a plan.
    """
    if contents.part == Part.PLAN:
        return plan_picture(contents.plans, full=full)
    plans = contents.plans if contents.part == Part.ALL else ()
    if contents.is_single:
        (facts,) = contents.runs
        return picture(prov_document(facts if full else folded(facts), contents.part))
    if len(contents.runs) > MAX_FRAMES and not full:
        return runs_picture(contents.runs, plans)
    return picture(bundled_document([facts if full else brief(facts) for facts in contents.runs], plans))

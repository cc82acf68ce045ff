"""What goes into an export, before any of it is stated in PROV or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnnprov.export.plan_facts import Plan
    from dnnprov.export.run_facts import RunFacts


class Part(StrEnum):
    """Which part of the provenance: what was planned (p-prov), what happened (r-prov), or both."""

    ALL = "all"
    PLAN = "plan"
    RUNS = "runs"


@dataclass(frozen=True)
class Contents:
    """What goes into an export.

    Attributes:
        runs: their facts, in order.
        plans: of these runs, or of a dataflow; each dataflow once.
        is_single: one run as such, without a bundle around it.
    """

    runs: tuple[RunFacts, ...]
    plans: tuple[Plan, ...]
    is_single: bool
    part: Part = Part.ALL

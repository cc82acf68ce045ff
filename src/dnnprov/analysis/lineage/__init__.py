"""Lineage: what something stands on, what stands on it, and how one thing led to another; within runs and across them.

How a question goes through these modules, `tracing` calling one after the other:

    what was typed     things, files    which records are meant: keys of the database
    what happened      reader, rows     the runs that can matter, as `nodes`; rows of elements only where needed
    what stands on     edges, line      relations of PROV, and where in a training its adaptations came
    what is reached    search           nearest first, towards causes or effects
    the answer         parts, naming    each thing with its name, its distance and how it was reached
                       answer           as rows, for people and for programs
"""

from __future__ import annotations

from dnnprov.analysis.lineage.answer import Lineage, Way
from dnnprov.analysis.lineage.tracing import KINDS, Asking, trace, trace_path

__all__ = ["KINDS", "Asking", "Lineage", "Way", "trace", "trace_path"]

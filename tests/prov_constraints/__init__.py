"""Checks whether a PROV document is valid in the sense of W3C PROV-CONSTRAINTS (tests only).

PROV-CONSTRAINTS (https://www.w3.org/TR/prov-constraints/, W3C Recommendation of 30 April 2013) calls an instance valid
when its normal form exists and breaks no ordering, typing or impossibility constraint. The check follows its section
7.1 and treats every bundle and the top level as an instance of its own (section 7.2):

    reading         records -> statements; omitted arguments -> variables or '-'     definitions 1 to 4
    inferences      statements that follow from others                              inferences 5 to 15
    uniqueness      equal keys make equal arguments, by unification                  constraints 22 to 29
    specialization  what passes from an entity to its specializations                inferences 19 and 21, constraint 52
    ordering        which event comes before which; no cycle through a strict step   constraints 30 to 49
    impossibility   what cannot be, whatever the order                               constraints 50, 51, 53 to 56

The module ``planted`` holds documents with one fault each, for the test of the checker itself.

Inferences that can make no instance invalid are left out; each module says which and why.

Numbers are those of the Recommendation. Two names stand outside it: "unique-mention" comes from PROV-LINKS
(https://www.w3.org/TR/prov-links/), "mandatory-argument" is the syntax of PROV-DM and PROV-N.
"""

from prov_constraints.checker import check
from prov_constraints.violation import Violation

__all__ = ["Violation", "check"]

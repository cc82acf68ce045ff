"""Documents in PROV-N that break one constraint each, their mended twins, and the order of events that others imply.

Names are short for ``http://example.org/...``; a document may hold its statements in any order.
"""

from dataclasses import dataclass

T1, T2 = "2012-11-16T16:05:00", "2012-11-16T17:05:00"


@dataclass(frozen=True)
class Planted:
    """A valid document, the statement that breaks it and one in its place that does not."""

    constraint: str
    common: tuple[str, ...]
    broken: str
    mended: str
    chain: tuple[str, ...] = ()


def entities(*names: str) -> tuple[str, ...]:
    return tuple(f"entity({name})" for name in names)


KEYS = [
    Planted("key-object", (f"activity(a, {T1}, -)",), f"activity(a, {T2}, -)", f"activity(a, -, {T2})"),
    Planted("key-properties", ("used(u; a, e, -)",), "used(u; a, e2, -)", f"used(u; a, e, {T1})"),
    Planted(
        "key-properties",
        ("wasAssociatedWith(s; a, ag, plan)",),
        "wasAssociatedWith(s; a, ag, -)",
        "wasAssociatedWith(s; a, -, plan)",
    ),
    Planted(
        "key-properties",
        ("wasDerivedFrom(d; e2, e1)",),
        "wasInfluencedBy(d; e3, e1)",
        "wasInfluencedBy(d; e2, e1)",
        ("influence-inference",),
    ),
    Planted(
        "key-properties",
        ("wasDerivedFrom(e2, e1, a, g, u)",),
        "wasGeneratedBy(g; e3, a, -)",
        "wasGeneratedBy(g; e2, a, -)",
    ),
    Planted(
        "key-properties",
        (f"wasGeneratedBy(g; e, a, {T1})", "wasGeneratedBy(e, a, -)"),
        f"wasGeneratedBy(e, a, {T2})",
        f"wasGeneratedBy(e, a2, {T2})",
    ),
]

UNIQUENESS = [
    Planted(
        "unique-generation", ("wasGeneratedBy(g1; e, a, -)",), "wasGeneratedBy(g2; e, a, -)", "wasGeneratedBy(e, a, -)"
    ),
    Planted(
        "unique-invalidation",
        ("wasInvalidatedBy(i1; e, a, -)",),
        "wasInvalidatedBy(i2; e, a, -)",
        "wasInvalidatedBy(i2; e, a2, -)",
    ),
    Planted(
        "unique-wasStartedBy",
        ("wasStartedBy(s1; a, e, a0, -)",),
        "wasStartedBy(s2; a, -, a0, -)",
        "wasStartedBy(s2; a, -, -, -)",
    ),
    Planted(
        "unique-wasEndedBy",
        ("wasEndedBy(s1; a, e, a0, -)",),
        "wasEndedBy(s2; a, -, a0, -)",
        "wasEndedBy(s2; a, -, -, -)",
    ),
    Planted(
        "unique-startTime", (f"activity(a, {T1}, -)",), f"wasStartedBy(a, -, -, {T2})", f"wasStartedBy(a, -, -, {T1})"
    ),
    Planted("unique-endTime", (f"activity(a, -, {T1})",), f"wasEndedBy(a, -, -, {T2})", f"wasEndedBy(a, -, -, {T1})"),
    Planted("unique-mention", ("mentionOf(e, e1, b)",), "mentionOf(e, e2, b)", "mentionOf(e3, e2, b)"),
]

STRICT = "derivation-generation-generation-ordering"

ORDERING = [
    Planted(STRICT, entities("e1", "e2"), "wasDerivedFrom(e1, e1)", "wasDerivedFrom(e2, e1)"),
    Planted(
        STRICT,
        (*entities("e1", "e2", "e3"), "wasDerivedFrom(e2, e1)", "wasDerivedFrom(e3, e2)"),
        "wasDerivedFrom(e1, e3)",
        "wasDerivedFrom(e3, e1)",
    ),
    Planted(
        STRICT,
        ("activity(a)", "wasStartedBy(a, e1, -, -)", "entity(e1)", "wasGeneratedBy(e2, a, -)"),
        "wasDerivedFrom(e1, e2)",
        "wasDerivedFrom(e2, e1)",
        ("wasStartedBy-ordering", "generation-within-activity"),
    ),
    Planted(
        STRICT,
        (*entities("e1", "e2"), "specializationOf(e2, e1)"),
        "wasDerivedFrom(e1, e2)",
        "wasDerivedFrom(e2, e1)",
        ("specialization-generation-ordering",),
    ),
    Planted(
        STRICT,
        (
            "wasGeneratedBy(e1, a, -)",
            "wasGeneratedBy(e3, a, -)",
            "specializationOf(e2, e1)",
            "specializationOf(e3, e2)",
        ),
        "wasDerivedFrom(e1, e3)",
        "wasDerivedFrom(e3, e1)",
        ("specialization-generation-ordering",),
    ),
    Planted(
        STRICT,
        (*entities("e", "ag"), "agent(ag)", "wasAttributedTo(e, ag)"),
        "wasDerivedFrom(ag, e)",
        "wasDerivedFrom(e, ag)",
        ("wasAttributedTo-ordering",),
    ),
    Planted(
        STRICT,
        (*entities("e", "trigger"), "activity(ag)", "wasStartedBy(ag, trigger, -, -)", "wasAttributedTo(e, ag)"),
        "wasDerivedFrom(trigger, e)",
        "wasDerivedFrom(e, trigger)",
        ("wasStartedBy-ordering", "wasAttributedTo-ordering"),
    ),
    Planted(
        STRICT,
        (*entities("x", "e"), "activity(a0)", "wasStartedBy(a0, x, -, -)", "wasStartedBy(a, e, a0, -)"),
        "wasDerivedFrom(x, e)",
        "wasDerivedFrom(e, x)",
        ("generation-within-activity",),
    ),
    Planted(
        STRICT,
        (*entities("x", "e"), "activity(a0)", "wasStartedBy(a0, x, -, -)", "wasEndedBy(a, e, a0, -)"),
        "wasDerivedFrom(x, e)",
        "wasDerivedFrom(e, x)",
        ("generation-within-activity",),
    ),
    Planted(
        STRICT, ("entity(e1)", "specializationOf(e2, e1)"), "wasDerivedFrom(e2, e2)", "wasDerivedFrom(unknown, unknown)"
    ),
]

DISJOINT = "entity-activity-disjoint"
EMPTY = "entity(c, [prov:type='prov:EmptyCollection'])"

IMPOSSIBILITY = [
    Planted(DISJOINT, ("entity(x)",), "activity(x)", "agent(x)"),
    Planted(DISJOINT, ("entity(data)", "activity(task)"), "used(data, task, -)", "used(task, data, -)", ("typing",)),
    Planted(DISJOINT, ("entity(x)", "activity(a)"), "wasInformedBy(a, x)", "wasStartedBy(a, x, -, -)", ("typing",)),
    Planted(DISJOINT, ("activity(a)",), "wasDerivedFrom(a, e)", "wasDerivedFrom(e2, e, a, -, -)", ("typing",)),
    Planted(
        "impossible-unspecified-derivation-generation-use",
        (),
        "wasDerivedFrom(e2, e1, -, g, -)",
        "wasDerivedFrom(e2, e1, a, g, -)",
    ),
    Planted("impossible-specialization-reflexive", (), "specializationOf(e, e)", "alternateOf(e, e)"),
    Planted(
        "impossible-specialization-reflexive",
        ("specializationOf(e2, e1)", "specializationOf(e3, e2)"),
        "specializationOf(e1, e3)",
        "specializationOf(e3, e1)",
        ("specialization-transitive",),
    ),
    Planted(
        "impossible-specialization-reflexive",
        ("specializationOf(e2, e1)",),
        "mentionOf(e1, e2, b)",
        "mentionOf(e3, e2, b)",
    ),
    Planted("impossible-property-overlap", ("used(r; a, e, -)",), "wasInformedBy(r; a, a2)", "wasInformedBy(i; a, a2)"),
    Planted(
        "impossible-object-property-overlap", ("agent(x)",), "wasAttributedTo(x; e, ag)", "wasAttributedTo(y; e, ag)"
    ),
    Planted("membership-empty-collection", (EMPTY,), "hadMember(c, e)", "hadMember(c2, e)"),
    Planted(
        "membership-empty-collection", (EMPTY, "hadMember(c2, e)"), "specializationOf(c2, c)", "alternateOf(c2, c)"
    ),
]

PLANTED = [*KEYS, *UNIQUENESS, *ORDERING, *IMPOSSIBILITY]

STEPS: list[tuple[str, tuple[str, ...], str]] = [
    ("start-precedes-end", ("activity(a)",), "start of a precedes end of a"),
    ("usage-within-activity", ("activity(a)", "used(u; a, e, -)"), "start of a precedes usage of u"),
    ("usage-within-activity", ("activity(a)", "used(u; a, e, -)"), "usage of u precedes end of a"),
    ("generation-within-activity", ("activity(a)", "wasGeneratedBy(e, a, -)"), "start of a precedes generation of e"),
    ("generation-within-activity", ("activity(a)", "wasGeneratedBy(e, a, -)"), "generation of e precedes end of a"),
    (
        "wasInformedBy-ordering",
        ("activity(a1)", "activity(a2)", "wasInformedBy(a2, a1)"),
        "start of a1 precedes end of a2",
    ),
    ("generation-precedes-invalidation", ("entity(e)",), "generation of e precedes invalidation of e"),
    ("generation-precedes-usage", ("entity(e)", "used(u; a, e, -)"), "generation of e precedes usage of u"),
    ("usage-precedes-invalidation", ("entity(e)", "used(u; a, e, -)"), "usage of u precedes invalidation of e"),
    (
        "derivation-usage-generation-ordering",
        ("wasDerivedFrom(e2, e1, a, g, u)",),
        "usage of u precedes generation of e2",
    ),
    (STRICT, (*entities("e1", "e2"), "wasDerivedFrom(e2, e1)"), "generation of e1 strictly precedes generation of e2"),
    ("wasStartedBy-ordering", ("entity(e)", "wasStartedBy(a, e, -, -)"), "generation of e precedes start of a"),
    ("wasStartedBy-ordering", ("entity(e)", "wasStartedBy(a, e, -, -)"), "start of a precedes invalidation of e"),
    ("wasEndedBy-ordering", ("entity(e)", "wasEndedBy(a, e, -, -)"), "generation of e precedes end of a"),
    ("wasEndedBy-ordering", ("entity(e)", "wasEndedBy(a, e, -, -)"), "end of a precedes invalidation of e"),
    (
        "specialization-generation-ordering",
        ("specializationOf(e2, e1)",),
        "generation of e1 precedes generation of e2",
    ),
    (
        "specialization-invalidation-ordering",
        ("specializationOf(e2, e1)",),
        "invalidation of e2 precedes invalidation of e1",
    ),
    (
        "wasAssociatedWith-ordering",
        ("activity(a)", "entity(ag)", "wasAssociatedWith(a, ag, -)"),
        "start of a precedes invalidation of ag",
    ),
    (
        "wasAssociatedWith-ordering",
        ("activity(a)", "entity(ag)", "wasAssociatedWith(a, ag, -)"),
        "generation of ag precedes end of a",
    ),
    (
        "wasAssociatedWith-ordering",
        ("activity(a)", "activity(ag)", "wasAssociatedWith(a, ag, -)"),
        "start of a precedes end of ag",
    ),
    (
        "wasAssociatedWith-ordering",
        ("activity(a)", "activity(ag)", "actedOnBehalfOf(ag, ag2, a)"),
        "start of ag precedes end of a",
    ),
    (
        "wasAttributedTo-ordering",
        (*entities("e", "ag"), "wasAttributedTo(e, ag)"),
        "generation of ag precedes generation of e",
    ),
    ("wasAttributedTo-ordering", ("entity(ag)", "wasAttributedTo(e, ag)"), "generation of ag precedes generation of e"),
    (
        "wasAttributedTo-ordering",
        ("entity(e)", "activity(ag)", "wasAttributedTo(e, ag)"),
        "start of ag precedes generation of e",
    ),
    (
        "actedOnBehalfOf-ordering",
        (*entities("ag1", "ag2"), "actedOnBehalfOf(ag2, ag1, -)"),
        "generation of ag1 precedes invalidation of ag2",
    ),
    (
        "actedOnBehalfOf-ordering",
        ("activity(ag1)", "activity(ag2)", "actedOnBehalfOf(ag2, ag1, -)"),
        "start of ag1 precedes end of ag2",
    ),
]
"""Constraint, statements, and the precedence that the constraint finds in them."""

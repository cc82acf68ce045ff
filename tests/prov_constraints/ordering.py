"""Event ordering (section 6.2, constraints 30 to 49).

Constraints 31, 32, 39 and 40 make all starts (ends) of an activity and all generations (invalidations) of an entity
simultaneous. So they are one node here: "the start of a", "the generation of e"; only usages are nodes of their own.
That also keeps the number of steps linear in the number of statements.

Clock times take no part: the Recommendation orders events, not the times that clocks gave them (section 2.2).

Only constraint 42 is strict, from generation to generation; and no step leads from an end or an invalidation back to
a generation, a start or a usage. So no cycle through ends or invalidations can be strict: constraints 30, 32, 35, 36,
38, 40, 44, 46, 47 and 49 order events, and by themselves make no instance invalid. Constraints 33, 37 and 41 lead
through usages only where 34 or 42 lead more directly.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from prov_constraints.cycles import Node, Step, find_contradictions
from prov_constraints.specialization import inherit
from prov_constraints.statement import Instance, Kind, Statement
from prov_constraints.terms import PLACEHOLDER

_GENERATION, _INVALIDATION, _START, _END, _USAGE = "generation", "invalidation", "start", "end", "usage"
_STRICT = "derivation-generation-generation-ordering"

# A claim names events that may be unknown (None); only those between two known events become steps.
_Claim: TypeAlias = tuple[str, Node | None, Node | None, Statement]


class _Events:
    """The events of an instance, asserted or implied by an entity or activity statement (inferences 7, 8, 21)."""

    def __init__(self, instance: Instance) -> None:
        self._terms = instance.terms
        self._known: dict[Node, Statement] = {}
        for role, kind in (
            (_GENERATION, Kind.GENERATION),
            (_INVALIDATION, Kind.INVALIDATION),
            (_START, Kind.START),
            (_END, Kind.END),
        ):
            self._add(role, ((said.args[0], said) for said in instance.of(kind)))
        entities = inherit(instance, instance.of(Kind.ENTITY))
        self._add(_GENERATION, entities.items())
        self._add(_INVALIDATION, entities.items())
        self._add(_START, ((said.identifier, said) for said in instance.of(Kind.ACTIVITY)))
        self._add(_END, ((said.identifier, said) for said in instance.of(Kind.ACTIVITY)))

    def _add(self, role: str, events: Iterable[tuple[int, Statement]]) -> None:
        for term, said in events:
            self._known.setdefault(self.at(role, term), said)

    def at(self, role: str, term: int) -> Node:
        """The node of an event, known or not."""
        return Node(role, self._terms.find(term))

    def of(self, role: str, term: int) -> Node | None:
        """The event, or ``None`` if nothing says that it happened."""
        node = self.at(role, term)
        return node if node in self._known else None

    def all(self, role: str) -> Iterator[tuple[Node, Statement]]:
        """All known events of a role with a statement that tells of each."""
        return ((node, said) for node, said in self._known.items() if node.role == role)


def find_steps(instance: Instance) -> list[Step]:
    """Return every precedence between two events that constraints 30 to 49 give directly."""
    events = _Events(instance)
    return [
        Step(earlier, later, constraint, because, strict=constraint == _STRICT)
        for rule in _RULES
        for constraint, earlier, later, because in rule(events, instance)
        if earlier is not None and later is not None
    ]


def check_ordering(instance: Instance) -> None:
    """Report every knot of events of which one strictly precedes itself, under the strict constraint's name."""
    for cycle in find_contradictions(find_steps(instance)):
        instance.blame(
            cycle[0].constraint,
            "; ".join(describe(instance, step) for step in cycle),
            tuple(step.constraint for step in cycle),
        )


def describe(instance: Instance, step: Step) -> str:
    """Return a step in words: both events, the constraint and the statement it is due to."""
    earlier, later = (f"{node.role} of {instance.terms.name(node.term)}" for node in (step.earlier, step.later))
    verb = "strictly precedes" if step.strict else "precedes"
    return f"{earlier} {verb} {later} ({step.constraint}, {step.because})"


def _within_activities(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraints 30, 33 and 34: an activity starts, then uses and generates, then ends."""
    for start, said in events.all(_START):
        yield "start-precedes-end", start, events.of(_END, start.term), said
    for said in instance.of(Kind.USAGE):
        usage, activity = events.at(_USAGE, said.identifier), said.args[0]
        yield "usage-within-activity", events.of(_START, activity), usage, said
        yield "usage-within-activity", usage, events.of(_END, activity), said
    for said in instance.of(Kind.GENERATION):
        generation, activity = events.at(_GENERATION, said.args[0]), said.args[1]
        yield "generation-within-activity", events.of(_START, activity), generation, said
        yield "generation-within-activity", generation, events.of(_END, activity), said


def _communications(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraint 35: the informant started before the informed ended."""
    for said in instance.of(Kind.COMMUNICATION):
        informed, informant = said.args
        yield "wasInformedBy-ordering", events.of(_START, informant), events.of(_END, informed), said


def _lives_of_entities(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraints 36, 37 and 38: an entity is generated, then used, then invalidated."""
    for generation, said in events.all(_GENERATION):
        invalidation = events.of(_INVALIDATION, generation.term)
        yield "generation-precedes-invalidation", generation, invalidation, said
    for said in instance.of(Kind.USAGE):
        usage, entity = events.at(_USAGE, said.identifier), said.args[1]
        yield "generation-precedes-usage", events.of(_GENERATION, entity), usage, said
        yield "usage-precedes-invalidation", usage, events.of(_INVALIDATION, entity), said


def _derivations(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraints 41 and 42: the used entity is used before, and generated strictly before, the generated one is."""
    for said in instance.of(Kind.DERIVATION):
        generated, used, *path = said.args
        generation = events.of(_GENERATION, generated)
        if PLACEHOLDER not in path:
            usage = events.at(_USAGE, path[-1])
            yield "derivation-usage-generation-ordering", usage, generation, said
        yield _STRICT, events.of(_GENERATION, used), generation, said


def _triggers(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraints 43 and 44: a trigger exists, from generation to invalidation, when it starts or ends an activity."""
    for said in instance.of(Kind.START, Kind.END):
        constraint = f"{said.kind}-ordering"
        event = events.at(_START if said.kind is Kind.START else _END, said.args[0])
        trigger = said.args[1]
        yield constraint, events.of(_GENERATION, trigger), event, said
        yield constraint, event, events.of(_INVALIDATION, trigger), said


def _specializations(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraints 45 and 46: a specialization lives no earlier and no longer than what it specializes.

    Steps pass through unknown events as well. That stands for the transitive closure (inference 19): if c specializes b
    and b specializes a, then a comes before c, whatever is known of b.
    """
    for said in instance.of(Kind.SPECIALIZATION):
        specific, general = said.args
        before, after = events.at(_GENERATION, general), events.at(_GENERATION, specific)
        yield "specialization-generation-ordering", before, after, said
        before, after = events.at(_INVALIDATION, specific), events.at(_INVALIDATION, general)
        yield "specialization-invalidation-ordering", before, after, said


def _associations(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraint 47: the lives of an activity and of its agent, be that an entity or an activity, overlap."""
    constraint = "wasAssociatedWith-ordering"
    for said in instance.of(Kind.ASSOCIATION):
        activity, agent, _ = said.args
        start, end = events.of(_START, activity), events.of(_END, activity)
        yield constraint, start, events.of(_INVALIDATION, agent), said
        yield constraint, events.of(_GENERATION, agent), end, said
        yield constraint, start, events.of(_END, agent), said
        yield constraint, events.of(_START, agent), end, said


def _attributions(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraint 48: the agent, be it an entity or an activity, came before the entity attributed to it."""
    for said in instance.of(Kind.ATTRIBUTION):
        entity, agent = said.args
        generation = events.of(_GENERATION, entity)
        for role in (_GENERATION, _START):
            yield "wasAttributedTo-ordering", events.of(role, agent), generation, said


def _delegations(events: _Events, instance: Instance) -> Iterator[_Claim]:
    """Constraint 49: the responsible came before the delegate went."""
    constraint = "actedOnBehalfOf-ordering"
    for said in instance.of(Kind.DELEGATION):
        delegate, responsible, _ = said.args
        yield constraint, events.of(_GENERATION, responsible), events.of(_INVALIDATION, delegate), said
        yield constraint, events.of(_START, responsible), events.of(_END, delegate), said


_RULES = (
    _within_activities,
    _communications,
    _lives_of_entities,
    _derivations,
    _triggers,
    _specializations,
    _associations,
    _attributions,
    _delegations,
)

"""Statements that follow from others (section 5).

Applied once, before unification: no rule asks for more than the kind of a statement, save inference 11, which asks
whether arguments are '-', and unification never turns something else into '-' there.

Not here, because what they add cannot make an instance invalid:

- 6 (generation-use-communication): the communication orders only what constraints 33, 34 and 37 order already, and it
  would add one statement for every pair of a generation and a usage of an entity;
- 7 and 8 (entity-generation-invalidation, activity-start-end): the added events have fresh unknown arguments, so all
  that counts is that they exist; the ordering asks for that itself;
- 12, 16, 17, 18, 20 (alternates): an alternateOf only types its arguments as entities, which they are already.

Inference 15 (influence) stands in the uniqueness constraints, 19 and 21 in the specialization.
"""

from prov_constraints.statement import Instance, Kind
from prov_constraints.terms import PLACEHOLDER


def infer(instance: Instance) -> None:
    """Add to ``instance`` what its statements imply."""
    _communication(instance)
    _start_and_end(instance)
    _derivation(instance)
    _attribution(instance)
    _delegation(instance)
    _mention(instance)


def _communication(instance: Instance) -> None:
    """Inference 5: the informant generated some entity which the informed used."""
    name = "communication-generation-use-inference"
    unknown = instance.terms.variable
    for said in instance.of(Kind.COMMUNICATION):
        informed, informant = said.args
        entity = unknown()
        instance.infer(Kind.GENERATION, (entity, informant, unknown()), said, name)
        instance.infer(Kind.USAGE, (informed, entity, unknown()), said, name)


def _start_and_end(instance: Instance) -> None:
    """Inferences 9 and 10: the starter (ender) generated the trigger."""
    for said in instance.of(Kind.START, Kind.END):
        _, trigger, starter, _ = said.args
        instance.infer(Kind.GENERATION, (trigger, starter, instance.terms.variable()), said, f"{said.kind}-inference")


def _derivation(instance: Instance) -> None:
    """Inference 11: a derivation by an activity is a usage and a generation by it, with the identifiers it names."""
    name = "derivation-generation-use-inference"
    unknown = instance.terms.variable
    for said in instance.of(Kind.DERIVATION):
        generated, used, activity, generation, usage = said.args
        if PLACEHOLDER not in (activity, generation, usage):
            instance.infer(Kind.USAGE, (activity, used, unknown()), said, name, usage)
            instance.infer(Kind.GENERATION, (generated, activity, unknown()), said, name, generation)


def _attribution(instance: Instance) -> None:
    """Inference 13: some activity that the agent is associated with generated the entity."""
    name = "attribution-inference"
    unknown = instance.terms.variable
    for said in instance.of(Kind.ATTRIBUTION):
        entity, agent = said.args
        activity = unknown()
        instance.infer(Kind.GENERATION, (entity, activity, unknown()), said, name)
        instance.infer(Kind.ASSOCIATION, (activity, agent, unknown()), said, name)


def _delegation(instance: Instance) -> None:
    """Inference 14: delegate and responsible are both associated with the activity."""
    for said in instance.of(Kind.DELEGATION):
        delegate, responsible, activity = said.args
        for agent in (delegate, responsible):
            instance.infer(Kind.ASSOCIATION, (activity, agent, instance.terms.variable()), said, "delegation-inference")


def _mention(instance: Instance) -> None:
    """PROV-LINKS, mention-specialization-inference: a mention is a specialization."""
    for said in instance.of(Kind.MENTION):
        instance.infer(Kind.SPECIALIZATION, said.args[:2], said, "mention-specialization-inference")

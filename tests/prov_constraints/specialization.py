"""Specialization between entities (inferences 19 and 21, constraint 52).

The transitive closure of inference 19 is never written down: reachability answers for it.
"""

from collections import defaultdict
from collections.abc import Iterable

from prov_constraints.cycles import Node, Step, find_contradictions
from prov_constraints.statement import Instance, Kind, Statement


def inherit(instance: Instance, entities: Iterable[Statement]) -> dict[int, Statement]:
    """Return the given entities and all that specialize them, each with the entity statement that it goes back to.

    Inferences 19 and 21: a specialization is an entity with the attributes of what it specializes.
    """
    find = instance.terms.find
    specializations: defaultdict[int, list[int]] = defaultdict(list)
    for said in instance.of(Kind.SPECIALIZATION):
        specific, general = said.args
        specializations[find(general)].append(find(specific))
    reached: dict[int, Statement] = {}
    for said in entities:
        reached.setdefault(find(said.identifier), said)
    frontier = list(reached)
    while frontier:
        general = frontier.pop()
        for specific in specializations[general]:
            if specific not in reached:
                reached[specific] = reached[general]
                frontier.append(specific)
    return reached


def check_specializations(instance: Instance) -> None:
    """Constraint 52 with inference 19: no entity specializes itself, not even by way of others."""
    find = instance.terms.find
    steps = [
        Step(
            Node("entity", find(said.args[0])),
            Node("entity", find(said.args[1])),
            "specialization-transitive",
            said,
            strict=True,
        )
        for said in instance.of(Kind.SPECIALIZATION)
    ]
    name = "impossible-specialization-reflexive"
    for cycle in find_contradictions(steps):
        entity = instance.terms.name(cycle[0].earlier.term)
        records = ", ".join(str(step.because) for step in cycle)
        chain = (name,) if len(cycle) == 1 else ("specialization-transitive", name)
        instance.blame(name, f"{entity} specializes itself by {records}", chain)

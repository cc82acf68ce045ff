"""Typing and impossibility constraints (sections 6.3 and 6.4: 50, 51, 53 to 56; 52 stands with the specialization)."""

from collections import defaultdict
from itertools import combinations

from prov_constraints.specialization import inherit
from prov_constraints.statement import OBJECTS, RELATIONS_WITH_IDENTIFIER, Instance, Kind, Statement
from prov_constraints.terms import PLACEHOLDER

_ENTITY, _ACTIVITY, _AGENT = "entity", "activity", "agent"

_ROLES: dict[Kind, tuple[str, ...]] = {
    Kind.GENERATION: (_ENTITY, _ACTIVITY),
    Kind.USAGE: (_ACTIVITY, _ENTITY),
    Kind.COMMUNICATION: (_ACTIVITY, _ACTIVITY),
    Kind.START: (_ACTIVITY, _ENTITY, _ACTIVITY),
    Kind.END: (_ACTIVITY, _ENTITY, _ACTIVITY),
    Kind.INVALIDATION: (_ENTITY, _ACTIVITY),
    Kind.DERIVATION: (_ENTITY, _ENTITY, _ACTIVITY),
    Kind.ATTRIBUTION: (_ENTITY, _AGENT),
    Kind.ASSOCIATION: (_ACTIVITY, _AGENT, _ENTITY),
    Kind.DELEGATION: (_AGENT, _AGENT, _ACTIVITY),
    Kind.ALTERNATE: (_ENTITY, _ENTITY),
    Kind.SPECIALIZATION: (_ENTITY, _ENTITY),
    Kind.MENTION: (_ENTITY, _ENTITY, _ENTITY),
    Kind.MEMBERSHIP: (_ENTITY, _ENTITY),
}
"""What constraint 50 makes of the arguments of a relation; an influence says nothing of its two."""

# Constraint 53 lists neither: an influence may share the identifier of what it generalises, derivations are not named.
_MAY_SHARE_IDENTIFIER = (Kind.INFLUENCE, Kind.DERIVATION)


def check_impossibilities(instance: Instance) -> None:
    """Report what no instance may hold, whatever the order of its events."""
    _unspecified_derivations(instance)
    _shared_identifiers(instance)
    _disjoint_types(instance)
    _members_of_empty_collections(instance)


def _unspecified_derivations(instance: Instance) -> None:
    """Constraint 51: a derivation without activity has no generation and no usage."""
    for said in instance.of(Kind.DERIVATION):
        _, _, activity, generation, usage = said.args
        if activity == PLACEHOLDER and (generation, usage) != (PLACEHOLDER, PLACEHOLDER):
            message = f"{said} names a generation or a usage, so it needs the activity too"
            instance.blame("impossible-unspecified-derivation-generation-use", message)


def _shared_identifiers(instance: Instance) -> None:
    """Constraints 53 and 54: an identifier names one kind of relation, and no relation and object both."""
    owners: defaultdict[int, dict[Kind, Statement]] = defaultdict(dict)
    for said in instance.of(*OBJECTS, *RELATIONS_WITH_IDENTIFIER):
        owners[instance.terms.find(said.identifier)].setdefault(said.kind, said)
    for identifier, by_kind in owners.items():
        for first, second in combinations(by_kind.values(), 2):
            constraint = _constraint_on_sharing(first.kind, second.kind)
            if constraint is not None:
                instance.blame(constraint, f"{instance.terms.name(identifier)} identifies {first} and {second}")


def _constraint_on_sharing(first: Kind, second: Kind) -> str | None:
    num_objects = (first in OBJECTS) + (second in OBJECTS)
    if num_objects == 1:
        return "impossible-object-property-overlap"
    if num_objects == 0 and first not in _MAY_SHARE_IDENTIFIER and second not in _MAY_SHARE_IDENTIFIER:
        return "impossible-property-overlap"
    return None


def _disjoint_types(instance: Instance) -> None:
    """Constraints 50 and 55: nothing is an entity and an activity, declared so or used so. Agents may be either."""
    find = instance.terms.find
    types: defaultdict[int, dict[str, Statement]] = defaultdict(dict)
    for said in instance.of(*OBJECTS):
        types[find(said.identifier)].setdefault(said.kind.value, said)
    for kind, roles in _ROLES.items():
        for said in instance.of(kind):
            for term, role in zip(said.args, roles, strict=False):
                if term != PLACEHOLDER:
                    types[find(term)].setdefault(role, said)
    for term, reasons in types.items():
        if _ENTITY in reasons and _ACTIVITY in reasons:
            entity, activity = reasons[_ENTITY], reasons[_ACTIVITY]
            declared = entity.kind in OBJECTS and activity.kind in OBJECTS
            name = "entity-activity-disjoint"
            message = f"{instance.terms.name(term)} is an entity by {entity} and an activity by {activity}"
            instance.blame(name, message, (name,) if declared else ("typing", name))


def _members_of_empty_collections(instance: Instance) -> None:
    """Constraint 56: an empty collection has no members, nor has a specialization of it (inference 21)."""
    empty = inherit(instance, instance.empty_collections)
    for said in instance.of(Kind.MEMBERSHIP):
        collection = empty.get(instance.terms.find(said.args[0]))
        if collection is not None:
            instance.blame("membership-empty-collection", f"{said}, but {collection} says that there are none")

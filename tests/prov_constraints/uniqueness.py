"""Uniqueness constraints (section 6.1): statements with equal keys have equal arguments.

Each constraint unifies terms, which can make further keys equal; so all of them are applied again until a pass learns
nothing. Two different constants that would have to be equal are a violation, after which the work goes on, to find the
others.
"""

from collections.abc import Iterable

from prov_constraints.statement import RELATIONS_WITH_IDENTIFIER, Instance, Kind, Statement

_KEY_PROPERTIES = "key-properties"


def unify(instance: Instance) -> None:
    """Make equal what the uniqueness constraints call equal; conflicts become violations of ``instance``."""
    before = -1
    while before != instance.terms.num_unions:
        before = instance.terms.num_unions
        _keys(instance)
        _influences(instance)
        _events(instance)
        _times(instance)
        _mentions(instance)


def _keys(instance: Instance) -> None:
    """Constraints 22 and 23: an identifier determines the statement. Entities and agents have no further arguments."""
    for kind in (Kind.ACTIVITY, *RELATIONS_WITH_IDENTIFIER):
        constraint = "key-object" if kind is Kind.ACTIVITY else _KEY_PROPERTIES
        known: dict[int, Statement] = {}
        for said in instance.of(kind):
            first = known.setdefault(instance.terms.find(said.identifier), said)
            _equate(instance, constraint, first, said, zip(first.args, said.args, strict=True))


def _influences(instance: Instance) -> None:
    """Inference 15 with constraint 23: a relation is an influence of the same identifier, which is a key as well."""
    known: dict[int, Statement] = {}
    for said in instance.of(*RELATIONS_WITH_IDENTIFIER):
        first = known.setdefault(instance.terms.find(said.identifier), said)
        if first.kind is not said.kind:
            pairs = zip(first.args[:2], said.args[:2], strict=True)
            _equate(instance, _KEY_PROPERTIES, first, said, pairs, ("influence-inference", _KEY_PROPERTIES))


_EVENT_KEYS = (
    (Kind.GENERATION, "unique-generation", (0, 1)),
    (Kind.INVALIDATION, "unique-invalidation", (0, 1)),
    (Kind.START, "unique-wasStartedBy", (0, 2)),
    (Kind.END, "unique-wasEndedBy", (0, 2)),
)


def _events(instance: Instance) -> None:
    """Constraints 24 to 27: one generation and invalidation of an entity by an activity, one start and end by another.

    Usages have no such constraint: an activity may use an entity as often as it likes.
    """
    find = instance.terms.find
    for kind, constraint, (left, right) in _EVENT_KEYS:
        known: dict[tuple[int, int], Statement] = {}
        for said in instance.of(kind):
            first = known.setdefault((find(said.args[left]), find(said.args[right])), said)
            _equate(instance, constraint, first, said, [(first.identifier, said.identifier)])


def _times(instance: Instance) -> None:
    """Constraints 28 and 29: the start (end) of an activity has the time that the activity states."""
    find = instance.terms.find
    activities: dict[int, Statement] = {}
    for said in instance.of(Kind.ACTIVITY):
        activities.setdefault(find(said.identifier), said)
    for kind, constraint, position in ((Kind.START, "unique-startTime", 0), (Kind.END, "unique-endTime", 1)):
        for said in instance.of(kind):
            activity = activities.get(find(said.args[0]))
            if activity is not None:
                _equate(instance, constraint, activity, said, [(activity.args[position], said.args[-1])])


def _mentions(instance: Instance) -> None:
    """PROV-LINKS, unique-mention: an entity mentions one entity of one bundle."""
    known: dict[int, Statement] = {}
    for said in instance.of(Kind.MENTION):
        first = known.setdefault(instance.terms.find(said.args[0]), said)
        _equate(instance, "unique-mention", first, said, zip(first.args, said.args, strict=True))


def _equate(
    instance: Instance,
    constraint: str,
    first: Statement,
    second: Statement,
    pairs: Iterable[tuple[int, int]],
    chain: tuple[str, ...] = (),
) -> None:
    if first is second:
        return
    terms, wanted = instance.terms, list(pairs)
    conflicts = [(left, right) for left, right in wanted if not terms.may_equal(left, right)]
    # A merge happens as a whole or not at all: half of one would only bring about violations that nobody wrote.
    if not conflicts:
        conflicts = [(left, right) for left, right in wanted if not terms.unify(left, right)]
    for left, right in conflicts:
        message = f"{first} and {second} must agree, but {terms.name(left)} is not {terms.name(right)}"
        instance.blame(constraint, message, chain)

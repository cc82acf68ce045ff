"""Statements of one PROV instance, and what PROV-DM and PROV-CONSTRAINTS say about their arguments."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from prov.model import ProvRecord

from prov_constraints.terms import Terms
from prov_constraints.violation import Violation


class Kind(StrEnum):
    """Kinds of statement, by their PROV-N keyword. Arguments stand in PROV-N order, identifier and attributes apart."""

    ENTITY = "entity"
    ACTIVITY = "activity"
    AGENT = "agent"
    GENERATION = "wasGeneratedBy"
    USAGE = "used"
    COMMUNICATION = "wasInformedBy"
    START = "wasStartedBy"
    END = "wasEndedBy"
    INVALIDATION = "wasInvalidatedBy"
    DERIVATION = "wasDerivedFrom"
    ATTRIBUTION = "wasAttributedTo"
    ASSOCIATION = "wasAssociatedWith"
    DELEGATION = "actedOnBehalfOf"
    INFLUENCE = "wasInfluencedBy"
    ALTERNATE = "alternateOf"
    SPECIALIZATION = "specializationOf"
    MENTION = "mentionOf"
    MEMBERSHIP = "hadMember"


OBJECTS = (Kind.ENTITY, Kind.ACTIVITY, Kind.AGENT)

RELATIONS_WITH_IDENTIFIER = (
    Kind.GENERATION,
    Kind.USAGE,
    Kind.COMMUNICATION,
    Kind.START,
    Kind.END,
    Kind.INVALIDATION,
    Kind.DERIVATION,
    Kind.ATTRIBUTION,
    Kind.ASSOCIATION,
    Kind.DELEGATION,
    Kind.INFLUENCE,
)
"""The relations of constraint 23. In each, arguments 0 and 1 are influencee and influencer (inference 15)."""

MANDATORY: dict[Kind, tuple[int, ...]] = {
    Kind.GENERATION: (0,),
    Kind.USAGE: (0,),
    Kind.COMMUNICATION: (0, 1),
    Kind.START: (0,),
    Kind.END: (0,),
    Kind.INVALIDATION: (0,),
    Kind.DERIVATION: (0, 1),
    Kind.ATTRIBUTION: (0, 1),
    Kind.ASSOCIATION: (0,),
    Kind.DELEGATION: (0, 1),
    Kind.INFLUENCE: (0, 1),
    Kind.ALTERNATE: (0, 1),
    Kind.SPECIALIZATION: (0, 1),
    Kind.MENTION: (0, 1, 2),
    Kind.MEMBERSHIP: (0, 1),
}
"""Positions that PROV-DM section 5 does not call optional and where the PROV-N grammar has no '-'."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, asserted or inferred.

    Attributes:
        identifier: Term of the identifier; a variable where there is none (definition 1).
        record: The record that says it, or from which it follows.
        inference: Name of the inference it comes from, ``None`` if asserted.
    """

    kind: Kind
    identifier: int
    args: tuple[int, ...]
    record: ProvRecord
    inference: str | None = None

    def __str__(self) -> str:
        said = self.record.get_provn()
        return said if self.inference is None else f"{self.kind} that follows by {self.inference} from {said}"


@dataclass
class Instance:
    """The statements of one bundle or of the top level, and what was found wrong with them.

    Attributes:
        bundle: Identifier of the bundle, ``None`` for the top level.
        empty_collections: Entities asserted with ``prov:type='prov:EmptyCollection'``.
    """

    bundle: str | None
    terms: Terms = field(default_factory=Terms)
    empty_collections: list[Statement] = field(default_factory=list)
    _statements: dict[Kind, list[Statement]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    _violations: dict[Violation, None] = field(default_factory=dict)

    @property
    def violations(self) -> list[Violation]:
        """What was found so far, each contradiction once."""
        return list(self._violations)

    def add(self, statement: Statement) -> None:
        """Add a statement."""
        self._statements[statement.kind].append(statement)

    def infer(self, kind: Kind, args: tuple[int, ...], source: Statement, inference: str, identifier: int = -1) -> None:
        """Add what follows from ``source``; without ``identifier`` there is an unknown one."""
        known = self.terms.variable() if identifier < 0 else identifier
        self.add(Statement(kind, known, args, source.record, inference))

    def of(self, *kinds: Kind) -> Iterator[Statement]:
        """Yield the statements of ``kinds``."""
        for kind in kinds:
            yield from self._statements[kind]

    def blame(self, constraint: str, message: str, chain: tuple[str, ...] = ()) -> None:
        """Record a violation; ``chain`` names the steps where there are more than ``constraint`` itself."""
        self._violations[Violation(constraint, message, self.bundle, chain or (constraint,))] = None

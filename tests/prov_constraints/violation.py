"""The answer of the checker: one broken constraint, with the records that break it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One broken constraint.

    Attributes:
        constraint: Name of the constraint as the Recommendation writes it, e.g. ``"key-object"``.
        message: The records in PROV-N and what they contradict.
        bundle: Identifier of the bundle, ``None`` for the top level of the document.
        chain: All inferences and constraints that make up the contradiction, in order; at least ``constraint`` itself.
    """

    constraint: str
    message: str
    bundle: str | None
    chain: tuple[str, ...]

    def __str__(self) -> str:
        place = "top level" if self.bundle is None else f"bundle {self.bundle}"
        return f"{self.constraint} ({place}): {self.message}"

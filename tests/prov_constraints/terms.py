"""Terms of statements and their unification (PROV-CONSTRAINTS section 4, "merging").

A term is a constant (an identifier, a time, the placeholder '-') or an existential variable. Unifying makes two terms
equal for good; it fails for two different constants. Terms are small integers in a union-find forest, so a document of
many thousand records stays cheap.
"""

from collections.abc import Hashable

PLACEHOLDER = 0
"""The constant '-': "there is none". It unifies with itself and with variables, never with another constant."""


class Terms:
    """All terms of one instance.

    Attributes:
        num_unions: How often two different terms became equal; unchanged over a pass means nothing new was learnt.
    """

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._names: list[str] = []
        self._is_constant: list[bool] = []
        self._constants: dict[Hashable, int] = {}
        self.num_unions = 0
        self._append("-", is_constant=True)

    def constant(self, value: Hashable, name: str) -> int:
        """Return the term of ``value``, always the same for equal values; ``name`` is how messages show it."""
        term = self._constants.get(value)
        if term is None:
            term = self._constants[value] = self._append(name, is_constant=True)
        return term

    def variable(self) -> int:
        """Return a new existential variable, equal to nothing yet."""
        return self._append(f"_{len(self._parents)}", is_constant=False)

    def find(self, term: int) -> int:
        """Return the representative of ``term``: two terms are equal exactly when theirs are the same."""
        parents = self._parents
        while parents[term] != term:
            parents[term] = parents[parents[term]]
            term = parents[term]
        return term

    def may_equal(self, left: int, right: int) -> bool:
        """Say whether :meth:`unify` would succeed."""
        kept, dropped = self.find(left), self.find(right)
        return kept == dropped or not (self._is_constant[kept] and self._is_constant[dropped])

    def unify(self, left: int, right: int) -> bool:
        """Make two terms equal; ``False`` if both are constants that differ, and then nothing changes."""
        if not self.may_equal(left, right):
            return False
        kept, dropped = self.find(left), self.find(right)
        if kept == dropped:
            return True
        if self._is_constant[dropped]:
            kept, dropped = dropped, kept
        self._parents[dropped] = kept
        self.num_unions += 1
        return True

    def name(self, term: int) -> str:
        """Return what messages call ``term``: the identifier or time it is known to equal, else a variable's name."""
        return self._names[self.find(term)]

    def _append(self, name: str, *, is_constant: bool) -> int:
        term = len(self._parents)
        self._parents.append(term)
        self._names.append(name)
        self._is_constant.append(is_constant)
        return term

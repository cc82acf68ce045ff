"""Reads the records of a bundle as statements (definitions 1 to 4, section 4.1).

What a record leaves out is "some" or "none". Definition 4 with its table 3 says which: almost everywhere it is an
unknown value, an existential variable; the plan of an association, the activity of a derivation, and the generation and
usage of a derivation without activity are the constant '-'.
"""

from collections.abc import Hashable
from typing import Any

from prov.constants import PROV, PROV_N_MAP
from prov.identifier import QualifiedName
from prov.model import ProvBundle, ProvRecord

from prov_constraints.statement import MANDATORY, Instance, Kind, Statement
from prov_constraints.terms import PLACEHOLDER, Terms

_EMPTY_COLLECTION = PROV["EmptyCollection"]
_PLAN = 2
_DERIVATION_ACTIVITY = 2


def read(bundle: ProvBundle, name: str | None) -> Instance:
    """Return the instance that ``bundle`` asserts, called ``name`` in violations.

    Bundles inside a document are no part of its top level. A mandatory argument left out is a violation; an unknown
    value stands in for it, so that the rest can still be checked.
    """
    instance = Instance(name)
    for record in bundle.get_records():
        kind = Kind(PROV_N_MAP[record.get_type()])
        identifier = _identifier(instance.terms, record)
        statement = Statement(kind, identifier, _arguments(instance, kind, record), record)
        instance.add(statement)
        if kind is Kind.ENTITY and _EMPTY_COLLECTION in record.get_asserted_types():
            instance.empty_collections.append(statement)
    return instance


def _identifier(terms: Terms, record: ProvRecord) -> int:
    return terms.variable() if record.identifier is None else _constant(terms, record.identifier)


def _arguments(instance: Instance, kind: Kind, record: ProvRecord) -> tuple[int, ...]:
    values = record.args
    for position in MANDATORY.get(kind, ()):
        if values[position] is None:
            missing = record.FORMAL_ATTRIBUTES[position]
            instance.blame("mandatory-argument", f"{record.get_provn()} needs {missing}, got none")
    return tuple(
        _absent(instance.terms, kind, position, values) if value is None else _constant(instance.terms, value)
        for position, value in enumerate(values)
    )


def _absent(terms: Terms, kind: Kind, position: int, values: tuple[Any, ...]) -> int:
    no_plan = kind is Kind.ASSOCIATION and position == _PLAN
    no_activity = kind is Kind.DERIVATION and position >= _DERIVATION_ACTIVITY and values[_DERIVATION_ACTIVITY] is None
    return PLACEHOLDER if no_plan or no_activity else terms.variable()


def _constant(terms: Terms, value: Hashable) -> int:
    # Two prefixes may stand for one namespace, so the URI decides, not how it is written.
    return terms.constant(value.uri if isinstance(value, QualifiedName) else value, str(value))

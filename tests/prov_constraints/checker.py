"""The whole check, instance by instance (sections 7.1 and 7.2)."""

from prov.model import ProvBundle, ProvDocument

from prov_constraints.impossibility import check_impossibilities
from prov_constraints.inferences import infer
from prov_constraints.ordering import check_ordering
from prov_constraints.reading import read
from prov_constraints.specialization import check_specializations
from prov_constraints.statement import Instance
from prov_constraints.uniqueness import unify
from prov_constraints.violation import Violation


def check(document: ProvDocument) -> list[Violation]:
    """Return what makes ``document`` invalid by PROV-CONSTRAINTS; an empty list for a valid one.

    The top level and every bundle are checked apart: what one says is no evidence against another.
    """
    bundles: list[tuple[ProvBundle, str | None]] = [(document, None)]
    bundles += [(bundle, str(bundle.identifier)) for bundle in document.bundles]
    return [violation for bundle, name in bundles for violation in _check_instance(bundle, name)]


def normalize(bundle: ProvBundle, name: str | None) -> Instance:
    """Return the statements of ``bundle`` with all that follows from them, equal terms made equal."""
    instance = read(bundle, name)
    infer(instance)
    unify(instance)
    return instance


def _check_instance(bundle: ProvBundle, name: str | None) -> list[Violation]:
    instance = normalize(bundle, name)
    check_specializations(instance)
    check_ordering(instance)
    check_impossibilities(instance)
    return instance.violations

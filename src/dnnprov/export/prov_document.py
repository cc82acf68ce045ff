"""Puts statements together to documents: one run as it is, several as bundles, with their plan or without, or a plan.

What a document says of a plan and what it says of a run are apart: the one without the other leaves out the statements
of the other, and both together are the whole. With several runs each has a bundle of its own; the plans, which they
share, and the provenance of the bundles stand at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prov.constants import PROV
from prov.model import ProvDocument

from dnnprov.export.contents import Part
from dnnprov.export.plan_statements import state_plans
from dnnprov.export.prov_names import Names, moment
from dnnprov.export.run_facts import RUN_ID
from dnnprov.export.run_statements import followed_version, run_attributes, state_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnnprov.export.contents import Contents
    from dnnprov.export.plan_facts import Plan
    from dnnprov.export.run_facts import RunFacts

BUNDLE_ID = "bundle"
"""Local name of the bundle of a run."""

RECORDER = "dnnprov"
"""Name of the agent that recorded the runs: this package."""


def document_of(contents: Contents) -> ProvDocument:
    """The document of what is to be exported."""
    if contents.is_single:
        return prov_document(contents.runs[0], contents.part)
    if contents.part == Part.PLAN:
        return plan_document(contents.plans)
    return bundled_document(contents.runs, contents.plans if contents.part == Part.ALL else ())


def prov_document(facts: RunFacts, part: Part = Part.ALL) -> ProvDocument:
    """The document of one run."""
    document = ProvDocument()
    names = Names(document)
    if facts.plan is not None and part != Part.RUNS:
        state_plans(document, names, [facts.plan])
    if part != Part.PLAN:
        state_run(document, names, facts)
    return document


def plan_document(plans: Iterable[Plan]) -> ProvDocument:
    """The document of plans alone."""
    document = ProvDocument()
    names = Names(document)
    state_plans(document, names, plans)
    return document


def bundled_document(runs: Sequence[RunFacts], plans: Iterable[Plan]) -> ProvDocument:
    """The document of several runs, each in a bundle, and of plans."""
    document = ProvDocument()
    names = Names(document)
    for facts in runs:  # so that prefixes count in their order
        names.run(facts.uid)
    state_plans(document, names, plans)
    known_agents: set[str] = set()
    for facts in runs:
        _state_bundle(document, names, facts, known_agents)
        state_run(document.bundle(names.run(facts.uid)[BUNDLE_ID]), names, facts)
    return document


def _state_bundle(document: ProvDocument, names: Names, facts: RunFacts, known_agents: set[str]) -> None:
    """State where a bundle comes from: the run generated it, by way of this package, which recorded it."""
    bundle, run = (names.run(facts.uid)[name] for name in (BUNDLE_ID, RUN_ID))
    document.entity(
        bundle, names.attributes("RunProvenance", f"provenance of {facts.name or facts.uid}", PROV["Bundle"])
    )
    document.activity(run, moment(facts.started_at), moment(facts.ended_at), run_attributes(names, facts))
    document.generation(bundle, run)
    plan = followed_version(names, facts)
    recorders = [agent for agent in facts.agents if agent.kind == "software" and agent.name == RECORDER]
    for agent in recorders:
        identifier = names.agent(agent)
        if str(identifier) not in known_agents:
            known_agents.add(str(identifier))
            document.agent(identifier, names.agent_attributes(agent))
        document.association(run, identifier, plan)
        document.attribution(bundle, identifier)
    if plan is not None and not recorders:
        document.association(run, None, plan)

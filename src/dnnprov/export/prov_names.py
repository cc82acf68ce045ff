"""Qualified names and attributes of a PROV document: what each thing is called and what is said of it.

Names and texts from outside are data. They stand in values as they are (`prov:label`, `dnnprov:path`), and in
qualified names only encoded (see `identifiers`), so that no name can break a format.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from prov.constants import PROV, PROV_LABEL, PROV_LOCATION, PROV_TYPE
from prov.identifier import Namespace

from dnnprov.export import identifiers
from dnnprov.export.run_facts import ADAPTATIONS, EPOCHS, LAYERS

if TYPE_CHECKING:
    from prov.identifier import QualifiedName
    from prov.model import ProvDocument

    from dnnprov.export.run_facts import Agent, EarlierFile, Element, File, RunFacts, Value

Attributes: TypeAlias = "list[tuple[QualifiedName, object]]"

_ELEMENT_TYPES = {EPOCHS: "Epoch", ADAPTATIONS: "HyperparameterAdaptation", LAYERS: "Layer"}
_AGENT_TYPES = {"person": PROV["Person"], "software": PROV["SoftwareAgent"]}


def moment(text: str | None) -> datetime | None:
    """The time that a text of the database tells, in UTC where it names no zone; `None` for one that tells none."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _label(element: Element) -> str:
    """What to call an element: `epoch 3`, `learning_rate 0.002 -> 0.001`, else its set."""
    if element.label is not None:
        return element.label
    if element.table == EPOCHS and element.epoch is not None:
        return f"epoch {element.epoch}"
    attribute = element.values.get("attribute")
    if element.table == ADAPTATIONS and attribute is not None:
        values = [str(element.values.get(name, "?")) for name in ("old_value", "new_value")]
        return f"{attribute} {values[0]} -> {values[1]}"
    return element.set


class Names:
    """The namespaces of one document.

    Args:
        document: that they are declared in.
        facts: of the run.

    Attributes:
        run: the namespace of the run.
    """

    def __init__(self, document: ProvDocument, facts: RunFacts) -> None:
        self._document = document
        self._vocabulary = self._declare("dnnprov", identifiers.VOCABULARY)
        self._data = self._declare("data", identifiers.DATA)
        self._sets = self._declare("set", identifiers.DATA_SETS)
        self._agents = self._declare("agent", identifiers.AGENTS)
        self.run = self._declare("run", identifiers.run_namespace(facts.uid))
        self._plan = self._declare("dataflow", identifiers.dataflow_namespace(facts.plan.tag)) if facts.plan else None
        self._extra: dict[str, Namespace] = {}
        self._others: dict[str, Namespace] = {facts.uid: self.run}

    def _declare(self, prefix: str, iri: str) -> Namespace:
        namespace = Namespace(prefix, iri)
        self._document.add_namespace(namespace)
        return namespace

    def _named(self, namespace: Namespace, name: str) -> QualifiedName:
        return namespace[identifiers.local_name(name)]

    def other_run(self, uid: str) -> Namespace:
        """The namespace of another run."""
        if uid not in self._others:
            self._others[uid] = self._declare(f"run{len(self._others) + 1}", identifiers.run_namespace(uid))
        return self._others[uid]

    def term(self, name: str) -> QualifiedName:
        """A term of our vocabulary."""
        return self._vocabulary[name]

    def tag(self, name: str) -> QualifiedName:
        """The attribute for a tag that the user gave the run."""
        return self._named(self._declared_once("tag", identifiers.TAGS), name)

    def plan(self, name: str) -> QualifiedName:
        """Something of the plan."""
        if self._plan is None:
            raise LookupError(f"a run without dataflow has no plan, so no {name!r} in it")
        return self._plan[name]

    def transformation(self, tag: str) -> QualifiedName:
        """A transformation of the plan."""
        return self.plan(f"transformation-{identifiers.local_name(tag)}")

    def data_set(self, tag: str) -> QualifiedName:
        """A data set; the same for all dataflows."""
        return self._named(self._sets, tag)

    def agent(self, agent: Agent) -> QualifiedName:
        """An agent; the same for all runs. Kind and name hold no dot, so the parts cannot run together."""
        parts = [identifiers.local_name(agent.kind), identifiers.local_name(agent.name)]
        parts += [identifiers.release_name(agent.version)] if agent.version else []
        return self._agents[".".join(parts)]

    def adapting_agent(self, name: str) -> QualifiedName:
        """A callback, schedule or person that only an adaptation tells of."""
        return self._agents[f"adapting.{identifiers.local_name(name)}"]

    def attributes(self, kind: str, label: str, *types: QualifiedName) -> Attributes:
        """What is said of everything: its types and its label."""
        return [(PROV_TYPE, self.term(kind)), *((PROV_TYPE, name) for name in types), (PROV_LABEL, label)]

    def add(self, attributes: Attributes, term: str, value: Value | None) -> None:
        """Add a value under a term of our vocabulary, where there is one."""
        if value is not None:
            attributes.append((self.term(term), value))

    def element_attributes(self, element: Element, *types: QualifiedName) -> Attributes:
        """What is said of an element: its set, and its values under the names that the user gave."""
        kind = _ELEMENT_TYPES.get(element.table, "Element")
        attributes = self.attributes(kind, _label(element), self.data_set(element.set), *types)
        if element.num_rows > 1:
            self.add(attributes, "numRows", element.num_rows)
        for prefix, values in (("data", element.values), ("first", element.first), ("best", element.best)):
            if values:
                namespace = self._declared_once(prefix, f"{identifiers.BASE}{prefix}#")
                attributes += [(self._named(namespace, name), value) for name, value in values.items()]
        return attributes

    def _declared_once(self, prefix: str, iri: str) -> Namespace:
        if prefix == "data":
            return self._data
        if prefix not in self._extra:
            self._extra[prefix] = self._declare(prefix, iri)
        return self._extra[prefix]

    def agent_attributes(self, agent: Agent) -> Attributes:
        """What is said of an agent."""
        types = [_AGENT_TYPES[agent.kind]] if agent.kind in _AGENT_TYPES else []
        attributes = self.attributes(agent.kind.capitalize(), agent.name, *types)
        self.add(attributes, "version", agent.version or None)
        return attributes

    def file_attributes(self, file: File) -> Attributes:
        """What is said of a file."""
        name = file.path.rpartition("/")[2] or file.path
        attributes = self.attributes("File", name if file.num_files == 1 else f"{file.num_files} files")
        if file.num_files == 1:
            attributes.append((PROV_LOCATION, file.path))
            self.add(attributes, "path", file.path)
        else:
            self.add(attributes, "numFiles", file.num_files)
        if file.num_versions > file.num_files:
            self.add(attributes, "numVersions", file.num_versions)
        self.add(attributes, "role", file.role)
        self.add(attributes, "sizeBytes", file.size)
        self.add(attributes, "sha256", file.sha256)
        self.add(attributes, "note", file.note)
        return attributes

    def earlier_file_attributes(self, file: EarlierFile) -> Attributes:
        """What is said of a file that was generated before."""
        attributes = self.attributes("File", file.path.rpartition("/")[2] or file.path)
        attributes.append((PROV_LOCATION, file.path))
        self.add(attributes, "path", file.path)
        return attributes

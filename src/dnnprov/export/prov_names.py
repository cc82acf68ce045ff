"""Qualified names and attributes of a PROV document: what each thing is called and what is said of it.

Names and texts from outside are data. They stand in values as they are (`prov:label`, `dnnprov:path`), and in
qualified names only encoded (see `identifiers`), so that no name can break a format.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from prov.constants import PROV, PROV_LABEL, PROV_LOCATION, PROV_TYPE
from prov.identifier import Namespace

from dnnprov.export.run_facts import ADAPTATIONS, EPOCHS, LAYERS
from dnnprov.model import identifiers

if TYPE_CHECKING:
    from prov.identifier import QualifiedName
    from prov.model import ProvDocument

    from dnnprov.export.run_facts import Agent, EarlierFile, Element, File, Value

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
    """The namespaces of one document, and the qualified names in them.

    Each namespace has one prefix in the whole document, its bundles included: `run`, `run2`, ... in the order in which
    runs are named first.

    Args:
        document: that they are declared in.
    """

    def __init__(self, document: ProvDocument) -> None:
        self._document = document
        self._declared: dict[str, Namespace] = {}
        self._num_declared: dict[str, int] = {}
        self._vocabulary = self._namespace("dnnprov", identifiers.VOCABULARY)
        self._data = self._namespace("data", identifiers.DATA)
        self._sets = self._namespace("set", identifiers.DATA_SETS)
        self._agents = self._namespace("agent", identifiers.AGENTS)

    def _namespace(self, prefix: str, iri: str) -> Namespace:
        """The namespace of an IRI; declared, with a number behind the prefix where it is taken, when first asked."""
        known = self._declared.get(iri)
        if known is None:
            number = self._num_declared[prefix] = self._num_declared.get(prefix, 0) + 1
            known = self._declared[iri] = Namespace(prefix if number == 1 else f"{prefix}{number}", iri)
            self._document.add_namespace(known)
        return known

    def _named(self, namespace: Namespace, name: str) -> QualifiedName:
        return namespace[identifiers.local_name(name)]

    def run(self, uid: str) -> Namespace:
        """The namespace of a run."""
        return self._namespace("run", identifiers.run_namespace(uid))

    def term(self, name: str) -> QualifiedName:
        """A term of our vocabulary."""
        return self._vocabulary[name]

    def tag(self, name: str) -> QualifiedName:
        """The attribute for a tag that the user gave the run."""
        return self._named(self._namespace("tag", identifiers.TAGS), name)

    def version(self, dataflow: str, number: int | None) -> QualifiedName:
        """A version of a dataflow; the dataflow as such where it has none."""
        return self._plan(dataflow)["dataflow" if number is None else f"version-{number}"]

    def transformation(self, dataflow: str, tag: str) -> QualifiedName:
        """A transformation of a dataflow."""
        return self._plan(dataflow)[f"transformation-{identifiers.local_name(tag)}"]

    def program(self, dataflow: str, path: str) -> QualifiedName:
        """A script that a dataflow was seen in."""
        return self._plan(dataflow)[f"program-{identifiers.local_name(path)}"]

    def _plan(self, dataflow: str) -> Namespace:
        return self._namespace("dataflow", identifiers.dataflow_namespace(dataflow))

    def user_attribute(self, name: str) -> QualifiedName:
        """An attribute of a data set, as the user named it."""
        return self._named(self._data, name)

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
        if element.table == ADAPTATIONS and element.num_rows > 1:
            self.add(attributes, "numAdaptations", element.num_changes)
        for prefix, values in (("data", element.values), ("first", element.first), ("best", element.best)):
            if values:
                namespace = self._namespace(prefix, f"{identifiers.BASE}{prefix}#")
                attributes += [(self._named(namespace, name), value) for name, value in values.items()]
        return attributes

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
        self.add(attributes, "role", file.role)
        return attributes

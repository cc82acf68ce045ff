"""Writes PROV documents in the formats of the W3C, by way of the serializers of `prov`.

What they write is read back by them as the same statements, whatever the names and values; `tests/export` holds them
to that. Two things are done here: texts that XML cannot hold are encoded, and rdflib's complaints about what
`prov` calls are kept from users, who can do nothing about them.
"""

from __future__ import annotations

import re
import warnings
from base64 import b64encode
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from prov.constants import PROV_LABEL, XSD
from prov.model import Literal, ProvDocument

from dnnprov.errors import MissingExtraError

if TYPE_CHECKING:
    from prov.model import ProvBundle

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 calls no character, in whatever way it is written."""

_NEEDED = {"xml": "lxml", "rdf": "rdflib"}
"""Serializer of `prov` -> the package that it needs."""


def serialized(document: ProvDocument, serializer: str, **options: object) -> bytes:
    """A document as a file of one format.

    Args:
        document: to write.
        serializer: of `prov`.
        options: for it.

    Raises:
        MissingExtraError: a package that the format needs is not installed.
    """
    needed = _NEEDED.get(serializer)
    if needed is not None and find_spec(needed) is None:
        raise MissingExtraError("writing this format", "prov")
    if serializer == "xml":
        document = holdable_in_xml(document)
    stream = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        document.serialize(stream, format=serializer, **options)
    return stream.getvalue()


def holdable_in_xml(document: ProvDocument) -> ProvDocument:
    """The document, with texts that XML cannot hold (control characters, say) as XML Schema can.

    Such a text becomes an `xsd:base64Binary` of its UTF-8. In a label, which must be a plain text, U+FFFD stands for
    each character that XML has not.
    """
    bundles = [document, *document.bundles]
    records = (record for bundle in bundles for record in bundle.get_records())
    if not any(_is_unholdable(value) for record in records for _, value in record.attributes):
        return document
    copy = ProvDocument()
    for namespace in document.get_registered_namespaces():
        copy.add_namespace(namespace)
    for bundle in bundles:
        _copy_records(bundle, copy if bundle.identifier is None else copy.bundle(bundle.identifier))
    return copy


def _is_unholdable(value: object) -> bool:
    return isinstance(value, str) and _NO_XML.search(value) is not None


def _copy_records(source: ProvBundle, target: ProvBundle) -> None:
    for record in source.get_records():
        attributes = []
        for name, value in record.attributes:
            held = value
            if isinstance(value, str) and _is_unholdable(value):
                is_label = name == PROV_LABEL
                held = _NO_XML.sub("\ufffd", value) if is_label else Literal(_encoded(value), XSD["base64Binary"])
            attributes.append((name, held))
        target.new_record(record.get_type(), record.identifier, attributes)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()

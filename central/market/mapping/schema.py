"""Writes the XSD of a format of ours from its element mapping: `python -m central.market.mapping.schema [PACKAGE]`.

What a writer of ours can write satisfies it, and nothing else does; it stands in the package and a test holds it to its
mapping. It is no schema of the market operator: `rozvodna market import-schemas` brings those.
"""

import sys
from collections.abc import Iterator
from typing import Final

import msgspec

from central.market.envelope import quote
from central.market.format_data import PackageData
from central.market.format_package import FORMATS_FOLDER, FormatPackage, load_package
from central.market.mapping.model import Mapping, Node, Value

_BASES: Final = {
    "ean13": "ParticipantEan",
    "ean18": "SupplyPointEan",
    "eic": "SupplyPointEic",
    "instant": "UtcInstant",
    "local_instant": "LocalInstant",
    "date": "Day",
    "month": "Month",
    "integer": "Whole",
    "boolean": "xs:boolean",
    "flag": "xs:boolean",
}
"""Simple types of `envelope.xsd`, or of XML Schema itself."""


def schema_text(package: FormatPackage, mapping: Mapping) -> str:
    """The XSD of a mapping."""
    return "\n".join([*_head(package, mapping), *_elements(package, mapping.payload, "        "), *_FOOT, ""])


def _head(package: FormatPackage, mapping: Mapping) -> Iterator[str]:
    namespace = quote(package.format(mapping.format).namespace)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f"<!-- {mapping.format}, written from our element mapping for our sandbox; it is NOT a schema of OTE. -->"
    yield f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns={namespace}'
    yield f'           targetNamespace={namespace} elementFormDefault="qualified">'
    yield '  <xs:include schemaLocation="envelope.xsd"/>'
    yield f'  <xs:element name="{mapping.format}">'
    yield "    <xs:complexType>"
    yield "      <xs:sequence>"
    yield '        <xs:element name="SenderIdentification" type="Party"/>'
    yield '        <xs:element name="ReceiverIdentification" type="Party"/>'
    yield '        <xs:element name="Reference" type="Reference" minOccurs="0" maxOccurs="unbounded"/>'


_NEW: Final = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>'
"""What a format that gets its first schema begins with, so that the package can be read."""
_FOOT: Final = (
    "      </xs:sequence>",
    '      <xs:attributeGroup ref="Envelope"/>',
    "    </xs:complexType>",
    "  </xs:element>",
    "</xs:schema>",
)


def _elements(package: FormatPackage, nodes: tuple[Node, ...], indent: str) -> Iterator[str]:
    for node in nodes:
        occurs = "" if node.required else ' minOccurs="0"'
        occurs += ' maxOccurs="unbounded"' if node.many else ""
        yield f'{indent}<xs:element name="{node.element}"{occurs}>'
        yield from _type(package, node, indent + "  ")
        yield f"{indent}</xs:element>"


def _type(package: FormatPackage, node: Node, indent: str) -> Iterator[str]:
    yield f"{indent}<xs:complexType>"
    if node.text is not None:
        yield f"{indent}  <xs:simpleContent>"
        yield f'{indent}    <xs:extension base="xs:string">'
        yield from _attributes(package, node, indent + "      ")
        yield f"{indent}    </xs:extension>"
        yield f"{indent}  </xs:simpleContent>"
    else:
        if node.children:
            yield f"{indent}  <xs:sequence>"
            yield from _elements(package, node.children, indent + "    ")
            yield f"{indent}  </xs:sequence>"
        yield from _attributes(package, node, indent + "  ")
    yield f"{indent}</xs:complexType>"


def _attributes(package: FormatPackage, node: Node, indent: str) -> Iterator[str]:
    for spec in node.attributes:
        use = ' use="required"' if spec.required else ""
        facets = list(_facets(package, spec))
        if spec.type in _BASES and not facets:
            yield f'{indent}<xs:attribute name="{spec.name}" type="{_BASES[spec.type]}"{use}/>'
            continue
        base = "xs:decimal" if spec.type == "decimal" else "xs:string"
        yield f'{indent}<xs:attribute name="{spec.name}"{use}>'
        yield f'{indent}  <xs:simpleType><xs:restriction base="{base}">'
        yield from (f"{indent}    <xs:{name} value={quote(value)}/>" for name, value in facets)
        yield f"{indent}  </xs:restriction></xs:simpleType>"
        yield f"{indent}</xs:attribute>"


def _facets(package: FormatPackage, spec: Value) -> Iterator[tuple[str, str]]:
    match spec.type:
        case "code":
            yield from (("enumeration", entry.code) for entry in package.code_list(str(spec.codes)))
        case "decimal":
            yield "fractionDigits", str(spec.places)
            if not spec.signed:
                yield "minInclusive", "0"
        case "string":
            yield "minLength", "1"
            if spec.length is not None:
                yield "maxLength", str(spec.length)


def main(argv: list[str] | None = None) -> int:
    """Write the schemas of every mapping of a package anew."""
    name = (argv if argv is not None else sys.argv[1:] or ["sandbox-2026"])[0]
    path = FORMATS_FOLDER / f"{name}.json"
    for entry in msgspec.json.decode(path.read_bytes(), type=PackageData).formats:
        if entry.mapping and entry.schema and not (path.parent / entry.schema).exists():
            (path.parent / entry.schema).write_text(_NEW, encoding="utf-8")
    package = load_package(name)
    for mapping in package.mappings.values():
        schema = package.format(mapping.format).schema
        if schema is not None:
            (package.folder / schema).write_text(schema_text(package, mapping), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

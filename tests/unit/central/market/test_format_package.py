"""Format packages: the shipped one is whole, broken ones are refused with a sentence."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from msgspec.structs import replace

from central.market.errors import FormatError
from central.market.format_package import FORMATS_FOLDER, FormatPackage, load_package, package_valid_on, read_package
from shared.quantities import Quality


def test_the_shipped_package_is_a_sandbox_and_its_schemas_compile() -> None:
    package = load_package("sandbox-2026")
    assert package.is_sandbox
    assert package.message("121").format == "CDSDATA"
    assert package.message("121").answer_code == "X21"
    assert package.value_types["A+"].code == "A12"
    assert package.value_types["A-"].code == "A11"
    for entry in package.data.formats:
        if entry.schema is not None:
            assert isinstance(package.schema(entry.name), etree.XMLSchema)


def test_the_digest_covers_the_schemas(tmp_path: Path) -> None:
    for file in FORMATS_FOLDER.rglob("*.*"):
        target = tmp_path / file.relative_to(FORMATS_FOLDER)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(file.read_bytes())
    same = read_package(tmp_path / "sandbox-2026.json")
    assert same.digest == load_package("sandbox-2026").digest
    schema = tmp_path / "sandbox" / "envelope.xsd"
    schema.write_bytes(schema.read_bytes() + b"\n")
    assert read_package(tmp_path / "sandbox-2026.json").digest != same.digest


def test_what_is_only_named_cannot_be_written() -> None:
    package = load_package("sandbox-2026")
    unnamed = [replace(entry, schema=None, mapping=None) for entry in package.data.formats]
    named = FormatPackage(replace(package.data, formats=unnamed), package.folder, "")
    with pytest.raises(FormatError, match="no schema of CDSINVOICE"):
        named.schema("CDSINVOICE")


def test_unknown_names_are_said() -> None:
    with pytest.raises(FormatError, match="there are: sandbox-2026"):
        load_package("official-2027")
    with pytest.raises(FormatError, match="no message code '999'"):
        load_package("sandbox-2026").message("999")
    with pytest.raises(FormatError, match="No format package of market messages is valid on 2019-01-01"):
        package_valid_on(date(2019, 1, 1))
    assert package_valid_on(date(2026, 4, 1)).name == "sandbox-2026"


def test_every_sendable_quality_has_its_own_letter() -> None:
    package = load_package("sandbox-2026")
    assert set(package.letters) == set(Quality) - {Quality.MISSING}
    assert package.letters[Quality.MEASURED] is None
    assert {package.qualities[letter] for letter in package.letters.values()} == set(package.letters)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data["messages"][0].update(format="NOTHING"), "Message 111 has the format NOTHING"),
        (lambda data: data["messages"][2].update(answer_code="Z99"), "Message 121 is answered by Z99"),
        (lambda data: data["value_types"][0].update(unit="GWH"), "Value type A12 has the unit GWH"),
        (lambda data: data["statuses"].pop(), "Statuses must be given for exactly"),
        (lambda data: data["reason_types"].pop(), "Reason types must be exactly"),
        (lambda data: data["messages"].append(data["messages"][0]), "The same message code stands twice"),
        (lambda data: data.update(colour="red"), "unknown field `colour`"),
        (lambda data: data.update(status="tested"), "Invalid enum value 'tested'"),
    ],
)
def test_a_package_that_does_not_fit_together_is_refused(tmp_path: Path, change: Any, sentence: str) -> None:
    data = json.loads((FORMATS_FOLDER / "sandbox-2026.json").read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(FormatError, match=sentence):
        read_package(path)

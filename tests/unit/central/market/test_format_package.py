"""Format packages: the shipped one is whole, broken ones are refused with a sentence."""

import dataclasses
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from msgspec.structs import replace

from central.market import format_package
from central.market.errors import FormatError
from central.market.format_package import (
    FORMATS_FOLDER,
    FormatPackage,
    day_at,
    load_package,
    package_at,
    package_of_root,
    package_valid_on,
    read_package,
)
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


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), "old"),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "new"),
        (datetime(2027, 1, 1, 0, 0, tzinfo=UTC), "new"),
    ],
)
def test_a_release_begins_at_midnight_in_prague(at: datetime, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, change = load_package("sandbox-2026"), date(2027, 1, 1)
    releases = [
        dataclasses.replace(shipped, data=replace(shipped.data, name="old", valid_to=change)),
        dataclasses.replace(shipped, data=replace(shipped.data, name="new", valid_from=change)),
    ]
    monkeypatch.setattr(format_package, "usable_packages", lambda: (releases, {}))
    assert package_at(at).name == name
    namespace = shipped.format("RESPONSE").namespace
    assert package_of_root(namespace, "RESPONSE", day_at(at)).name == name


def test_nobody_asks_for_the_day_of_an_instant_in_another_zone() -> None:
    """Of an instant after midnight in Prague the day in UTC is the one before."""
    root = Path(__file__).parents[4] / "central"
    asking = re.compile(r"package_(?:valid_on|of_root)\([^\n]*\.date\(\)")
    assert [path.name for path in root.rglob("*.py") if asking.search(path.read_text(encoding="utf-8"))] == []

"""EDIGAS by an imported schema: official only when our samples satisfy it; written, refused, answered by APERAK."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.errors import FormatError, InboundError, OutboundError
from central.market.format_package import load_package
from central.market.gas import edigas
from central.market.gas.edigas import GasMeterData, GasSeries, GasValue
from central.market.official.install import Imported
from central.market.xml import parse_untrusted, schema_errors
from tests.unit.central.market.edigas_examples import mappings, package_in, take_in

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
ENVELOPE = Envelope("XGE-1", "XGE", AT, Participant("8591824556207"), Participant("8591824000007"))


def data(**facts: Any) -> GasMeterData:
    value = GasValue(place=1, first=AT, stop=AT + timedelta(hours=1), volume_m3=Decimal("2.125"), quality="MEASURED")
    series = {"opm": "27ZG600Z0012345N", "metering_type": "A", "first": AT, "stop": AT + timedelta(days=1)}
    return GasMeterData(series=[GasSeries(**{**series, "values": [value], **facts})])


def tried(imported: Imported) -> dict[str, bool]:
    return {each.code: each.is_official for each in imported.messages if each.code in ("XGE", "XGA")}


def why(imported: Imported, code: str = "XGE") -> str:
    return next(each.why for each in imported.messages if each.code == code)


def changed(**change: Any) -> dict[str, bytes]:
    """The mapping of EDIGAS with other entries."""
    given = mappings()
    return given | {"EDIGAS": json.dumps(json.loads(given["EDIGAS"]) | change).encode()}


def test_our_samples_satisfy_the_schema_so_both_messages_are_official(tmp_path: Path) -> None:
    imported = take_in(tmp_path)
    assert tried(imported) == {"XGE": True, "XGA": True}
    assert imported.schemas == {"EDIGAS": "gas/meterdata.xsd", "APERAK": "gas/acknowledgement.xsd"}
    package = package_in(tmp_path)
    assert edigas.can_write(package)
    assert not package.is_sandbox_message("XGE")
    assert package.is_sandbox_message("111")
    assert package.format("EDIGAS").namespace == "urn:example:edigas:meterdata"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name="Created"', 'name="CreatedAt"', "does not satisfy the schema"),
        ('type="xs:decimal" use="required"', 'type="xs:int" use="required"', "does not satisfy the schema"),
    ],
)
def test_what_does_not_satisfy_the_schema_stays_ours(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    imported = take_in(tmp_path, (old, new))
    assert not tried(imported)["XGE"]
    assert sentence in why(imported)
    assert package_in(tmp_path).is_sandbox_message("XGE")


def test_without_a_mapping_nothing_is_known_of_the_schema(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="None of the archive's 2 schemas describes a format"):
        take_in(tmp_path, given={})
    assert not edigas.can_write(load_package("sandbox-2026"))


def test_a_mapping_without_the_values_or_with_an_unknown_field_is_not_enough(tmp_path: Path) -> None:
    payload = json.loads(mappings()["EDIGAS"])["payload"]
    series = payload[-1] | {"children": [each for each in payload[-1]["children"] if each["element"] != "Quantity"]}
    imported = take_in(tmp_path / "a", given=changed(payload=[*payload[:-1], series]))
    assert "has no place for values, volume_m3" in why(imported)
    strange = {"element": "Version", "mark": "assumed", "attributes": [
        {"name": "v", "field": "colour", "type": "string", "mark": "assumed"}]}  # fmt: skip
    imported = take_in(tmp_path / "b", given=changed(payload=[payload[0], strange, *payload[2:]]))
    assert "asks for a field that is not there" in why(imported)
    with pytest.raises(FormatError, match="The element mapping of EDIGAS cannot be read"):
        take_in(tmp_path / "c", given=mappings() | {"EDIGAS": b"{"})


def test_meter_data_are_written_by_the_mapping_and_refused_where_the_schema_does(tmp_path: Path) -> None:
    take_in(tmp_path)
    package = package_in(tmp_path)
    content = write_any(package, ENVELOPE, data())
    root = parse_untrusted(content)
    assert schema_errors(package.schema("EDIGAS"), root) == []
    assert b'<Identification v="XGE-1"/>' in content
    assert b'<MeteringType v="01G"/>' in content
    assert b'<Quantity pos="1" v="2.125" status="M"/>' in content
    with pytest.raises(OutboundError):
        write_any(package, ENVELOPE, data(metering_type="X"))
    with pytest.raises(OutboundError, match="has no official schema of EDIGAS"):
        write_any(load_package("sandbox-2026"), ENVELOPE, data())


APERAK = """<a:AcknowledgementDocument xmlns:a="urn:example:edigas:acknowledgement" strange="1">
<a:Identification v="AP-1"/><a:Created v="2026-03-02T06:00:00Z"/><a:Sender v="8591824000007"/>
<a:Receiver v="8591824556207"/><a:Answered v="XGE-1"/><a:Reason kind="{kind}" code="0200">ok</a:Reason>
</a:AcknowledgementDocument>"""


def test_an_aperak_is_read_as_an_answer(tmp_path: Path) -> None:
    take_in(tmp_path)
    package = package_in(tmp_path)
    answer = edigas.read_aperak(package, parse_untrusted(APERAK.format(kind="02G").encode()))
    assert (answer.envelope.id, answer.envelope.references) == ("AP-1", ("XGE-1",))
    assert [(each.type, each.code, each.text) for each in answer.reasons] == [("A02", "0200", "ok")]
    broken = [
        APERAK.format(kind="99G"),
        APERAK.format(kind="01G").replace("Answered", "Other"),
        APERAK.format(kind="01G").replace("<a:Sender", "<a:From"),
    ]
    for content in broken:
        with pytest.raises(InboundError):
            edigas.read_aperak(package, parse_untrusted(content.encode()))

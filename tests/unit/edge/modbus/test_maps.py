"""Device maps: schema, what ships, what is refused."""

import json
from typing import Any

import pytest

from edge.modbus.plan import block_reads
from shared.modbus.maps import MAPS, SCHEMA, MapError, find_map, json_schema, parse_map
from shared.quantities import Unit

SHIPPED = sorted(path.stem for path in MAPS.glob("*.json"))


def test_what_ships() -> None:
    assert {"sdm630", "abb-b23", "abb-b24", "iem3155", "umg96rm", "sunspec-int", "sunspec-float"} <= set(SHIPPED)


def test_the_schema_file_is_the_schema() -> None:
    assert SCHEMA.read_bytes() == json_schema(), "write device-map.json anew from json_schema()"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_maps_are_right(name: str) -> None:
    found = find_map(name)
    assert found.model == name
    names = {item.name for item in found.items}
    assert {"import", "export", "voltage-L1", "current-L1", "power", "frequency"} <= names
    assert found.item("import").unit is Unit.WH
    assert found.item("frequency").unit is Unit.HZ
    assert all((item.group == "energy") == (item.unit in (Unit.WH, Unit.VARH, Unit.VAH)) for item in found.items)
    reads = block_reads(found, found.items)
    assert sum(len(read.items) for read in reads) == len(found.items)


# Published addresses, written again by hand: registers that makers' documents name.
DOCUMENTED = [
    ("sdm630", "voltage-L1", 0x0000, "float32", 0),
    ("sdm630", "current-L3", 0x000A, "float32", 0),
    ("sdm630", "power", 0x0034, "float32", 0),
    ("sdm630", "power-factor", 0x003E, "float32", 0),
    ("sdm630", "frequency", 0x0046, "float32", 0),
    ("sdm630", "import", 0x0048, "float32", 3),
    ("sdm630", "total", 0x0156, "float32", 3),
    ("abb-b23", "import", 0x5000, "uint64", 1),
    ("abb-b23", "export-L3", 0x5474, "uint64", 1),
    ("abb-b24", "voltage-L3", 0x5B04, "uint32", -1),
    ("abb-b24", "current-L2", 0x5B0E, "uint32", -2),
    ("abb-b24", "power", 0x5B14, "int32", -2),
    ("abb-b24", "frequency", 0x5B2C, "uint16", -2),
    ("abb-b24", "power-factor", 0x5B3A, "int16", -3),
    ("iem3155", "current-L1", 0x0BB7, "float32", 0),
    ("iem3155", "voltage-L3", 0x0BD7, "float32", 0),
    ("iem3155", "power", 0x0BF3, "float32", 3),
    ("iem3155", "frequency", 0x0C25, "float32", 0),
    ("iem3155", "import", 3204 - 1, "int64", 0),
    ("iem3155", "export", 3208 - 1, "int64", 0),
    ("iem3155", "import-L3", 0x0DC5, "int64", 0),
    ("umg96rm", "current-L1", 19012, "float32", 0),
    ("umg96rm", "power", 19026, "float32", 0),
    ("umg96rm", "frequency", 19050, "float32", 0),
    ("umg96rm", "import", 19068, "float32", 0),
    ("umg96rm", "export", 19076, "float32", 0),
    ("sunspec-int", "power", 18, "int16", 0),
    ("sunspec-int", "import", 46, "uint32", 0),
    ("sunspec-float", "power", 28, "float32", 0),
    ("sunspec-float", "import", 68, "float32", 0),
]


@pytest.mark.parametrize(("model", "name", "address", "type", "exponent"), DOCUMENTED)
def test_addresses_as_documented(model: str, name: str, address: int, type: str, exponent: int) -> None:
    item = find_map(model).item(name)
    assert (item.address, item.type, item.exponent) == (address, type, exponent)


def test_scale_factors_of_sunspec() -> None:
    found = find_map("sunspec-int")
    factors = {item.scale_factor for item in found.items}
    assert factors == {6, 15, 17, 22, 27, 32, 37, 54, 71, 104}
    assert found.item("import").span == (46, 55)


def test_items_inherit_from_their_map() -> None:
    found = find_map("abb-b23")
    assert found.item("import").not_available == ("FFFFFFFFFFFFFFFF",)
    assert found.item("power-factor").not_available == ("7FFF",)
    assert {item.word_order for item in found.items} == {"high-first"}
    assert {item.word_order for item in found.with_word_order("low-first").items} == {"low-first"}
    assert [item.plain for item in (found.item("import"), find_map("sdm630").item("import"))] == [False, True]


def test_unknown_maps_and_items_say_what_there_is() -> None:
    with pytest.raises(MapError, match=r"no device map for 'sdm63'; there are maps for .*sdm630"):
        find_map("sdm63")
    with pytest.raises(MapError, match="no item 'imports'; it has voltage-L1, voltage-L2"):
        find_map("sdm630").item("imports")


def _item(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "address": 1, "type": "uint16", "unit": "Wh", "exponent": 0} | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_registers": 126}, r"Expected `int` <= 125 - at `\$.max_registers`"),
        ({"colour": 1}, "unknown field"),
        ({"items": [_item(address=65535, type="float32")], "readable": []}, "at address 65535 is outside"),
        ({"items": [_item(), _item(address=2)]}, "'a' twice"),
        ({"items": [_item(type="uint32"), _item(name="b", address=2)]}, "b and a share register 2"),
        ({"items": [_item(address=79, type="uint32")]}, "needs registers 79 to 80 in one answer"),
        ({"items": [_item(not_available=["FFFFFFFF"])]}, "has 1 registers; the pattern FFFFFFFF has 2"),
        ({"items": [_item(not_available=["xyz"])]}, "not_available"),
        ({"items": [_item(), _item(name="b", address=3, scale_factor=1)]}, "scale factor of b stands in a"),
    ],
)
def test_wrong_maps_are_refused(changes: dict[str, Any], expected: str) -> None:
    data = json.loads((MAPS / "sdm630.json").read_bytes()) | changes
    with pytest.raises(MapError, match=expected):
        parse_map(json.dumps(data).encode(), "x.json")

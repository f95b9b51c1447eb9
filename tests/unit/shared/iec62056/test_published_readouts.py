"""Octets of mode C that owners of real meters put into public issues."""

from shared.identifiers import Obis
from shared.iec62056.characters import check_parity
from shared.iec62056.data_sets import data_sets, names
from shared.iec62056.messages import HDLC_MODE, acknowledgement, decode_identification
from shared.iec62056.parser import Line, MessageParser

ZMD_LINES = bytes.fromhex("b82eb830aa30302830303030 2e30303030aaebf6e172e8a98d0a".replace(" ", ""))
"""iec62056-21, issue 16: a ZMD's line `8.80*00(...)` as its port delivered it, with the parity in the eighth bit."""

NORAX = (
    "0-0:C.1.0(72432595)\r\n0-0:1.0.0(2021-07-12 22:20:17)\r\n1-0:1.8.1(00000000001.329*kWh)\r\n"
    "1-0:1.8.1*101(00000000001.329*kWh)\r\n1-0:1.8.2(00000000000.000*kWh)\r\n1-0:2.8.1(00000000000.501*kWh)\r\n"
)
"""dlms-cosem, issue 37: an Apator NORAX 3."""


def test_parity_as_a_zmd_sends_it() -> None:
    assert check_parity(ZMD_LINES) == b"8.80*00(0000.0000*kvarh)\r\n"


def test_a_meter_that_offers_hdlc_wants_its_protocol_character() -> None:
    (line,) = MessageParser().feed(b"/APA5\\2NORAX30\r\n")
    assert isinstance(line, Line)
    identification = decode_identification(line.text)
    assert (identification.manufacturer, identification.text, identification.knows_hdlc) == ("APA", "NORAX30", True)
    # With 052 as in the issue it went on in mode C; 2Z2 asks for HDLC.
    assert acknowledgement(identification.baud_code, HDLC_MODE) == b"\x06252\r\n"


def test_earlier_values_of_a_norax_are_not_the_present_ones() -> None:
    sets = data_sets(NORAX)
    assert [each.code for each in sets if names(each.code, Obis.parse("1-0:1.8.1"))] == ["1-0:1.8.1"]
    assert [each.values[0].text for each in sets if names(each.code, Obis.parse("0-0:96.1.0"))] == ["72432595"]

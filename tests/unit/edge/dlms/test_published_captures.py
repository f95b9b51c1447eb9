"""Octets that owners of real meters put into public issues: what our decoders and the client make of them.

Each case names the issue that it is from. They are facts about meters, not code.
"""

import pytest

from edge.dlms.hdlc_link import HdlcLink
from edge.dlms.link import Connected
from shared.dlms import axdr
from shared.dlms.acse import Diagnostic, decode_aare
from shared.dlms.apdu import decode_response
from shared.dlms.errors import DecodeError
from shared.dlms.hdlc import Frame, FrameKind, FrameParser, client_address, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.identifiers import Obis

LLC = b"\xe6\xe7\x00"

REFUSED_AARE = "7EA026210201304F22E6E7006117A109060760857405080101A203020101A305A10302010DAE4F7E"
"""gurux.dlms.java, pull request 22: a Landis+Gyr ZCXi120 refuses a password, without user information."""

UA_OF_FOUR_OCTETS = "7ea0230300022c29732813818014050200f2060200f20704000000010804000000010cf77e"
"""dlms-cosem, issue 95: physical address 2836, parameters in two and four octets."""

UA_OF_TWO_OCTETS = "7EA0210502217380BC8180140502010006020100070400000001080400000001696D7E"
"""GuruxDLMS.c, issue 1: a server at logical 1, physical 16 answers client 2 and offers 256 octets."""

SEGMENTED_PUSH = (
    "7EA8A4CF0223039996E6E7000F0004022C0C07E50B020215330000FFC4000210020209060000600100FF09083738333434353337020209060000"
    "600101FF0906313331333034020309060101010700FF060000000002020F00161B020309060101020700FF060000000002020F00161B02030906"
    "0101010800FF060000E3A402020F00161E020309060101020800FF0600000BDE02020F00161E02030906010020070002C87E7EA8A4CF02230399"
    "96FF12092002020FFF1623020309060100340700FF12000002020FFF1623020309060100480700FF12000002020FFF16230203090601001F0700"
    "FF12000002020FFE1621020309060100330700FF12000002020FFE1621020309060100470700FF12000002020FFE1621020309060101010801FF"
    "060000848102020F00161E020309060101010802FF0600005F2302020F00161E02030906010102E7517E7EA02DCF022313717C0801FF06000000"
    "0002020F00161E020309060101020802FF0600000BDE02020F00161EE3F67E"
)
"""Tasmota, issue 8790: an Iskra AM550 cuts a notification into three unnumbered frames."""

PUSH = (
    "7ea10b41088313fa7ce6e7000f4000000000010c020209060101000281ff0a0b4149444f4e5f5630303031020209060000600100ff0a10373335"
    "39393932393032303831323036020209060000600107ff0a0436353430020309060100010700ff060000001102020f00161b0203090601000207"
    "00ff060000000002020f00161b020309060100030700ff060000000002020f00161d020309060100040700ff060000000f02020f00161d020309"
    "0601001f0700ff10000002020fff1621020309060100470700ff10000002020fff1621020309060100200700ff12094402020fff162302030906"
    "0100340700ff12094102020fff1623020309060100480700ff12094b02020fff16233cda7e"
)
"""amshan-homeassistant, issue 47: an Aidon 6540, one frame of 268 octets."""

SPOILT_LIST = "c403c1020000020512 02d0120ca811 18111f0fc0".replace(" ", "")
"""dlms-cosem, issue 51: a meter's answer to GET with list that announces two results and holds no two."""


def frames(octets: str) -> list[Frame]:
    parser = FrameParser()
    found = parser.feed(bytes.fromhex(octets))
    assert parser.discarded == 0
    assert "".join(frame.encode().hex() for frame in found) == octets.lower().replace(" ", "")
    return found


def test_a_refusal_without_user_information() -> None:
    (frame,) = frames(REFUSED_AARE)
    assert frame.information.startswith(LLC)
    aare = decode_aare(frame.information[len(LLC) :])
    assert (aare.result, aare.diagnostic) == (1, Diagnostic.AUTHENTICATION_FAILURE)
    assert aare.user_information == b""


@pytest.mark.parametrize(
    ("octets", "client", "server", "size"),
    [
        (UA_OF_FOUR_OCTETS, client_address(1), server_address(1, 2836), 242),
        (UA_OF_TWO_OCTETS, client_address(2), server_address(1, 16), 256),
    ],
)
def test_a_client_connects(octets: str, client: bytes, server: bytes, size: int) -> None:
    link = HdlcLink(client, server, HdlcParameters(512, 512, 1, 1))
    link.connect()
    link.outgoing()
    link.feed(bytes.fromhex(octets))
    assert link.next_event() == Connected()
    assert (link.agreed.send_information, link.agreed.receive_information) == (size, size)


def test_a_notification_in_three_frames() -> None:
    found = frames(SEGMENTED_PUSH)
    assert [(frame.kind, frame.segmented) for frame in found] == [
        (FrameKind.UI, True),
        (FrameKind.UI, True),
        (FrameKind.UI, False),
    ]
    apdu = b"".join(frame.information for frame in found)[len(LLC) :]
    # Tag, invoke id, 12 octets of time after their length.
    assert apdu[:1] == b"\x0f"
    items = axdr.decode(apdu[18:])
    values = {str(Obis.from_bytes(item[0])): item[1] for item in items}
    assert len(items) == 16
    assert values["1-1:1.8.0"] == 58_276
    assert (values["1-1:1.8.1"], values["1-1:1.8.2"]) == (33_921, 24_355)
    assert values["1-1:1.8.1"] + values["1-1:1.8.2"] == values["1-1:1.8.0"]


def test_a_notification_in_one_frame() -> None:
    (frame,) = frames(PUSH)
    items = axdr.decode(frame.information[len(LLC) + 6 :])
    assert [item[0] for item in items[:1]] == [Obis.parse("1-1:0.2.129").bytes]
    assert items[0][1] in ("AIDON_V0001", b"AIDON_V0001")
    volts = {str(Obis.from_bytes(item[0])): (item[1], item[2]) for item in items if item[0][2] in (32, 52, 72)}
    assert [value for value, _ in volts.values()] == [2372, 2369, 2379]


def test_a_list_that_holds_less_than_it_says_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_response(bytes.fromhex(SPOILT_LIST))

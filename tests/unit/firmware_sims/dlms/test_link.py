"""Simulated meters on a line: addresses, connections, windows, and silence where nothing is theirs to say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sims.dlms.link import HdlcAddress, HdlcLine, WrapperLine
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.dlms.acse import Aarq, decode_aare
from shared.dlms.apdu import decode_response
from shared.dlms.get import AttributeDescriptor, GetBlockResponse, GetRequest, GetResponse
from shared.dlms.hdlc import (
    DISC,
    LLC_REQUEST,
    LLC_RESPONSE,
    SNRM,
    Frame,
    FrameKind,
    FrameParser,
    client_address,
    information_control,
    ready_control,
    server_address,
)
from shared.dlms.hdlc_parameters import HdlcParameters, decode_parameters
from shared.dlms.initiate import Conformance, InitiateRequest
from shared.dlms.wrapper import WrapperFrame, WrapperParser
from shared.identifiers import Obis

CLIENT = client_address(16)
SERVER = server_address(1, 17)
ASK_ALL = Conformance.GET | Conformance.BLOCK_GET | Conformance.SELECTIVE_ACCESS
AARQ = Aarq(InitiateRequest(ASK_ALL, 0xFFFF).encode()).encode()
OBJECTS = AttributeDescriptor(15, Obis(0, 0, 40, 0, 0).bytes, 2)
CLOCK = AttributeDescriptor(8, Obis(0, 0, 1, 0, 0).bytes, 2)


def a_meter(**changes: int) -> CosemMeter:
    spec = meter_spec(**changes)
    return CosemMeter(spec, MemoryMeterData(spec, datetime(2026, 4, 1, tzinfo=UTC)))


class Master:
    """The other end of the line, frame by frame."""

    def __init__(self, line: HdlcLine, server: bytes = SERVER, client: bytes = CLIENT) -> None:
        self.line, self.server, self.client = line, server, client

    def sends(self, control: int, information: bytes = b"", segmented: bool = False) -> list[Frame]:
        frame = Frame(self.server, self.client, control, information, segmented)
        return FrameParser().feed(self.line.receive(frame.encode()))

    def connects(self, information: int = 128, window: int = 1) -> Frame:
        (ua,) = self.sends(SNRM, HdlcParameters(information, information, window, window).encode())
        return ua

    def associates(self) -> None:
        (frame,) = self.sends(information_control(0, 0, True), LLC_REQUEST + AARQ)
        assert decode_aare(frame.information[3:]).result == 0


@pytest.fixture
def master() -> Master:
    return Master(HdlcLine({HdlcAddress(1, 17): a_meter(max_information=512, max_window=7)}))


def test_the_golden_connection() -> None:
    line = HdlcLine({HdlcAddress(1): a_meter(max_information=128, max_window=1)})
    answer = line.receive(bytes.fromhex("7EA0070321930F017E"))
    assert answer.hex().upper() == "7EA01E210373C37A818012050180060180070400000001080400000001533B7E"


def test_connecting_agrees_on_the_smaller(master: Master) -> None:
    ua = master.connects(256, 3)
    assert ua.kind is FrameKind.UA
    assert decode_parameters(ua.information) == HdlcParameters(256, 256, 3, 3)
    assert (ua.destination, ua.source) == (CLIENT, SERVER)


@pytest.mark.parametrize(
    "server", [server_address(1, 18), server_address(2, 17), server_address(17), server_address(1), b"\xfe\xff"]
)
def test_silent_for_other_addresses(master: Master, server: bytes) -> None:
    master.server = server
    for control in (SNRM, DISC, information_control(0, 0, True), ready_control(0)):
        assert master.sends(control) == []


def test_two_and_four_octet_addresses(master: Master) -> None:
    master.server = server_address(1, 17, 4)
    ua = master.connects()
    assert ua.source == server_address(1, 17, 4)


def test_each_meter_of_a_line_has_its_own_connection() -> None:
    line = HdlcLine({HdlcAddress(1, 17): a_meter(), HdlcAddress(1, 18): a_meter()})
    Master(line).connects()
    other = Master(line, server_address(1, 18))
    (refusal,) = other.sends(ready_control(0))
    assert refusal.kind is FrameKind.DM
    assert Master(line).sends(ready_control(0))[0].kind is FrameKind.RECEIVE_READY


def test_not_connected_means_dm(master: Master) -> None:
    for control in (information_control(0, 0, True), ready_control(0), DISC):
        (frame,) = master.sends(control)
        assert frame.kind is FrameKind.DM
    assert master.sends(information_control(0, 0, False)) == []


def test_disconnecting(master: Master) -> None:
    master.connects()
    assert [frame.kind for frame in master.sends(DISC)] == [FrameKind.UA]
    assert [frame.kind for frame in master.sends(DISC)] == [FrameKind.DM]


def test_broken_parameters_are_refused(master: Master) -> None:
    (frame,) = master.sends(SNRM, b"\x01\x02\x03")
    assert frame.kind is FrameKind.DM


def test_a_long_answer_in_windows(master: Master) -> None:
    master.connects(128, 3)
    master.associates()
    request = LLC_REQUEST + GetRequest(0xC1, OBJECTS).encode()
    frames = master.sends(information_control(1, 1, True), request)
    assert [(frame.sequence, frame.final, frame.segmented) for frame in frames] == [
        (1, False, True),
        (2, False, True),
        (3, True, True),
    ]
    assert all(frame.expected == 2 and len(frame.information) == 128 for frame in frames)
    message = b"".join(frame.information for frame in frames)
    expected = 4
    while frames[-1].segmented:
        frames = master.sends(ready_control(expected))
        message += b"".join(frame.information for frame in frames)
        expected = (expected + len(frames)) & 7
    assert message.startswith(LLC_RESPONSE)
    assert isinstance(decode_response(message[3:]), GetResponse | GetBlockResponse)


def test_frames_that_did_not_arrive_come_again(master: Master) -> None:
    master.connects(128, 3)
    master.associates()
    request = LLC_REQUEST + GetRequest(0xC1, OBJECTS).encode()
    first = master.sends(information_control(1, 1, True), request)
    again = master.sends(ready_control(2))  # only number 1 arrived
    assert [frame.information for frame in again[:2]] == [frame.information for frame in first[1:]]
    assert [frame.sequence for frame in again] == [2, 3, 4]


def test_a_repeated_question_is_not_treated_twice(master: Master) -> None:
    master.connects()
    (first,) = master.sends(information_control(0, 0, True), LLC_REQUEST + AARQ)
    (again,) = master.sends(information_control(0, 0, True), LLC_REQUEST + AARQ)
    assert again == first


def test_a_question_in_segments(master: Master) -> None:
    master.connects()
    octets = LLC_REQUEST + AARQ
    (ready,) = master.sends(information_control(0, 0, True), octets[:20], segmented=True)
    assert (ready.kind, ready.expected) == (FrameKind.RECEIVE_READY, 1)
    (frame,) = master.sends(information_control(1, 0, True), octets[20:])
    assert decode_aare(frame.information[3:]).result == 0


def test_acknowledging_what_was_never_sent_is_not_answered(master: Master) -> None:
    master.connects()
    assert master.sends(ready_control(5)) == []


def test_other_clients_have_connections_of_their_own(master: Master) -> None:
    master.connects()
    public = Master(master.line, client=client_address(1))
    assert public.sends(ready_control(0))[0].kind is FrameKind.DM
    assert public.connects().destination == client_address(1)


def test_wrapper() -> None:
    line = WrapperLine({1: a_meter(), 7: a_meter()})
    for server in (1, 7):
        answer = line.receive(WrapperFrame(16, server, AARQ).encode())
        (frame,) = WrapperParser().feed(answer)
        assert (frame.source, frame.destination) == (server, 16)
        assert decode_aare(frame.payload).result == 0
    assert line.receive(WrapperFrame(16, 2, AARQ).encode()) == b""
    request = WrapperFrame(16, 7, GetRequest(0xC1, CLOCK).encode()).encode()
    assert line.receive(request[:5]) == b""
    (frame,) = WrapperParser().feed(line.receive(request[5:]))
    assert isinstance(decode_response(frame.payload), GetResponse)


pieces = st.lists(
    st.one_of(
        st.binary(max_size=50),
        st.builds(
            lambda control, information, segmented: Frame(SERVER, CLIENT, control, information, segmented).encode(),
            st.sampled_from([SNRM, DISC]) | st.integers(0, 255),
            st.binary(max_size=30) | st.binary(max_size=30).map(lambda tail: LLC_REQUEST + tail),
            st.booleans(),
        ),
        st.binary(max_size=40).map(lambda payload: WrapperFrame(16, 1, payload).encode()),
    ),
    max_size=15,
)


@settings(max_examples=200)
@given(pieces)
def test_nothing_from_the_line_raises(sent: list[bytes]) -> None:
    meter = a_meter()
    for line in (HdlcLine({HdlcAddress(1, 17): meter}), WrapperLine({1: meter})):
        for piece in sent:
            assert isinstance(line.receive(piece), bytes)

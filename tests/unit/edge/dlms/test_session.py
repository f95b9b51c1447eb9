"""Link and association together, without a reader: order of events, retries, the end of a session."""

from datetime import UTC, datetime

import pytest

from edge.dlms.association import Association
from edge.dlms.errors import LinkLostError, MisuseError, NoAnswerError
from edge.dlms.hdlc_link import HdlcLink
from edge.dlms.outcomes import Answered, Failed, Opened, Released
from edge.dlms.session import Close, DlmsSession, Get, Open
from edge.dlms.wrapper_link import WrapperLink
from firmware_sims.dlms.link import HdlcAddress, HdlcLine, MeterLink, WrapperLine
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.dlms.get import AttributeDescriptor
from shared.dlms.hdlc import DM, UA, Frame, client_address, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.identifiers import Obis
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity

CLOCK = AttributeDescriptor(8, Obis(0, 0, 1, 0, 0).bytes, 2)
CLIENT, SERVER = client_address(16), server_address(1, 17)


def a_day() -> MeteringDay:
    return day_of(Commodity.ELECTRICITY, datetime(2026, 3, 3, tzinfo=UTC))


def line_and_session(protocol: str) -> tuple[MeterLink, DlmsSession]:
    spec = meter_spec()
    meter = CosemMeter(spec, MemoryMeterData(spec, a_day().end))
    if protocol == "hdlc":
        link = HdlcLink(CLIENT, SERVER, HdlcParameters(512, 512))
        return HdlcLine({HdlcAddress(1, 17): meter}), DlmsSession(link, Association())
    return WrapperLine({1: meter}), DlmsSession(WrapperLink(16, 1), Association())


def carry(line: MeterLink, session: DlmsSession, request: Open | Get | Close) -> object:
    """The one event of a request."""
    events = session.start(request)
    while not events:
        octets = session.outgoing()
        assert octets, "the session neither sends nor ends"
        events = session.receive(line.receive(octets))
    (event,) = events
    return event


@pytest.mark.parametrize("protocol", ["hdlc", "wrapper"])
def test_a_session_from_start_to_end(protocol: str) -> None:
    line, session = line_and_session(protocol)
    assert isinstance(carry(line, session, Open()), Opened)
    answered = carry(line, session, Get((CLOCK, CLOCK)))
    assert isinstance(answered, Answered)
    assert len(answered.results) == 2
    assert answered.results[0].data[:2].hex() == "090c"
    assert carry(line, session, Close()) == Released()
    assert isinstance(carry(line, session, Open()), Opened)  # and once more


def test_one_request_at_a_time() -> None:
    _, session = line_and_session("hdlc")
    session.start(Open())
    assert not session.usable
    with pytest.raises(MisuseError, match="one request at a time"):
        session.start(Get((CLOCK,)))


def test_a_meter_that_takes_back_its_acceptance_in_the_same_breath() -> None:
    """A late UA of an earlier session, and the DM after it, arrive together."""
    _, session = line_and_session("hdlc")
    session.start(Open())
    session.outgoing()
    events = session.receive(Frame(CLIENT, SERVER, UA).encode() + Frame(CLIENT, SERVER, DM).encode())
    assert [type(event) for event in events] == [Failed]
    assert isinstance(events[0], Failed)
    assert isinstance(events[0].error, LinkLostError)
    assert not session.usable


def test_silence_is_answered_with_retries_then_given_up() -> None:
    _, session = line_and_session("hdlc")
    session.start(Open())
    first = session.outgoing()
    assert session.silence() == []
    assert session.outgoing() == first
    assert session.silence() == []
    session.outgoing()
    (event,) = session.silence()
    assert isinstance(event, Failed)
    assert isinstance(event.error, NoAnswerError)
    assert not session.usable
    assert session.silence() == []


def test_over_tcp_nothing_is_asked_twice() -> None:
    line, session = line_and_session("wrapper")
    carry(line, session, Open())
    session.start(Get((CLOCK,)))
    session.outgoing()
    (event,) = session.silence()
    assert isinstance(event, Failed)
    assert "asked 1 time" in str(event.error)


def test_progress_renews_the_retries() -> None:
    line, session = line_and_session("hdlc")
    session.start(Open())
    session.silence()
    session.silence()
    session.receive(line.receive(session.outgoing()))  # the meter's UA
    assert session.silence() == []
    assert session.silence() == []


def test_abandoned() -> None:
    _, session = line_and_session("hdlc")
    session.start(Open())
    session.abandon()
    assert not session.usable

"""Client's end of HDLC: what it sends, and that no late, foreign or repeated frame is taken for the answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlms.errors import MisuseError
from edge.dlms.hdlc_link import MAX_FUTILE, TRANSITIONS, HdlcLink, State
from edge.dlms.link import Connected, Disconnected, LinkEvent, Lost, Received
from shared.dlms.hdlc import (
    DM,
    LLC_REQUEST,
    LLC_RESPONSE,
    UA,
    Frame,
    FrameKind,
    FrameParser,
    client_address,
    information_control,
    ready_control,
    server_address,
)
from shared.dlms.hdlc_parameters import HdlcParameters

CLIENT = client_address(16)
SERVER = server_address(1, 17)
OTHER = server_address(1, 18)


def from_meter(control: int, information: bytes = b"", segmented: bool = False, source: bytes = SERVER) -> bytes:
    return Frame(CLIENT, source, control, information, segmented).encode()


def answer(text: bytes, sequence: int = 0, expected: int = 1, **others: bytes) -> bytes:
    return from_meter(information_control(sequence, expected, True), LLC_RESPONSE + text, **others)


def received(link: HdlcLink, octets: bytes) -> list[LinkEvent]:
    link.feed(octets)
    events = []
    while (event := link.next_event()) is not None:
        events.append(event)
    return events


def sent(link: HdlcLink) -> list[Frame]:
    return FrameParser().feed(link.outgoing())


def connected(information: int = 128, window: int = 1) -> HdlcLink:
    parameters = HdlcParameters(information, information, window, window)
    link = HdlcLink(CLIENT, SERVER, parameters)
    link.connect()
    link.outgoing()
    assert received(link, from_meter(UA, parameters.encode())) == [Connected()]
    return link


def asking(apdu: bytes = b"question", information: int = 128, window: int = 1) -> HdlcLink:
    link = connected(information, window)
    link.send(apdu)
    link.outgoing()
    return link


def test_the_golden_snrm_and_ua() -> None:
    link = HdlcLink(CLIENT, server_address(1), HdlcParameters())
    link.connect()
    assert link.outgoing().hex().upper() == "7EA0070321930F017E"
    assert link.outgoing() == b""
    ua = bytes.fromhex("7EA01E210373C37A818012050180060180070400000001080400000001533B7E")
    assert received(link, ua) == [Connected()]
    assert link.agreed == HdlcParameters(128, 128, 1, 1)


def test_negotiation_takes_the_smaller() -> None:
    link = HdlcLink(CLIENT, SERVER, HdlcParameters(2030, 2030, 7, 7))
    link.connect()
    (snrm,) = sent(link)
    assert snrm.information == HdlcParameters(2030, 2030, 7, 7).encode()
    received(link, from_meter(UA, HdlcParameters(512, 256, 3, 1).encode()))
    assert link.agreed == HdlcParameters(256, 512, 1, 3)


def test_one_question_one_answer() -> None:
    link = connected()
    link.send(b"question")
    assert sent(link) == [Frame(SERVER, CLIENT, 0x10, LLC_REQUEST + b"question")]
    assert received(link, answer(b"answer")) == [Received(b"answer")]
    assert link.state is State.CONNECTED
    link.send(b"another")
    assert sent(link) == [Frame(SERVER, CLIENT, information_control(1, 1, True), LLC_REQUEST + b"another")]


def test_segments_of_the_answer_are_acknowledged_one_by_one() -> None:
    link = asking()
    assert received(link, from_meter(information_control(0, 1, True), LLC_RESPONSE + b"an", segmented=True)) == []
    assert sent(link) == [Frame(SERVER, CLIENT, ready_control(1))]
    assert received(link, from_meter(information_control(1, 1, True), b"swer")) == [Received(b"answer")]
    assert sent(link) == []


def test_a_window_is_acknowledged_once() -> None:
    link = asking(window=7)
    octets = b"".join(
        from_meter(information_control(number, 1, number == 2), LLC_RESPONSE if number == 0 else b"x", segmented=True)
        for number in range(3)
    )
    assert received(link, octets) == []
    assert sent(link) == [Frame(SERVER, CLIENT, ready_control(3))]
    assert received(link, from_meter(information_control(3, 1, True), b"y")) == [Received(b"xxy")]


def test_a_frame_lost_in_a_window_is_asked_again() -> None:
    link = asking(window=7)
    frames = [
        from_meter(information_control(number, 1, number == 2), LLC_RESPONSE if number == 0 else b"x", number < 2)
        for number in range(3)
    ]
    assert received(link, frames[0] + frames[2]) == []
    assert sent(link) == [Frame(SERVER, CLIENT, ready_control(1))]
    assert received(link, frames[1] + frames[2]) == [Received(b"xx")]


def test_a_long_question_goes_in_windows() -> None:
    link = connected(information=20, window=2)
    link.send(bytes(60))  # with the header 63 octets: segments of 20, 20, 20, 3
    first = sent(link)
    assert [(frame.sequence, frame.final, frame.segmented) for frame in first] == [(0, False, True), (1, True, True)]
    assert received(link, from_meter(ready_control(2))) == []
    second = sent(link)
    assert [(frame.sequence, frame.final, frame.segmented) for frame in second] == [(2, False, True), (3, True, False)]
    assert b"".join(frame.information for frame in first + second) == LLC_REQUEST + bytes(60)
    assert received(link, answer(b"answer", expected=4)) == [Received(b"answer")]


def test_what_the_meter_lacks_of_a_question_is_sent_again() -> None:
    link = connected(information=20, window=2)
    link.send(bytes(37))
    first = sent(link)
    assert received(link, from_meter(ready_control(1))) == []
    assert sent(link) == [first[1]]


def test_after_silence_it_polls_and_repeats_what_did_not_arrive() -> None:
    link = connected()
    link.send(b"question")
    (question,) = sent(link)
    assert link.retry()
    assert sent(link) == [Frame(SERVER, CLIENT, ready_control(0))]
    assert received(link, from_meter(ready_control(0))) == []  # has nothing: the question was lost
    assert sent(link) == [question]


def test_after_silence_the_answer_that_was_lost_comes_again() -> None:
    link = asking()
    assert link.retry()
    link.outgoing()
    assert received(link, answer(b"answer")) == [Received(b"answer")]


def test_a_late_repetition_is_not_the_next_answer() -> None:
    link = asking()
    assert received(link, answer(b"first")) == [Received(b"first")]
    link.send(b"second question")
    link.outgoing()
    assert received(link, answer(b"first")) == []  # sequence 0, acknowledges 1: as it was sent for the first question
    assert link.discarded == 1
    assert [frame.information for frame in sent(link)] == [LLC_REQUEST + b"second question"]
    assert received(link, answer(b"second", sequence=1, expected=2)) == [Received(b"second")]


def test_an_answer_sent_before_the_question_was_there_is_none() -> None:
    link = asking()
    assert received(link, answer(b"early", sequence=0, expected=0)) == []
    assert link.discarded == 1


@pytest.mark.parametrize("source", [OTHER, server_address(1), server_address(1, 17, 4), server_address(17, 1)])
def test_another_station_is_not_heard(source: bytes) -> None:
    link = asking()
    assert received(link, answer(b"foreign", source=source)) == []
    assert received(link, from_meter(DM, source=source)) == []
    assert link.state is State.EXCHANGING
    assert link.discarded == 2


def test_another_client_is_not_us() -> None:
    link = asking()
    frame = Frame(client_address(1), SERVER, information_control(0, 1, True), LLC_RESPONSE + b"for client 1")
    assert received(link, frame.encode()) == []
    assert link.discarded == 1


def test_acknowledging_what_was_never_sent_changes_nothing() -> None:
    link = asking()
    assert received(link, answer(b"impossible", expected=5)) == []
    assert received(link, answer(b"answer")) == [Received(b"answer")]


def test_disconnecting() -> None:
    link = connected()
    link.disconnect()
    assert [frame.kind for frame in sent(link)] == [FrameKind.DISC]
    assert link.retry()
    assert [frame.kind for frame in sent(link)] == [FrameKind.DISC]
    assert received(link, from_meter(UA)) == [Disconnected()]
    assert link.state is State.DISCONNECTED


@pytest.mark.parametrize("control", [DM, 0x97])
def test_a_meter_that_ends_the_connection(control: int) -> None:
    link = asking()
    (event,) = received(link, from_meter(control))
    assert isinstance(event, Lost)
    assert link.state is State.DISCONNECTED
    link.connect()
    assert [frame.kind for frame in sent(link)] == [FrameKind.SNRM]


def test_ping_pong_ends() -> None:
    link = asking()
    events = [event for _ in range(MAX_FUTILE + 2) for event in received(link, from_meter(ready_control(0)))]
    assert [type(event) for event in events] == [Lost]
    assert "polls" in events[0].reason


def test_a_message_without_llc_header_is_no_answer() -> None:
    link = asking()
    assert received(link, from_meter(information_control(0, 1, True), b"answer")) == []
    assert link.state is State.EXCHANGING


def test_parameters_that_cannot_be_read() -> None:
    link = HdlcLink(CLIENT, SERVER, HdlcParameters())
    link.connect()
    (event,) = received(link, from_meter(UA, b"\x00\x01"))
    assert isinstance(event, Lost)


def test_what_the_program_may_not_do() -> None:
    link = HdlcLink(CLIENT, SERVER, HdlcParameters())
    with pytest.raises(MisuseError, match="DISCONNECTED cannot take the step SEND"):
        link.send(b"question")
    busy = asking()
    with pytest.raises(MisuseError, match="EXCHANGING"):
        busy.send(b"another")
    assert not connected().retry()


def test_every_state_can_be_left() -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS[state] for state in State)


controls = st.sampled_from([UA, DM, 0x97, 0x13, 0x15, *(ready_control(n) for n in range(8))]) | st.integers(0, 255)
noise = st.one_of(
    st.binary(max_size=40),
    st.builds(from_meter, controls, st.binary(max_size=30), st.booleans()),
    st.builds(from_meter, controls, st.binary(max_size=30).map(lambda tail: LLC_RESPONSE + tail), st.booleans()),
)


@settings(max_examples=300)
@given(st.lists(noise, max_size=20), st.booleans())
def test_nothing_from_the_line_raises(pieces: list[bytes], with_retries: bool) -> None:
    link = asking(window=3)
    for piece in pieces:
        events = received(link, piece)
        assert len(events) <= 20
        if with_retries:
            link.retry()
        assert len(link.outgoing()) < 2000
        if link.state is State.CONNECTED:
            link.send(b"question")
    assert link.state in State

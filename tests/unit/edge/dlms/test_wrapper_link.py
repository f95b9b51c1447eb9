"""Client's end of the wrapper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dlms.errors import MisuseError
from edge.dlms.link import Connected, Disconnected, LinkEvent, Received
from edge.dlms.wrapper_link import WrapperLink
from shared.dlms.wrapper import WrapperFrame


def events_of(link: WrapperLink, octets: bytes = b"") -> list[LinkEvent]:
    link.feed(octets)
    events = []
    while (event := link.next_event()) is not None:
        events.append(event)
    return events


def test_messages_go_and_come() -> None:
    link = WrapperLink(16, 1)
    link.connect()
    assert events_of(link) == [Connected()]
    link.send(b"question")
    assert link.outgoing() == WrapperFrame(16, 1, b"question").encode()
    assert link.outgoing() == b""
    assert events_of(link, WrapperFrame(1, 16, b"answer").encode()) == [Received(b"answer")]
    link.disconnect()
    assert events_of(link) == [Disconnected()]


@pytest.mark.parametrize(("source", "destination"), [(2, 16), (1, 17), (16, 1)])
def test_another_meters_messages_are_passed_over(source: int, destination: int) -> None:
    link = WrapperLink(16, 1)
    link.connect()
    events_of(link)
    assert events_of(link, WrapperFrame(source, destination, b"foreign").encode()) == []
    assert link.discarded == 1


def test_it_must_be_connected_to_send() -> None:
    with pytest.raises(MisuseError, match="connected"):
        WrapperLink(16, 1).send(b"question")


def test_silence_forgets_half_a_message() -> None:
    link = WrapperLink(16, 1)
    link.connect()
    events_of(link, WrapperFrame(1, 16, b"answer").encode()[:10])
    assert link.pending
    assert not link.retry()
    assert not link.pending
    assert link.noise == 10


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_nothing_from_the_line_raises(pieces: list[bytes]) -> None:
    link = WrapperLink(16, 1)
    link.connect()
    assert events_of(link) == [Connected()]
    for piece in pieces:
        events_of(link, piece)
    link.retry()
    assert events_of(link, WrapperFrame(1, 16, b"answer").encode()) == [Received(b"answer")]

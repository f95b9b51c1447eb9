"""Frames of the DLMS wrapper for TCP."""

from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.wrapper import WrapperFrame, WrapperParser

# Header of the AARQ example for TCP in public documents: client 16, server 1, 31 octets.
GOLDEN_HEADER = bytes.fromhex("000100100001001F")

frames = st.builds(WrapperFrame, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=300))


def test_golden_header() -> None:
    assert WrapperFrame(16, 1, bytes(31)).encode()[:8] == GOLDEN_HEADER


@given(st.lists(frames, max_size=5), st.integers(1, 50))
def test_frames_come_back_whatever_the_pieces(sent: list[WrapperFrame], size: int) -> None:
    octets = b"".join(frame.encode() for frame in sent)
    parser = WrapperParser()
    received: list[WrapperFrame] = []
    for place in range(0, len(octets), size):
        received += parser.feed(octets[place : place + size])
    assert received == sent
    assert (parser.discarded, parser.pending) == (0, 0)


def test_what_is_no_header_is_skipped() -> None:
    parser = WrapperParser()
    assert parser.feed(b"HTTP/1.1 400\r\n" + WrapperFrame(1, 16, b"abc").encode()) == [WrapperFrame(1, 16, b"abc")]
    assert parser.discarded == 14


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_octets_raise(pieces: list[bytes]) -> None:
    parser = WrapperParser()
    for piece in pieces:
        parser.feed(piece)
    parser.reset()
    assert parser.feed(WrapperFrame(1, 16, b"abc").encode()) == [WrapperFrame(1, 16, b"abc")]

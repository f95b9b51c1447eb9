"""Characters and messages of IEC 62056-21 against octets written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.iec62056.characters import SUB, add_parity, bcc, check_parity
from shared.iec62056.errors import DecodeError
from shared.iec62056.messages import (
    BREAK,
    Identification,
    acknowledgement,
    command,
    data,
    decode_identification,
    decode_request,
    is_address,
    request,
)
from shared.iec62056.parser import Block, Choice, Damaged, Line, MessageParser, Sign

READOUT = data("F.F(00)\r\n1.8.0(000123.456*kWh)\r\n!\r\n")


@pytest.mark.parametrize(
    ("message", "octets"),
    [
        (request(), b"/?!\r\n"),
        (request("12345678"), b"/?12345678!\r\n"),
        (acknowledgement("5", "0"), b"\x06050\r\n"),
        (acknowledgement("5", "1"), b"\x06051\r\n"),
        (acknowledgement("6", "2"), b"\x06262\r\n"),
        # BCC by hand: 42 ^ 30 ^ 03 = 71 (q); 50 ^ 31 ^ 02 ^ 28 ^ 29 ^ 03, zeros cancel, = 61 (a)
        (BREAK, b"\x01B0\x03q"),
        (command("P1", "(00000000)"), b"\x01P1\x02(00000000)\x03a"),
        (command("R5", "1.8.0()"), b"\x01R5\x021.8.0()\x03" + bytes([bcc(b"R5\x021.8.0()\x03")])),
        (data("(1)"), b"\x02(1)\x03\x33"),
        (data("(1)", more=True), b"\x02(1)\x04\x34"),
        (Identification("RZV", "5", "SIM1").encode(), b"/RZV5SIM1\r\n"),
        (Identification("ISk", "5", "2MT382", "\\2").encode(), b"/ISk5\\22MT382\r\n"),
    ],
)
def test_messages_as_octets(message: bytes, octets: bytes) -> None:
    assert message == octets


def test_even_parity_in_the_eighth_bit() -> None:
    # 2F has five ones, 3F six, 21 two, 0D three, 0A two.
    assert add_parity(b"/?!\r\n") == bytes.fromhex("AF3F218D0A")
    assert check_parity(bytes.fromhex("AF3F218D0A")) == b"/?!\r\n"
    assert check_parity(bytes.fromhex("2F3F218D0A")) == bytes([SUB]) + b"?!\r\n"


@given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 7))
def test_one_wrong_bit_is_always_seen(characters: bytes, bit: int) -> None:
    octets = add_parity(characters)
    assert check_parity(octets) == characters
    spoilt = bytes(octet ^ 1 << bit for octet in octets)
    assert check_parity(spoilt) == bytes([SUB]) * len(characters)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/ISK5MT174-0001", Identification("ISK", "5", "MT174-0001")),
        ("/LGZ5\\2ZMD4102407.B32", Identification("LGZ", "5", "ZMD4102407.B32", "\\2")),
        ("/EMH4\\@01LZQJL0014F", Identification("EMH", "4", "01LZQJL0014F", "\\@")),
    ],
)
def test_identifications(line: str, expected: Identification) -> None:
    assert decode_identification(line) == expected
    assert expected.encode() == line.encode() + b"\r\n"
    assert expected.knows_hdlc == ("\\2" in line)


@pytest.mark.parametrize("line", ["/", "/?!", "/IS5x", "/ISK", "ISK5", "/ISK5\x07", "/ISK5" + "x" * 65])
def test_what_is_no_identification(line: str) -> None:
    with pytest.raises(DecodeError, match="no identification"):
        decode_identification(line)


def test_requests_and_addresses() -> None:
    assert decode_request("/?!") == ""
    assert decode_request("/?00012345!") == "00012345"
    assert decode_request("/ISK5MT174") is None
    assert is_address("LGZ 1234")
    assert not is_address("12!")
    assert not is_address("1" * 33)


def test_a_stream_is_cut_into_messages() -> None:
    stream = b"\xff\x00noise\r\n/ISK5MT174\r\n" + READOUT + b"\x06\x15" + BREAK + data("(1)", more=True)
    expected = [
        Line("/ISK5MT174"),
        Block("", "F.F(00)\r\n1.8.0(000123.456*kWh)\r\n!\r\n"),
        Sign.ACK,
        Sign.NAK,
        Block("B0", ""),
        Block("", "(1)", more=True),
    ]
    assert MessageParser().feed(stream) == expected
    parser = MessageParser()
    assert [token for octet in stream for token in parser.feed(bytes([octet]))] == expected
    assert parser.discarded == 9
    assert not parser.pending


def test_the_meter_hears_choices() -> None:
    parser = MessageParser(choices=True)
    assert parser.feed(b"/?1!\r\n\x06051\r\n" + command("R5", "1.8.0()")) == [
        Line("/?1!"),
        Choice("051"),
        Block("R5", "1.8.0()"),
    ]


@pytest.mark.parametrize("place", range(1, len(READOUT)))
def test_a_changed_character_is_never_taken(place: int) -> None:
    spoilt = bytearray(READOUT)
    spoilt[place] ^= 0x10
    (right,) = MessageParser().feed(READOUT)
    tokens = MessageParser().feed(bytes(spoilt) + READOUT)
    assert all(isinstance(token, Damaged) or token == right for token in tokens)


def test_a_message_that_was_cut_spoils_what_follows_without_silence() -> None:
    parser = MessageParser()
    assert parser.feed(READOUT[:20] + READOUT) == [Damaged("with a character that cannot be in it")]
    assert parser.feed(READOUT) == MessageParser().feed(READOUT)
    parser.feed(READOUT[:20])
    parser.reset()
    assert parser.feed(READOUT) == MessageParser().feed(READOUT)


def test_the_end_of_a_message_is_no_message() -> None:
    # What follows an STX that a fault made in the middle has a check that fits, because what is before it cancels out.
    whole = data("21.8.0(5*kWh)2" + "2\x02" + "1.8.0(1*kWh)")
    assert all(isinstance(token, Damaged) for token in MessageParser().feed(whole))


def test_an_identification_gives_way_to_a_message() -> None:
    assert MessageParser().feed(b"/ISK5MT" + READOUT) == MessageParser().feed(READOUT)


def test_an_endless_message_ends() -> None:
    parser = MessageParser()
    tokens = parser.feed(b"\x02" + b"(1)" * 50_000)
    assert tokens == [Damaged("longer than 131072 characters")]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([READOUT, BREAK, b"/ISK5X\r\n", b"\x06"]))))
def test_no_octets_do_harm(chunks: list[bytes]) -> None:
    parser = MessageParser()
    tokens = [token for chunk in chunks for token in parser.feed(chunk)]
    stream = b"".join(chunks)
    for token in tokens:
        if isinstance(token, Block):
            # What is taken as a block did come so, check and all.
            end = b"\x04" if token.more else b"\x03"
            assert token.text.encode() + end in stream
    parser.reset()
    assert parser.feed(READOUT) == MessageParser().feed(READOUT)

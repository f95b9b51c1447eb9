"""Golden frames of Modbus RTU and TCP, and finding frames in noise. Nothing from a line may crash."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DeviceGarbledError
from edge.modbus.frames import (
    Frame,
    Identification,
    decode_identification,
    identification_request,
    next_rtu,
    next_tcp,
    read_request,
    rtu_frame,
    tcp_frame,
)

# Modbus over Serial Line and Application Protocol, worked examples; SDM630: total import of unit 1.
READ_IMPORT = bytes.fromhex("01 04 00 48 00 02 f1 dd")
READ_HOLDING = bytes.fromhex("11 03 00 6b 00 03 76 87")
ANSWER_HOLDING = bytes.fromhex("11 03 06 ae 41 56 52 43 40 49 ad")
EXCEPTION = bytes.fromhex("0a 81 02 b0 53")
TCP_REQUEST = bytes.fromhex("00 01 00 00 00 06 11 03 00 6b 00 03")
TCP_ANSWER = bytes.fromhex("00 01 00 00 00 09 11 03 06 ae 41 56 52 43 40")


def test_requests() -> None:
    assert rtu_frame(1, read_request(4, 0x48, 2)) == READ_IMPORT
    assert rtu_frame(0x11, read_request(3, 0x6B, 3)) == READ_HOLDING
    assert tcp_frame(0x11, 1, read_request(3, 0x6B, 3)) == TCP_REQUEST


def test_answers() -> None:
    frame, used = next_rtu(ANSWER_HOLDING)
    assert frame == Frame(0x11, 0, ANSWER_HOLDING[1:-2])
    assert used == len(ANSWER_HOLDING)
    frame, used = next_rtu(EXCEPTION)
    assert frame is not None
    assert frame.function == 0x81
    assert frame.pdu[1] == 2
    frame, used = next_tcp(TCP_ANSWER)
    assert frame == Frame(0x11, 1, TCP_ANSWER[7:])
    assert used == len(TCP_ANSWER)


@pytest.mark.parametrize("noise", [b"\x00", b"\xff\x03\x10", b"\x11\x03\x06\xae", bytes(40)])
def test_a_frame_is_found_behind_noise(noise: bytes) -> None:
    frame, used = next_rtu(noise + ANSWER_HOLDING + b"\x01")
    assert frame is not None
    assert frame.pdu == ANSWER_HOLDING[1:-2]
    assert used == len(noise) + len(ANSWER_HOLDING)


@given(st.integers(0, len(ANSWER_HOLDING) * 8 - 1))
def test_a_flipped_bit_is_no_answer(bit: int) -> None:
    spoiled = bytearray(ANSWER_HOLDING)
    spoiled[bit // 8] ^= 1 << bit % 8
    frame, _ = next_rtu(bytes(spoiled))
    assert frame is None


@given(st.integers(0, len(TCP_ANSWER) - 1))
def test_part_of_a_frame_waits_for_the_rest(length: int) -> None:
    assert next_tcp(TCP_ANSWER[:length]) == (None, 0)
    assert next_rtu(ANSWER_HOLDING[: min(length, len(ANSWER_HOLDING) - 1)]) == (None, 0)


@pytest.mark.parametrize("header", ["00 01 00 01 00 06 11 03", "00 01 00 00 00 01 11 03", "00 01 00 00 ff ff 11 03"])
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(DeviceGarbledError, match="Modbus TCP header"):
        next_tcp(bytes.fromhex(header))


@given(st.binary(max_size=300))
def test_no_octets_crash(octets: bytes) -> None:
    _, used = next_rtu(octets)
    assert 0 <= used <= len(octets)
    with contextlib.suppress(DeviceGarbledError):
        _, used = next_tcp(octets)
        assert 0 <= used <= len(octets)


# Modbus Application Protocol 1.1b3, 6.21: the example of read device identification.
IDENTITY_REQUEST = bytes.fromhex("2b 0e 01 00")
IDENTITY_ANSWER = (
    bytes.fromhex("2b 0e 01 01 00 00 03")
    + b"\x00\x16Company identification"
    + b"\x01\x0dProduct code "
    + b"\x02\x05V2.11"
)


def test_identification() -> None:
    assert identification_request() == IDENTITY_REQUEST
    expected = {0: "Company identification", 1: "Product code", 2: "V2.11"}
    assert decode_identification(IDENTITY_ANSWER) == Identification(expected, None)
    more = bytes.fromhex("2b 0e 01 01 ff 02 01 00 02 41 42")
    assert decode_identification(more) == Identification({0: "AB"}, 2)
    frame, used = next_rtu(b"\x00" + rtu_frame(7, IDENTITY_ANSWER) + b"\x07")
    assert frame == Frame(7, 0, IDENTITY_ANSWER)
    assert used == len(IDENTITY_ANSWER) + 4
    for end in range(len(IDENTITY_ANSWER) + 3):
        assert next_rtu(rtu_frame(7, IDENTITY_ANSWER)[:end]) == (None, 0)


@given(st.one_of(st.binary(max_size=260), st.binary(max_size=80).map(lambda rest: b"\x2b\x0e\x01\x01" + rest)))
def test_no_identification_crashes(pdu: bytes) -> None:
    try:
        found = decode_identification(pdu)
    except DeviceGarbledError:
        return
    assert all(isinstance(text, str) for text in found.objects.values())


def test_what_looks_like_a_frame_within_the_awaited_answer_is_none() -> None:
    inner = rtu_frame(2, b"\x83\x02")
    answer = rtu_frame(1, bytes([3, 2 * 6]) + inner + bytes(7))
    assert next_rtu(answer[:-1])[0] == Frame(2, 0, b"\x83\x02"), "without knowing what is awaited"
    assert next_rtu(answer[:-1], b"\x01\x03\x0c") == (None, 0)
    frame, _ = next_rtu(answer, b"\x01\x03\x0c")
    assert frame is not None
    assert frame.unit == 1

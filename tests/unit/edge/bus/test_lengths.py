"""How much of a frame is still to come, as far as its beginning tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.lengths import hdlc_missing, rtu_missing
from shared.dlms.hdlc import Frame, client_address, information_control, server_address

RTU = bytes.fromhex("05 04 04 41 20 00 00 eb 8a")
REFUSED = bytes.fromhex("05 84 02 c3 00")


@pytest.mark.parametrize("frame", [RTU, REFUSED])
def test_an_rtu_frame_from_its_third_octet_on(frame: bytes) -> None:
    found = [rtu_missing(frame[:length]) for length in range(len(frame) + 1)]
    assert found == [0, 0, 0, *range(len(frame) - 3, -1, -1)]


def test_other_rtu_functions_tell_nothing() -> None:
    assert rtu_missing(bytes.fromhex("05 2b 0e 01")) == 0


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.booleans(), st.data())
def test_hdlc_frames_one_after_another(payloads: list[bytes], shared_flags: bool, data: st.DataObject) -> None:
    line = b""
    ends = []
    for number, payload in enumerate(payloads):
        control = information_control(number, 0, number == len(payloads) - 1)
        frame = Frame(client_address(16), server_address(1), control, payload).encode()
        line += frame[1:] if shared_flags and line else frame
        ends.append(len(line))
    heard = data.draw(st.integers(0, len(line)))
    missing = hdlc_missing(line[:heard])
    if missing:
        assert heard + missing in ends, "never beyond the frame that has begun"
    for begin, end in zip([0, *ends], ends, strict=False):
        if begin + 4 <= heard < end:
            assert heard + missing == end


@given(st.binary(max_size=600))
def test_noise_costs_little(noise: bytes) -> None:
    assert 0 <= rtu_missing(noise) <= 260
    assert 0 <= hdlc_missing(noise) <= 2049

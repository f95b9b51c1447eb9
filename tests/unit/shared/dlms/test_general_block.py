"""Blocks of general block transfer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.errors import DecodeError
from shared.dlms.general_block import GeneralBlock, decode_general_block

blocks = st.builds(
    GeneralBlock,
    st.booleans(),
    st.booleans(),
    st.integers(0, 63),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.binary(max_size=300),
)


def test_a_request_with_window_and_a_receipt() -> None:
    request = bytes.fromhex("C0010000080000010000FF0200")
    whole = bytes.fromhex("E08600010000" + "0D") + request
    block = GeneralBlock(True, False, 6, 1, 0, request)
    assert block.encode() == whole
    assert decode_general_block(whole) == block
    receipt = bytes.fromhex("E08600020006" + "00")
    assert decode_general_block(receipt) == GeneralBlock(True, False, 6, 2, 6)
    streamed = bytes.fromhex("E04100010001" + "02" + "CC81")
    assert decode_general_block(streamed) == GeneralBlock(False, True, 1, 1, 1, b"\xcc\x81")


@given(blocks)
def test_round_trip(block: GeneralBlock) -> None:
    octets = block.encode()
    assert decode_general_block(octets) == block
    for end in range(0, len(octets), 7):
        with pytest.raises(DecodeError, match=r"cut off|begins"):
            decode_general_block(octets[:end])
    with pytest.raises(DecodeError, match="follow"):
        decode_general_block(octets + b"\x00")


@given(st.binary(max_size=40))
def test_foreign_octets(octets: bytes) -> None:
    for apdu in (octets, b"\xe0" + octets):
        try:
            decode_general_block(apdu)
        except DecodeError as error:
            assert str(error)

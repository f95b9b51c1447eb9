"""CRC-16/X-25 against its published check value and against the bit-by-bit definition."""

from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.crc import check_sequence, is_intact


def bit_by_bit(octets: bytes) -> int:
    """Polynomial 0x1021 reflected, initial and final 0xFFFF."""
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 if crc & 1 else crc >> 1
    return crc ^ 0xFFFF


def test_published_check_value() -> None:
    assert check_sequence(b"123456789") == (0x906E).to_bytes(2, "little")


@given(st.binary(max_size=600))
def test_is_the_defined_crc(octets: bytes) -> None:
    assert check_sequence(octets) == bit_by_bit(octets).to_bytes(2, "little")
    assert is_intact(octets + check_sequence(octets))


@given(st.binary(min_size=1, max_size=200), st.data())
def test_every_single_bit_error_is_found(octets: bytes, data: st.DataObject) -> None:
    sound = octets + check_sequence(octets)
    bit = data.draw(st.integers(0, len(sound) * 8 - 1))
    broken = bytearray(sound)
    broken[bit // 8] ^= 1 << bit % 8
    assert not is_intact(broken)
